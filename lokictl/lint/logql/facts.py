"""What can be told of an expression without running it: its labels, whether it filters, what can fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lokictl.logql import ast
from lokictl.logql.expressions import MatchOperator

COUNTING = ("count_over_time", "rate", "bytes_over_time", "bytes_rate")
COMPARISONS = ("==", "!=", ">", ">=", "<", "<=")
SETS = ("and", "or", "unless")
FALLIBLE_FILTERS = (
    ast.NumberLabelFilter,
    ast.DurationLabelFilter,
    ast.BytesLabelFilter,
    ast.IpLabelFilter,
)
PARSERS = (ast.JsonParser, ast.LogfmtParser, ast.RegexpParser, ast.PatternParser, ast.UnpackParser)


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
        if isinstance(stage, ast.KeepLabels):
            kept = frozenset(item.name for item in stage.items)
            labels = Labels(kept | {"__error__", "__error_details__"})
        elif isinstance(stage, ast.DropLabels):
            labels = labels.without(
                frozenset(item.name for item in stage.items if isinstance(item, ast.LabelName))
            )
        elif isinstance(stage, ast.LabelFormat):
            labels = labels.plus(frozenset(item.name for item in stage.items))
        elif isinstance(stage, PARSERS):
            names = extracted(stage)
            labels = Labels(labels.names | (names or frozenset()), labels.open or names is None)
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
    if expression.operation in ("topk", "bottomk", "approx_topk", "sort", "sort_desc"):
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
    if isinstance(stage, ast.JsonParser | ast.LogfmtParser):
        return frozenset(item.name for item in stage.extractions) if stage.extractions else None
    if isinstance(stage, ast.RegexpParser):
        from lokictl.logql.regex import RegexError, parse_regex

        try:
            return frozenset(name for name in parse_regex(stage.pattern).group_names if name)
        except RegexError:
            return None
    if isinstance(stage, ast.PatternParser):
        from lokictl.logql.validation import split_pattern

        return frozenset(name for capture, name in split_pattern(stage.pattern) if capture and name != "_")
    return None if isinstance(stage, ast.UnpackParser) else frozenset()


def pinned_labels(expression: ast.Node) -> dict[str, str]:
    """Labels that every stream of the expression has with one value: name -> value."""
    found: dict[str, set[str]] = {}
    selectors = [node for node in expression.walk() if isinstance(node, ast.StreamSelector)]
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


def is_count(expression: ast.Node) -> bool:
    """Whether every value is a whole number of lines or bytes, hence at least 1 where there is one."""
    match expression:
        case ast.RangeAggregation():
            return expression.operation in ("count_over_time", "bytes_over_time")
        case ast.VectorAggregation():
            return expression.operation in (
                "sum",
                "max",
                "min",
                "topk",
                "bottomk",
                "sort",
                "sort_desc",
            ) and is_count(expression.inner)
        case ast.BinaryOperation():
            if expression.operator in COMPARISONS and not expression.return_bool:
                return is_count(expression.left)
            return expression.operator in ("+", "and", "unless") and (
                is_count(expression.left) and (is_count(expression.right) or expression.operator != "+")
            )
        case ast.LabelReplace():
            return is_count(expression.inner)
    return False


def is_rate(expression: ast.Node) -> bool:
    """Whether every value is a rate of lines or bytes: above 0 where there is one."""
    match expression:
        case ast.RangeAggregation():
            return expression.operation in ("rate", "bytes_rate") and expression.log_range.unwrap is None
        case ast.VectorAggregation():
            return expression.operation in (
                "sum",
                "max",
                "min",
                "avg",
                "topk",
                "bottomk",
                "sort",
                "sort_desc",
            ) and (is_rate(expression.inner))
        case ast.LabelReplace():
            return is_rate(expression.inner)
    return False


def is_positive(expression: ast.Node) -> bool:
    """Whether every value is above 0: counts and rates exist only where a line matched."""
    match expression:
        case ast.VectorAggregation():
            if expression.operation == "count":
                return True
            if expression.operation in ("sum", "max", "min", "avg", "topk", "bottomk", "sort", "sort_desc"):
                return is_positive(expression.inner)
            return False
        case ast.RangeAggregation():
            return is_count(expression) or is_rate(expression)
        case ast.BinaryOperation():
            if expression.operator in ("*", "/", "+"):
                return all(
                    is_positive(side) or (isinstance(side, ast.Literal) and side.value > 0)
                    for side in (expression.left, expression.right)
                )
            if expression.operator == "or":
                return is_positive(expression.left) and is_positive(expression.right)
            if expression.operator in ("and", "unless"):
                return is_positive(expression.left)
            return (
                expression.operator in COMPARISONS
                and not expression.return_bool
                and is_positive(expression.left)
            )
        case ast.LabelReplace():
            return is_positive(expression.inner)
        case ast.VectorFunction():
            return expression.value > 0
    return False


def primaries(node: ast.Node) -> Iterator[ast.LabelFilter]:
    """The single comparisons of a label filter."""
    for found in node.walk():
        if isinstance(found, ast.LabelFilter) and not isinstance(
            found, ast.AndLabelFilter | ast.OrLabelFilter
        ):
            yield found


def conjuncts(node: ast.LabelFilter) -> Iterator[ast.LabelFilter]:
    """The parts of a label filter that must all hold."""
    if isinstance(node, ast.AndLabelFilter):
        yield from conjuncts(node.left)
        yield from conjuncts(node.right)
    else:
        yield node


def filter_name(node: ast.LabelFilter) -> str:
    """The label that a single comparison is about."""
    return str(getattr(node, "name", ""))


def is_error_filter(node: ast.Node) -> bool:
    """``__error__=""`` (or a filter on it): lines with errors are dealt with."""
    return any(filter_name(item) == "__error__" for item in primaries(node))


def fallible(stage: ast.Node) -> str:
    """What in a stage can fail on a line and set ``__error__``; "" for nothing."""
    match stage:
        case ast.JsonParser():
            return "json"
        case ast.UnpackParser():
            return "unpack"
        case ast.LogfmtParser():
            return "logfmt --strict" if stage.strict else ""
        case ast.LabelFilterStage():
            return next(
                (filter_name(item) for item in primaries(stage) if isinstance(item, FALLIBLE_FILTERS)), ""
            )
    return ""
