"""Prometheus: scrapes the platform, keeps a year, and watches the platform itself by metrics."""

from __future__ import annotations

from typing import Any

from lokictl.model.component import Component
from stack import access, objects
from stack.figures import (
    CACHE_HIT_RATE,
    HOT_P99_SECONDS,
    IMAGES,
    LIMITS,
    PORTS,
    PROMETHEUS_RETENTION,
    address,
)

NAME = "prometheus"
CONFIG_FILE = "prometheus.yaml"
ALERTS_FILE = "platform-alerts.yaml"
TESTS_FILE = "platform-alerts.test.yaml"

MEGABYTE = 1_000_000


def configuration(rules_directory: str = "/etc/prometheus") -> dict[str, Any]:
    """Prometheus' configuration file."""
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": [f"{rules_directory}/{ALERTS_FILE}"],
        "alerting": {
            "alertmanagers": [
                {"static_configs": [{"targets": [address("alertmanager", PORTS.alertmanager)]}]}
            ]
        },
        "scrape_configs": [
            pods("loki", "loki", PORTS.loki_http),
            pods("collector", "promtail|alloy", PORTS.collector_metrics),
            pods("memcached", "memcached", PORTS.memcached_metrics),
            static("prometheus", "localhost", PORTS.prometheus),
            static("alertmanager", "alertmanager", PORTS.alertmanager),
            static("grafana", "grafana", PORTS.grafana),
            static("jaeger", "jaeger", PORTS.jaeger_metrics),
            static("spans", "jaeger", PORTS.span_metrics),
            pods("kube-state-metrics", "kube-state-metrics", PORTS.kube_state_metrics, everywhere=True),
            pods("node-exporter", "node-exporter", PORTS.node_exporter, everywhere=True),
            kubelet(),
        ],
    }


def static(job: str, host: str, port: int) -> dict[str, Any]:
    return {"job_name": job, "static_configs": [{"targets": [address(host, port)]}]}


