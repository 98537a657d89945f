"""Loki: three replicas of the single binary, with the document's limits, caches, retention and ruler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokictl.durations import DAY, HOUR
from lokictl.model import Service
from lokictl.model.component import Component, HelmExpression, HelmValue, Manifest, Refusal
from services import SERVICES
from stack import access, content, objects
from stack.figures import (
    BOLTDB_FROM,
    IMAGES,
    INDEX_PERIOD,
    LIMITS,
    LOG_BUCKET,
    LOKI_MEMORY,
    LOKI_REPLICAS,
    LOKI_VOLUME,
    PORTS,
    REPLICATION_FACTOR,
    TSDB_FROM,
    WAL_REPLAY_SHARE,
    address,
)

NAME = "loki"
CONFIG_FILE = "loki.yaml"
CREDENTIALS = HelmValue("s3.secret", "loki-s3-creds", "A secret with the keys access_key and secret_key.")

MEMCACHED = f"dns+{address('memcached-service', PORTS.memcached)}"
REMOTE_WRITE_URL = f"http://{address('prometheus', PORTS.prometheus)}/api/v1/write"
ALERTMANAGER_URL = f"http://{address('alertmanager', PORTS.alertmanager)}"
RULES_DIRECTORY = "/etc/loki/rules"
DATA = "/var/loki"
RESOURCES = objects.resources("1", "2Gi", memory_limit=LOKI_MEMORY)
WAL_CEILING = "2GB"


def configuration(
    *, services: tuple[Service, ...] = SERVICES, new_installation: bool = True
) -> dict[str, Any]:
    """Loki's configuration file.

    ``new_installation`` leaves out the BoltDB period: nothing was ever written with it.
    """
    return {
        "auth_enabled": True,
        "server": {
            "http_listen_port": PORTS.loki_http,
            "grpc_listen_port": PORTS.loki_grpc,
            "log_level": "warn",
            "grpc_server_max_recv_msg_size": 16 << 20,
            "grpc_server_max_send_msg_size": 16 << 20,
        },
        "common": {
            "path_prefix": DATA,
            "replication_factor": REPLICATION_FACTOR,
            "ring": {"kvstore": {"store": "memberlist"}},
            "storage": {"s3": s3()},
        },
        "memberlist": {"join_members": [address("loki-headless", PORTS.loki_gossip)]},
        "ingester": {
            "chunk_idle_period": LIMITS.chunk_idle,
            "max_chunk_age": LIMITS.chunk_age,
            "chunk_encoding": "snappy",
            "wal": {"enabled": True, "dir": f"{DATA}/wal", "replay_memory_ceiling": WAL_CEILING},
        },
        "querier": {"max_concurrent": LIMITS.queries_in_flight(LOKI_REPLICAS)},
        "query_range": {
            "cache_results": True,
            "results_cache": {"cache": cache(embedded=True)},
        },
        "chunk_store_config": {"chunk_cache_config": cache(embedded=False)},
        "schema_config": {"configs": schema(new_installation=new_installation)},
        "storage_config": storage(new_installation=new_installation),
        "compactor": {
            "working_directory": f"{DATA}/compactor",
            "retention_enabled": True,
            "delete_request_store": "s3",
        },
        "limits_config": limits(services),
        "ruler": ruler(),
        "analytics": {"reporting_enabled": False},
    }


def s3() -> dict[str, Any]:
    """The object store; address and keys come from the environment (``-config.expand-env``)."""
    return {
        "endpoint": "${S3_ENDPOINT}",
        "bucketnames": f"${{S3_BUCKET:-{LOG_BUCKET}}}",
        "region": "${S3_REGION:-us-east-1}",
        "access_key_id": "${AWS_ACCESS_KEY_ID}",
        "secret_access_key": "${AWS_SECRET_ACCESS_KEY}",
        "s3forcepathstyle": True,
        "insecure": "${S3_INSECURE:-false}",
    }


def cache(*, embedded: bool) -> dict[str, Any]:
    """memcached for all replicas; results also keep 100 MB in the process."""
    settings: dict[str, Any] = {
        "memcached": {"batch_size": 256, "parallelism": 10, "expiration": LIMITS.cache_ttl},
        "memcached_client": {"addresses": MEMCACHED, "timeout": "500ms", "max_idle_conns": 16},
    }
    if embedded:
        own = {"enabled": True, "max_size_mb": LIMITS.results_cache_megabytes, "ttl": LIMITS.cache_ttl}
        settings = {"embedded_cache": own, **settings}
    return settings


def schema(*, new_installation: bool) -> list[dict[str, Any]]:
    """The periods of the index: the document's BoltDB shipper, and the TSDB that replaces it."""
    index = {"prefix": "index_", "period": INDEX_PERIOD}
    boltdb = {
        "from": BOLTDB_FROM,
        "store": "boltdb-shipper",
        "object_store": "s3",
        "schema": "v12",
        "index": index,
    }
    tsdb = {"from": TSDB_FROM, "store": "tsdb", "object_store": "s3", "schema": "v13", "index": dict(index)}
    return [tsdb] if new_installation else [boltdb, tsdb]


