"""Each check of LogQL against a table of queries."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.lint.registry import all_checks

from .helpers import findings

TABLE: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    (Path(__file__).parent / "cases" / "logql.yaml").read_text(encoding="utf-8")
)
CASES = [(name, case) for name, cases in TABLE.items() for case in cases]


def snippet(case: dict[str, Any]) -> str:
    if not case.get("rule"):
        return str(case["query"])
    interval = f"    interval: {case['interval']}\n" if "interval" in case else ""
    rule = f"      - alert: A\n        expr: |-\n{textwrap.indent(case['query'], ' ' * 10)}\n"
    return f"groups:\n  - name: g\n{interval}    rules:\n{rule}"


@pytest.mark.parametrize("name, case", CASES, ids=[f"{name}-{case['query']}" for name, case in CASES])
def test_check(name: str, case: dict[str, Any]) -> None:
    found = findings(snippet(case), name)
    assert len(found) == case["finds"], [item.message for item in found]
    if "at" in case:
        place = found[0].position
        assert f"{place.line}:{place.column}-{place.end_column}" == case["at"]
    if "says" in case:
        assert case["says"] in f"{found[0].message} {found[0].hint}"


def test_every_check_has_cases() -> None:
    ours = {name for name in all_checks() if name.startswith("logql/")}
    elsewhere = {"logql/syntax", "logql/version", "logql/field-in-selector"}
    assert ours - set(TABLE) == elsewhere


VERSIONS = [
    ('{a="b"} |> "x <_>"', (2, 9), 1),
    ('{a="b"} |> "x <_>"', (3, 0), 0),
    ('{a="b"} | drop x', (2, 7), 1),
    ('{a="b"} | keep x', (2, 8), 1),
    ('{a="b"} | logfmt --strict', (2, 8), 1),
    ('{a="b"} |= "x" or "y"', (2, 9), 1),
    ('topk(5, rate({a="b"}[5m]))', (2, 0), 0),
    ('{a="b"} != "x" or "y"', (2, 9), 1),
    ('SUM(rate({a="b"}[5m]))', (2, 9), 1),
    ('{a="b"} | json | x > -1', (3, 0), 1),
    ('variants(rate({a="b"}[5m])) of ({a="b"}[5m])', (3, 4), 1),
    ('variants(rate({a="b"}[5m])) of ({a="b"}[5m])', (3, 8), 0),
    ('approx_topk(5, sum by (x) (rate({a="b"}[5m])))', (3, 2), 1),
]


@pytest.mark.parametrize("query, version, count", VERSIONS)
def test_version(query: str, version: tuple[int, int], count: int) -> None:
    assert len(findings(query, "logql/version", loki_version=version)) == count


LONG = [
    "equal line filters",
    "different line filters",
    "label filters on one label",
    "numbers on one label",
    "matchers of one label",
]


@pytest.mark.parametrize("kind", LONG)
def test_thousands_of_filters_are_not_compared_in_pairs(kind: str) -> None:
    """With every pair compared, or the query parsed again for each repair, this took minutes."""
    count = 2_000
    query = {
        "equal line filters": '{a="b"}' + ' != "x"' * count,
        "different line filters": '{a="b"}' + "".join(f' |= "x{item}x"' for item in range(count)),
        "label filters on one label": '{a="b"} | json' + "".join(f' | c!="{item}"' for item in range(count)),
        "numbers on one label": '{a="b"} | json' + "".join(f" | c!={item}" for item in range(count)),
        "matchers of one label": '{a="b"' + "".join(f',c!="{item}"' for item in range(count)) + "}",
    }[kind]
    found = findings(query, "logql/redundant-filter")
    assert len(found) == (count - 1 if kind == "equal line filters" else 0)
