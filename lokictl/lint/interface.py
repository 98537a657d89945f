"""What a check is, and what it is given.

A check is one class with a stable ``name`` ("logql/redundant-filter"), a ``severity``, a one-line ``summary`` and
a page ``docs/checks/<name>.md``.  Its base class says what it looks at; its one method ``check`` yields findings:

=================  ==========================================  ==================================================
base class         called with                                 for each
=================  ==========================================  ==================================================
`QueryCheck`       `Query`                                     LogQL text, wherever it stands (rule, panel, …)
`RuleCheck`        `RuleItem`                                  alerting or recording rule
`GroupCheck`       `GroupItem`                                 rule group
`DashboardCheck`   `DashboardItem`                             dashboard (its JSON model)
`DataSourceCheck`  `DataSourceItem`                            data source (an entry of a provisioning file)
`WorkspaceCheck`   `Workspace`                                 run: for checks that compare files with each other
=================  ==========================================  ==================================================

Every item has ``place(…)``, which gives the file, line and column of a part: ``query.place(node)`` for a node of
the parsed expression, ``rule.place("labels", "severity")``, ``dashboard.place("panels", 3, "title")``.
``self.finding(place, message, hint=…)`` makes a finding of the check's name and severity.  ``self.workspace``
has everything else that is linted in this run (`Workspace`: rule files, dashboards, data sources, services,
queries), ``self.settings`` the check's own settings (declared with their defaults in ``options``).

A family is a package ``lokictl.lint.<family>`` whose ``CHECKS`` lists its classes; `lokictl.lint.registry` finds
them there.  Whatever is not certain is ``Severity.INFO`` or ``on_by_default = False``.

Example::

    class RangeBelowInterval(QueryCheck):
        name = "logql/range-below-interval"
        severity = Severity.WARNING
        summary = "a range shorter than the evaluation interval"

        def check(self, query: Query) -> Iterator[Finding]:
            for log_range in query.nodes(LogRange):
                if log_range.range < query.interval:
                    yield self.finding(query.place(log_range), "…", hint="…")
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from lokictl.diagnostics import Position, Problem, Severity
from lokictl.logql.cache import parse_cached
from lokictl.logql.errors import LogQLError, ParseError
from lokictl.logql.expressions import Expr, Node, Span
from lokictl.logql.grafana_variables import Interpolated, holds_variable, interpolate
from lokictl.model.documents import Document

if TYPE_CHECKING:
    from lokictl.model import DataSource, Rule, RuleFile, RuleGroup, Service
    from lokictl.project import Project

PathPart = str | int
NodeType = TypeVar("NodeType", bound=Node)


# --- findings ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A position, and the text of its line ("" where it must be read from the file)."""

    position: Position
    source_line: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """``new`` in place of the characters at ``position``, which are now ``old``.

    ``query_before`` and ``query_after`` are the whole query that changes, to prove that nothing else does.
    """

    position: Position
    old: str
    new: str
    query_before: str = ""
    query_after: str = ""


@dataclass(frozen=True, slots=True)
class Finding(Problem):
    """A problem that a check found.

    ``edit`` is a repair that cannot change an answer; ``item`` names what the finding is about, for people and
    for baselines ("alert RyotErrors", "dashboard Ryot, panel Errors").
    """

    edit: Edit | None = None
    item: str = ""


# --- queries -----------------------------------------------------------------------------------------------


class QueryKind(StrEnum):
    """Where a query stands, hence how it is evaluated."""

    ALERT = "alert"
    RECORD = "record"
    PANEL = "panel"
    VARIABLE = "variable"
    ANNOTATION = "annotation"
    TEST = "test"
    PLAIN = "plain"


class TextSource(Protocol):
    """Where a text stands in a file."""

    def place(self, start: int, end: int) -> Place:
        """The place of the characters ``start`` to ``end`` of the text."""

    def edit(self, start: int, end: int, replacement: str) -> Edit | None:
        """The edit of the file that replaces them; None where that cannot be done for certain."""


