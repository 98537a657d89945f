"""Checks of everything together: dashboards, data sources, test files, the platform's own configuration."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from lokictl import project
from lokictl.lint import Settings, lint
from lokictl.lint.interface import Workspace
from lokictl.model.component import Component
from lokictl.model.yaml_writer import dump_yaml
from lokictl.project import Project
from lokictl.project.configuration import Configuration
from tests.lint.dashboard.cases import LOKI, dashboard, panel, target
from tests.lint.stack.cases import SERVICES, findings, workspace_of

SERVICE_MODULE = """
from lokictl.model import LogField, Service, StreamLabel

def labels(name):
    return (StreamLabel("service", values=(name,)), StreamLabel("level", values=("info", "error"), example="info"))

SHOP = Service(name="shop", title="Shop", tier="core", namespace="n", labels=labels("shop"), fields=(LogField("msg"),))
IDLE = Service(name="idle", title="Idle", tier="core", namespace="n", labels=labels("idle"))
"""
RULES = {
    "groups": [
        {
            "name": "shop",
            "rules": [
                {"alert": "Errors", "expr": 'sum(count_over_time({service="shop"}[5m])) > 5', "for": "1m"}
            ],
        }
    ]
}
TESTS = {
    "tests": [
        {
            "name": "errors",
            "input_streams": [
                {
                    "labels": {"service": "shop", "level": "eror", "colour": "red"},
                    "entries": [{"at": "0s", "line": "x"}],
                },
                {"labels": {"service": "elsewhere", "level": "odd"}, "entries": []},
            ],
            "logql_expr_test": [{"expr": '{service="shop", levl="info"}', "eval_time": "1m"}],
        }
    ]
}


@pytest.fixture
def messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lints a small project; gives the messages of one check."""
    panels = [panel("timeseries", target('sum(rate({service="shop"}[$__auto]))'))]
    files = {
        "lokictl.toml": "",
        "services/shop.py": SERVICE_MODULE,
        "rules/shop.yaml": dump_yaml(RULES),
        "dashboards/shop.json": json.dumps(dashboard(*panels)),
        "tests/rules/shop.yaml": dump_yaml(TESTS),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return lambda check: [
        f"{finding.position}: {finding.message}"
        for finding in lint(project.load(tmp_path, strict=False), Settings(select=(check,))).findings
        if finding.name == check
    ]


def test_unmonitored_services(messages: Any) -> None:
    assert [message.partition(": ")[2] for message in messages("stack/uncovered-service")] == [
        "the service idle has no alert",
        "the service idle has no dashboard",
        "the service idle has no rule test",
    ]


def test_files_alone_say_nothing_of_coverage(messages: Any, tmp_path: Path) -> None:
    loaded = project.load(tmp_path)
    report = lint(["rules/shop.yaml"], Settings(select=("stack/uncovered-service",)), project=loaded)
    assert report.findings == ()


def test_streams_and_queries_of_tests(messages: Any) -> None:
    labels = messages("stack/unknown-label")
    assert [message.partition(": ")[2] for message in labels] == [
        'the stream has a label "colour", which no service has',
        'no service has the stream label "levl", so this selects nothing',
    ]
    assert all(message.startswith("tests/rules/shop.yaml:") for message in labels)
    (value,) = messages("stack/impossible-value")
    assert 'level of shop can never be "eror"' in value


# --- dashboards --------------------------------------------------------------------------------------------


def variable(query: Any) -> dict[str, Any]:
    return {"name": "v", "type": "query", "query": query, "datasource": LOKI, "refresh": 2}


DASHBOARDS: list[tuple[str, dict[str, Any], str]] = [
    ("stack/unknown-label", dashboard(panel("logs", target('{servce=~"$v"}'))), '"servce"'),
    ("stack/unknown-label", dashboard(panel("logs", target('{$name="x", service="shop"}'))), ""),
    (
        "stack/unknown-label",
        dashboard(panel("text", targets=[]), variables=[variable('label_values({servce="a"}, level)')]),
        '"servce"',
    ),
    (
        "stack/unknown-label",
        dashboard(panel("text", targets=[]), variables=[variable("label_values(levl)")]),
        '"levl"',
    ),
    (
        "stack/unknown-label",
        dashboard(panel("text", targets=[]), variables=[variable("label_values(level)")]),
        "",
    ),
    (
        "stack/unknown-label",
        dashboard(
            panel("text", targets=[]),
            variables=[variable({"type": 1, "label": "level", "stream": '{servce="a"}'})],
        ),
        '"servce"',
    ),
    ("stack/impossible-value", dashboard(panel("logs", target('{service="shop", level="$v"}'))), ""),
    ("stack/impossible-value", dashboard(panel("logs", target('{service="shop", level="eror"}'))), '"eror"'),
    ("stack/unknown-field", dashboard(panel("logs", target('{service="$v"} | json | modul="x"'))), '"modul"'),
    ("stack/unknown-field", dashboard(panel("logs", target('{service="shop"} | json | $field="x"'))), ""),
    (
        "stack/unknown-field",
        dashboard(panel("timeseries", target('sum by ($by) (rate({service="shop"}[$__auto]))'))),
        "",
    ),
    (
        "stack/retention-too-short",
        dashboard(panel("logs", target('{service="shop"}')), time={"from": "now-90d", "to": "now"}),
        "the dashboard opens with 90 days; lines of shop are kept for 30 days",
    ),
    (
        "stack/retention-too-short",
        dashboard(panel("logs", target('{service="shop"}')), time={"from": "now-7d"}),
        "",
    ),
]


@pytest.mark.parametrize("check, data, expected", DASHBOARDS, ids=[str(n) for n in range(len(DASHBOARDS))])
def test_dashboards(check: str, data: dict[str, Any], expected: str) -> None:
    workspace = workspace_of(json.dumps(data, indent=1), "d.json")
    found = findings(check, workspace)
    assert len(found) == bool(expected), found
    assert expected in "".join(finding.message for finding in found)
    assert all(finding.position.line > 1 for finding in found)


# --- data sources ------------------------------------------------------------------------------------------


def jaeger(query: str = "", tags: list[dict[str, str]] | None = None) -> str:
    link = {"datasourceUid": "loki", "customQuery": bool(query), "query": query, "tags": tags or []}
    source = {"name": "Jaeger", "type": "jaeger", "uid": "j", "jsonData": {"tracesToLogsV2": link}}
    return dump_yaml({"apiVersion": 1, "datasources": [source]})


SOURCES = [
    ("stack/unknown-field", jaeger('{$${__tags}} | json | trace_id="$${__trace.traceId}"'), ""),
    ("stack/unknown-field", jaeger('{service="shop"} | json | traceid="$${__trace.traceId}"'), '"traceid"'),
    ("stack/unknown-label", jaeger('{servce="$${__span.tags.x}"}'), '"servce"'),
    ("stack/unknown-label", jaeger(tags=[{"key": "service.name", "value": "service"}]), ""),
    ("stack/unknown-label", jaeger(tags=[{"key": "service.name"}]), ""),
    ("stack/unknown-label", jaeger(tags=[{"key": "host.name", "value": "host"}]), 'the stream label "host"'),
]


@pytest.mark.parametrize("check, text, expected", SOURCES, ids=[str(n) for n in range(len(SOURCES))])
def test_data_sources(check: str, text: str, expected: str) -> None:
    found = findings(check, workspace_of(text, "sources.yaml"))
    assert len(found) == bool(expected), found
    assert expected in "".join(finding.message for finding in found)


# --- the platform ------------------------------------------------------------------------------------------


def with_component(configuration: dict[str, Any] | str, file: str = "config.yaml") -> Workspace:
    component = Component(name="platform", title="Platform", configuration={file: configuration})
    content = Project(Path(), Configuration(Path()), SERVICES, components=(component,))
    return Workspace(services=SERVICES, project=content)


def loki_configuration(period: str, *streams: tuple[str, int, str], enabled: bool = True) -> dict[str, Any]:
    entries = [
        {"selector": selector, "priority": priority, "period": text} for selector, priority, text in streams
    ]
    limits = {"retention_period": period, "retention_stream": entries}
    return {"compactor": {"retention_enabled": enabled}, "limits_config": limits}


PROXY_STREAM, DEBUG = ('{service="proxy"}', 1, "1440h"), ('{level="debug"}', 10, "72h")
RETENTIONS: list[tuple[dict[str, Any], list[str]]] = [
    (loki_configuration("720h", PROXY_STREAM, DEBUG), []),
    (loki_configuration("720h", DEBUG), ["keeps lines of proxy for 30 days; the service says 60 days"]),
    (
        loki_configuration("24h", PROXY_STREAM, DEBUG),
        ["keeps lines of shop for 1 days; the service says 30 days"],
    ),
    (
        loki_configuration("720h", PROXY_STREAM),
        ["keeps debug lines of shop for 30 days", "keeps debug lines of proxy for 60 days"],
    ),
    (loki_configuration("24h", enabled=False), []),
]


@pytest.mark.parametrize("configuration, expected", RETENTIONS, ids=[str(n) for n in range(len(RETENTIONS))])
def test_retention_as_configured(configuration: dict[str, Any], expected: list[str]) -> None:
    found = findings("stack/retention-mismatch", with_component(configuration))
    assert len(found) == len(expected), found
    for finding, part in zip(found, expected, strict=True):
        assert part in finding.message


def job(name: str, *labels: str, keep: str = "", allow: list[str] | None = None) -> dict[str, Any]:
    rules: list[dict[str, Any]] = [{"source_labels": ["x"], "target_label": label} for label in labels]
    if keep:
        rules.append({"source_labels": ["__meta_kubernetes_pod_label_app"], "regex": keep, "action": "keep"})
    stages: list[dict[str, Any]] = [{"labels": {"level": None}}]
    if allow is not None:
        stages.append({"labelallow": allow})
    return {
        "job_name": name,
        "kubernetes_sd_configs": [{}],
        "relabel_configs": rules,
        "pipeline_stages": stages,
    }


ALL = ("service", "tier", "pod")
JOBS: list[tuple[list[dict[str, Any]], list[str]]] = [
    ([job("pods", *ALL)], []),
    ([job("shop", *ALL, keep="shop"), job("proxy", *ALL, keep="proxy")], []),
    ([job("shop", *ALL, keep="shop")], ["collects the service proxy"]),
    (
        [job("pods", "service", "pod")],
        ["does not set tier on the streams of shop", "does not set tier on the streams of proxy"],
    ),
    (
        [job("pods", *ALL, allow=["service", "tier", "pod"])],
        ["does not set level on the streams of shop", "does not set level on the streams of proxy"],
    ),
    ([{"job_name": "prometheus", "static_configs": [{"targets": ["x"]}]}], []),
]


@pytest.mark.parametrize("jobs, expected", JOBS, ids=[str(n) for n in range(len(JOBS))])
def test_collectors(jobs: list[dict[str, Any]], expected: list[str]) -> None:
    found = findings("stack/uncollected-service", with_component({"scrape_configs": jobs}))
    assert len(found) == len(expected), found
    for finding, part in zip(found, expected, strict=True):
        assert part in finding.message


@pytest.mark.parametrize(
    "names, expected", [(("service", "level", "tier", "pod"), []), (("service", "level"), ["tier, pod"])]
)
def test_alloy_names_every_label(names: tuple[str, ...], expected: list[str]) -> None:
    text = "\n".join(f'rule {{ target_label = "{name}" }}' for name in names)
    found = findings("stack/uncollected-service", with_component(text, "config.alloy"))
    assert [finding.message.partition("stream label ")[2] for finding in found] == expected


def test_own_content_fits() -> None:
    """The reference content of this repository: what it says of itself is true."""
    content = project.load(Path(__file__).parents[3], strict=False)
    serious = [
        f"{finding.position}: {finding.name}: {finding.message}"
        for finding in lint(content, Settings(select=("stack", "datasource"))).findings
        if finding.severity != "info" and finding.name.startswith(("stack/", "datasource/"))
    ]
    assert serious == []


def test_a_changed_service_no_longer_fits() -> None:
    """Renaming a field breaks every query that uses it, and every one is told."""
    content = project.load(Path(__file__).parents[3], strict=False)
    changed = tuple(
        dataclasses.replace(
            service,
            fields=tuple(
                dataclasses.replace(item, name="elapsed_ms") if item.name == "duration_ms" else item
                for item in service.fields
            ),
        )
        for service in content.services
    )
    workspace = Workspace(content.rule_files, services=changed, project=content)
    found = findings("stack/unknown-field", workspace)
    assert found
    assert all("duration_ms" in finding.message for finding in found)


BUCKETS = [
    # configuration, how many services lack buckets (the objective of both is 5 s)
    ({"metrics": {"d": {"config": {"buckets": [100, 1000, 5000, 10000]}}}}, 1),
    ({"metrics": {"d": {"config": {"buckets": [100, 1000, 4000, 6000, 10000]}}}}, 0),
    ({"x": {"explicit": {"buckets": ["100ms", "1s", "5s", "10s"]}}}, 1),
    ({"x": {"explicit": {"buckets": ["100ms", "1s", "5s", "6s", "10s"]}}}, 0),
    # The last bucket says that it took longer, not how long.
    ({"x": {"buckets": [100, 1000, 2500, 5000]}}, 1),
    ({"x": {"explicit": {"buckets": ["100ms", "1s", "4s"]}}}, 1),
    ({"sizes": {"buckets": [1, 2, 3]}}, 0),
    ({"sizes": {"buckets": [100, 200, 400]}}, 0),
    ({"x": {"buckets": ["a"]}}, 0),
    ("stage.metrics { metric.histogram { buckets = [100, 1000, 5000, 10000] } }", 1),
    ("stage.metrics { metric.histogram { buckets = [100, 5000, 6000, 10000] } }", 0),
]


@pytest.mark.parametrize("configuration, count", BUCKETS)
def test_buckets_around_the_objective(configuration: Any, count: int) -> None:
    found = findings("stack/buckets-around-objective", with_component(configuration))
    assert ["no buckets around 5000 ms" in finding.message for finding in found] == [True] * count


MADE = """
from lokictl.grafana import Dashboard, DataSourceRef, Logs, LokiTarget

LOKI = DataSourceRef("loki", "loki")
DASHBOARD = Dashboard(
    title="Made",
    uid="made",
    content=[Logs(title="Lines", targets=[LokiTarget(datasource=LOKI, expr='{service="shop"} |= "x" |= "x"')])],
)
"""


def test_every_finding_of_a_project_has_a_file_and_a_line(messages: Any, tmp_path: Path) -> None:
    (tmp_path / "dashboards" / "made.py").write_text(MADE, encoding="utf-8")
    report = lint(project.load(tmp_path, strict=False), Settings())
    assert len({finding.name for finding in report.findings}) > 5
    without = [f"{item.name}: {item.message}" for item in report.findings if not item.position.line]
    assert without == []
    (found,) = [item for item in report.findings if "twice" in item.message]
    assert found.position.file.endswith("made.py")
    assert found.position.line == 8
