"""Loki's own verdicts on 2,388 queries: accepted or not, canonical text, error text with its position."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lokictl import logql
from lokictl.logql import ParseError, parse

RECORDING = json.loads((Path(__file__).parent.parent / "data" / "parse.json").read_text(encoding="utf-8"))
QUERIES: list[dict[str, Any]] = RECORDING["queries"]
MACROS: list[dict[str, Any]] = RECORDING["grafana_macros"]


def answer(query: str) -> dict[str, Any]:
    try:
        expression = parse(query)
    except ParseError as error:
        return {"ok": False, "error": str(error)}
    return {"ok": True, "canonical": str(expression)}


def report(name: str, wrong: list[str], total: int) -> None:
    print(f"{name}: {total - len(wrong)} of {total} agree ({(total - len(wrong)) / total:.2%})")
    assert not wrong, "\n\n".join(wrong[:20])


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "refused"])
def test_queries(accepted: bool) -> None:
    wrong = []
    cases = [case for case in QUERIES if case["ok"] is accepted]
    for case in cases:
        got = answer(case["query"])
        expected = {key: case[key] for key in ("ok", "canonical", "error") if key in case}
        if got != expected:
            wrong.append(f"query    {case['query']}\nexpected {expected}\ngot      {got}")
    report("accepted queries" if accepted else "refused queries", wrong, len(cases))


def test_printed_queries_parse_again_as_loki_says() -> None:
    wrong = []
    cases = [case for case in QUERIES if case["ok"]]
    for case in cases:
        expected = case.get("roundtrip", case["canonical"])
        again = answer(case["canonical"])
        got = again["canonical"] if again["ok"] else False
        if got != expected:
            wrong.append(f"printed  {case['canonical']}\nexpected {expected}\ngot      {again}")
    report("round trips", wrong, len(cases))


def test_dashboard_variables_are_refused_like_loki_does() -> None:
    wrong = []
    for case in MACROS:
        got = answer(case["query"])
        if got != {key: case[key] for key in ("ok", "canonical", "error") if key in case}:
            wrong.append(f"query    {case['query']}\nexpected {case}\ngot      {got}")
    report("variables", wrong, len(MACROS))


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
    for case in QUERIES:
        if not case["ok"] or "roundtrip" in case:
            continue
        once = logql.format(case["query"])
        assert logql.format(once) == once
        assert str(parse(once)) == case["canonical"]
        kinds["\n" in once] += 1
    assert kinds[True] > 100
