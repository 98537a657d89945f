"""Loki's own configuration: what a version refuses, what has another default, and where it is found."""

from __future__ import annotations

import base64
import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.logql.versions import FIRST, LokiVersion
from lokictl.upgrade.changes import Change, Kind
from lokictl.upgrade.configuration import changes_in_configuration, configurations
from lokictl.upgrade.configuration_keys import DEFAULTS, REMOVED, UNKNOWN_LIMITS_IGNORED, RemovedKey
from tests.upgrade.real import around, programs


def changes(tmp_path: Path, text: str, old: str = "2.9", new: str = "3.7") -> list[Change]:
    """What an upgrade says about a file."""
    file = tmp_path / "values.yaml"
    file.write_text(text)
    return changes_in_configuration(configurations([file]), LokiVersion.parse(old), LokiVersion.parse(new))


SCHEMA = """schema_config:
  configs: [{from: 2020-01-01, store: %s, object_store: filesystem, schema: %s, index: {prefix: i_, period: 24h}}]
limits_config:
  discover_service_name: []
  discover_log_levels: false
%s
"""


@pytest.mark.parametrize(
    "store, schema, more, says",
    [
        ("tsdb", "v13", "", ""),
        ("tsdb", "v12", "", "structured metadata is on by default"),
        ("tsdb", "v12", "  allow_structured_metadata: false", ""),
        ("tsdb", "v13", "compactor:\n  shared_store: s3", "does not start with compactor.shared_store"),
        ("tsdb", "v13", "compactor:\n  retention_enabled: true", "delete_request_store"),
        (
            "tsdb",
            "v13",
            "compactor:\n  retention_enabled: true\n  delete_request_store: s3",
            "",
        ),
        (
            "tsdb",
            "v13",
            "  enforce_metric_name: false",
            "does not start with limits_config.enforce_metric_name",
        ),
        ("tsdb", "v13", "querier:\n  query_timeout: 1m", "does not start with querier.query_timeout"),
        (
            "tsdb",
            "v13",
            "query_range:\n  split_queries_by_interval: 1h",
            "neither Loki 2.9 nor 3.7 starts with query_range.split_queries_by_interval",
        ),
        (
            "tsdb",
            "v13",
            "chunk_store_config:\n  chunk_cache_config:\n    enable_fifocache: true",
            "does not start with chunk_store_config.chunk_cache_config.enable_fifocache",
        ),
        ("boltdb-shipper", "v13", "", "boltdb-shipper is deprecated"),
    ],
)
def test_what_the_new_loki_refuses(tmp_path: Path, store: str, schema: str, more: str, says: str) -> None:
    found = changes(tmp_path, SCHEMA % (store, schema, more))
    messages = " ".join(change.message for change in found if change.kind != Kind.DEFAULT)
    assert says in messages if says else not messages


@pytest.mark.parametrize(
    "new, kind, says",
    [
        ("3.8", Kind.DEPRECATED, "boltdb-shipper is deprecated: Loki main does not have it"),
        ("main", Kind.REFUSED, "does not start: it does not have the index store boltdb-shipper of a period"),
    ],
)
def test_a_store_of_an_old_period(tmp_path: Path, new: str, kind: Kind, says: str) -> None:
    text = (
        "schema_config:\n  configs:\n"
        "  - {from: 2020-01-01, store: boltdb-shipper, schema: v12}\n"
        "  - {from: 2024-01-01, store: tsdb, schema: v13}\n"
    )
    (change,) = [c for c in changes(tmp_path, text, "3.7", new) if c.kind in (kind, Kind.DEFAULT)]
    assert says in change.message
    assert (change.places[0].position.line, change.places[0].position.column) == (3, 24)


@pytest.mark.parametrize(
    "limit, says", [("discover_service_name", "service_name"), ("discover_log_levels", "detected_level")]
)
def test_labels_that_loki_3_adds(tmp_path: Path, limit: str, says: str) -> None:
    text = SCHEMA % ("tsdb", "v13", "")
    without = "\n".join(line for line in text.split("\n") if limit not in line)
    (change,) = [change for change in changes(tmp_path, without) if change.kind == Kind.ANSWER]
    assert says in change.message
    assert not [change for change in changes(tmp_path, without, "3.0") if change.kind == Kind.ANSWER]


