"""Log queries over files of any size, without a store: only lines that can match are taken apart.

The files are read in blocks; the strings without which no line can match are looked for before anything is split or
decoded.  Everything out of the ordinary (container formats, exports, lines in pieces, files without times) is left to
the way through the store: `search` then says None.
"""

from __future__ import annotations

import contextlib
import heapq
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path

from lokictl.diagnostics import LokictlError
from lokictl.engine import Engine, EngineError, LogStore, Result
from lokictl.engine.line_query import Found, LineQuery, as_result
from lokictl.logql import ast
from lokictl.logql.versions import CONFLICTS_EACH_LINE
from lokictl.model.log_files.opening import encoding_of, keep_standard_input, line_blocks, open_log, peek
from lokictl.model.log_files.reading import LineClock, NotPlainError
from lokictl.parallel import in_processes
from lokictl.records import dataclass

BOM = b"\xef\xbb\xbf"
WORTH_A_PROCESS = 16_000_000
"""So many bytes take longer to search than a process takes to start."""
PIECES = (b" stdout P ", b" stderr P ")
"""What a container runtime's line in pieces has."""
DOCKER = (b'"stream":"std',)
EMPTY_KEY = re.compile(rb'""\s*:')
"""In a JSON line: an empty key, which later lines of the stream remember."""

Place = tuple[int, int, int]
"""Where a line lies in the answer: its time, the rank of its file, its place in it."""
Identity = tuple[int, int, Found]
"""What makes a line: its stream, its time, and what the query makes of it."""


@dataclass(frozen=True)
class Search:
    """A log query over files: one `LineQuery` for each, and which lines are wanted."""

    files: Sequence[str]
    queries: Sequence[LineQuery]
    limit: int
    backward: bool
    is_shared: bool
    """Whether all files are one stream."""
    ranks: Sequence[int]
    """Of each file, where its lines of one time stand among those of the others."""

    def best_of(self, numbers: Sequence[int]) -> Best:
        """The best lines of these files.  Raises `NotPlainError` and `LokictlError`."""
        best = Best(self.limit, self.backward)
        for number in numbers:
            if self.queries[number].selects:
                _search_file(
                    self.files[number],
                    self.ranks[number],
                    self.queries[number],
                    best,
                    is_shared=self.is_shared,
                )
        return best

    def lines_of(self, numbers: Sequence[int]) -> list[tuple[Place, Identity]] | None:
        """The best lines of these files in the order in which they are found; None where something is in the way."""
        try:
            return self.best_of(numbers).as_found()
        except (NotPlainError, LokictlError, OSError):
            return None


def search(
    query: str, files: Sequence[str], labels: Mapping[str, str], *, limit: int, backward: bool, jobs: int = 1
) -> Result | None:
    """The answer of a log query over all lines of ``files``; None where only the store can tell.

    ``labels`` are those of all lines; without any, each file's name is its label ``filename``.  Large files are shared
    out to ``jobs`` processes.
    """
    compiled = Engine(LogStore()).compile(query)
    try:
        streams = [LineQuery(compiled, labels or {"filename": file}) for file in files]
    except EngineError:
        return None
    # Where lines are changed, different ones can become alike, of which the store keeps the last.
    if not any(stream.selects for stream in streams) or (backward and streams[0].changes_lines):
        return None
    # Parsers of old Lokis remember what they have met in other lines, which are passed over here.
    has_parser = any(isinstance(node, ast.ParserStage) for node in compiled.expression.walk())
    if has_parser and not compiled.version.has(CONFLICTS_EACH_LINE):
        return None
    is_shared = bool(labels)
    task = Search(files, streams, limit, backward, is_shared, _ranks(streams, backward, is_shared=is_shared))
    groups = shares([_size(file) for file in files], jobs) if "-" not in files else []
    best = _best_of_groups(task, groups) if len(groups) > 1 else None
    if "-" in files:
        keep_standard_input()
    try:
        best = best or task.best_of(range(len(files)))
    except NotPlainError:
        if "-" in files:
            sys.stdin.buffer.seek(0)
        return None
    return as_result(best.in_order())


