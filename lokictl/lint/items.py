"""What is linted besides queries: rules, groups, dashboards, data sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import Place, Position
from lokictl.lint.dashboard_json import (
    Target,
    annotation_queries_of,
    as_dict,
    datasource_type,
    is_logql,
    is_text,
    links_of,
    panels_of,
    targets_of,
    variables_of,
)
from lokictl.lint.findings import Path, PathPart, place_in
from lokictl.lint.query import DocumentText, Query, QueryKind, RuleText
from lokictl.logql.ast import Expr
from lokictl.logql.placeholders import has_placeholder
from lokictl.model.documents import Cursor, Document
from lokictl.model.managed_alerts import ManagedGroup, ManagedQuery, ManagedRule
from lokictl.model.rules import AlertingRule
from lokictl.records import dataclass

if TYPE_CHECKING:
    from lokictl.model import DataSource, Rule, RuleFile, RuleGroup


@dataclass(frozen=True, eq=False)
class RuleItem:
    """An alerting or recording rule."""

    rule: Rule
    group: GroupItem

    @cached_property
    def query(self) -> Query:
        """The rule's expression."""
        return rule_query(self)

    @property
    def is_alert(self) -> bool:
        return isinstance(self.rule, AlertingRule)

    @cached_property
    def templates(self) -> tuple[tuple[tuple[str, str], str], ...]:
        """(path, text) of every label and annotation that is a template; only alerts have any."""
        if not isinstance(self.rule, AlertingRule):
            return ()
        return tuple(
            ((part, name), text)
            for part, texts in (("labels", self.rule.labels), ("annotations", self.rule.annotations))
            for name, text in texts.items()
            if "{{" in text
        )

    @property
    def item(self) -> str:
        return f"{'alert' if self.is_alert else 'record'} {self.rule.name}"

    def place(self, *path: PathPart, key: bool = False) -> Place:
        """Where a part of the rule stands; without parts, its name."""
        path = path or ("alert" if self.is_alert else "record",)
        position = self.rule.origin.position(*path, key=key)
        return Place(position, self.rule.origin.source_line(position))

    def text_place(self, path: tuple[PathPart, ...], start: int, end: int) -> Place:
        """Where some characters of a string stand: ``text_place(("annotations", "summary"), 3, 9)``."""
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
    """A part of a document: ``data`` is at ``root`` of ``document``."""

    data: Mapping[str, Any]
    document: Document
    root: tuple[PathPart, ...] = ()
    file: str = ""

    def place(self, *path: PathPart, key: bool = False) -> Place:
        """Where the value at ``path`` stands (``key=True``: its key); its nearest parent when it is missing."""
        return place_in(self.document, self.document.position(*self.root, *path, key=key))

    def text_place(self, path: tuple[PathPart, ...], start: int, end: int) -> Place:
        """Where some characters of the text at ``path`` stand."""
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
        return tuple(panels_of(self.data))

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """Every query of every panel, whatever its language."""
        return tuple(targets_of(self))

    @cached_property
    def variables(self) -> tuple[tuple[tuple[PathPart, ...], Mapping[str, Any]], ...]:
        """(path, variable) of every template variable."""
        return tuple(variables_of(self))

    @cached_property
    def annotation_queries(self) -> tuple[tuple[tuple[PathPart, ...], Mapping[str, Any]], ...]:
        """(path, annotation) of every annotation query."""
        return tuple(annotation_queries_of(self))

    @cached_property
    def links(self) -> tuple[tuple[tuple[PathPart, ...], Mapping[str, Any]], ...]:
        """(path, link) of every link: of the dashboard, of panels, of fields and of overrides."""
        return tuple(links_of(self))

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        """Every LogQL query: panels, variables, annotations."""
        return tuple(dashboard_queries(self))

    datasource_types: Mapping[str, str] = field(default_factory=dict)
    """uid or name of a known data source -> its type; to tell LogQL from PromQL."""

    @cached_property
    def _queries_by_path(self) -> dict[Path, Query]:
        return {query.path: query for query in self.queries}

    def expression_of(self, target: Target) -> Expr | None:
        """The LogQL of a target; None where it is something else."""
        query = self._queries_by_path.get((*target.path, "expr"))
        return query.expression if query is not None else None

    def let_go(self) -> None:
        """Forgets the queries: they know their dashboard, and the two would keep each other in memory."""
        for name in ("queries", "_queries_by_path"):
            self.__dict__.pop(name, None)


@dataclass(frozen=True, eq=False)
class DataSourceItem(_DocumentItem):
    """A data source: ``data`` is its entry in a provisioning file.

    ``source`` is the object of a content project, None for an entry of a file.
    """

    source: DataSource | None = None

    @property
    def is_provisioned(self) -> bool:
        """Whether Grafana reads the entry from a file, and fills variables in it.

        The Grafana operator and Grizzly send theirs to the API, which fills none.
        """
        api = (("spec",), ("spec", "datasource"), ("spec", "datasources"))
        return self.root[-1:] not in api and self.root[-2:] not in api and self.root[-3:-1] not in api

    @property
    def name(self) -> str:
        return str(self.data.get("name") or "")

    @property
    def item(self) -> str:
        return f"data source {self.name}"


