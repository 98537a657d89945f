"""Metrics of parts of the platform that do not run in the tests: the collector's own, memcached, the kubelet."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lokictl.sample.metrics import SECOND, TARGET, Labels

MEMCACHED = 3
VOLUMES = 3


def series(name: str, labels: Mapping[str, str]) -> Labels:
    return tuple(sorted({"__name__": name, **labels}.items()))


def platform_metrics(time: int, start: int) -> dict[Labels, float]:
    """Their values at ``time``; what counts begins with 0 at ``start`` (ns)."""
    seconds = (time - start) / SECOND
    wave = 1 + 0.2 * math.sin(time / SECOND / 300)
    values = {
        series("loki_source_file_read_lines_total", {**TARGET, "path": "/var/log/pods/a"}): seconds * 5,
        series("loki_source_file_read_bytes_total", {**TARGET, "path": "/var/log/pods/a"}): seconds * 1500,
        series("loki_source_file_file_bytes_total", {**TARGET, "path": "/var/log/pods/a"}): seconds * 1500
        + 2000 * wave,
        series("loki_write_sent_entries_total", {**TARGET, "host": "loki"}): seconds * 5,
        series("process_resident_memory_bytes", TARGET): (110 << 20) * wave,
    }
    for number in range(MEMCACHED):
        labels = {"job": "memcached", "pod": f"memcached-{number}", "instance": f"10.42.2.{number}:9150"}
        for name, extra, value in (
            ("memcached_up", {}, 1.0),
            ("memcached_commands_total", {"command": "get", "status": "hit"}, seconds * (6 + number)),
            ("memcached_commands_total", {"command": "get", "status": "miss"}, seconds * 1.4),
            ("memcached_commands_total", {"command": "set", "status": "hit"}, seconds * 1.5),
            ("memcached_current_bytes", {}, min(4.9e8, seconds * 3e4)),
            ("memcached_limit_bytes", {}, float(512 << 20)),
            ("memcached_items_evicted_total", {}, max(0.0, seconds - 9000) * 0.3),
            ("memcached_current_items", {}, seconds * 1.1),
            ("memcached_current_connections", {}, 34.0 + number),
            ("memcached_written_bytes_total", {}, seconds * 91_000),
            ("memcached_read_bytes_total", {}, seconds * 30_000),
        ):
            values[series(name, {**labels, **extra})] = value
    for number in range(VOLUMES):
        claim = {
            "job": "kubelet",
            "persistentvolumeclaim": f"storage-loki-{number}",
            "namespace": "monitoring",
        }
        values[series("kubelet_volume_stats_used_bytes", claim)] = 3e9 + seconds * 20_000 + number * 1e8
        values[series("kubelet_volume_stats_capacity_bytes", claim)] = 100.0 * 2**30
    return values
