"""In which order the lines of several streams are run through a pipeline that remembers what it has met.

Every stream is read until one of its lines passes; then always the stream goes on whose passing line is next in time.
So a line that no filter lets through is read before its time comes.  A query that reads backward reads each stream
as a whole, from its first line on, and turns round what passes.  Whether a line lies in the time of the query is
looked at when it has passed: the pipeline meets the lines before it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeVar

from lokictl.engine.store import Entry, Stream

Passed = TypeVar("Passed")
Run = Callable[[Stream, Entry], Passed | None]
"""Runs a line through the pipeline; None where it does not pass."""


def merged(
    streams: Sequence[tuple[Stream, Sequence[Entry]]],
    run: Run[Passed],
    start: int,
    end: int,
    *,
    backward: bool = False,
) -> Iterator[tuple[Entry, Stream, Passed]]:
    """The lines of [start, end) that pass, in the order of their times (backward: the latest first).

    ``streams`` come with all of their entries.  In Loki chance decides which stream is read first, most often for the
    one whose lines begin first (backward: end last); here it is that one.
    """
    sign = -1 if backward else 1
    edge = -1 if backward else 0
    streams = sorted(streams, key=lambda item: sign * item[0].entries[edge].timestamp)
    readers = [_passing(stream, entries, run, start, end, whole=backward) for stream, entries in streams]
    if backward:
        readers = [iter(list(reader)[::-1]) for reader in readers]
    heap: list[tuple[int, int, int, Entry, Passed]] = []
    for number, reader in enumerate(readers):
        for entry, passed in reader:
            heap.append((sign * entry.timestamp, streams[number][0].hash, number, entry, passed))
            break
    heapify(heap)
    while heap:
        _, order, number, entry, passed = heappop(heap)
        yield entry, streams[number][0], passed
        for following, result in readers[number]:
            heappush(heap, (sign * following.timestamp, order, number, following, result))
            break


def _passing(
    stream: Stream, entries: Sequence[Entry], run: Run[Passed], start: int, end: int, *, whole: bool
) -> Iterator[tuple[Entry, Passed]]:
    for entry in entries:
        passed = run(stream, entry)
        if passed is None or entry.timestamp < start:
            continue
        if entry.timestamp < end:
            yield entry, passed
        elif not whole:
            break