def pods(job: str, app: str, port: int, *, everywhere: bool = False) -> dict[str, Any]:
    """A job for the pods with the label ``app`` (a regular expression), on one port.

    The platform's own are in Prometheus' namespace; those of others may be ``everywhere``.
    """
    discovery: dict[str, Any] = {"role": "pod"}
    name = "__meta_kubernetes_pod_label_app_kubernetes_io_name"
    if not everywhere:
        discovery["namespaces"] = {"own_namespace": True}
        name = "__meta_kubernetes_pod_label_app"
    return {
        "job_name": job,
        "kubernetes_sd_configs": [discovery],
        "relabel_configs": [
            {"source_labels": [name], "regex": app, "action": "keep"},
            {
                "source_labels": ["__meta_kubernetes_pod_container_port_number"],
                "regex": str(port),
                "action": "keep",
            },
            {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
            {"source_labels": ["__meta_kubernetes_pod_node_name"], "target_label": "node"},
        ],
    }


def kubelet() -> dict[str, Any]:
    """The kubelets, with the token of Prometheus' own account."""
    secrets = "/var/run/secrets/kubernetes.io/serviceaccount"
    return {
        "job_name": "kubelet",
        "scheme": "https",
        "tls_config": {"ca_file": f"{secrets}/ca.crt", "insecure_skip_verify": True},
        "authorization": {"credentials_file": f"{secrets}/token"},
        "kubernetes_sd_configs": [{"role": "node"}],
        "relabel_configs": [{"action": "labelmap", "regex": "__meta_kubernetes_node_label_(.+)"}],
    }


def alert(
    name: str, expr: str, *, for_: str, severity: str, summary: str, description: str
) -> dict[str, Any]:
    """A metric alert of the platform, labelled as the log alerts are."""
    return {
        "alert": name,
        "expr": expr,
        "for": for_,
        "labels": {"severity": severity, "service": "platform", "tier": "platform"},
        "annotations": {
            "summary": summary,
            "description": description,
            "runbook_url": f"https://runbooks.neurectomy.example/{name.lower()}.md",
        },
    }


NEAR = 0.8
"""The share of a limit at which somebody should know."""

ALERTS: tuple[dict[str, Any], ...] = (
    alert(
        "LokiDown",
        'up{job="loki"} == 0',
        for_="2m",
        severity="critical",
        summary="Loki: {{ $labels.pod }} is down",
        description="Prometheus cannot scrape {{ $labels.pod }} for 2 minutes.",
    ),
    alert(
        "LokiIngestNearLimit",
        f"sum(rate(loki_distributor_bytes_received_total[5m])) > {round(NEAR * LIMITS.ingestion_megabytes * MEGABYTE)}",
        for_="5m",
        severity="warning",
        summary="Loki: ingestion is near its limit",
        description=(
            "{{ $value | humanize }}B/s arrive; "
            f"the limit is {LIMITS.ingestion_megabytes} MB/s ({LIMITS.lines_per_second:,} lines/s)."
        ),
    ),
    alert(
        "LokiStreamsNearLimit",
        "sum by (tenant) (loki_ingester_memory_streams)"
        " / scalar(max(loki_distributor_replication_factor))"
        f" > {round(NEAR * LIMITS.streams_per_tenant)}",
        for_="10m",
        severity="warning",
        summary="Loki: tenant {{ $labels.tenant }} has {{ $value | humanize }} streams",
        description=f"{LIMITS.streams_per_tenant:,} streams are allowed, however many ingesters hold each.",
    ),
    alert(
        "LokiCacheHitRateLow",
        f"sum(rate(loki_cache_hits[10m])) / sum(rate(loki_cache_fetched_keys[10m])) < {CACHE_HIT_RATE}",
        for_="15m",
        severity="warning",
        summary="Loki: the cache answers {{ $value | humanizePercentage }} of what it is asked",
        description=f"Below {CACHE_HIT_RATE:.0%}, queries read from the object store what memcached should hold.",
    ),
    alert(
        "CollectorDroppingLines",
        'sum by (pod) (increase({__name__=~"loki_write_dropped_entries_total|promtail_dropped_entries_total"}[5m]))'
        " > 0",
        for_="5m",
        severity="critical",
        summary="Collector {{ $labels.pod }} drops lines",
        description="{{ $value | humanize }} lines were dropped in 5 minutes; they are lost.",
    ),
    alert(
        "LokiQuerySlow",
        "histogram_quantile(0.99, sum by (le) (rate(loki_request_duration_seconds_bucket"
        '{route=~"loki_api_v1_query|loki_api_v1_query_range"}[10m])))'
        f" > {HOT_P99_SECONDS}",
        for_="15m",
        severity="warning",
        summary="Loki: the slowest 1 % of queries take {{ $value | humanizeDuration }}",
        description=f"The target for hot data is {HOT_P99_SECONDS * 1000:.0f} ms (p99).",
    ),
)


def rules() -> dict[str, Any]:
    """The rule file of the platform's own alerts."""
    return {"groups": [{"name": "platform", "interval": "15s", "rules": [dict(item) for item in ALERTS]}]}


def series(name: str, values: str) -> dict[str, str]:
    return {"series": name, "values": values}


FIRING: dict[str, tuple[list[dict[str, str]], str, dict[str, str]]] = {
    "LokiDown": (
        [series('up{job="loki", pod="loki-0"}', "1x4 0x20")],
        "10m",
        {"job": "loki", "pod": "loki-0"},
    ),
    "LokiIngestNearLimit": (
        [series('loki_distributor_bytes_received_total{pod="loki-0"}', f"0+{17 * MEGABYTE * 60}x30")],
        "20m",
        {},
    ),
    "LokiStreamsNearLimit": (
        [
            series(f'loki_ingester_memory_streams{{tenant="neurectomy", pod="loki-{i}"}}', "8100x40")
            for i in range(3)
        ]
        + [series("loki_distributor_replication_factor", "3x40")],
        "20m",
        {"tenant": "neurectomy"},
    ),
    "LokiCacheHitRateLow": (
        [
            series('loki_cache_hits{name="chunks"}', "0+40x60"),
            series('loki_cache_fetched_keys{name="chunks"}', "0+100x60"),
        ],
        "50m",
        {},
    ),
    "CollectorDroppingLines": (
        [series('loki_write_dropped_entries_total{pod="alloy-x"}', "0+10x30")],
        "20m",
        {"pod": "alloy-x"},
    ),
    "LokiQuerySlow": (
        [
            series('loki_request_duration_seconds_bucket{route="loki_api_v1_query", le="0.1"}', "0+10x60"),
            series('loki_request_duration_seconds_bucket{route="loki_api_v1_query", le="0.25"}', "0+50x60"),
            series('loki_request_duration_seconds_bucket{route="loki_api_v1_query", le="1"}', "0+100x60"),
            series('loki_request_duration_seconds_bucket{route="loki_api_v1_query", le="+Inf"}', "0+100x60"),
        ],
        "50m",
        {},
    ),
}
"""Per alert: series that make it fire, when, and the labels it fires with besides its own."""

FIRING_TEXTS: dict[str, tuple[str, str]] = {
    "LokiDown": (
        "Loki: loki-0 is down",
        "Prometheus cannot scrape loki-0 for 2 minutes.",
    ),
    "LokiIngestNearLimit": (
        "Loki: ingestion is near its limit",
        "17MB/s arrive; the limit is 20 MB/s (100,000 lines/s).",
    ),
    "LokiStreamsNearLimit": (
        "Loki: tenant neurectomy has 8.1k streams",
        "10,000 streams are allowed, however many ingesters hold each.",
    ),
    "LokiCacheHitRateLow": (
        "Loki: the cache answers 40% of what it is asked",
        "Below 50%, queries read from the object store what memcached should hold.",
    ),
    "CollectorDroppingLines": (
        "Collector alloy-x drops lines",
        "50 lines were dropped in 5 minutes; they are lost.",
    ),
    "LokiQuerySlow": (
        "Loki: the slowest 1 % of queries take 985ms",
        "The target for hot data is 200 ms (p99).",
    ),
}
"""Per alert: the summary and the description that readers get."""

SILENT: dict[str, list[dict[str, str]]] = {
    "LokiDown": [series('up{job="loki", pod="loki-0"}', "1x60")],
    "LokiIngestNearLimit": [series("loki_distributor_bytes_received_total", f"0+{15 * MEGABYTE * 60}x60")],
    "LokiStreamsNearLimit": [
        series(f'loki_ingester_memory_streams{{tenant="neurectomy", pod="loki-{i}"}}', "8000x60")
        for i in range(3)
    ]
    + [series("loki_distributor_replication_factor", "3x60")],
    "LokiCacheHitRateLow": [
        series("loki_cache_hits", "0+60x60"),
        series("loki_cache_fetched_keys", "0+100x60"),
    ],
    "CollectorDroppingLines": [series('loki_write_dropped_entries_total{pod="alloy-x"}', "7x60")],
    "LokiQuerySlow": [
        series('loki_request_duration_seconds_bucket{route="loki_api_v1_query", le="0.1"}', "0+100x60"),
        series('loki_request_duration_seconds_bucket{route="loki_api_v1_query", le="+Inf"}', "0+100x60"),
    ],
}
"""Per alert: healthy series."""


def tests() -> dict[str, Any]:
    """A ``promtool test rules`` file: each alert fires, and each stays silent on healthy series."""
    items: list[dict[str, Any]] = []
    for item in ALERTS:
        name = item["alert"]
        input_series, at, labels = FIRING[name]
        summary, description = FIRING_TEXTS[name]
        annotations = {**item["annotations"], "summary": summary, "description": description}
        expected = {"exp_labels": {**item["labels"], **labels}, "exp_annotations": annotations}
        fires = {"eval_time": at, "alertname": name, "exp_alerts": [expected]}
        items.append(
            {
                "name": f"{name} fires",
                "interval": "1m",
                "input_series": input_series,
                "alert_rule_test": [fires],
            }
        )
        silent = {"eval_time": "50m", "alertname": name, "exp_alerts": []}
        items.append(
            {
                "name": f"{name} stays silent",
                "interval": "1m",
                "input_series": SILENT[name],
                "alert_rule_test": [silent],
            }
        )
    return {"rule_files": [ALERTS_FILE], "evaluation_interval": "15s", "tests": items}


def component() -> Component:
    """Prometheus as a component."""
    files: dict[str, dict[str, Any]] = {CONFIG_FILE: configuration(), ALERTS_FILE: rules()}
    container = objects.container(
        NAME,
        IMAGES.prometheus,
        args=[
            f"--config.file=/etc/prometheus/{CONFIG_FILE}",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={PROMETHEUS_RETENTION}",
            "--web.enable-lifecycle",
            # The ruler writes recorded series here.
            "--web.enable-remote-write-receiver",
            "--enable-feature=exemplar-storage",
        ],
        ports={"http": PORTS.prometheus},
        mounts={"/etc/prometheus": "config:ro", "/prometheus": "data"},
        resources=objects.resources("500m", "2Gi", memory_limit="4Gi"),
        # A year of blocks and a write-ahead log take their time.
        startup=objects.probe("/-/ready", "http", failures=180),
        readiness=objects.probe("/-/ready", "http"),
        liveness=objects.probe("/-/healthy", "http", failures=6),
    )
    template = objects.pod(
        NAME,
        [container],
        account=NAME,
        token=True,
        config_maps=["prometheus-config"],
        volumes=[objects.config_volume("config", "prometheus-config")],
    )
    return Component(
        name=NAME,
        title="Prometheus",
        description="Metrics of the platform and of the logs, kept for a year.",
        configuration={**files, TESTS_FILE: tests()},
        manifests=(
            *access.account(NAME),
            objects.config_map("prometheus-config", NAME, files),
            objects.workload(
                "StatefulSet",
                NAME,
                template,
                replicas=1,
                serviceName=NAME,
                volumeClaimTemplates=[objects.claim("data", "200Gi", NAME)],
            ),
            objects.service(NAME, NAME, {"http": PORTS.prometheus}),
        ),
        checks=("promtool check config", "promtool check rules", "promtool test rules"),
    )


COMPONENT = component()
