"""What can be known about an expression without running it.

Which labels its answer has, whether its values are positive, what can fail on a line.  Everything about pipeline
stages comes from one table, `STAGES`; a stage that is missing there fails a test.  Since which Loki something parses
is in `lokictl.logql.versions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lokictl.logql import ast
from lokictl.logql.ast import COMPARISONS, MatchOperator
from lokictl.logql.grafana_variables import STAND_IN
from lokictl.logql.regex import RegexError, parse_regex
from lokictl.logql.validation import split_pattern
from lokictl.records import dataclass

COUNTING = ("count_over_time", "rate", "bytes_over_time", "bytes_rate")
"""Range aggregations that count lines or their bytes."""

SELECTING = ("topk", "bottomk", "approx_topk", "sort", "sort_desc")
"""Vector aggregations that keep whole series of their operand."""

Version = tuple[int, int]


# --- labels ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels that a result can have: ``names``, and (``open``) others besides."""

    names: frozenset[str]
    open: bool = False

    def lacks(self, name: str) -> bool:
        """Whether the result certainly has no such label."""
        return not self.open and name not in self.names

    def only(self, names: frozenset[str]) -> Labels:
        return Labels(names if self.open else names & self.names)

    def without(self, names: frozenset[str]) -> Labels:
        return Labels(self.names - names, self.open)

    def plus(self, names: frozenset[str]) -> Labels:
        return Labels(self.names | names, self.open)


NONE = Labels(frozenset())


def labels_of(expression: ast.Node) -> Labels:
    """The labels that the answer of an expression can have."""
    match expression:
        case ast.LogExpr():
            return _log_labels(expression)
        case ast.RangeAggregation():
            return _range_labels(expression)
        case ast.VectorAggregation():
            return _aggregated(labels_of(expression.inner), expression)
        case ast.LabelReplace():
            return labels_of(expression.inner).plus(frozenset([expression.destination]))
        case ast.BinaryOperation():
            return _binary_labels(expression)
    return NONE


def _log_labels(expression: ast.LogExpr) -> Labels:
    labels = Labels(frozenset(matcher.name for matcher in expression.selector.matchers), open=True)
    for stage in expression.stages:
        labels = STAGES[type(stage)].labels(stage, labels)
    return labels


def _range_labels(expression: ast.RangeAggregation) -> Labels:
    if expression.operation == "absent_over_time":
        selector = expression.log_range.log.selector
        pinned: dict[str, int] = {}
        for matcher in selector.matchers:
            pinned[matcher.name] = pinned.get(matcher.name, 0) + 1
        return Labels(
            frozenset(
                matcher.name
                for matcher in selector.matchers
                if matcher.operator == MatchOperator.EQUAL and pinned[matcher.name] == 1
            )
        )
    labels = _log_labels(expression.log_range.log)
    if expression.grouping is not None:
        return _grouped(labels, expression.grouping)
    unwrap = expression.log_range.unwrap
    return labels.without(frozenset([unwrap.label])) if unwrap is not None else labels


def _aggregated(inner: Labels, expression: ast.VectorAggregation) -> Labels:
    if expression.operation in SELECTING:
        return inner
    return _grouped(inner, expression.grouping)


def _grouped(labels: Labels, grouping: ast.Grouping) -> Labels:
    names = frozenset(grouping.labels)
    return labels.without(names) if grouping.without else labels.only(names)


def _binary_labels(expression: ast.BinaryOperation) -> Labels:
    left, right = labels_of(expression.left), labels_of(expression.right)
    matching = expression.matching
    if is_scalar(expression.left):
        return right
    if is_scalar(expression.right) or expression.operator in ("and", "unless"):
        return left
    if expression.operator == "or":
        return Labels(left.names | right.names, left.open or right.open)
    if matching is None:
        return left
    if matching.group is not None:
        many = left if matching.group == "left" else right
        return many.plus(frozenset(matching.include))
    names = frozenset(matching.labels)
    return left.only(names) if matching.on else left.without(names)


def extracted(stage: ast.Stage) -> frozenset[str] | None:
    """The labels that a parser stage can make; None when that depends on the line."""
    names = _extracted_names(stage)
    # A variable can stand for any list of names.
    return None if names is None or any(name.startswith(STAND_IN) for name in names) else names


def _extracted_names(stage: ast.Stage) -> frozenset[str] | None:
    if isinstance(stage, ast.JsonParser | ast.LogfmtParser):
        return frozenset(item.name for item in stage.extractions) if stage.extractions else None
    if isinstance(stage, ast.RegexpParser):
        # Compiling regular expressions is the slow part of this package's import.
        try:
            return frozenset(name for name in parse_regex(stage.pattern).group_names if name)
        except RegexError:
            return None
    if isinstance(stage, ast.PatternParser):
        return frozenset(name for capture, name in split_pattern(stage.pattern) if capture and name != "_")
    return None if isinstance(stage, ast.UnpackParser) else frozenset()


