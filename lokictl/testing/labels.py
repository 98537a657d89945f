"""Labels as test files write them: a mapping, or ``name{a="b"}`` as in promtool's files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from lokictl.lazy import lazy_pattern
from lokictl.logql.units import quote

_LABEL = lazy_pattern(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*("(?:[^"\\]|\\.)*"|`[^`]*`)\s*(,|$)')
_NAME = lazy_pattern(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{(.*)\})?\s*", re.DOTALL)


def parse_labels(text: str) -> dict[str, str]:
    """The labels of ``metric{name="value", …}``; the metric's name becomes ``__name__``.  Raises ValueError."""
    found = _NAME.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} are no labels: write {{name="value"}}, or a mapping')
    labels = {"__name__": found[1]} if found[1] else {}
    body, position = found[2] or "", 0
    while body[position:].strip():
        item = _LABEL.match(body, position)
        if item is None:
            raise ValueError(f'expected name="value" at {body[position:].strip()!r}')
        labels[item[1]] = _unquote(item[2])
        position = item.end()
    return labels


def _unquote(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{text} is not a quoted text: {error.msg}") from None
    assert isinstance(value, str)
    return value


def format_labels(labels: Mapping[str, str]) -> str:
    """``name{a="b"}``, sorted by name."""
    name = labels.get("__name__", "")
    rest = {key: value for key, value in labels.items() if key != "__name__"}
    if name and not rest:
        return name
    return name + "{" + ", ".join(f"{key}={quote(value)}" for key, value in sorted(rest.items())) + "}"
