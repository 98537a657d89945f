"""``lokictl conformance``: the runner against an endpoint that answers as the embedded engine does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from lokictl.conformance.answers import difference
from lokictl.conformance.endpoint import Endpoint
from lokictl.conformance.recordings import RECORDINGS, load, topics
from lokictl.conformance.runner import ask_all
from lokictl.engine import Engine, Limits
from tests.engine.conformance import SERIES_LIMIT, run, store_of


class EngineEndpoint(Endpoint):
    """Takes logs and answers in this process; ``broken`` queries fail."""

    def __init__(self, broken: str = "") -> None:
        super().__init__("http://localhost")
        self.engines: dict[str, Engine] = {}
        self.broken = broken

    def push(self, suites: Iterable[tuple[str, dict[str, Any]]]) -> None:
        for tenant, suite in suites:
            self.engines[tenant] = Engine(store_of(suite), Limits(max_query_series=SERIES_LIMIT))

    def ask(self, tenant: str, query: dict[str, Any]) -> tuple[Any, Any]:
        if self.broken and self.broken in query["expr"]:
            return 500, "boom"
        return run(self.engines[tenant], query)


FILES = [RECORDINGS / f"{name}.json" for name in ("json_empty_names", "duration_seconds")]


def test_an_endpoint_that_answers_alike() -> None:
    found = list(ask_all(EngineEndpoint(), FILES))
    assert [(topic.name, topic.asked, topic.agreed) for topic in found] == [
        ("json_empty_names", 3, 3),
        ("duration_seconds", 5, 5),
    ]


def test_what_differs_is_named() -> None:
    (topic,) = ask_all(EngineEndpoint("keep w"), FILES[:1])
    assert topic.agreed == 2
    assert topic.differences[0].query["expr"] == '{job="j"} | json | keep w'
    assert "expected success" in topic.differences[0].what


def test_recordings_can_be_others(tmp_path: Path) -> None:
    suite = {
        "name": "one",
        "streams": [{"labels": {"a": "b"}, "entries": [[1_000_000_000, "x"]]}],
        "queries": [
            {
                "expr": 'count_over_time({a="b"}[1m])',
                "time": 2_000_000_000,
                "status": "success",
                "resultType": "vector",
                "result": [{"metric": {"a": "b"}, "value": [2, "1"]}],
            }
        ],
    }
    (tmp_path / "mine.json").write_text(json.dumps({"suites": [suite]}))
    (topic,) = ask_all(EngineEndpoint(), topics(tmp_path))
    assert (topic.name, topic.asked, topic.agreed) == ("mine", 1, 1)


@pytest.mark.parametrize("texts", [True, False])
def test_words_of_errors_count_only_if_asked(texts: bool) -> None:
    query = {"expr": "x", "status": 400, "error": "parse error"}
    assert bool(difference(query, 400, "other words", texts=texts)) is texts
    assert bool(difference(query, 500, "other words", texts=texts)) is texts
    assert difference(query, "success", {"resultType": "vector", "result": []}, texts=texts)


def test_every_recording_has_suites_with_queries() -> None:
    files = list(topics())
    assert files
    for file in files:
        suites = list(load(file))
        assert suites, file
        for suite in suites:
            assert suite["queries"], file
            assert suite["name"]