@dataclass(frozen=True, eq=False)
class ManagedRuleItem:
    """A Grafana-managed alert or recording rule.  ``datasource_types``: uid or name -> type."""

    rule: ManagedRule
    group: ManagedGroup
    shape: str = ""
    datasource_types: Mapping[str, str] = field(default_factory=dict)

    @property
    def item(self) -> str:
        return f"Grafana alert {self.rule.title}"

    def place(self, *path: PathPart, key: bool = False) -> Place:
        """Where a part of the rule stands; without parts, its title."""
        cursor = self.rule.origin
        return Place(Position()) if cursor is None else _cursor_place(cursor, path or ("title",), key=key)

    def step_place(self, step: ManagedQuery, *path: PathPart) -> Place:
        """Where a part of a step stands."""
        return Place(Position()) if step.origin is None else _cursor_place(step.origin, path)

    def step(self, ref_id: str) -> ManagedQuery | None:
        """The step of that name."""
        return next((step for step in self.rule.data if step.ref_id == ref_id), None)

    def asks_loki(self, step: ManagedQuery) -> bool:
        """Whether a step is a LogQL query, as far as its data source tells."""
        source = step.model.get("datasource")
        kind = source.get("type") if isinstance(source, dict) else None
        kind = self.datasource_types.get(step.datasource_uid, kind)
        if step.is_expression or not str(step.model.get("expr") or "").strip():
            return False
        return kind == "loki" if kind else "loki" in step.datasource_uid.lower()

    def _interval(self, step: ManagedQuery) -> int:
        """The time between two looks of an instant query (ns); 0 where that is not known."""
        is_instant = "instant" in (step.model.get("queryType"), step.query_type)
        return self.group.interval if is_instant and self.shape not in ("rule", "rules") else 0

    @cached_property
    def queries(self) -> tuple[tuple[ManagedQuery, Query], ...]:
        """(step, query) of every step that asks Loki."""
        found = []
        for step in self.rule.data:
            if step.origin is not None and self.asks_loki(step):
                text = str(step.model["expr"])
                source = DocumentText(step.origin.document, (*step.origin.path, "model", "expr"), text)
                query = Query(
                    text,
                    QueryKind.PLAIN,
                    source,
                    item=self.item,
                    interval=self._interval(step),
                    templated=True,
                )
                found.append((step, query))
        return tuple(found)


def _cursor_place(cursor: Cursor, path: Path, *, key: bool = False) -> Place:
    position = cursor.position(*path, key=key)
    return Place(position, cursor.line(position))


# --- queries -----------------------------------------------------------------------------------------------


def rule_query(rule: RuleItem) -> Query:
    """The expression of a rule."""
    text = rule.rule.expr
    return Query(
        text,
        QueryKind.ALERT if rule.is_alert else QueryKind.RECORD,
        RuleText(rule.rule.origin, text),
        item=rule.item,
        interval=rule.group.group.interval,
        templated=has_placeholder(text),
        rule=rule,
    )


def dashboard_queries(dashboard: DashboardItem) -> Iterator[Query]:
    """Every LogQL query of a dashboard: panels, annotations, and variables filled by a stream selector."""
    for target in dashboard.targets:
        panel, data = target.panel, target.data
        if is_logql(target.type, panel, data):
            where = f"{dashboard.item}, panel {panel.get('title') or panel.get('id')}"
            here = (*target.path, "expr")
            yield _query(dashboard, data["expr"], here, QueryKind.PANEL, where, panel, data)
    yield from _annotations(dashboard)
    yield from _variables(dashboard)


def _query(
    dashboard: DashboardItem,
    text: str,
    path: Path,
    kind: QueryKind,
    item: str,
    panel: Mapping[str, Any] | None = None,
    target: Mapping[str, Any] | None = None,
) -> Query:
    source = DocumentText(dashboard.document, (*dashboard.root, *path), text)
    return Query(
        text,
        kind,
        source,
        item=item,
        templated=True,
        dashboard=dashboard,
        panel=panel,
        target=target,
        path=path,
    )


def _annotations(dashboard: DashboardItem) -> Iterator[Query]:
    for path, entry in dashboard.annotation_queries:
        target = as_dict(entry.get("target"))
        for owner, key in ((entry, ("expr",)), (target, ("target", "expr"))):
            kind = datasource_type(dashboard, owner) or datasource_type(dashboard, entry)
            if is_logql(kind, entry, owner):
                item = f"{dashboard.item}, annotation {entry.get('name')}"
                yield _query(dashboard, owner["expr"], (*path, *key), QueryKind.ANNOTATION, item, None, entry)


def _variables(dashboard: DashboardItem) -> Iterator[Query]:
    for path, entry in dashboard.variables:
        stream = as_dict(entry.get("query")).get("stream")
        if is_text(stream) and datasource_type(dashboard, entry) == "loki":
            item = f"{dashboard.item}, variable {entry.get('name')}"
            here = (*path, "query", "stream")
            yield _query(dashboard, stream, here, QueryKind.VARIABLE, item, None, entry)
