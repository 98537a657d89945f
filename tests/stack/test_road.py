"""The whole road on one machine: lines, Loki with the rendered configuration and rules, Alertmanager, Prometheus.

What is changed of the rendered configuration is in `one_machine`: addresses, storage on this disk, and one replica.
Of the rules, only the waiting times are shorter.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.model import AlertingRule
from lokictl.project import load
from lokictl.render.rules import tenant_rules
from lokictl.render.settings import settings_of
from lokictl.sample import SampleEntry, generate, project_sources
from lokictl.sample.output import push_entries
from stack import alertmanager, collection, loki
from stack.figures import TENANT
from tests.stack.servers import free_ports, get_json, needs, program, server, wait_for

ROOT = Path(__file__).resolve().parents[2]
PROJECT = load(ROOT)
MINUTE = 60 * 1_000_000_000
HEADERS = {"X-Scope-OrgID": TENANT}

ALERTMANAGER = program("alertmanager", "prometheus-alertmanager")
PROMETHEUS = program("prometheus")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.real_loki,
    needs("loki"),
    needs("alertmanager", "prometheus-alertmanager"),
]

INCIDENTS = {
    "ryot": "database-timeouts",
    "sigmalang": "compiler-panic",
    "sigmavault": "brute-force",
    "agents": "poison-task",
}


@dataclass(frozen=True)
class Road:
    """The servers' URLs; Prometheus' is empty where there is none."""

    loki: str
    alertmanager: str
    prometheus: str


def one_machine(config: dict[str, Any], folder: Path, ports: list[int], road: Road) -> dict[str, Any]:
    """The rendered configuration of Loki with this machine's addresses and disk."""
    http, grpc = ports
    memory = {"kvstore": {"store": "inmemory"}}
    config["server"] |= {
        "http_listen_address": "127.0.0.1",
        "http_listen_port": http,
        "grpc_listen_address": "127.0.0.1",
        "grpc_listen_port": grpc,
    }
    config["common"] = {
        "path_prefix": str(folder / "data"),
        "replication_factor": 1,
        "instance_addr": "127.0.0.1",
        "ring": memory,
        "storage": {"filesystem": {"chunks_directory": str(folder / "data/chunks")}},
    }
    del config["memberlist"], config["chunk_store_config"]
    config["ingester"]["wal"]["dir"] = str(folder / "data/wal")
    config["ingester"]["lifecycler"] = {"min_ready_duration": "0s"}
    results = config["query_range"]["results_cache"]["cache"]
    config["query_range"]["results_cache"]["cache"] = {"embedded_cache": results["embedded_cache"]}
    for period in config["schema_config"]["configs"]:
        period["object_store"] = "filesystem"
    index = config["storage_config"]["tsdb_shipper"]
    index |= {key: str(folder / "data" / key) for key in index}
    config["compactor"] |= {
        "working_directory": str(folder / "data/compactor"),
        "delete_request_store": "filesystem",
    }
    config["ruler"] |= {
        "storage": {"type": "local", "local": {"directory": str(folder / "rules")}},
        "rule_path": str(folder / "data/scratch"),
        "wal": {"dir": str(folder / "data/ruler-wal")},
        "alertmanager_url": road.alertmanager,
        "ring": memory,
    }
    config["ruler"]["remote_write"] = {"enabled": False}
    if road.prometheus:
        client = {"url": f"{road.prometheus}/api/v1/write"}
        config["ruler"]["remote_write"] = {"enabled": True, "clients": {"prometheus": client}}
    return config


