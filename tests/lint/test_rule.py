"""Each check of rules against a table of snippets; those that need a project, against a small one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.lint import Settings, lint
from lokictl.lint.registry import all_checks
from lokictl.project import load

from .helpers import findings

TABLE: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    (Path(__file__).parent / "cases" / "rule.yaml").read_text(encoding="utf-8")
)
CASES = [(name, number, case) for name, cases in TABLE.items() for number, case in enumerate(cases)]


@pytest.mark.parametrize("name, number, case", CASES, ids=[f"{name}-{number}" for name, number, _ in CASES])
def test_check(name: str, number: int, case: dict[str, Any]) -> None:
    found = [item for item in findings(case["text"], name) if item.name == name]
    assert len(found) == case["finds"], [item.message for item in found]
    if "says" in case:
        assert case["says"] in f"{found[0].message} {found[0].hint}"
    if "line" in case:
        assert found[0].position.line == case["line"]
    if "severity" in case:
        assert found[0].severity == case["severity"]


def test_every_check_has_cases() -> None:
    ours = {name for name in all_checks() if name.startswith("rule/")}
    assert ours - set(TABLE) == {"rule/unknown-recording", "rule/no-route"}


def test_a_pattern_for_names_and_labels() -> None:
    text = '- alert: lower\n  expr: sum(rate({a="b"}[5m])) > 1\n  labels: {team: x}\n'
    checks = {
        "rule/name": {"pattern": "[A-Z]\\w+"},
        "rule/required-labels": {"required": {"team": "core|edge"}},
    }
    found = findings(text, *checks, checks=checks)
    assert [(item.name, item.position.line) for item in found] == [
        ("rule/name", 4),
        ("rule/required-labels", 6),
    ]


SERVICES = """
from lokictl.model import LogField, Service, StreamLabel

SHOP = Service(
    name="shop", title="Shop", tier="core", namespace="shop",
    labels=(StreamLabel("service", values=("shop",)), StreamLabel("level")),
    fields=(LogField("module"), LogField("user", high_cardinality=True)),
)
"""
RULES = """
groups:
  - name: shop
    rules:
      - alert: ShopErrors
        expr: sum by (service) (count_over_time({service="shop", module="db"}[5m])) > 5
        labels: {severity: nobody}
        annotations:
          runbook_url: https://git.example/shop/blob/main/docs/runbooks/shop-eror.md
          dashboard_url: https://grafana.example/d/shopp/shop
      - alert: ShopUsers
        expr: sum by (user) (count_over_time({service="shop"} | json | __error__="" [5m])) > 5
        labels: {severity: critical}
      - record: service:errors:rate5m
        expr: sum by (service) (rate({service="shop"}[5m]))
"""
DASHBOARD = (
    '{"uid": "shop", "title": "Shop", "panels": [{"id": 1, "type": "timeseries", "datasource": '
    '{"type": "prometheus", "uid": "p"}, "targets": [{"refId": "A", "expr": "service:error:rate5m > 0"}]}]}'
)
ALERTMANAGER = """
from lokictl.model.component import Component

ALERTMANAGER = Component(name="alertmanager", title="Alertmanager", configuration={"alertmanager.yaml": {
    "route": {"receiver": "silent", "routes": [{"receiver": "page", "matchers": ['severity="critical"']}]},
    "receivers": [{"name": "silent"}, {"name": "page", "webhook_configs": [{"url": "http://x"}]}],
}})
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "lokictl.toml": "",
        "services/shop_service_module.py": SERVICES,
        "rules/shop.yaml": RULES,
        "dashboards/shop.json": DASHBOARD,
        "stack/shop_alertmanager.py": ALERTMANAGER,
        "docs/runbooks/shop-error.md": "# Errors",
        "datasources/README": "",
        "tests/rules/README": "",
    }
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_a_project_knows(project: Path) -> None:
    names = ("rule/link", "rule/no-route", "rule/unknown-recording", "logql/field-in-selector")
    found = lint(load(project), Settings(select=(*names, "logql/high-cardinality-grouping"))).findings
    told = [(item.name, item.position.line, item.hint) for item in found]
    assert told == [
        ("rule/unknown-recording", 1, "did you mean service:errors:rate5m?"),
        ("rule/no-route", 5, "give it a label that a route matches, or add a route"),
        ("logql/field-in-selector", 6, 'filter after the parser: | json | module="db"'),
        ("rule/link", 9, "did you mean shop-error.md?"),
        ("rule/link", 10, 'did you mean "shop"?'),
        (
            "logql/high-cardinality-grouping",
            12,
            "group by something bounded, or filter first so that few values are left",
        ),
    ]


def test_routes_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(
        "route:\n  receiver: none\n  routes:\n    - receiver: page\n      match: {severity: critical}\n"
        "    - receiver: page\n      match_re: {team: core|edge}\n"
        "receivers:\n  - name: none\n  - name: page\n    webhook_configs: [{url: http://x}]\n"
    )
    rule = '- alert: %s\n  expr: sum(rate({a="b"}[5m])) > 1\n  labels: {%s}\n'
    labels = {"A": "severity: critical", "B": "team: edge", "C": "team: other", "D": "team: '{{ $value }}'"}
    text = "".join(rule % pair for pair in labels.items())
    checks = {"rule/no-route": {"configuration": str(file)}}
    found = findings(text, "rule/no-route", checks=checks)
    assert [item.item for item in found] == ["alert C"]


def test_no_alert_of_the_content_is_left_without_a_route() -> None:
    root = Path(__file__).resolve().parent.parent.parent
    found = lint(load(root, strict=False), Settings(select=("rule/no-route",))).findings
    assert [item for item in found if item.name == "rule/no-route"] == []
