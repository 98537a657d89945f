"""Tests on several engines: a difference is a failure; and a real Loki agrees with the embedded one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lokictl.backends import Backend, BackendError, EmbeddedBackend
from lokictl.project import load
from lokictl.testing import Report, RunOptions, Suite, discover, run_tests

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).parent / "data"


class OddBackend(EmbeddedBackend):
    """Counts one more than there is."""

    name = "odd"

    def fresh(self, **_: bool) -> Backend:
        return OddBackend()

    def query(self, expression: Any, *, time: int) -> Any:
        result = super().query(expression, time=time)
        return replace(result, vector=[(labels, value + 1) for labels, value in result.vector])


class BrokenBackend(EmbeddedBackend):
    """Takes no lines."""

    name = "broken"

    def fresh(self, **_: bool) -> Backend:
        return BrokenBackend()

    def push(self, streams: Any) -> None:
        raise BackendError("the disk is full", hint="make room")


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Engines that need no server; gives the names of those that were opened."""
    opened: list[str] = []
    known = {
        "embedded": EmbeddedBackend,
        "binary": EmbeddedBackend,
        "odd": OddBackend,
        "broken": BrokenBackend,
    }

    def open_backend(name: str, *, allow_push: bool = False) -> Backend:
        opened.append(name)
        if name not in known:
            raise BackendError(f"{name} is not here")
        return known[name]()

    monkeypatch.setattr("lokictl.testing.engines.open_backend", open_backend)
    monkeypatch.delenv("LOKI_URL", raising=False)
    return opened


def messages(report: Report) -> list[str]:
    return [failure.message for result in report.results for failure in result.failures]


def test_equal_engines_agree(engines: list[str]) -> None:
    report = run_tests(discover([DATA / "shop_test.yaml"]), RunOptions(("embedded", "binary")))
    assert messages(report) == []
    assert len(report.results) == 10


def test_a_difference_is_a_failure(engines: list[str], suite_of: Callable[..., Suite]) -> None:
    suite = suite_of(
        """
input_streams: [{labels: {app: web}, entries: [{at: 0s, every: 30s, count: 4, line: an error}]}]
alert_rule_test: [{eval_time: 9m, alertname: ManyErrors, exp_alerts: []}]
logql_expr_test:
  - {expr: 'count_over_time({app="web"}[1m])', eval_time: 1m, exp_samples: [{labels: {app: web}, value: 2}]}
"""
    )
    report = run_tests(suite, RunOptions(("embedded", "odd")))
    assert [result.engine for result in report.results] == ["embedded", "odd"]
    assert report.results[0].failures == []
    found = messages(report)
    assert found[-2:] == [
        "embedded and odd differ on ManyErrors at 2 of 10 evaluations",
        'embedded and odd differ at 1m: count_over_time({app="web"}[1m])',
    ]
    details = "\n".join(report.results[1].failures[-2].details)
    assert "at 1m:" in details
    assert 'pending {alertname="ManyErrors", app="web"' in details


def test_a_backend_that_fails_fails_the_test(engines: list[str]) -> None:
    report = run_tests(discover([DATA / "shop_test.yaml"], pattern="late"), RunOptions(("broken",)))
    assert messages(report) == ["broken: the disk is full"]
    assert report.results[0].failures[0].details == ("make room",)


def test_an_engine_that_is_not_there(engines: list[str]) -> None:
    with pytest.raises(BackendError, match="docker is not here"):
        run_tests(discover([DATA / "shop_test.yaml"]), RunOptions(("docker",)))


def test_all_takes_what_is_there(engines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    suite = discover([DATA / "shop_test.yaml"], pattern="late")
    assert len(run_tests(suite, RunOptions(("all",))).results) == 2
    assert engines == ["embedded", "binary"]
    monkeypatch.setenv("LOKI_URL", "http://loki.example")
    assert len(run_tests(suite, RunOptions(("all",))).results) == 2
    assert engines[2:] == ["embedded", "http://loki.example", "binary"]


def test_all_needs_a_real_loki(engines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def only_embedded(name: str, *, allow_push: bool = False) -> Backend:
        if name == "embedded":
            return EmbeddedBackend()
        raise BackendError(f"no {name}")

    monkeypatch.setattr("lokictl.testing.engines.open_backend", only_embedded)
    with pytest.raises(
        BackendError, match="no real Loki to compare with: LOKI_URL is not set; no binary; no docker"
    ):
        run_tests(discover([DATA / "shop_test.yaml"]), RunOptions(("all",)))


@pytest.fixture(scope="module")
def real_loki() -> None:
    from lokictl.testing.engines import open_available

    try:
        for backend in open_available(False):
            backend.close()
    except BackendError as error:
        pytest.skip(error.problems[0].message)


@pytest.mark.real_loki
@pytest.mark.slow
@pytest.mark.usefixtures("real_loki")
@pytest.mark.parametrize("source", ["project", "shop_test.yaml"])
def test_a_real_loki_agrees(source: str) -> None:
    suite = discover(project=load(ROOT)) if source == "project" else discover([DATA / source])
    report = run_tests(suite, RunOptions(("all",)))
    assert messages(report) == []
    assert len(report.results) >= 2 * len(suite)