@dataclass(frozen=True, eq=False)
class Query:
    """One LogQL text, parsed once.

    ``interval`` is the time between evaluations (rules) or the fixed step (panels) in nanoseconds, 0 for not
    known.  ``templated`` queries may hold Grafana variables: these are replaced by something that parses, and
    spans are translated back.  ``panel`` and ``target`` are the dashboard's own objects for panel queries.
    """

    text: str
    kind: QueryKind
    source: TextSource
    item: str = ""
    interval: int = 0
    templated: bool = False
    rule: RuleItem | None = None
    dashboard: DashboardItem | None = None
    panel: Mapping[str, Any] | None = None
    target: Mapping[str, Any] | None = None
    path: tuple[PathPart, ...] = ()

    @cached_property
    def _parsed(self) -> tuple[Expr | None, LogQLError | None]:
        result = parse_cached(self.filled.text)
        return (None, result) if isinstance(result, LogQLError) else (result, None)

    @cached_property
    def filled(self) -> Interpolated:
        """The text with Grafana's variables replaced by something that parses."""
        if self.templated:
            return interpolate(self.text, keep_strings=True)
        return Interpolated(self.text, (), ())

    @property
    def expression(self) -> Expr | None:
        """The parsed expression; None when the text is not LogQL."""
        return self._parsed[0]

    @property
    def error(self) -> LogQLError | None:
        """Why there is no expression."""
        return self._parsed[1]

    @cached_property
    def all_nodes(self) -> tuple[Node, ...]:
        """The expression and everything below it, parents first; empty when there is none."""
        if self.expression is None:
            return ()
        found: list[Node] = []
        waiting: list[Node] = [self.expression]
        while waiting:
            node = waiting.pop()
            found.append(node)
            waiting.extend(reversed(tuple(node.children())))
        return tuple(found)

    @cached_property
    def _by_type(self) -> dict[type[Node], list[Node]]:
        found: dict[type[Node], list[Node]] = {}
        for node in self.all_nodes:
            found.setdefault(type(node), []).append(node)
        return found

    def nodes(self, kind: type[NodeType]) -> list[NodeType]:
        """All nodes of exactly this class, in source order."""
        return self._by_type.get(kind, [])  # type: ignore[return-value]

    @property
    def kinds(self) -> frozenset[type[Node]]:
        """The classes of the nodes; empty when there is no expression."""
        return frozenset(self._by_type)

    def original(self, span: Span) -> Span:
        """``span`` of the parsed text as a span of `text`."""
        return self.filled.original(span) if self.filled.variables else span

    def place(self, where: Node | Span | None = None) -> Place:
        """Where a node (or span) of the query stands in its file; without one, the whole query."""
        if where is None:
            text = self.text.strip()
            start = self.text.find(text)
            return self.source.place(start, start + max(len(text), 1))
        span = self.original(where.span if isinstance(where, Node) else where)
        return self.source.place(span.start, max(span.end, span.start + 1))

    def written(self, where: Node | Span) -> str:
        """The text of a node as its author wrote it."""
        span = self.original(where.span if isinstance(where, Node) else where)
        return self.text[span.start : span.end]

    def edit(self, where: Node | Span, replacement: str) -> Edit | None:
        """The edit of the file that puts ``replacement`` in place of a node (or span)."""
        span = self.original(where.span if isinstance(where, Node) else where)
        return self.source.edit(span.start, span.end, replacement)

    @property
    def error_place(self) -> Place:
        """Where the text stops being LogQL."""
        if isinstance(self.error, ParseError) and (self.error.line or self.error.offset):
            return self.place(Span(self.error.offset, max(self.error.end_offset, self.error.offset + 1)))
        return self.place()

    @property
    def is_fixed(self) -> bool:
        """Whether the query is exactly its text: no Grafana variable can change it."""
        return not self.filled.variables

    def has_variable(self, what: str | Node) -> bool:
        """Whether a text or a node of this query holds a Grafana variable, so that its value is not known."""
        if not self.filled.variables:
            return False
        if isinstance(what, str):
            return holds_variable(what)
        span = self.original(what.span)
        return any(
            span.start < found.span.end and found.span.start < span.end for found in self.filled.variables
        )