def test_main_ignores_limits_that_it_does_not_know(tmp_path: Path) -> None:
    (change,) = [change for change in changes(tmp_path, PLAIN, "2.9", "main") if change.kind == Kind.REMOVED]
    assert change.message == "Loki main ignores limits_config.enforce_metric_name, and says nothing"
    assert not changes(tmp_path, PLAIN, "3.8", "main")


def test_the_period_that_is_active_decides(tmp_path: Path) -> None:
    text = (
        "schema_config:\n  configs:\n"
        "  - {from: 2020-01-01, store: tsdb, schema: v12}\n"
        "  - {from: %s, store: tsdb, schema: v13}\n"
        "limits_config: {discover_service_name: [], discover_log_levels: false}\n"
    )
    assert not [c for c in changes(tmp_path, text % "2024-01-01") if c.kind == Kind.REFUSED]
    assert [c for c in changes(tmp_path, text % "2999-01-01") if c.kind == Kind.REFUSED]


PLAIN = """\
auth_enabled: false
limits_config:
  enforce_metric_name: false
"""
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: loki}
data:
  loki.yaml: |
    auth_enabled: false
    limits_config:
      enforce_metric_name: false
"""
VALUES = """\
loki:
  schemaConfig:
    configs: [{from: 2024-01-01, store: tsdb, schema: v13}]
  limits_config:
    enforce_metric_name: false
"""
STRUCTURED = """\
loki:
  structuredConfig:
    limits_config:
      enforce_metric_name: false
"""
CONFIG_STRING = """\
loki:
  config: |
    schema_config: {configs: []}
    limits_config:
      enforce_metric_name: false
"""
OF_A_SUBCHART = """\
platform:
  loki:
    commonConfig: {replication_factor: 1}
    limits_config:
      enforce_metric_name: false
"""
OVERRIDES = """\
overrides:
  shop:
    enforce_metric_name: false
"""
SECRET = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: loki}}
data:
  other: AAAA
  config.yaml: {base64.b64encode(PLAIN.encode()).decode()}
"""
TWO_DOCUMENTS = "kind: Namespace\n---\n" + PLAIN


@pytest.mark.parametrize(
    "text, place",
    [
        (PLAIN, (3, 3)),
        (CONFIG_MAP, (8, 7)),
        (VALUES, (5, 5)),
        (STRUCTURED, (4, 7)),
        (CONFIG_STRING, (5, 7)),
        (OF_A_SUBCHART, (5, 7)),
        (OVERRIDES, (3, 5)),
        (SECRET, (6, 3)),
        (TWO_DOCUMENTS, (5, 3)),
    ],
    ids=[
        "plain",
        "ConfigMap",
        "values",
        "structuredConfig",
        "config",
        "subchart",
        "overrides",
        "Secret",
        "documents",
    ],
)
def test_a_removed_limit_is_found_wherever_it_is(tmp_path: Path, text: str, place: tuple[int, int]) -> None:
    (change,) = [change for change in changes(tmp_path, text) if change.kind == Kind.REMOVED]
    position = change.places[0].position
    assert (position.line, position.column) == place


@pytest.mark.parametrize(
    "text",
    [
        "positions: {filename: p}\nlimits_config: {enforce_metric_name: false}\nserver: {}\n",
        "limits_config: [1]\n",
        "loki: {limits: 3}\n",
        "overrides: {shop: 3}\n",
        "a: &a {limits_config: }\n",
        "limits_config: {{ .Values.limits }}\n",
    ],
)
def test_what_is_not_the_configuration_of_a_loki(tmp_path: Path, text: str) -> None:
    assert not changes(tmp_path, text)


