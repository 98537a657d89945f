"""The queries of the architecture document: what is LogQL, what is not, and what stands in its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lokictl.logql import LogQLError, parse
from tests.stack.platform import objects

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").replace("\\|", "|")

LOGQL = [
    '{service="ryot"}',
    '{level="error"}',
    '{service="ryot", level="error"} | json | duration_ms > 5000',
]
NO_LOGQL = {
    'rate({job=~".+"})': 'sum by (service) (rate({namespace=~".+"}[5m]))',
    '{service="ryot", level="error"} | json | rate(duration_ms[5m])': (
        'sum(rate({service="ryot", level="error"}[5m]))'
    ),
}


@pytest.mark.parametrize("query", LOGQL)
def test_queries_of_the_document(query: str) -> None:
    parse(query)


@pytest.mark.parametrize("query", NO_LOGQL)
def test_the_two_that_are_not_logql(query: str) -> None:
    with pytest.raises(LogQLError, match="syntax error"):
        parse(query)
    parse(NO_LOGQL[query])
    assert f"`{query}`" in PAGE
    assert f"`{NO_LOGQL[query]}`" in PAGE


TERMS = [
    # Applications and collection
    *(
        "Ryot",
        "ΣLANG",
        "ΣVAULT",
        "Agents",
        "Promtail DaemonSet",
        "1 pod per node",
        "Kubernetes job",
        "Ryot job",
    ),
    *(
        "ΣLANG job",
        "ΣVAULT job",
        "Agents job",
        "Syslog job",
        "UDP 1514",
        "Counter, Gauge, Hist",
        "port 3100",
        "9080",
    ),
    # Loki
    *("Loki StatefulSet", "Distributor", "Rate limiting", "request auth", "100K lines/sec", "burst 200K"),
    *(
        "Max streams 10K per user",
        "Ingester",
        "Chunk assembly",
        "Chunk idle 3m",
        "Max chunk age 1h",
        "Snappy (10:1)",
    ),
    *("Querier", "Query execution", "100 queries/sec", "Cache size 100MB", "Cache TTL 1h", "Loki ruler"),
    # Storage
    *("Index store", "24-hour periods", "BoltDB shipper", "Chunks store", "S3/MinIO", "Query cache", "512MB"),
    *("memcached cluster", "Retention policies", "Debug (override)", "~18GB/month", "Hot tier", "Warm tier"),
    *("Cold tier", "Glacier", "SSD", "300Gi"),
    # Frontends
    *(
        "Grafana",
        "Port 3000",
        "16686",
        "Logs ↔ Metrics ↔ Traces",
        "Alertmanager",
        "9093",
        "PagerDuty",
        "Teams",
    ),
    *("E-mail", "Slack", "Jaeger", "6831", "14268", "OTEL", "Service dependency graph", "Trace-logs linking"),
    *("Prometheus", "TSDB", "365 days", "7 days", "Node exporter", "kube-state-metrics", "Kubelet metrics"),
    # Kubernetes
    *("NetworkPolicies", "RBAC", "ServiceAccounts", "ClusterRole", "PersistentVolumeClaims", "StorageClass"),
    *("Secret", "ConfigMaps", "Kubernetes events", "Network metrics"),
]
"""What the document calls its parts."""


@pytest.mark.parametrize("term", TERMS)
def test_the_page_has_the_documents_words(term: str) -> None:
    assert term.lower() in PAGE.lower()


DOCUMENTED_OBJECTS = [
    *(("ServiceAccount", name) for name in ("loki", "promtail")),
    *((kind, name) for kind in ("ClusterRole", "ClusterRoleBinding") for name in ("loki", "promtail")),
    *(("ConfigMap", name) for name in ("loki-config", "promtail-config")),
    *(("Service", name) for name in ("loki", "loki-headless", "memcached-service", "promtail-metrics")),
    *(("NetworkPolicy", name) for name in ("loki-network-policy", "promtail-network-policy")),
    *(("Namespace", name) for name in ("monitoring", "neurectomy")),
    ("StatefulSet", "loki"),
    ("DaemonSet", "promtail"),
    ("Deployment", "memcached"),
    ("StorageClass", "fast-ssd"),
]


@pytest.mark.parametrize("kind, name", DOCUMENTED_OBJECTS)
def test_the_documents_objects(kind: str, name: str) -> None:
    assert name in {item["metadata"]["name"] for item in objects(kind)}
    assert f"`{name}`" in PAGE or kind in (
        "ServiceAccount",
        "StatefulSet",
        "DaemonSet",
        "Deployment",
        "Namespace",
    )


def test_every_row_says_what_it_was_proved_on() -> None:
    systems_part = PAGE.partition("## From a line to an alert")[0]
    rows = [line for line in systems_part.splitlines() if line.startswith("| ") and line.count("|") == 6]
    systems = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    systems = [cells for cells in systems if cells[0] != "The document's words"]
    assert len(systems) > 30
    for cells in systems:
        assert all(cells), cells[0]
        assert "`tests/" in cells[3], cells[0]


def test_the_page_names_files_that_exist() -> None:
    """Every module and test that the table names is there, and every test function."""
    named = set(
        re.findall(r"`((?:stack|tests|lokictl|services|rules|datasources|docs)/[\w/.-]+)(?:::(\w+))?`", PAGE)
    )
    assert len(named) > 30
    for path, function in named:
        file = ROOT / path
        assert file.exists(), path
        if function:
            assert f"def {function}(" in file.read_text(encoding="utf-8"), f"{path}::{function}"


def test_the_page_names_files_that_are_rendered() -> None:
    from lokictl.project import load
    from lokictl.render import rendering

    paths = [path for path, _ in rendering(load(ROOT))]
    named = set(re.findall(r"`build/([\w/.<>-]+)`", PAGE))
    assert len(named) > 15
    for name in named:
        pattern = re.escape(name.rstrip("/")).replace("<project>", "[^/]+").replace("<tenant>", "[^/]+")
        pattern = (
            pattern.replace("<namespace>", "[^/]+").replace("<uid>", "[^/]+").replace("<folder>", "[^/]+")
        )
        found = [path for path in paths if re.match(pattern + r"(/|$)", path)]
        assert found or "<uid>" in name, name