# --- what is linted ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class RuleItem:
    """An alerting or recording rule."""

    rule: Rule
    group: GroupItem

    @cached_property
    def query(self) -> Query:
        """The rule's expression."""
        from lokictl.lint.sources import rule_query

        return rule_query(self)

    @property
    def is_alert(self) -> bool:
        return hasattr(self.rule, "alert")

    @property
    def item(self) -> str:
        return f"{'alert' if self.is_alert else 'record'} {self.rule.name}"

    def place(self, *path: PathPart, key: bool = False) -> Place:
        """Where a part of the rule stands; without parts, its name."""
        path = path or ("alert" if self.is_alert else "record",)
        position = self.rule.origin.position(*path, key=key)
        return Place(position, self.rule.origin.source_line(position))

    def text_place(self, path: tuple[PathPart, ...], start: int, end: int) -> Place:
        """Where some characters of a text stand: ``text_place(("annotations", "summary"), 3, 9)``."""
        position = self.rule.origin.text_position(path, start, end)
        return Place(position, self.rule.origin.source_line(position))


@dataclass(frozen=True, eq=False)
class GroupItem:
    """A rule group."""

    group: RuleGroup
    file: RuleFile

    @cached_property
    def rules(self) -> tuple[RuleItem, ...]:
        return tuple(RuleItem(rule, self) for rule in self.group.rules)

    @property
    def item(self) -> str:
        return f"group {self.group.name}"

    def place(self, *path: PathPart, key: bool = False) -> Place:
        """Where a part of the group stands; without parts, its name."""
        position = self.group.origin.position(*(path or ("name",)), key=key)
        return Place(position, self.group.origin.source_line(position))


@dataclass(frozen=True, eq=False)
class _DocumentItem:
    """A part of a document: ``data`` stands at ``root`` of ``document``."""

    data: Mapping[str, Any]
    document: Document
    root: tuple[PathPart, ...] = ()
    file: str = ""

    def place(self, *path: PathPart, key: bool = False) -> Place:
        """Where the value at ``path`` stands (``key=True``: its key); its nearest parent when it is missing."""
        from lokictl.lint.sources import place_in

        return place_in(self.document, self.document.position(*self.root, *path, key=key))

    def text_place(self, path: tuple[PathPart, ...], start: int, end: int) -> Place:
        """Where some characters of the text at ``path`` stand."""
        from lokictl.lint.sources import place_in

        return place_in(self.document, self.document.text_position((*self.root, *path), start, end))


@dataclass(frozen=True, eq=False)
class DashboardItem(_DocumentItem):
    """A dashboard: ``data`` is its JSON model (the classic one, with ``panels``)."""

    @property
    def title(self) -> str:
        return str(self.data.get("title") or self.file)

    @property
    def uid(self) -> str:
        return str(self.data.get("uid") or "")

    @property
    def item(self) -> str:
        return f"dashboard {self.title}"

    @cached_property
    def panels(self) -> tuple[tuple[tuple[PathPart, ...], Mapping[str, Any]], ...]:
        """(path, panel) of every panel, those inside rows included, rows themselves too."""
        from lokictl.lint.sources import panels_of

        return tuple(panels_of(self.data))

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        """Every LogQL query: panels, variables, annotations."""
        from lokictl.lint.sources import dashboard_queries

        return tuple(dashboard_queries(self))

    datasource_types: Mapping[str, str] = field(default_factory=dict)
    """uid or name of a known data source -> its type; to tell LogQL from PromQL."""


@dataclass(frozen=True, eq=False)
class DataSourceItem(_DocumentItem):
    """A data source: ``data`` is its entry in a provisioning file.

    ``source`` is the object of a content project, None for an entry of a file.
    """

    source: DataSource | None = None

    @property
    def name(self) -> str:
        return str(self.data.get("name") or "")

    @property
    def item(self) -> str:
        return f"data source {self.name}"


