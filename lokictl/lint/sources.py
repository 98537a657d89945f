"""From files and content projects to what the checks look at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lokictl.diagnostics import Position
from lokictl.lint.interface import (
    DashboardItem,
    Edit,
    Place,
    Query,
    QueryKind,
    RuleItem,
)
from lokictl.model.documents import Document, Path
from lokictl.model.rules import Origin

# --- places ------------------------------------------------------------------------------------------------


def place_in(document: Document, position: Position) -> Place:
    """A position with the text of its line."""
    return Place(position, document.line(position))


@dataclass(frozen=True)
class DocumentText:
    """A string inside a document; a whole file that is one query is one, too (`PlainDocument`)."""

    document: Document
    path: Path
    text: str

    def place(self, start: int, end: int) -> Place:
        return place_in(self.document, self.document.text_position(self.path, start, end))

    def edit(self, start: int, end: int, replacement: str) -> Edit | None:
        """The edit that replaces part of the string, written as the string itself is (quoted, escaped, plain)."""
        source = self.document.source
        written = self.document.written(self.path, replacement)
        if not source.file or written is None:
            return None
        position = self.document.text_position(self.path, start, end)
        old = source.text[slice(*source.stretch(position))]
        text = self.text
        return Edit(position, old, written, text, text[:start] + replacement + text[end:])


@dataclass(frozen=True)
class RuleText:
    """The expression of a rule."""

    origin: Origin
    text: str

    def place(self, start: int, end: int) -> Place:
        position = self.origin.text_position(("expr",), start, end)
        return Place(position, self.origin.source_line(position))

    def edit(self, start: int, end: int, replacement: str) -> Edit | None:
        cursor = self.origin.cursor
        # A Python module may make the text from pieces.
        if cursor is None:
            return None
        return DocumentText(cursor.document, (*cursor.path, "expr"), self.text).edit(start, end, replacement)


# --- queries of rules and dashboards -----------------------------------------------------------------------


def rule_query(rule: RuleItem) -> Query:
    """The expression of a rule."""
    text = rule.rule.expr
    return Query(
        text,
        QueryKind.ALERT if rule.is_alert else QueryKind.RECORD,
        RuleText(rule.rule.origin, text),
        item=rule.item,
        interval=rule.group.group.interval,
        rule=rule,
    )


def panels_of(data: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """(path, panel) of every panel of a dashboard, also those inside rows (of both generations)."""

    def under(container: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        panels = container.get("panels")
        for index, panel in enumerate(panels if isinstance(panels, list) else []):
            if isinstance(panel, dict):
                here = (*path, "panels", index)
                yield here, panel
                yield from under(panel, here)

    yield from under(data, ())
    rows = data.get("rows")
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, dict):
            yield from under(row, ("rows", index))


def dashboard_queries(dashboard: DashboardItem) -> Iterator[Query]:
    """Every LogQL query of a dashboard: panels, annotations, and variables filled by a stream selector."""
    for path, panel in dashboard.panels:
        targets = panel.get("targets")
        for index, target in enumerate(targets if isinstance(targets, list) else []):
            if isinstance(target, dict) and _is_logql(dashboard, panel, target):
                where = f"{dashboard.item}, panel {panel.get('title') or panel.get('id')}"
                here = (*path, "targets", index, "expr")
                yield _query(dashboard, target["expr"], here, QueryKind.PANEL, where, panel, target)
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
    listed = (dashboard.data.get("annotations") or {}).get("list")
    for index, entry in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(entry, dict) and _is_logql(dashboard, entry, entry):
            path = ("annotations", "list", index, "expr")
            item = f"{dashboard.item}, annotation {entry.get('name')}"
            yield _query(dashboard, entry["expr"], path, QueryKind.ANNOTATION, item, None, entry)


def _variables(dashboard: DashboardItem) -> Iterator[Query]:
    listed = (dashboard.data.get("templating") or {}).get("list")
    for index, entry in enumerate(listed if isinstance(listed, list) else []):
        query = entry.get("query") if isinstance(entry, dict) else None
        stream = query.get("stream") if isinstance(query, dict) else None
        if isinstance(stream, str) and stream.strip() and datasource_type(dashboard, entry) == "loki":
            path = ("templating", "list", index, "query", "stream")
            item = f"{dashboard.item}, variable {entry.get('name')}"
            yield _query(dashboard, stream, path, QueryKind.VARIABLE, item, None, entry)


def _is_logql(dashboard: DashboardItem, panel: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    expr = target.get("expr")
    if not isinstance(expr, str) or not expr.strip():
        return False
    kind = datasource_type(dashboard, target) or datasource_type(dashboard, panel)
    if not kind:
        return panel.get("type") == "logs" or _PIPELINE.search(expr) is not None
    return kind == "loki"


_PIPELINE = re.compile(r"\}\s*(?:\|[=~>]|\|\s*(?:json|logfmt|pattern|regexp|unpack|unwrap|line_format)\b)")
"""What only LogQL has, for queries whose data source is not known."""


def datasource_type(dashboard: DashboardItem, owner: Mapping[str, Any]) -> str:
    """The type of the data source that a panel, target, variable or annotation names; "" for not known."""
    chosen = owner.get("datasource")
    if isinstance(chosen, dict):
        name, kind = str(chosen.get("uid") or chosen.get("name") or ""), str(chosen.get("type") or "")
        if kind and kind not in ("datasource", "mixed"):
            return kind
    else:
        name = str(chosen or "")
    if not name or "Mixed" in name or "grafana" in name.lower():
        return ""
    if name.startswith(("$", "[[")):
        return _variable_type(dashboard, name.strip("${}[]").partition(":")[0])
    if name in dashboard.datasource_types:
        return dashboard.datasource_types[name]
    return "loki" if "loki" in name.lower() else ""


def _variable_type(dashboard: DashboardItem, name: str) -> str:
    listed = (dashboard.data.get("templating") or {}).get("list")
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and entry.get("type") == "datasource" and entry.get("name") == name:
            return str(entry.get("query") or "")
    inputs = dashboard.data.get("__inputs")
    for entry in inputs if isinstance(inputs, list) else []:
        if isinstance(entry, dict) and entry.get("name") == name:
            return str(entry.get("pluginId") or "")
    return ""
