"""Grafana, started from the rendered provisioning, reaches Loki, Prometheus and Alertmanager."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from lokictl.render import render
from lokictl.sample.output import push_entries
from stack.figures import TENANT
from stack.grafana import ENVIRONMENT
from tests.stack.grafana_server import ADMIN, NEEDS_GRAFANA, grafana
from tests.stack.road import PROJECT, PROMETHEUS, Road, incident_logs, running
from tests.stack.servers import get_json, needs, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.real_grafana,
    pytest.mark.real_loki,
    *NEEDS_GRAFANA,
    needs("loki"),
    needs("alertmanager", "prometheus-alertmanager"),
]


@dataclass(frozen=True)
class Stack:
    """The servers behind, and Grafana's URL."""

    road: Road
    grafana: str

    def sources(self) -> dict[str, dict[str, Any]]:
        """name -> each data source that Grafana has."""
        return {item["name"]: item for item in get_json(f"{self.grafana}/api/datasources", auth=ADMIN)}

    def ask(self, source: str, path: str, **params: str) -> Any:
        """What a data source answers, asked through Grafana."""
        number = self.sources()[source]["id"]
        url = f"{self.grafana}/api/datasources/proxy/{number}/{path}"
        return get_json(url, auth=ADMIN, params=params)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Grafana with the variables of the rendered Deployment, their hosts replaced by those of this machine."""
    folder = tmp_path_factory.mktemp("grafana")
    render(PROJECT, folder / "out", what=["grafana"])
    with running(folder) as road:
        push_entries(road.loki, incident_logs("ryot"), tenant=TENANT)
        here = {
            "LOKI_URL": road.loki,
            "PROMETHEUS_URL": road.prometheus,
            "ALERTMANAGER_URL": road.alertmanager,
        }
        assert set(here) <= set(ENVIRONMENT)
        environment = {
            **{key: value for key, value in ENVIRONMENT.items() if not key.startswith("GF_")},
            **here,
        }
        with grafana(folder / "out/grafana/provisioning", folder, environment) as url:
            found = Stack(road, url)
            # Grafana says it is healthy before its provisioning has ended.
            names = {source.name for source in PROJECT.datasources}
            wait_for(lambda: names <= set(found.sources()))
            yield found


def test_logs_of_the_tenant(stack: Stack) -> None:
    query = 'sum by (service) (count_over_time({service=~".+"}[1h]))'
    (found,) = stack.ask("Loki", "loki/api/v1/query", query=query)["data"]["result"]
    assert found["metric"] == {"service": "ryot"}


def test_rules_of_the_tenant(stack: Stack) -> None:
    groups = stack.ask("Loki", "prometheus/api/v1/rules")["data"]["groups"]
    assert {rule["name"] for group in groups for rule in group["rules"]} == {
        rule.name for rule in PROJECT.rules
    }


@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not on PATH")
def test_recorded_metrics(stack: Stack) -> None:
    found = wait_for(
        lambda: stack.ask("Prometheus", "api/v1/query", query="log_lines:rate5m")["data"]["result"]
    )
    assert {item["metric"]["service"] for item in found} == {"ryot"}


def test_alerts(stack: Stack) -> None:
    version = get_json(f"{stack.grafana}/api/health")["version"]
    if int(version.split(".")[0]) < 8:
        pytest.skip(f"Grafana {version} has no data source for Alertmanager")
    alerts = wait_for(lambda: stack.ask("Alertmanager", "api/v2/alerts"))
    assert all(alert["labels"]["alertname"] for alert in alerts)


def test_nobody_sees_the_logs_without_logging_in(stack: Stack) -> None:
    assert requests.get(f"{stack.grafana}/api/datasources", timeout=60).status_code == 401
