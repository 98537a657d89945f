"""Keys of Loki's configuration whose meaning depends on the version: removed ones, and defaults that changed.

Each entry was tried on real Lokis: the newest one before takes a removed key, the first one without it does not start
(``loki -verify-config``); defaults are those that ``loki -print-config-stderr`` shows.
"""

from __future__ import annotations

from lokictl.logql.versions import MAIN, LokiVersion
from lokictl.records import dataclass


@dataclass(frozen=True, slots=True)
class RemovedKey:
    """A key (``a.b.c``; ``*.c`` below any other) that Loki no longer knows, and what to do.

    Loki does not start with it; from `UNKNOWN_LIMITS_IGNORED` on it ignores unknown limits.
    ``value`` is one that the versions before take, as YAML.
    """

    path: str
    gone: LokiVersion
    instead: str = "remove it"
    value: str = "{}"


@dataclass(frozen=True, slots=True)
class ChangedDefault:
    """A key whose default changed, and what that does where the configuration does not set it."""

    path: str
    since: LokiVersion
    before: str
    now: str
    effect: str = ""


UNKNOWN_LIMITS_IGNORED = MAIN
"""Main starts with any key in ``limits_config``; 3.7.6 does not."""

_2_9 = LokiVersion(2, 9)
_3_0 = LokiVersion(3, 0)
_3_1 = LokiVersion(3, 1)
_3_2 = LokiVersion(3, 2)
_3_3 = LokiVersion(3, 3)
_3_4 = LokiVersion(3, 4)
_3_5 = LokiVersion(3, 5)
_3_6 = LokiVersion(3, 6)
_3_7 = LokiVersion(3, 7)

_SCHEMA_DECIDES = "remove it: object_store of the schema decides"
_BACKGROUND = "use background.writeback_goroutines and background.writeback_buffer"
_ONLY_TSDB = "remove it: tsdb is the only index store"
_NO_BLOOM = "remove it: Loki builds blooms in another way since"

