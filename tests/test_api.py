"""The names that users of the package import from `lokictl` itself."""

from __future__ import annotations

import importlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

import lokictl
import lokictl.sync
from lokictl import AlertingRule, AlertState, Engine, LogEntry, LogStore, RuleGroup, RuleTest
from lokictl.backends import LogStream, open_backend
from lokictl.durations import Duration, Time, epoch_nanoseconds
from lokictl.ruler import GroupEvaluator


@pytest.mark.parametrize("name", lokictl.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    value = getattr(lokictl, name)
    assert value is not None
    if callable(value):
        assert value.__doc__


def test_the_list_of_names_is_complete() -> None:
    assert sorted(lokictl._MODULES) == sorted(lokictl.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'lokictl' has no attribute 'prase'"):
        lokictl.prase  # noqa: B018


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, lokictl; print([m for m in sys.modules if m.startswith('lokictl.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


ERRORS = (
    "lokictl.diagnostics.LokictlError",
    "lokictl.logql.ParseError",
    "lokictl.engine.EngineError",
    "lokictl.templates.errors.TemplateError",
    "lokictl.backends.BackendError",
)


@pytest.mark.parametrize("path", ERRORS)
def test_every_exception_has_one_root(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), name), lokictl.Error)


PACKAGES = ("lokictl.sync", "lokictl.testing")


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_export_their_public_names_when_asked(name: str) -> None:
    package = importlib.import_module(name)
    assert sorted(package._MODULES) == package.__all__ == sorted(package.__all__)
    for exported in package.__all__:
        assert getattr(package, exported).__doc__
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_importing_sync_imports_none_of_its_modules() -> None:
    code = "import sys, lokictl.sync; print([m for m in sys.modules if m.startswith('lokictl.sync.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z

TIMES: list[tuple[Time, int]] = [
    (START, START),
    (datetime(2026, 1, 1, tzinfo=UTC), START),
    (datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(minutes=90))), START),
    (datetime(2026, 1, 1, 0, 0, 1, 123_457, tzinfo=UTC), START + SECOND + 123_457_000),
    (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1_000),
]


@pytest.mark.parametrize("time, nanoseconds", TIMES)
def test_times(time: Time, nanoseconds: int) -> None:
    assert epoch_nanoseconds(time) == nanoseconds


def store() -> LogStore:
    made = LogStore()
    made.push({"app": "shop"}, [(START + number * 10 * SECOND, f"line {number}") for number in range(12)])
    return made


METRIC = 'count_over_time({app="shop"}[30s])'
MINUTE_LATER: list[Time] = [START + 60 * SECOND, datetime(2026, 1, 1, 0, 1, tzinfo=UTC)]
STEPS: list[Duration] = [30 * SECOND, "30s", timedelta(seconds=30)]


@pytest.mark.parametrize("time", MINUTE_LATER)
def test_an_instant_query_takes_a_datetime(time: Time) -> None:
    result = Engine(store()).query(METRIC, time=time)
    assert result.vector == [({"app": "shop"}, 3.0)]
    assert result.time == START + 60 * SECOND


@pytest.mark.parametrize("start", [START, datetime(2026, 1, 1, tzinfo=UTC)])
@pytest.mark.parametrize("end", MINUTE_LATER)
@pytest.mark.parametrize("step", STEPS)
def test_a_range_query_takes_datetimes_and_durations(start: Time, end: Time, step: Duration) -> None:
    (series,) = Engine(store()).query_range(METRIC, start=start, end=end, step=step).matrix
    times = [START, START + 30 * SECOND, START + 60 * SECOND]
    assert series == ({"app": "shop"}, list(zip(times, [1.0, 3.0, 3.0], strict=True)))


@pytest.mark.parametrize("interval", STEPS)
def test_lines_may_be_thinned_by_a_duration(interval: Duration) -> None:
    result = Engine(store()).query_range(
        '{app="shop"}', start=START, end=START + 60 * SECOND, direction="forward", interval=interval
    )
    assert [line.line for _, lines in result.streams for line in lines] == ["line 0", "line 3"]


@pytest.mark.parametrize("time", MINUTE_LATER)
@pytest.mark.parametrize("step", STEPS)
def test_a_backend_takes_datetimes_and_durations(time: Time, step: Duration) -> None:
    with open_backend() as backend:
        entries = [LogEntry(START + number * 10 * SECOND, "a") for number in range(12)]
        backend.push([LogStream({"app": "shop"}, entries)])
        assert backend.query(METRIC, time=time).vector == [({"app": "shop"}, 3.0)]
        start = datetime(2026, 1, 1, tzinfo=UTC)
        ((_, samples),) = backend.query_range(METRIC, start=start, end=time, step=step).matrix
    assert [value for _, value in samples] == [1.0, 3.0, 3.0]


MINUTES: list[Duration] = [60 * SECOND, "1m", timedelta(minutes=1)]


@pytest.mark.parametrize("start", [START, datetime(2026, 1, 1, tzinfo=UTC)])
@pytest.mark.parametrize("minute", MINUTES)
def test_a_rule_test_takes_datetimes_and_durations(start: Time, minute: Duration) -> None:
    rule = AlertingRule("Errors", 'sum(count_over_time({app="shop"}[5m])) > 2', for_=minute)
    test = RuleTest([RuleGroup("shop", (rule,))], start=start, evaluation_interval=minute)
    test.push({"app": "shop"}, line="error", at=minute, every=timedelta(seconds=10), count=30)
    moments = ("2m", timedelta(minutes=3), datetime(2026, 1, 1, 0, 3, tzinfo=UTC), 180 * SECOND)
    assert [test.state("Errors", at) for at in moments] == ["pending", "firing", "firing", "firing"]


@pytest.mark.parametrize("interval", MINUTES)
@pytest.mark.parametrize("start", [START, datetime(2026, 1, 1, tzinfo=UTC)])
def test_the_ruler_takes_datetimes_and_durations(start: Time, interval: Duration) -> None:
    rule = AlertingRule("Always", "vector(1)", for_=interval)
    state = AlertState(rule, interval=interval)
    assert [alert.state for alert in state.step(start, [({}, 1.0)])] == ["pending"]
    with open_backend() as backend:
        found = GroupEvaluator(RuleGroup("shop", (rule,)), backend, evaluation_interval=interval)
        times = [one.time for one in found.run(start, datetime(2026, 1, 1, 0, 1, tzinfo=UTC))]
    assert times == [START, START + 60 * SECOND]


def test_a_datetime_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="2026-01-01T00:00:00 has no time zone: use"):
        Engine(store()).query(METRIC, time=datetime(2026, 1, 1))


def test_a_step_that_is_not_a_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="half a minute"):
        Engine(store()).query_range(METRIC, start=START, end=START, step="half a minute")


def test_entries_with_names_are_pushed_as_tuples_are() -> None:
    entries = [LogEntry(START, "a"), LogEntry(START + 1, "b", {"pod-name": "x"}), LogEntry(START, "a")]
    named, plain, listed = LogStore(), LogStore(), LogStore()
    named.push({"app": "shop"}, entries)
    plain.push({"app": "shop"}, [(entry.timestamp, entry.line, entry.metadata) for entry in entries])
    listed.push({"app": "shop"}, [[entry.timestamp, entry.line, entry.metadata] for entry in entries])
    assert len(named) == 2
    assert [stream.entries for stream in named] == [stream.entries for stream in plain]
    assert [stream.entries for stream in named] == [stream.entries for stream in listed]
