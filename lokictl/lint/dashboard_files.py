"""The dashboards of a run, of which memory holds few at a time.

A dashboard has a thousand times as many values as findings.  Those of JSON files are therefore let go when their file
is known to be one of dashboards, and read again where they are checked, by the process that checks them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.lint.items import DashboardItem
from lokictl.model.contents import FoundDashboard, contents_of
from lokictl.model.dashboards import ClassicView, classic
from lokictl.model.documents import Document
from lokictl.model.json_source import JsonDocument, load_json
from lokictl.records import dataclass

LARGEST = 2_000_000
"""Characters of a file that is read again; the dashboards of a larger one are kept, for processes to share."""

BYTES_OF_A_QUERY = 3_000
"""What a panel with one query takes in a file."""


@dataclass(frozen=True, slots=True)
class DashboardOnDisk:
    """The dashboard of that ``index`` among those of a JSON file, and about how many queries it has."""

    file: str
    index: int
    uid: str
    queries: int


Entry = DashboardItem | DashboardOnDisk


def dashboard_item(found: FoundDashboard, file: str) -> DashboardItem:
    """A dashboard that was found in a file."""
    cursor = classic(found)
    return DashboardItem(cursor.value, cursor.document, cursor.path, file)


def on_disk(dashboards: Sequence[DashboardItem]) -> list[Entry]:
    """The dashboards of one file, as what can be read again wherever that is possible."""
    return [
        DashboardOnDisk(
            item.file, index, item.uid, len(item.document.source.text) // len(dashboards) // BYTES_OF_A_QUERY
        )
        if _is_json(item.document) and len(item.document.source.text) <= LARGEST
        else item
        for index, item in enumerate(dashboards)
    ]


def _is_json(document: Document) -> bool:
    whole = document.base if isinstance(document, ClassicView) else document
    return isinstance(whole, JsonDocument)


class Dashboards(Sequence[DashboardItem]):
    """Dashboards in the order of their files; ``types`` maps the uid or name of a data source to its type.

    What is asked for by its index may have to be read from its file, and is kept only until another file is read.
    Raises `LokictlError` for a file that is no longer what it was.
    """

    def __init__(self, entries: Iterable[Entry], types: Mapping[str, str]) -> None:
        self.types = types
        self._entries = [
            dataclasses.replace(entry, datasource_types=types) if isinstance(entry, DashboardItem) else entry
            for entry in entries
        ]
        self._file = ""
        self._items: list[DashboardItem] = []

    @property
    def uids(self) -> tuple[str, ...]:
        """The uid of each, without reading it."""
        return tuple(entry.uid for entry in self._entries)

    @property
    def queries(self) -> int:
        """About how many queries they have."""
        return sum(
            entry.queries if isinstance(entry, DashboardOnDisk) else len(entry.queries)
            for entry in self._entries
        )

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> DashboardItem: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[DashboardItem]: ...
    def __getitem__(self, index: int | slice) -> DashboardItem | Sequence[DashboardItem]:
        if isinstance(index, slice):
            return Dashboards(self._entries[index], self.types)
        entry = self._entries[index]
        return self._read(entry) if isinstance(entry, DashboardOnDisk) else entry

    def __iter__(self) -> Iterator[DashboardItem]:
        return (self[index] for index in range(len(self._entries)))

    def _read(self, entry: DashboardOnDisk) -> DashboardItem:
        if entry.file != self._file:
            for item in self._items:
                item.let_go()
            self._file, self._items = entry.file, self._read_file(entry.file)
        if len(self._items) <= entry.index:
            raise _changed(entry.file)
        return self._items[entry.index]

    def _read_file(self, file: str) -> list[DashboardItem]:
        try:
            document = load_json(Path(file).read_bytes().decode("utf-8"), file)
        except (OSError, UnicodeDecodeError, LokictlError):
            raise _changed(file) from None
        found = [dashboard_item(found, file) for found in contents_of(document).dashboards]
        return [dataclasses.replace(item, datasource_types=self.types) for item in found]


def _changed(file: str) -> LokictlError:
    message = "the file changed while it was checked"
    return LokictlError(
        Problem("file/unreadable", message, position=Position(file), hint="run the command again")
    )
