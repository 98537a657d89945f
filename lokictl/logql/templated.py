"""Formats queries with Grafana's variables: each is marked by something that parses, and put back into the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lokictl.lazy import lazy_pattern
from lokictl.logql.ast import Expr
from lokictl.logql.errors import LogQLError
from lokictl.logql.grafana_variables import STAND_IN, Variable, stand_in, variables
from lokictl.logql.parser import parse
from lokictl.logql.units import (
    SECOND,
    format_float,
    format_go_duration,
    format_prometheus_duration,
    format_value,
)

_UNIT = lazy_pattern(r"(?:ns|us|µs|ms|[smhdwy])(?!\w)")
FIRST_NUMBER = 900_000_001
"""A number, or a duration in seconds, that nobody writes."""


def format_templated(query: str, printed: Callable[[Expr], str]) -> str:
    """``query`` as ``printed`` prints it, with its variables.

    Raises `ParseError`, and `LogQLError` where a variable can stand for any piece of syntax.
    """
    pieces: list[str] = []
    marks: list[tuple[tuple[str, ...], str]] = []
    cursor = 0
    for number, variable in enumerate(item for item in variables(query) if not item.in_text):
        start, end = variable.span
        text, forms = _mark(variable, query, number)
        # `${n}m` is a duration as a whole.
        unit = _UNIT.match(query, end) if text.endswith("s") and text[:-1].isdigit() else None
        end = unit.end() if unit else end
        pieces += [query[cursor:start], text]
        marks.append((forms, query[start:end]))
        cursor = end
    result = printed(parse("".join([*pieces, query[cursor:]])))
    for forms, written in marks:
        found = next((form for form in forms if result.count(form) == 1), None)
        if found is None:
            raise _syntax(written)
        result = result.replace(found, written)
    return result


def _mark(variable: Variable, query: str, number: int) -> tuple[str, tuple[str, ...]]:
    """What to write for a variable, and the forms in which the printer may show it."""
    new = stand_in(variable, query)
    if STAND_IN in new:
        marked = new.replace(STAND_IN, f"{STAND_IN}{number}_")
        return marked, tuple(_name_forms(marked))
    value = FIRST_NUMBER + number
    if new in ("5m", "1m") or (new == "5" and (variable.in_range or _UNIT.match(query, variable.span.end))):
        return f"{value}s", (format_prometheus_duration(value * SECOND), format_go_duration(value * SECOND))
    if new == "5":
        return str(value), (f"{value:f}", str(value), format_float(float(value)), format_value(float(value)))
    if new == "0.5":
        fraction = 0.5 + (number + 1) / 1_000_000
        return str(fraction), (str(fraction), format_value(fraction))
    raise _syntax(variable.text)


def _name_forms(marked: str) -> Iterator[str]:
    yield marked
    # A whole matcher is printed as one, with or without its brackets.
    yield marked.strip("{}")


def _syntax(text: str) -> LogQLError:
    return LogQLError(f"{text} can stand for any piece of LogQL here, so the query cannot be formatted")