def storage(*, new_installation: bool) -> dict[str, Any]:
    """Where each index keeps its local part; and which of Loki's two kinds of storage clients this file is for."""
    clients = {"use_thanos_objstore": False}
    tsdb = {"active_index_directory": f"{DATA}/tsdb-index", "cache_location": f"{DATA}/tsdb-cache"}
    if new_installation:
        return {**clients, "tsdb_shipper": tsdb}
    boltdb = {
        "active_index_directory": f"{DATA}/boltdb-index",
        "cache_location": f"{DATA}/boltdb-cache",
        "cache_ttl": "24h",
    }
    return {**clients, "boltdb_shipper": boltdb, "tsdb_shipper": tsdb}


def limits(services: tuple[Service, ...]) -> dict[str, Any]:
    """Rates, streams and retention; line rates become bytes by `stack.figures.AVERAGE_LINE_BYTES`."""
    return {
        "ingestion_rate_strategy": "global",
        "ingestion_rate_mb": LIMITS.ingestion_megabytes,
        "ingestion_burst_size_mb": LIMITS.burst_megabytes,
        "max_global_streams_per_user": LIMITS.streams_per_tenant,
        "max_line_size": "256KB",
        "reject_old_samples": True,
        "reject_old_samples_max_age": "168h",
        "allow_structured_metadata": True,
        # The services name themselves; a stream has the document's labels and no other.
        "discover_service_name": [],
        "discover_log_levels": False,
        # What is kept can be read in one query, and every dashboard's largest panel.
        "max_query_length": hours(longest_retention(services) + DAY),
        "max_query_series": LIMITS.series_per_query,
        "volume_enabled": True,
        "retention_period": hours(min(service.retention for service in services)),
        "retention_stream": retention(services),
    }


def retention(services: tuple[Service, ...]) -> list[dict[str, Any]]:
    """Retention by stream: the services that differ from the default, and debug lines above all."""
    default = min(service.retention for service in services)
    streams = [
        {"selector": service.selector, "priority": 1, "period": hours(service.retention)}
        for service in services
        if service.retention != default
    ]
    debug = min(service.debug_retention for service in services)
    return [*streams, {"selector": '{level="debug"}', "priority": 10, "period": hours(debug)}]


def longest_retention(services: tuple[Service, ...]) -> int:
    """How long any line is kept, in nanoseconds."""
    return max(service.retention for service in services)


def hours(nanoseconds: int) -> str:
    return f"{nanoseconds // HOUR}h"


def ruler() -> dict[str, Any]:
    """The ruler reads the rules that this project renders, and fires to Alertmanager.

    What recording rules make goes to Prometheus: Loki itself has no place for metrics.
    """
    return {
        "storage": {"type": "local", "local": {"directory": RULES_DIRECTORY}},
        "rule_path": f"{DATA}/rules-scratch",
        "alertmanager_url": ALERTMANAGER_URL,
        "enable_alertmanager_v2": True,
        "enable_api": True,
        "enable_sharding": True,
        "ring": {"kvstore": {"store": "memberlist"}},
        "evaluation_interval": "1m",
        "remote_write": {"enabled": True, "clients": {"prometheus": {"url": REMOTE_WRITE_URL}}},
        "wal": {"dir": f"{DATA}/ruler-wal"},
        "external_url": "https://grafana.neurectomy.example",
    }


OBJECT_STORE = {
    "S3_ENDPOINT": HelmValue(
        "s3.endpoint", "s3.us-east-1.amazonaws.com", "The object store: host, or host:port."
    ),
    "S3_REGION": HelmValue("s3.region", "us-east-1"),
    "S3_BUCKET": HelmValue("s3.bucket", LOG_BUCKET),
    "S3_INSECURE": HelmExpression(
        ".Values.s3.insecure | toString",
        "false",
        (HelmValue("s3.insecure", False, "Plain HTTP, for a MinIO without TLS."),),
    ),
}

OPEN_WITHOUT_RANGES = Refusal(
    'and (ne .Values.loki.serviceType "ClusterIP") (not .Values.loki.sourceRanges)',
    "loki.serviceType opens Loki to the outside, and Loki asks nobody who they are:"
    " set loki.sourceRanges to the addresses that may reach it",
)

