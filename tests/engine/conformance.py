"""Compares the engine's answers with recordings of a real Loki's.

A recording is a JSON file ``{"suites": [{"name", "streams", "queries"}]}``: the logs, and for each query Loki's answer
(``status``, ``resultType``, ``result`` or ``error``).  `check_file` runs one; run this module with files to see what
differs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lokictl.conformance.answers import difference
from lokictl.conformance.recordings import RECORDINGS, load
from lokictl.engine import Engine, EngineError, Limits, LogStore
from lokictl.logql import LogQLError

SERIES_LIMIT = 10_000


def check_file(file: Path) -> tuple[int, list[str]]:
    """The number of queries, and a description of each that differs."""
    total, wrong = 0, []
    for suite in load(file):
        count, differences = check_suite(suite)
        total += count
        wrong += differences
    return total, wrong


def check_suite(suite: dict[str, Any]) -> tuple[int, list[str]]:
    """The number of queries of one suite, and a description of each that differs."""
    wrong = []
    engine = Engine(store_of(suite), Limits(max_query_series=SERIES_LIMIT))
    for query in suite["queries"]:
        problem = check_query(engine, query)
        if problem:
            asked = {key: query[key] for key in query if key not in ("result", "expr")}
            wrong.append(f"[{suite['name']}] {query['expr']}\n  asked    {asked}\n  {problem}")
    return len(suite["queries"]), wrong


def store_of(suite: dict[str, Any], version: str | None = None) -> LogStore:
    """The logs of a suite; ``discover_…`` marks what that Loki added to them."""
    store = LogStore(
        discover_service_name=suite.get("discover_service_name", False),
        discover_log_levels=suite.get("discover_log_levels", False),
        version=version,
    )
    for stream in suite["streams"]:
        store.push(stream["labels"], stream["entries"])
    return store


def check_query(engine: Engine, query: dict[str, Any]) -> str:
    """What differs, or ""."""
    status, answer = run(engine, query)
    return difference(query, status, answer)


def run(engine: Engine, query: dict[str, Any]) -> tuple[Any, Any]:
    try:
        if "time" in query:
            result = engine.query(query["expr"], time=query["time"])
        else:
            result = engine.query_range(
                query["expr"],
                start=query["start"],
                end=query["end"],
                step=query.get("step", 0),
                limit=query.get("limit", 5000),
                direction=query.get("direction", "forward"),
            )
        return "success", result.to_loki(categorize=bool(query.get("categorize")))
    except LogQLError as error:
        return 400, str(error)
    except EngineError as error:
        return error.status, str(error)


def main(files: list[str]) -> None:
    whole = agreed = 0
    for file in [Path(name) for name in files] or sorted(RECORDINGS.glob("*.json")):
        total, wrong = check_file(file)
        whole, agreed = whole + total, agreed + total - len(wrong)
        print(f"{file.stem:<28} {total - len(wrong):>5} of {total:>5}  {(total - len(wrong)) / total:.2%}")
        for problem in wrong if files else []:
            print(problem, end="\n\n")
    print(f"{'all':<28} {agreed:>5} of {whole:>5}  {agreed / whole:.2%}")


if __name__ == "__main__":
    main(sys.argv[1:])
