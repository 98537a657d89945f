"""Places panels on Grafana's grid of 24 columns: line by line, without arithmetic, overlaps, holes or ragged edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attr

from lokictl.grafana.panels import Panel

COLUMNS = 24


@attr.s(auto_attribs=True)
class Column:
    """Panels below one another, side by side with what is left and right of them.

    Every panel of a column is as wide as the column (``width``; by default that of its widest panel).
    """

    panels: Sequence[Panel]
    width: int = 0


Block = Panel | Column
"""What stands side by side in a line."""


@attr.s(auto_attribs=True)
class Row:
    """A titled group of panels and columns; ``collapsed`` hides them, and asks nothing, until somebody opens it.

    Of schema v2: an `AutoGrid` in its ``panels``, and a `ShowWhen` as ``when`` (see `lokictl.grafana.dynamic`).
    """

    title: str
    panels: Sequence[Any]
    collapsed: bool = False
    repeat: str = ""
    when: Any = None


@attr.s(auto_attribs=True, frozen=True)
class GridPosition:
    """Where a panel stands: left edge, top edge, width and height in grid units."""

    x: int
    y: int
    width: int
    height: int

    def to_json_data(self) -> dict[str, int]:
        return {"x": self.x, "y": self.y, "w": self.width, "h": self.height}


def members(block: Block) -> Sequence[Panel]:
    """The panels of a block, from top to bottom."""
    return block.panels if isinstance(block, Column) else (block,)


def width_of(block: Block) -> int:
    """The columns that a block asks for.

    Raises ValueError for a panel that is wider than the grid or has no size, and for a column without panels.
    """
    panels = members(block)
    if not panels:
        raise ValueError("a column has no panels")
    for panel in panels:
        if not 1 <= panel.width <= COLUMNS or panel.height < 1:
            size = f"{panel.width} x {panel.height}"
            raise ValueError(f'the panel "{panel.title}" is {size}, a panel is 1 to {COLUMNS} columns wide')
    width = (isinstance(block, Column) and block.width) or max(panel.width for panel in panels)
    if not 1 <= width <= COLUMNS:
        raise ValueError(
            f'the column of "{panels[0].title}" is {width} wide, a column is 1 to {COLUMNS} wide'
        )
    return width


def lines_of(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """The blocks line by line: one that does not fit beside the others begins a new line."""
    line: list[Block] = []
    used = 0
    for block in blocks:
        width = width_of(block)
        if line and used + width > COLUMNS:
            yield line
            line, used = [], 0
        line.append(block)
        used += width
    if line:
        yield line


def shares(sizes: Sequence[int], total: int) -> list[int]:
    """The sizes grown in proportion until they add up to ``total``; what cannot be divided goes to the first ones."""
    grown = [size * total // sum(sizes) for size in sizes]
    for index in range(total - sum(grown)):
        grown[index % len(grown)] += 1
    return grown


def placed(blocks: Sequence[Block], top: int) -> tuple[list[tuple[Panel, GridPosition]], int]:
    """The panels of blocks with their places from line ``top`` on, and the first free line after them.

    A line is filled: its blocks grow in proportion to its full width, and to the height of the highest.  Raises
    ValueError as `width_of` does.
    """
    result: list[tuple[Panel, GridPosition]] = []
    for line in lines_of(blocks):
        height = max(sum(panel.height for panel in members(block)) for block in line)
        x = 0
        for block, width in zip(line, shares([width_of(block) for block in line], COLUMNS), strict=True):
            y = top
            panels = members(block)
            for panel, share in zip(panels, shares([panel.height for panel in panels], height), strict=True):
                result.append((panel, GridPosition(x, y, width, share)))
                y += share
            x += width
        top += height
    return result, top


def arranged(content: Sequence[Row | Block]) -> list[dict[str, Any]]:
    """The panels' JSON with their places; blocks before the first row stand above it, ids count from 1.

    Panels that have an id of their own keep it.  Raises ValueError as `width_of` does, and for an id that two
    panels have.
    """
    own = [
        panel.id
        for item in content
        for block in (item.panels if isinstance(item, Row) else [item])
        for panel in members(block)
        if panel.id
    ]
    if len(set(own)) < len(own):
        twice = next(number for number in own if own.count(number) > 1)
        raise ValueError(f"two panels have the id {twice}")
    free = (number for number in range(1, 10_000) if number not in set(own))

    def finished(found: list[tuple[Panel, GridPosition]]) -> list[dict[str, Any]]:
        return [
            {
                **attr.evolve(panel, id=panel.id or next(free)).to_json_data(),
                "gridPos": place.to_json_data(),
            }
            for panel, place in found
        ]

    result: list[dict[str, Any]] = []
    top = 0
    loose: list[Block] = []

    def flush() -> None:
        nonlocal top
        found, top = placed(loose, top)
        result.extend(finished(found))
        loose.clear()

    for item in content:
        if not isinstance(item, Row):
            loose.append(item)
            continue
        flush()
        row: dict[str, Any] = {
            "type": "row",
            "id": next(free),
            "title": item.title,
            "collapsed": item.collapsed,
            "gridPos": GridPosition(0, top, COLUMNS, 1).to_json_data(),
            "panels": [],
        }
        if item.repeat:
            row["repeat"] = item.repeat
        result.append(row)
        found, below = placed(item.panels, top + 1)
        if item.collapsed:
            row["panels"] = finished(found)
            top += 1
        else:
            result.extend(finished(found))
            top = below
    flush()
    return result
