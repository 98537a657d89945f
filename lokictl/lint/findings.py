"""What a check reports: a place, a message, sometimes a repair."""

from __future__ import annotations

from dataclasses import replace

from lokictl.diagnostics import Place, Position, Problem
from lokictl.model.documents import Document
from lokictl.records import dataclass

PathPart = str | int
Path = tuple[PathPart, ...]
"""The keys and indexes that lead to a value of a document."""


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

    ``edit`` is a repair that cannot change results; ``item`` names what the finding is about, for people and
    for baselines ("alert RyotErrors", "dashboard Ryot, panel Errors").
    """

    edit: Edit | None = None
    item: str = ""


def about(item: str, found: Finding) -> Finding:
    """The finding, with ``item`` where it names none."""
    return found if found.item else replace(found, item=item)


def place_in(document: Document, position: Position) -> Place:
    """A position with the text of its line."""
    return Place(position, document.line(position))
