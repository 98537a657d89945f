"""Tabs, automatic grids, and rows that show themselves under a condition: what only schema v2 can say.

`Dashboard.to_v2` writes them as they are.  A classic model (`Dashboard.to_json`) gets rows and fixed places in their
stead, and `lost` says so::

    Dashboard(
        …,
        content=[
            Tabs([
                Tab("Overview", [AutoGrid([errors, durations, lines], columns=3)]),
                Tab("Details", [Row("Slow", [slow]), Row("Broken", [broken], when=ShowWhen(has_data=True))]),
            ]),
        ],
    )
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attr

from lokictl.grafana.layout import COLUMNS, Block, Row, members
from lokictl.grafana.panels import Panel
from lokictl.model.dashboard_schema import ROW_HEIGHTS, lost_in_classic, to_v2

EQUALS, NOT_EQUALS, MATCHES, NOT_MATCHES = "equals", "notEquals", "matches", "notMatches"


@attr.s(auto_attribs=True, frozen=True)
class ShowWhen:
    """When something is shown: all conditions that are given hold, or with ``any_of`` one of them.

    ``variables`` are (name, operator, value), the operator "equals", "notEquals", "matches" or "notMatches";
    ``has_data`` is whether the panels below have data; ``within`` the longest time range ("7d").  ``hide`` turns it
    round.
    """

    variables: Sequence[tuple[str, str, str]] = ()
    has_data: bool | None = None
    within: str = ""
    any_of: bool = False
    hide: bool = False

    def to_json_data(self) -> dict[str, Any]:
        items: list[dict[str, Any]] = [
            _kind("ConditionalRenderingVariable", variable=name, operator=operator, value=value)
            for name, operator, value in self.variables
        ]
        if self.has_data is not None:
            items.append(_kind("ConditionalRenderingData", value=self.has_data))
        if self.within:
            items.append(_kind("ConditionalRenderingTimeRangeSize", value=self.within))
        if not items:
            raise ValueError("a ShowWhen has no condition")
        return _kind(
            "ConditionalRenderingGroup",
            visibility="hide" if self.hide else "show",
            condition="or" if self.any_of else "and",
            items=items,
        )


@attr.s(auto_attribs=True, frozen=True)
class AutoGrid:
    """Panels that Grafana places itself: up to ``columns`` side by side, all of one height.

    ``row_height`` is "short", "standard" or "tall".
    """

    panels: Sequence[Panel]
    columns: int = 3
    row_height: str = "standard"
    fill_screen: bool = False

    def fixed(self) -> list[Panel]:
        """The panels with the sizes that they have in a classic model."""
        width, height = COLUMNS // self.columns, ROW_HEIGHTS[self.row_height]
        return [attr.evolve(panel, width=width, height=height) for panel in self.panels]


@attr.s(auto_attribs=True, frozen=True)
class Tab:
    """One tab: rows, or panels and automatic grids.  ``repeat`` names a variable: a tab for each of its values."""

    title: str
    content: Sequence[Row | Block | AutoGrid]
    when: ShowWhen | None = None
    repeat: str = ""


@attr.s(auto_attribs=True, frozen=True)
class Tabs:
    """Tabs side by side; they are all that a dashboard has."""

    tabs: Sequence[Tab]


Content = Row | Block | AutoGrid | Tabs


def flattened(content: Sequence[Content]) -> list[Row | Block]:
    """The content as a classic model has it: a row for each tab, fixed places for automatic grids."""
    found: list[Row | Block] = []
    for item in content:
        if isinstance(item, Tabs):
            for tab in item.tabs:
                found += _tab_rows(tab)
        elif isinstance(item, AutoGrid):
            found += item.fixed()
        elif isinstance(item, Row):
            found.append(attr.evolve(item, panels=_blocks(item.panels)))
        else:
            found.append(item)
    return found


def _tab_rows(tab: Tab) -> Iterator[Row]:
    loose = [item for item in tab.content if not isinstance(item, Row)]
    rows = [item for item in tab.content if isinstance(item, Row)]
    if loose or not rows:
        yield Row(tab.title, _blocks(loose), repeat=tab.repeat)
    for row in rows:
        title = f"{tab.title} / {row.title}" if tab.title else row.title
        yield attr.evolve(row, title=title, panels=_blocks(row.panels), repeat=row.repeat or tab.repeat)


def _blocks(items: Iterable[Block | AutoGrid]) -> list[Block]:
    found: list[Block] = []
    for item in items:
        found += item.fixed() if isinstance(item, AutoGrid) else [item]
    return found


def is_dynamic(content: Sequence[Content]) -> bool:
    """Whether the content has something that only schema v2 can say."""
    for item in content:
        if isinstance(item, Tabs | AutoGrid):
            return True
        if isinstance(item, Row) and (
            item.when is not None or any(isinstance(it, AutoGrid) for it in item.panels)
        ):
            return True
    return False


def spec_v2(content: Sequence[Content], classic: dict[str, Any]) -> dict[str, Any]:
    """The spec in schema v2 of a dashboard with this content; ``classic`` is the model of the flattened content."""
    spec = to_v2(classic)
    if is_dynamic(content):
        spec["layout"] = _Layout(spec).of(content)
    return spec


def lost(content: Sequence[Content], classic: dict[str, Any]) -> list[str]:
    """What a classic model of the dashboard does not say, as text."""
    return lost_in_classic(spec_v2(content, classic))


class _Layout:
    """Hands out the elements in the order in which the flattened content has them."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.items = iter(_grid_items(spec["layout"]))

    def of(self, content: Sequence[Content]) -> dict[str, Any]:
        tabs = [item for item in content if isinstance(item, Tabs)]
        if tabs:
            if len(content) > 1:
                raise ValueError("tabs are all that a dashboard has: put the rest into one of them")
            return _kind("TabsLayout", tabs=[self.tab(tab) for tab in tabs[0].tabs])
        return self.part([item for item in content if not isinstance(item, Tabs)])

    def tab(self, tab: Tab) -> dict[str, Any]:
        # The flattened tab has its loose panels first.
        ordered = sorted(tab.content, key=lambda item: isinstance(item, Row))
        spec: dict[str, Any] = {"title": tab.title, "layout": self.part(ordered)}
        if tab.when is not None:
            spec["conditionalRendering"] = tab.when.to_json_data()
        if tab.repeat:
            spec["repeat"] = {"mode": "variable", "value": tab.repeat}
        return {"kind": "TabsLayoutTab", "spec": spec}

    def part(self, content: Sequence[Row | Block | AutoGrid]) -> dict[str, Any]:
        """Rows where there are rows, else one grid."""
        if not any(isinstance(item, Row) for item in content):
            return self.grid([item for item in content if not isinstance(item, Row)])
        rows: list[dict[str, Any]] = []
        loose: list[Block | AutoGrid] = []
        for item in content:
            if not isinstance(item, Row):
                loose.append(item)
                continue
            if loose:
                rows.append(_row({"title": "", "hideHeader": True}, self.grid(loose)))
                loose = []
            rows.append(self.row(item))
        if loose:
            rows.append(_row({"title": "", "hideHeader": True}, self.grid(loose)))
        return _kind("RowsLayout", rows=rows)

    def row(self, row: Row) -> dict[str, Any]:
        spec: dict[str, Any] = {"title": row.title, "collapse": row.collapsed}
        if row.repeat:
            spec["repeat"] = {"mode": "variable", "value": row.repeat}
        if row.when is not None:
            spec["conditionalRendering"] = row.when.to_json_data()
        return _row(spec, self.grid(row.panels))

    def grid(self, blocks: Sequence[Block | AutoGrid]) -> dict[str, Any]:
        """An automatic grid where that is all there is, else a grid of fixed places."""
        if len(blocks) == 1 and isinstance(blocks[0], AutoGrid):
            return self.auto_grid(blocks[0])
        count = sum(len(item.panels) if isinstance(item, AutoGrid) else len(members(item)) for item in blocks)
        return _kind("GridLayout", items=[next(self.items) for _ in range(count)])

    def auto_grid(self, grid: AutoGrid) -> dict[str, Any]:
        items = []
        for _ in grid.panels:
            fixed = next(self.items)["spec"]
            spec = {"element": fixed["element"]}
            if "repeat" in fixed:
                spec["repeat"] = {key: fixed["repeat"][key] for key in ("mode", "value")}
            items.append({"kind": "AutoGridLayoutItem", "spec": spec})
        return _kind(
            "AutoGridLayout",
            maxColumnCount=grid.columns,
            columnWidthMode="standard",
            rowHeightMode=grid.row_height,
            fillScreen=grid.fill_screen,
            items=items,
        )


def _grid_items(layout: dict[str, Any]) -> Iterator[dict[str, Any]]:
    spec = layout["spec"]
    yield from spec.get("items", ())
    for row in spec.get("rows", ()):
        yield from _grid_items(row["spec"]["layout"])


def _row(spec: dict[str, Any], layout: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "RowsLayoutRow", "spec": {"collapse": False, **spec, "layout": layout}}


def _kind(kind: str, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "spec": spec}
