"""Telling PromQL from LogQL."""

from __future__ import annotations

import re
from functools import lru_cache

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`')
_METRIC = re.compile(
    r"(?<![\w:.$])([A-Za-z_:][\w:]*)"
    r"(?=\s*(?:\{|\[|\)|,|[<>=!+*/%^-]|$|\b(?:and|or|unless|by|on|offset)\b))"
)
_WORDS = frozenset(
    (
        *("and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right"),
        *("offset", "bool", "start", "end", "inf", "nan", "atan2"),
    )
)


def promql_error(text: str) -> str:
    """What is wrong with a PromQL expression; "" when it parses."""
    # A heavy library, needed for files with metrics only.
    import promql_parser  # noqa: PLC0415 - slow to import, and only Prometheus queries need it

    try:
        promql_parser.parse(text)
    except ValueError as error:
        return str(error).strip().splitlines()[0] if str(error).strip() else "it cannot be parsed"
    return ""


@lru_cache(maxsize=4096)
def is_promql(text: str) -> bool:
    """Whether a text is a PromQL expression."""
    return not promql_error(text)


def metrics_of(text: str) -> list[str]:
    """The metrics that a PromQL expression names, in order, each once."""
    without = _STRINGS.sub('""', re.sub(r"#[^\n]*", "", text))
    without = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", without)
    without = re.sub(r"\{[^}]*\}", "{}", without)
    without = re.sub(r"\[[^\]]*\]", "[]", without)
    found = [match[1] for match in _METRIC.finditer(without) if match[1].lower() not in _WORDS]
    return list(dict.fromkeys(found))
