"""Log files as a history: read once from front to back, a stretch of them at a time in memory."""

from __future__ import annotations

import hashlib
import pickle
import tempfile
import time as clock
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from heapq import merge
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

from lokictl.backends.interface import QueryError
from lokictl.backtest.history import (
    FoundLine,
    History,
    Keep,
    LinesRequest,
    Progress,
    RangeAnswer,
    RangeRequest,
    Recall,
    no_progress,
)
from lokictl.backtest.series import Answers, Grid, Labels
from lokictl.diagnostics import Problem
from lokictl.engine import Engine, EngineError, Limits, LogStore
from lokictl.engine.extraction import compile_selector_test
from lokictl.engine.store import Stream
from lokictl.logql import LogQLError, ast, parse
from lokictl.model.log_files import LogReader
from lokictl.parallel import in_processes
from lokictl.records import dataclass
from lokictl.ruler.expansion import Vector

SEGMENT_BYTES = 96_000_000
"""A segment of lines that is in memory at once has about this many bytes of text."""
WORTH_PROCESSES = 2_000_000
"""Fewer bytes of lines are read in this process, whatever ``jobs`` says."""
BATCH = 20_000
REORDER = 10_000
"""Lines of a file may be out of order by this many places; files that are worse are sorted on disk first."""
RUN = 200_000
"""Lines of one sorted run on disk."""

Entry = tuple[int, Labels, str, Mapping[str, str]]
"""A line: its time (ns), the labels of its stream, its text, its structured metadata."""
OpenEntries = Callable[[str], Iterator[Entry]]
OF_SOME_STEPS = ("pipeline error", "many-to-many", "multiple matches for labels", "maximum number of series")


