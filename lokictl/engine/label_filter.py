"""Label filters, compiled to functions of a line's labels."""

from __future__ import annotations

import operator
from collections.abc import Callable

from lokictl.engine.ip import IpPatternError, compile_ip
from lokictl.engine.labels import FILTER_ERROR, LabelBuilder
from lokictl.logql import ast
from lokictl.logql.ast import ComparisonOperator, MatchOperator
from lokictl.logql.regex import Always, compile_test, simplify
from lokictl.logql.units import parse_bytes, parse_float, parse_go_duration
from lokictl.logql.versions import DEFAULT, FIRST_BYTE_FOLDS, TYPED_FILTERS_DROP_ERRORS, LokiVersion

Filter = Callable[[LabelBuilder], bool]

COMPARE: dict[ComparisonOperator, Callable[[float, float], bool]] = {
    ComparisonOperator.EQUAL: operator.eq,
    ComparisonOperator.NOT_EQUAL: operator.ne,
    ComparisonOperator.GREATER: operator.gt,
    ComparisonOperator.GREATER_OR_EQUAL: operator.ge,
    ComparisonOperator.LESS: operator.lt,
    ComparisonOperator.LESS_OR_EQUAL: operator.le,
}


def is_no_op(node: ast.LabelFilter) -> bool:
    """Whether Loki throws the filter away because it always holds (``=~".*"``)."""
    return (
        isinstance(node, ast.StringLabelFilter)
        and node.operator == MatchOperator.REGEX
        and isinstance(simplify(node.value, for_label=True), Always)
    )


def compile_label_filter(node: ast.LabelFilter, version: LokiVersion = DEFAULT) -> Filter:
    """The filter as a function; it may set the line's error.  Raises `IpPatternError` for a bad ``ip()`` pattern."""
    if isinstance(node, ast.AndLabelFilter):
        return _both(_lenient(node.left, version), _lenient(node.right, version))
    if isinstance(node, ast.OrLabelFilter):
        left, right = _lenient(node.left, version), _lenient(node.right, version)
        return lambda builder: left(builder) or right(builder)
    if isinstance(node, ast.StringLabelFilter):
        return _string(node, version)
    if isinstance(node, ast.NumberLabelFilter):
        return _typed(node.name, COMPARE[node.operator], node.value, parse_float, version)
    if isinstance(node, ast.DurationLabelFilter):
        return _typed(node.name, COMPARE[node.operator], node.value, parse_go_duration, version)
    if isinstance(node, ast.BytesLabelFilter):
        return _typed(node.name, COMPARE[node.operator], node.value, parse_bytes, version)
    assert isinstance(node, ast.IpLabelFilter)
    return _ip(node, version)


def _lenient(node: ast.LabelFilter, version: LokiVersion) -> Filter:
    try:
        return compile_label_filter(node, version)
    except IpPatternError:
        # Inside of and/or a bad pattern silently matches nothing, but lines with an error pass.
        return lambda builder: bool(builder.error)


def compile_unwrap_filter(node: ast.LabelFilter, version: LokiVersion) -> Filter:
    """A filter after ``unwrap``.  There a bad ``ip()`` pattern lets lines pass that have an error and not the label."""
    try:
        return compile_label_filter(node, version)
    except IpPatternError:
        assert isinstance(node, ast.IpLabelFilter)
        name = node.name
        return lambda builder: bool(builder.error) and builder.get(name) is None


def _both(left: Filter, right: Filter) -> Filter:
    def both(builder: LabelBuilder) -> bool:
        first = left(builder)
        # The right side runs even so: it may set an error.
        return right(builder) and first

    return both


def _string(node: ast.StringLabelFilter, version: LokiVersion) -> Filter:
    name, value = node.name, node.value
    if node.operator == MatchOperator.EQUAL:
        return lambda builder: builder.value_for_filter(name) == value
    if node.operator == MatchOperator.NOT_EQUAL:
        return lambda builder: builder.value_for_filter(name) != value
    test = compile_test(simplify(value, for_label=True), any_letter=not version.has(FIRST_BYTE_FOLDS))
    if node.operator == MatchOperator.REGEX:
        return lambda builder: test(_encoded(builder.value_for_filter(name)))
    return lambda builder: not test(_encoded(builder.value_for_filter(name)))


def _encoded(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _typed(
    name: str,
    compare: Callable[[float, float], bool],
    threshold: float,
    convert: Callable[[str], float],
    version: LokiVersion,
) -> Filter:
    passes_errors = not version.has(TYPED_FILTERS_DROP_ERRORS)

    def check(builder: LabelBuilder) -> bool:
        if passes_errors and builder.error:
            return True
        value = builder.get(name)
        if value is None:
            return False
        try:
            return compare(convert(value), threshold)
        except ValueError as error:
            if not builder.error:
                builder.fail(FILTER_ERROR, str(error))
            return True

    return check


def _ip(node: ast.IpLabelFilter, version: LokiVersion) -> Filter:
    name, found = node.name, compile_ip(node.pattern, version)
    wanted = node.operator == MatchOperator.EQUAL

    def check(builder: LabelBuilder) -> bool:
        if builder.error:
            return True
        value = builder.get(name)
        return value is not None and found(_encoded(value)) is wanted

    return check
