"""The log store: streams of entries in memory."""

from __future__ import annotations

import functools
import itertools
import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from lokictl.durations import MILLISECOND
from lokictl.engine.label_hash import label_hash
from lokictl.engine.levels import detect_level, service_name
from lokictl.lazy import lazy_pattern
from lokictl.logql.units import quote
from lokictl.logql.versions import (
    METADATA_AS_IT_IS,
    METADATA_NAMES_ARE_ASCII,
    METADATA_NAMES_CLEANED,
    METADATA_NAMES_COLLAPSE,
    STREAM_LABELS_AS_THEY_ARE,
    STREAMS_AT_THE_START,
    LokiVersion,
    target,
)

Labels = tuple[tuple[str, str], ...]


class Entry(NamedTuple):
    """One line: ``timestamp`` in ns, its place among all pushed lines, the text, structured metadata."""

    timestamp: int
    sequence: int
    line: bytes
    metadata: Labels


_ENTRY: Callable[[tuple[int, int, bytes, Labels]], Entry] = functools.partial(tuple.__new__, Entry)


class Stream:
    """The entries of one label set, in the order of their times (and of arrival among equals).

    ``escapes``: some line has a backslash.  ``blank``: no line has any string or structured metadata.
    ``begin`` (ns): the millisecond in which Loki takes the stream to begin; empty lines that were pushed before
    anything else do not count for that.
    """

    __slots__ = (
        "_crowds",
        "_hash",
        "begin",
        "blank",
        "entries",
        "escapes",
        "has_metadata",
        "label_map",
        "labels",
    )

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.label_map = dict(labels)
        self.entries: list[Entry] = []
        self.escapes = False
        self.has_metadata = False
        self.blank = True
        self.begin = 0
        self._hash: int | None = None
        # The lines of times that several lines share.
        self._crowds: dict[int, set[tuple[bytes, Labels]]] = {}

    def admits(self, timestamp: int, line: bytes, metadata: Labels) -> bool:
        """Whether this very entry is not there yet; from now on it counts as there."""
        crowd = self._crowds.get(timestamp)
        if crowd is None:
            low = bisect_left(self.entries, (timestamp,))
            high = bisect_left(self.entries, (timestamp + 1,), low)
            crowd = {(entry.line, entry.metadata) for entry in self.entries[low:high]}
            self._crowds[timestamp] = crowd
        if (line, metadata) in crowd:
            return False
        crowd.add((line, metadata))
        return True

    def between(self, first: int, last: int) -> Sequence[Entry]:
        """The entries with ``first <= timestamp < last``."""
        entries = self.entries
        low = bisect_left(entries, (first,))
        high = bisect_left(entries, (last,), low)
        return entries if low == 0 and high == len(entries) else entries[low:high]

    @property
    def hash(self) -> int:
        """By what lines of the same time in several streams are ordered, the lowest first."""
        if self._hash is None:
            self._hash = label_hash(self.labels)
        return self._hash

    @property
    def begins_empty(self) -> bool:
        """Whether there are lines that lie before the stream begins; a stream of nothing but empty lines has none."""
        return not self.blank and self.entries[0].timestamp < self.begin

    def is_found(self, start: int, end: int, version: LokiVersion) -> bool:
        """Whether a query of [start, end) opens the stream: Loki compares the edges of what it has stored in
        milliseconds.

        A stream whose entries all lie at the very start is found (since `STREAMS_AT_THE_START`), one that merely ends
        there is not.
        """
        first, last = self.begin // MILLISECOND, -(-self.entries[-1].timestamp // MILLISECOND)
        low, high = start // MILLISECOND, -(-end // MILLISECOND)
        return not (
            high <= first
            or last < low
            or (last == low and (first < last or not version.has(STREAMS_AT_THE_START)))
        )

    def since(self, first: int) -> Sequence[Entry]:
        """The entries with ``first <= timestamp``."""
        return self.between(first, self.entries[-1].timestamp + 1)


class PushedEntry(Protocol):
    """A line with names, such as `lokictl.backends.LogEntry`: ``timestamp`` in ns, its text, structured metadata."""

    @property
    def timestamp(self) -> int: ...
    @property
    def line(self) -> str | bytes: ...
    @property
    def metadata(self) -> Mapping[str, str]: ...


