"""Asks a real Loki and the embedded engine the same random questions.

``python -m tests.fuzz.real http://localhost:3100 --pairs 10000 --seed 7 [--shape broad] [--version 3.2]``; the Loki
must keep tenants apart and run without splitting, sharding and caches. Prints what differs and the share that agrees;
``--save`` writes the suites that differ as recordings.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

from lokictl.conformance.answers import difference
from lokictl.conformance.endpoint import Endpoint
from lokictl.engine import Engine, Limits
from tests.engine.conformance import SERIES_LIMIT, run, store_of
from tests.fuzz.suites import SHAPES, suite

SUITES = 20
QUERIES = 40


def batch(url: str, suites: list[dict[str, Any]]) -> None:
    """Puts the Loki's answers into the queries of the suites."""
    endpoint = Endpoint(url)
    placements = [endpoint.placement(number, one) for number, one in enumerate(suites)]
    endpoint.push(list(zip(placements, suites, strict=True)))

    def ask(number: int) -> None:
        own = Endpoint(url)
        for query in suites[number]["queries"]:
            status, answer = own.ask(placements[number], query)
            query["status"] = status
            if status == "success":
                query |= {"resultType": answer["resultType"], "result": answer["result"]}
            else:
                query["error"] = answer

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(ask, range(len(suites))))


def compare(one: dict[str, Any], version: str | None) -> list[tuple[dict[str, Any], str]]:
    """The queries of a suite whose answers differ, and how."""
    engine = Engine(store_of(one, version=version), Limits(max_query_series=SERIES_LIMIT))
    found: list[tuple[dict[str, Any], str]] = []
    for query in one["queries"]:
        try:
            status, answer = run(engine, query)
        except Exception as error:
            found.append((query, f"raised {error!r}"))
            continue
        problem = difference(query, status, answer)
        # Which of several failing series is named is chance.
        both_fail = status == query["status"] == 400 and str(answer).startswith("pipeline error")
        if problem and not (both_fail and query["error"].startswith("pipeline error")):
            found.append((query, problem))
    return found


def kind(query: dict[str, Any]) -> str:
    if query["status"] != "success":
        return "error"
    return "answer" if query["result"] else "empty"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("url")
    options.add_argument("--pairs", type=int, default=4_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--seconds", type=float, default=300)
    options.add_argument("--shape", choices=sorted(SHAPES), default="rule-like")
    options.add_argument("--version")
    options.add_argument("--save", type=Path)
    options.add_argument("--show", type=int, default=40)
    asked = options.parse_args()
    began, random = time.monotonic(), Random(asked.seed)
    total = 0
    wrong: list[tuple[str, str, str]] = []
    kinds: Counter[str] = Counter()
    kept: list[dict[str, Any]] = []
    while total < asked.pairs and time.monotonic() - began < asked.seconds:
        suites = [
            suite(random, f"{asked.seed}-{total}-{number}", queries=QUERIES, shape=asked.shape)
            for number in range(SUITES)
        ]
        batch(asked.url, suites)
        for one in suites:
            total += len(one["queries"])
            kinds.update(kind(query) for query in one["queries"])
            found = compare(one, asked.version)
            wrong += [(one["name"], query["expr"], problem) for query, problem in found]
            if found:
                kept.append({**one, "queries": [query for query, _ in found]})
    for name, text, problem in wrong[: asked.show]:
        print(f"[{name}] {text}\n  {problem[:700]}\n")
    if asked.save:
        asked.save.write_text(json.dumps({"suites": kept}), encoding="utf-8")
    share = f"{total - len(wrong)} of {total} agree ({(total - len(wrong)) / total:.3%})"
    print(f"{share}; {dict(kinds)}; {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
