"""Expands the templates in an alert's labels and annotations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lokictl.diagnostics import LokictlError, Problem
from lokictl.templates.alert import expand_alert
from lokictl.templates.errors import TemplateError

Vector = Sequence[tuple[Mapping[str, str], float]]
"""Elements of an instant answer: labels and value."""

QueryFunction = Callable[[str], Vector]
"""Answers the template function ``query``: LogQL in, the elements of its answer out."""


class ExpansionError(LokictlError):
    """A template that does not parse or cannot be executed; ``str(error)`` is the ruler's text."""

    def __init__(self, text: str) -> None:
        super().__init__(Problem("rule/template", text))


def expand(
    text: str,
    *,
    labels: Mapping[str, str],
    value: float,
    external_labels: Mapping[str, str] | None = None,
    external_url: str = "",
    time_ns: int = 0,
    query: QueryFunction | None = None,
    name: str = "",
) -> str:
    """The text that Loki's ruler makes of a template.

    ``labels`` and ``value`` are those of the result (the alert's own labels are not visible to templates);
    ``time_ns`` is the time of the evaluation; ``query`` answers the template function of that name, which finds
    nothing without it; ``name`` is the alert's, for messages.  Raises `ExpansionError`.
    """
    if "{{" not in text:
        return text
    try:
        return expand_alert(
            text,
            name=name,
            labels=labels,
            value=value,
            external_labels=external_labels or {},
            external_url=external_url,
            time_ns=time_ns,
            query=None
            if query is None
            else lambda expression, _: [(dict(found), number) for found, number in query(expression)],
        )
    except TemplateError as error:
        raise ExpansionError(str(error)) from None