class LogStore:
    """Streams in memory.

    ``discover_service_name`` and ``discover_log_levels`` add what a default Loki adds on ingestion: the stream label
    ``service_name`` and the structured metadata ``detected_level``.  ``version`` is the Loki version that ingests the
    lines.
    """

    def __init__(
        self,
        *,
        discover_service_name: bool = False,
        discover_log_levels: bool = False,
        version: LokiVersion | str | None = None,
    ) -> None:
        self.loki = LokiVersion.parse(version) if isinstance(version, str) else version or target()
        self.discover_service_name = discover_service_name
        self.discover_log_levels = discover_log_levels
        self.streams: dict[Labels, Stream] = {}
        self.version = 0
        self._sequence = 0
        self._clean = _name_cleaner(self.loki) if self.loki.has(METADATA_NAMES_CLEANED) else None
        self._escape = not self.loki.has(METADATA_AS_IT_IS)

    def push(self, labels: Mapping[str, str], entries: Iterable[Sequence[Any] | PushedEntry]) -> None:
        """Adds lines to the stream ``labels``.

        ``entries`` are ``(timestamp ns, line)``, ``(timestamp ns, line, structured metadata)`` or
        `lokictl.backends.LogEntry`; lines are strings or bytes.  As in Loki, an entry with the same time, line and
        metadata is kept once, empty labels do not exist, and names of metadata become label names.  The store has
        no clock: a late `LogEntry` is there at once.
        """
        stream = self._stream(labels)
        last = stream.entries[-1].timestamp if stream.entries else -1
        sequence, append, make = self._sequence, stream.entries.append, tuple.__new__
        disordered: list[Entry] = []
        for pushed in entries:
            entry = pushed if isinstance(pushed, (tuple, list, Sequence)) else _fields(pushed)
            timestamp, line = entry[0], entry[1]
            data = line if isinstance(line, bytes) else _encoded(line)
            metadata = self._metadata(entry[2]) if len(entry) > 2 and entry[2] else ()
            if self.discover_log_levels:
                metadata = detect_level(data, stream.label_map, metadata, self.loki)
            if timestamp <= last and not stream.admits(timestamp, data, metadata):
                continue
            sequence += 1
            if stream.blank:
                stream.begin = timestamp - timestamp % MILLISECOND
                stream.blank = not (data or metadata)
            if not stream.escapes and b"\\" in data:
                stream.escapes = True
            if metadata:
                stream.has_metadata = True
            item = make(Entry, (timestamp, sequence, data, metadata))
            if timestamp >= last:
                append(item)
                last = timestamp
            else:
                disordered.append(item)
                stream.begin = min(stream.begin, timestamp - timestamp % MILLISECOND)
        if disordered:
            stream.entries += disordered
            stream.entries.sort()
        self._sequence = sequence
        self.version += 1

    def push_regular(
        self, labels: Mapping[str, str], times: range, lines: Sequence[str], metadata: Mapping[str, str]
    ) -> None:
        """As `push`, for lines each of which is later than the one before, with the same structured metadata."""
        stream = self._stream(labels)
        if self.discover_log_levels or (stream.entries and stream.entries[-1].timestamp >= times.start):
            self.push(labels, [(time, line, metadata) for time, line in zip(times, lines, strict=True)])
            return
        text, names = "\n".join(lines), self._metadata(metadata)
        data = list(map(str.encode, lines)) if text.isascii() else list(map(_encoded, lines))
        numbers = itertools.count(self._sequence + 1)
        stream.entries += map(_ENTRY, zip(times, numbers, data, itertools.repeat(names)))
        stream.blank = stream.blank and not names and not any(data)
        stream.escapes = stream.escapes or "\\" in text
        stream.has_metadata = stream.has_metadata or bool(names)
        self._sequence += len(data)
        self.version += 1

    def _stream(self, labels: Mapping[str, str]) -> Stream:
        """The stream that lines with these labels belong to."""
        own = {name: value for name, value in labels.items() if value != ""}
        if not self.loki.has(STREAM_LABELS_AS_THEY_ARE):
            own = {name: _escaped(value) for name, value in own.items()}
        if self.discover_service_name:
            own.setdefault("service_name", service_name(own))
        key = tuple(sorted(own.items()))
        stream = self.streams.get(key)
        if stream is None:
            stream = self.streams[key] = Stream(key)
        return stream

    def _metadata(self, metadata: Mapping[str, str] | Iterable[Sequence[str]]) -> Labels:
        return _metadata(metadata, self._clean, escape=self._escape)

    def __iter__(self) -> Iterator[Stream]:
        """The streams in the order of their labels, without those of empty lines only: Loki never finds them."""
        return iter(self.streams[key] for key in sorted(self.streams) if not self.streams[key].blank)

    def reading_start(self, opens: Callable[[Stream], bool]) -> int:
        """The time (ns) from which a query that reads forward finds the lines of the streams that it opens: where the
        first one of them begins.  0 where all streams begin with their first line.
        """
        if not any(stream.begins_empty for stream in self.streams.values()):
            return 0
        opened = (stream for stream in self.streams.values() if stream.entries and opens(stream))
        return min((stream.begin for stream in opened), default=0)

    def __len__(self) -> int:
        return sum(len(stream.entries) for stream in self.streams.values())


