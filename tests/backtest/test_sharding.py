"""Averages that are asked in other words give the same."""

from __future__ import annotations

import json

import pytest

from lokictl.backtest.sharding import safe
from lokictl.engine import Engine, LogStore

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND

REWRITTEN = (
    'avg_over_time({app="x"} | json | unwrap depth | __error__="" [5m]) by (pod)',
    'avg_over_time({app="x"} | json | unwrap depth | __error__="" [5m]) by (pod) > 3',
    'avg_over_time({app="x"} | json | unwrap depth | __error__="" | depth != "9" [5m]) without (odd, level)',
    'max(avg_over_time({app="x"} | json | drop odd | unwrap depth | __error__="" [5m]))',
    'avg_over_time({app="x"} | json | __error__="" | keep pod, depth | unwrap depth | __error__="" [2m])',
    'sum(avg_over_time({app="x"} | json | unwrap duration(took) | __error__="" [5m]) by (pod)) * 2',
)
KEPT = (
    'avg_over_time({app="x"} | json | unwrap depth | __error__="" [5m])',
    'avg by (pod) (sum_over_time({app="x"} | json | unwrap depth | __error__="" [5m]))',
    'max_over_time({app="x"} | json | unwrap depth | __error__="" [5m]) by (pod)',
    'sum(rate({app="x"}[5m])) > 2',
)


def engine() -> Engine:
    store = LogStore()
    for pod in ("a", "b"):
        lines = []
        for number in range(120):
            fields: dict[str, object] = {"level": "info", "odd": number % 2, "took": f"{number}ms"}
            if number % 3:
                fields["depth"] = number % 10 if number % 7 else "deep"
            lines.append((START + number * 5 * SECOND, json.dumps(fields)))
        store.push({"app": "x", "pod": pod}, lines)
    return Engine(store)


@pytest.mark.parametrize("query", REWRITTEN)
def test_the_other_words_mean_the_same(query: str) -> None:
    other = safe(query)
    assert "avg_over_time" not in other
    found = [
        [(labels, dict(samples)) for labels, samples in one.matrix]
        for one in (
            engine().query_range(text, start=START, end=START + 600 * SECOND, step=30 * SECOND)
            for text in (query, other)
        )
    ]
    assert [labels for labels, _ in found[0]] == [labels for labels, _ in found[1]]
    assert found[0]
    for (_, one), (_, two) in zip(*found, strict=True):
        assert one == pytest.approx(two)


@pytest.mark.parametrize("query", KEPT)
def test_what_is_right_stays(query: str) -> None:
    assert safe(query) == safe(safe(query))
    assert ("avg" in query) == ("avg" in safe(query))
    assert "count_over_time" not in safe(query)
