"""What Loki checks beyond the grammar, in its order and its words (all without a position)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from lokictl.lazy import lazy_pattern
from lokictl.logql import ast
from lokictl.logql.ast import Span
from lokictl.logql.matching import compile_matcher
from lokictl.logql.regex import RegexError, parse_regex
from lokictl.logql.versions import DEFAULT, GROUP_NAMES_CLEANED, SHORT_GROUP_NAMES, LokiVersion

NO_MATCHER = (
    "queries require at least one regexp or equality matcher that does not have an empty-compatible value. "
    'For instance, app=~".*" does not meet this requirement, but app=~".+" will'
)

WITH_GROUPING = frozenset(
    f"{name}_over_time" for name in ["avg", "stddev", "stdvar", "quantile", "max", "min", "first", "last"]
)
NEVER_UNWRAPPED = frozenset(["count_over_time", "bytes_over_time", "bytes_rate"])
WITHOUT_UNWRAP = frozenset(["rate", "count_over_time", "bytes_over_time", "bytes_rate", "absent_over_time"])

Found = tuple[str, Span]


def check_expression(expression: ast.Expr, failures: Mapping[int, str]) -> Found | None:
    """The first thing wrong with a whole expression; ``failures`` are what its nodes' constructors found."""
    if isinstance(expression, ast.LogExpr):
        return _check_selector(expression.selector)
    if isinstance(expression, ast.Variants):
        for variant in expression.variants:
            found = _check_metric(variant, failures)
            if found:
                return found
        return _check_selector(expression.of.log.selector)
    assert isinstance(expression, ast.MetricExpr)
    return _check_metric(expression, failures)


def _check_metric(node: ast.MetricExpr, failures: Mapping[int, str]) -> Found | None:
    own = failures.get(id(node))
    if own:
        return own, node.span
    if isinstance(node, ast.BinaryOperation):
        return _check_metric(node.left, failures) or _check_metric(node.right, failures)
    if isinstance(node, ast.VectorAggregation):
        if node.operation in ("sort", "sort_desc") and node.grouping.labels:
            return "sort and sort_desc doesn't allow grouping by ", node.grouping.span
        return _check_metric(node.inner, failures)
    if isinstance(node, ast.LabelReplace):
        return _check_metric(node.inner, failures)
    if isinstance(node, ast.RangeAggregation):
        return _check_range(node) or _check_selector(node.log_range.log.selector)
    return None


def _check_range(node: ast.RangeAggregation) -> Found | None:
    if node.grouping is not None and node.operation not in WITH_GROUPING:
        return f"grouping not allowed for {node.operation} aggregation", node.grouping.span
    if node.log_range.unwrap is not None:
        if node.operation in NEVER_UNWRAPPED:
            return f"invalid aggregation {node.operation} with unwrap", node.log_range.unwrap.span
    elif node.operation not in WITHOUT_UNWRAP:
        return f"invalid aggregation {node.operation} without unwrap", node.span
    return None


def _check_selector(selector: ast.StreamSelector) -> Found | None:
    for matcher in selector.matchers:
        if not matches_empty(matcher):
            return None
    return NO_MATCHER, selector.span


def matches_empty(matcher: ast.Matcher) -> bool:
    """Whether a stream selector's matcher holds for a missing label."""
    if matcher.operator == ast.MatchOperator.EQUAL:
        return matcher.value == ""
    # Compiling regular expressions is the slow part of this package's import.
    return compile_matcher(matcher)("")


def compile_regex(pattern: str, *, whole: bool = False, version: LokiVersion = DEFAULT) -> str:
    """What Go says of a regular expression; "" when nothing is wrong.

    ``whole``: as ``label_replace`` compiles it, which shows in the message.
    """
    try:
        parse_regex(f"^(?:{pattern})$" if whole else pattern, short_groups=version.has(SHORT_GROUP_NAMES))
    except RegexError as error:
        return str(error)
    return ""


def check_regexp(pattern: str, version: LokiVersion = DEFAULT) -> str:
    """What is wrong with the expression of a ``regexp`` stage."""
    try:
        parsed = parse_regex(pattern, short_groups=version.has(SHORT_GROUP_NAMES))
    except RegexError as error:
        return str(error)
    names = [name for name in parsed.group_names if name]
    seen: set[str] = set()
    for name in names:
        if name[0].isdigit() and not version.has(GROUP_NAMES_CLEANED):
            return f"invalid extracted label name '{name}'"
        if name in seen:
            return f"duplicate extracted label name '{name}'"
        seen.add(name)
    return "" if names else "at least one named capture must be supplied"


_CAPTURE = lazy_pattern(r"<([a-zA-Z_][a-zA-Z0-9_]*)>")


def split_pattern(pattern: str) -> list[tuple[bool, str]]:
    """A pattern's elements: (is a capture, its name or the literal text)."""
    elements: list[tuple[bool, str]] = []
    position = 0
    for found in _CAPTURE.finditer(pattern):
        if found.start() > position:
            elements.append((False, pattern[position : found.start()]))
        elements.append((True, found[1]))
        position = found.end()
    if position < len(pattern):
        elements.append((False, pattern[position:]))
    return elements


def consecutive_captures(elements: list[tuple[bool, str]]) -> str:
    """The first two captures without a string between them, as ``<a><b>``; "" if there are none."""
    for (first, name), (second, other) in itertools.pairwise(elements):
        if first and second:
            return f"<{name}><{other}>"
    return ""


def check_pattern(pattern: str) -> str:
    """What is wrong with the expression of a ``pattern`` stage."""
    if not pattern:
        return "parse error at line 1, col 1: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL"
    elements = split_pattern(pattern)
    names = [name for is_capture, name in elements if is_capture and name != "_"]
    if not names:
        return "at least one capture is required"
    together = consecutive_captures(elements)
    if together:
        return f"found consecutive capture '{together}': invalid expression"
    for index, name in enumerate(names):
        if name in names[:index]:
            return f"duplicate capture name ({name}): invalid expression"
    return ""
