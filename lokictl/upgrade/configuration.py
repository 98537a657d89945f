"""Loki's own configuration: keys that a version does not know, needs, or understands in another way."""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from collections.abc import Iterable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Any

from lokictl.diagnostics import LokictlError
from lokictl.lazy import lazy_pattern
from lokictl.logql.versions import MAIN, LokiVersion
from lokictl.model.documents import Cursor, value_at
from lokictl.model.yaml_source import load_documents, load_embedded_documents
from lokictl.records import dataclass
from lokictl.upgrade.changes import Change, Kind, Place, name_of
from lokictl.upgrade.configuration_keys import DEFAULTS, REMOVED, UNKNOWN_LIMITS_IGNORED

Keys = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

_3_0 = LokiVersion(3, 0)
LEGACY_STORES = (
    "boltdb",
    "boltdb-shipper",
    "aws",
    "aws-dynamo",
    "bigtable",
    "bigtable-hashed",
    "cassandra",
    "gcp",
    "gcp-columnkey",
    "grpc-store",
)
STORES_REMOVED = MAIN
"""3.7.6 starts with each of these stores and warns; main ends with "unsupported index type"."""
OWN_SECTIONS = ("schema_config", "limits_config", "storage_config", "chunk_store_config")
"""Sections that tell Loki's configuration from those of its neighbors."""
SECTIONS = (
    *OWN_SECTIONS,
    "auth_enabled",
    "common",
    "compactor",
    "distributor",
    "frontend",
    "frontend_worker",
    "index_gateway",
    "ingester",
    "ingester_client",
    "memberlist",
    "pattern_ingester",
    "querier",
    "query_range",
    "query_scheduler",
    "ruler",
    "runtime_config",
    "server",
    "table_manager",
)
OF_A_COLLECTOR = ("scrape_configs", "clients", "positions")
"""Sections of Promtail's configuration, which has limits, too."""
CHART_NAMES = {"schemaConfig": "schema_config", "commonConfig": "common", "rulerConfig": "ruler"}
"""What the Loki chart calls sections in its values."""
_SECRET = lazy_pattern(r"^kind:\s*Secret\b", re.MULTILINE)
_WORDS = lazy_pattern(
    r"schema_?[cC]onfig|limits_config|storage_config|structuredConfig|^overrides:", re.MULTILINE
)


