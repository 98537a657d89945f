"""Places panels on Grafana's grid of 24 columns: from left to right, line by line, without arithmetic or overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attr

from lokictl.grafana.panels import Panel

COLUMNS = 24


@attr.s(auto_attribs=True)
class Row:
    """A titled group of panels; ``collapsed`` hides them until somebody opens it."""

    title: str
    panels: Sequence[Panel]
    collapsed: bool = False
    repeat: str = ""


@attr.s(auto_attribs=True, frozen=True)
class Place:
    """Where a panel stands: left edge, top edge, width and height in grid units."""

    x: int
    y: int
    width: int
    height: int

    def to_json_data(self) -> dict[str, int]:
        return {"x": self.x, "y": self.y, "w": self.width, "h": self.height}


def placed(panels: Sequence[Panel], top: int) -> tuple[list[Place], int]:
    """The places of panels from line ``top`` on, and the first free line after them.

    A panel that does not fit beside the others begins a new line; the next line begins below the highest.  Raises
    ValueError for a panel that is wider than the grid or has no size.
    """
    places: list[Place] = []
    x = height = 0
    for panel in panels:
        if not 1 <= panel.width <= COLUMNS or panel.height < 1:
            size = f"{panel.width} x {panel.height}"
            raise ValueError(f'the panel "{panel.title}" is {size}, a panel is 1 to {COLUMNS} columns wide')
        if x + panel.width > COLUMNS:
            x, top, height = 0, top + height, 0
        places.append(Place(x, top, panel.width, panel.height))
        x += panel.width
        height = max(height, panel.height)
    return places, top + height


def arranged(content: Sequence[Row | Panel]) -> list[dict[str, Any]]:
    """The panels' JSON with their places; panels before the first row stand above it, ids count from 1.

    Panels that have an id of their own keep it.
    """
    taken = {
        panel.id
        for item in content
        for panel in (item.panels if isinstance(item, Row) else [item])
        if panel.id
    }
    free = (number for number in range(1, 10_000) if number not in taken)

    def finished(panel: Panel, place: Place) -> dict[str, Any]:
        return {
            **attr.evolve(panel, id=panel.id or next(free)).to_json_data(),
            "gridPos": place.to_json_data(),
        }

    result: list[dict[str, Any]] = []
    top = 0
    loose: list[Panel] = []

    def flush() -> None:
        nonlocal top
        places, top = placed(loose, top)
        result.extend(finished(panel, place) for panel, place in zip(loose, places, strict=True))
        loose.clear()

    for item in content:
        if isinstance(item, Panel):
            loose.append(item)
            continue
        flush()
        row: dict[str, Any] = {
            "type": "row",
            "id": next(free),
            "title": item.title,
            "collapsed": item.collapsed,
            "gridPos": Place(0, top, COLUMNS, 1).to_json_data(),
            "panels": [],
        }
        if item.repeat:
            row["repeat"] = item.repeat
        result.append(row)
        places, below = placed(item.panels, top + 1)
        panels = [finished(panel, place) for panel, place in zip(item.panels, places, strict=True)]
        if item.collapsed:
            row["panels"] = panels
            top += 1
        else:
            result.extend(panels)
            top = below
    flush()
    return result
