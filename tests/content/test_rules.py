"""What every rule of the content must have, and that the links in it lead somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from lokictl.model import AlertingRule, RecordingRule
from lokictl.project import load
from services import SERVICES

ROOT = Path(__file__).resolve().parents[2]
PROJECT = load(ROOT)
ALERTS = [rule for rule in PROJECT.rules if isinstance(rule, AlertingRule)]
RUNBOOKS = "https://runbooks.neurectomy.example/"

COMMON = ("ErrorRatioHigh", "ErrorBurst", "NoLogs", "UnparsedLines")
# The alerts of the architecture document's services; other services may have any.
OWN = {
    "ryot": ("SlowRequests", "DatabaseTimeouts"),
    "sigmalang": ("CompileFailures", "InternalCompilerError", "SlowCompilation"),
    "sigmavault": ("DeniedAccesses", "BruteForce", "AuditTrailSilent", "PrivilegedActionByUnlistedActor"),
    "agents": ("TaskFailureRatioHigh", "HeartbeatMissing", "QueueBacklog", "RetriesExhausted"),
}


def test_every_alert_is_there_once() -> None:
    names = [rule.alert for rule in ALERTS]
    assert len(names) == len(set(names))
    common = {service.name.capitalize() + alert for service in SERVICES for alert in COMMON}
    own = {name.capitalize() + alert for name, alerts in OWN.items() for alert in alerts}
    assert common | own <= set(names)
    assert {rule.alert for rule in ALERTS if rule.labels["service"] in OWN} == own | {
        name.capitalize() + alert for name in OWN for alert in COMMON
    }


def test_every_recording_is_there() -> None:
    records = [rule.record for rule in PROJECT.rules if isinstance(rule, RecordingRule)]
    assert records == ["log_lines:rate5m", "log_errors:rate5m", "log_durations_ms:p99_5m"]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.alert)
def test_an_alert_has_its_labels_and_annotations(rule: AlertingRule) -> None:
    service = PROJECT.service(rule.labels["service"])
    assert dict(rule.labels) == {
        "severity": rule.labels["severity"],
        "service": service.name,
        "tier": service.tier,
    }
    assert rule.labels["severity"] in ("critical", "warning")
    assert set(rule.annotations) == {
        "summary",
        "description",
        "runbook_url",
        "dashboard_url",
        "lines_url",
        "__dashboardUid__",
        "__panelId__",
    }
    assert rule.annotations["dashboard_url"].startswith(
        f"https://grafana.neurectomy.example/d/neurectomy-{service.name}?"
    )
    runbook = rule.annotations["runbook_url"].removeprefix(RUNBOOKS)
    text = (ROOT / "docs" / "runbooks" / runbook).read_text(encoding="utf-8")
    assert rule.alert.removeprefix(service.name.capitalize()) in text


@pytest.mark.parametrize("rule", list(PROJECT.rules), ids=lambda rule: rule.name)
def test_an_expression_parses_and_prints_the_same(rule: AlertingRule | RecordingRule) -> None:
    from lokictl.logql import parse

    assert str(parse(str(rule.expression))) == str(rule.expression)


def test_every_runbook_has_an_alert() -> None:
    linked = {rule.annotations["runbook_url"].removeprefix(RUNBOOKS) for rule in ALERTS}
    files = {file.name for file in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert files == linked | {"README.md"}


def test_every_alert_has_an_incident_that_trips_it() -> None:
    tripped = {alert for source in PROJECT.samples for known in source.incidents for alert in known.alerts}
    with_incidents = {source.service.name for source in PROJECT.samples}
    assert set(OWN) <= with_incidents
    assert tripped == {rule.alert for rule in ALERTS if rule.labels["service"] in with_incidents}


def test_the_table_of_incidents_is_complete() -> None:
    table = (ROOT / "docs" / "samples.md").read_text(encoding="utf-8")
    incidents = [(source, known) for source in PROJECT.samples for known in source.incidents]
    assert incidents
    for source, known in incidents:
        alerts = ", ".join(f"`{alert}`" for alert in known.alerts)
        row = f"| {source.service.name} | `{known.name}` | {known.description} | {alerts} |"
        assert row in table
