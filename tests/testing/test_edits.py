"""Changes to expressions: each is one that tests should notice, and none can go unnoticed by its nature."""

from __future__ import annotations

import pytest

from lokictl.logql import parse
from lokictl.testing.edits import mutations, removals, thresholds

MUTATIONS = [
    (
        'count_over_time({a="b"}[5m]) > 5',
        [
            "comparison: > 5 → >= 5",
            "comparison: > 5 → < 5",
            "threshold: > 5 → > 6",
            "threshold: > 5 → > 4",
            "aggregation: count_over_time → rate",
            "range: [5m] → [10m]",
            "range: [5m] → [2m30s]",
        ],
    ),
    # A count is never 0, so `>= 0` would say the same; neither would -1 be another threshold.
    (
        'sum(count_over_time({a="b"}[1m])) > 0',
        [
            "comparison: > 0 → < 0",
            "threshold: > 0 → > 1",
            "aggregation: sum → max",
            "aggregation: count_over_time → rate",
            "range: [1m] → [2m]",
            "range: [1m] → [30s]",
        ],
    ),
    (
        'sum by (x, y) (rate({a="b", c!="d"} |= "e" != "f" | json | g="h" [1m])) >= 0.05',
        [
            "comparison: >= 0.05 → > 0.05",
            "comparison: >= 0.05 → < 0.05",
            "threshold: >= 0.05 → >= 0.06",
            "threshold: >= 0.05 → >= 0.04",
            "aggregation: sum → max",
            "grouping: by (x, y) → by (y)",
            "grouping: by (x, y) → by (x)",
            "aggregation: rate → count_over_time",
            "range: [1m] → [2m]",
            "range: [1m] → [30s]",
            'line filter: |= "e" → (removed)',
            'line filter: != "f" → (removed)',
            'label filter: | g="h" → (removed)',
            'matcher: {c!="d"} → (removed)',
            'matcher: {c!="d"} → {c="d"}',
            'line filter: |= "e" → != "e"',
            'line filter: != "f" → |= "f"',
            'label filter: | g="h" → | g!="h"',
        ],
    ),
    (
        'quantile_over_time(0.99, {a="b"} | unwrap t | u=~"v" [1m]) by (x) < 200',
        [
            "comparison: < 200 → <= 200",
            "comparison: < 200 → > 200",
            "threshold: < 200 → < 240",
            "threshold: < 200 → < 160",
            "aggregation: quantile_over_time(0.99, …) → quantile_over_time(0.9, …)",
            "aggregation: quantile_over_time(0.99, …) → quantile_over_time(1, …)",
            "range: [1m] → [2m]",
            "range: [1m] → [30s]",
            'label filter: | u=~"v" → (removed)',
            'label filter: | u=~"v" → | u!~"v"',
            "grouping: by (x) → by ()",
        ],
    ),
    (
        'absent_over_time({a="b"}[1m] offset 5m) or topk(2, vector(1)) unless vector(3)',
        [
            "branch: or (topk(2,vector(1.000000)) unless vector(3.000000)) → (removed)",
            'branch: absent_over_time({a="b"}[1m] offset 5m0s) or → (removed)',
            "operator: or → and",
            "aggregation: absent_over_time → count_over_time",
            "range: [1m] → [2m]",
            "range: [1m] → [30s]",
            "range: offset 5m → (removed)",
            "branch: unless vector(3.000000) → (removed)",
            "operator: unless → and",
            "aggregation: topk → bottomk",
            "threshold: topk(2) → topk(3)",
            "threshold: topk(2) → topk(1)",
        ],
    ),
    (
        'count_over_time({a="b"} | json | (n >= 5 or d > 1s) and l == 2KB [1m])',
        [
            "label filter: | n>=5 → (removed)",
            "label filter: | d>1s → (removed)",
            "label filter: | l==2.0kB → (removed)",
            "label filter: | ( ( n>=5 or d>1s ) , l==2.0kB ) → | ( ( n>=5 or d>1s ) or l==2.0kB )",
            "label filter: | ( n>=5 or d>1s ) → | ( n>=5 , d>1s )",
            "label filter: | n>=5 → | n>5",
            "label filter: | n>=5 → | n<5",
            "threshold: | n>=5 → | n>=6",
            "threshold: | n>=5 → | n>=4",
            "threshold: | d>1s → | d>1.2s",
            "label filter: | l==2.0kB → | l!=2.0kB",
        ],
    ),
    (
        'avg_over_time({a="b"} |~ "x" or "y" | unwrap n [1m]) / 2',
        [
            "operator: / → *",
            "aggregation: avg_over_time → max_over_time",
            'line filter: |~ "x" or "y" → |~ "y"',
            'line filter: |~ "x" or "y" → |~ "x"',
            'line filter: |~ "x" or "y" → !~ "x" !~ "y"',
        ],
    ),
]