@dataclass(frozen=True)
class LokiOptions:
    """A Loki to ask: ``since`` in nanoseconds, headers as the server wants them (tenant, authorization)."""

    url: str
    since: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Workspace:
    """Everything that is linted in one run.  ``project`` is None for plain files."""

    rule_files: tuple[RuleFile, ...] = ()
    dashboards: tuple[DashboardItem, ...] = ()
    datasources: tuple[DataSourceItem, ...] = ()
    plain_queries: tuple[Query, ...] = ()
    services: tuple[Service, ...] = ()
    project: Project | None = None
    loki: LokiOptions | None = None
    loki_version: tuple[int, int] = (3, 7)
    default_interval: int = 60_000_000_000

    @cached_property
    def groups(self) -> tuple[GroupItem, ...]:
        return tuple(GroupItem(group, file) for file in self.rule_files for group in file.groups)

    @cached_property
    def rules(self) -> tuple[RuleItem, ...]:
        return tuple(rule for group in self.groups for rule in group.rules)

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        """Every LogQL query of rules and dashboards, and the plain ones."""
        found = [rule.query for rule in self.rules]
        found += [query for dashboard in self.dashboards for query in dashboard.queries]
        return (*found, *self.plain_queries)

    @property
    def root(self) -> Path | None:
        return self.project.root if self.project is not None else None


# --- checks ------------------------------------------------------------------------------------------------


class Check(ABC):
    """Base of all checks; use one of the bases below.

    ``options`` maps the names of the check's settings to their defaults; a project overrides them in
    ``[tool.lokictl.lint.checks."<name>"]``, together with ``severity`` and ``enabled``.  The type of the default
    is the type of the setting.
    """

    name: ClassVar[str]
    severity: ClassVar[Severity]
    summary: ClassVar[str]
    on_by_default: ClassVar[bool] = True
    fixable: ClassVar[bool] = False
    needs_loki: ClassVar[bool] = False
    needs_services: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Any]] = {}
    supersedes: ClassVar[tuple[str, ...]] = ()
    """Checks whose findings about the same item this one tells better."""

    def __init__(
        self,
        workspace: Workspace | None = None,
        settings: Mapping[str, Any] | None = None,
        severity: Severity | None = None,
    ) -> None:
        self.workspace = workspace or Workspace()
        self.settings: dict[str, Any] = {**self.options, **(settings or {})}
        self._severity = severity

    def finding(
        self,
        place: Place,
        message: str,
        *,
        hint: str = "",
        severity: Severity | None = None,
        edit: Edit | None = None,
        item: str = "",
    ) -> Finding:
        """A finding of this check; a severity set by the project wins over ``severity``."""
        return Finding(
            self.name,
            message,
            self._severity or severity or self.severity,
            place.position,
            hint,
            place.source_line,
            edit,
            item,
        )


class QueryCheck(Check):
    """Looks at one LogQL query.

    Only called with queries that parse, unless ``wants_errors``, and that have a node of one of the classes in
    ``wants`` (none: all).
    """

    wants: ClassVar[tuple[type[Node], ...]] = ()
    wants_errors: ClassVar[bool] = False

    @classmethod
    def can_find(cls, kinds: frozenset[type[Node]]) -> bool:
        """Whether a query with nodes of these classes (none: one that does not parse) concerns the check."""
        if not kinds:
            return cls.wants_errors
        return not cls.wants or not kinds.isdisjoint(cls.wants)

    @abstractmethod
    def check(self, query: Query) -> Iterable[Finding]:
        """What is wrong with the query."""


class RuleCheck(Check):
    """Looks at one rule.  ``rule.query.expression`` may be None (`logql/syntax` has told so)."""

    @abstractmethod
    def check(self, rule: RuleItem) -> Iterable[Finding]:
        """What is wrong with the rule."""


class GroupCheck(Check):
    """Looks at one rule group."""

    @abstractmethod
    def check(self, group: GroupItem) -> Iterable[Finding]:
        """What is wrong with the group."""


class DashboardCheck(Check):
    """Looks at one dashboard."""

    @abstractmethod
    def check(self, dashboard: DashboardItem) -> Iterable[Finding]:
        """What is wrong with the dashboard."""


class DataSourceCheck(Check):
    """Looks at one data source."""

    @abstractmethod
    def check(self, datasource: DataSourceItem) -> Iterable[Finding]:
        """What is wrong with the data source."""


class WorkspaceCheck(Check):
    """Looks at everything together."""

    @abstractmethod
    def check(self, workspace: Workspace) -> Iterable[Finding]:
        """What does not fit."""


def about(item: str, found: Finding) -> Finding:
    """The finding, with ``item`` where it names none."""
    return found if found.item else replace(found, item=item)
