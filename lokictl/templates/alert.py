"""The templates in the labels and annotations of alerting rules, as Loki's ruler expands and checks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from lokictl.logql.versions import (
    LATE_ALERT_FUNCTIONS,
    SIGNED_DURATIONS_IN_ALERTS,
    TITLE_BY_WORDS,
    LokiVersion,
    target,
)
from lokictl.templates import nodes as n
from lokictl.templates.alert_functions import FUNCTIONS, parse_unsigned_duration
from lokictl.templates.errors import FunctionError, TemplateError
from lokictl.templates.executor import execute
from lokictl.templates.functions import BUILTINS, Function
from lokictl.templates.parser import Parsed, parse
from lokictl.templates.pipeline import walk_nodes
from lokictl.templates.pipeline_functions import title
from lokictl.templates.values import QueryResult, Sample, StringMap, Struct

Vector = list[tuple[dict[str, str], float]]
Query = Callable[[str, int], Vector]
"""Answers the ``query`` function: LogQL and the time in ns to the (labels, value) pairs of an instant vector.
An exception's text becomes the template's error."""

_LABELS = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
_URL = "{{$externalURL := .ExternalURL}}"
_VALUE = "{{$value := .Value}}"
DEFINITIONS = _LABELS + _URL + _VALUE
"""What the ruler puts before every string at an evaluation."""
LOAD_DEFINITIONS = _LABELS + _VALUE
"""What it puts before the text when a rule is loaded: ``$externalURL`` is not known there."""
_MAPS = "Labels map[string]string; ExternalLabels map[string]string"
_DATA_TYPE = f"struct {{ {_MAPS}; ExternalURL string; Value interface {{}} }}"
_PER_CALL = ("query", "now", "externalURL", "pathPrefix")
NAMES = frozenset([*BUILTINS, *FUNCTIONS, *_PER_CALL])
"""The functions that a rule's templates may call."""


LATE_NAMES = frozenset(["now", "toDuration", "urlQueryEscape"])


@lru_cache(maxsize=4096)
def _parsed_for(name: str, text: str, version: LokiVersion) -> Parsed:
    names = NAMES if version.has(LATE_ALERT_FUNCTIONS) else NAMES - LATE_NAMES
    return parse(f"__alert_{name}", text, names)


def _parsed(name: str, text: str) -> Parsed:
    return _parsed_for(name, text, target())


@lru_cache(maxsize=16)
def _dated_functions(version: LokiVersion) -> dict[str, Function]:
    """The functions that a version has otherwise."""
    found: dict[str, Function] = {}
    if not version.has(TITLE_BY_WORDS):
        found["title"] = Function(title, ("string",))
    if not version.has(SIGNED_DURATIONS_IN_ALERTS):
        found["parseDuration"] = Function(parse_unsigned_duration, ("string",))
    return found


def expand_alert(
    text: str,
    *,
    name: str = "",
    labels: Mapping[str, str],
    value: float,
    external_labels: Mapping[str, str] | None = None,
    external_url: str = "",
    time_ns: int = 0,
    query: Query | None = None,
) -> str:
    """The text of a label or annotation of the alert ``name``.

    ``labels`` and ``value`` are those of the expression's result, ``time_ns`` is the evaluation's time.  Raises
    `TemplateError` with the ruler's words (``error parsing template …``, ``error executing template …``).
    """
    if "{{" not in text:
        return text
    try:
        parsed = _parsed(name, DEFINITIONS + text)
    except TemplateError as error:
        raise _shifted(error, f"error parsing template __alert_{name}: ") from None
    data = Struct(
        _DATA_TYPE,
        {
            "Labels": StringMap(labels),
            "ExternalLabels": StringMap(external_labels or {}),
            "ExternalURL": external_url,
            "Value": float(value),
        },
    )
    functions = {
        **BUILTINS,
        **FUNCTIONS,
        **_dated_functions(target()),
        "query": Function(lambda expr: _asked(query, expr, time_ns), ("string",)),
        "now": Function(lambda: time_ns // 1_000_000 / 1000),
        "externalURL": Function(lambda: external_url),
        "pathPrefix": Function(lambda: urlsplit(external_url).path),
    }
    try:
        return execute(parsed, functions, data)
    except TemplateError as error:
        raise _shifted(error, f"error executing template __alert_{name}: ") from None


def _shifted(error: TemplateError, prefix: str) -> TemplateError:
    offset = error.offset - len(DEFINITIONS)
    return TemplateError(prefix + str(error), offset=max(offset, -1))


def _asked(query: Query | None, expr: str, time_ns: int) -> QueryResult:
    if query is None:
        return QueryResult()
    try:
        vector = query(expr, time_ns)
    except Exception as error:
        raise FunctionError(f"rule evaluation failed: {error}") from None
    return QueryResult([Sample(StringMap(labels), value) for labels, value in vector])


def check_alert_template(text: str, *, name: str = "") -> str | None:
    """What the ruler's loader says against a template, or None.

    The loader only parses; `lokictl.templates.TemplateError` offsets are lost in its text, so is the position.
    """
    error = load_error(text, name=name)
    return str(error) if error else None


def load_error(text: str, *, name: str = "") -> TemplateError | None:
    """As `check_alert_template`, with the character offset in ``text`` where it is known."""
    try:
        _parsed(name, LOAD_DEFINITIONS + text)
    except TemplateError as error:
        return TemplateError(str(error), offset=max(error.offset - len(LOAD_DEFINITIONS), -1))
    return None


def fields_used(text: str) -> list[tuple[str, int]]:
    """The labels that a template reads by name (``$labels.x``, ``.Labels.x``), each with its character offset.

    Raises `TemplateError` where the text does not parse.
    """
    parsed = _parsed("", DEFINITIONS + text)
    found: list[tuple[str, int]] = []
    for node in walk_nodes(parsed):
        names = node.names if isinstance(node, n.Field | n.Variable) else []
        if len(names) >= 2 and names[0] in ("$labels", "Labels"):
            # A path's offset is that of its second name's dot (Go's habit).
            found.append((names[1], node.offset - len(DEFINITIONS) + 1))
    return found


def uses_value(text: str) -> bool:
    """Whether a template reads the alert's value.  Raises `TemplateError` where the text does not parse."""
    parsed = _parsed("", DEFINITIONS + text)
    own: list[Any] = [node for node in walk_nodes(parsed) if getattr(node, "offset", 0) >= len(DEFINITIONS)]
    return any(
        (isinstance(node, n.Variable) and node.names[0] == "$value")
        or (isinstance(node, n.Field) and node.names[0] == "Value")
        for node in own
    )
