"""What is asked of the log store, and what is applied here to its answers.

A rule such as ``sum(rate({app="a"}[5m])) * 60 > 20`` is asked as ``sum(rate({app="a"}[5m]))``: the arithmetic with
numbers, the comparisons and the set operations at its top are applied to the answers here, by the same functions as
in the engine.  So thresholds can be varied, and the value seen beside its threshold, without asking again.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import repeat
from operator import eq, ge, gt, le, lt, ne

from lokictl.backtest.series import Answers, Column, Grid, Sample, merged_gaps
from lokictl.engine.binary_operation import set_operation, with_number, with_vector
from lokictl.engine.errors import EvaluationError
from lokictl.logql import ast
from lokictl.logql.ast import COMPARISONS, SET_OPERATORS

Lookup = Callable[[str], Answers]
"""The answers to a query that was asked, by its text."""

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": eq,
    "!=": ne,
    ">": gt,
    ">=": ge,
    "<": lt,
    "<=": le,
}


def is_applied_here(node: ast.Expr) -> bool:
    """Whether a node at the top of an expression is applied to answers instead of being asked."""
    if isinstance(node, ast.Literal | ast.VectorFunction):
        return True
    if not isinstance(node, ast.BinaryOperation):
        return False
    if node.operator in COMPARISONS or node.operator in SET_OPERATORS:
        return True
    return isinstance(node.left, ast.Literal) or isinstance(node.right, ast.Literal)


def queries(expression: ast.Expr, *, whole: bool = False) -> list[str]:
    """The queries that an expression needs answers to, each once; ``whole``: the expression itself."""
    return [str(expression)] if whole else list(dict.fromkeys(str(node) for node in _asked(expression)))


def _asked(node: ast.Expr) -> Iterator[ast.Expr]:
    if not is_applied_here(node):
        yield node
    elif isinstance(node, ast.BinaryOperation):
        yield from _asked(node.left)
        yield from _asked(node.right)


def comparisons(expression: ast.Expr) -> list[ast.BinaryOperation]:
    """The comparisons that are applied here, in the order of the text."""
    found: list[ast.BinaryOperation] = []
    pending: list[ast.Expr] = [expression]
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.BinaryOperation) and is_applied_here(node):
            if node.operator in COMPARISONS and not node.return_bool:
                found.append(node)
            pending[:0] = [node.left, node.right]
    return found


def apply(node: ast.Expr, lookup: Lookup, grid: Grid) -> Answers:
    """What an expression gives on a grid, from the answers to its `queries`."""
    if not is_applied_here(node):
        return lookup(str(node))
    if isinstance(node, ast.Literal | ast.VectorFunction):
        values = array("d", repeat(node.value, grid.count))
        return Answers({(): Column(array("q", range(grid.count)), values)})
    assert isinstance(node, ast.BinaryOperation)
    if isinstance(node.left, ast.Literal) or isinstance(node.right, ast.Literal):
        number_left = isinstance(node.left, ast.Literal)
        literal, other = (node.left, node.right) if number_left else (node.right, node.left)
        assert isinstance(literal, ast.Literal)
        return _with_number(node, apply(other, lookup, grid), literal.value, number_left=number_left)
    return _with_answers(node, apply(node.left, lookup, grid), apply(node.right, lookup, grid))


def _with_number(node: ast.BinaryOperation, inner: Answers, number: float, *, number_left: bool) -> Answers:
    series = {}
    for labels, column in inner.series.items():
        found = (
            _compared(node.operator, column, number, number_left=number_left)
            if node.operator in COMPARISONS and not node.return_bool
            else _computed(node, column, number, number_left=number_left)
        )
        if len(found):
            series[labels] = found
    return Answers(series, inner.failures, inner.gaps, inner.refusal)


def _compared(operator: str, column: Column, number: float, *, number_left: bool) -> Column:
    holds = _COMPARE[operator]
    pairs = zip(column.indexes, column.values, strict=True)
    if number_left:
        kept = [(index, value) for index, value in pairs if holds(number, value)]
    else:
        kept = [(index, value) for index, value in pairs if holds(value, number)]
    return Column(array("q", [index for index, _ in kept]), array("d", [value for _, value in kept]))


def _computed(node: ast.BinaryOperation, column: Column, number: float, *, number_left: bool) -> Column:
    elements: list[Sample] = [((), value) for value in column.values]
    results = with_number(
        node.operator, elements, number, number_left=number_left, return_bool=node.return_bool
    )
    return Column(column.indexes, array("d", [value for _, value in results]))


def _with_answers(node: ast.BinaryOperation, left: Answers, right: Answers) -> Answers:
    combine = set_operation if node.operator in SET_OPERATORS else with_vector
    first, second = left.rows(), right.rows()
    # The right side is evaluated first: of two failing sides, its error is the one that Loki reports.
    failures = {**left.failures, **right.failures}
    silent = failures.keys() | left.missing() | right.missing()
    rows: dict[int, list[Sample]] = {}
    for index in first.keys() | second.keys():
        if index in silent:
            continue
        try:
            elements = combine(node, first.get(index, []), second.get(index, []))
        except EvaluationError as error:
            failures[index] = str(error)
        else:
            if elements:
                rows[index] = elements
    answers = Answers.of_rows(rows)
    answers.failures, answers.gaps = failures, merged_gaps(left, right)
    answers.refusal = right.refusal or left.refusal
    return answers
