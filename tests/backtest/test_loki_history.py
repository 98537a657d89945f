"""A Loki as a history: what it refuses is asked in smaller parts, what it does not answer is a gap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from lokictl.backends import BackendError
from lokictl.backtest import Session
from lokictl.backtest.cache import Cache
from lokictl.backtest.fetch import Fetch, Query
from lokictl.backtest.history import RangeRequest, no_progress
from lokictl.backtest.loki_history import LokiHistory, RefusedError
from lokictl.backtest.series import Answers, Grid
from lokictl.model import AlertingRule, RuleGroup

SECOND = 1_000_000_000
STEP = 60 * SECOND
START = 1_767_225_600 * SECOND
GRID = Grid(START, STEP, 48)
QUERY = 'sum(count_over_time({app="x"}[1m]))'


@dataclass
class FakeLoki:
    """Answers every step with its number; ``refuse`` says what is wrong with a range (first step, last step)."""

    refuse: Callable[[int, int], RefusedError | None] = lambda first, last: None
    url: str = "http://loki"
    asked: list[tuple[int, int]] = field(default_factory=list)
    limits: dict[str, Any] | None = None

    def get(self, path: str, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Any:
        if path.endswith("drilldown-limits"):
            if self.limits is None:
                raise RefusedError(404, "page not found")
            return {"limits": self.limits}
        if not path.endswith("query_range"):
            return {"status": "success", "data": []}
        step = int(parameters["step"]) * SECOND
        first = (int(parameters["start"]) - START) // step
        last = (int(parameters["end"]) - START) // step
        self.asked.append((first, last))
        error = self.refuse(first, last)
        if error is not None:
            raise error
        values = [[(START + index * step) / SECOND, str(index)] for index in range(first, last + 1)]
        # A Loki that aligns adds a step; it is not wanted.
        values.append([(START + (last + 1) * step) / SECOND, "999"])
        return {"data": {"resultType": "matrix", "result": [{"metric": {"a": "b"}, "values": values}]}}


def answers(fake: FakeLoki, grid: Grid = GRID) -> Answers:
    history = LokiHistory(fake, jobs=2)
    history.connect()
    (answer,) = history.answer([RangeRequest(QUERY, grid)], no_progress)
    return answer.answers


def steps(found: Answers) -> list[int]:
    column = found.series.get((("a", "b"),))
    if column is None:
        return []
    assert list(column.indexes) == [int(value) for value in column.values]
    return list(column.indexes)


def when(
    condition: Callable[[int, int], bool], status: int, message: str
) -> Callable[[int, int], RefusedError | None]:
    return lambda first, last: RefusedError(status, message) if condition(first, last) else None


PIPELINE = "pipeline error: 'JSONParserErr' for series: '{…}'"
TOO_LONG = "the query time range exceeds the limit (query length: 48m0s, limit: 10m)"

REFUSALS: dict[str, tuple[Callable[[int, int], bool], int, str, set[int], set[int]]] = {
    # what is refused, status, message, steps that fail, steps that nobody answers
    "nothing": (lambda first, last: False, 400, "", set(), set()),
    "a line that does not parse": (lambda first, last: first <= 17 <= last, 400, PIPELINE, {17}, set()),
    "two of them": (
        lambda first, last: first <= 3 <= last or first <= 40 <= last, 400, PIPELINE, {3, 40}, set(),
    ),
    "a range that is too long": (lambda first, last: last - first >= 10, 400, TOO_LONG, set(), set()),
    "a time-out of long queries": (
        lambda first, last: last - first >= 5, 504, "context deadline exceeded", set(), set(),
    ),
    "no answer to long queries": (lambda first, last: last - first >= 5, 0, "no answer in 30 s", set(), set()),
    "a step that always times out": (
        lambda first, last: first <= 20 <= last, 504, "context deadline exceeded", set(), {20},
    ),
    "a fault of the second half": (
        lambda first, last: last >= 24, 500, "internal", set(), set(range(48)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case: str) -> None:
    condition, status, message, failing, missing = REFUSALS[case]
    found = answers(FakeLoki(when(condition, status, message)))
    assert set(found.failures) == failing
    assert found.missing() == missing
    assert found.refusal == ""
    assert steps(found) == [index for index in range(48) if index not in failing | missing]


def test_a_query_that_is_wrong_is_asked_once() -> None:
    fake = FakeLoki(when(lambda first, last: True, 400, "parse error : syntax error"))
    found = answers(fake)
    assert found.refusal == "parse error : syntax error"
    assert len(fake.asked) == 1


def test_known_limits_are_kept_without_trying() -> None:
    fake = FakeLoki(limits={"max_query_length": "10m", "max_query_series": 7, "retention_period": "31d"})
    history = LokiHistory(fake)
    history.connect()
    (answer,) = history.answer([RangeRequest(QUERY, GRID)], no_progress)
    assert steps(answer.answers) == list(range(48))
    assert all(last - first < 10 for first, last in fake.asked)
    assert history.max_series == 7
    assert history.retention == 31 * 86_400 * SECOND


def test_a_loki_that_disappears_is_not_queried_again() -> None:
    fake = FakeLoki(when(lambda first, last: first >= 12, 0, "connection refused (http://loki)"))
    history = LokiHistory(fake, jobs=1)
    requests = [RangeRequest(QUERY, Grid(START + index * 6 * STEP, STEP, 6)) for index in range(8)]
    found = {one.request: one for one in history.answer(requests, no_progress)}
    complete = [found[request].complete for request in requests]
    assert complete == [True, True, *[False] * 6]
    assert len(fake.asked) == 3
    assert found[requests[-1]].answers.gaps[0].reason == "connection refused (http://loki)"


UNUSABLE = {
    "wants a tenant": (RefusedError(401, "no org id"), "wants a tenant", "--tenant"),
    "not there": (
        RefusedError(0, "connection refused (http://loki)"),
        "cannot reach|connection refused",
        "running",
    ),
    "no right": (RefusedError(403, "forbidden"), "answered 403", "right"),
    "another server": (RefusedError(404, "not found"), "answered 404", "base URL"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_loki_that_cannot_be_used(case: str) -> None:
    error, message, hint = UNUSABLE[case]

    class Broken(FakeLoki):
        def get(
            self, path: str, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None
        ) -> Any:
            raise error

    with pytest.raises(BackendError, match=message) as stop:
        LokiHistory(Broken()).connect()
    assert hint in stop.value.problems[0].hint


def test_what_was_answered_is_not_asked_again(tmp_path: Any) -> None:
    grid = Grid(START, STEP, 3 * 1440)
    fake = FakeLoki(when(lambda first, last: first >= 2880, 503, "unavailable"))
    fetch = Fetch(LokiHistory(fake), Cache(tmp_path, "one"))
    fetch.fetch([Query(QUERY, grid)])
    first = fetch.answers(QUERY, grid)
    assert len(fake.asked) == 3
    assert [(gap.first, gap.last) for gap in first.gaps] == [(2880, 4319)]

    again = FakeLoki()
    resumed = Fetch(LokiHistory(again), Cache(tmp_path, "one"))
    assert [request.grid.start for request in resumed.missing([Query(QUERY, grid)])] == [START + 2880 * STEP]
    resumed.fetch([Query(QUERY, grid)])
    assert again.asked == [(2880, 4319)]
    assert steps(resumed.answers(QUERY, grid)) == list(range(4320))

    other = FakeLoki()
    Fetch(LokiHistory(other), Cache(tmp_path, "another tenant")).fetch([Query(QUERY, grid)])
    assert len(other.asked) == 3


def test_a_damaged_entry_of_the_cache_is_asked_again(tmp_path: Any) -> None:
    fake = FakeLoki()
    Fetch(LokiHistory(fake), Cache(tmp_path, "one")).fetch([Query(QUERY, GRID)])
    for file in tmp_path.glob("??/*"):
        file.write_bytes(file.read_bytes()[:20])
    Fetch(LokiHistory(fake), Cache(tmp_path, "one")).fetch([Query(QUERY, GRID)])
    assert len(fake.asked) == 2


def test_recent_times_are_queried_again(tmp_path: Any) -> None:
    now = GRID.end + 10 * STEP
    fake = FakeLoki()
    for _ in range(2):
        Fetch(LokiHistory(fake), Cache(tmp_path, "one"), now=now).fetch([Query(QUERY, GRID)])
    assert len(fake.asked) == 2


def test_lines_that_the_index_does_not_know_yet_are_logs() -> None:
    class Young(FakeLoki):
        def get(
            self, path: str, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None
        ) -> Any:
            if path.endswith("index/stats"):
                return {"streams": 0, "chunks": 0, "bytes": 0, "entries": 0}
            if parameters.get("limit"):
                return {
                    "data": {
                        "resultType": "streams",
                        "result": [{"stream": {"app": "x"}, "values": [["1", "a"]]}],
                    }
                }
            return super().get(path, parameters, headers)

    rule = AlertingRule(alert="A", expr=f"{QUERY} > 1e9")
    groups = [RuleGroup("g", (rule,))]
    session = Session(LokiHistory(Young()), GRID.start, GRID.end)
    session.open(groups)
    (found,) = session.run(groups).histories
    assert (found.no_data, found.notes, found.missing) == ([], [], [])
