"""Compares the engine's answers with recordings of a real Loki's.

A recording is a JSON file ``{"suites": [{"name", "streams", "queries"}]}``: the logs, and for each query Loki's answer
(``status``, ``resultType``, ``result`` or ``error``).  `check_file` runs one; run this module with files to see what
differs.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lokictl.engine import Engine, EngineError, Limits, LogStore
from lokictl.logql import LogQLError, parse
from lokictl.logql.expressions import VectorAggregation

RECORDINGS = Path(__file__).parent.parent / "data" / "eval"
SERIES_LIMIT = 10_000


def suites(file: Path) -> dict[str, dict[str, Any]]:
    """The suites of a file by their names."""
    return {suite["name"]: suite for suite in json.loads(file.read_text(encoding="utf-8"))["suites"]}


def check_file(file: Path) -> tuple[int, list[str]]:
    """The number of queries, and a description of each that differs."""
    total, wrong = 0, []
    for suite in json.loads(file.read_text(encoding="utf-8"))["suites"]:
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


def store_of(suite: dict[str, Any]) -> LogStore:
    """The logs of a suite; ``discover_…`` marks what that Loki added to them."""
    store = LogStore(
        discover_service_name=suite.get("discover_service_name", False),
        discover_log_levels=suite.get("discover_log_levels", False),
    )
    for stream in suite["streams"]:
        store.push(stream["labels"], stream["entries"])
    return store


def check_query(engine: Engine, query: dict[str, Any]) -> str:
    """What differs, or ""."""
    status, answer = run(engine, query)
    if status != query["status"]:
        return f"expected {query['status']} {query.get('error', '')!r}\n  got      {status} {short(answer)}"
    if status != "success":
        return compare_errors(query["error"], answer, query)
    problems = list(compare(query, answer))
    if not problems:
        return ""
    return f"{problems[0]}\n  expected {short(query['result'])}\n  got      {short(answer['result'])}"


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


def compare_errors(expected: str, got: str, query: dict[str, Any]) -> str:
    if expected.startswith("pipeline error") or query.get("error_varies"):
        expected, got = expected.partition(" for series")[0], got.partition(" for series")[0]
    return "" if expected.strip() == got.strip() else f"expected {expected!r}\n  got      {got!r}"


def compare(query: dict[str, Any], answer: dict[str, Any]) -> Iterator[str]:
    """Each difference between Loki's answer and ours."""
    if answer["resultType"] != query["resultType"]:
        yield f"expected a {query['resultType']}, got a {answer['resultType']}"
        return
    expected, got = query["result"], answer["result"]
    kind = answer["resultType"]
    if kind == "scalar":
        if not close(expected[1], got[1]):
            yield "another value"
    elif kind == "vector":
        yield from compare_vectors(query, expected, got)
    elif kind == "matrix":
        yield from compare_matrices(expected, got)
    else:
        yield from compare_streams(query, expected, got)


def key(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def compare_vectors(query: dict[str, Any], expected: list[Any], got: list[Any]) -> Iterator[str]:
    if len(expected) != len(got):
        yield f"expected {len(expected)} elements, got {len(got)}"
        return

    def ordered(items: list[Any]) -> list[Any]:
        return sorted(items, key=lambda item: (key(item["metric"]), item["value"][1]))

    for one, other in zip(ordered(expected), ordered(got), strict=True):
        if key(one["metric"]) != key(other["metric"]):
            yield f"expected labels {one['metric']}, got {other['metric']}"
        elif one["value"][0] != other["value"][0]:
            yield f"expected time {one['value'][0]}, got {other['value'][0]}"
        elif not close(one["value"][1], other["value"][1]):
            yield f"{one['metric']}: expected {one['value'][1]}, got {other['value'][1]}"
    expression = parse(query["expr"])
    if isinstance(expression, VectorAggregation) and expression.operation in ("sort", "sort_desc"):
        for one, other in zip(expected, got, strict=True):
            if not close(one["value"][1], other["value"][1]):
                yield "another order"


def compare_matrices(expected: list[Any], got: list[Any]) -> Iterator[str]:
    first = {key(item["metric"]): item["values"] for item in expected}
    second = {key(item["metric"]): item["values"] for item in got}
    if set(first) != set(second):
        yield f"missing series {set(first) - set(second)}, more series {set(second) - set(first)}"
        return
    for labels, samples in first.items():
        others = second[labels]
        if [sample[0] for sample in samples] != [sample[0] for sample in others]:
            yield f"{labels}: other times"
        elif not all(close(one[1], other[1]) for one, other in zip(samples, others, strict=True)):
            yield f"{labels}: other values"


def compare_streams(query: dict[str, Any], expected: list[Any], got: list[Any]) -> Iterator[str]:
    backward = query.get("direction") == "backward"
    first, second = (merged(items, backward) for items in (expected, got))
    if set(first) != set(second):
        yield f"missing streams {set(first) - set(second)}, more streams {set(second) - set(first)}"
        return
    for labels, values in first.items():
        one, other = normalized(values), normalized(second[labels])
        if one != other:
            yield f"{labels}: other lines"


def merged(items: list[Any], backward: bool) -> dict[tuple[tuple[str, str], ...], list[Any]]:
    """The entries by label set; Loki may give one set several times, in order each."""
    found: dict[tuple[tuple[str, str], ...], list[Any]] = {}
    for item in items:
        found.setdefault(key(item["stream"]), []).append(item["values"])
    return {
        labels: values[0]
        if len(values) == 1
        else sorted(itertools.chain(*values), key=lambda entry: entry[0], reverse=backward)
        for labels, values in found.items()
    }


def normalized(values: list[Any]) -> list[tuple[str, Counter[str]]]:
    """The entries by time in order; those of one time as a multiset."""
    grouped: list[tuple[str, Counter[str]]] = []
    for value in values:
        text = json.dumps(value[1:], sort_keys=True)
        if grouped and grouped[-1][0] == value[0]:
            grouped[-1][1][text] += 1
        else:
            grouped.append((value[0], Counter([text])))
    return grouped


def close(expected: str, got: str) -> bool:
    one, other = float(expected), float(got)
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    if math.isinf(one) or math.isinf(other):
        return one == other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 1000 else text[:1000] + "…"


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
