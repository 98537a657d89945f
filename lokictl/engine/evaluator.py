"""Runs expressions: compiled once, evaluated at any number of steps."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from lokictl.durations import SECOND, Duration, Time, epoch_nanoseconds, nanoseconds
from lokictl.engine.binary_operation import set_operation, with_number, with_vector
from lokictl.engine.errors import (
    EngineError,
    EvaluationError,
    LimitError,
    PipelineError,
    UnsupportedError,
    both_fail,
)
from lokictl.engine.extraction import Extractor, compile_selector_test
from lokictl.engine.hints import log_hints
from lokictl.engine.labels import ERROR, PRESERVE_ERROR, LabelBuilder, Labels, label_builder
from lokictl.engine.limits import Limits
from lokictl.engine.pipeline import Pipeline
from lokictl.engine.prefilter import candidates, required_texts
from lokictl.engine.range_aggregation import aggregator, window_bounds
from lokictl.engine.reading_order import merged
from lokictl.engine.result import LogLine, Result
from lokictl.engine.store import Entry, LogStore, Stream, cleaned, readable, told_apart
from lokictl.engine.vector_aggregation import aggregator as vector_aggregator
from lokictl.logql import ast, parse
from lokictl.logql.ast import MatchOperator
from lokictl.logql.regex import Match, compile_anchored
from lokictl.logql.units import (
    format_bytes,
    format_go_duration,
    format_prometheus_duration,
    parse_bytes,
    quote,
)
from lokictl.logql.validation import NO_MATCHER
from lokictl.logql.versions import (
    APPROX_TOPK_RUNS,
    BACKTICKS_IN_LABEL_REGEXES,
    CATEGORIES,
    CONFLICTS_EACH_LINE,
    DEFAULT,
    EMPTY_GROUPING_KEPT,
    METADATA_NAMES_CLEANED_IN_LOG_QUERIES,
    METADATA_TELLS_APART,
    NO_INSTANT_LOG_QUERIES,
    NUMBER_ON_THE_LEFT,
    NUMBERS_ARE_EVALUATED,
    QUERIES_RUN_AS_PARSED,
    STATUS_OF_TWO_ERRORS,
    WINDOW_END,
    LokiVersion,
)

Sample = tuple[Labels, float]
Steps = list[int]
Evaluate = Callable[[Steps], list[list[Sample]]]
"""For each step (ns) the elements of the vector there."""
Passed = tuple[Labels, bytes, tuple[Labels, Labels, Labels]]
"""A line that a log query gives: its labels, its text, and its labels by category."""

TOO_MANY_SERIES = (
    "maximum number of series ({limit}) reached for a single query; consider reducing query cardinality by adding "
    "more specific stream selectors, reducing the time range, or aggregating results with functions like sum(), "
    "count() or topk()"
)
TOO_MANY_POINTS = (
    "exceeded maximum resolution of {limit} points per time series. "
    "Try increasing the value of the step parameter"
)


class Engine:
    """Runs LogQL queries over a `LogStore`, with the same results as Loki."""

    def __init__(
        self,
        store: LogStore,
        limits: Limits | None = None,
        *,
        version: LokiVersion | str | None = None,
    ) -> None:
        """``version`` is the Loki to behave like; that of the store by default."""
        self.store = store
        self.limits = limits or Limits()
        self.version = LokiVersion.parse(version) if isinstance(version, str) else version or store.loki
        self._compiled: dict[ast.Expr | str, CompiledQuery] = {}

    def compile(self, expression: ast.Expr | str) -> CompiledQuery:
        """Compiles a query.  The same text returns the same object, which caches extracted samples."""
        compiled = self._compiled.get(expression)
        if compiled is None:
            compiled = self._compiled[expression] = CompiledQuery(
                expression, self.store, self.limits, self.version
            )
        return compiled

    def query(self, expression: ast.Expr | str, *, time: Time) -> Result:
        """Runs an instant query at ``time``: nanoseconds since the epoch, or a `datetime` with a time zone.

        Raises `LogQLError` for a string that is not a query, `EngineError` for a query that cannot be answered, and
        `ValueError` for a `datetime` without a time zone.
        """
        return self.compile(expression).query(epoch_nanoseconds(time))

    def query_range(
        self,
        expression: ast.Expr | str,
        *,
        start: Time,
        end: Time,
        step: Duration = 0,
        limit: int = 100,
        direction: str = "backward",
        interval: Duration = 0,
    ) -> Result:
        """Runs a range query: samples every ``step`` from ``start`` to ``end``, or ``limit`` lines of [start, end).

        Times are nanoseconds since the epoch or `datetime`s with a time zone, durations nanoseconds, strings such as
        "5m" or `timedelta`s.  Raises as `query` does, and `ValueError` for a string that is not a duration.
        """
        first, last = epoch_nanoseconds(start), epoch_nanoseconds(end)
        every, apart = nanoseconds(step), nanoseconds(interval)
        return self.compile(expression).query_range(first, last, every, limit, direction, apart)


class CompiledQuery:
    """One query over one store; lines are parsed once however often it is asked."""

    def __init__(
        self, expression: ast.Expr | str, store: LogStore, limits: Limits, version: LokiVersion = DEFAULT
    ) -> None:
        self.store, self.limits, self.version = store, limits, version
        self.expression = (
            _runnable(expression, version) if isinstance(expression, str) else _as_run(expression, version)
        )
        self._end = 0
        self.keeps_order = _has_sort(self.expression)
        self._evaluate: Evaluate | None = None
        self._extractors: list[Extractor] = []
        self._pipeline: Pipeline | None = None

    def query(self, time: int) -> Result:
        """The answer at ``time`` (ns)."""
        expression = self.expression
        self._check_length(0)
        if isinstance(expression, ast.LogExpr) and not self.version.has(NO_INSTANT_LOG_QUERIES):
            return self._log(time - 30 * SECOND, time, 100, "backward", 0)
        if isinstance(expression, ast.LogExpr):
            message = (
                "log queries are not supported as an instant query type, "
                "please change your query to a range query type"
            )
            raise EngineError(message)
        if isinstance(expression, ast.Literal):
            return Result("scalar", time, scalar=expression.value)
        self._end = time
        (elements,) = self._metric([time])
        return self._vector_at(time, elements)

    def queries(self, times: Steps) -> list[Result]:
        """What `query` gives at each of ``times`` (ns, ascending), in one go.  Raises where one of them would."""
        at_once = isinstance(self.expression, ast.MetricExpr) and not isinstance(self.expression, ast.Literal)
        if not at_once or not self.version.has(WINDOW_END):
            return [self.query(time) for time in times]
        self._check_length(0)
        self._end = times[-1]
        found = self._metric(times)
        return [self._vector_at(time, elements) for time, elements in zip(times, found, strict=True)]

    def _vector_at(self, time: int, elements: list[Sample]) -> Result:
        self._check_series(len(elements))
        if not self.keeps_order:
            elements = sorted(elements, key=lambda element: element[0])
        return Result(
            "vector", time, vector=[(dict(valid_labels(labels)), value) for labels, value in elements]
        )

    def query_range(
        self, start: int, end: int, step: int, limit: int, direction: str, interval: int = 0
    ) -> Result:
        """The answer from ``start`` to ``end``."""
        self._check_length(end - start)
        if end < start:
            raise EngineError("end timestamp must not be before or equal to start time")
        if isinstance(self.expression, ast.LogExpr):
            return self._log(start, end, limit, direction, interval)
        step = max(step, 1)
        if self.limits.max_points and (end - start) // step > self.limits.max_points:
            raise LimitError(TOO_MANY_POINTS.format(limit=f"{self.limits.max_points:,}"))
        if any(node.operation == "approx_topk" for node in self.expression.find_all(ast.VectorAggregation)):
            raise UnsupportedError(
                "Loki does not answer approx_topk in a range query; use topk, or an instant query"
            )
        steps = list(range(start, end + 1, step)) if end >= start else []
        if isinstance(self.expression, ast.Literal):
            value = self.expression.value
            return Result("matrix", start, matrix=[({}, [(time, value) for time in steps])] if steps else [])
        self._end = end
        return self._matrix(steps)

    def _matrix(self, steps: Steps) -> Result:
        found: dict[Labels, list[tuple[int, float]]] = {}
        for time, elements in zip(steps, self._metric(steps), strict=True):
            for labels, value in elements:
                found.setdefault(labels, []).append((time, value))
            self._check_series(len(found))
        matrix = [(dict(valid_labels(labels)), samples) for labels, samples in sorted(found.items())]
        return Result("matrix", steps[0] if steps else 0, matrix=matrix)

    def _check_length(self, length: int) -> None:
        limit = self.limits.max_query_length
        if limit and length > limit:
            spans = f"query length: {format_go_duration(length)}, limit: {format_prometheus_duration(limit)}"
            raise LimitError(f"the query time range exceeds the limit ({spans})")
        longest = self.limits.max_query_range
        for node in self.expression.walk() if longest else ():
            if isinstance(node, ast.LogRange) and node.range > longest:
                asked, allowed = (format_prometheus_duration(value) for value in (node.range, longest))
                raise LimitError(f"[interval] value exceeds limit: [{asked}] > [{allowed}]")

    def _check_work(self, series: int, steps: int) -> None:
        limit = self.limits.max_samples
        if limit and series * steps > limit:
            message = f"the query computes {series:,} series at {steps:,} steps, the limit is {limit:,} (max_samples)"
            raise LimitError(message)

    def _check_series(self, count: int) -> None:
        if self.limits.max_query_series and count > self.limits.max_query_series:
            raise LimitError(TOO_MANY_SERIES.format(limit=self.limits.max_query_series))

    def _metric(self, steps: Steps) -> list[list[Sample]]:
        if self._evaluate is None:
            if isinstance(self.expression, ast.Variants):
                raise UnsupportedError("multi variant queries are disabled for this instance")
            assert isinstance(self.expression, ast.MetricExpr)
            self._evaluate = self._compile(self.expression, None)
        # Stages that cannot run are reported before any line is read.
        for extractor in reversed(self._extractors if steps else ()):
            extractor.prepare(steps[0], self._end)
        try:
            return self._evaluate(steps)
        except (EvaluationError, PipelineError):
            if len(steps) > 1:
                self._evaluate([self._first_failing(steps, self._evaluate)])
            raise

    def _first_failing(self, steps: Steps, evaluate: Evaluate) -> int:
        """The step where Loki, which goes from step to step, stops; one of ``steps`` fails."""
        good, bad = 0, len(steps)
        while bad - good > 1:
            middle = (good + bad) // 2
            try:
                evaluate(steps[good:middle])
            except (EvaluationError, PipelineError):
                bad = middle
            else:
                good = middle
        return steps[good]

    def _extractor(self, node: ast.RangeAggregation, outer: ast.VectorAggregation | None) -> Extractor:
        extractor = Extractor(node, outer, self.store, self.limits, self.version)
        self._extractors.append(extractor)
        return extractor

    # --- metric expressions ------------------------------------------------------------------------------------

    def _compile(self, node: ast.MetricExpr, outer: ast.VectorAggregation | None) -> Evaluate:
        if isinstance(node, ast.RangeAggregation):
            return self._absent(node) if node.operation == "absent_over_time" else self._range(node, outer)
        if isinstance(node, ast.VectorAggregation):
            return self._vector(node)
        if isinstance(node, ast.BinaryOperation):
            return self._binary(node)
        if isinstance(node, ast.VectorFunction):
            value = node.value
            return lambda steps: [[((), value)] for _ in steps]
        if isinstance(node, ast.LabelReplace):
            return self._label_replace(node)
        raise EvaluationError(
            f"unexpected expr type (*syntax.{type(node).__name__}Expr) for Evaluator type "
            "(*logql.DefaultEvaluator) "
        )

    def _range(self, node: ast.RangeAggregation, outer: ast.VectorAggregation | None) -> Evaluate:
        extractor = self._extractor(node, outer)
        log_range = node.log_range
        width, offset = log_range.range, log_range.offset

        def evaluate(steps: Steps) -> list[list[Sample]]:
            if not steps or width == 0:
                return [[] for _ in steps]
            # Created for each run: a quantile keeps windows of the series it has seen.
            window = aggregator(
                node.operation,
                node.parameter,
                width,
                unwrapped=log_range.unwrap is not None,
                version=self.version,
            )
            series = extractor.extract(steps[0] - offset - width, steps[-1] - offset, self._end - offset)
            self._check_work(len(series), len(steps))
            results: list[list[Sample]] = [[] for _ in steps]
            bounds = self._bounds(self._end - offset)
            errors: list[tuple[int, Labels]] = []
            for one in series:
                failed = _is_failure(one.labels)
                # Only these windows can reach the series: of thousands of short series, few steps each are looked at.
                first = bisect_left(steps, one.times[0] + offset)
                for index in range(first, bisect_left(steps, one.times[-1] + offset + width)):
                    time = steps[index]
                    low, high = bounds(one.times, time - offset, width)
                    if low == high:
                        continue
                    if failed:
                        errors.append((index, one.labels))
                        break
                    results[index].append((one.labels, window(one, low, high, time - offset)))
            if errors:
                raise pipeline_error(_reported(errors))
            return results

        return evaluate

    def _bounds(self, last: int) -> Callable[[list[int], int, int], tuple[int, int]]:
        """`window_bounds` for a query whose last window ends at ``last``."""
        if self.version.has(WINDOW_END):
            return window_bounds

        def bounds(times: list[int], end: int, width: int) -> tuple[int, int]:
            low, high = window_bounds(times, end, width)
            # What lies at the very end of the query is not even fetched.
            return low, high if end != last else max(low, bisect_left(times, end, low, high))

        return bounds

    def _absent(self, node: ast.RangeAggregation) -> Evaluate:
        extractor = self._extractor(node, None)
        labels = absent_labels(node.log_range.log.selector)
        width, offset = node.log_range.range, node.log_range.offset

        def evaluate(steps: Steps) -> list[list[Sample]]:
            if not steps:
                return []
            if width == 0:
                return [[(labels, 1.0)] for _ in steps]
            series = extractor.extract(steps[0] - offset - width, steps[-1] - offset, self._end - offset)
            results: list[list[Sample]] = []
            bounds = self._bounds(self._end - offset)
            for time in steps:
                present = False
                for one in series:
                    low, high = bounds(one.times, time - offset, width)
                    if low < high:
                        if _is_failure(one.labels):
                            raise pipeline_error(one.labels)
                        present = True
                results.append([] if present else [(labels, 1.0)])
            return results

        return evaluate

    def _vector(self, node: ast.VectorAggregation) -> Evaluate:
        if node.operation == "approx_topk" and not self.version.has(APPROX_TOPK_RUNS):
            text = 'error while processing request: expected aggregation operator but got "approx_topk"'
            raise EvaluationError(text)
        inner = self._compile(node.inner, node)
        aggregate = vector_aggregator(node)
        return lambda steps: [aggregate(elements) for elements in inner(steps)]

    def _binary(self, node: ast.BinaryOperation) -> Evaluate:
        operator, return_bool = node.operator, node.return_bool
        if isinstance(node.left, ast.Literal) or isinstance(node.right, ast.Literal):
            number_left = isinstance(node.left, ast.Literal)
            literal, other = (node.left, node.right) if number_left else (node.right, node.left)
            assert isinstance(literal, ast.Literal)
            number = literal.value
            inner = self._compile(other, None)
            keeps = self.version.has(NUMBER_ON_THE_LEFT)
            return lambda steps: [
                with_number(
                    operator, elements, number, number_left=number_left, return_bool=return_bool, keeps=keeps
                )
                for elements in inner(steps)
            ]
        left, right = self._compile(node.left, None), self._compile(node.right, None)
        can_be_of_query = self.version.has(STATUS_OF_TWO_ERRORS)
        combine = set_operation if operator in ast.SET_OPERATORS else with_vector

        def evaluate(steps: Steps) -> list[list[Sample]]:
            # The right side goes first, and where its lines cannot be processed the left one is not even asked.
            try:
                second = right(steps)
            except EvaluationError as error:
                try:
                    left(steps)
                except EngineError as other:
                    raise both_fail(other, error, can_be_of_query=can_be_of_query) from None
                raise
            first = left(steps)
            return [combine(node, one, other) for one, other in zip(first, second, strict=True)]

        return evaluate

    def _label_replace(self, node: ast.LabelReplace) -> Evaluate:
        if isinstance(node.inner, ast.Literal) and not self.version.has(NUMBERS_ARE_EVALUATED):
            raise EngineError(f"parse error : {NO_MATCHER}")
        inner = self._compile(node.inner, None)
        replace = compile_label_replace(node)
        return lambda steps: [
            [(replace(labels), value) for labels, value in elements] for elements in inner(steps)
        ]

    # --- log queries -------------------------------------------------------------------------------------------

    def _log(self, start: int, end: int, limit: int, direction: str, interval: int) -> Result:
        assert isinstance(self.expression, ast.LogExpr)
        if limit <= 0:
            raise EngineError("limit must be a positive value")
        if self.limits.max_entries and limit > self.limits.max_entries:
            message = f"max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > "
            raise LimitError(f"{message}{self.limits.max_entries})")
        backward = direction.lower() == "backward"
        streams = self._opened(self.expression.selector, start, end, backward)
        if not streams:
            return Result("streams")
        if self._pipeline is None or not self.version.has(CONFLICTS_EACH_LINE):
            self._pipeline = Pipeline(self.expression.stages, log_hints(self.expression.stages, self.version))
        found: dict[Labels, list[LogLine]] = {}
        seen: set[tuple[Labels, Labels, int, bytes]] = set()
        tells_apart = self.version.has(METADATA_TELLS_APART)
        count, last = 0, None
        for entry, stream, (labels, line, categories) in self._passing(
            streams, self._pipeline, start, end, backward
        ):
            if count >= limit:
                break
            if last is not None and interval and abs(entry.timestamp - last) < interval:
                continue
            # What the stages made alike of one stream's lines at one time counts once.
            identity = (stream.labels, labels if tells_apart else (), entry.timestamp, line)
            if identity in seen:
                continue
            seen.add(identity)
            last = entry.timestamp
            count += 1
            text = readable(line.decode("utf-8", "surrogateescape"))
            found.setdefault(labels, []).append(
                LogLine(entry.timestamp, text, *(valid_labels(category) for category in categories))
            )
        return Result(
            "streams",
            categories=self.version.has(CATEGORIES),
            streams=[(dict(valid_labels(labels)), lines) for labels, lines in sorted(found.items())],
        )

    def _opened(
        self, selector: ast.StreamSelector, start: int, end: int, backward: bool, *, whole: bool = False
    ) -> list[tuple[Stream, Sequence[Entry]]]:
        """The streams that a log query opens, with their entries in its time (``whole``: with all of them)."""
        selects = compile_selector_test(selector, self.version)

        def opens(stream: Stream) -> bool:
            return selects(stream) and stream.is_found(start, end, self.version)

        first = 0 if backward else self.store.reading_start(opens)
        opened: list[tuple[Stream, Sequence[Entry]]] = []
        for stream in self.store:
            if not opens(stream):
                continue
            if whole:
                entries = stream.since(first)
            else:
                entries = stream.between(max(start, first), max(end, start + 1))
            if not self.version.has(METADATA_TELLS_APART):
                entries = told_apart(entries)
            if entries:
                opened.append((stream, entries))
        return opened

    def _passing(
        self,
        streams: list[tuple[Stream, Sequence[Entry]]],
        pipeline: Pipeline,
        start: int,
        end: int,
        backward: bool,
    ) -> Iterator[tuple[Entry, Stream, Passed]]:
        """The lines that pass, in the order of the answer, with what became of each."""
        builders: dict[Labels, LabelBuilder] = {}
        cleans = self.version.has(METADATA_NAMES_CLEANED_IN_LOG_QUERIES)

        def run(stream: Stream, entry: Entry) -> Passed | None:
            builder = builders.get(stream.labels)
            if builder is None:
                builder = label_builder(stream.label_map, stream.labels, self.version)
                builders[stream.labels] = builder
            builder.reset(cleaned(entry.metadata, self.version) if cleans else entry.metadata)
            line = pipeline.run(entry.line, entry.timestamp, builder)
            return None if line is None else (builder.labels(), line, builder.categorized())

        assert isinstance(self.expression, ast.LogExpr)
        if not self.version.has(CONFLICTS_EACH_LINE):
            every = self._opened(self.expression.selector, start, end, backward, whole=True)
            yield from merged(every, run, start, max(end, start + 1), backward=backward)
            return
        required = required_texts(self.expression.stages)
        if len(streams) > 1:
            streams.sort(key=lambda item: item[0].hash, reverse=backward)
        entries = [(entry, stream) for stream, own in streams for entry in candidates(stream, own, required)]
        # Those of one time stay in the order of their streams; a lone stream is in order.
        if len(streams) > 1:
            entries.sort(key=lambda item: item[0].timestamp)
        if backward:
            entries.reverse()
        for entry, stream in entries:
            passed = run(stream, entry)
            if passed is not None:
                yield entry, stream, passed


@lru_cache(maxsize=4096)
def _runnable(text: str, version: LokiVersion) -> ast.Expr:
    """A query as it is run; the same ones are asked of many stores."""
    return _as_run(parse(text, version=version), version)


def _as_run(parsed: ast.Expr, version: LokiVersion) -> ast.Expr:
    """The expression as the query API runs it: on its way there sizes in label filters are rounded as they print."""
    if next(parsed.find_all(ast.StreamSelector), None) is None:
        return parsed
    if not version.has(BACKTICKS_IN_LABEL_REGEXES):
        _check_backticks(parsed, version)
    if not version.has(QUERIES_RUN_AS_PARSED):
        return _without_empty_groupings(parse(str(parsed), version=version))
    for literal in parsed.find_all(ast.Literal):
        if not math.isfinite(literal.value):
            raise EvaluationError("failed to enqueue request")
    rounded: ast.Expr = parsed.transform(_rounded)
    return rounded if version.has(EMPTY_GROUPING_KEPT) else _without_empty_groupings(rounded)


def _check_backticks(parsed: ast.Expr, version: LokiVersion) -> None:
    """Fails where the printed form of a label filter, which has backticks around it, does not parse again."""
    text = str(parsed)
    for node in parsed.find_all(ast.StringLabelFilter):
        if node.operator == MatchOperator.REGEX and "`" in node.value:
            if version.has(QUERIES_RUN_AS_PARSED):
                raise EvaluationError("failed to enqueue request")
            text = text.replace(f"{node.operator}{quote(node.value)}", f"{node.operator}`{node.value}`")
    if text != str(parsed):
        parse(text, version=version)


def _without_empty_groupings(expression: ast.Expr) -> ast.Expr:
    """The expression as its printed form was in old versions: with no labels, a grouping vanishes."""

    def plain(node: ast.Node) -> ast.Node:
        if isinstance(node, ast.VectorAggregation) and node.grouping.without and not node.grouping.labels:
            return replace(node, grouping=ast.Grouping(), inner=node.inner.transform(plain))
        if isinstance(node, ast.RangeAggregation) and node.grouping is not None and not node.grouping.labels:
            return replace(node, grouping=None)
        return node

    found: ast.Expr = expression.transform(plain)
    return found


def _rounded(node: ast.Node) -> ast.Node:
    if isinstance(node, ast.BytesLabelFilter):
        value = parse_bytes(format_bytes(node.value))
        return node if value == node.value else replace(node, value=value)
    return node


def valid_labels(labels: Labels) -> Labels:
    """The labels as an answer shows them, which is UTF-8; inside, values that differ in a broken byte differ."""
    if all(value.isascii() for _, value in labels):
        return labels
    return tuple((name, readable(value)) for name, value in labels)


def _is_failure(labels: Labels) -> bool:
    failed = preserved = False
    for name, value in labels:
        if name == ERROR:
            failed = True
        elif name == PRESERVE_ERROR and value == "true":
            preserved = True
    return failed and not preserved


def _reported(errors: list[tuple[int, Labels]]) -> Labels:
    """Which of several failed series to name. In Loki chance decides; the kind that most of them have is likeliest."""
    first = min(index for index, _ in errors)
    candidates = sorted(labels for index, labels in errors if index == first)
    kinds = [_kind(labels) for labels in candidates]
    return max(zip(kinds, candidates, strict=True), key=lambda item: kinds.count(item[0]))[1]


def _kind(labels: Labels) -> str:
    return next(value for name, value in labels if name == ERROR)


def pipeline_error(labels: Labels) -> PipelineError:
    """Loki's text for a series of lines that could not be processed."""
    kind = _kind(labels)
    series = "{" + ", ".join(f"{name}={quote(value)}" for name, value in labels) + "}"
    return PipelineError(
        f"pipeline error: '{kind}' for series: '{series}'.\n"
        f'Use a label filter to intentionally skip this error. (e.g | __error__!="{kind}").\n'
        'To skip all potential errors you can match empty errors.(e.g __error__="")\n'
        'The label filter can also be specified after unwrap. (e.g | unwrap latency | __error__="" )\n'
    )


