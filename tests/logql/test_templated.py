"""Formatting keeps Grafana's variables."""

from __future__ import annotations

import pytest

from lokictl import logql
from tests.logql.test_grafana_variables import FILLED

KEPT = [
    ('sum(rate({app="a"}|json[$__auto]))', 'sum(rate({app="a"} | json[$__auto]))'),
    ('rate({app="a"}[${n}m] offset $shift)', 'rate({app="a"}[${n}m] offset $shift)'),
    ('{app=~"$app",level=$level} |= $text', '{app=~"$app", level=$level} |= $text'),
    ("{$filters}", "{$filters}"),
    ('{a="b"}|json|x>$limit', '{a="b"} | json | x>$limit'),
    ('{a="b"}|json|d>${limit}ms', '{a="b"} | json | d>${limit}ms'),
    ('topk($k,sum by($by,c)(rate({a="b"}[5m])))', 'topk($k,sum by ($by,c)(rate({a="b"}[5m])))'),
    ("vector($n)", "vector($n)"),
    ('quantile_over_time($q,{a="b"}|unwrap $x[5m])', 'quantile_over_time($q,{a="b"} | unwrap $x[5m])'),
    ('sum(rate({a="b"}[5m]))/$__range_s', '(sum(rate({a="b"}[5m])) / $__range_s)'),
]


@pytest.mark.parametrize("query, expected", KEPT)
def test_variables_stay(query: str, expected: str) -> None:
    assert logql.format(query) == expected
    assert logql.format(expected) == expected


@pytest.mark.parametrize("query", ['$agg(rate({a="b"}[5m]))', '{a="b"} | json | $filter', '{a="b"} $more'])
def test_any_syntax_is_refused(query: str) -> None:
    with pytest.raises(logql.LogQLError, match="can stand for any piece of LogQL"):
        logql.format(query)


FORMATTED = [
    case
    for case in FILLED
    # Comments are not part of an expression; of the rest, a variable stands for a stage, a function, an operator.
    if case[0]
    not in (
        *("comment", "pipeline", "pipeline in a range", "line filter operator", "matcher operator", "stage"),
        *("function", "part of a function", "aggregation", "metric operator", "conversion"),
    )
]


@pytest.mark.parametrize("query", [case[1] for case in FORMATTED], ids=[case[0] for case in FORMATTED])
def test_every_usual_placement_is_kept(query: str) -> None:
    formatted = logql.format(query)
    assert query.count("$") == formatted.count("$")
    assert logql.format(formatted) == formatted