def test_defaults_count_where_the_configuration_is_complete_and_does_not_set_them(tmp_path: Path) -> None:
    kept = SCHEMA % ("tsdb", "v13", "  query_timeout: 5m")
    (change,) = [change for change in changes(tmp_path, kept) if change.kind == Kind.DEFAULT]
    found = {place.item.split(":")[0] for place in change.places}
    assert "limits_config.max_line_size" in found
    assert "limits_config.query_timeout" not in found
    chart = VALUES + "    compactor: {retention_enabled: false}\n  auth_enabled: false\n"
    assert not [change for change in changes(tmp_path, chart) if change.kind == Kind.DEFAULT]
    assert not changes(tmp_path, kept, "3.7", "3.8")


# --- real Lokis ------------------------------------------------------------------------------------------------------

BELOW = {
    "*.enable_fifocache": "chunk_store_config.chunk_cache_config",
    "*.fifocache": "query_range.results_cache.cache",
    "*.async_cache_write_back_concurrency": "chunk_store_config.chunk_cache_config",
    "*.async_cache_write_back_buffer_size": "chunk_store_config.chunk_cache_config",
    "*.sse_encryption": "storage_config.aws",
}
"""A section for each key that can be below any."""


def takes(version: LokiVersion, folder: Path, key: RemovedKey) -> bool:
    """Whether a real Loki takes a configuration that has a key."""
    configuration: dict[str, Any] = {
        "common": {
            "path_prefix": str(folder),
            "replication_factor": 1,
            "ring": {"instance_addr": "127.0.0.1", "kvstore": {"store": "inmemory"}},
            "storage": {"filesystem": {"chunks_directory": str(folder), "rules_directory": str(folder)}},
        },
        **yaml.safe_load(SCHEMA.partition("limits_config")[0] % ("tsdb", "v13")),
    }
    path = key.path.replace("*", BELOW.get(key.path, ""))
    *sections, name = path.split(".")
    place = configuration
    for section in sections:
        place = place.setdefault(section, {})
    place[name] = yaml.safe_load(key.value)
    file = folder / "loki.yaml"
    file.write_text(yaml.safe_dump(copy.deepcopy(configuration)))
    asked = [programs()[version], f"-config.file={file}", "-verify-config"]
    return subprocess.run(asked, capture_output=True, timeout=60, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.real_loki
@pytest.mark.parametrize("key", REMOVED, ids=lambda key: key.path)
def test_real_lokis_agree_about_a_removed_key(tmp_path: Path, key: RemovedKey) -> None:
    if key.gone <= FIRST:
        assert not any(takes(version, tmp_path, key) for version in programs())
        return
    last, first = around(key.gone)
    assert takes(last, tmp_path, key)
    ignored = key.path.startswith("limits_config.") and first >= UNKNOWN_LIMITS_IGNORED
    assert takes(first, tmp_path, key) is ignored


def printed(version: LokiVersion, folder: Path) -> Any:
    """The whole configuration of a real Loki that is told nothing but where its data is."""
    file = folder / "loki.yaml"
    file.write_text(
        f"common: {{path_prefix: {folder}, ring: {{instance_addr: 127.0.0.1, kvstore: {{store: inmemory}}}}}}\n"
        + SCHEMA.partition("limits_config")[0] % ("tsdb", "v13")
    )
    asked = [programs()[version], f"-config.file={file}", "-verify-config", "-print-config-stderr"]
    text = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False).stderr
    lines = [line for line in text.split("---\n", 1)[1].split("\n") if not line.startswith(("level=", "ts="))]
    return yaml.safe_load("\n".join(lines))


@pytest.mark.slow
@pytest.mark.real_loki
@pytest.mark.parametrize("since", sorted({default.since for default in DEFAULTS}), ids=lambda v: v.minor_text)
def test_real_lokis_agree_about_defaults(tmp_path: Path, since: LokiVersion) -> None:
    last, first = around(since)
    old, new = printed(last, tmp_path), printed(first, tmp_path)
    assert DEFAULTS
    for default in DEFAULTS:
        if default.since == since:
            found = []
            for values in (old, new):
                for part in default.path.split("."):
                    values = values[part]
                shown = str(values).lower() if isinstance(values, bool) else str(values)
                found.append("unlimited" if shown == "0B" else shown.replace("m0s", "m").replace("h0m", "h"))
            assert found == [default.before, default.now], default.path