def absent_labels(selector: ast.StreamSelector) -> Labels:
    """The labels of an ``absent_over_time`` result: names with exactly one matcher, and that one an equality."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in selector.matchers:
        if matcher.name == "__name__":
            continue
        if matcher.operator == MatchOperator.EQUAL and not matcher.value and matcher.name not in seen:
            continue
        if matcher.operator == MatchOperator.EQUAL and matcher.name not in seen:
            found[matcher.name] = matcher.value
        else:
            found.pop(matcher.name, None)
        seen.add(matcher.name)
    return tuple(sorted(found.items()))


def compile_label_replace(node: ast.LabelReplace) -> Callable[[Labels], Labels]:
    """The labels after ``label_replace``."""
    compiled = compile_anchored(node.regex)
    names, count = compiled.group_names, compiled.regex.groups

    def replace(labels: Labels) -> Labels:
        values = dict(labels)
        match = compiled.search(values.get(node.source, "").encode("utf-8", "surrogateescape"))
        if match is None:
            return labels
        values[node.destination] = expand(node.replacement, lambda group: _group(match, names, group, count))
        # A replacement drops every label that is empty, not the destination alone.
        return tuple(sorted(item for item in values.items() if item[1]))

    return replace


def _group(match: Match, names: dict[str, int], group: str, count: int) -> str:
    index = int(group) if group.isdigit() else names.get(group, -1)
    if not 0 <= index <= count:
        return ""
    value = match.group(index)
    return value.decode("utf-8", "surrogateescape") if value else ""


def expand(template: str, group: Callable[[str], str]) -> str:
    """Go's ``Regexp.Expand``: ``$1``, ``${1}``, ``$name``, ``${name}``, ``$$``."""
    parts: list[str] = []
    position = 0
    while True:
        dollar = template.find("$", position)
        if dollar < 0:
            parts.append(template[position:])
            return "".join(parts)
        parts.append(template[position:dollar])
        rest = template[dollar + 1 :]
        if rest.startswith("$"):
            parts.append("$")
            position = dollar + 2
            continue
        braced = rest.startswith("{")
        body = rest[1:] if braced else rest
        length = 0
        while length < len(body) and (body[length].isalnum() or body[length] == "_"):
            length += 1
        if length == 0 or (braced and body[length : length + 1] != "}"):
            parts.append("$")
            position = dollar + 1
            continue
        parts.append(group(body[:length]))
        position = dollar + 1 + length + 2 * braced


def _has_sort(expression: ast.Expr) -> bool:
    return any(
        isinstance(node, ast.VectorAggregation) and node.operation in ("sort", "sort_desc")
        for node in expression.walk()
    )


__all__ = ["CompiledQuery", "Engine", "absent_labels", "expand"]
