"""The configuration of a Loki that lives for one run: tenants, any times, nothing added to the lines."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from lokictl.engine.levels import SERVICE_LABELS

TEN_YEARS = "87600h"


def loki_configuration(
    directory: str,
    *,
    overrides_directory: str = "",
    address: str = "127.0.0.1",
    http_port: int = 3100,
    grpc_port: int = 9096,
    unknown: Collection[str] = (),
) -> dict[str, Any]:
    """Loki's configuration for tests, with its data in ``directory`` and, there or elsewhere, the `overrides`.

    ``unknown`` limits are left out: those that an old Loki does not know (`unknown_limits`).

    Queries are answered by the plain engine, as a ruler that evaluates locally asks it: no splitting, sharding,
    alignment or caches.  Lines may be old, of the future, and late; they can be queried at once.
    """
    scheduler = f"127.0.0.1:{grpc_port}"
    return {
        "auth_enabled": True,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_address": address,
            "http_listen_port": http_port,
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": grpc_port,
            "grpc_server_max_recv_msg_size": 104857600,
            "grpc_server_max_send_msg_size": 104857600,
            "log_level": "warn",
        },
        "common": {
            "path_prefix": directory,
            "instance_addr": "127.0.0.1",
            "replication_factor": 1,
            "storage": {
                "filesystem": {
                    "chunks_directory": f"{directory}/chunks",
                    "rules_directory": f"{directory}/rules",
                }
            },
            "ring": {"instance_addr": "127.0.0.1", "kvstore": {"store": "inmemory"}},
        },
        "schema_config": {
            "configs": [
                {
                    "from": "1970-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "ingester": {
            "lifecycler": {"min_ready_duration": "0s", "join_after": "0s", "final_sleep": "0s"},
            "max_chunk_age": TEN_YEARS,
            "chunk_idle_period": TEN_YEARS,
            "wal": {"enabled": False},
        },
        # By default the frontend looks for its scheduler every 10 s, and Loki is not ready before.
        "frontend": {"scheduler_address": scheduler, "scheduler_dns_lookup_period": "100ms"},
        "frontend_worker": {"scheduler_address": scheduler, "dns_lookup_duration": "100ms"},
        "querier": {"query_ingesters_within": "0s"},
        "query_range": {
            "align_queries_with_step": False,
            "cache_results": False,
            # Vectors that do not match are an internal error to Loki, which tries those again for 20 s.
            "max_retries": 1,
            "parallelise_shardable_queries": False,
        },
        "limits_config": _limits(unknown),
        "runtime_config": {
            "file": f"{overrides_directory or directory}/{OVERRIDES_FILE}",
            "period": f"{RELOAD_SECONDS}s",
        },
    }


def _limits(unknown: Collection[str]) -> dict[str, Any]:
    limits = {
        "allow_structured_metadata": True,
        "creation_grace_period": TEN_YEARS,
        "discover_log_levels": False,
        "discover_service_name": [],
        "ingestion_burst_size_mb": 10_000,
        "ingestion_rate_mb": 10_000,
        "max_global_streams_per_user": 0,
        "max_label_name_length": 1_000_000,
        "max_label_names_per_series": 1_000,
        "max_label_value_length": 1_000_000,
        "max_line_size": "0B",
        "max_query_length": "0s",
        "max_structured_metadata_entries_count": 10_000,
        "max_structured_metadata_size": "10MB",
        "per_stream_rate_limit": "10GB",
        "per_stream_rate_limit_burst": "10GB",
        "reject_old_samples": False,
        "split_queries_by_interval": "0s",
    }
    return {name: value for name, value in limits.items() if name not in unknown}


NEW_IN_3_0 = (
    "discover_log_levels",
    "discover_service_name",
    "max_structured_metadata_entries_count",
    "max_structured_metadata_size",
)
"""The limits that a Loki before 3.0 does not know, and does not start with."""


def unknown_limits(log: str) -> set[str]:
    """The limits that a Loki does not know, by what it says as it ends."""
    return set(re.findall(r"field (\w+) not found in type validation\.", log))


OVERRIDES_FILE = "overrides.yaml"
RELOAD_SECONDS = 0.2
TENANTS_AT_ONCE = 20
"""Tenants of one kind that are added together; Loki takes some milliseconds to read each."""

Discovery = tuple[bool, bool]
"""Whether Loki finds service names, and levels, itself."""


def overrides(tenants: Mapping[str, Discovery], unknown: Collection[str] = ()) -> dict[str, Any]:
    """The file of limits by tenant (``runtime_config``): what Loki does by default, for those that ask for it."""
    found = {
        tenant: {
            **_limits(()),
            "discover_service_name": list(SERVICE_LABELS) if names else [],
            "discover_log_levels": levels,
        }
        for tenant, (names, levels) in tenants.items()
    }
    for limits in found.values():
        for name in unknown:
            limits.pop(name, None)
    return {"overrides": found}