class DisorderError(Exception):
    """A file whose lines are far out of order."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass
class FileHistory(History):
    """The lines of log files, with ``labels`` as those of their streams.

    What a file itself says about the labels of a line counts, too; without either, the label is ``filename``.
    ``time_field`` names the JSON field of the time.  ``jobs`` processes answer the queries of one stretch.
    ``segment_bytes`` bounds the text that is in memory at once, besides the lines that the longest range reaches back.
    """

    paths: Sequence[str]
    labels: Mapping[str, str] = field(default_factory=dict)
    time_field: str = ""
    segment_bytes: int = SEGMENT_BYTES
    jobs: int = 1
    open_entries: OpenEntries | None = None
    requests: int = 0
    bytes_read: int | None = 0
    lines_read: int = 0
    disordered: set[str] = field(default_factory=set)
    warnings: list[Problem] = field(default_factory=list)
    _extent: tuple[int, int] | None = None
    _volumes: dict[Labels, int] = field(default_factory=dict)
    _scanned: bool = False

    def __post_init__(self) -> None:
        stamps = []
        for path in self.paths:
            status = Path(path).stat() if Path(path).exists() else None
            stamps.append(
                [str(Path(path).resolve()), status and status.st_size, status and status.st_mtime_ns]
            )
        text = repr((stamps, sorted(self.labels.items()), self.time_field))
        self.identity = "files " + hashlib.sha256(text.encode()).hexdigest()
        self.description = self.paths[0] if len(self.paths) == 1 else f"{len(self.paths)} log files"
        self.now = clock.time_ns()

    # --- reading -----------------------------------------------------------------------------------------------

    def entries(self, path: str) -> Iterator[Entry]:
        """The lines of one file as they are in it."""
        if self.open_entries is not None:
            yield from self.open_entries(path)
            return
        own = dict(self.labels) or {"filename": path}
        plain = tuple(sorted(own.items()))
        known: dict[Labels, Labels] = {}
        reader = LogReader(path, default_time=self.now, time_field=self.time_field)
        for line in reader:
            key = plain
            if line.labels:
                given = tuple(line.labels.items())
                found = known.get(given)
                if found is None:
                    # What a stream was called in its Loki is not to be changed by a file's name.
                    both = {**line.labels, **self.labels}
                    found = known[given] = tuple(sorted(both.items()))
                key = found
            yield line.timestamp, key, line.line, line.metadata
        warning = reader.warning()
        if warning is not None and warning not in self.warnings:
            self.warnings.append(warning)

    def prepare(self, recall: Recall, keep: Keep) -> None:
        """Reads the files once for their extent and the volume of each stream."""
        if self._scanned:
            return
        known = recall("scan")
        if known is not None:
            self._extent = (known["extent"][0], known["extent"][1]) if known["extent"] else None
            self._volumes = {
                tuple((str(name), str(text)) for name, text in labels): size
                for labels, size in known["volumes"]
            }
        else:
            self._scan()
            volumes = [[list(map(list, labels)), size] for labels, size in self._volumes.items()]
            keep("scan", {"extent": self._extent, "volumes": volumes})
        self._scanned = True

    def _scan(self) -> None:
        first = last = None
        volumes: dict[Labels, int] = {}
        for path in self.paths:
            for time, labels, text, _ in self.entries(path):
                if first is None or time < first:
                    first = time
                if last is None or time > last:
                    last = time
                volumes[labels] = volumes.get(labels, 0) + len(text)
        self._extent = None if first is None or last is None else (first, last)
        self._volumes = volumes

    def extent(self) -> tuple[int, int] | None:
        """The times of the first and the last line."""
        if not self._scanned:
            self._scan()
            self._scanned = True
        return self._extent

    def volume(self, selector: str, start: int, end: int) -> int | None:
        """The bytes of a selector's streams, as if they were spread evenly over the files' time."""
        if self._extent is None:
            return 0
        node = next(parse(selector).find_all(ast.StreamSelector))
        selects = compile_selector_test(node)
        total = sum(size for labels, size in self._volumes.items() if selects(Stream(labels)))
        first, last = self._extent
        share = (min(end, last) - max(start, first)) / max(last - first, 1)
        return round(total * min(max(share, 0.0), 1.0))

    def batches(self) -> Iterator[tuple[int, list[Entry]]]:
        """The lines of all files, sorted by time, in batches: (all lines up to this time are there now, lines)."""
        files = [_Batches(self._ordered(path)) for path in self.paths]
        while files:
            file = min(files, key=lambda one: one.reached)
            batch = file.advance()
            if batch:
                yield min(one.reached for one in files), batch
            else:
                files.remove(file)

    def _ordered(self, path: str) -> Iterator[Entry]:
        if path in self.disordered:
            return _sorted_on_disk(self.entries(path))
        return _nearly_sorted(path, self.entries(path))

    # --- range queries -----------------------------------------------------------------------------------------

    def answer(
        self, requests: Sequence[RangeRequest], progress: Progress = no_progress
    ) -> Iterator[RangeAnswer]:
        """The answers, in the order of time; reads all files once."""
        remaining = list(requests)
        while remaining:
            try:
                for answer in _Sweep(self, remaining, progress).run():
                    remaining.remove(answer.request)
                    yield answer
            except DisorderError as error:
                self.disordered.add(error.path)

    def lines(self, requests: Sequence[LinesRequest]) -> list[list[FoundLine]]:
        """The lines of all requests, found while the files are read once."""
        if not requests:
            return []
        finders = [_LineFinder(request) for request in requests]
        for path in self.paths:
            for entry in self.entries(path):
                for finder in finders:
                    if finder.first < entry[0] <= finder.last:
                        finder.add(entry)
        return [finder.found() for finder in finders]

    def instant(self, query: str, time: int) -> Vector:
        store = LogStore()
        reach = max((node.range + node.offset for node in parse(query).find_all(ast.LogRange)), default=0)
        streams: dict[Labels, list[Any]] = {}
        for path in self.paths:
            for at, labels, text, metadata in self.entries(path):
                if time - reach < at <= time:
                    streams.setdefault(labels, []).append((at, text, metadata))
        _push(store, streams)
        try:
            result = Engine(store).query(query, time=time)
        except (EngineError, LogQLError) as error:
            raise QueryError(str(error)) from None
        return result.vector if result.kind == "vector" else [({}, result.scalar or 0.0)]


class _Batches:
    """The lines of one file in sorted batches; ``reached`` is the time up to which they were given."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries
        self.reached = -1

    def advance(self) -> list[Entry]:
        """The next batch; empty at the end."""
        batch = list(islice(self._entries, BATCH))
        if batch:
            self.reached = batch[-1][0]
        return batch


