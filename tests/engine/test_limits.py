"""What a query may cost, and what is said when it costs more."""

from __future__ import annotations

import pytest

from lokictl.durations import MINUTE, SECOND
from lokictl.engine import Engine, EngineError, Limits, LogStore


def engine(**limits: int) -> Engine:
    store = LogStore()
    for pod in range(20):
        store.push(
            {"app": "a", "pod": f"p{pod}"}, [(second * SECOND, f"n={second}") for second in range(1, 60)]
        )
    return Engine(store, Limits(**limits))


CASES = {
    "series": (
        {"max_query_series": 10},
        'count_over_time({app="a"}[1m])',
        "maximum number of series (10) reached for a single query",
    ),
    "samples": (
        {"max_samples": 100},
        'sum(count_over_time({app="a"}[1m]))',
        "the limit is 100 (max_samples)",
    ),
    "range": (
        {"max_query_range": 30 * SECOND},
        'sum(count_over_time({app="a"}[1m]))',
        "[interval] value exceeds limit: [1m] > [30s]",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_instant_queries(case: str) -> None:
    limits, query, message = CASES[case]
    with pytest.raises(EngineError, match=None) as caught:
        engine(**limits).query(query, time=MINUTE)
    assert message in str(caught.value)
    off = dict.fromkeys(limits, 0)
    assert engine(**off).query(query, time=MINUTE).vector


RANGES = {
    "points": (
        {"max_points": 100},
        {"end": MINUTE, "step": SECOND // 10},
        "exceeded maximum resolution of 100 points per time series",
    ),
    "length": (
        {"max_query_length": MINUTE},
        {"end": 2 * MINUTE, "step": SECOND},
        "the query time range exceeds the limit (query length: 2m0s, limit: 1m)",
    ),
    "work": (
        {"max_samples": 2000, "max_query_series": 0},
        {"end": MINUTE, "step": SECOND // 10},
        "the query computes 20 series at 601 steps, the limit is 2,000 (max_samples)",
    ),
    "the end before the start": ({}, {"end": -1, "step": SECOND}, "end timestamp must not be before"),
}


@pytest.mark.parametrize("case", RANGES)
def test_range_queries(case: str) -> None:
    limits, asked, message = RANGES[case]
    with pytest.raises(EngineError) as caught:
        engine(**limits).query_range('rate({app="a"}[10s])', start=0, **asked)
    assert message in str(caught.value)


def test_lines() -> None:
    with pytest.raises(
        EngineError, match="max entries limit per query exceeded, limit > max_entries_limit_per_query"
    ):
        engine().query_range('{app="a"}', start=0, end=MINUTE, limit=5001)
    with pytest.raises(EngineError, match="limit must be a positive value"):
        engine().query_range('{app="a"}', start=0, end=MINUTE, limit=0)
