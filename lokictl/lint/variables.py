"""Grafana's variables inside LogQL: replaced by something that parses, with every character traced back."""

from __future__ import annotations

import re
from functools import lru_cache

from lokictl.logql.errors import LogQLError
from lokictl.logql.expressions import Expr

VARIABLE = re.compile(r"\$\{\w+(?:\.\w+)?(?::[\w,.()]+)?\}|\$\w+|\[\[\w+(?::\w+)?\]\]")
_TOKEN = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*|' + VARIABLE.pattern + r"|\[[^\]\[]*\$[^\]]*\]", re.DOTALL
)
_NUMBER_BEFORE = re.compile(
    r"(?:[<>+*/%^-]|[=!<>]=|(?:top|bottom)k\s*\(|vector\s*\(|bool)\s*$", re.IGNORECASE
)
_QUANTILE_BEFORE = re.compile(r"quantile_over_time\s*\(\s*$", re.IGNORECASE)
_OFFSET_BEFORE = re.compile(r"offset\s*$", re.IGNORECASE)


@lru_cache(maxsize=8192)
def parse_cached(text: str) -> Expr | LogQLError:
    """The expression, or why there is none; the same text is parsed once."""
    from lokictl.logql import parse

    try:
        return parse(text)
    except LogQLError as error:
        return error
    except RecursionError:
        return LogQLError("the query nests too deeply")


def fill_variables(text: str) -> tuple[str, tuple[int, ...]]:
    """``text`` with every variable outside of strings replaced; for each character of the result (and for its
    end) the offset in ``text``.

    Inside strings a variable is text like any other.
    """
    pieces: list[str] = []
    offsets: list[int] = []
    cursor = 0
    for found in _TOKEN.finditer(text):
        pieces.append(text[cursor : found.start()])
        offsets.extend(range(cursor, found.start()))
        token = found[0]
        new = token if token[0] in '"`#' else _stand_in(token, text[: found.start()])
        pieces.append(new)
        size = len(token)
        offsets.extend(found.start() + min(index, size - 1) for index in range(len(new)))
        if len(new) < size and new:
            offsets[-1] = found.end() - 1
        cursor = found.end()
    pieces.append(text[cursor:])
    offsets.extend(range(cursor, len(text) + 1))
    return "".join(pieces), tuple(offsets)


def bare_variables(text: str) -> bool:
    """Whether a variable stands outside of strings and ranges, where it can be any piece of syntax."""
    return any(found[0][0] == "$" or found[0].startswith("[[") for found in _TOKEN.finditer(text))


def _stand_in(token: str, before: str) -> str:
    if token.startswith("[") and not token.startswith("[["):
        return "[5m]"
    if _QUANTILE_BEFORE.search(before):
        return "0.5"
    if _OFFSET_BEFORE.search(before):
        return "5m"
    if _NUMBER_BEFORE.search(before):
        return "5"
    if before.rstrip().endswith("["):
        return "5m"
    return "grafana_" + re.sub(r"\W", "_", token.strip("${}[]"))