def _fields(entry: PushedEntry) -> tuple[int, str | bytes, Mapping[str, str]]:
    return entry.timestamp, entry.line, entry.metadata


def _encoded(line: str) -> bytes:
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Half a surrogate pair is not a character.
        return line.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode("utf-8")


_NOT_A_NAME = lazy_pattern(r"[^a-zA-Z0-9_]")
_NO_LETTER = lazy_pattern(r"\W")
_RUN = lazy_pattern(r"_+")


def _metadata(
    metadata: Mapping[str, str] | Iterable[Sequence[str]], clean: Callable[[str], str] | None, *, escape: bool
) -> Labels:
    items = metadata.items() if isinstance(metadata, Mapping) else metadata
    found: dict[str, str] = {}
    for name, value in items:
        if value != "" or escape:
            # Of names that become one, the first keeps its value.
            text = json.dumps(value)[1:-1] if escape else valid_text(value)
            found.setdefault(clean(name) if clean else name, text)
    return tuple(sorted(found.items()))


def _cleaned_name(name: str) -> str:
    """What Loki calls structured metadata: ``a..b`` is ``a_b``, ``1st`` is ``key_1st``."""
    if name.isidentifier() and name.isascii() and "__" not in name:
        return name
    if name.startswith("__") and name.endswith("__") and _NOT_A_NAME.search(name) is None:
        return name
    name = _RUN.sub("_", _NOT_A_NAME.sub("_", name))
    return f"key_{name}" if name[:1].isdigit() else name


def _cleaned_name_before(name: str, pattern: re.Pattern[str]) -> str:
    name = pattern.sub("_", name)
    if name[:1].isdigit():
        return f"key_{name}"
    return f"key{name}" if name.startswith("_") and not name.startswith("__") else name


def _name_cleaner(version: LokiVersion) -> Callable[[str], str]:
    if version.has(METADATA_NAMES_COLLAPSE):
        return _cleaned_name
    pattern = _NOT_A_NAME if version.has(METADATA_NAMES_ARE_ASCII) else _NO_LETTER
    return lambda name: _cleaned_name_before(name, pattern)


def cleaned(metadata: Labels, version: LokiVersion) -> Labels:
    """Structured metadata with cleaned names."""
    clean = _name_cleaner(version)
    return tuple(sorted((clean(name), value) for name, value in metadata))


def _escaped(value: str) -> str:
    """Go's ``strconv.QuoteToASCII`` without the quotes."""
    if value.isascii() and value.isprintable() and "\\" not in value and '"' not in value:
        return value
    return "".join(
        c if c.isascii() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
        for c in quote(value)[1:-1]
    )


def told_apart(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries without those whose time and text an earlier one has, whatever their metadata is."""
    seen: set[tuple[int, bytes]] = set()
    kept = []
    for entry in entries:
        identity = (entry.timestamp, entry.line)
        if identity not in seen:
            seen.add(identity)
            kept.append(entry)
    return kept


_BROKEN = lazy_pattern("[\udc80-\udcff]")


def valid_text(value: str) -> str:
    """``value`` with a space for each byte that is not UTF-8."""
    return value if value.isascii() else _BROKEN.sub(" ", value)


def readable(value: str) -> str:
    """``value`` with U+FFFD for each byte that is not UTF-8, as readers of Loki's answers see it."""
    return value if value.isascii() else _BROKEN.sub("\ufffd", value)
