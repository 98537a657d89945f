"""From log lines to samples: selectors, pipelines, unwrap, and the labels that a sample keeps."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import field
from operator import attrgetter, itemgetter

from lokictl.engine.errors import LimitError
from lokictl.engine.flat_json import FlatJson, flat_json
from lokictl.engine.hints import metric_hints
from lokictl.engine.label_filter import compile_unwrap_filter
from lokictl.engine.labels import SAMPLE_ERROR, LabelBuilder, Labels, label_builder
from lokictl.engine.limits import Limits
from lokictl.engine.pipeline import Pipeline, without_dead_formats
from lokictl.engine.prefilter import candidates, required_texts
from lokictl.engine.reading_order import merged
from lokictl.engine.store import Entry, LogStore, Stream, told_apart
from lokictl.logql import ast
from lokictl.logql.matching import compile_matcher
from lokictl.logql.units import parse_bytes, parse_float, parse_go_duration, seconds
from lokictl.logql.versions import (
    CONFLICTS_EACH_LINE,
    DEFAULT,
    METADATA_NAMES_ARE_ASCII,
    METADATA_TELLS_APART,
    LokiVersion,
)
from lokictl.records import dataclass

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
BYTE_OPERATIONS = ("bytes_over_time", "bytes_rate")
FEW_LINES = 16
"""Fewer lines are sooner read one by one."""
IN_ORDER = ("first_over_time", "last_over_time", "rate_counter")
"""Operations for which the order of samples of one time counts."""
PUSHED_DOWN = ("rate", "count_over_time", "bytes_rate", "bytes_over_time", "sum_over_time")


def compile_selector_test(
    selector: ast.StreamSelector, version: LokiVersion = DEFAULT
) -> Callable[[Stream], bool]:
    """Whether a stream has the labels that the selector asks for."""
    # Loki's index does not look at the metric name, which is the same for all logs.
    tests = [
        (matcher.name, compile_matcher(matcher, version))
        for matcher in selector.matchers
        if matcher.name != "__name__"
    ]
    return lambda stream: all(test(stream.label_map.get(name, "")) for name, test in tests)


def extraction_grouping(
    node: ast.RangeAggregation, outer: ast.VectorAggregation | None
) -> ast.Grouping | None:
    """The grouping that applies while samples are extracted; ``outer`` is an aggregation directly around ``node``."""
    if node.operation == "absent_over_time":
        grouping: ast.Grouping | None = ast.Grouping()
    elif node.grouping is not None:
        grouping = node.grouping
    elif outer is not None and outer.operation == "sum" and node.operation in PUSHED_DOWN:
        grouping = outer.grouping
    else:
        grouping = None
    unwrap = node.log_range.unwrap
    if unwrap is not None and (grouping is None or grouping.without):
        labels = grouping.labels if grouping is not None else ()
        return ast.Grouping((*labels, unwrap.label), True)
    return grouping


Samples = dict[Labels, list[tuple[int, int, float]]]
"""Of each label set the times (ns), places among all pushed lines, and values."""


def _add(own: Samples, found: Samples) -> None:
    """Adds the samples of one stream, in the order of their lines."""
    for labels, samples in own.items():
        samples.sort()
        if labels in found:
            found[labels] += samples
        else:
            found[labels] = samples


@dataclass(slots=True)
class Series:
    """The samples of one label set in the order of their times (ns)."""

    labels: Labels
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class Extractor:
    """Extracts the samples of one range aggregation, each line once.

    Keeps what it has extracted; lines that are pushed later are added when they are asked for.
    """

    def __init__(
        self,
        node: ast.RangeAggregation,
        outer: ast.VectorAggregation | None,
        store: LogStore,
        limits: Limits,
        version: LokiVersion = DEFAULT,
    ) -> None:
        self.node, self.store, self.limits, self.version = node, store, limits, version
        self.selects = compile_selector_test(node.log_range.log.selector, version)
        self.grouping = extraction_grouping(node, outer)
        self.hints = metric_hints(self._stages(), node.log_range.unwrap, self.grouping, version)
        self.required = required_texts(self._stages())
        self.pipeline: Pipeline | None = None
        self.prepared = False
        self.builders: dict[Labels, LabelBuilder] = {}
        self.value: Callable[[bytes, LabelBuilder], float | None] | None = None
        self.series: dict[Labels, Series] = {}
        self.seen = -1
        self.covered: tuple[int, int] | None = None

    def _stages(self) -> list[ast.Stage]:
        stages = list(self.node.log_range.log.stages)
        return stages if self.node.operation in BYTE_OPERATIONS else without_dead_formats(stages)

    def prepare(self, first: int, end: int) -> None:
        """Compiles the pipeline for evaluations from ``first`` on in a query until ``end`` (ns).

        Raises `EngineError` where a stage cannot run.  As in Loki, nobody notices where no stream is opened.
        """
        log_range = self.node.log_range
        begin = first - log_range.offset - log_range.range
        if not self.prepared and any(map(self._opens(begin, end - log_range.offset), self.store)):
            self._compile()
            self.prepared = True

    def _compile(self) -> None:
        self.pipeline = Pipeline(self._stages(), self.hints)
        self.value = compile_value(self.node, self.version)

    def _opens(self, first: int, end: int) -> Callable[[Stream], bool]:
        """Whether a stream is opened for the time after ``first`` in a query until ``end`` (ns)."""
        return lambda stream: self.selects(stream) and stream.is_found(first, end + 1, self.version)

    def extract(self, first: int, last: int, end: int) -> list[Series]:
        """All series with samples in ``first < time <= last`` (and perhaps more), sorted by labels.

        ``end`` is where the time of the query ends: streams that begin later are not opened.
        """
        covered = self.covered
        if self.seen != self.store.version or covered is None or first < covered[0] or last > covered[1]:
            if covered is not None:
                first, last = min(first, covered[0]), max(last, covered[1])
            self._extract(first, last, max(end, last))
        return sorted(self.series.values(), key=lambda series: series.labels)

    def _extract(self, first: int, last: int, end: int) -> None:
        self.series = {}
        found: Samples = {}
        apart = self.version.has(CONFLICTS_EACH_LINE)
        self.builders.clear()
        if not apart:
            self.pipeline = None
        opens = self._opens(first, end)
        start = self.store.reading_start(opens)
        opened = [stream for stream in self.store if opens(stream)]
        if self.node.operation in IN_ORDER and len(opened) > 1:
            opened.sort(key=attrgetter("hash"))
        for stream in opened if apart else ():
            entries = stream.between(max(start, first + 1), last + 1)
            if not self.version.has(METADATA_TELLS_APART):
                entries = told_apart(entries)
            if entries:
                own: Samples = {}
                self._run(stream, entries, own)
                _add(own, found)
                self._check(found)
        if not apart:
            self._extract_in_order(opened, start, (first, last), found)
        self._check(found)
        for labels, samples in found.items():
            if len(opened) > 1:
                # Those of one time stay in the order of their streams.
                samples.sort(key=itemgetter(0))
            times, values = [sample[0] for sample in samples], [sample[2] for sample in samples]
            self.series[labels] = Series(labels, times, values)
        # Which empty lines at the beginning of streams are found, and whether stages run at all, depends on what else
        # lies in the time of a query.
        once = start or not self.prepared
        self.seen, self.covered = self.store.version, None if once else (first, last)

    def _extract_in_order(
        self,
        opened: Sequence[Stream],
        start: int,
        span: tuple[int, int],
        found: Samples,
    ) -> None:
        """Runs the lines of all streams in the order of Loki: what a parser decides about a name holds for the next."""
        tells_apart = self.version.has(METADATA_TELLS_APART)
        first, last = span
        streams: list[tuple[Stream, Sequence[Entry]]] = []
        for stream in opened:
            entries = stream.since(start)
            streams.append((stream, entries if tells_apart else told_apart(entries)))

        owns: dict[Labels, Samples] = {stream.labels: {} for stream in opened}

        def run(stream: Stream, entry: Entry) -> int | None:
            counts = first < entry.timestamp <= last
            return self._run(stream, [entry], owns[stream.labels] if counts else {}) or None

        for _ in merged(streams, run, first + 1, last + 1):
            pass
        for own in owns.values():
            _add(own, found)

    def _check(self, found: Samples) -> None:
        limit = self.limits.max_samples
        count = sum(map(len, found.values()))
        if limit and count > limit:
            raise LimitError(f"the query holds {count:,} samples, the limit is {limit:,} (max_samples)")

    def _run(self, stream: Stream, entries: Sequence[Entry], found: Samples) -> int:
        """Puts the samples of lines into ``found``; gives how many."""
        if self.pipeline is None:
            self._compile()
        pipeline, value_of, grouping = self.pipeline, self.value, self.grouping
        assert pipeline is not None
        assert value_of is not None
        if (
            not pipeline.functions
            and not self.node.log_range.unwrap
            and not any(entry.metadata for entry in entries)
        ):
            self._plain(stream, entries, found)
            return len(entries)
        run = pipeline.run
        # Labels that a query cannot name do not survive: their samples get lost.
        raw_names = not self.version.has(METADATA_NAMES_ARE_ASCII)
        builder = self._builder(stream)
        if self.version.has(CONFLICTS_EACH_LINE):
            entries = candidates(stream, entries, self.required)
        flat = self._flat(stream, entries)
        if flat is not None:
            entries = flat.run(entries, found)
        count = 0
        for entry in entries:
            builder.reset(entry.metadata)
            line = run(entry.line, entry.timestamp, builder)
            if line is None:
                continue
            value = value_of(line, builder)
            if value is None:
                continue
            labels = (
                builder.labels() if grouping is None else builder.grouped(grouping.labels, grouping.without)
            )
            if raw_names and not all(_NAME.fullmatch(name) for name, _ in labels):
                continue
            samples = found.get(labels)
            if samples is None:
                samples = found.setdefault(labels, [])
            samples.append((entry.timestamp, entry.sequence, value))
            count += 1
        return count

    def _builder(self, stream: Stream) -> LabelBuilder:
        """The builder of a stream's labels: one for all of its lines."""
        builder = self.builders.get(stream.labels)
        if builder is None:
            builder = label_builder(stream.label_map, stream.labels, self.version)
            self.builders[stream.labels] = builder
        return builder

    def _flat(self, stream: Stream, entries: Sequence[Entry]) -> FlatJson | None:
        """The way for many flat JSON lines at once, where it gives the same samples."""
        assert self.pipeline is not None
        assert self.value is not None
        # Older versions remember for all lines what they made of the first one's names.
        if len(entries) < FEW_LINES or self.version != DEFAULT or stream.has_metadata:
            return None
        return flat_json(
            self.pipeline.stages,
            self.node.log_range.unwrap,
            self.grouping,
            label_builder(stream.label_map, stream.labels, self.version),
            self.value,
            is_length=self.node.operation in BYTE_OPERATIONS,
        )

    def _plain(self, stream: Stream, entries: Sequence[Entry], found: Samples) -> None:
        """Without stages every line of a stream has the same labels."""
        builder = label_builder(stream.label_map, stream.labels, self.version)
        grouping = self.grouping
        labels = builder.labels() if grouping is None else builder.grouped(grouping.labels, grouping.without)
        samples = found.setdefault(labels, [])
        if self.node.operation in BYTE_OPERATIONS:
            samples += [(entry.timestamp, entry.sequence, float(len(entry.line))) for entry in entries]
        else:
            samples += [(entry.timestamp, entry.sequence, 1.0) for entry in entries]


def compile_value(
    node: ast.RangeAggregation, version: LokiVersion = DEFAULT
) -> Callable[[bytes, LabelBuilder], float | None]:
    """The value of a line's sample; None where the line has none."""
    unwrap = node.log_range.unwrap
    if unwrap is None:
        if node.operation in BYTE_OPERATIONS:
            return lambda line, builder: float(len(line))
        return lambda line, builder: 1.0
    name = unwrap.label
    convert = CONVERSIONS[unwrap.conversion]
    filters = [compile_unwrap_filter(item, version) for item in unwrap.filters]

    def value(line: bytes, builder: LabelBuilder) -> float | None:
        text = builder.get(name)
        if not text:
            return None
        try:
            number = convert(text)
        except ValueError as error:
            number = 0.0
            builder.fail(SAMPLE_ERROR, str(error))
        for check in filters:
            if not check(builder):
                return None
        return number

    return value


def _seconds(text: str) -> float:
    return seconds(parse_go_duration(text))


CONVERSIONS: dict[str | None, Callable[[str], float]] = {
    None: parse_float,
    "bytes": lambda text: float(parse_bytes(text)),
    "duration": _seconds,
    "duration_seconds": _seconds,
}
