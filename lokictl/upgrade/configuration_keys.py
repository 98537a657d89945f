"""Keys of Loki's configuration whose meaning depends on the version: removed ones, and defaults that changed.

Each entry was tried on real Lokis: the one before takes a removed key, the first one without it does not start
(``loki -verify-config``); defaults are those that ``-print-config-stderr`` shows.
"""

from __future__ import annotations

from dataclasses import dataclass

from lokictl.logql.versions import LokiVersion


@dataclass(frozen=True, slots=True)
class RemovedKey:
    """A key (``a.b.c``; ``*.c`` below any other) that Loki no longer knows, and what to do."""

    path: str
    gone: LokiVersion
    instead: str = "remove it"


@dataclass(frozen=True, slots=True)
class ChangedDefault:
    """A key whose default changed, and what that does where the configuration does not set it."""

    path: str
    since: LokiVersion
    before: str
    now: str
    effect: str = ""


_3_0 = LokiVersion(3, 0)
REMOVED: tuple[RemovedKey, ...] = (
    RemovedKey("ingester.max_transfer_retries", _3_0, "remove it: the write-ahead log does this"),
    RemovedKey("limits_config.enforce_metric_name", _3_0),
    RemovedKey(
        "limits_config.ruler_evaluation_delay_duration", _3_0, "remove it, and write `offset` in the rules"
    ),
    RemovedKey("chunk_store_config.max_look_back_period", _3_0, "use limits_config.max_query_lookback"),
    RemovedKey(
        "storage_config.boltdb_shipper.shared_store", _3_0, "remove it: object_store of the schema decides"
    ),
)
DEFAULTS: tuple[ChangedDefault, ...] = ()

__all__ = ["DEFAULTS", "REMOVED", "ChangedDefault", "RemovedKey"]
