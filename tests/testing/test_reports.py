"""A run as JSON, GitHub annotations, JUnit and text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lokictl.testing import Report, discover, measure_coverage, run_mutations, run_tests
from lokictl.testing.junit import junit_xml
from lokictl.testing.outcome import Failure
from lokictl.testing.reports import as_json, failure_text, github_lines, summary_text
from lokictl.testing.side_by_side import side_by_side

TESTS = """\
rule_files: [rules.yaml]
tests:
  - name: "holds: <always> & ever"
    alert_rule_test: [{eval_time: 9m, alertname: ManyErrors, exp_alerts: []}]
  - name: does not hold
    alert_rule_test: [{eval_time: 9m, alertname: ManyErrors, exp_alerts: [{exp_labels: {a: "100 %, <b>"}}]}]
"""


@pytest.fixture
def report(write: Callable[..., Path]) -> Report:
    file = write(TESTS)
    broken = file.with_name("broken_test.yaml")
    broken.write_text("tests: [{nmae: x}]")
    return run_tests(discover([file, broken]))


def test_json(report: Report) -> None:
    value = json.loads(json.dumps(as_json(report)))
    assert value["passed"] is False
    assert value["counts"] == {"passed": 1, "failed": 1, "skipped": 0}
    assert [test["outcome"] for test in value["tests"]] == ["passed", "failed"]
    failure = value["tests"][1]["failures"][0]
    assert (failure["line"], failure["column"]) == (6, 35)
    assert failure["expected"] == [{"labels": {"a": "100 %, <b>"}, "annotations": None}]
    assert failure["actual"] == []
    assert value["problems"][0]["hint"] == 'did you mean "name"?'


def test_json_of_coverage_and_mutation(write: Callable[..., Path]) -> None:
    suite = discover([write(TESTS)], pattern="holds:")
    value = json.loads(json.dumps(as_json(run_tests(suite), measure_coverage(suite), run_mutations(suite))))
    assert value["coverage"]["rules"][0]["behaviours"] == {
        "fires": "",
        "stays silent": "holds: <always> & ever",
        "resolves": "",
    }
    assert value["mutation"]["untested"] == ["web:lines:count2m"]
    assert value["mutation"]["changes"] == len(run_mutations(suite).results)
    assert "rules.yaml" in value["mutation"]["survivors"][0]["file"]


def test_github(report: Report) -> None:
    problem, failure = github_lines(report)
    assert problem.startswith("::error file=")
    assert problem.endswith('test/unknown-key::unknown key "nmae" in a test%0Adid you mean "name"?')
    assert ",line=6,col=35,endLine=6,endColumn=36,title=rule test%3A does not hold::" in failure
    assert "::ManyErrors: expected 1 alert to fire" in failure
    assert "a: 100 %25, <b>" in failure
    assert "\n" not in failure


def test_junit(report: Report) -> None:
    report.results[1].failures.append(Failure("a\x00\x1b[31m control \ud800 character"))
    root = ElementTree.fromstring(junit_xml(report).encode("utf-8"))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    cases = list(root.iter("testcase"))
    assert [case.get("name") for case in cases][:2] == ["holds: <always> & ever", "does not hold"]
    assert cases[0].find("failure") is None
    first = cases[1].find("failure")
    assert first is not None
    assert "a: 100 %, <b>" in (first.text or "")
    assert root.find("testsuite/testcase/error") is not None


def test_text(report: Report) -> None:
    text = failure_text(report.failed[0])
    assert text.startswith("FAIL ")
    assert "a: 100 %, <b>" in text
    assert "\x1b" not in text
    assert "\x1b[31mFAIL" in failure_text(report.failed[0], color=True)
    summary = summary_text(report, filtered=2)
    assert summary.startswith("2 tests in ")
    assert summary.endswith("1 passed, 1 failed, 1 problem, 2 not selected")


@pytest.mark.parametrize(
    "left, right, expected",
    [
        (["a"], ["a"], ["a          a"]),
        (["a"], ["b"], ["a        | b"]),
        (["a", "c"], ["a"], ["a          a", "c        <"]),
        (["a"], ["a", "d"], ["a          a", "         > d"]),
        (["long words"], ["x"], ["long     | x", "  words  |"]),
    ],
)
def test_side_by_side(left: list[str], right: list[str], expected: list[str]) -> None:
    assert side_by_side(left, right, width=8) == expected