REMOVED = (
    RemovedKey(
        "query_range.split_queries_by_interval", _2_9, "use limits_config.split_queries_by_interval", "1h"
    ),
    RemovedKey("ingester.max_transfer_retries", _3_0, "remove it: the write-ahead log does this", "0"),
    RemovedKey("limits_config.enforce_metric_name", _3_0, value="false"),
    RemovedKey(
        "limits_config.ruler_evaluation_delay_duration",
        _3_0,
        "remove it, and write `offset` in the rules",
        "1m",
    ),
    RemovedKey("chunk_store_config.max_look_back_period", _3_0, "use limits_config.max_query_lookback", "1h"),
    RemovedKey("storage_config.boltdb_shipper.shared_store", _3_0, _SCHEMA_DECIDES, "s3"),
    RemovedKey(
        "storage_config.boltdb_shipper.shared_store_key_prefix",
        _3_0,
        "use path_prefix of the schema's index",
        "index/",
    ),
    RemovedKey("storage_config.boltdb_shipper.use_boltdb_shipper_as_backup", _3_0, value="true"),
    RemovedKey("storage_config.tsdb_shipper.shared_store", _3_0, _SCHEMA_DECIDES, "s3"),
    RemovedKey(
        "storage_config.tsdb_shipper.shared_store_key_prefix",
        _3_0,
        "use path_prefix of the schema's index",
        "index/",
    ),
    RemovedKey("storage_config.tsdb_shipper.use_boltdb_shipper_as_backup", _3_0, value="true"),
    RemovedKey("storage_config.tsdb_shipper.enable_postings_cache", _3_0, value="true"),
    RemovedKey("compactor.shared_store", _3_0, "use delete_request_store", "s3"),
    RemovedKey("compactor.shared_store_key_prefix", _3_0, "use delete_request_store_key_prefix", "index/"),
    RemovedKey("compactor.deletion_mode", _3_0, "use limits_config.deletion_mode", "filter-and-delete"),
    RemovedKey("querier.engine.timeout", _3_0, "use limits_config.query_timeout", "1m"),
    RemovedKey("querier.query_timeout", _3_0, "use limits_config.query_timeout", "1m"),
    RemovedKey("frontend_worker.parallelism", _3_0, "use querier.max_concurrent", "2"),
    RemovedKey("frontend_worker.match_max_concurrent", _3_0, "remove it: it is always on", "true"),
    RemovedKey("query_range.forward_headers_list", _3_0, value="[]"),
    RemovedKey("query_range.required_query_response_format", _3_0, "use frontend.encoding", "json"),
    RemovedKey("*.enable_fifocache", _3_0, "use embedded_cache.enabled", "true"),
    RemovedKey("*.fifocache", _3_0, "use embedded_cache"),
    RemovedKey("*.async_cache_write_back_concurrency", _3_0, _BACKGROUND, "16"),
    RemovedKey("*.async_cache_write_back_buffer_size", _3_0, _BACKGROUND, "500"),
    RemovedKey("*.sse_encryption", _3_0, "use sse.type: SSE-S3", "false"),
    RemovedKey("use_buffered_logger", _3_0, value="true"),
    RemovedKey("use_sync_logger", _3_0, value="true"),
    RemovedKey("bloom_compactor", _3_2, "use bloom_build"),
    RemovedKey("limits_config.bloom_compactor_shard_size", _3_2, _NO_BLOOM, "0"),
    RemovedKey("limits_config.bloom_compactor_enable_compaction", _3_2, _NO_BLOOM, "false"),
    RemovedKey(
        "limits_config.bloom_compactor_max_block_size",
        _3_2,
        "use limits_config.bloom_max_block_size",
        "200MB",
    ),
    RemovedKey(
        "limits_config.bloom_compactor_max_bloom_size",
        _3_2,
        "use limits_config.bloom_max_bloom_size",
        "128MB",
    ),
    RemovedKey("limits_config.bloom_gateway_shard_size", _3_4, _NO_BLOOM, "0"),
    RemovedKey("limits_config.bloom_gateway_cache_key_interval", _3_4, _NO_BLOOM, "15m"),
    RemovedKey("limits_config.bloom_ngram_length", _3_3, _NO_BLOOM, "4"),
    RemovedKey("limits_config.bloom_ngram_skip", _3_3, _NO_BLOOM, "1"),
    RemovedKey("limits_config.bloom_false_positive_rate", _3_3, _NO_BLOOM, "0.01"),
    RemovedKey("bloom_build.planner.max_queued_tasks_per_tenant", _3_3, _NO_BLOOM, "30000"),
    RemovedKey("bloom_gateway.client.results_cache", _3_4, _NO_BLOOM),
    RemovedKey("bloom_gateway.client.cache_results", _3_4, _NO_BLOOM, "false"),
    RemovedKey("querier_rf1", _3_4),
    RemovedKey("ingester_rf1", _3_3),
    RemovedKey("metastore", _3_4),
    RemovedKey("metastore_client", _3_4),
    RemovedKey("partition_ring", _3_3),
    RemovedKey("kafka_ingester", _3_3),
    RemovedKey("block_builder", _3_6),
    RemovedKey("block_scheduler", _3_6),
    RemovedKey("dataobj_explorer", _3_5),
    RemovedKey("pattern_ingester.metric_aggregation.downsample_period", _3_6, value="10s"),
    RemovedKey("tracing.profiling_enabled", _3_6, value="true"),
    RemovedKey("distributor.tenant_topic", _3_6),
    RemovedKey("dataobj.querier", _3_6),
    RemovedKey("querier.engine_v2", _3_7),
    RemovedKey("querier.dataobj_storage_lag", _3_7, value="1h"),
    RemovedKey("querier.dataobj_storage_start", _3_7, value='""'),
    RemovedKey("query_range.enable_v2_engine_router", _3_7, value="false"),
    RemovedKey("storage_config.boltdb_shipper", MAIN, _ONLY_TSDB),
    RemovedKey("storage_config.boltdb", MAIN, _ONLY_TSDB),
    RemovedKey("storage_config.bigtable", MAIN, _ONLY_TSDB),
    RemovedKey("storage_config.cassandra", MAIN, _ONLY_TSDB),
    RemovedKey("storage_config.grpc_store", MAIN, _ONLY_TSDB),
    RemovedKey("storage_config.aws.dynamodb", MAIN, _ONLY_TSDB),
    RemovedKey("storage_config.index_queries_cache_config", MAIN, "remove it: tsdb does not use it"),
    RemovedKey("storage_config.index_cache_validity", MAIN, "remove it: tsdb does not use it", "5m"),
    RemovedKey("storage_config.disable_broad_index_queries", MAIN, value="false"),
    RemovedKey("chunk_store_config.write_dedupe_cache_config", MAIN, "remove it: tsdb does not use it"),
    RemovedKey("chunk_store_config.cache_lookups_older_than", MAIN, value="0s"),
    RemovedKey("pattern_ingester.tee_config.batch_size", MAIN, value="5000"),
    RemovedKey("limits_config.unordered_writes", MAIN, value="true"),
    RemovedKey("limits_config.allow_deletes", MAIN, "use limits_config.deletion_mode", "true"),
    RemovedKey("limits_config.enable_multi_variant_queries", MAIN, value="false"),
    RemovedKey("limits_config.per_tenant_override_config", MAIN, "use runtime_config.file", "overrides.yaml"),
    RemovedKey("limits_config.per_tenant_override_period", MAIN, "use runtime_config.period", "10s"),
    RemovedKey(
        "limits_config.ruler_remote_write_url",
        MAIN,
        "use limits_config.ruler_remote_write_config",
        "http://prometheus",
    ),
    RemovedKey("table_manager", MAIN, "use the compactor for retention"),
)
"""The keys that Loki no longer starts with, by version."""

