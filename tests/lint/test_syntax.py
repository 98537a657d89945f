"""What is not LogQL is shown at its place, with a repair that parses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl import logql

from .helpers import findings

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "cases" / "syntax.yaml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"])
def test_the_repair_is_suggested(case: dict[str, Any]) -> None:
    (found,) = findings(case["text"], "logql/syntax")
    place = found.position
    if "at" in case:
        shown = f"{place.line}:{place.column}-{place.end_line}:{place.end_column}"
        assert shown == case["at"]
    if case["repair"]:
        assert found.hint.endswith(f"write: {case['repair']}")
        logql.parse(case["repair"])
    else:
        assert "write:" not in found.hint
        assert case["hint"] in found.hint


# The caret stands in the file, however the query is written: as a block, folded, plain or quoted.
YAML_CASES = [
    ('- alert: A\n  expr: |\n    sum(\n      rate({a="b"})\n    ) > 1\n', (7, 25)),
    ('- alert: A\n  expr: >-\n    sum(rate({a="b"}))\n    > 1\n', (6, 27)),
    ('- alert: A\n  expr: sum(rate({a="b"})) > 1\n', (5, 31)),
    ("- alert: A\n  expr: 'sum(rate({a=\"b\"})) > 1'\n", (5, 32)),
    ('- alert: A\n  expr: "sum(rate({a=\\"b\\"})) > 1"\n', (5, 34)),
]


@pytest.mark.parametrize("text, place", YAML_CASES)
def test_the_place_in_yaml(text: str, place: tuple[int, int]) -> None:
    (found,) = findings(text, "logql/syntax")
    assert (found.position.line, found.position.column) == place
    assert found.source_line[found.position.column - 1] == ")"


def test_a_query_that_a_comment_cuts_short() -> None:
    (found,) = findings(
        '- alert: A\n  expr: count_over_time({a="b"} |= "issue #5" [5m]) > 0\n', "logql/syntax"
    )
    assert "begins a comment in YAML" in found.hint


def test_a_dashboard_variable_in_place_of_syntax_is_not_an_error() -> None:
    from lokictl.lint import Settings, lint_text

    text = (
        '{"title": "T", "panels": [{"id": 1, "type": "logs", "datasource": {"type": "loki", "uid": "x"},'
        ' "targets": [{"refId": "A", "expr": "{app=\\"a\\"} $pipeline"},'
        ' {"refId": "B", "expr": "sum by ($by) (rate({app=\\"$app\\"} |= \\"$text\\" [$__auto]))"},'
        ' {"refId": "C", "expr": "topk($k, sum by (a) (rate({app=\\"$app\\"}[$range] offset $back)))"},'
        ' {"refId": "D", "expr": "{app=\\"a\\", } |= \\"$text\\""}]}]}'
    )
    found = lint_text(text, "d.json", Settings(select=("logql/syntax",))).findings
    assert len(found) == 1
    assert found[0].hint.endswith('{app="a"} |= "$text"')