def pinned_labels(expression: ast.Node) -> dict[str, str]:
    """Labels that every stream of the expression has with one value: name -> value."""
    found: dict[str, set[str]] = {}
    selectors = list(expression.find_all(ast.StreamSelector))
    for selector in selectors:
        for matcher in selector.matchers:
            if matcher.operator == MatchOperator.EQUAL:
                found.setdefault(matcher.name, set()).add(matcher.value)
    everywhere = {
        name
        for name in found
        if all(any(matcher.name == name for matcher in selector.matchers) for selector in selectors)
    }
    return {
        name: next(iter(values)) for name, values in found.items() if len(values) == 1 and name in everywhere
    }


def is_scalar(expression: ast.Node) -> bool:
    """Whether the answer is a number rather than a vector."""
    return isinstance(expression, ast.Literal)


def is_filtering(expression: ast.Node) -> bool:
    """Whether the answer can be empty because of a value: what an alert needs."""
    match expression:
        case ast.BinaryOperation(operator="or"):
            return is_filtering(expression.left) and is_filtering(expression.right)
        case ast.BinaryOperation():
            # With `and` and `unless` it is the presence of the other side that decides.
            if expression.operator in ("and", "unless"):
                return True
            if expression.operator in COMPARISONS and not expression.return_bool:
                return True
            return is_filtering(expression.left) or is_filtering(expression.right)
        case ast.RangeAggregation():
            return expression.operation == "absent_over_time"
        case ast.VectorAggregation() | ast.LabelReplace():
            return is_filtering(expression.inner)
    return False


def returns_bool(expression: ast.Node) -> bool:
    """Whether the outermost comparison has ``bool``: the answer is 0 or 1, and never empty."""
    match expression:
        case ast.BinaryOperation():
            return expression.operator in COMPARISONS and expression.return_bool
        case ast.VectorAggregation() | ast.LabelReplace():
            return returns_bool(expression.inner)
    return False


def returns_lines_only(expression: ast.Node) -> bool:
    """Whether the answer is empty as long as no line matches."""
    match expression:
        case ast.RangeAggregation():
            return expression.operation != "absent_over_time"
        case ast.VectorAggregation() | ast.LabelReplace():
            return returns_lines_only(expression.inner)
        case ast.BinaryOperation(operator="or"):
            return returns_lines_only(expression.left) and returns_lines_only(expression.right)
        case ast.BinaryOperation(operator="unless"):
            return returns_lines_only(expression.left)
        case ast.BinaryOperation():
            return returns_lines_only(expression.left) or returns_lines_only(expression.right)
    return False


def is_count(expression: ast.Node) -> bool:
    """Whether every value is a whole number of lines, bytes or series, hence at least 1 where there is one."""
    match expression:
        case ast.RangeAggregation():
            return expression.operation in ("count_over_time", "bytes_over_time")
        case ast.VectorAggregation(operation="count"):
            return True
        case ast.VectorAggregation():
            return expression.operation in ("sum", "max", "min", *SELECTING) and is_count(expression.inner)
        case ast.BinaryOperation(operator="+" | "or"):
            return is_count(expression.left) and is_count(expression.right)
        case ast.BinaryOperation():
            return _keeps_left(expression) and is_count(expression.left)
        case ast.LabelReplace():
            return is_count(expression.inner)
    return False


def is_rate(expression: ast.Node) -> bool:
    """Whether every value is a rate of lines or bytes."""
    match expression:
        case ast.RangeAggregation():
            return expression.operation in ("rate", "bytes_rate") and expression.log_range.unwrap is None
        case ast.VectorAggregation():
            return expression.operation in ("sum", "max", "min", "avg", *SELECTING) and is_rate(
                expression.inner
            )
        case ast.LabelReplace():
            return is_rate(expression.inner)
    return False


def is_positive(expression: ast.Node) -> bool:
    """Whether every value is above 0: counts and rates exist only where a line matched."""
    match expression:
        case ast.Literal() | ast.VectorFunction():
            return expression.value > 0
        case ast.RangeAggregation():
            return expression.operation == "absent_over_time" or is_count(expression) or is_rate(expression)
        case ast.VectorAggregation(operation="count"):
            return True
        case ast.VectorAggregation():
            return expression.operation in ("sum", "max", "min", "avg", *SELECTING) and is_positive(
                expression.inner
            )
        case ast.LabelReplace():
            return is_positive(expression.inner)
        case ast.BinaryOperation(operator="*" | "/" | "+" | "or"):
            return is_positive(expression.left) and is_positive(expression.right)
        case ast.BinaryOperation(operator="^"):
            return is_positive(expression.left)
        case ast.BinaryOperation():
            return _keeps_left(expression) and (is_positive(expression.left) or _above_zero(expression))
    return False


def _keeps_left(expression: ast.BinaryOperation) -> bool:
    """Whether the answer has values of the left side only."""
    is_filter = expression.operator in COMPARISONS and not expression.return_bool
    return (is_filter and not is_scalar(expression.left)) or expression.operator in ("and", "unless")