def quick(rules: str) -> str:
    """The rules with waiting times of seconds."""
    return re.sub(r"^( *(?:interval|for)): \S+$", r"\1: 2s", rules, flags=re.MULTILINE)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Road]:
    """Prometheus (where there is one), Alertmanager and Loki, each started when what it needs is up."""
    loki_ports, (alert_port, cluster_port, prometheus_port) = free_ports(2), free_ports(3)
    road = Road(
        f"http://127.0.0.1:{loki_ports[0]}",
        f"http://127.0.0.1:{alert_port}",
        f"http://127.0.0.1:{prometheus_port}" if PROMETHEUS else "",
    )
    (tenant,) = tenant_rules(PROJECT, settings_of(PROJECT)).values()
    for name, text in tenant.items():
        file = folder / "rules" / TENANT / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(quick(text))
    rendered = yaml.safe_load(loki.COMPONENT.configuration_text(loki.CONFIG_FILE))
    config = one_machine(rendered, folder, loki_ports, road)
    (folder / "loki.yaml").write_text(yaml.safe_dump(config))
    # Debian has 0.25, which does not know Teams yet; the routes are the same.
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump(alertmanager.configuration(version=(0, 25))))
    (folder / "prometheus.yaml").write_text("{}\n")
    with contextlib.ExitStack() as stack:
        if PROMETHEUS:
            command: list[str | Path] = [
                PROMETHEUS,
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{prometheus_port}",
                "--web.enable-remote-write-receiver",
            ]
            stack.enter_context(server(command, f"{road.prometheus}/-/ready", folder / "prometheus.log"))
        assert ALERTMANAGER
        command = [
            ALERTMANAGER,
            f"--config.file={folder / 'alertmanager.yaml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{alert_port}",
            f"--cluster.listen-address=127.0.0.1:{cluster_port}",
        ]
        stack.enter_context(server(command, f"{road.alertmanager}/-/ready", folder / "alertmanager.log"))
        command = [program("loki") or "", f"-config.file={folder / 'loki.yaml'}", "-target=all"]
        stack.enter_context(server(command, f"{road.loki}/ready", folder / "loki.log"))
        yield road


def incident_logs(name: str) -> list[SampleEntry]:
    """Half an hour of a service's logs up to now, the last quarter of an hour with its incident."""
    (source,) = [item for item in project_sources(PROJECT) if item.service.name == name]
    now = time.time_ns()
    incident = INCIDENTS[name]
    return list(generate(source, now - 30 * MINUTE, now, incident=incident, incident_start=now - 15 * MINUTE))


def expected_alerts() -> set[str]:
    """The alerts that the incidents trip."""
    sources = {item.service.name: item for item in project_sources(PROJECT)}
    incidents = [sources[service].incident(name) for service, name in INCIDENTS.items()]
    return {alert for incident in incidents if incident for alert in incident.alerts}


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    """The running servers, with the logs of four incidents pushed as the collectors would push them."""
    with running(tmp_path_factory.mktemp("road")) as servers:
        for name in INCIDENTS:
            push_entries(servers.loki, incident_logs(name), tenant=TENANT)
        yield servers


def alerts_in(alertmanager_url: str) -> dict[str, dict[str, Any]]:
    found = get_json(f"{alertmanager_url}/api/v2/alerts")
    return {item["labels"]["alertname"]: item for item in found}


def test_the_ruler_has_every_rule(road: Road) -> None:
    answer = get_json(f"{road.loki}/prometheus/api/v1/rules", headers=HEADERS)
    loaded = {rule["name"] for group in answer["data"]["groups"] for rule in group["rules"]}
    assert loaded == {rule.name for rule in PROJECT.rules}


def test_alerts_arrive_at_the_receivers_their_labels_say(road: Road) -> None:
    expected = expected_alerts()
    assert len(expected) >= len(INCIDENTS)
    wait_for(lambda: expected <= set(alerts_in(road.alertmanager)))
    for name, alert in alerts_in(road.alertmanager).items():
        receivers = {item["name"] for item in alert["receivers"]}
        assert receivers == set(alertmanager.expected_receivers(alert["labels"])), name
        assert "{{" not in json.dumps(alert["annotations"]), name
        assert alert["annotations"]["runbook_url"].endswith(".md")


def test_no_other_service_is_accused(road: Road) -> None:
    wait_for(lambda: expected_alerts() <= set(alerts_in(road.alertmanager)))
    rules = {rule.name: rule for rule in PROJECT.rules if isinstance(rule, AlertingRule)}
    for name, alert in alerts_in(road.alertmanager).items():
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
        assert {item["metric"]["service"] for item in found} <= set(INCIDENTS)


def query_prometheus(url: str, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get_json(f"{url}/api/v1/query", params={"query": query})["data"]["result"]
    return found
