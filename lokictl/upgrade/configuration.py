"""Keys of Loki's own configuration that a version no longer knows, or needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lokictl.diagnostics import Position
from lokictl.logql.versions import LokiVersion
from lokictl.upgrade.changes import Change, Kind, Place


@dataclass(frozen=True, slots=True)
class Key:
    """A key (``a.b.c``) that is gone since a version, and what to do."""

    path: str
    since: LokiVersion
    instead: str


THREE = LokiVersion(3, 0)
REMOVED = (
    Key("ingester.max_transfer_retries", THREE, "remove it: the write-ahead log does this"),
    Key("limits_config.enforce_metric_name", THREE, "remove it"),
    Key("limits_config.ruler_evaluation_delay_duration", THREE, "remove it; write `offset` in the rules"),
    Key("chunk_store_config.max_look_back_period", THREE, "use limits_config.max_query_lookback"),
    Key("storage_config.boltdb_shipper.shared_store", THREE, "remove it: object_store of the schema decides"),
    Key("storage_config.boltdb_shipper.shared_store_key_prefix", THREE, "use path_prefix of the index"),
    Key("storage_config.boltdb_shipper.use_boltdb_shipper_as_backup", THREE, "remove it"),
    Key("storage_config.tsdb_shipper.shared_store", THREE, "remove it: object_store of the schema decides"),
    Key("storage_config.tsdb_shipper.shared_store_key_prefix", THREE, "use path_prefix of the index"),
    Key("compactor.shared_store", THREE, "use delete_request_store"),
    Key("compactor.shared_store_key_prefix", THREE, "use delete_request_store_key_prefix"),
    Key("querier.engine.timeout", THREE, "use limits_config.query_timeout"),
    Key("querier.query_timeout", THREE, "use limits_config.query_timeout"),
    Key("frontend_worker.parallelism", THREE, "use querier.max_concurrent"),
    Key("frontend_worker.match_max_concurrent", THREE, "remove it: it is always on"),
    Key("query_range.split_queries_by_interval", THREE, "use limits_config.split_queries_by_interval"),
)
"""A real Loki of the version before takes each of these, the named one refuses to start."""

LEGACY_STORES = (
    "boltdb",
    "boltdb-shipper",
    "aws",
    "aws-dynamo",
    "bigtable",
    "bigtable-hashed",
    "cassandra",
    "gcp",
)
SECTIONS = ("schema_config", "limits_config", "storage_config", "ingester", "querier", "compactor", "ruler")


def changes_in_configuration(files: list[Path], old: LokiVersion, new: LokiVersion) -> list[Change]:
    """What changes in the files among ``files`` that are a Loki's configuration."""
    found: dict[str, Change] = {}
    for file in files:
        for data, source in _configurations(file):
            for kind, message, path in _in_one(data, old, new):
                change = found.setdefault(message, Change(kind, message))
                change.places.append(_place(source, str(file), path))
    return list(found.values())


def is_configuration(data: Any) -> bool:
    """Whether a document is the configuration of a Loki."""
    return isinstance(data, dict) and isinstance(data.get("schema_config"), dict) and sum(
        isinstance(data.get(name), dict) for name in SECTIONS
    ) >= 2  # fmt: skip


def _configurations(file: Path) -> Iterator[tuple[dict[str, Any], str]]:
    if file.suffix not in (".yaml", ".yml"):
        return
    try:
        text = file.read_text(encoding="utf-8")
        if "schema_config" not in text:
            return
        for document in yaml.safe_load_all(text):
            for data in (document, *_values_of(document)):
                if is_configuration(data):
                    yield data, text
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return


def _values_of(document: Any) -> Iterator[Any]:
    """The configuration in the values of the Loki chart."""
    if isinstance(document, dict):
        for holder in (document, document.get("loki")):
            if isinstance(holder, dict):
                yield holder.get("structuredConfig")
                yield holder.get("config")


def _in_one(data: dict[str, Any], old: LokiVersion, new: LokiVersion) -> Iterator[tuple[Kind, str, str]]:
    for key in REMOVED:
        if old < key.since <= new and _has(data, key.path):
            yield (
                Kind.REMOVED,
                f"Loki {new.minor_text} does not start with {key.path}: {key.instead}",
                key.path,
            )
    if old < THREE <= new:
        yield from _since_three(data)
    periods = (data.get("schema_config") or {}).get("configs") or []
    for period in periods if isinstance(periods, list) else ():
        store = period.get("store") if isinstance(period, dict) else None
        if store in LEGACY_STORES:
            yield (
                Kind.DEPRECATED,
                f"the index store {store} is deprecated: begin a period with store tsdb and schema v13",
                "schema_config.configs.store",
            )


def _since_three(data: dict[str, Any]) -> Iterator[tuple[Kind, str, str]]:
    compactor = data.get("compactor") or {}
    if compactor.get("retention_enabled") and not compactor.get("delete_request_store"):
        yield (
            Kind.REFUSED,
            "Loki 3 does not start with retention_enabled and no compactor.delete_request_store",
            "compactor.retention_enabled",
        )
    periods = (data.get("schema_config") or {}).get("configs") or [{}]
    last = periods[-1] if isinstance(periods, list) and isinstance(periods[-1], dict) else {}
    structured = (data.get("limits_config") or {}).get("allow_structured_metadata", True)
    if structured and (last.get("schema") != "v13" or last.get("store") != "tsdb"):
        yield (
            Kind.REFUSED,
            "Loki 3 does not start: structured metadata is on by default and needs a period with store tsdb and "
            "schema v13; begin one, or set limits_config.allow_structured_metadata: false",
            "schema_config.configs.schema",
        )
    if "discover_service_name" not in (data.get("limits_config") or {}):
        yield (
            Kind.ANSWER,
            "Loki 3 adds the label service_name to every stream (limits_config.discover_service_name: [] turns it off)",
            "limits_config",
        )


def _has(data: Any, path: str) -> bool:
    for part in path.split("."):
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True


def _place(text: str, file: str, path: str) -> Place:
    """The first line that has the path's last key below the others."""
    lines = text.split("\n")
    at = 0
    for part in path.split("."):
        for index in range(at, len(lines)):
            if f"{part}:" in lines[index]:
                at = index
                break
    column = lines[at].find(path.rpartition(".")[2] + ":") + 1 if lines else 1
    return Place(Position(file, at + 1, max(column, 1)), lines[at] if lines else "", "Loki's configuration")


__all__ = ["REMOVED", "changes_in_configuration", "is_configuration"]