def _above_zero(expression: ast.BinaryOperation) -> bool:
    """Whether a comparison lets nothing through but values above 0."""
    limit = expression.right
    if not isinstance(limit, ast.Literal):
        return False
    return (expression.operator == ">" and limit.value >= 0) or (
        expression.operator in (">=", "==") and limit.value > 0
    )


# --- label filters and errors ------------------------------------------------------------------------------


def comparisons(node: ast.Node) -> tuple[ast.LabelComparison, ...]:
    """The single comparisons of a label filter."""
    if isinstance(node, ast.LabelFilterStage):
        node = node.filter
    # Nearly every filter is one comparison.
    return (node,) if isinstance(node, ast.LabelComparison) else tuple(node.find_all(ast.LabelComparison))


def conjuncts(node: ast.LabelFilter) -> Iterator[ast.LabelFilter]:
    """The parts of a label filter that must all hold."""
    if isinstance(node, ast.AndLabelFilter):
        yield from conjuncts(node.left)
        yield from conjuncts(node.right)
    else:
        yield node


def is_error_filter(node: ast.Node) -> bool:
    """``__error__=""`` (or a filter on it): lines with errors are dealt with."""
    if not isinstance(node, ast.LabelFilterStage | ast.LabelFilter):
        return False
    return any(item.name == "__error__" for item in comparisons(node))


def fallible(stage: ast.Stage) -> str:
    """What in a stage can fail on a line and set ``__error__``; "" for nothing."""
    return STAGES[type(stage)].fallible(stage)


def _fallible_filter(stage: ast.LabelFilterStage) -> str:
    return next((item.name for item in comparisons(stage) if not isinstance(item, ast.StringLabelFilter)), "")


# --- pipeline stages ---------------------------------------------------------------------------------------


def _same(stage: Any, labels: Labels) -> Labels:
    return labels


def _after_parser(stage: ast.ParserStage, labels: Labels) -> Labels:
    names = extracted(stage)
    return Labels(labels.names | (names or frozenset()), labels.open or names is None)


def _after_keep(stage: ast.KeepLabels, labels: Labels) -> Labels:
    return Labels(frozenset(item.name for item in stage.items) | {"__error__", "__error_details__"})


def _after_drop(stage: ast.DropLabels, labels: Labels) -> Labels:
    return labels.without(frozenset(item.name for item in stage.items if isinstance(item, ast.LabelName)))


def _after_label_format(stage: ast.LabelFormat, labels: Labels) -> Labels:
    return labels.plus(frozenset(item.name for item in stage.items))


@dataclass(frozen=True, slots=True)
class StageTraits:
    """What a kind of stage does to a line and its labels.

    ``labels`` gives the labels behind the stage, ``relabels`` says whether that can change one; ``reads_line`` and
    ``writes_line`` are about the line's text; ``fallible`` names what can set ``__error__`` ("" for nothing).
    """

    keyword: str = ""
    reads_line: bool = False
    writes_line: bool = False
    labels: Callable[[Any, Labels], Labels] = _same
    fallible: Callable[[Any], str] = lambda stage: ""

    @property
    def relabels(self) -> bool:
        return self.labels is not _same


def _parser(
    keyword: str, fallible: Callable[[Any], str] = lambda stage: "", *, writes: bool = False
) -> StageTraits:
    return StageTraits(keyword, True, writes, _after_parser, fallible)


STAGES: dict[type[ast.Node], StageTraits] = {
    ast.LineFilter: StageTraits(reads_line=True),
    ast.LabelFilterStage: StageTraits(fallible=_fallible_filter),
    ast.JsonParser: _parser("json", lambda stage: "json"),
    ast.LogfmtParser: _parser("logfmt", lambda stage: "logfmt --strict" if stage.strict else ""),
    ast.RegexpParser: _parser("regexp"),
    ast.PatternParser: _parser("pattern"),
    ast.UnpackParser: _parser("unpack", lambda stage: "unpack", writes=True),
    ast.LineFormat: StageTraits("line_format", reads_line=True, writes_line=True),
    ast.LabelFormat: StageTraits("label_format", labels=_after_label_format),
    ast.Decolorize: StageTraits("decolorize", reads_line=True, writes_line=True),
    ast.DropLabels: StageTraits("drop", labels=_after_drop),
    ast.KeepLabels: StageTraits("keep", labels=_after_keep),
}


def reads_line(stage: ast.Stage) -> bool:
    """Whether a stage looks at the line's text."""
    if isinstance(stage, ast.LabelFormat):
        return any(item.is_template and "__line__" in item.value for item in stage.items)
    return STAGES[type(stage)].reads_line


def writes_line(stage: ast.Stage) -> bool:
    """Whether a stage can change the line's text."""
    return STAGES[type(stage)].writes_line


def relabels(stage: ast.Stage) -> bool:
    """Whether a stage can add, change or remove a label."""
    return STAGES[type(stage)].relabels
