"""Dashboards of files as classic models (the JSON with ``panels``), whatever they were written as.

The checks, the project and `sync` read one schema; a `ClassicView` keeps the places of the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lokictl.model.contents import FoundDashboard
from lokictl.model.documents import Cursor, Document, Path, Stretch


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
    cursor = found.cursor
    if found.name is None or (isinstance(cursor.value, dict) and cursor.value.get("uid")):
        return cursor
    value: dict[str, Any] = {"uid": found.name.text, **cursor.value}
    places: dict[Path, Path] = {(): cursor.path, ("uid",): found.name.path}
    return Cursor(ClassicView(value, cursor.document.source, cursor.document, places))