@dataclass(frozen=True)
class Configuration:
    """A Loki's configuration, or part of one, somewhere in a file.

    ``complete``: it is all that Loki reads, so that what it does not set has Loki's default.  ``sections`` has the
    keys that lead to a section where they are not the section's name.
    """

    cursor: Cursor
    complete: bool = True
    sections: dict[str, Keys] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The name of the file."""
        return self.cursor.document.source.file

    def get(self, path: str) -> Any:
        """The value at ``a.b.c``; None if there is none."""
        return value_at(self.cursor.value, self.keys(path))

    def has(self, path: str) -> bool:
        """Whether there is a key ``a.b.c``, with any value."""
        return self.cursor.document.has(*self.cursor.path, *self.keys(path))

    def keys(self, path: str) -> Keys:
        """The keys that lead to ``a.b.c`` in the file."""
        section, *rest = path.split(".")
        return (*self.sections.get(section, (section,)), *rest)

    def find(self, path: str) -> Iterator[Keys]:
        """The places of a key ``a.b.c``, or of ``*.c``: any key ``c`` below another."""
        if not path.startswith("*."):
            if self.has(path):
                yield self.keys(path)
            return
        name = path.removeprefix("*.")
        yield from (keys for keys in _all_keys(self.cursor.value, ()) if keys[-1] == name and len(keys) > 1)

    def place(self, keys: Keys) -> Place:
        """Where a key is; the nearest one above a key that is missing."""
        while keys and not self.cursor.document.has(*self.cursor.path, *keys):
            keys = keys[:-1]
        position = self.cursor.position(*keys, key=bool(keys) and isinstance(keys[-1], str))
        return Place(position, self.cursor.line(position), "Loki's configuration")


def _all_keys(value: Any, above: Keys) -> Iterator[Keys]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*above, key)
        yield from _all_keys(child, (*above, key))


# --- finding it ------------------------------------------------------------------------------------------------------


def configurations(files: Iterable[Path]) -> Iterator[Configuration]:
    """The configurations in YAML files: plain, in the values of a Helm chart, in ConfigMaps, per-tenant overrides."""
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        yield from configurations_in(text, str(file))


def configurations_in(text: str, file: str) -> Iterator[Configuration]:
    """The configurations in a YAML text; ``file`` names it."""
    if not (_WORDS.search(text) or _SECRET.search(text)):
        return
    try:
        documents = load_documents(text, file)
    except LokictlError:
        return
    for document in documents:
        yield from _below(Cursor(document))


def _below(cursor: Cursor) -> Iterator[Configuration]:
    value = cursor.value
    if isinstance(value, str):
        if _WORDS.search(value):
            yield from _embedded(cursor)
    elif isinstance(value, dict) and value.get("kind") == "Secret" and isinstance(value.get("data"), dict):
        for name, encoded in value["data"].items():
            yield from _embedded(cursor.child("data", name), _decoded(encoded))
    elif isinstance(value, dict) and is_configuration(value) and not _is_chart(value):
        yield Configuration(cursor)
    elif isinstance(value, dict) and _is_chart(value):
        yield Configuration(
            cursor, complete=False, sections={name: (key,) for key, name in CHART_NAMES.items()}
        )
        for key in ("config", "structuredConfig", "runtimeConfig"):
            yield from _part(cursor.child(key))
    elif isinstance(value, dict) and _is_overrides(value):
        for tenant in value["overrides"]:
            limits = cursor.child("overrides", tenant)
            yield Configuration(limits, complete=False, sections={"limits_config": ()})
    else:
        for child in cursor.children():
            yield from _below(child)


def _part(cursor: Cursor) -> Iterator[Configuration]:
    """A part of a configuration, where something else says that it is one."""
    value = cursor.value
    if isinstance(value, dict) and not _is_overrides(value):
        yield Configuration(cursor, complete=False)
    else:
        yield from _below(cursor)


def _decoded(encoded: Any) -> str:
    """The text of a value of a Secret; "" if it is not one, or cannot hold a configuration."""
    try:
        text = base64.b64decode(str(encoded)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text if _WORDS.search(text) else ""


def _embedded(cursor: Cursor, text: str | None = None) -> Iterator[Configuration]:
    """The configurations in a string, such as the value of a ConfigMap; ``text`` is what it decodes to."""
    if text == "":
        return
    try:
        documents = load_embedded_documents(cursor, text)
    except LokictlError:
        return
    for document in documents:
        if not isinstance(document.value, str):
            yield from _below(Cursor(document))


def is_configuration(data: Any) -> bool:
    """Whether a mapping is the configuration of a Loki, or most of one."""
    if not isinstance(data, dict) or any(name in data for name in OF_A_COLLECTOR):
        return False
    found = [name for name in SECTIONS if name in data]
    own = [name for name in OWN_SECTIONS if isinstance(data.get(name), dict)]
    return "schema_config" in own or (bool(own) and len(found) >= 2)


def _is_chart(data: dict[str, Any]) -> bool:
    """Whether a mapping is the key ``loki`` of the values of the Loki chart."""
    return any(isinstance(data.get(name), dict) for name in (*CHART_NAMES, "structuredConfig")) or (
        isinstance(data.get("config"), str) and "schema_config:" in data["config"]
    )


def _is_overrides(data: dict[str, Any]) -> bool:
    """Whether a mapping is a file of limits by tenant."""
    tenants = data.get("overrides")
    return isinstance(tenants, dict) and all(isinstance(limits, dict) for limits in tenants.values())


# --- what changes ----------------------------------------------------------------------------------------------------

Found = tuple[Kind, str, str, Keys]
"""What happens, the message, what to do, and where."""


def changes_in_configuration(
    found: Iterable[Configuration], old: LokiVersion, new: LokiVersion
) -> list[Change]:
    """What changes in configurations; each message is one change, with all its places."""
    changes: dict[str, Change] = {}
    for configuration in found:
        for kind, message, hint, keys in _in_one(configuration, old, new):
            change = changes.setdefault(message, Change(kind, message, hint=hint))
            change.places.append(configuration.place(keys))
        for place in _defaults(configuration, old, new):
            message = "the configuration does not set these keys, and their defaults change"
            changes.setdefault(message, Change(Kind.DEFAULT, message)).places.append(place)
    return list(changes.values())


def _defaults(configuration: Configuration, old: LokiVersion, new: LokiVersion) -> Iterator[Place]:
    """Where keys would be that are not set, with what changes."""
    for default in DEFAULTS if configuration.complete else ():
        if old < default.since <= new and not configuration.has(default.path):
            place = configuration.place(configuration.keys(default.path))
            item = f"{default.path}: {default.before} → {default.now} ({default.effect})"
            yield Place(place.position, place.source_line, item)


def _in_one(configuration: Configuration, old: LokiVersion, new: LokiVersion) -> Iterator[Found]:
    yield from _removed(configuration, old, new)
    yield from _stores(configuration, old, new)
    if old < _3_0 <= new:
        yield from _needed_by_three(configuration, f"Loki {name_of(new, old)}")


def _removed(configuration: Configuration, old: LokiVersion, new: LokiVersion) -> Iterator[Found]:
    for key in REMOVED:
        if not key.gone <= new:
            continue
        for keys in configuration.find(key.path):
            name = ".".join(part for part in map(str, keys) if not part.isdigit())
            if key.path.startswith("limits_config.") and new >= UNKNOWN_LIMITS_IGNORED:
                if old >= key.gone:
                    continue
                message = f"Loki {name_of(new, old)} ignores {name}, and says nothing"
            elif old < key.gone:
                message = f"Loki {name_of(new, old)} does not start with {name}"
            else:
                message = f"neither Loki {name_of(old, new)} nor {name_of(new, old)} starts with {name}"
                if old == new:
                    message = f"Loki {name_of(new, old)} does not start with {name}"
                yield Kind.BROKEN, message, key.instead, keys
                continue
            yield Kind.REMOVED, message, key.instead, keys


def _stores(configuration: Configuration, old: LokiVersion, new: LokiVersion) -> Iterator[Found]:
    for index, period in enumerate(_periods(configuration)):
        store = period.get("store")
        if store not in LEGACY_STORES:
            continue
        keys = (*configuration.keys("schema_config.configs"), index, "store")
        if old < STORES_REMOVED <= new:
            message = f"Loki {name_of(new, old)} does not start: it does not have the index store {store} of a period"
            hint = "begin a period with tsdb and v13, and upgrade once the data of the older periods is gone"
            yield Kind.REFUSED, message, hint, keys
        else:
            message = (
                f"the index store {store} is deprecated: Loki {STORES_REMOVED.minor_text} does not have it"
            )
            yield Kind.DEPRECATED, message, "begin a period with store tsdb and schema v13", keys


def _needed_by_three(configuration: Configuration, loki: str) -> Iterator[Found]:
    """What Loki 3 does not start without, or adds."""
    if configuration.get("compactor.retention_enabled") and not configuration.get(
        "compactor.delete_request_store"
    ):
        message = f"{loki} does not start with compactor.retention_enabled and without delete_request_store"
        hint = (
            "set compactor.delete_request_store to the store that keeps the requests (s3, gcs, filesystem, …)"
        )
        yield Kind.REFUSED, message, hint, configuration.keys("compactor.retention_enabled")
    index, period = _active(_periods(configuration))
    structured = configuration.get("limits_config.allow_structured_metadata")
    if period and structured is not False and (period.get("schema"), period.get("store")) != ("v13", "tsdb"):
        where = (*configuration.keys("schema_config.configs"), index, "schema")
        message = (
            f"{loki} does not start: structured metadata is on by default, and needs store tsdb and schema v13 in "
            "the period that is active now"
        )
        hint = "begin a period with tsdb and v13, or set limits_config.allow_structured_metadata: false"
        yield Kind.REFUSED, message, hint, where
    if configuration.complete and not configuration.has("limits_config.discover_service_name"):
        message = f"{loki} adds the label service_name to every stream: answers and alerts have it"
        hint = "limits_config.discover_service_name: [] turns it off"
        yield Kind.ANSWER, message, hint, configuration.keys("limits_config.discover_service_name")
    if configuration.complete and not configuration.has("limits_config.discover_log_levels"):
        message = (
            f"{loki} adds detected_level to the structured metadata of every line: series are split by it"
        )
        hint = "limits_config.discover_log_levels: false turns it off, `sum by` leaves it out"
        yield Kind.ANSWER, message, hint, configuration.keys("limits_config.discover_log_levels")


def _periods(configuration: Configuration) -> list[dict[str, Any]]:
    periods = configuration.get("schema_config.configs")
    return [period for period in periods if isinstance(period, dict)] if isinstance(periods, list) else []


def _active(periods: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """The period of today, with its index; the first one where all begin later."""
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    begun = [index for index, period in enumerate(periods) if str(period.get("from", "")) <= today]
    index = begun[-1] if begun else 0
    return index, periods[index] if periods else {}


__all__ = [
    "Configuration",
    "changes_in_configuration",
    "configurations",
    "configurations_in",
    "is_configuration",
]
