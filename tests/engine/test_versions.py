"""The answers of other Lokis: of the recorded queries, those that they answer differently than 3.7.6.

``tests/data/versions`` has one file per Loki: suites of the recordings by name, and the queries with its answers.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lokictl.conformance.answers import difference
from lokictl.conformance.recordings import RECORDINGS, load
from lokictl.engine import Engine, Limits, LogStore
from tests.engine.conformance import SERIES_LIMIT, run, store_of

DATA = Path(__file__).parent.parent / "data" / "versions"

LEFT = {"2.9.17": 40, "3.2.1": 29, "main": 0}
"""How many of the recorded queries each Loki still answers differently than the engine; docs/engine.md says which."""


@cache
def recorded(topic: str) -> dict[str, dict[str, Any]]:
    return {suite["name"]: suite for suite in load(RECORDINGS / f"{topic}.json")}


@pytest.mark.parametrize("version", LEFT)
def test_other_lokis_answer_otherwise(version: str) -> None:
    total, wrong = 0, []
    for part in json.loads((DATA / f"{version}.json").read_text(encoding="utf-8"))["suites"]:
        topic, _, name = part["suite"].partition("/")
        engine = Engine(store_of(recorded(topic)[name], version), Limits(max_query_series=SERIES_LIMIT))
        for query in part["queries"]:
            total += 1
            status, answer = run(engine, query)
            problem = difference(query, status, answer)
            # Which of several failing series is named is chance.
            if status == query["status"] == 400 and str(answer).startswith("pipeline error"):
                problem = "" if query["error"].startswith("pipeline error") else problem
            if problem:
                wrong.append(f"[{part['suite']}] {query['expr']}\n  {problem}")
    print(f"{version}: {total - len(wrong)} of {total} agree ({(total - len(wrong)) / total:.2%})")
    assert len(wrong) <= LEFT[version], "\n\n".join(wrong[:30])


@pytest.mark.parametrize("version, level", [("3.6", "error"), ("3.7", "unknown"), ("3.8", "error")])
def test_boundaries_of_level_words_came_back(version: str, level: str) -> None:
    store = LogStore(discover_log_levels=True, version=version)
    store.push({"a": "b"}, [(1, "12:00 |error| disk")])
    (stream,) = store
    assert dict(stream.entries[0].metadata) == {"detected_level": level}
