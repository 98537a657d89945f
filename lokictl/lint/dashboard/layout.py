"""Where panels stand, what they are called, and whether there are too many of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lokictl.diagnostics import Severity
from lokictl.lint.dashboard_json import (
    NUMERIC,
    WITHOUT_QUERIES,
    WITHOUT_TITLE,
    Json,
    as_dict,
    as_list,
    is_text,
    panel_name,
)
from lokictl.lint.findings import Path
from lokictl.lint.interface import DashboardCheck, DashboardItem, Finding

COLUMNS = 24
NUMBER = (int, float)


class Box(NamedTuple):
    """A panel's place in the grid."""

    path: Path
    panel: Json
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def boxes(panels: Sequence[object], path: Path) -> list[Box]:
    """The places of panels that stand side by side; those without a complete place are left out."""
    found = []
    for index, panel in enumerate(panels):
        # Rows make room for themselves: generated dashboards often give them the place of their first panel.
        if not isinstance(panel, dict) or panel.get("type") == "row":
            continue
        place = as_dict(panel.get("gridPos"))
        x, y, w, h = place.get("x"), place.get("y"), place.get("w"), place.get("h")
        if (
            isinstance(x, NUMBER)
            and isinstance(y, NUMBER)
            and isinstance(w, NUMBER)
            and isinstance(h, NUMBER)
        ):
            found.append(Box((*path, "panels", index), panel, x, y, x + w, y + h))
    return found


class OverlappingPanels(DashboardCheck):
    name = "dashboard/overlapping-panels"
    severity = Severity.WARNING
    summary = "panels that overlap, or extend beyond the 24 columns"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        panels = as_list(dashboard.data.get("panels"))
        yield from self._side_by_side(dashboard, panels, ())
        for index, panel in enumerate(panels):
            inside = as_list(as_dict(panel).get("panels"))
            if inside:
                yield from self._side_by_side(dashboard, inside, ("panels", index))

    def _side_by_side(self, dashboard: DashboardItem, panels: list[object], path: Path) -> Iterator[Finding]:
        placed = sorted(boxes(panels, path), key=lambda box: box.top)
        open_boxes: list[Box] = []
        for box in placed:
            if box.right > COLUMNS:
                yield self.finding(
                    dashboard.place(*box.path, "gridPos"),
                    f"the panel {panel_name(box.panel)} ends at column {box.right:g}; the grid has {COLUMNS}",
                    hint="make x + w at most 24",
                )
            open_boxes = [other for other in open_boxes if other.bottom > box.top]
            other = next((other for other in open_boxes if other.overlaps(box)), None)
            if other is not None:
                yield self.finding(
                    dashboard.place(*box.path, "gridPos"),
                    f"the panel {panel_name(box.panel)} overlaps the panel {panel_name(other.panel)}: "
                    "Grafana moves one of them away",
                    hint=f"it fits below: y = {other.bottom:g}",
                )
            open_boxes.append(box)


class PanelTitle(DashboardCheck):
    name = "dashboard/panel-title"
    severity = Severity.INFO
    summary = "a panel without a title"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for path, panel in dashboard.panels:
            if panel.get("type") in WITHOUT_TITLE or "libraryPanel" in panel or not panel.get("targets"):
                continue
            if not is_text(panel.get("title")):
                yield self.finding(
                    dashboard.place(*path, "title", key=True),
                    f"the {panel.get('type')} panel {panel.get('id')} has no title",
                    hint="say in a few words what it shows",
                )


class PanelDescription(DashboardCheck):
    name = "dashboard/panel-description"
    severity = Severity.INFO
    summary = "a panel without a description"
    on_by_default = False

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for path, panel in dashboard.panels:
            if panel.get("type") in WITHOUT_QUERIES or "libraryPanel" in panel:
                continue
            if not is_text(panel.get("description")):
                yield self.finding(
                    dashboard.place(*path),
                    f"the panel {panel_name(panel)} has no description",
                    hint="say what it shows and what to do when it looks bad; Grafana shows it behind the (i)",
                )