@pytest.mark.parametrize("query, expected", MUTATIONS)
def test_mutations(query: str, expected: list[str]) -> None:
    found = [str(edit) for edit in mutations(parse(query))]
    missing = [change for change in expected if change not in found]
    assert missing == [], found


@pytest.mark.parametrize("query, expected", MUTATIONS[:3])
def test_there_are_no_other_mutations(query: str, expected: list[str]) -> None:
    assert sorted(str(edit) for edit in mutations(parse(query))) == sorted(expected)


@pytest.mark.parametrize("query, expected", MUTATIONS)
def test_a_change_changes_and_can_be_parsed(query: str, expected: list[str]) -> None:
    original = parse(query)
    for edit in [*mutations(original), *removals(original)]:
        assert str(edit.expression) != str(original)
        assert str(parse(str(edit.expression))) == str(edit.expression)
    assert str(original) == str(parse(query))


@pytest.mark.parametrize(
    "query, expected",
    [
        ('count_over_time({a="b"}[1m]) > 2', ["comparison: > 2 → (removed)"]),
        ('count_over_time({a="b"}[1m]) >= 1', []),
        ('sum(count_over_time({a="b"}[1m])) > 0', []),
        ('rate({a="b"}[1m]) >= 1', ["comparison: >= 1 → (removed)"]),
        ('2 < count_over_time({a="b"}[1m])', ["comparison: 2 < → (removed)"]),
        ('rate({a="b"}[1m]) > bool 2', []),
        ('rate({a="b"}[1m]) > rate({a="c"}[1m])', ['comparison: > rate({a="c"}[1m]) → (removed)']),
        (
            'count_over_time({a="b", c="d"} |= "x" [1m])',
            [
                'matcher: {a="b"} → (removed)',
                'matcher: {c="d"} → (removed)',
                'line filter: |= "x" → (removed)',
            ],
        ),
        (
            'rate({a="b"}[1m]) and vector(1)',
            [
                "branch: and vector(1.000000) → (removed)",
                'branch: rate({a="b"}[1m]) and → (removed)',
            ],
        ),
    ],
)
def test_removals(query: str, expected: list[str]) -> None:
    assert sorted(str(edit) for edit in removals(parse(query))) == sorted(expected)


def test_a_change_knows_its_place() -> None:
    query = 'count_over_time({a="b", c="d"} |= "x" [1m]) > 5'
    places = {query[edit.span.start : edit.span.end] for edit in mutations(parse(query))}
    assert {'c="d"', '|= "x"', "5"} <= places


@pytest.mark.parametrize(
    "value, expected",
    [
        (0, [1]),
        (1, [2, 0]),
        (99, [100, 98]),
        (100, [120, 80]),
        (5000, [6000, 4000]),
        (0.05, [0.06, 0.04]),
        (1.5, [1.8, 1.2]),
    ],
)
def test_thresholds(value: float, expected: list[float]) -> None:
    assert thresholds(value) == expected
