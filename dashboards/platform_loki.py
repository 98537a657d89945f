"""Loki itself, against the limits of the architecture."""

from __future__ import annotations

from dashboards.common import chosen, falling, rising
from dashboards.platform_parts import graph, number, platform_dashboard, quantiles
from lokictl.grafana import LINES_PER_SECOND, Row
from stack.figures import (
    AVERAGE_LINE_BYTES,
    CACHE_HIT_RATE,
    COMPRESSION,
    HOT_P99_SECONDS,
    LIMITS,
    REPLICATION_FACTOR,
    WARM_P99_SECONDS,
)

POD = chosen("pod")
RATE = "[$__rate_interval]"
QUERY = f'route=~"loki_api_v1_query|loki_api_v1_query_range", {POD}'
LINES = f"sum(rate(loki_distributor_lines_received_total{{{POD}}}{RATE}))"
BYTES = f"sum(rate(loki_distributor_bytes_received_total{{{POD}}}{RATE}))"
REPLICAS = f"count(loki_build_info{{{POD}}})"
# Every stream is in as many ingesters as the replication factor, or as there are.
STREAMS = (
    f"ceil(sum by (tenant) (loki_ingester_memory_streams{{{POD}}}) / "
    f"scalar(clamp_max({REPLICAS}, {REPLICATION_FACTOR})))"
)


def by_group(expr: str) -> str:
    """A sum by rule group, named without the path of its file."""
    return f'label_replace({expr}, "group", "$1", "rule_group", ".*;(.*)")'


P99 = f"histogram_quantile(0.99, sum by (le) (rate(loki_request_duration_seconds_bucket{{{QUERY}}}{RATE})))"
HITS = f"sum(rate(loki_cache_hits{{{POD}}}{RATE})) / sum(rate(loki_cache_fetched_keys{{{POD}}}{RATE}))"

LINES_LIMIT = rising(0.8 * LIMITS.lines_per_second, LIMITS.lines_per_second)
BYTES_LIMIT = rising(
    0.8 * LIMITS.lines_per_second * AVERAGE_LINE_BYTES, LIMITS.lines_per_second * AVERAGE_LINE_BYTES
)
STREAMS_LIMIT = rising(0.8 * LIMITS.streams_per_tenant, LIMITS.streams_per_tenant)
LATENCY = rising(HOT_P99_SECONDS, WARM_P99_SECONDS)
HIT_RATE = falling(CACHE_HIT_RATE, 0.7)

