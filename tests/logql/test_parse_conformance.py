"""Loki's own verdicts on 2,404 queries: accepted or not, canonical text, error text with its position."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lokictl import logql
from lokictl.logql import ParseError, parse

RECORDING = json.loads((Path(__file__).parent.parent / "data" / "parse.json").read_text(encoding="utf-8"))
QUERIES: list[dict[str, Any]] = RECORDING["queries"]
MACROS: list[dict[str, Any]] = RECORDING["grafana_macros"]


# The words that say what a query is about, the rarest first.
TOPICS = (
    *("variants", "decolorize", "unpack", "label_replace", "ip", "vector", "approx_topk", "absent_over_time"),
    *(
        "quantile_over_time",
        "label_format",
        "line_format",
        "pattern",
        "regexp",
        "unwrap",
        "drop",
        "keep",
        "offset",
    ),
    *(
        "group_left",
        "group_right",
        "ignoring",
        "on",
        "bool",
        "without",
        "topk",
        "bottomk",
        "sort",
        "sort_desc",
    ),
    *("logfmt", "json", "or", "and", "unless", "by", "rate", "count_over_time"),
)


def topic(query: str) -> str:
    """The first of `TOPICS` that is a word of the query; what filters there are for one without any."""
    words = set(re.findall(r"\w+", query))
    filters = (
        "line_filter"
        if re.search(r"\|[=~>]|}\s*!", query)
        else "label_filter"
        if "|" in query
        else "selector"
    )
    return next((word for word in TOPICS if word in words), filters)


def suites(cases: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Cases by verdict and topic, so that ``-k accepted-unwrap`` selects some."""
    found: dict[str, list[dict[str, Any]]] = {}
    for case in cases:
        verdict = "accepted" if case["ok"] else "refused"
        found.setdefault(f"{verdict}-{topic(case['query'])}", []).append(case)
    return dict(sorted(found.items()))


SUITES = suites(QUERIES)
ACCEPTED = [name for name in SUITES if name.startswith("accepted")]


def answer(query: str) -> dict[str, Any]:
    try:
        expression = parse(query)
    except ParseError as error:
        return {"ok": False, "error": str(error)}
    return {"ok": True, "canonical": str(expression)}


def verdict(case: dict[str, Any]) -> dict[str, Any]:
    return {key: case[key] for key in ("ok", "canonical", "error") if key in case}


@pytest.mark.parametrize("suite", SUITES)
def test_queries(suite: str) -> None:
    wrong = []
    for case in SUITES[suite]:
        got = answer(case["query"])
        if got != verdict(case):
            wrong.append(f"query    {case['query']}\nexpected {verdict(case)}\ngot      {got}")
    assert not wrong, f"{len(wrong)} of {len(SUITES[suite])} differ\n\n" + "\n\n".join(wrong[:20])


def test_every_query_is_in_a_suite_of_moderate_size() -> None:
    sizes = [len(cases) for cases in SUITES.values()]
    assert sum(sizes) == len(QUERIES) > 2_000
    assert max(sizes) < 200


@pytest.mark.parametrize("suite", ACCEPTED)
def test_printed_queries_parse_again_as_loki_says(suite: str) -> None:
    wrong = []
    for case in SUITES[suite]:
        expected = case.get("roundtrip", case["canonical"])
        again = answer(case["canonical"])
        got = again["canonical"] if again["ok"] else False
        if got != expected:
            wrong.append(f"printed  {case['canonical']}\nexpected {expected}\ngot      {again}")
    assert not wrong, f"{len(wrong)} of {len(SUITES[suite])} differ\n\n" + "\n\n".join(wrong[:20])


@pytest.mark.parametrize("case", MACROS, ids=[case["query"][:60] for case in MACROS])
def test_dashboard_variables_are_refused_as_by_loki(case: dict[str, Any]) -> None:
    assert answer(case["query"]) == verdict(case)


def test_positions_point_into_the_query() -> None:
    refused = [case for case in QUERIES if not case["ok"]]
    assert refused
    for case in refused:
        with pytest.raises(ParseError) as caught:
            parse(case["query"])
        error = caught.value
        lines = case["query"].split("\n")
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.col <= len(lines[error.line - 1]) + 1
        assert 0 <= error.offset <= error.end_offset <= len(case["query"])


def test_the_pretty_form_is_stable_and_means_the_same() -> None:
    kinds: Counter[bool] = Counter()
    assert QUERIES
    for case in QUERIES:
        if not case["ok"] or "roundtrip" in case:
            continue
        once = logql.format(case["query"])
        assert logql.format(once) == once
        assert str(parse(once)) == case["canonical"]
        kinds["\n" in once] += 1
    assert kinds[True] > 100