class PanelUnit(DashboardCheck):
    name = "dashboard/panel-unit"
    severity = Severity.INFO
    summary = "a panel of numbers without a unit"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for path, panel in dashboard.panels:
            if panel.get("type") not in NUMERIC or "libraryPanel" in panel or not panel.get("targets"):
                continue
            if not _has_unit(panel):
                yield self.finding(
                    dashboard.place(*path),
                    f"the panel {panel_name(panel)} shows numbers without a unit",
                    hint='set fieldConfig.defaults.unit: "short", "ms", "bytes", "percentunit", "logs/s" …',
                )


def _has_unit(panel: Json) -> bool:
    config = as_dict(panel.get("fieldConfig"))
    defaults = as_dict(config.get("defaults"))
    if is_text(defaults.get("unit")) or defaults.get("mappings"):
        return True
    properties = [
        as_dict(entry).get("id")
        for override in as_list(config.get("overrides"))
        for entry in as_list(as_dict(override).get("properties"))
    ]
    if {"unit", "mappings"} & set(properties):
        return True
    # The panels of before Grafana 8.
    old = [as_dict(axis).get("format") for axis in as_list(panel.get("yaxes"))]
    old += [panel.get("format"), as_dict(panel.get("yAxis")).get("format")]
    new = as_dict(as_dict(panel.get("options")).get("yAxis")).get("unit")
    return any(is_text(unit) for unit in [*old, new])


class PanelWithoutQueries(DashboardCheck):
    name = "dashboard/panel-without-queries"
    severity = Severity.WARNING
    summary = "a panel that needs data and has no query"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for path, panel in dashboard.panels:
            kind = panel.get("type")
            if (
                kind in WITHOUT_QUERIES
                or "libraryPanel" in panel
                or not is_text(kind)
                or panel.get("targets")
            ):
                continue
            if kind in _CORE_PANELS and as_dict(panel.get("datasource")).get("uid") != "grafana":
                yield self.finding(
                    dashboard.place(*path),
                    f"the panel {panel_name(panel)} has no query, so it stays empty",
                    hint="add a query, or remove the panel",
                )


_CORE_PANELS = (
    *NUMERIC,
    "logs",
    "table",
    "piechart",
    "state-timeline",
    "status-history",
    "histogram",
    "traces",
)


class TooManyPanels(DashboardCheck):
    name = "dashboard/too-many-panels"
    severity = Severity.INFO
    summary = "more panels or queries than people can read and Loki can answer at once"
    options = {"panels": 40, "queries": 80}

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        panels = [panel for _, panel in dashboard.panels if panel.get("type") != "row"]
        queries = sum(len(as_list(panel.get("targets"))) for panel in panels)
        counts = (("panels", len(panels), "panels"), ("queries", queries, "queries"))
        for key, count, word in counts:
            limit = int(self.settings[key])
            if count > limit:
                yield self.finding(
                    dashboard.place("title"),
                    f"the dashboard has {count} {word}; more than {limit} load slowly and are rarely read",
                    hint="split it by question, and link the parts; panels in collapsed rows load when opened",
                )


class RemovedPanel(DashboardCheck):
    name = "dashboard/removed-panel"
    severity = Severity.INFO
    summary = "a panel type that Grafana 12 no longer has"
    options = {
        "types": ["graph", "singlestat", "table-old", "grafana-worldmap-panel", "grafana-piechart-panel"]
    }

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        by_type: dict[str, list[tuple[Path, Json]]] = {}
        for path, panel in dashboard.panels:
            if panel.get("type") in self.settings["types"]:
                by_type.setdefault(str(panel["type"]), []).append((path, panel))
        for kind, found in by_type.items():
            path, panel = found[0]
            others = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            instead = _REPLACEMENTS.get(kind, "")
            yield self.finding(
                dashboard.place(*path, "type"),
                f'the panel {panel_name(panel)}{others} is of the type "{kind}", which Grafana 12 no longer has',
                hint=f'use "{instead}"' if instead else "use a panel that comes with Grafana",
            )


_REPLACEMENTS = {
    "graph": "timeseries",
    "singlestat": "stat",
    "table-old": "table",
    "grafana-worldmap-panel": "geomap",
    "grafana-piechart-panel": "piechart",
}
