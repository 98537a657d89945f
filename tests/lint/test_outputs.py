"""The formats: each holds every finding, and is what its readers expect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from lokictl.lint import Report, lint_text
from lokictl.lint.outputs import checkstyle, github, junit, sarif, text
from lokictl.lint.outputs import json as json_output

SCHEMA = json.loads((Path(__file__).parent / "data" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
RULES = """groups:
  - name: shop
    rules:
      - alert: Errors
        expr: sum(rate({service=~"shop"})) > 1
      - alert: Söme, 100 %
        expr: |
          sum(count_over_time({service="shop"} |~ ".*" |= "ü" [5m])) == 0
        annotations:
          summary: "{{ $labels.pod }}"
      - alert: Plain
        expr: sum(count_over_time({service=~"shop"}[5m])) > 1
"""


@pytest.fixture(scope="module")
def report() -> Report:
    return lint_text(RULES, "rules/my shop.yaml")


@pytest.fixture(scope="module")
def empty() -> Report:
    return lint_text("groups: []\n", "rules.yaml")


def test_sarif_is_valid(report: Report, empty: Report) -> None:
    for one in (report, empty):
        jsonschema.validate(json.loads(sarif.render(one)), SCHEMA)


def test_sarif_contains_everything(report: Report) -> None:
    run: dict[str, Any] = json.loads(sarif.render(report))["runs"][0]
    assert len(run["results"]) == len(report.findings)
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result, finding in zip(run["results"], report.findings, strict=True):
        assert rules[result["ruleIndex"]] == result["ruleId"] == finding.name
        location = result["locations"][0]["physicalLocation"]
        assert location["artifactLocation"]["uri"] == "rules/my%20shop.yaml"
        assert location["region"]["startLine"] == finding.position.line
    fixes = [result["fixes"] for result in run["results"] if "fixes" in result]
    assert len(fixes) == sum(finding.edit is not None for finding in report.findings) > 0


def test_json(report: Report) -> None:
    value = json.loads(json_output.render(report))
    assert [item["check"] for item in value["findings"]] == [finding.name for finding in report.findings]
    assert value["checked"] == {"rules": 3, "dashboards": 0, "datasources": 0, "queries": 3}
    syntax = next(item for item in value["findings"] if item["check"] == "logql/syntax")
    assert (syntax["line"], syntax["column"], syntax["severity"]) == (5, 41, "error")
    assert syntax["hint"].endswith('sum(rate({service=~"shop"} [5m])) > 1')


def test_github(report: Report) -> None:
    lines = github.render(report).split("\n")
    assert len(lines) == len(report.findings)
    assert "file=rules/my shop.yaml,line=4" in lines[0]
    syntax = next(line for line in lines if "title=logql/syntax" in line)
    assert syntax.startswith("::error file=rules/my shop.yaml,line=5,col=41,endLine=5,endColumn=41,")
    assert "%0A" in syntax
    assert not any("\r" in line for line in lines)


def test_junit(report: Report, empty: Report) -> None:
    root = ElementTree.fromstring(junit.render(report))
    cases = root.findall("./testsuite/testcase")
    assert len(cases) == len(report.findings) == int(root.get("tests", ""))
    failed = [case for case in cases if case.find("failure") is not None]
    assert len(failed) == int(root.get("failures", "")) < len(cases)
    (nothing,) = ElementTree.fromstring(junit.render(empty)).findall("./testsuite/testcase")
    assert nothing.find("failure") is None


def test_checkstyle(report: Report) -> None:
    (file,) = ElementTree.fromstring(checkstyle.render(report)).findall("file")
    assert file.get("name") == "rules/my shop.yaml"
    errors = file.findall("error")
    assert len(errors) == len(report.findings)
    assert {error.get("severity") for error in errors} == {"error", "warning", "info"}


def test_xml_without_forbidden_characters() -> None:
    bad = '{service="shop"} |= "\\x01" | json | level="\x01" | level="b"'
    found = lint_text(bad, "query.logql")
    assert len(found.findings) > 0
    for module in (junit, checkstyle):
        ElementTree.fromstring(module.render(found))


def test_text(report: Report, empty: Report) -> None:
    shown = text.render(report)
    assert "rules/my shop.yaml:5:41: error: syntax error: unexpected ) (logql/syntax)" in shown
    assert '  5 |         expr: sum(rate({service=~"shop"})) > 1\n' in shown
    assert "\x1b[" not in shown
    assert "\x1b[" in text.render(report, color=True)
    assert text.summary(empty) == "nothing checked: no problems"
    assert text.summary(report).startswith("3 rules, 3 queries checked: 1 error, ")