SERVICE_PORTS = {"http": PORTS.loki_http, "grpc": PORTS.loki_grpc}
POD_PORTS = {**SERVICE_PORTS, "gossip": PORTS.loki_gossip}


REPLICAS = HelmValue(
    "loki.replicas",
    LOKI_REPLICAS,
    "Three or more keep every line three times and survive the loss of one; fewer keep it once.",
    objects.REPLICAS,
)


def scaled_flags() -> list[HelmExpression]:
    """What follows from the chart's values; flags win over the file, which is for the default values."""
    ceiling = objects.memory_share("loki.resources", RESOURCES, WAL_REPLAY_SHARE)
    in_flight = LIMITS.queries_in_flight(1)
    return [
        HelmExpression(
            f'printf "-distributor.replication-factor=%d" (ternary {REPLICATION_FACTOR} 1 '
            f"(ge (int .Values.{REPLICAS.path}) {REPLICATION_FACTOR}))",
            f"-distributor.replication-factor={REPLICATION_FACTOR}",
        ),
        HelmExpression(
            f'printf "-querier.max-concurrent=%d" (max 1 (div {in_flight} (int .Values.{REPLICAS.path})))',
            f"-querier.max-concurrent={LIMITS.queries_in_flight(LOKI_REPLICAS)}",
        ),
        HelmExpression(
            f'printf "-ingester.wal-replay-memory-ceiling=%s" ({ceiling.template} | default "{WAL_CEILING}")',
            f"-ingester.wal-replay-memory-ceiling={ceiling.default}",
        ),
    ]


def stateful_set(files: Mapping[str, str]) -> tuple[Manifest, ...]:
    """The StatefulSet, with the rendered rules of every tenant; the ruler rereads them, so they restart nothing."""
    rules = content.rule_volumes(files)
    container = objects.container(
        NAME,
        IMAGES.loki,
        args=[
            "-target=all",
            f"-config.file=/etc/loki/config/{CONFIG_FILE}",
            "-config.expand-env=true",
            *scaled_flags(),
        ],
        ports=POD_PORTS,
        mounts={
            "/etc/loki/config": "config:ro",
            **{f"{RULES_DIRECTORY}/{tenant}": f"{volume['name']}:ro" for tenant, volume in rules.items()},
            DATA: "data",
            "/tmp": "tmp",  # noqa: S108 - a volume inside the container
        },
        env=[
            objects.secret_env("AWS_ACCESS_KEY_ID", CREDENTIALS, "access_key"),
            objects.secret_env("AWS_SECRET_ACCESS_KEY", CREDENTIALS, "secret_key"),
            *({"name": name, "value": value} for name, value in OBJECT_STORE.items()),
        ],
        resources=RESOURCES,
        # Replaying the write-ahead log: up to an hour. Not ready is no reason to kill an ingester later on.
        startup=objects.probe("/ready", "http", failures=360),
        readiness=objects.probe("/ready", "http"),
        liveness=objects.probe("/loki/api/v1/status/buildinfo", "http", failures=6),
    )
    template = objects.pod(
        NAME,
        [container],
        account=NAME,
        token=access.LOKI_RIGHTS,
        user=10001,
        config_maps=["loki-config"],
        spread=True,
        volumes=[
            objects.config_volume("config", "loki-config"),
            *rules.values(),
            objects.empty_volume("tmp"),
        ],
        terminationGracePeriodSeconds=300,
    )
    return (
        objects.workload(
            "StatefulSet",
            NAME,
            template,
            replicas=REPLICAS,
            serviceName="loki-headless",
            podManagementPolicy="Parallel",
            volumeClaimTemplates=[objects.claim("data", LOKI_VOLUME, NAME)],
        ),
    )


def services() -> list[dict[str, Any]]:
    """The services and the disruption budget."""
    return [
        objects.service("loki-headless", NAME, POD_PORTS, headless=True),
        objects.exposed(objects.service(NAME, NAME, SERVICE_PORTS), NAME, "Loki"),
        objects.disruption_budget(NAME),
    ]


def component() -> Component:
    """Loki as a component; its StatefulSet mounts the rules that are rendered from the project."""
    files: dict[str, dict[str, Any]] = {
        CONFIG_FILE: configuration(),
        "loki-migrating.yaml": configuration(new_installation=False),
    }
    return Component(
        name=NAME,
        title="Loki",
        description="Log storage and queries; `loki-migrating.yaml` is for installations that began with BoltDB.",
        configuration=files,
        manifests=(
            *access.account(NAME),
            objects.config_map("loki-config", NAME, {CONFIG_FILE: files[CONFIG_FILE]}),
            *services(),
        ),
        content_manifests=stateful_set,
        refusals=(OPEN_WITHOUT_RANGES,),
        checks=("loki -verify-config",),
    )


COMPONENT = component()
