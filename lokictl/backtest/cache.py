"""Answers kept on disk, so that what was asked once need not be asked again.

An entry is found by its content: the history, the query, the grid.  It is one file: a line of JSON (what it is, label
sets, failures), then the step numbers and values of each series as machine numbers, all compressed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time as clock
import zlib
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lokictl.backtest.history import FoundLine, LinesRequest, RangeRequest
from lokictl.backtest.series import Answers, Column

VERSION = 1
LARGEST = 1_000_000_000
"""The cache is kept below this many bytes: the entries that were not used for longest go first."""
LEVEL = 1


def default_folder() -> Path:
    """``$XDG_CACHE_HOME/lokictl/backtest``, by default below ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "lokictl" / "backtest"


class Cache:
    """Answers of one history below ``folder``; None keeps nothing."""

    def __init__(self, folder: Path | None, identity: str = "") -> None:
        self.folder, self.identity = folder, identity
        self.hits = 0

    def answers(self, request: RangeRequest) -> Answers | None:
        """The answers to a request, if they are known."""
        data = self._read(self._range_key(request))
        if data is None:
            return None
        try:
            found = _decoded(data)
        except (ValueError, KeyError, IndexError, TypeError, EOFError):
            return None
        self.hits += 1
        return found

    def has(self, request: RangeRequest) -> bool:
        """Whether there is an entry for a request."""
        return self.folder is not None and self._path(self._range_key(request)).exists()

    def keep(self, request: RangeRequest, answers: Answers) -> None:
        """Remembers the answers to a request."""
        self._write(self._range_key(request), _encoded(answers))

    def lines(self, request: LinesRequest) -> list[FoundLine] | None:
        """The lines of a request, if they are known."""
        data = self._read(self._lines_key(request))
        if data is None:
            return None
        try:
            return [
                FoundLine(int(at), line, labels, metadata) for at, line, labels, metadata in json.loads(data)
            ]
        except (ValueError, TypeError):
            return None

    def keep_lines(self, request: LinesRequest, lines: list[FoundLine]) -> None:
        """Remembers the lines of a request."""
        rows = [[one.timestamp, one.line, dict(one.labels), dict(one.metadata)] for one in lines]
        self._write(self._lines_key(request), json.dumps(rows).encode("utf-8", "surrogatepass"))

    def value(self, name: str) -> Any:
        """Something small that was kept under a name; None where it was not."""
        data = self._read(self._key("value", name))
        try:
            return None if data is None else json.loads(data)
        except ValueError:
            return None

    def keep_value(self, name: str, value: Any) -> None:
        """Remembers something small."""
        self._write(self._key("value", name), json.dumps(value).encode())

    def prune(self) -> None:
        """Removes the entries that were not used for longest, down to `LARGEST` bytes."""
        if self.folder is None or not self.folder.is_dir():
            return
        files = []
        for path in self.folder.glob("??/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= LARGEST:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size

    # --- files -------------------------------------------------------------------------------------------------

    def _range_key(self, request: RangeRequest) -> str:
        grid = request.grid
        return self._key("range", request.query, grid.start, grid.step, grid.count)

    def _lines_key(self, request: LinesRequest) -> str:
        return self._key("lines", request.query, request.start, request.end, request.limit)

    def _key(self, *parts: object) -> str:
        text = json.dumps([VERSION, sys.byteorder, self.identity, *map(str, parts)])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / key[:2] / key[2:]

    def _read(self, key: str) -> bytes | None:
        if self.folder is None:
            return None
        path = self._path(key)
        try:
            data = zlib.decompress(path.read_bytes())
        except (OSError, zlib.error):
            return None
        with contextlib.suppress(OSError):
            os.utime(path, (clock.time(), clock.time()))
        return data

    def _write(self, key: str, data: bytes) -> None:
        if self.folder is None:
            return
        path = self._path(key)
        # A cache that cannot be written is not a reason to stop.
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(zlib.compress(data, LEVEL))
            Path(temporary).replace(path)


def _encoded(answers: Answers) -> bytes:
    header: Mapping[str, Any] = {
        "series": [[list(map(list, labels)), len(column)] for labels, column in answers.series.items()],
        "failures": [[index, text] for index, text in answers.failures.items()],
        "refusal": answers.refusal,
    }
    parts = [json.dumps(header).encode("utf-8", "surrogatepass"), b"\n"]
    for column in answers.series.values():
        parts += [column.indexes.tobytes(), column.values.tobytes()]
    return b"".join(parts)


def _decoded(data: bytes) -> Answers:
    line, _, rest = data.partition(b"\n")
    header = json.loads(line)
    answers = Answers(failures={int(index): text for index, text in header["failures"]})
    answers.refusal = header["refusal"]
    position = 0
    for labels, count in header["series"]:
        column = Column(array("q"), array("d"))
        for numbers in (column.indexes, column.values):
            size = count * 8
            if position + size > len(rest):
                raise ValueError("the entry is cut off")
            numbers.frombytes(rest[position : position + size])
            position += size
        answers.series[tuple((str(name), str(value)) for name, value in labels)] = column
    return answers