DEFAULTS = (
    ChangedDefault(
        "limits_config.max_label_names_per_series",
        _3_0,
        "30",
        "15",
        "Loki refuses lines of streams with more labels",
    ),
    ChangedDefault("limits_config.max_line_size", _3_0, "unlimited", "256KB", "Loki refuses longer lines"),
    ChangedDefault("limits_config.query_timeout", _3_0, "5m", "1m", "queries that take longer fail"),
    ChangedDefault(
        "limits_config.max_querier_bytes_read",
        _3_0,
        "unlimited",
        "150GB",
        "queries that read more are refused",
    ),
    ChangedDefault(
        "limits_config.tsdb_max_query_parallelism",
        _3_0,
        "512",
        "128",
        "large queries run in fewer parts at a time",
    ),
    ChangedDefault(
        "limits_config.split_queries_by_interval", _3_0, "30m", "1h", "queries run in longer parts"
    ),
    ChangedDefault(
        "limits_config.max_cache_freshness_per_query",
        _3_0,
        "1m",
        "10m",
        "the results of the last ten minutes are not cached",
    ),
    ChangedDefault("limits_config.volume_enabled", _3_1, "false", "true", "Loki answers volume queries"),
    ChangedDefault(
        "limits_config.shard_streams.enabled",
        _3_0,
        "false",
        "true",
        "Loki splits streams above 1536KB/s, with the label __stream_shard__",
    ),
    ChangedDefault("querier.max_concurrent", _3_0, "10", "4", "a querier runs fewer queries at a time"),
    ChangedDefault(
        "ruler.enable_alertmanager_v2",
        _3_2,
        "false",
        "true",
        "the ruler sends alerts with version 2 of Alertmanager's API",
    ),
)
"""The defaults whose change can be noticed, by version."""

__all__ = ["DEFAULTS", "REMOVED", "UNKNOWN_LIMITS_IGNORED", "ChangedDefault", "RemovedKey"]
