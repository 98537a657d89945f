"""Queries that a Loki's frontend answers wrongly when it shards them, in a form that it answers correctly.

With sharding on (the default) ``avg_over_time(… | unwrap x [5m]) by (a)`` is computed as a sum divided by a count
that forgets the ``unwrap``: lines without the label ``x`` count, too.  The same happens without a grouping where it
drops, keeps or renames labels.  Loki's ruler, which evaluates rules without a frontend, is right; so such averages are
asked as a sum divided by the count of the lines that have a value.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from lokictl.logql import ast, parse
from lokictl.logql.ast import MatchOperator

NUMBER = r"[-+]?(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?i:inf|infinity)|(?i:nan)"
"""What ``unwrap`` reads as a number; other lines are errors, which a filter behind it may remove."""


@lru_cache(maxsize=1024)
def safe(query: str) -> str:
    """The query as it should be asked."""
    expression = parse(query)
    for node in list(expression.find_all(ast.RangeAggregation)):
        if _is_wrong(node):
            expression = expression.replace(node, _as_quotient(node))
    return str(expression)


def _is_wrong(node: ast.RangeAggregation) -> bool:
    if node.operation != "avg_over_time" or node.log_range.unwrap is None:
        return False
    changes = (ast.DropLabels, ast.KeepLabels, ast.LabelFormat)
    return node.grouping is not None or any(isinstance(stage, changes) for stage in node.log_range.log.stages)


def _as_quotient(node: ast.RangeAggregation) -> ast.BinaryOperation:
    unwrap = node.log_range.unwrap
    assert unwrap is not None
    grouping = node.grouping or ast.Grouping((), True)
    if grouping.without:
        grouping = ast.Grouping((*grouping.labels, unwrap.label), True)
    tests: list[ast.LabelFilter] = [ast.StringLabelFilter(unwrap.label, MatchOperator.NOT_EQUAL, "")]
    if unwrap.conversion is None:
        tests.append(ast.StringLabelFilter(unwrap.label, MatchOperator.REGEX, NUMBER))
    stages = tuple(ast.LabelFilterStage(one) for one in (*tests, *unwrap.filters))
    log = node.log_range.log
    counted = replace(node.log_range, log=replace(log, stages=log.stages + stages), unwrap=None)
    total = ast.RangeAggregation("sum_over_time", node.log_range)
    count = ast.RangeAggregation("count_over_time", counted)
    return ast.BinaryOperation(
        "/",
        ast.VectorAggregation("sum", total, grouping=grouping),
        ast.VectorAggregation("sum", count, grouping=grouping),
    )
