"""Dashboards of files as classic models (the JSON with ``panels``), whatever they were written as.

The checks, the project and `sync` read one schema; a `ClassicView` keeps the places of the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from lokictl.model.contents import FoundDashboard
from lokictl.model.dashboard_schema import Classic, to_classic
from lokictl.model.documents import Cursor, Document, Path, Stretch
from lokictl.records import dataclass


@dataclass(frozen=True)
class ClassicView(Document):
    """A classic model made from a part of a document.

    ``places`` maps paths of the model to paths of ``base``; the longest one that begins a path counts, and what
    follows it is the same in both.
    """

    base: Document = field(repr=False)
    places: Mapping[Path, Path] = field(repr=False)

    def _place(self, path: Path) -> Path:
        for length in range(len(path), -1, -1):
            found = self.places.get(path[:length])
            if found is not None:
                return (*found, *path[length:])
        return path

    def stretch(self, *path: str | int, key: bool = False) -> Stretch:
        return self.base.stretch(*self._place(path), key=key)

    def offsets(self, path: Path) -> Sequence[int]:
        return self.base.offsets(self._place(path))

    def scalar_text(self, *path: str | int) -> str:
        return self.base.scalar_text(*self._place(path))

    def written(self, path: Path, text: str) -> str | None:
        return self.base.written(self._place(path), text)


def classic(found: FoundDashboard) -> Cursor:
    """The classic model of a dashboard, with the places of its file."""
    cursor, name = found.cursor, found.name
    value = cursor.value if isinstance(cursor.value, dict) else {}
    if found.schema == "v2":
        made = to_classic(value, name.text if name is not None else "")
        places = {key: (*cursor.path, *path) for key, path in made.places.items()}
    elif name is not None and not value.get("uid"):
        made = Classic({"uid": name.text, **value})
        places = {}
    else:
        return cursor
    places[()] = cursor.path
    if name is not None:
        places[("uid",)] = name.path
    return Cursor(ClassicView(made.model, cursor.document.source, cursor.document, places))


def written_as_v2(cursor: Cursor | None) -> Mapping[str, Any] | None:
    """The spec in schema v2 that a classic model was made from; None where it was written as a classic one."""
    if cursor is None or not isinstance(cursor.document, ClassicView):
        return None
    spec = Cursor(cursor.document.base, cursor.document.places[()]).value
    return spec if isinstance(spec, dict) and "elements" in spec else None
