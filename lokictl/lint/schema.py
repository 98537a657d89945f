"""What the services' descriptions say of labels and fields: which exist, which values they can have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from lokictl.logql import ast, semantics
from lokictl.logql.ast import MatchOperator
from lokictl.logql.errors import LogQLError
from lokictl.logql.grafana_variables import STAND_IN, holds_variable
from lokictl.logql.matching import compile_matcher
from lokictl.model import FieldType, LogField, Service
from lokictl.records import dataclass

AUTOMATIC = frozenset(
    [
        "service_name",
        "detected_level",
        "__error__",
        "__error_details__",
        "__stream_shard__",
        "__aggregated_metric__",
    ]
)
"""Labels that Loki sets by itself."""


@dataclass(frozen=True)
class Schema:
    """All services together."""

    services: tuple[Service, ...]

    @cached_property
    def labels(self) -> dict[str, frozenset[str] | None]:
        """Stream label -> every value it can have; None for any."""
        found: dict[str, frozenset[str] | None] = {}
        for service in self.services:
            for label in service.labels:
                values = values_of(service, label.name)
                known = found.get(label.name, frozenset())
                found[label.name] = None if values is None or known is None else known | values
        return found

    def selected(self, selector: ast.StreamSelector, extra: Iterable[str] = ()) -> tuple[Service, ...]:
        """The services that a selector can find.

        None where it names a label or a value that no service has: these are then logs of something else.
        """
        skipped = {*AUTOMATIC, *extra}
        counted = [
            matcher
            for matcher in selector.matchers
            if matcher.name not in skipped
            and not holds_variable(matcher.name)
            and not holds_variable(matcher.value)
        ]
        if any(matcher.name not in self.labels for matcher in counted):
            return ()
        return tuple(
            service for service in self.services if all(can_match(service, matcher) for matcher in counted)
        )


def values_of(service: Service, name: str) -> frozenset[str] | None:
    """The values that a stream label of a service can have; None for any; empty if there is no such label."""
    for label in service.labels:
        if label.name == name:
            return frozenset(label.values) if label.values else None
    return frozenset()


def can_match(service: Service, matcher: ast.Matcher) -> bool:
    """Whether a stream of the service can satisfy a matcher."""
    values = values_of(service, matcher.name)
    if values is None:
        return True
    test = matcher_test(matcher.operator, matcher.value)
    return any(test(value) for value in values or ("",))


def matcher_test(operator: MatchOperator, value: str) -> Callable[[str], bool]:
    """A matcher as a function of a label's value; one that always holds where its pattern is wrong."""
    try:
        return compile_matcher(ast.Matcher("", operator, value))
    except LogQLError:
        return lambda text: True


# --- pipelines ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Names:
    """The names that a stage can see: stream labels, fields, and names that the query itself makes.

    ``open``: others besides.  ``parsed``: whether the lines' own fields have been read.
    """

    labels: frozenset[str]
    fields: frozenset[str] = frozenset()
    made: frozenset[str] = frozenset()
    open: bool = False
    parsed: bool = False

    def has(self, name: str) -> bool:
        """Whether the name can exist here."""
        plain = name.removesuffix("_extracted")
        return (
            self.open
            or name in AUTOMATIC
            or name.startswith(STAND_IN)
            or any(known in (name, plain) for known in (*self.labels, *self.fields, *self.made))
        )


@dataclass(frozen=True)
class Use:
    """A name that a query uses: ``node`` is where, ``filter`` the comparison if it is one."""

    node: ast.Node
    name: str
    names: Names
    services: tuple[Service, ...]

    @property
    def is_own(self) -> bool:
        """Whether the value is made by the query itself, so that the schema says nothing of it."""
        return self.name in self.names.made

    def fields(self) -> list[LogField]:
        """The field of that name in every service that has it; empty when a stream label hides it."""
        if self.name in self.names.labels or self.is_own or not self.names.has(self.name):
            return []
        return [
            item for service in self.services for item in service.fields if sanitized(item.name) == self.name
        ]

    def types(self) -> set[FieldType]:
        return {item.type for item in self.fields()}


@dataclass(frozen=True)
class Pipeline:
    """One log query inside an expression: the services it reads, its parsers, every name it uses."""

    log: ast.LogExpr
    services: tuple[Service, ...]
    uses: tuple[Use, ...]
    parsers: tuple[ast.Stage, ...]
    end: Names
    log_range: ast.LogRange | None = None


def sanitized(name: str) -> str:
    """A field's name as the parsers make a label of it."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def pipelines(expression: ast.Expr, schema: Schema, extra: Iterable[str] = ()) -> Iterator[Pipeline]:
    """Every log query of an expression."""
    ranges = list(expression.find_all(ast.LogRange))
    inside = {id(item.log) for item in ranges}
    for log_range in ranges:
        yield _pipeline(log_range.log, log_range, schema, extra)
    for node in expression.find_all(ast.LogExpr):
        if id(node) not in inside:
            yield _pipeline(node, None, schema, extra)


def _pipeline(
    log: ast.LogExpr, log_range: ast.LogRange | None, schema: Schema, extra: Iterable[str]
) -> Pipeline:
    services = schema.selected(log.selector, extra)
    metadata = {
        sanitized(item.name) for service in services for item in service.fields if item.structured_metadata
    }
    labels = {label.name for service in services for label in service.labels} | set(extra)
    names = Names(frozenset(labels), frozenset(metadata))
    uses: list[Use] = []
    parsers: list[ast.Stage] = []
    for stage in log.stages:
        if isinstance(stage, ast.LabelFilterStage):
            uses += (Use(node, name, names, services) for node, name in filtered(stage.filter))
        elif isinstance(stage, ast.ParserStage):
            parsers.append(stage)
            names = after_parser(stage, names, services)
        elif isinstance(stage, ast.LabelFormat):
            uses += (Use(item, item.value, names, services) for item in stage.items if not item.is_template)
            made = frozenset(item.name for item in stage.items)
            names = Names(names.labels - made, names.fields, names.made | made, names.open, names.parsed)
    if log_range is not None and log_range.unwrap is not None:
        unwrap = log_range.unwrap
        uses.append(Use(unwrap, unwrap.label, names, services))
        for item in unwrap.filters:
            uses += (Use(node, name, names, services) for node, name in filtered(item))
    return Pipeline(log, services, tuple(uses), tuple(parsers), names, log_range)


def after_parser(stage: ast.Stage, names: Names, services: tuple[Service, ...]) -> Names:
    """The names that are there after a parser."""
    made, fields, is_open, parsed = names.made, names.fields, names.open, names.parsed
    if isinstance(stage, ast.JsonParser | ast.LogfmtParser):
        parsed = True
        # A variable can stand for any list of fields.
        is_open = is_open or any(item.name.startswith(STAND_IN) for item in stage.extractions)
        if stage.extractions:
            made |= frozenset(item.name for item in stage.extractions if item.name != item.path)
            fields |= frozenset(item.name for item in stage.extractions if item.name == item.path)
        else:
            fields |= frozenset(sanitized(item.name) for service in services for item in service.fields)
    else:
        found = semantics.extracted(stage)
        made |= found or frozenset()
        is_open = is_open or found is None
    return Names(names.labels, fields, made, is_open, parsed)


def filtered(node: ast.LabelFilter) -> Iterator[tuple[ast.Node, str]]:
    """(comparison, name) of every comparison in a label filter."""
    return ((item, item.name) for item in semantics.comparisons(node))
