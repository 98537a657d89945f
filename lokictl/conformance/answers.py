"""Compares an answer with a recorded one of a real Loki.

Labels are compared exactly, values as floats with a relative tolerance of 1e-9, times exactly, entries in the order of
their times (those of one time in any order), errors by their status and their text.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lokictl.logql import parse
from lokictl.logql.ast import VectorAggregation
from lokictl.logql.errors import LogQLError

NO_ANSWER = (0, 401, 403, 404, 405, 429, 502, 503, 504)
"""Statuses that say nothing about the query; 0: nothing came, or something else than an answer."""
SHOWN = 500
"""Characters of a value that a difference shows."""
Query = dict[str, Any]
"""A recorded query: ``expr``, its times, and Loki's answer: ``status``, ``resultType``, ``result`` or ``error``."""


def difference(query: Query, status: Any, answer: Any, *, texts: bool = True) -> str:
    """What is different in an answer, or "".

    ``status`` is "success" with ``answer`` the ``data`` object, or an HTTP status with ``answer`` the error's text.
    Without ``texts`` errors of the query count as the same when both are errors.
    """
    if status != query["status"]:
        if not texts and "success" not in (status, query["status"]) and status not in NO_ANSWER:
            return ""
        expected = query["error"] if "error" in query else query["result"]
        got = answer["result"] if status == "success" else answer
        return f"expected {query['status']} {short(expected)}\n  got      {status} {short(got)}"
    if status != "success":
        return compare_errors(query["error"], answer, query) if texts else ""
    try:
        problems = list(compare(query, answer))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        return f"not an answer of Loki's query API ({type(error).__name__}: {error}): {short(answer)}"
    if not problems:
        return ""
    return f"{problems[0]}\n  expected {short(query['result'])}\n  got      {short(answer['result'])}"


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


def written(labels: Iterable[tuple[str, str]]) -> str:
    """Labels as a stream selector has them."""
    return "{" + ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels) + "}"


def _unequal(what: str, expected: Mapping[Any, Any], got: Mapping[Any, Any]) -> str:
    """The label sets that only one side has."""
    parts = []
    for word, labels in (("missing", expected.keys() - got.keys()), ("extra", got.keys() - expected.keys())):
        if labels:
            parts.append(f"{word} {what} {short(' '.join(map(written, sorted(labels))))}")
    return "; ".join(parts)


def compare_vectors(query: dict[str, Any], expected: list[Any], got: list[Any]) -> Iterator[str]:
    if len(expected) != len(got):
        yield f"expected {len(expected)} elements, got {len(got)}"
        return

    def ordered(items: list[Any]) -> list[Any]:
        return sorted(items, key=lambda item: (key(item["metric"]), item["value"][1]))

    for one, other in zip(ordered(expected), ordered(got), strict=True):
        if key(one["metric"]) != key(other["metric"]):
            yield f"expected labels {written(key(one['metric']))}, got {written(key(other['metric']))}"
        elif one["value"][0] != other["value"][0]:
            yield f"expected time {one['value'][0]}, got {other['value'][0]}"
        elif not close(one["value"][1], other["value"][1]):
            yield f"{written(key(one['metric']))}: expected {one['value'][1]}, got {other['value'][1]}"
    if _is_sorted(query["expr"]):
        for one, other in zip(expected, got, strict=True):
            if not close(one["value"][1], other["value"][1]):
                yield "another order"


def _is_sorted(text: str) -> bool:
    try:
        expression = parse(text)
    except LogQLError:
        return False
    return isinstance(expression, VectorAggregation) and expression.operation in ("sort", "sort_desc")


def compare_matrices(expected: list[Any], got: list[Any]) -> Iterator[str]:
    first, second = _samples(expected), _samples(got)
    if set(first) != set(second):
        yield _unequal("series", first, second)
        return
    for labels, samples in first.items():
        others = second[labels]
        if [sample[0] for sample in samples] != [sample[0] for sample in others]:
            yield f"{written(labels)}: other times"
        elif not all(close(one[1], other[1]) for one, other in zip(samples, others, strict=True)):
            yield f"{written(labels)}: other values"


def _samples(items: list[Any]) -> dict[tuple[tuple[str, str], ...], list[Any]]:
    """The samples by label set; one set can come several times, and then the order is chance."""
    found: dict[tuple[tuple[str, str], ...], list[Any]] = {}
    for item in items:
        labels = key(item["metric"])
        if labels in found:
            found[labels] = sorted(
                [*found[labels], *item["values"]], key=lambda sample: (sample[0], sample[1])
            )
        else:
            found[labels] = sorted(item["values"], key=lambda sample: (sample[0], sample[1]))
    return found


def compare_streams(query: dict[str, Any], expected: list[Any], got: list[Any]) -> Iterator[str]:
    backward = query.get("direction") == "backward"
    first, second = (merged(items, backward) for items in (expected, got))
    if set(first) != set(second):
        yield _unequal("streams", first, second)
        return
    for labels, values in first.items():
        one, other = normalized(values), normalized(second[labels])
        if one != other:
            yield f"{written(labels)}: other lines"


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
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
