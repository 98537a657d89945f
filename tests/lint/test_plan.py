"""Which checks run on a query follows from its build: what they are spared must hold nothing for them to find."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from lokictl.lint import Settings
from lokictl.lint.interface import Finding, Query, QueryCheck, QueryKind, RuleCheck, Severity, Workspace
from lokictl.lint.items import GroupItem, RuleItem
from lokictl.lint.query import DocumentText
from lokictl.lint.registry import all_checks
from lokictl.logql import ast
from lokictl.model import parse_rule_files
from lokictl.model.documents import PlainDocument, SourceText
from lokictl.model.yaml_writer import dump_yaml

HERE = Path(__file__).parent


@cache
def texts() -> list[str]:
    """The queries that Loki accepted when it was asked, and those of the cases of checks."""
    recorded = json.loads((HERE.parent / "data" / "parse.json").read_text(encoding="utf-8"))["queries"]
    cases = yaml.safe_load((HERE / "cases" / "logql.yaml").read_text(encoding="utf-8"))
    found = [case["query"] for case in recorded if case["ok"]]
    found += [case["query"] for rows in cases.values() for case in rows]
    return list(dict.fromkeys(found))


def query(text: str, kind: QueryKind) -> Query:
    source = DocumentText(PlainDocument.of(SourceText(text, "query.logql")), (), text)
    return Query(text, kind, source, panel={"type": "timeseries"}, target={"maxLines": 5})


@cache
def queries() -> list[Query]:
    found = [
        query(text, kind)
        for text, kind in zip(texts(), itertools.cycle((QueryKind.PLAIN, QueryKind.PANEL)), strict=False)
    ]
    found += [item.query for item in rules()]
    return [item for item in found if item.expression is not None]


@cache
def rules() -> list[RuleItem]:
    """Every query as an alert and as a recording rule, with labels and templates that checks find fault with."""
    written = []
    for number, text in enumerate(text for text in texts() if text.isprintable()):
        common = {"expr": text, "labels": {"severity": "urgent", "level": "x", "app": "{{ $labels.app }}"}}
        alert = {"alert": f"A{number}", "for": "2d", **common}
        summary = ["{{ $value }} {{ $labels.nope }}", "{{ $value | humanizePercentage }}", "plain"][
            number % 3
        ]
        written += [{**alert, "annotations": {"summary": summary}}, {"record": f"r{number}", **common}]
    text = dump_yaml({"groups": [{"name": "g", "interval": "1m", "rules": written}]})
    return [
        item
        for file in parse_rule_files(text, "rules.yaml")
        for item in GroupItem(file.groups[0], file).rules
    ]


def missed_by_queries(check: QueryCheck) -> Iterator[Finding]:
    """What a check would find in queries that it is not called with."""
    for item in queries():
        is_meant = not check.query_kinds or item.kind in check.query_kinds
        if is_meant and not check.can_find(item.parts, item.kind):
            yield from check.check(item)


def missed_by_rules(check: RuleCheck) -> Iterator[Finding]:
    """What a check would find in rules that it is not called with."""
    for item in rules():
        if item.is_alert or not check.only_alerts:
            has_templates = bool(item.templates)
            if not check.can_find(item.query.parts, is_alert=item.is_alert, has_templates=has_templates):
                yield from check.check(item)


def built(kind: type) -> list[QueryCheck | RuleCheck]:
    """Every check of a kind that needs no server, on or off."""
    workspace = Workspace()
    checks = Settings(select=tuple(all_checks())).build(workspace)
    return [check for check in checks if isinstance(check, kind) and not check.needs_loki]  # type: ignore[misc]


@pytest.mark.parametrize("check", built(QueryCheck), ids=lambda check: check.name)
def test_no_query_is_missed(check: QueryCheck) -> None:
    assert [finding.message for finding in missed_by_queries(check)] == []


@pytest.mark.parametrize("check", built(RuleCheck), ids=lambda check: check.name)
def test_no_rule_is_missed(check: RuleCheck) -> None:
    assert [finding.message for finding in missed_by_rules(check)] == []


class TooNarrow(QueryCheck):
    """Finds filters, and says that it wants aggregations."""

    name = "test/too-narrow"
    severity = Severity.INFO
    summary = "a check with wrong wants"
    wants = ("sum",)

    def check(self, query: Query) -> Iterator[Finding]:
        for node in query.nodes(ast.LineFilter):
            yield self.finding(query.place(node), "found")


class TooNarrowForRules(RuleCheck):
    """Finds recording rules, and says that it wants templates."""

    name = "test/too-narrow-for-rules"
    severity = Severity.INFO
    summary = "a check with wrong wants"
    only_templates = True

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        if not rule.is_alert:
            yield self.finding(rule.place(), "found")


def test_wrong_wants_show() -> None:
    assert any(missed_by_queries(TooNarrow()))
    assert any(missed_by_rules(TooNarrowForRules()))


def test_queries_of_one_build_have_the_same_parts() -> None:
    parts: dict[object, frozenset[object]] = {}
    for item in queries():
        assert parts.setdefault(item.build, item.parts) == item.parts, item.text
    assert len(parts) < len(queries()) * 0.9


def test_parts() -> None:
    item = query('sum by (app) (rate({app="a"} |~ "x" | json | status > 5 [5m]))', QueryKind.PLAIN)
    words = {"sum", "by", "(", ")", "rate", "{", "}", "=", "|~", "|", "json", ">"}
    assert {part for part in item.parts if isinstance(part, str)} == words | {
        *("IDENTIFIER", "STRING", "NUMBER", "RANGE")
    }
    assert {ast.ParserStage, ast.JsonParser, ast.MetricExpr, ast.LabelComparison} < item.parts
    assert ast.BinaryOperation not in item.parts
    assert query("sum by (", QueryKind.PLAIN).parts == frozenset()
