"""Filters that do nothing, that let nothing through, or that are in the wrong place."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lokictl.diagnostics import Severity
from lokictl.lint.interface import Edit, Finding, Query, QueryCheck
from lokictl.logql import ast, semantics
from lokictl.logql.ast import LineFilterOperator as Line
from lokictl.logql.ast import MatchOperator as Match
from lokictl.logql.cache import parse_cached
from lokictl.logql.errors import LogQLError
from lokictl.logql.regex import compile_selector, compile_test, simplify

CONTAINS, NOT_CONTAINS = Line.CONTAINS, Line.NOT_CONTAINS

COMPARED = 200
"""Filters of one pipeline that are compared with each other; comparing thousands in pairs takes too long."""


PARSED_AGAIN = 1_000
"""Characters up to which a query is parsed again for each repair."""


def removal(query: Query, stage: ast.Node) -> Edit | None:
    """The edit that takes a stage out, with its `|` and the spaces before it."""
    if not query.is_fixed:
        return None
    span = query.original(stage.span)
    start = _blanks_before(query.text, span.start)
    if not isinstance(stage, ast.LineFilter) and query.text[start - 1 : start] == "|":
        start = _blanks_before(query.text, start - 1)
    if not _can_go(query, stage, start, span.end):
        return None
    return query.source.edit(start, span.end, "")


def _can_go(query: Query, stage: ast.Node, start: int, end: int) -> bool:
    """Whether the query without a stretch of its text is the query without the stage."""
    if len(query.text) <= PARSED_AGAIN and query.expression is not None:
        after = parse_cached(query.text[:start] + query.text[end:])
        return bool(after == query.expression.replace(stage, None))
    return "#" not in query.text and "//" not in query.text and _is_one_stage(query.text[start:end], stage)


def _is_one_stage(text: str, stage: ast.Node) -> bool:
    """Whether a stretch of a pipeline is this stage and nothing else."""
    found = parse_cached('{a="b"}' + text)
    return isinstance(found, ast.LogExpr) and found.stages == (stage,)


def _blanks_before(text: str, offset: int) -> int:
    while offset > 0 and text[offset - 1].isspace():
        offset -= 1
    return offset


class RedundantFilter(QueryCheck):
    """Always true, or said already."""

    name = "logql/redundant-filter"
    severity = Severity.WARNING
    summary = "a filter that drops nothing, or repeats another"
    wants = (ast.LineFilter, ast.LabelFilterStage)
    fixable = True

    def check(self, query: Query) -> Iterator[Finding]:
        one_label_filter = len(query.nodes(ast.LabelFilterStage)) == 1
        for log in query.nodes(ast.LogExpr):
            lines: list[ast.LineFilter] = []
            known: dict[str, list[ast.LineFilter]] = {}
            labels: dict[str, ast.LabelFilterStage] = {}
            for stage in log.stages:
                if isinstance(stage, ast.LineFilter):
                    yield from self._line(query, stage, lines, known)
                elif isinstance(stage, ast.LabelFilterStage):
                    yield from self._label(query, stage, labels, alone=one_label_filter)
                elif semantics.relabels(stage):
                    labels = {}
                if semantics.writes_line(stage):
                    lines, known = [], {}

    def _line(
        self,
        query: Query,
        stage: ast.LineFilter,
        before: list[ast.LineFilter],
        known: dict[str, list[ast.LineFilter]],
    ) -> Iterator[Finding]:
        if any(query.has_variable(leg.value) for leg in stage.legs):
            return
        if always_true(stage):
            message = f"`{query.written(stage)}` drops no line"
            edit = removal(query, stage)
            # Grafana's query builder writes an empty filter by itself, and Loki drops it.
            built = query.dashboard is not None and stage.legs[0].value == ""
            severity = Severity.INFO if built else None
            yield self.finding(query.place(stage), message, hint="remove it", edit=edit, severity=severity)
            return
        alike = known.setdefault(stage.legs[0].value, [])
        if stage in alike:
            message = f"`{query.written(stage)}` is here twice"
            yield self.finding(query.place(stage), message, hint="remove one", edit=removal(query, stage))
            return
        alike.append(stage)
        for other in before:
            implied = _implied(stage, other)
            if implied is not None:
                message = f"`{query.written(other)}` is implied by `{query.written(stage)}`"
                hint = f"`{query.written(implied)}` alone is enough"
                place = other if implied is stage else stage
                yield self.finding(query.place(place), message, hint=hint, severity=Severity.INFO)
                return
        if len(before) < COMPARED:
            before.append(stage)

    def _label(
        self, query: Query, stage: ast.LabelFilterStage, seen: dict[str, ast.LabelFilterStage], *, alone: bool
    ) -> Iterator[Finding]:
        if isinstance(stage.filter, ast.StringLabelFilter) and _label_always_true(stage.filter):
            message = f"`{query.written(stage)}` drops no line"
            hint = 'remove it; a label that must be there is `!=""`'
            yield self.finding(query.place(stage), message, hint=hint, edit=removal(query, stage))
            return
        if alone:
            return
        text = str(stage)
        if text in seen:
            message = f"`{query.written(stage)}` is here twice"
            yield self.finding(query.place(stage), message, hint="remove one", edit=removal(query, stage))
        seen.setdefault(text, stage)


def always_true(stage: ast.LineFilter) -> bool:
    """Whether a line filter drops no line: ``|= ""``, ``|~ ".*"``."""
    if len(stage.legs) != 1 or stage.legs[0].is_ip:
        return False
    value = stage.legs[0].value
    if stage.operator == CONTAINS:
        return value == ""
    return stage.operator == Line.REGEX and value in ("", ".*")


def always_false(stage: ast.LineFilter) -> bool:
    """Whether a line filter drops every line: ``!= ""``, ``!~ ".*"``."""
    if any(leg.is_ip for leg in stage.legs):
        return False
    if stage.operator == NOT_CONTAINS:
        return any(leg.value == "" for leg in stage.legs)
    return stage.operator == Line.NOT_REGEX and any(leg.value in ("", ".*") for leg in stage.legs)


def _label_always_true(node: ast.StringLabelFilter) -> bool:
    return node.operator == Match.REGEX and node.value in ("", ".*")


def _label_always_false(node: ast.StringLabelFilter) -> bool:
    return node.operator == Match.NOT_REGEX and node.value in ("", ".*")


def _implied(first: ast.LineFilter, second: ast.LineFilter) -> ast.LineFilter | None:
    """The stronger one of two filters, where the other follows from it."""
    one, two = _text_of(first), _text_of(second)
    if one is None or two is None or first.operator != second.operator:
        return None
    if first.operator == CONTAINS:
        return first if two in one else second if one in two else None
    if first.operator == NOT_CONTAINS:
        return first if one in two else second if two in one else None
    return None


def _text_of(stage: ast.LineFilter) -> str | None:
    if len(stage.legs) == 1 and not stage.legs[0].is_ip and stage.legs[0].value:
        return stage.legs[0].value
    return None


class ContradictoryFilter(QueryCheck):
    """Conditions that no line can meet together."""

    name = "logql/contradictory-filter"
    severity = Severity.WARNING
    summary = "filters that together drop every line"

    def check(self, query: Query) -> Iterator[Finding]:
        for log in query.nodes(ast.LogExpr):
            matchers = log.selector.matchers
            if len(matchers) > 1 and len({matcher.name for matcher in matchers}) < len(matchers):
                yield from self._selector(query, log.selector)
            if query.nodes(ast.LineFilter):
                yield from self._lines(query, log)
            if _may_exclude(log):
                yield from self._labels(query, log)

    def _selector(self, query: Query, selector: ast.StreamSelector) -> Iterator[Finding]:
        same: dict[str, list[ast.Matcher]] = {}
        for matcher in selector.matchers:
            for other in same.setdefault(matcher.name, [])[:COMPARED]:
                if _excludes(query, other, matcher):
                    message = (
                        f"`{query.written(other)}` and `{query.written(matcher)}` cannot both be true: "
                        "the selector matches no stream"
                    )
                    yield self.finding(query.place(matcher), message)
                    return
            same[matcher.name].append(matcher)

    def _lines(self, query: Query, log: ast.LogExpr) -> Iterator[Finding]:
        wanted: list[ast.LineFilter] = []
        refused: list[ast.LineFilter] = []
        for stage in log.stages:
            if semantics.writes_line(stage):
                wanted, refused = [], []
            if not isinstance(stage, ast.LineFilter) or any(
                query.has_variable(leg.value) for leg in stage.legs
            ):
                continue
            if always_false(stage):
                message = f"`{query.written(stage)}` drops every line"
                yield self.finding(query.place(stage), message)
                continue
            text = _text_of(stage)
            if text is not None and stage.operator in (CONTAINS, NOT_CONTAINS):
                (wanted if stage.operator == CONTAINS else refused).append(stage)
        wanted, refused = wanted[:COMPARED], refused[:COMPARED]
        for need in wanted:
            for refuse in refused:
                if (_text_of(refuse) or "\0") in (_text_of(need) or ""):
                    message = (
                        f"`{query.written(need)}` and `{query.written(refuse)}` cannot both be true: "
                        "no line passes"
                    )
                    yield self.finding(query.place(refuse), message)

    def _labels(self, query: Query, log: ast.LogExpr) -> Iterator[Finding]:
        known: dict[str, list[ast.Node]] = {}
        for matcher in log.selector.matchers:
            known.setdefault(matcher.name, []).append(matcher)
        for stage in log.stages:
            if isinstance(stage, ast.LabelFormat):
                for item in stage.items:
                    known.pop(item.name, None)
                    known.pop(item.value, None)
            elif isinstance(stage, ast.DropLabels | ast.KeepLabels):
                known = {}
            elif isinstance(stage, ast.ParserStage):
                # A parser never overwrites a stream label; what it newly extracts is unknown.
                streams = {matcher.name for matcher in log.selector.matchers}
                known = {name: items for name, items in known.items() if name in streams}
            elif isinstance(stage, ast.LabelFilterStage):
                yield from self._conjuncts(query, stage, known)

    def _conjuncts(
        self, query: Query, stage: ast.LabelFilterStage, known: dict[str, list[ast.Node]]
    ) -> Iterator[Finding]:
        for part in semantics.conjuncts(stage.filter):
            if isinstance(part, ast.OrLabelFilter):
                continue
            if isinstance(part, ast.StringLabelFilter) and _label_always_false(part):
                message = f"`{query.written(part)}` drops every line"
                yield self.finding(query.place(part), message)
                continue
            name = str(getattr(part, "name", ""))
            for other in known.get(name, [])[:COMPARED]:
                if _excludes(query, other, part):
                    message = (
                        f"`{query.written(other)}` and `{query.written(part)}` cannot both be true: "
                        "no line passes"
                    )
                    yield self.finding(query.place(part), message)
                    break
            known.setdefault(name, []).append(part)


def _may_exclude(log: ast.LogExpr) -> bool:
    """Whether two conditions of a pipeline are on one label, or one of a label filter may be false by itself."""
    filters = [stage for stage in log.stages if isinstance(stage, ast.LabelFilterStage)]
    compared = [node for stage in filters for node in semantics.comparisons(stage)]
    names = {node.name for node in compared} | {matcher.name for matcher in log.selector.matchers}
    return bool(compared) and (
        len(names) < len(log.selector.matchers) + len(compared)
        or any(node.operator == Match.NOT_REGEX for node in compared)
    )


def _excludes(query: Query, one: ast.Node, two: ast.Node) -> bool:
    """Whether no value fits both conditions on one label."""
    texts = (ast.Matcher, ast.StringLabelFilter)
    if isinstance(one, texts) and isinstance(two, texts):
        if query.has_variable(one.value) or query.has_variable(two.value):
            return False
        return _texts_exclude(one, two) or _texts_exclude(two, one)
    numbers = (ast.NumberLabelFilter, ast.DurationLabelFilter, ast.BytesLabelFilter)
    if isinstance(one, numbers) and type(one) is type(two) and isinstance(two, numbers):
        low, high = _bounds(one), _bounds(two)
        bottom, top = max(low[0], high[0]), min(low[1], high[1])
        open_end = (low[2] if low[0] >= high[0] else high[2]) or (low[3] if low[1] <= high[1] else high[3])
        return bottom > top or (bottom == top and open_end and not math.isinf(bottom))
    return False


def _texts_exclude(
    one: ast.Matcher | ast.StringLabelFilter, two: ast.Matcher | ast.StringLabelFilter
) -> bool:
    if one.operator != Match.EQUAL:
        return False
    if two.operator == Match.EQUAL:
        return one.value != two.value
    if two.operator == Match.NOT_EQUAL:
        return one.value == two.value
    value = one.value.encode("utf-8", "surrogateescape")
    try:
        if isinstance(two, ast.Matcher):
            found = compile_selector(two.value).matches(value)
        else:
            found = compile_test(simplify(two.value, for_label=True))(value)
    except LogQLError:
        return False
    return found is (two.operator == Match.NOT_REGEX)


def _bounds(
    node: ast.NumberLabelFilter | ast.DurationLabelFilter | ast.BytesLabelFilter,
) -> tuple[float, float, bool, bool]:
    """(lowest, highest, lowest excluded, highest excluded) that a comparison lets through."""
    value, infinite = float(node.value), math.inf
    match str(node.operator):
        case "==":
            return value, value, False, False
        case ">":
            return value, infinite, True, False
        case ">=":
            return value, infinite, False, False
        case "<":
            return -infinite, value, False, True
        case "<=":
            return -infinite, value, False, False
    return -infinite, infinite, False, False


class FilterAfterParser(QueryCheck):
    """A line filter behind a parser that does not change the line."""

    name = "logql/filter-after-parser"
    severity = Severity.INFO
    summary = "a line filter that could run before the parser"
    needs = (ast.ParserStage, ast.LabelFilterStage, ast.LineFilter)

    def check(self, query: Query) -> Iterator[Finding]:
        for log in query.nodes(ast.LogExpr):
            parser: ast.Stage | None = None
            filtered = False
            for stage in log.stages:
                if semantics.writes_line(stage):
                    parser = None
                elif isinstance(stage, ast.ParserStage):
                    parser = parser or stage
                    filtered = False
                elif isinstance(stage, ast.LabelFilterStage):
                    filtered = True
                elif isinstance(stage, ast.LineFilter) and parser is not None and filtered:
                    message = (
                        f"every line is parsed before `{query.written(stage)}` runs, which needs no parsing"
                    )
                    hint = f"write it before `{query.written(parser)}`: the line is the same there"
                    yield self.finding(query.place(stage), message, hint=hint)


class LabelFilterBeforeParser(QueryCheck):
    """A filter on a label that only a later parser makes."""

    name = "logql/label-filter-before-parser"
    severity = Severity.INFO
    summary = "a filter on a parsed label in front of its parser"
    wants = (ast.LabelFilterStage,)

    def check(self, query: Query) -> Iterator[Finding]:
        for log in query.nodes(ast.LogExpr):
            streams = {matcher.name for matcher in log.selector.matchers}
            for index, stage in enumerate(log.stages):
                if isinstance(stage, ast.ParserStage):
                    break
                if isinstance(stage, ast.LabelFilterStage):
                    for part in semantics.comparisons(stage):
                        name = str(getattr(part, "name", ""))
                        if name not in streams and not name.startswith("__"):
                            yield from self._later(query, log.stages[index + 1 :], part, name)

    def _later(
        self, query: Query, stages: tuple[ast.Stage, ...], part: ast.LabelFilter, name: str
    ) -> Iterator[Finding]:
        for stage in stages:
            made = semantics.extracted(stage) if isinstance(stage, ast.ParserStage) else None
            if made is not None and name in made:
                message = f"`{name}` does not exist yet: `{query.written(stage)}` makes it later"
                hint = "write the filter after the parser"
                yield self.finding(query.place(part), message, hint=hint, severity=Severity.WARNING)
                return
        if any(field.name == name and not field.structured_metadata
               for service in self.workspace.services for field in service.fields):  # fmt: skip
            message = f"`{name}` is a field of the line: in front of the parser it is empty"
            yield self.finding(query.place(part), message, hint="write the filter after the parser")


class AmbiguousAndOr(QueryCheck):
    """``and``, ``or`` and commas mixed without parentheses."""

    name = "logql/mixed-and-or"
    severity = Severity.INFO
    summary = "`and`, `or` and commas mixed without parentheses"
    wants = (ast.OrLabelFilter,)

    def check(self, query: Query) -> Iterator[Finding]:
        for stage in query.nodes(ast.LabelFilterStage):
            for node in stage.filter.walk():
                inner = _mixed(query, node)
                if inner is not None:
                    meant = " and " if isinstance(node, ast.AndLabelFilter) else " or "
                    message = f"Loki reads this as {_grouped_text(query, stage.filter)}"
                    hint = f"put parentheses around what belongs together before `{meant.strip()}`"
                    yield self.finding(query.place(stage), message, hint=hint)
                    break


def _mixed(query: Query, node: ast.Node) -> ast.Node | None:
    if not isinstance(node, ast.AndLabelFilter | ast.OrLabelFilter):
        return None
    other = ast.OrLabelFilter if isinstance(node, ast.AndLabelFilter) else ast.AndLabelFilter
    for side in (node.left, node.right):
        if isinstance(side, other) and not _in_parentheses(query, side):
            return side
    return None


def _in_parentheses(query: Query, node: ast.Node) -> bool:
    span = query.original(node.span)
    text = query.text[span.start : span.end]
    if text.startswith("(") and text.endswith(")"):
        return True
    return query.text[: span.start].rstrip().endswith("(") and query.text[span.end :].lstrip().startswith(")")


def _grouped_text(query: Query, node: ast.LabelFilter) -> str:
    if isinstance(node, ast.AndLabelFilter):
        return f"({_grouped_text(query, node.left)} and {_grouped_text(query, node.right)})"
    if isinstance(node, ast.OrLabelFilter):
        return f"({_grouped_text(query, node.left)} or {_grouped_text(query, node.right)})"
    return query.written(node)


class IpInOr(QueryCheck):
    """``ip()`` in an ``or`` chain is plain text."""

    name = "logql/ip-in-or"
    severity = Severity.WARNING
    summary = "`ip()` in an `or` chain, where Loki reads it as plain text"
    needs = (ast.LineFilter, "ip", "or")

    def check(self, query: Query) -> Iterator[Finding]:
        for stage in query.nodes(ast.LineFilter):
            if len(stage.legs) > 1 and any(leg.is_ip for leg in stage.legs):
                message = "in an `or` chain Loki takes the pattern of `ip()` as plain text"
                hint = "use one `ip()` per filter: a range `1.2.3.0/24`, or a regular expression"
                yield self.finding(query.place(stage), message, hint=hint)


class ErrorDetailsFilter(QueryCheck):
    """``__error_details__`` always reads as empty."""

    name = "logql/error-details-filter"
    severity = Severity.WARNING
    summary = "a filter on `__error_details__`, which always reads as empty"
    wants = (ast.StringLabelFilter,)

    def check(self, query: Query) -> Iterator[Finding]:
        for node in query.nodes(ast.StringLabelFilter):
            if node.name == "__error_details__":
                message = "a filter sees `__error_details__` as empty, whatever it shows in the answer"
                yield self.finding(query.place(node), message, hint="filter on `__error__`")


class BroadSelector(QueryCheck):
    """A selector that says little more than "any stream"."""

    name = "logql/broad-selector"
    severity = Severity.INFO
    summary = "a stream selector that excludes next to nothing"
    wants = ("!=", "!~", "=~")

    def check(self, query: Query) -> Iterator[Finding]:
        for selector in query.nodes(ast.StreamSelector):
            if any(query.has_variable(matcher.value) for matcher in selector.matchers):
                continue
            if all(_says_nothing(matcher) for matcher in selector.matchers):
                message = "this selector reads nearly every stream"
                hint = (
                    "name at least one label with `=`: Loki's index can only narrow what the selector names"
                )
                yield self.finding(query.place(selector), message, hint=hint)


def _says_nothing(matcher: ast.Matcher) -> bool:
    if matcher.operator in (Match.NOT_EQUAL, Match.NOT_REGEX):
        return True
    return matcher.operator == Match.REGEX and matcher.value in (".+", ".*", "..*")


class FieldInSelector(QueryCheck):
    """A field of the line in the stream selector, or a stream label asked for behind the parser."""

    name = "logql/field-in-selector"
    severity = Severity.ERROR
    summary = "a matcher on a field of the line, where only stream labels can be matched"
    needs_services = True

    def check(self, query: Query) -> Iterator[Finding]:
        services = self.workspace.services
        labels = {name for service in services for name in service.label_names}
        fields = {name for service in services for name in service.field_names}
        for selector in query.nodes(ast.StreamSelector):
            for matcher in selector.matchers:
                if matcher.name in fields and matcher.name not in labels:
                    message = f"`{matcher.name}` is a field of the log line, not a label of the stream"
                    hint = f"filter after the parser: | json | {query.written(matcher)}"
                    yield self.finding(query.place(matcher), message, hint=hint)


CHECKS = (
    *(RedundantFilter, ContradictoryFilter, FilterAfterParser, LabelFilterBeforeParser, AmbiguousAndOr),
    *(IpInOr, ErrorDetailsFilter, BroadSelector, FieldInSelector),
)
