"""The servers of the road from a line to an alert, on one machine.

What is changed of the rendered configuration is in `one_machine`: addresses, and storage on this disk.  Of the
rules, only the waiting times are shorter.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lokictl.durations import MINUTE
from lokictl.project import load
from lokictl.render.rules import tenant_rules
from lokictl.render.settings import settings_of
from lokictl.sample import SampleEntry, generate, project_sources
from stack import alertmanager, compose, loki
from stack.figures import TENANT
from tests.stack.servers import free_ports, get_json, program, server

ROOT = Path(__file__).resolve().parents[2]
PROJECT = load(ROOT)
HEADERS = {"X-Scope-OrgID": TENANT}

ALERTMANAGER = program("alertmanager", "prometheus-alertmanager")
PROMETHEUS = program("prometheus")

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
    config["server"] |= {
        "http_listen_address": "127.0.0.1",
        "http_listen_port": http,
        "grpc_listen_address": "127.0.0.1",
        "grpc_listen_port": grpc,
    }
    config["common"] |= {
        "path_prefix": str(folder / "data"),
        "instance_addr": "127.0.0.1",
        "storage": {"filesystem": {"chunks_directory": str(folder / "data/chunks")}},
    }
    del config["chunk_store_config"]
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
        "poll_interval": "5s",
    }
    config["ruler"]["remote_write"] = {"enabled": False}
    if road.prometheus:
        client = {"url": f"{road.prometheus}/api/v1/write"}
        config["ruler"]["remote_write"] = {"enabled": True, "clients": {"prometheus": client}}
    return config


def quick(rules: str) -> str:
    """The rules with waiting times of seconds."""
    return re.sub(r"^( *(?:interval|for)): \S+$", r"\1: 2s", rules, flags=re.MULTILINE)


def write_rules(folder: Path) -> None:
    """Writes the project's rules to where the ruler looks for them."""
    (tenant,) = tenant_rules(PROJECT, settings_of(PROJECT)).values()
    for name, text in tenant.items():
        (folder / "rules" / TENANT / name).write_text(quick(text))


@contextlib.contextmanager
def running(folder: Path, scrape: dict[str, Any] | None = None, *, rules: bool = True) -> Iterator[Road]:
    """Prometheus (where there is one), Alertmanager and Loki, each started when what it needs is up.

    ``scrape`` is Prometheus' configuration; ``LOKI`` in it becomes Loki's address.  Without ``rules`` the ruler has
    nothing to do until `write_rules`.
    """
    loki_ports, (alert_port, cluster_port, prometheus_port) = free_ports(2), free_ports(3)
    road = Road(
        f"http://127.0.0.1:{loki_ports[0]}",
        f"http://127.0.0.1:{alert_port}",
        f"http://127.0.0.1:{prometheus_port}" if PROMETHEUS else "",
    )
    (folder / "rules" / TENANT).mkdir(parents=True)
    if rules:
        write_rules(folder)
    rendered = yaml.safe_load(loki.COMPONENT.configuration_text(loki.CONFIG_FILE))
    config = one_machine(rendered, folder, loki_ports, road)
    (folder / "loki.yaml").write_text(yaml.safe_dump(config))
    # Debian has 0.25, which does not know Teams yet; the routes are the same.
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump(alertmanager.configuration(version=(0, 25))))
    text = yaml.safe_dump(scrape or {}).replace("LOKI", f"127.0.0.1:{loki_ports[0]}")
    (folder / "prometheus.yaml").write_text(text)
    with contextlib.ExitStack() as stack:
        if PROMETHEUS:
            command: list[str | Path] = [
                PROMETHEUS,
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{prometheus_port}",
                "--web.enable-remote-write-receiver",
                "--enable-feature=exemplar-storage",
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
        # One replica, as in docker-compose.test.yml.
        command = [program("loki") or "", f"-config.file={folder / 'loki.yaml'}", *compose.ONE_REPLICA]
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


def alerts_in(alertmanager_url: str) -> dict[str, dict[str, Any]]:
    found = get_json(f"{alertmanager_url}/api/v2/alerts")
    return {item["labels"]["alertname"]: item for item in found}


def query_prometheus(url: str, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get_json(f"{url}/api/v1/query", params={"query": query})["data"]["result"]
    return found
