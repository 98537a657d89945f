"""Loki: three replicas of the single binary, with the document's limits, caches, retention and ruler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokictl.durations import HOUR
from lokictl.model import Service
from lokictl.model.component import Component, HelmValue
from services import SERVICES
from stack import access, content, objects
from stack.figures import (
    BOLTDB_FROM,
    IMAGES,
    INDEX_PERIOD,
    LIMITS,
    LOG_BUCKET,
    LOKI_REPLICAS,
    LOKI_VOLUME,
    MONITORING,
    PORTS,
    REPLICATION_FACTOR,
    STORAGE_CLASS,
    TSDB_FROM,
)

NAME = "loki"
CONFIG_FILE = "loki.yaml"
CREDENTIALS = "loki-s3-creds"
"""A secret with the keys ``access_key`` and ``secret_key``; made outside of this repository."""

MEMCACHED = f"dns+memcached-service.{MONITORING}.svc.cluster.local:{PORTS.memcached}"
REMOTE_WRITE_URL = f"http://prometheus.{MONITORING}.svc.cluster.local:{PORTS.prometheus}/api/v1/write"
ALERTMANAGER_URL = f"http://alertmanager.{MONITORING}.svc.cluster.local:{PORTS.alertmanager}"
RULES_DIRECTORY = "/etc/loki/rules"
DATA = "/var/loki"


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
        "memberlist": {"join_members": [f"loki-headless.{MONITORING}.svc.cluster.local:{PORTS.loki_gossip}"]},
        "ingester": {
            "chunk_idle_period": LIMITS.chunk_idle,
            "max_chunk_age": LIMITS.chunk_age,
            "chunk_encoding": "snappy",
            "wal": {"enabled": True, "dir": f"{DATA}/wal"},
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
        "bucketnames": LOG_BUCKET,
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


SERVICE_PORTS = {"http": PORTS.loki_http, "grpc": PORTS.loki_grpc}
POD_PORTS = {**SERVICE_PORTS, "gossip": PORTS.loki_gossip}


def stateful_set(files: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
    """The StatefulSet, with the rendered rules of every tenant."""
    rules = content.rule_volumes(files)
    container = objects.container(
        NAME,
        IMAGES.loki,
        args=["-target=all", f"-config.file=/etc/loki/config/{CONFIG_FILE}", "-config.expand-env=true"],
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
            {"name": "S3_ENDPOINT", "value": HelmValue("s3.endpoint", "s3.us-east-1.amazonaws.com")},
            {"name": "S3_REGION", "value": HelmValue("s3.region", "us-east-1")},
        ],
        resources=objects.resources("1", "2Gi", memory_limit="4Gi"),
        readiness=objects.probe("/ready", "http", delay=15),
        liveness=objects.probe("/ready", "http", delay=120),
    )
    template = objects.pod(
        NAME,
        [container],
        account=NAME,
        token=True,
        user=10001,
        spread=True,
        volumes=[
            objects.config_volume("config", "loki-config"),
            *rules.values(),
            objects.empty_volume("tmp"),
        ],
        terminationGracePeriodSeconds=300,
    )
    storage_class = HelmValue("storageClass", STORAGE_CLASS)
    return (
        objects.workload(
            "StatefulSet",
            NAME,
            template,
            replicas=LOKI_REPLICAS,
            serviceName="loki-headless",
            podManagementPolicy="Parallel",
            volumeClaimTemplates=[objects.claim("data", LOKI_VOLUME, storage_class, NAME)],
        ),
    )


def services() -> list[dict[str, Any]]:
    """The services and the disruption budget."""
    return [
        objects.service("loki-headless", NAME, POD_PORTS, headless=True),
        objects.service(NAME, NAME, SERVICE_PORTS, type_=HelmValue("loki.serviceType", "LoadBalancer")),
        objects.disruption_budget(NAME, available=2),
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
        checks=("loki -verify-config",),
    )


COMPONENT = component()
