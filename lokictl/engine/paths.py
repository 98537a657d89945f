"""The small path languages of ``json`` and ``logfmt`` extractions."""

from __future__ import annotations

import re

from lokictl.lazy import lazy_pattern
from lokictl.logql.units import MAX_INT64

_JSON_TOKENS = lazy_pattern(
    r"""\s*(?:(?P<FIELD>[A-Za-z_][A-Za-z0-9_]*)|(?P<DOT>\.)|(?P<STRING>"[^"\]]*"?)|(?P<INDEX>[0-9]+)(?![\w.])"""
    r"""|(?P<LSB>\[)|(?P<RSB>\]))"""
)
_LOGFMT_TOKENS = lazy_pattern(r'\s*(?:(?P<KEY>[A-Za-z_][A-Za-z0-9_]*)|(?P<STRING>"[^"]*"))')


class _Tokens:
    """The tokens of a path. An invalid character ends them; it is reported only if everything else is valid."""

    def __init__(self, text: str, pattern: re.Pattern[str]) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        self.position = 0
        self.bad = ""
        at = 0
        while at < len(text):
            found = pattern.match(text, at)
            if found is None:
                self.bad = text[at:].lstrip()[:1]
                break
            if found.lastgroup == "INDEX" and (found.end() == len(text) or int(found["INDEX"]) > MAX_INT64):
                # Loki's lexer gives up on a number that ends the path or does not fit.
                break
            self.tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            at = found.end()
        self.tokens.append(("$end", ""))

    def take(self, *expected: str) -> tuple[str, str]:
        """The next token, which is to be one of ``expected``.  Raises ValueError with Loki's words."""
        token = self.tokens[self.position]
        if token[0] not in expected:
            wanted = f", expecting {' or '.join(expected)}" if "$end" not in expected else ""
            raise ValueError(
                f"cannot parse expression [{self.text}]: syntax error: unexpected {token[0]}{wanted}"
            )
        if token[0] == "$end" and self.bad:
            raise ValueError(f"cannot parse expression [{self.text}]: unexpected char {self.bad}")
        self.position += 1
        return token


def json_path(text: str) -> tuple[str, ...]:
    """The steps of a path such as ``a.b["c"][0]``; an index is the step ``[0]``.  Raises ValueError."""
    tokens = _Tokens(text, _JSON_TOKENS)
    path: list[str] = []
    kind, value = tokens.take("LSB", "FIELD")
    while kind != "$end":
        if kind == "LSB":
            inner, value = tokens.take("STRING", "INDEX")
            path.append(value.strip('"') if inner == "STRING" else f"[{int(value)}]")
            tokens.take("RSB")
        elif kind == "DOT":
            path.append(tokens.take("FIELD")[1])
        else:
            path.append(value)
        kind, value = tokens.take("DOT", "LSB", "$end")
    return tuple(path)


def logfmt_path(text: str) -> str:
    """The key that a logfmt extraction reads.  Raises ValueError with Loki's words."""
    tokens = _Tokens(text, _LOGFMT_TOKENS)
    found = [tokens.take("STRING", "KEY")[1].strip('"')]
    # Several strings parse, and name a key that no line has.
    while (token := tokens.take("STRING", "$end"))[0] == "STRING":
        found.append(token[1].strip('"'))
    return found[0] if len(found) == 1 else "\0".join(found)
