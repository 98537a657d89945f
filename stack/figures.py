"""The architecture document's figures: every port, name, limit and size of the platform exists once, here."""

from __future__ import annotations

from dataclasses import dataclass

from services.common import NAMESPACE

MONITORING = "monitoring"
APPLICATIONS = NAMESPACE
TENANT = "neurectomy"
COLLECTOR = "alloy"
"""The collector that runs by default: "alloy" or "promtail", never both (every line would be counted twice)."""
STORAGE_CLASS = "fast-ssd"


@dataclass(frozen=True)
class Ports:
    """TCP unless the name says otherwise."""

    loki_http: int = 3100
    loki_grpc: int = 9096
    loki_gossip: int = 7946
    collector_metrics: int = 9080
    syslog_udp: int = 1514
    grafana: int = 3000
    prometheus: int = 9090
    alertmanager: int = 9093
    smtp: int = 587
    memcached: int = 11211
    memcached_metrics: int = 9150
    jaeger_ui: int = 16686
    jaeger_query_grpc: int = 16685
    jaeger_collector: int = 14268
    jaeger_compact_udp: int = 6831
    jaeger_metrics: int = 8888
    span_metrics: int = 8889
    jaeger_health: int = 13133
    otlp_grpc: int = 4317
    otlp_http: int = 4318
    s3: int = 443
    https: int = 443
    kubernetes_api: tuple[int, ...] = (443, 6443)
    minio: int = 9000
    dns: int = 53
    node_exporter: int = 9100
    kube_state_metrics: int = 8080
    kubelet: int = 10250


PORTS = Ports()


@dataclass(frozen=True)
class Images:
    """Pinned images; the chart's values can change each."""

    loki: str = "docker.io/grafana/loki:3.7.6"
    promtail: str = "docker.io/grafana/promtail:3.6.8"
    alloy: str = "docker.io/grafana/alloy:v1.16.0"
    memcached: str = "docker.io/library/memcached:1.6.39-alpine"
    memcached_exporter: str = "quay.io/prometheus/memcached-exporter:v0.15.3"
    grafana: str = "docker.io/grafana/grafana:12.3.0"
    prometheus: str = "quay.io/prometheus/prometheus:v3.7.3"
    alertmanager: str = "quay.io/prometheus/alertmanager:v0.28.1"
    jaeger: str = "docker.io/jaegertracing/jaeger:2.13.0"
    minio: str = "docker.io/minio/minio:RELEASE.2025-09-07T16-13-09Z"


IMAGES = Images()

MEGABYTE = 1_000_000
GIGABYTE = 1_000_000_000
GIBIBYTE = 1 << 30

AVERAGE_LINE_BYTES = 200
"""Bytes of an uncompressed line.  Loki limits bytes, the document limits lines: every byte limit rests on this
figure (the sample logs of the four services average 150 to 220 bytes)."""


@dataclass(frozen=True)
class Limits:
    """What the distributor, the ingester and the querier allow (the document's figures)."""

    lines_per_second: int = 100_000
    burst_lines: int = 200_000
    streams_per_tenant: int = 10_000
    chunk_idle: str = "3m"
    chunk_age: str = "1h"
    queries_per_second: int = 100
    query_seconds: float = 0.48
    series_per_query: int = 5_000
    results_cache_megabytes: int = 100
    cache_ttl: str = "1h"

    @property
    def ingestion_megabytes(self) -> int:
        """100 K lines/s of 200 bytes: 20 MB/s."""
        return self.lines_per_second * AVERAGE_LINE_BYTES // MEGABYTE

    @property
    def burst_megabytes(self) -> int:
        """200 K lines of 200 bytes: 40 MB."""
        return self.burst_lines * AVERAGE_LINE_BYTES // MEGABYTE

    def queries_in_flight(self, queriers: int) -> int:
        """Concurrent queries per querier that sustain the rate: rate x time, shared (Little's law)."""
        return round(self.queries_per_second * self.query_seconds / queriers)


LIMITS = Limits()

LOKI_REPLICAS = 3
REPLICATION_FACTOR = 3
LOKI_VOLUME = "100Gi"
LOKI_MEMORY = "4Gi"
WAL_REPLAY_SHARE = 0.5
"""Of its memory limit, Loki may fill this share while it replays its write-ahead log; then it flushes first."""

GO_MEMORY_SHARE = 0.9
"""From this share of the memory limit on, Go's garbage collector works harder (``GOMEMLIMIT``)."""

COLLECTOR_MEMORY_MEBIBYTES = 1024
"""The collectors' memory limit; Alloy needs about 250 MiB on a node with twelve quiet pods."""

MEMCACHED_REPLICAS = 3
MEMCACHED_MEGABYTES = 512
CACHE_HIT_RATE = 0.5
COMPRESSION = 10

INDEX_PERIOD = "24h"
BOLTDB_FROM = "2024-01-01"
TSDB_FROM = "2025-01-01"
"""From this day on the index is TSDB with schema v13; a new installation never uses the period before it."""

HOT_DAYS = 7
WARM_DAYS = 30
COLD_DAYS = 365
LOG_BUCKET = "loki-chunks"

PROMETHEUS_RETENTION = "365d"
JAEGER_RETENTION_HOURS = 7 * 24

HOT_P99_SECONDS = 0.2
WARM_P99_SECONDS = 2.0


def address(service: str, port: int) -> str:
    """``host:port`` of a service.  Short names, so that the platform runs in any namespace."""
    return f"{service}:{port}"
