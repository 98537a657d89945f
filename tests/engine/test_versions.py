"""The answers of other Lokis than 3.7.6: of the recorded queries, those that they answer differently.

``tests/data/versions`` has a file for each topic of the recordings: suites by name, and of each query the other answers
with the Lokis that gave them.  One test for each suite and Loki: ``pytest -k "2.9.17 and structured_metadata"``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lokictl.conformance.answers import difference
from lokictl.conformance.recordings import RECORDINGS, load
from lokictl.engine import Engine, Limits, LogStore
from tests.engine.conformance import SERIES_LIMIT, run, store_of

DATA = Path(__file__).parent.parent / "data" / "versions"
Case = tuple[str, str, str]
"""A topic, a suite of it, a Loki."""


@cache
def recorded(topic: str) -> dict[str, dict[str, Any]]:
    return {suite["name"]: suite for suite in load(RECORDINGS / f"{topic}.json")}


@cache
def cases() -> dict[Case, list[dict[str, Any]]]:
    """The queries of each case with that Loki's answers."""
    found: dict[Case, list[dict[str, Any]]] = defaultdict(list)
    for file in sorted(DATA.glob("*.json")):
        for suite in load(file):
            for query in suite["queries"]:
                for answer in query["answers"]:
                    for loki in answer["loki"]:
                        found[file.stem, suite["name"], loki].append({**query, **answer})
    return found


@cache
def left() -> dict[tuple[str, str, str], str]:
    """(Loki, suite, query) -> why the engine still answers otherwise."""
    rows = json.loads((DATA.parent / "versions_left.json").read_text(encoding="utf-8"))
    return {(loki, row["suite"], row["expr"]): row["why"] for row in rows for loki in row["loki"]}


def problem_of(engine: Engine, query: dict[str, Any]) -> str:
    status, answer = run(engine, query)
    # Which of several failing series is named is chance.
    if status == query["status"] == 400 and str(answer).startswith("pipeline error"):
        return "" if query["error"].startswith("pipeline error") else f"expected {query['error']}"
    return difference(query, status, answer)


@pytest.mark.parametrize("topic, suite, loki", [pytest.param(*case, id="-".join(case)) for case in cases()])
def test_other_lokis_answer_otherwise(topic: str, suite: str, loki: str) -> None:
    engine = Engine(store_of(recorded(topic)[suite], loki), Limits(max_query_series=SERIES_LIMIT))
    queries = cases()[topic, suite, loki]
    wrong = []
    for query in queries:
        if (loki, f"{topic}/{suite}", query["expr"]) in left():
            continue
        problem = problem_of(engine, query)
        if problem:
            wrong.append(f"{query['expr']}\n  {problem}")
    assert not wrong, f"{len(wrong)} of {len(queries)} differ\n\n" + "\n\n".join(wrong[:20])


@pytest.mark.parametrize("version, level", [("3.6", "error"), ("3.7", "unknown"), ("3.8", "error")])
def test_boundaries_of_level_words_came_back(version: str, level: str) -> None:
    store = LogStore(discover_log_levels=True, version=version)
    store.push({"a": "b"}, [(1, "12:00 |error| disk")])
    (stream,) = store
    assert dict(stream.entries[0].metadata) == {"detected_level": level}


@pytest.mark.parametrize(
    "version, name, kept",
    [
        ("3.5", "a..b", "a__b"),
        ("3.6", "a..b", "a_b"),
        ("3.7", "1st", "key_1st"),
        ("3.5", "_x", "key_x"),
        ("3.7", "_x", "_x"),
        ("3.7", "__x__", "__x__"),
        ("3.7", "a__b", "a_b"),
        ("3.3", "a.b", "a.b"),
        ("3.4", "prüf.a", "prüf_a"),
        ("3.5", "prüf.a", "pr_f_a"),
    ],
)
def test_names_of_metadata_are_cleaned(version: str, name: str, kept: str) -> None:
    store = LogStore(version=version)
    store.push({"a": "b"}, [(1, "line", {name: "x"})])
    (stream,) = store
    assert dict(stream.entries[0].metadata) == {kept: "x"}
