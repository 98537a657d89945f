"""memcached: whether the caches help, and whether they are large enough."""

from __future__ import annotations

from dashboards.common import chosen, falling, rising
from dashboards.platform_parts import graph, number, platform_dashboard
from lokictl.grafana import Row
from stack.figures import CACHE_HIT_RATE, LIMITS, MEMCACHED_MEGABYTES, MEMCACHED_REPLICAS

POD = chosen("pod")
RATE = "[$__rate_interval]"
HITS = f'memcached_commands_total{{command="get", status="hit", {POD}}}'
GETS = f'memcached_commands_total{{command="get", {POD}}}'
USED = f"memcached_current_bytes{{{POD}}} / memcached_limit_bytes{{{POD}}}"
HIT_RATE = falling(CACHE_HIT_RATE, 0.7)

DASHBOARD = platform_dashboard(
    "memcached",
    "memcached",
    "Chunk and results cache: hits, memory, evictions, connections.",
    metric="memcached_up",
    content=[
        Row(
            "At a glance",
            [
                number(
                    "Servers",
                    f"Servers that answer; {MEMCACHED_REPLICAS} are planned.",
                    f"sum(memcached_up{{{POD}}})",
                    "none",
                    falling(MEMCACHED_REPLICAS - 1, MEMCACHED_REPLICAS),
                ),
                number(
                    "Hit rate",
                    f"The share of reads that found something; at least {CACHE_HIT_RATE:.0%}.",
                    f"sum(rate({HITS}{RATE})) / sum(rate({GETS}{RATE}))",
                    "percentunit",
                    HIT_RATE,
                ),
                number("Reads", "Reads a second.", f"sum(rate({GETS}{RATE}))", "reqps"),
                number(
                    "Memory",
                    f"How full the caches are; each has {MEMCACHED_MEGABYTES} MB. Full is normal.",
                    f"avg({USED})",
                    "percentunit",
                ),
                number(
                    "Evictions",
                    f"Items thrown out before their {LIMITS.cache_ttl} was over: many mean too little memory.",
                    f"sum(rate(memcached_items_evicted_total{{{POD}}}{RATE}))",
                    "ops",
                    rising(10, 100),
                ),
                number("Items", "Items in the caches.", f"sum(memcached_current_items{{{POD}}})", "short"),
            ],
        ),
        Row(
            "Caches",
            [
                graph(
                    "Hit rate by server",
                    "A server that differs from the others was restarted, or gets other keys.",
                    [
                        (
                            f"sum by (pod) (rate({HITS}{RATE})) / sum by (pod) (rate({GETS}{RATE}))",
                            "{{pod}}",
                        )
                    ],
                    "percentunit",
                    HIT_RATE,
                    limit=True,
                ),
                graph(
                    "Commands",
                    "Reads and writes, and how they ended.",
                    [
                        (
                            f"sum by (command, status) (rate(memcached_commands_total{{{POD}}}{RATE})) > 0",
                            "{{command}} {{status}}",
                        )
                    ],
                    "reqps",
                    stack="normal",
                ),
                graph(
                    "Memory by server",
                    "Bytes in use against the limit.",
                    [(USED, "{{pod}}")],
                    "percentunit",
                ),
                graph(
                    "Evictions by server",
                    "Items thrown out before their time.",
                    [(f"sum by (pod) (rate(memcached_items_evicted_total{{{POD}}}{RATE}))", "{{pod}}")],
                    "ops",
                    rising(10, 100),
                ),
                graph(
                    "Connections",
                    "Open connections; a server takes 4,096.",
                    [(f"sum by (pod) (memcached_current_connections{{{POD}}})", "{{pod}}")],
                    "short",
                    rising(3_000, 4_096),
                ),
                graph(
                    "Bytes read and written",
                    "Traffic of the caches.",
                    [
                        (f"sum(rate(memcached_written_bytes_total{{{POD}}}{RATE}))", "to Loki"),
                        (f"sum(rate(memcached_read_bytes_total{{{POD}}}{RATE}))", "from Loki"),
                    ],
                    "Bps",
                ),
            ],
        ),
    ],
)
