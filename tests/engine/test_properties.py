"""Laws that every answer obeys."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lokictl.durations import SECOND
from lokictl.engine import Engine, LogStore

START = 1_767_225_600 * SECOND
END = START + 600 * SECOND

Streams = list[tuple[dict[str, str], list[tuple[int, str]]]]

lines = st.one_of(
    st.builds(
        lambda level, ms: f'{{"level":"{level}","ms":{ms}}}',
        st.sampled_from(["info", "warn", "error", ""]),
        st.one_of(st.integers(-5, 2000), st.floats(0, 10, allow_nan=False)),
    ),
    st.builds(
        lambda level, ms: f"level={level} ms={ms}", st.sampled_from(["info", "error"]), st.integers(0, 99)
    ),
    st.sampled_from(["plain text", "", '{"ms":"oops"}', '{"level":"info"', '{"ms": 1.50, "level": "error"}']),
)
entries = st.lists(
    st.tuples(st.integers(0, 599).map(lambda second: START + second * SECOND), lines), max_size=25
)


def from_the_first_text(items: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """The lines without the empty ones at the beginning: Loki finds these backward only."""
    first = min((time for time, line in items if line), default=END)
    return [(time, line) for time, line in items if time >= first]


streams: st.SearchStrategy[Streams] = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), entries, min_size=1, max_size=5
).map(
    lambda found: [
        ({"app": app, "pod": pod}, from_the_first_text(items)) for (app, pod), items in found.items()
    ]
)

METRICS = (
    'count_over_time({app=~"a|b"}[5m])',
    'sum by (app) (rate({app=~"a|b"} | json | level="error" | __error__="" [2m]))',
    'sum by (level) (bytes_over_time({app=~"a|b"} | logfmt [3m]))',
    'max_over_time({app=~"a|b"} | json | unwrap ms | __error__="" [4m]) by (app)',
    'quantile_over_time(0.9, {app=~"a|b"} | json | unwrap ms | __error__="" [4m]) by (app)',
    'count(count_over_time({app=~"a|b"} |= "e" [5m])) or vector(0)',
)


def engine(found: Streams) -> Engine:
    store = LogStore()
    for labels, items in found:
        store.push(labels, items)
    return Engine(store)


def rounded(vector: list[tuple[dict[str, str], float]]) -> dict[tuple[tuple[str, str], ...], float]:
    return {tuple(sorted(labels.items())): round(value, 9) for labels, value in vector}


@given(streams, st.sampled_from(METRICS), st.randoms(use_true_random=False), st.integers(0, 700))
def test_the_order_of_streams_does_not_matter(found: Streams, query: str, random: Any, second: int) -> None:
    time = START + second * SECOND
    shuffled = list(found)
    random.shuffle(shuffled)
    assert rounded(engine(found).query(query, time=time).vector) == rounded(
        engine(shuffled).query(query, time=time).vector
    )


@given(streams, st.integers(0, 700), st.sampled_from(["app", "pod", "app, pod"]))
def test_parts_sum_up_to_the_whole(found: Streams, second: int, names: str) -> None:
    time = START + second * SECOND
    asked = engine(found)
    inner = 'count_over_time({app=~".+"}[5m])'
    whole = asked.query(f"sum({inner})", time=time).vector
    parts = asked.query(f"sum by ({names}) ({inner})", time=time).vector
    assert math.fsum(value for _, value in parts) == math.fsum(value for _, value in whole)


@given(streams, st.sampled_from(METRICS[:5]), st.integers(0, 700), st.integers(1, 400))
def test_an_offset_is_a_shift(found: Streams, query: str, second: int, shift: int) -> None:
    time = START + second * SECOND
    shifted = query.replace("m])", f"m] offset {shift}s)").replace("m]) by", f"m] offset {shift}s) by")
    asked = engine(found)
    assert asked.query(shifted, time=time).vector == asked.query(query, time=time - shift * SECOND).vector


@given(streams, st.sampled_from(METRICS), st.integers(15, 200))
def test_a_range_query_is_a_row_of_instant_queries(found: Streams, query: str, step: int) -> None:
    asked = engine(found)
    matrix = asked.query_range(query, start=START, end=END, step=step * SECOND).matrix
    seen: dict[int, dict[tuple[tuple[str, str], ...], float]] = {}
    for labels, samples in matrix:
        for time, value in samples:
            seen.setdefault(time, {})[tuple(sorted(labels.items()))] = round(value, 9)
    fresh = engine(found)
    times = range(START, END + 1, step * SECOND)
    assert times
    assert seen.keys() <= set(times)
    for time in times:
        assert rounded(fresh.query(query, time=time).vector) == seen.get(time, {})


@given(
    streams,
    st.sampled_from(['{app=~".+"}', '{app="a"} | json | level="error"', '{app=~".+"} |= "e" | logfmt']),
)
def test_directions_mirror_each_other(found: Streams, query: str) -> None:
    asked = engine(found)

    def texts(direction: str) -> dict[tuple[tuple[str, str], ...], list[tuple[int, str]]]:
        result = asked.query_range(query, start=START - SECOND, end=END, limit=5000, direction=direction)
        return {
            tuple(sorted(labels.items())): [(line.timestamp, line.line) for line in found_lines]
            for labels, found_lines in result.streams
        }

    forward, backward = texts("forward"), texts("backward")
    assert {labels: list(reversed(items)) for labels, items in forward.items()} == backward
