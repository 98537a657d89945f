"""Metric queries that one bad line can fail, and stages that do nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lokictl.diagnostics import Severity
from lokictl.lazy import lazy
from lokictl.lint.interface import Finding, Query, QueryCheck, QueryKind
from lokictl.lint.logql.filters import removal
from lokictl.logql import ast, semantics

if TYPE_CHECKING:
    from lokictl.engine import extraction, hints
else:
    # One check asks how the engine reads labels, and only of some queries.
    extraction, hints = lazy("lokictl.engine.extraction"), lazy("lokictl.engine.hints")


class UnwrapWithoutErrorFilter(QueryCheck):
    """One value that is not a number fails the whole query."""

    name = "logql/unwrap-without-error-filter"
    severity = Severity.WARNING
    summary = '`unwrap` without `__error__=""` behind it'
    wants = (ast.Unwrap,)

    def check(self, query: Query) -> Iterator[Finding]:
        for log_range in query.nodes(ast.LogRange):
            unwrap = log_range.unwrap
            if unwrap is None or any(semantics.is_error_filter(item) for item in unwrap.filters):
                continue
            if any(semantics.is_error_filter(stage) for stage in log_range.log.stages):
                continue  # told by logql/error-filter-too-early
            if _drops_errors(log_range.log) or _always_a_number(log_range.log, unwrap):
                continue
            kind = {"bytes": "size", None: "number"}.get(unwrap.conversion, "duration")
            message = f"one line whose `{unwrap.label}` is not a {kind} fails the whole query"
            hint = f'write: {query.written(unwrap)} | __error__=""'
            # A panel shows its error to whoever looks at it; a rule fails where nobody looks.
            severity = Severity.INFO if query.kind == QueryKind.PANEL else None
            yield self.finding(query.place(unwrap), message, hint=hint, severity=severity)


def _drops_errors(log: ast.LogExpr) -> bool:
    return any(
        isinstance(stage, ast.DropLabels) and any(item.name == "__error__" for item in stage.items)
        for stage in log.stages
    )


_NUMBER_CAPTURE = r"\(\?P?<{name}>(?:\\d|\[0-9\]|\[\\d\.?\]|\[0-9\.?\]|\\\.|\.|[+*?]|\(\?:|\))+\)"


def _always_a_number(log: ast.LogExpr, unwrap: ast.Unwrap) -> bool:
    """Whether the label comes from a capture of digits, which always converts."""
    pattern = re.compile(_NUMBER_CAPTURE.format(name=re.escape(unwrap.label)))
    return unwrap.conversion is None and any(
        isinstance(stage, ast.RegexpParser) and pattern.search(stage.pattern) and ".*" not in stage.pattern
        for stage in log.stages
    )


class ErrorFilterTooEarly(QueryCheck):
    """``__error__=""`` before the stage that fails."""

    name = "logql/error-filter-too-early"
    severity = Severity.WARNING
    summary = '`__error__=""` in front of the stage that can fail'
    needs = (ast.LogRange, ast.LabelFilterStage)

    def check(self, query: Query) -> Iterator[Finding]:
        for log_range in query.nodes(ast.LogRange):
            stages = log_range.log.stages
            filters = [stage for stage in stages if semantics.is_error_filter(stage)]
            if not filters or _drops_errors(log_range.log):
                continue
            unwrap = log_range.unwrap
            if unwrap is not None and not any(semantics.is_error_filter(item) for item in unwrap.filters):
                if not _always_a_number(log_range.log, unwrap):
                    message = f'`__error__=""` is before `unwrap {unwrap.label}`, which can still fail'
                    hint = f'write: {query.written(unwrap)} | __error__=""'
                    yield self.finding(query.place(filters[-1]), message, hint=hint)
                continue
            later = stages[stages.index(filters[-1]) + 1 :]
            failing = next((stage for stage in later if semantics.fallible(stage)), None)
            if failing is not None and unwrap is None:
                message = f'`__error__=""` is before `{query.written(failing)}`, which can still fail'
                yield self.finding(query.place(filters[-1]), message, hint="write it after that stage")


class ErrorFilterAfterUnwrap(QueryCheck):
    """Over HTTP, Loki computes a grouped average as sum and count, and the count stops before ``unwrap``."""

    name = "logql/error-filter-after-unwrap"
    severity = Severity.WARNING
    summary = '`__error__=""` only behind `unwrap`, where a sharding Loki needs it before'
    needs = (ast.Unwrap, "avg_over_time")
    wants = ("by", "without")

    def check(self, query: Query) -> Iterator[Finding]:
        for node in _computed_apart(query.expression):
            unwrap, stages = node.log_range.unwrap, node.log_range.log.stages
            if node.operation != "avg_over_time" or unwrap is None or node.grouping is None:
                continue
            behind = any(semantics.is_error_filter(item) for item in unwrap.filters)
            before = any(semantics.is_error_filter(stage) for stage in stages)
            failing = next((stage for stage in stages if semantics.fallible(stage)), None)
            if behind and not before and failing is not None and not _drops_errors(node.log_range.log):
                message = (
                    "a sharding Loki counts the lines before `unwrap`: one "
                    f"{_failure(node.log_range.log, failing)} makes the whole query fail, in spite of the filter "
                    "behind it"
                )
                hint = f'write __error__="" before it, too: | __error__="" {query.written(unwrap)}'
                # The ruler computes the average in one piece; a filter for a field drops lines of plain text.
                rare = query.kind in (QueryKind.ALERT, QueryKind.RECORD) or "breaks off" in message
                severity = Severity.INFO if rare else None
                yield self.finding(query.place(unwrap), message, hint=hint, severity=severity)


def _computed_apart(node: ast.Node | None, *, whole: bool = False) -> Iterator[ast.RangeAggregation]:
    """The range aggregations that a sharding Loki splits up: not those directly in ``sum`` or ``max``."""
    match node:
        case ast.RangeAggregation():
            if not whole:
                yield node
        case ast.VectorAggregation():
            yield from _computed_apart(node.inner, whole=node.operation in ("sum", "max"))
        case ast.BinaryOperation():
            whole = whole and (semantics.is_scalar(node.left) or semantics.is_scalar(node.right))
            for side in (node.left, node.right):
                yield from _computed_apart(side, whole=whole)
        case ast.Node():
            for child in node.children():
                yield from _computed_apart(child)


class ParserError(QueryCheck):
    """A parser that fails on a line fails the metric query."""

    name = "logql/parser-error"
    severity = Severity.INFO
    summary = "a metric query that fails as soon as one line does not parse"
    wants = (
        *(ast.JsonParser, ast.LogfmtParser, ast.UnpackParser),
        *(ast.NumberLabelFilter, ast.DurationLabelFilter, ast.BytesLabelFilter, ast.IpLabelFilter),
    )
    needs = (ast.LogRange,)

    def check(self, query: Query) -> Iterator[Finding]:
        for log_range in query.nodes(ast.LogRange):
            log = log_range.log
            if log_range.unwrap is not None or any(map(semantics.is_error_filter, log.stages)):
                continue
            failing = next((stage for stage in reversed(log.stages) if semantics.fallible(stage)), None)
            if failing is None or _drops_errors(log):
                continue
            read = (*_ranges_without_parsing(query), *_ranges_read_in_part(query))
            if not any(found is log_range for found in read):
                message = f"a line {_failure(log, failing)} makes the whole query fail"
                hint = 'add `| __error__=""` at the end, if such lines need not count'
                yield self.finding(query.place(failing), message, hint=hint)


def _wants_label(comparison: ast.Node) -> bool:
    """Whether a line without the label does not pass a comparison."""
    if isinstance(comparison, ast.StringLabelFilter):
        return comparison.operator == ast.MatchOperator.EQUAL and bool(comparison.value)
    # A number is compared only where there is one.
    return not isinstance(comparison, ast.IpLabelFilter)


def _failure(log: ast.LogExpr, failing: ast.Stage) -> str:
    """The lines on which a stage fails."""
    what = semantics.fallible(failing)
    if what != "json":
        return f"on which `{what}` fails"
    later = log.stages[log.stages.index(failing) + 1 :]
    wanted = any(_wants_label(node) for stage in later for node in semantics.comparisons(stage))
    # A line of plain text has none of the labels, so that the filter drops it, error and all.
    return "whose JSON breaks off behind the filtered fields" if wanted else "that is not JSON"


def _ranges_without_parsing(query: Query) -> Iterator[ast.LogRange]:
    """Ranges whose parsers Loki skips: the sum of all lines needs no label."""
    for node in query.nodes(ast.VectorAggregation):
        inner = node.inner
        if node.operation != "sum" or node.grouping.labels or node.grouping.without:
            continue
        if not isinstance(inner, ast.RangeAggregation) or inner.operation not in semantics.COUNTING:
            continue
        log_range = inner.log_range
        uses = (ast.LabelFilterStage, ast.LabelFormat, ast.LineFormat, ast.KeepLabels, ast.DropLabels)
        if log_range.unwrap is None and not any(isinstance(stage, uses) for stage in log_range.log.stages):
            yield log_range


def _ranges_read_in_part(query: Query) -> Iterator[ast.LogRange]:
    """Ranges of which Loki reads only fields that the filters want: what follows them in a line does not matter."""
    for node in query.nodes(ast.VectorAggregation):
        inner = node.inner
        if node.operation != "sum" or node.grouping.without or not isinstance(inner, ast.RangeAggregation):
            continue
        if inner.operation not in semantics.COUNTING or inner.grouping is not None:
            continue
        if _stops_at_filtered_fields(inner.log_range.log, node.grouping.labels):
            yield inner.log_range


def _stops_at_filtered_fields(log: ast.LogExpr, grouped: tuple[str, ...]) -> bool:
    """Whether Loki stops reading a line's JSON at fields that the filters want: a line without them is dropped.

    It reads the fields that the grouping and the filters name, and nothing behind the last of them.
    """
    parsers = [stage for stage in log.stages if isinstance(stage, ast.ParserStage)]
    others = (ast.JsonParser, ast.LineFilter, ast.LabelFilterStage)
    if len(parsers) != 1 or not all(isinstance(stage, others) for stage in log.stages):
        return False
    later = log.stages[log.stages.index(parsers[0]) + 1 :]
    found = [node for stage in later for node in semantics.comparisons(stage)]
    simple = all(
        isinstance(stage.filter, ast.LabelComparison)
        for stage in later
        if isinstance(stage, ast.LabelFilterStage)
    )
    wanted = {node.name for node in found if _wants_label(node)}
    return bool(wanted) and simple and all(map(_wants_label, found)) and set(grouped) <= wanted


class LogfmtStopsEarly(QueryCheck):
    """``| logfmt a, b`` that ends at the first field it finds."""

    name = "logql/logfmt-stops-early"
    severity = Severity.WARNING
    summary = "`logfmt` with named fields that reads only one of them"
    needs = (ast.LogfmtParser, ast.Extraction, ast.RangeAggregation)

    def check(self, query: Query) -> Iterator[Finding]:
        if not any(len(stage.extractions) > 1 for stage in query.nodes(ast.LogfmtParser)):
            return
        outer = {id(node.inner): node for node in query.nodes(ast.VectorAggregation)}
        for node in query.nodes(ast.RangeAggregation):
            for stage, needed in _stopping(node, outer.get(id(node))):
                names = ", ".join(item.name for item in stage.extractions)
                message = (
                    f"Loki stops reading a line at the first of these fields that it finds ({names}): "
                    "the others stay empty"
                )
                listed = " and ".join(f"`{name}`" for name in sorted(needed))
                hint = (
                    f"the query needs {listed} only; write `| logfmt`, which reads all that the query needs"
                )
                yield self.finding(query.place(stage), message, hint=hint)


def _stopping(
    node: ast.RangeAggregation, outer: ast.VectorAggregation | None
) -> Iterator[tuple[ast.LogfmtParser, frozenset[str]]]:
    """The stages that stop early, and the labels that the query needs."""
    log_range = node.log_range
    grouping = extraction.extraction_grouping(node, outer)
    if grouping is None or grouping.without:
        return
    needed = hints.metric_hints(log_range.log.stages, log_range.unwrap, grouping).required
    stream_labels = {matcher.name for matcher in log_range.log.selector.matchers}
    for stage in log_range.log.stages if needed else ():
        if not isinstance(stage, ast.LogfmtParser) or len(stage.extractions) < 2:
            continue
        # The names count as found before reading begins; labels of the stream do not.
        named = {item.name for item in stage.extractions} - stream_labels
        if needed and needed <= named:
            yield stage, needed


class UnusedParser(QueryCheck):
    """A parser whose labels nobody reads."""

    name = "logql/unused-parser"
    severity = Severity.INFO
    summary = "a parser whose labels are not used"
    needs = (ast.ParserStage, ast.RangeAggregation, "sum")

    def check(self, query: Query) -> Iterator[Finding]:
        for log_range in _ranges_without_parsing(query):
            for stage in log_range.log.stages:
                if isinstance(stage, ast.ParserStage):
                    message = f"nothing uses what `{query.written(stage)}` extracts: Loki skips it"
                    hint = "remove it, or filter or group by one of its labels"
                    yield self.finding(query.place(stage), message, hint=hint)


class UnusedLineFormat(QueryCheck):
    """A ``line_format`` in a metric query that nothing reads."""

    name = "logql/unused-line-format"
    severity = Severity.INFO
    summary = "a `line_format` in a metric query that nothing reads"
    needs = (ast.LineFormat, ast.RangeAggregation)
    fixable = True

    def check(self, query: Query) -> Iterator[Finding]:
        for node in query.nodes(ast.RangeAggregation):
            if node.operation.startswith("bytes_"):
                continue
            stages = node.log_range.log.stages
            for index, stage in enumerate(stages):
                if isinstance(stage, ast.LineFormat) and not any(
                    map(semantics.reads_line, stages[index + 1 :])
                ):
                    message = "this changes the text of lines that are only counted: Loki leaves it out"
                    edit = removal(query, stage)
                    yield self.finding(query.place(stage), message, hint="remove it", edit=edit)


class LabelFormatSelf(QueryCheck):
    """``label_format a=a`` deletes the label."""

    name = "logql/label-format-self"
    severity = Severity.WARNING
    summary = "`label_format a=a`, which deletes the label"
    wants = (ast.LabelFormatItem,)

    def check(self, query: Query) -> Iterator[Finding]:
        for item in query.nodes(ast.LabelFormatItem):
            if not item.is_template and item.name == item.value:
                message = f"renaming `{item.name}` to itself deletes it"
                yield self.finding(query.place(item), message, hint="remove it")


CHECKS = (
    *(UnwrapWithoutErrorFilter, ErrorFilterTooEarly, ErrorFilterAfterUnwrap, ParserError),
    *(LogfmtStopsEarly, UnusedParser, UnusedLineFormat, LabelFormatSelf),
)
