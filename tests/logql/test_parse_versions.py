"""What the parsers of other Lokis say of the queries of ``parse.json`` that they judge differently than 3.7.6.

``tests/data/parse_versions.json``: for each query the other verdicts, with the Lokis that gave them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lokictl import logql
from lokictl.logql import LogQLError

DATA = Path(__file__).parent.parent / "data" / "parse_versions.json"
ROWS: list[dict[str, Any]] = json.loads(DATA.read_text(encoding="utf-8"))
LOKIS = sorted({loki for row in ROWS for answer in row["answers"] for loki in answer["loki"]})


def verdict(query: str, loki: str) -> str:
    try:
        logql.parse(query, version=loki)
    except LogQLError as error:
        return str(error).strip()
    return ""


@pytest.mark.parametrize("loki", LOKIS)
def test_other_lokis_judge_otherwise(loki: str) -> None:
    cases = [
        (row["query"], answer.get("error", ""))
        for row in ROWS
        for answer in row["answers"]
        if loki in answer["loki"]
    ]
    wrong = [
        f"{query}\n  expected {expected!r}\n  got      {got!r}"
        for query, expected in cases
        if (got := verdict(query, loki)) != expected
    ]
    assert not wrong, f"{len(wrong)} of {len(cases)}\n" + "\n".join(wrong[:20])


def test_a_size_too_large_for_main_is_a_number_and_a_word() -> None:
    assert verdict('{app="gate"} | size > 20000PB', "main").endswith("unexpected $end")
