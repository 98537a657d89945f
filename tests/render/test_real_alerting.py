"""The same rules on a real ruler and in a real Grafana, on the same Loki: the same alerts, with the same texts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from lokictl.http import Access, HttpClient
from lokictl.project import Project
from lokictl.render import render
from lokictl.secrets import Secret
from lokictl.sync.configuration import GrafanaTarget, Target
from lokictl.sync.desired import desired_state
from lokictl.sync.grafana.server import Grafana
from lokictl.sync.normal_form import normal_form
from lokictl.sync.plan import NOTIFICATIONS, Kind
from tests.render.test_real_loki import configuration
from tests.stack.grafana_server import ADMIN, NEEDS_GRAFANA, grafana
from tests.stack.servers import free_ports, get_json, needs, program, server, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.real_loki,
    pytest.mark.real_grafana,
    needs("loki"),
    *NEEDS_GRAFANA,
]

RULES = """\
groups:
  - name: shop
    interval: 10s
    rules:
      - alert: Over
        expr: sum by (app) (count_over_time({job="live"}[1h])) > 5
        labels: {severity: page, who: "{{ $labels.app }}"}
        annotations: {summary: '{{ $labels.app }}: {{ $value }} {{ printf "%.1f" .Value }} {{ humanize $value }}'}
      - alert: Waits
        expr: sum by (app) (count_over_time({job="live"}[1h])) > 5
        for: 10s
      - alert: Under
        expr: sum by (app) (count_over_time({job="live"}[1h])) > 500
      - alert: Zero
        expr: sum by (app) (count_over_time({job="live"}[1h])) * 0
        annotations: {summary: "{{ $value }}"}
      - alert: Ratio
        expr: sum(rate({job="live"} |= "error" [1h])) / sum(rate({job="live"}[1h])) >= 0.25
        annotations: {summary: "{{ $value | humanizePercentage }}"}
      - alert: Absent
        expr: absent_over_time({job="nobody"}[1h])
      - alert: Broken
        expr: sum(sum_over_time({job="live"} | logfmt | unwrap ms [1h])) > 0
"""
DATASOURCE = """\
from lokictl.model import DataSource
LOKI = DataSource(
    name="Loki", type="loki", uid="loki", url="${LOKI_URL}", environment={"LOKI_URL": "http://loki:3100"},
    json_data={"httpHeaderName1": "X-Scope-OrgID"}, secure_json_data={"httpHeaderValue1": "$__env{LOKI_TENANT}"},
)
"""
CONFIGURATION = 'name = "live"\ntenant = "demo"\n'
EXTRA = ("grafana_folder",)


def push(url: str, app: str, lines: list[str]) -> None:
    now = time.time_ns()
    values = [[str(now + index), line] for index, line in enumerate(lines)]
    body = {"streams": [{"stream": {"job": "live", "app": app}, "values": values}]}
    requests.post(f"{url}/loki/api/v1/push", json=body, headers={"X-Scope-OrgID": "demo"}).raise_for_status()


def firing(answer: dict[str, Any], state: str) -> dict[str, set[tuple[str, ...]]]:
    """Rule -> its firing alerts: labels and summary."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for group in answer["data"]["groups"]:
        for rule in group["rules"]:
            alerts = [alert for alert in rule.get("alerts") or () if alert["state"] == state]
            found[rule["name"]] = {
                (
                    *(f"{key}={value}" for key, value in sorted(alert["labels"].items()) if key not in EXTRA),
                    alert["annotations"].get("summary", ""),
                )
                for alert in alerts
            }
    return found


def health(answer: dict[str, Any], name: str) -> str:
    return next(
        str(rule["health"])
        for group in answer["data"]["groups"]
        for rule in group["rules"]
        if rule["name"] == name
    )


