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
from itertools import chain

from lokictl.engine import Engine, EngineError, LogStore, Result
from lokictl.engine.line_query import Found, LineQuery, as_result
from lokictl.model.log_files.opening import encoding_of, keep_standard_input, line_blocks, open_log, peek
from lokictl.model.log_files.reading import LineClock, NotPlainError

BOM = b"\xef\xbb\xbf"
PIECES = (b" stdout P ", b" stderr P ")
"""What a container runtime's line in pieces has."""
DOCKER = (b'"stream":"std',)
EMPTY_KEY = re.compile(rb'""\s*:')
"""In a JSON line: an empty key, which later lines of the stream remember."""

Place = tuple[int, int, int]
"""Where a line lies in the answer: its time, its file, its place in it."""
Identity = tuple[int, int, Found]
"""What makes a line: its stream, its time, and what the query makes of it."""


def search(
    query: str, files: Sequence[str], labels: Mapping[str, str], *, limit: int, backward: bool
) -> Result | None:
    """The answer of a log query over all lines of ``files``; None where only the store can tell.

    ``labels`` are those of all lines; without any, each file's name is its label ``filename``.
    """
    compiled = Engine(LogStore()).compile(query)
    try:
        streams = [LineQuery(compiled, labels or {"filename": file}) for file in files]
    except EngineError:
        return None
    # Where lines are changed, different ones can become alike, of which the store keeps the last.
    if not any(stream.selects for stream in streams) or (backward and streams[0].changes_lines):
        return None
    best = Best(limit, backward)
    if "-" in files:
        keep_standard_input()
    try:
        for number, (file, stream) in enumerate(zip(files, streams, strict=True)):
            if stream.selects:
                _search_file(file, number, stream, best, is_shared=bool(labels))
    except NotPlainError:
        if "-" in files:
            sys.stdin.buffer.seek(0)
        return None
    return as_result(best.in_order())


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

    def in_order(self) -> list[tuple[int, Found]]:
        """What is left, with the times, in the order of the answer."""
        return [self._kept[key][1:] for key in sorted(self._kept, reverse=True)]


def _search_file(file: str, number: int, query: LineQuery, best: Best, *, is_shared: bool) -> None:
    # Standard input stays open for another look.
    with contextlib.nullcontext(open_log(file)) if file == "-" else open_log(file) as opened:
        if encoding_of(peek(opened)) == "utf-16":
            raise NotPlainError
        blocks = line_blocks(opened, file)
        first = next(blocks, b"").removeprefix(BOM)
        clock = LineClock(first)
        offset, stream = 0, 0 if is_shared else number
        for block in chain([first], blocks):
            for place, found in _search_block(block, query, clock, best):
                best.add((place[0], number, offset + place[1]), stream, found)
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
