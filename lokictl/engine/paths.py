"""The small path languages of ``json`` and ``logfmt`` extractions."""

from __future__ import annotations

import re

_TOKENS = re.compile(r'\s*(?:(?P<FIELD>[A-Za-z_][A-Za-z0-9_]*)|(?P<DOT>\.)|(?P<STRING>"[^"\]]*"?)|(?P<INDEX>\d+)|(?P<LSB>\[)|(?P<RSB>\]))')


def json_path(text: str) -> list[str | int]:
    """The steps of a path such as ``a.b["c"][0]``.  Raises ValueError with Loki's words."""
    path: list[str | int] = []
    tokens = [*_tokens(text), ("$end", "")]
    position = 0

    def take(*expected: str) -> str:
        nonlocal position
        kind, value = tokens[position]
        if kind not in expected:
            wanted = f", expecting {' or '.join(expected)}" if expected and "$end" not in expected else ""
            raise ValueError(f"cannot parse expression [{text}]: syntax error: unexpected {kind}{wanted}")
        position += 1
        return kind if kind != "FIELD" else value

    def bracket() -> None:
        nonlocal position
        kind, value = tokens[position]
        take("STRING", "INDEX")
        path.append(value.strip('"') if kind == "STRING" else int(value))
        take("RSB")

    first = take("LSB", "FIELD")
    if tokens[position - 1][0] == "FIELD":
        path.append(first)
    else:
        bracket()
    while tokens[position][0] != "$end":
        kind = take("DOT", "LSB", "$end")
        if kind == "DOT":
            path.append(take("FIELD"))
        else:
            bracket()
    return path


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens = []
    position = 0
    while position < len(text):
        found = _TOKENS.match(text, position)
        if found is None:
            rest = text[position:].lstrip()
            if not rest:
                break
            raise ValueError(f"cannot parse expression [{text}]: unexpected char {rest[0]}")
        tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
        position = found.end()
    return tokens


_KEYS = re.compile(r'\s*(?:(?P<KEY>[A-Za-z_][A-Za-z0-9_]*)|(?P<STRING>"[^"]*"))')


def logfmt_path(text: str) -> str:
    """The key that a logfmt extraction reads.  Raises ValueError with Loki's words."""
    found = []
    position = 0
    while position < len(text):
        token = _KEYS.match(text, position)
        if token is None:
            rest = text[position:].lstrip()
            if not rest:
                break
            raise ValueError(f"cannot parse expression [{text}]: unexpected char {rest[0]}")
        kind = token.lastgroup or ""
        if found and kind == "KEY":
            raise ValueError(f"cannot parse expression [{text}]: syntax error: unexpected KEY")
        found.append(token[kind].strip('"'))
        position = token.end()
    if not found:
        raise ValueError(f"cannot parse expression [{text}]: syntax error: unexpected $end, expecting STRING or KEY")
    # Two texts parse, and name a key that no line has.
    return found[0] if len(found) == 1 else "\0".join(found)
