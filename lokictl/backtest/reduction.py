"""Finds a small part of a list that still has a property (delta debugging)."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def reduced(
    items: Sequence[Item], holds: Callable[[Sequence[Item]], bool], *, seconds: float = 30.0
) -> list[Item]:
    """A part of ``items``, in their order, for which ``holds`` is true, and of which nothing can be left out.

    ``holds(items)`` is true to begin with.  After ``seconds`` the smallest part found so far is given.
    """
    deadline = clock.monotonic() + seconds
    found = list(items)
    if found and holds([]):
        return []
    parts = 2
    while len(found) > 1:
        size = -(-len(found) // parts)
        smaller = _smaller(found, size, holds, deadline)
        if smaller is not None:
            parts = 2 if len(smaller) <= size else max(parts - 1, 2)
            found = smaller
        elif size == 1 or clock.monotonic() > deadline:
            break
        else:
            parts = min(parts * 2, len(found))
    return found


def _smaller(
    items: list[Item], size: int, holds: Callable[[Sequence[Item]], bool], deadline: float
) -> list[Item] | None:
    """One part of the size, or everything but one, that still has the property."""
    starts = range(0, len(items), size)
    if len(starts) <= 4:
        for start in starts:
            part = items[start : start + size]
            if len(part) < len(items) and holds(part):
                return part
    kept = items
    # What can be left out is left out at once, and the next part is tried on the rest.
    for start in reversed(starts):
        if clock.monotonic() > deadline:
            break
        rest = kept[:start] + kept[start + size :]
        if rest and holds(rest):
            kept = rest
    return kept if len(kept) < len(items) else None