def _ranks(streams: Sequence[LineQuery], backward: bool, *, is_shared: bool) -> list[int]:
    """Streams are ordered by their hashes, lines of one stream by when they come."""
    numbers = list(range(len(streams)))
    if is_shared:
        return numbers
    ranks = [0] * len(streams)
    ordered = sorted(numbers, key=lambda number: streams[number].stream.hash, reverse=backward)
    for rank, number in enumerate(ordered):
        ranks[number] = rank
    return ranks


def _size(file: str) -> int:
    try:
        return Path(file).stat().st_size
    except OSError:
        return 0


def shares(sizes: Sequence[int], jobs: int) -> list[range]:
    """Files of these sizes in at most ``jobs`` runs of about the same size; in one where processes do not pay."""
    total = sum(sizes)
    count = min(jobs, len(sizes), total // WORTH_A_PROCESS)
    if count < 2:
        return [range(len(sizes))]
    ends: list[int] = []
    reached = 0
    for number, size in enumerate(sizes):
        # A file belongs where its middle lies.
        if (2 * reached + size) * count >= 2 * total * (len(ends) + 1) and len(ends) < count - 1:
            ends.append(number)
        reached += size
    edges = [0, *ends, len(sizes)]
    return [range(first, last) for first, last in pairwise(edges) if first < last]


def _best_of_groups(task: Search, groups: Sequence[range]) -> Best | None:
    """The best lines of all files, of which each process reads a run; None where one process has to do it all."""
    best = Best(task.limit, task.backward)
    times: list[set[int]] = []
    for found in in_processes(task.lines_of, groups, len(groups)):
        if found is None:
            return None
        times.append({place[0] for place, _ in found})
        for place, (stream, _, line) in found:
            best.add(place, stream, line)
    # Of alike lines in two runs, the later one may have kept out another line of the very time where the answer ends.
    if task.is_shared and best.is_full and sum(best.worst_time in found for found in times) > 1:
        return None
    return best


class Best:
    """The first (or last) ``limit`` lines of all that are found; alike lines of one stream and time count once."""

    def __init__(self, limit: int, backward: bool) -> None:
        self.limit = limit
        self.sign = -1 if backward else 1
        self._heap: list[Place] = []
        """The places of the lines that are kept, worst first."""
        self._kept: dict[Place, Identity] = {}
        self._alike: dict[tuple[int, int], list[Identity]] = {}
        """The lines that are kept, by stream and time."""
        self._gone: set[Identity] = set()
        """The lines that had to go although they have the time of the worst that is kept."""

    @property
    def is_full(self) -> bool:
        """Whether one line has to go for each that comes."""
        return len(self._heap) >= self.limit

    def takes(self, time: int) -> bool:
        """Whether a line of this time may still be among the best."""
        return len(self._heap) < self.limit or self.sign * time <= -self._heap[0][0]

    def add(self, place: Place, stream: int, found: Found) -> None:
        """Keeps a line if it is among the best so far."""
        time, file, offset = place
        identity = (stream, time, found)
        alike = self._alike.setdefault((stream, time), [])
        if identity in alike or (self._gone and identity in self._gone):
            return
        alike.append(identity)
        key = (-self.sign * time, -self.sign * file, -self.sign * offset)
        self._kept[key] = identity
        if len(self._heap) < self.limit:
            heapq.heappush(self._heap, key)
        else:
            self._forget(heapq.heappushpop(self._heap, key))

    def _forget(self, dropped: Place) -> None:
        identity = self._kept.pop(dropped)
        alike = self._alike[identity[:2]]
        alike.remove(identity)
        if not alike:
            del self._alike[identity[:2]]
        # A later line that is alike has the place of the first one, which has gone.
        if dropped[0] == self._heap[0][0]:
            self._gone.add(identity)
        else:
            self._gone.clear()

    @property
    def worst_time(self) -> int:
        """The time of the worst line that is kept."""
        return -self.sign * self._heap[0][0]

    def as_found(self) -> list[tuple[Place, Identity]]:
        """What is left, with the places, in the order in which it was found."""
        found = [
            ((-self.sign * time, -self.sign * file, -self.sign * offset), identity)
            for (time, file, offset), identity in self._kept.items()
        ]
        return sorted(found, key=lambda item: item[0][1:])

    def in_order(self) -> list[tuple[int, Found]]:
        """What is left, with the times, in the order of the answer."""
        return [self._kept[key][1:] for key in sorted(self._kept, reverse=True)]


def _search_file(file: str, rank: int, query: LineQuery, best: Best, *, is_shared: bool) -> None:
    # Standard input stays open for another look.
    with contextlib.nullcontext(open_log(file)) if file == "-" else open_log(file) as opened:
        if encoding_of(peek(opened)) == "utf-16":
            raise NotPlainError
        blocks = line_blocks(opened, file)
        first = next(blocks, b"").removeprefix(BOM)
        clock = LineClock(first)
        offset, stream = 0, 0 if is_shared else rank
        for block in chain([first], blocks):
            for place, found in _search_block(block, query, clock, best):
                best.add((place[0], rank, offset + place[1]), stream, found)
            offset += len(block)


def _search_block(
    block: bytes, query: LineQuery, clock: LineClock, best: Best
) -> Iterator[tuple[tuple[int, int], Found]]:
    """The lines of a block that the query finds, with their times and offsets, unless better ones are known."""
    find, takes, time_of = query.find, best.takes, clock.time_of
    if any(text in block for text in (DOCKER if clock.is_json else PIECES)):
        raise NotPlainError
    clock.start(block)
    if best.is_full and query.takes_any and not _may_hold_better(clock, best):
        clock.finish()
        return
    for start, end in _candidates(block, query):
        line = block[start:end].rstrip(b"\r")
        if not line:
            continue
        if b'""' in line and EMPTY_KEY.search(line):
            raise NotPlainError
        if best.is_full or query.needs_time:
            # Almost no line is among the best any more: its time says so sooner than its fields.
            time = time_of(line, start)
            found = find(line, time) if takes(time) else None
        else:
            found = find(line, 0)
            time = time_of(line, start) if found is not None else 0
        if found is not None:
            yield (time, start), found
    clock.finish()


def _may_hold_better(clock: LineClock, best: Best) -> bool:
    """Whether a line of the block may be among the best by its time."""
    span = clock.span()
    return span is None or any(best.takes(time) for time in span)


def _candidates(block: bytes, query: LineQuery) -> Iterator[tuple[int, int]]:
    """The lines (start, end) of a block that the query can find, and perhaps more."""
    needed = [*query.required, *query.escapable]
    if not needed:
        yield from _lines(block)
        return
    has_escapes = bool(query.escapable) and b"\\" in block
    if not query.required and has_escapes:
        # Any of the strings, or a backslash.
        texts = min(query.escapable, key=lambda texts: _frequency(block, texts))
        yield from _lines_with(block, (*texts, b"\\"))
        return
    if has_escapes:
        needed = query.required
    rarest = min(needed, key=lambda texts: _frequency(block, texts))
    others = [texts for texts in needed if texts is not rarest]
    for start, end in _lines_with(block, rarest):
        if all(any(block.find(text, start, end) >= 0 for text in texts) for texts in others):
            yield start, end


def _frequency(block: bytes, texts: Sequence[bytes]) -> int:
    return sum(block.count(text, 0, 65_536) for text in texts)


def _lines(block: bytes) -> Iterator[tuple[int, int]]:
    start, length = 0, len(block)
    while start < length:
        end = block.find(b"\n", start)
        end = end if end >= 0 else length
        yield start, end
        start = end + 1


def _lines_with(block: bytes, texts: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """The lines that hold one of ``texts``, in order."""
    length = len(block)
    if len(texts) == 1:
        text, at = texts[0], block.find(texts[0])
        while at >= 0:
            start = block.rfind(b"\n", 0, at) + 1
            end = block.find(b"\n", at)
            end = end if end >= 0 else length
            yield start, end
            at = block.find(text, end)
        return
    places = [(at, text) for text in texts if (at := block.find(text)) >= 0]
    heapq.heapify(places)
    while places:
        at = places[0][0]
        start = block.rfind(b"\n", 0, at) + 1
        end = block.find(b"\n", at)
        end = end if end >= 0 else length
        yield start, end
        while places and places[0][0] < end:
            text = places[0][1]
            following = block.find(text, end)
            if following < 0:
                heapq.heappop(places)
            else:
                heapq.heapreplace(places, (following, text))