DASHBOARD = platform_dashboard(
    "loki",
    "Loki",
    "Ingestion, queries, chunks and ruler against the limits of the architecture.",
    metric="loki_build_info",
    content=[
        Row(
            "At a glance",
            [
                number(
                    "Lines",
                    f"Lines that arrive; {LIMITS.lines_per_second:,}/s are allowed, {LIMITS.burst_lines:,} at once.",
                    LINES,
                    LINES_PER_SECOND,
                    LINES_LIMIT,
                ),
                number(
                    "Bytes",
                    f"Bytes that arrive; {LIMITS.ingestion_megabytes} MB a second are allowed.",
                    BYTES,
                    "Bps",
                    BYTES_LIMIT,
                ),
                number(
                    "Streams",
                    f"The tenant with most streams; {LIMITS.streams_per_tenant:,} are allowed.",
                    f"max({STREAMS})",
                    "short",
                    STREAMS_LIMIT,
                ),
                number(
                    "Query p99",
                    f"Target: {HOT_P99_SECONDS * 1000:g} ms for hot data, {WARM_P99_SECONDS:g} s for warm.",
                    P99,
                    "s",
                    LATENCY,
                ),
                number("Cache hits", f"At least {CACHE_HIT_RATE:.0%}.", HITS, "percentunit", HIT_RATE),
                number(
                    "Discarded",
                    "Lines that Loki refused: over a limit, too old, too long.",
                    f"sum(rate(loki_discarded_samples_total{{{POD}}}{RATE})) or {REPLICAS} * 0",
                    LINES_PER_SECOND,
                    rising(0.01, 1),
                ),
            ],
        ),
        Row(
            "Ingestion",
            [
                graph(
                    "Lines received",
                    f"Against {LIMITS.lines_per_second:,} lines a second (burst: {LIMITS.burst_lines:,}).",
                    [
                        (
                            f"sum by (tenant) (rate(loki_distributor_lines_received_total{{{POD}}}{RATE}))",
                            "{{tenant}}",
                        )
                    ],
                    LINES_PER_SECOND,
                    rising(LIMITS.lines_per_second, LIMITS.burst_lines),
                    limit=True,
                ),
                graph(
                    "Bytes received",
                    f"Against {LIMITS.ingestion_megabytes} MB a second: what that many lines of "
                    f"{AVERAGE_LINE_BYTES} bytes come to.",
                    [
                        (
                            f"sum by (tenant) (rate(loki_distributor_bytes_received_total{{{POD}}}{RATE}))",
                            "{{tenant}}",
                        )
                    ],
                    "Bps",
                    BYTES_LIMIT,
                    limit=True,
                ),
                graph(
                    "Streams per tenant",
                    f"Active streams in the ingesters, each counted once; {LIMITS.streams_per_tenant:,} are allowed.",
                    [(STREAMS, "{{tenant}}")],
                    "short",
                    STREAMS_LIMIT,
                    limit=True,
                ),
                graph(
                    "Discarded lines by reason",
                    "What Loki refused, and why: rate_limited, per_stream_rate_limit, stream_limit, line_too_long …",
                    [
                        (
                            f"sum by (tenant, reason) (rate(loki_discarded_samples_total{{{POD}}}{RATE}))",
                            "{{tenant}}: {{reason}}",
                        ),
                        (f"sum(rate(loki_discarded_samples_total{{{POD}}}{RATE})) or {REPLICAS} * 0", "all"),
                    ],
                    LINES_PER_SECOND,
                    rising(0.01, 1),
                    soft_max=1,
                ),
                graph(
                    "Push latency",
                    "How long the distributor takes to accept a batch.",
                    quantiles("loki_request_duration_seconds", f'route="loki_api_v1_push", {POD}'),
                    "s",
                    rising(0.5, 1),
                ),
                graph(
                    "Answers by status",
                    "HTTP status of all requests; 429 is a limit, 5xx an error. gRPC between replicas does not count.",
                    [
                        (
                            "sum by (status_code) (rate(loki_request_duration_seconds_count"
                            f'{{status_code=~"[0-9]+", {POD}}}{RATE}))',
                            "{{status_code}}",
                        )
                    ],
                    "reqps",
                    stack="normal",
                ),
            ],
        ),
        Row(
            "Queries",
            [
                graph(
                    "Query latency",
                    f"Target: {HOT_P99_SECONDS * 1000:g} ms for hot data, {WARM_P99_SECONDS:g} s for warm.",
                    quantiles("loki_request_duration_seconds", QUERY),
                    "s",
                    LATENCY,
                    limit=True,
                ),
                graph(
                    "Queries",
                    f"Queries a second; {LIMITS.queries_per_second} are planned for.",
                    [
                        (
                            f"sum by (route) (rate(loki_request_duration_seconds_count{{{QUERY}}}{RATE}))",
                            "{{route}}",
                        )
                    ],
                    "reqps",
                    rising(0.8 * LIMITS.queries_per_second, LIMITS.queries_per_second),
                    stack="normal",
                ),
                graph(
                    "Cache hit rate",
                    f"By cache; below {CACHE_HIT_RATE:.0%} queries read from the store what memcached should hold.",
                    [
                        (
                            f"sum by (name) (rate(loki_cache_hits{{{POD}}}{RATE})) / "
                            f"sum by (name) (rate(loki_cache_fetched_keys{{{POD}}}{RATE}))",
                            "{{name}}",
                        )
                    ],
                    "percentunit",
                    HIT_RATE,
                    limit=True,
                ),
            ],
        ),
        Row(
            "Chunks",
            [
                graph(
                    "Chunks in memory",
                    "Chunks that the ingesters hold.",
                    [(f"sum by (pod) (loki_ingester_memory_chunks{{{POD}}})", "{{pod}}")],
                    "short",
                    stack="normal",
                ),
                graph(
                    "Flushes by reason",
                    f"full is best; idle means after {LIMITS.chunk_idle}, max_age after {LIMITS.chunk_age}.",
                    [
                        (
                            f"sum by (reason) (rate(loki_ingester_chunks_flushed_total{{{POD}}}{RATE}))",
                            "{{reason}}",
                        ),
                        (f"sum(rate(loki_ingester_chunks_flush_failures_total{{{POD}}}{RATE}))", "failures"),
                    ],
                    "ops",
                    stack="normal",
                ),
                graph(
                    "Compression",
                    f"Uncompressed bytes per stored byte; the storage plan counts on {COMPRESSION}.",
                    [
                        (
                            f"sum(rate(loki_ingester_chunk_compression_ratio_sum{{{POD}}}{RATE})) / "
                            f"sum(rate(loki_ingester_chunk_compression_ratio_count{{{POD}}}{RATE}))",
                            "compression",
                        )
                    ],
                    "short",
                    falling(COMPRESSION / 2, COMPRESSION),
                    limit=True,
                ),
            ],
        ),
        Row(
            "Ruler",
            [
                graph(
                    "Rule evaluations",
                    "Evaluations of rules.",
                    [(f"sum(rate(loki_prometheus_rule_evaluations_total{{{POD}}}{RATE}))", "evaluations")],
                    "ops",
                ),
                graph(
                    "Failures",
                    "Evaluations that failed and rounds that were missed: alerts that cannot fire.",
                    [
                        (
                            by_group(
                                "sum by (rule_group) "
                                f"(rate(loki_prometheus_rule_evaluation_failures_total{{{POD}}}{RATE}))"
                            ),
                            "{{group}}",
                        ),
                        (
                            by_group(
                                "sum by (rule_group) "
                                f"(rate(loki_prometheus_rule_group_iterations_missed_total{{{POD}}}{RATE})) > 0"
                            ),
                            "missed: {{group}}",
                        ),
                    ],
                    "ops",
                    rising(0.001, 0.01),
                ),
                graph(
                    "Longest evaluation of each group",
                    "A group that takes longer than its interval misses rounds.",
                    [
                        (
                            by_group(
                                "topk(10, max by (rule_group) "
                                f"(loki_prometheus_rule_group_last_duration_seconds{{{POD}}}))"
                            ),
                            "{{group}}",
                        )
                    ],
                    "s",
                    rising(10, 60),
                ),
            ],
        ),
    ],
)
