"""From lines to alerts: Loki with the rendered configuration and rules, Alertmanager, Prometheus."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
import requests

from lokictl.model import AlertingRule
from lokictl.sample.output import push_entries
from stack import alertmanager, collection
from stack.figures import TENANT
from tests.stack.road import (
    HEADERS,
    INCIDENTS,
    PROJECT,
    PROMETHEUS,
    Road,
    alerts_in,
    expected_alerts,
    incident_logs,
    query_prometheus,
    running,
)
from tests.stack.servers import get_json, needs, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.real_loki,
    needs("loki"),
    needs("alertmanager", "prometheus-alertmanager"),
]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    """The running servers, with the logs of four incidents pushed as the collectors would push them."""
    with running(tmp_path_factory.mktemp("road")) as servers:
        for name in INCIDENTS:
            push_entries(servers.loki, incident_logs(name), tenant=TENANT)
        yield servers


def test_the_ruler_has_every_rule(road: Road) -> None:
    answer = get_json(f"{road.loki}/prometheus/api/v1/rules", headers=HEADERS)
    loaded = {rule["name"] for group in answer["data"]["groups"] for rule in group["rules"]}
    assert loaded == {rule.name for rule in PROJECT.rules}


def test_alerts_arrive_at_the_receivers_their_labels_say(road: Road) -> None:
    expected = expected_alerts()
    assert len(expected) >= len(INCIDENTS)
    wait_for(lambda: expected <= set(alerts_in(road.alertmanager)))
    cases = list(alerts_in(road.alertmanager).items())
    assert cases
    for name, alert in cases:
        receivers = {item["name"] for item in alert["receivers"]}
        assert receivers == set(alertmanager.expected_receivers(alert["labels"])), name
        assert "{{" not in json.dumps(alert["annotations"]), name
        assert alert["annotations"]["runbook_url"].endswith(".md")


def test_no_other_service_is_accused(road: Road) -> None:
    wait_for(lambda: expected_alerts() <= set(alerts_in(road.alertmanager)))
    rules = {rule.name: rule for rule in PROJECT.rules if isinstance(rule, AlertingRule)}
    cases = list(alerts_in(road.alertmanager).items())
    assert cases
    for name, alert in cases:
        assert alert["labels"]["service"] == rules[name].labels["service"]


def test_streams_have_the_labels_of_the_services(road: Road) -> None:
    answer = get_json(
        f"{road.loki}/loki/api/v1/series", headers=HEADERS, params={"match[]": '{service=~".+"}'}
    )
    names = {tuple(sorted(stream)) for stream in answer["data"]}
    assert names == {tuple(sorted(collection.STREAM_LABELS))}


@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not on PATH")
def test_recorded_series_arrive_in_prometheus(road: Road) -> None:
    for record in ("log_lines:rate5m", "log_errors:rate5m", "log_durations_ms:p99_5m"):
        found = wait_for(lambda query=record: query_prometheus(road.prometheus, query))
        named = {item["metric"]["service"] for item in found}
        assert named
        assert named <= set(INCIDENTS)


def test_the_distributor_refuses_what_is_too_much_or_from_nobody(road: Road) -> None:
    """Above the burst of 40 MB, and without a tenant."""
    url = f"{road.loki}/loki/api/v1/push"

    def push(megabytes: float, headers: dict[str, str]) -> int:
        line = "x" * 200_000
        values = [[str(time.time_ns()), line] for _ in range(round(megabytes * 1e6 / len(line)))]
        streams = [{"stream": {"service": "burst"}, "values": values}]
        return requests.post(url, json={"streams": streams}, headers=headers, timeout=120).status_code

    assert push(0.2, {}) == 401
    assert push(0.2, HEADERS) == 204
    assert push(45, HEADERS) == 429
