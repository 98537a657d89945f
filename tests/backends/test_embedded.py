"""The embedded backend: late lines in any order of time, and lines read once for many instants."""

from __future__ import annotations

import random
from typing import Any

import pytest

from lokictl.backends import EmbeddedBackend, LogEntry, LogStream, QueryError, open_backend
from lokictl.durations import SECOND
from lokictl.engine import Limits
from lokictl.engine.extraction import Extractor
from lokictl.logql import parse

START = 1_767_225_600 * SECOND
COUNT = 'sum(count_over_time({app="web"}[1h]))'


def entry(at: int, arrives: int | None = None, text: str = "line") -> LogEntry:
    arrives_at = None if arrives is None else START + arrives * SECOND
    return LogEntry(START + at * SECOND, f"{text} {at}", arrives_at=arrives_at)


def count(backend: EmbeddedBackend, at: int, query: str = COUNT) -> int:
    vector = backend.query(query, time=START + at * SECOND).vector
    return int(vector[0][1]) if vector else 0


def test_late_lines_in_any_order_of_time() -> None:
    with EmbeddedBackend() as backend:
        backend.push([LogStream({"app": "web"}, [entry(0), entry(10, arrives=100), entry(20, arrives=50)])])
        expected = {30: 1, 49: 1, 50: 2, 99: 2, 100: 3, 200: 3}
        order = [*expected, *reversed(expected), *random.Random(1).sample(list(expected), 6)]
        assert [count(backend, at) for at in order] == [expected[at] for at in order]


def test_late_lines_pushed_after_the_first_query() -> None:
    backend = EmbeddedBackend()
    backend.push([LogStream({"app": "web"}, [entry(0, arrives=60)])])
    assert count(backend, 70) == 1
    backend.push([LogStream({"app": "web"}, [entry(1, arrives=65), entry(2)])])
    assert [count(backend, at) for at in (64, 65, 59, 70)] == [2, 3, 1, 3]


def test_a_line_that_arrives_before_its_own_time_is_not_late() -> None:
    backend = EmbeddedBackend()
    backend.push([LogStream({"app": "web"}, [entry(10, arrives=5)])])
    assert [count(backend, at) for at in (9, 10)] == [0, 1]
    assert len(backend.store) == 1


def test_late_lines_of_log_queries() -> None:
    backend = EmbeddedBackend()
    backend.push([LogStream({"app": "web"}, [entry(0), entry(1, arrives=60)])])
    # From before the first line: a stream whose last line stands exactly at the start is not found.
    for end, texts in ((59, ["line 0"]), (60, ["line 0", "line 1"]), (59, ["line 0"])):
        result = backend.query_range(
            '{app="web"}', start=START - SECOND, end=START + end * SECOND, direction="forward"
        )
        assert [line.line for line in result.streams[0][1]] == texts


@pytest.mark.parametrize("step", [0, 30, 45])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "query",
    [
        'sum(count_over_time({app="web"} |= "5" [2m]))',
        'quantile_over_time(0.3, {app="web"} | pattern "<_> <n>" | unwrap n [1m]) > 100',
        'topk(1, sum by (last) (rate({app="web"} | regexp "(?P<last>.)$" [2m]))) or vector(0)',
        'sort(sum by (last) (sum_over_time({app="web"} | regexp "(?P<last>.)$" | unwrap last [1m])))',
        'absent_over_time({app="web"} |= "line 1" [1m])',
        'sum_over_time({app="web"} | pattern "<word> <n>" | unwrap word [1m])',
        '{app="web"}',
        "1 + 1",
        "nothing(",
    ],
)
def test_expected_instants_give_the_same_answers(query: str, late: bool, step: int) -> None:
    entries = [entry(at, at + 90 if late and at % 7 == 0 else None) for at in range(0, 400, 5)]
    plain, prepared = EmbeddedBackend(), EmbeddedBackend()
    for backend in (plain, prepared):
        backend.push([LogStream({"app": "web"}, entries)])
    prepared.expect(query, START, START + 600 * SECOND, step * SECOND)
    for at in (*range(0, 601, 30), 30, 30):
        assert answer(prepared, query, at) == answer(plain, query, at)
    for backend in (plain, prepared):
        backend.push([LogStream({"app": "web"}, [entry(at) for at in range(1, 600, 5)])])
    for at in range(0, 601, 30):
        assert answer(prepared, query, at) == answer(plain, query, at)


def answer(backend: EmbeddedBackend, query: str, at: int) -> Any:
    try:
        return backend.query(query, time=START + at * SECOND)
    except QueryError as error:
        return str(error)


def test_one_instant_that_fails_leaves_the_others_alone() -> None:
    backend = EmbeddedBackend()
    backend.push(
        [LogStream({"app": "web"}, [entry(at, text="x" if at == 300 else "1") for at in range(0, 600, 60)])]
    )
    query = 'sum(sum_over_time({app="web"} | pattern "<n> <_>" | unwrap n [1m]))'
    backend.expect(query, START, START + 600 * SECOND, 60 * SECOND)
    found = [answer(backend, query, at) for at in range(0, 601, 60)]
    assert [number for number, item in enumerate(found) if isinstance(item, str)] == [5]


def test_more_instants_than_are_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lokictl.backends.embedded.AT_ONCE", 4)
    backend = EmbeddedBackend()
    backend.push([LogStream({"app": "web"}, [entry(at) for at in range(600)])])
    backend.expect(COUNT, START, START + 600 * SECOND, 30 * SECOND)
    plain = EmbeddedBackend()
    plain.push([LogStream({"app": "web"}, [entry(at) for at in range(600)])])
    for at in (*range(0, 601, 30), 60, 570):
        assert answer(backend, COUNT, at) == answer(plain, COUNT, at)


def test_expected_instants_read_the_lines_at_most_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = EmbeddedBackend()
    backend.push([LogStream({"app": "web"}, [entry(at) for at in range(600)])])
    extractions: list[tuple[int, int]] = []
    original = Extractor._extract

    def counted(self: Extractor, first: int, last: int, end: int) -> None:
        extractions.append((first, last))
        original(self, first, last, end)

    monkeypatch.setattr(Extractor, "_extract", counted)
    backend.expect(COUNT, START, START + 600 * SECOND)
    for at in range(0, 601, 15):
        count(backend, at)
    assert len(extractions) <= 2


def test_errors_are_lokis_own() -> None:
    backend = EmbeddedBackend(limits=Limits(max_query_series=1))
    backend.push([LogStream({"app": "web", "pod": pod}, [entry(0)]) for pod in "ab"])
    with pytest.raises(QueryError) as failed:
        backend.query('count_over_time({app="web"}[1m])', time=START)
    assert failed.value.text.startswith("maximum number of series (1) reached for a single query")
    assert failed.value.status == 400
    with pytest.raises(QueryError, match="unexpected IDENTIFIER"):
        backend.query("nothing(", time=START)


def test_parsed_expressions_are_taken_too() -> None:
    with open_backend() as backend:
        backend.push([LogStream({"app": "web"}, [entry(0)])])
        assert backend.query(parse(COUNT), time=START).vector == [({}, 1.0)]


def test_what_a_default_loki_adds() -> None:
    backend = EmbeddedBackend(discover_service_name=True, discover_log_levels=True)
    backend.push([LogStream({"app": "web"}, [LogEntry(START, "level=error")])])
    (labels, _), *_ = backend.query('count_over_time({app="web"}[1m])', time=START).vector
    assert labels == {"app": "web", "service_name": "web", "detected_level": "error"}