def _nearly_sorted(path: str, entries: Iterator[Entry]) -> Iterator[Entry]:
    """Lines sorted by time, as far as they are out of order by few places.  Raises `DisorderError`."""
    held: list[Entry] = []
    reached = -1
    while True:
        fresh = list(islice(entries, REORDER))
        held += fresh
        held.sort(key=itemgetter(0))
        if held and held[0][0] < reached:
            raise DisorderError(path)
        ready = held if len(fresh) < REORDER else held[: len(held) - REORDER]
        if ready:
            reached = ready[-1][0]
            yield from ready
        if len(fresh) < REORDER:
            return
        held = held[len(ready) :]


def _sorted_on_disk(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Lines sorted by time: sorted runs go to disk and are merged."""
    runs: list[IO[bytes]] = []
    try:
        while run := list(islice(entries, RUN)):
            run.sort(key=itemgetter(0))
            file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
            for start in range(0, len(run), 1_000):
                block = [
                    (at, labels, text, dict(metadata))
                    for at, labels, text, metadata in run[start : start + 1_000]
                ]
                pickle.dump(block, file, pickle.HIGHEST_PROTOCOL)
            file.seek(0)
            runs.append(file)
        yield from merge(*map(_blocks, runs), key=itemgetter(0))
    finally:
        for file in runs:
            file.close()


def _blocks(file: IO[bytes]) -> Iterator[Entry]:
    while True:
        try:
            # Our own file of a moment ago, which has no name.
            yield from pickle.load(file)  # noqa: S301
        except EOFError:
            return


class _Open:
    """A request that is being answered: the next step, and the answers so far."""

    def __init__(self, request: RangeRequest) -> None:
        self.request = request
        self.next = 0
        self.answers = Answers()

    @property
    def needs(self) -> int:
        """Lines up to this time are not needed any more."""
        return self.request.grid.time(self.next) - self.request.lookback

    def due(self, until: int) -> int:
        """How many steps can be answered when all lines up to ``until`` are there."""
        return self.request.grid.index(until) + 1 - self.next


class _Sweep:
    """One pass over the files that answers requests as the lines come."""

    def __init__(self, history: FileHistory, requests: Sequence[RangeRequest], progress: Progress) -> None:
        self.history, self.progress = history, progress
        self.open = [_Open(request) for request in requests]
        self.total = sum(request.grid.count for request in requests)
        self.done = 0
        self.selects = _any_selector(requests)
        self.wanted: dict[Labels, bool] = {}
        self.held: dict[Labels, list[Any]] = {}
        self.size = 0
        self.limit = history.segment_bytes
        self.floor = min(one.needs for one in self.open)
        self.ceiling = max(one.request.grid.end for one in self.open)

    def run(self) -> Iterator[RangeAnswer]:
        self.progress("reading the logs", 0, self.total)
        for reached, batch in self.history.batches():
            self._hold(batch)
            # Lines of the time that was reached may still follow.
            if self.size >= self.limit or reached > self._next_end():
                yield from self._segment(reached - 1)
                self.limit = max(self.history.segment_bytes, self.size * 3 // 2)
            if not self.open:
                return
        yield from self._segment(self.ceiling)

    def _next_end(self) -> int:
        return min(one.request.grid.end for one in self.open)

    def _hold(self, batch: list[Entry]) -> None:
        wanted, held, floor = self.wanted, self.held, self.floor
        size = 0
        for at, labels, text, metadata in batch:
            is_wanted = wanted.get(labels)
            if is_wanted is None:
                is_wanted = wanted[labels] = self.selects(labels)
            if is_wanted and at > floor:
                entries = held.get(labels)
                if entries is None:
                    entries = held[labels] = []
                entries.append((at, text, metadata) if metadata else (at, text))
                size += len(text) + 100
        self.size += size
        self.history.lines_read += len(batch)

    def _segment(self, until: int) -> Iterator[RangeAnswer]:
        """Answers every step up to ``until``, and lets go of the lines that nothing needs any more."""
        due = [one for one in self.open if one.due(until) > 0]
        if due:
            store = LogStore()
            _push(store, self.held)
            engine = Engine(
                store, Limits(max_query_series=0, max_query_length=0, max_points=0, max_samples=0)
            )

            def work(one: _Open) -> Answers:
                grid = Grid(one.request.grid.time(one.next), one.request.grid.step, one.due(until))
                return asked(engine, one.request.query, grid)

            jobs = self.history.jobs if self.size > WORTH_PROCESSES else 1
            for one, answers in zip(due, in_processes(work, due, jobs), strict=True):
                count = one.due(until)
                self.history.requests += 1
                one.answers.extend(answers.shifted(one.next))
                one.next += count
                self.done += count
                self.progress("reading the logs", self.done, self.total)
        finished = [one for one in self.open if one.next >= one.request.grid.count]
        self.open = [one for one in self.open if one.next < one.request.grid.count]
        self._let_go()
        for one in finished:
            yield RangeAnswer(one.request, one.answers)

    def _let_go(self) -> None:
        self.floor = min((one.needs for one in self.open), default=0)
        self.size = 0
        for labels, entries in list(self.held.items()):
            entries.sort(key=itemgetter(0))
            kept = entries[bisect_right(entries, self.floor, key=itemgetter(0)) :] if self.open else []
            if kept:
                self.held[labels] = kept
                self.size += sum(len(entry[1]) + 100 for entry in kept)
            else:
                del self.held[labels]


def _push(store: LogStore, streams: Mapping[Labels, list[Any]]) -> None:
    for labels, entries in streams.items():
        entries.sort(key=itemgetter(0))
        store.push(dict(labels), entries)


def _any_selector(requests: Iterable[RangeRequest]) -> Callable[[Labels], bool]:
    """Whether some request may read a stream with these labels."""
    selectors = {
        str(node): node
        for text in {request.query for request in requests}
        for node in parse(text).find_all(ast.StreamSelector)
    }
    tests = [compile_selector_test(node) for node in selectors.values()]
    return lambda labels: any(test(Stream(labels)) for test in tests)


def asked(engine: Engine, query: str, grid: Grid) -> Answers:
    """The answers of an engine on a grid: halved where an evaluation fails, until those that do are alone."""
    try:
        result = engine.query_range(query, start=grid.start, end=grid.end, step=grid.step)
    except (EngineError, LogQLError) as error:
        text = str(error)
        if not any(word in text for word in OF_SOME_STEPS):
            return Answers(refusal=text)
        if grid.count == 1:
            return Answers(failures={0: text})
        half = grid.count // 2
        answers = asked(engine, query, Grid(grid.start, grid.step, half))
        answers.extend(
            asked(engine, query, Grid(grid.time(half), grid.step, grid.count - half)).shifted(half)
        )
        return answers
    answers = Answers()
    for labels, samples in result.matrix:
        key = tuple(sorted(labels.items()))
        answers.add(key, (((time - grid.start) // grid.step, value) for time, value in samples))
    return answers


class _LineFinder:
    """Collects the lines of one request."""

    def __init__(self, request: LinesRequest) -> None:
        self.request = request
        self.first, self.last = request.start, request.end
        self.streams: dict[Labels, list[Any]] = {}
        self.wanted: dict[Labels, bool] = {}
        self.selects = _any_selector([RangeRequest(request.query, Grid(0, 1, 0))])

    def add(self, entry: Entry) -> None:
        at, labels, text, metadata = entry
        if labels not in self.wanted:
            self.wanted[labels] = self.selects(labels)
        if self.wanted[labels]:
            self.streams.setdefault(labels, []).append((at, text, metadata))

    def found(self) -> list[FoundLine]:
        store = LogStore()
        _push(store, self.streams)
        try:
            result = Engine(store, Limits(max_entries=0, max_query_length=0)).query_range(
                self.request.query,
                start=self.first + 1,
                end=self.last + 1,
                limit=self.request.limit,
                direction="backward",
            )
        except (EngineError, LogQLError) as error:
            raise QueryError(str(error)) from None
        # The labels of the answer are those behind the pipeline; wanted are those of the stream.
        return sorted(
            (
                FoundLine(line.timestamp, line.line, dict(line.stream), dict(line.metadata))
                for _, lines in result.streams
                for line in lines
            ),
            key=lambda one: one.timestamp,
        )