def test_both_homes_say_the_same(make_project: Callable[..., Project], tmp_path: Path) -> None:
    project = make_project({"rules/shop.yaml": RULES, "datasources/loki.py": DATASOURCE}, CONFIGURATION)
    render(project, tmp_path / "ruler", what=["rules"])
    render(project, tmp_path / "out", what=["grafana"], alerting="grafana")
    http, grpc = free_ports(2)
    loki, file = f"http://127.0.0.1:{http}", tmp_path / "loki.yaml"
    file.write_text(yaml.safe_dump(configuration(tmp_path, tmp_path / "ruler/rules", http, grpc)))
    command: list[str | Path] = [program("loki") or "", f"-config.file={file}", "-target=all"]
    provisioning = tmp_path / "out/grafana/provisioning"
    with server(command, f"{loki}/ready", tmp_path / "loki.log"):
        push(loki, "shop", ["error"] * 3 + ["fine"] * 5 + ["ms=bad"])
        push(loki, "cart", ["fine"])
        with grafana(provisioning, tmp_path, {"LOKI_URL": loki}) as url:

            def both() -> tuple[dict[str, Any], dict[str, Any]]:
                ruler = get_json(f"{loki}/prometheus/api/v1/rules", headers={"X-Scope-OrgID": "demo"})
                return ruler, get_json(f"{url}/api/prometheus/grafana/api/v1/rules", auth=ADMIN)

            def agree() -> bool:
                ruler, managed = both()
                there = firing(ruler, "firing")
                return bool(there.get("Waits")) and there == firing(managed, "Alerting")

            wait_for(agree, seconds=90)
            ruler, managed = both()
            alerts = firing(ruler, "firing")
    assert alerts["Over"] == {("alertname=Over", "app=shop", "severity=page", "who=shop", "shop: 9 9.0 9")}
    assert {name for name, found in alerts.items() if found} == {"Over", "Waits", "Zero", "Ratio", "Absent"}
    assert (health(ruler, "Broken"), health(managed, "Broken")) == ("err", "error")


TOLD = """\
from lokictl.model.notifications import (
    ContactPoint, Integration, Matcher, MessageTemplate, MuteTiming, Notifications, Route,
)

CORE = Integration(
    "webhook", {"url": "http://w/$5/$$6", "title": "{{ $v }} costs ${HOME}"}, {"hmacConfig.secret": "hook"}
)
NOTIFICATIONS = Notifications(
    Route("core $5", group_by=("$x",), routes=(
        Route("core $5", (Matcher("a", "=", "x $5 $$6 $HOME"), Matcher("b", "=~", "a$|b$")), mute_timings=("off $5",)),
    )),
    (ContactPoint("core $5", (CORE, Integration("email", {"addresses": "a@example.com"}))),),
    mute_timings=(MuteTiming("off $5", ({"months": ["1:3"]},)),),
    templates=(MessageTemplate("text $5", "{{ $v := 1 }}{{ $v }} $HOME $$6"),),
)
"""
OWN_FORM = """\
apiVersion: 1
groups:
  - name: own $$5
    folder: Own
    interval: 1m
    rules:
      - uid: own
        title: T $$5
        condition: A
        data:
          - refId: A
            datasourceUid: __expr__
            relativeTimeRange: {from: 0, to: 0}
            model: {type: math, refId: A, expression: "1"}
        labels: {cost: $$5}
        annotations: {text: "{{ $labels.cost }} $5"}
        notification_settings: {receiver: core $$5, mute_time_intervals: [off $$5]}
"""


def test_files_and_sync_say_the_same_of_notifications(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    """What a Grafana reads from files is what sync uploads: dollar signs, secrets, uids."""
    files = {"stack/told.py": TOLD, "alerts/own.yaml": OWN_FORM}
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "hook").write_text("quite-a-secret")
    project = make_project(files, f'name = "live"\n[render]\nsecrets_path = "{tmp_path}/secrets"\n')
    render(project, tmp_path / "out", what=["grafana"])
    target = Target(
        "t", "live", "live", "live", GrafanaTarget(Access("http://x")), notifications=True, policies="tree"
    )
    resources = desired_state(project, target).resources
    with grafana(tmp_path / "out/grafana/provisioning", tmp_path) as url:
        access = Access(url, user="admin", password=Secret("test", "admin"))
        server = Grafana(HttpClient(access, target.redactor))
        server.connect()
        wait_for(lambda: len(server.alerts.all()) == 1)
        lives = server.read(key for key in resources if key.kind in NOTIFICATIONS)
        (group,) = server.read(server.alerts.all()).values()
        exported = get_json(
            f"{url}/api/v1/provisioning/contact-points/export?decrypt=true&format=json", auth=ADMIN
        )
    assert len(lives) == 4
    for key, live in lives.items():
        assert live.read_only.startswith("provisioned from a file")
        assert normal_form(live) == normal_form(resources[key]), key
    (wanted,) = [resource for key, resource in resources.items() if key.kind is Kind.ALERT_GROUP]
    assert normal_form(group) == normal_form(wanted)
    assert "quite-a-secret" in str(exported)
