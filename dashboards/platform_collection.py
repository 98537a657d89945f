"""The collectors: lines read, sent and dropped, and how far behind they are (Alloy, or Promtail)."""

from __future__ import annotations

from dashboards.common import SERVICE_COLORS, chosen, loki, rising
from dashboards.platform_parts import graph, number, platform_dashboard
from dashboards.service_rows import NO_LINES
from lokictl.grafana import LINES_PER_SECOND, Row, TimeSeries
from services.common import NAMESPACE
from stack.figures import COLLECTOR_MEMORY_MEBIBYTES

POD = chosen("pod")
RATE = "[$__rate_interval]"
COLLECTORS = f'up{{job="collector", {POD}}}'
UP = f"sum({COLLECTORS})"


def either(alloy: str, promtail: str) -> str:
    """A matcher for the same metric of both collectors."""
    return f'{{__name__=~"{alloy}|{promtail}", {POD}}}'


READ = either("loki_source_file_read_lines_total", "promtail_read_lines_total")
SENT = either("loki_write_sent_entries_total", "promtail_sent_entries_total")
DROPPED = either("loki_write_dropped_entries_total", "promtail_dropped_entries_total")
RETRIES = either("loki_write_batch_retries_total", "promtail_batch_retries_total")
SIZE = either("loki_source_file_file_bytes_total", "promtail_file_bytes_total")
POSITION = either("loki_source_file_read_bytes_total", "promtail_read_bytes_total")
BEHIND = f"clamp_min(sum by (job, pod) ({SIZE}) - sum by (job, pod) ({POSITION}), 0)"

DASHBOARD = platform_dashboard(
    "collection",
    "Collection",
    "Lines read, sent and dropped by the collectors, and how far they are behind.",
    metric='up{job="collector"}',
    content=[
        Row(
            "At a glance",
            [
                number(
                    "Collectors",
                    "Collectors that Prometheus reaches, one for each node.",
                    UP,
                    "none",
                ),
                number("Lines read", "Lines read from files.", f"sum(rate({READ}{RATE}))", LINES_PER_SECOND),
                number(
                    "Lines sent", "Lines that Loki accepted.", f"sum(rate({SENT}{RATE}))", LINES_PER_SECOND
                ),
                number(
                    "Lines dropped",
                    "Lines that are lost: Loki refused them, or could not be reached for too long.",
                    f"sum(rate({DROPPED}{RATE})) or {UP} * 0",
                    LINES_PER_SECOND,
                    rising(0.001, 1),
                ),
                number(
                    "Retries",
                    "Batches that had to be sent again: Loki did not answer, or refused them for now.",
                    f"sum(rate({RETRIES}{RATE})) or {UP} * 0",
                    "ops",
                    rising(0.1, 1),
                ),
                number(
                    "Not yet read",
                    "Bytes of files that wait to be read.",
                    f"sum({BEHIND})",
                    "decbytes",
                    rising(10_000_000, 100_000_000),
                ),
            ],
        ),
        Row(
            "Lines",
            [
                graph(
                    "Lines read by collector",
                    "What each collector reads from the files of its node.",
                    [(f"sum by (pod) (rate({READ}{RATE}))", "{{pod}}")],
                    LINES_PER_SECOND,
                    stack="normal",
                ),
                graph(
                    "Lines by service",
                    "What the pipelines counted: log_lines_total.",
                    [(f"sum by (service) (rate(log_lines_total{RATE}))", "{{service}}")],
                    LINES_PER_SECOND,
                    stack="normal",
                    overrides=SERVICE_COLORS,
                ),
                TimeSeries(
                    title="Lines by service, in Loki",
                    description="What arrived. The panel beside it should show the same.",
                    targets=[
                        loki(
                            f'sum by (service) (rate({{namespace="{NAMESPACE}"}} [$__interval]))',
                            "{{service}}",
                        )
                    ],
                    width=8,
                    interval="1m",
                    unit=LINES_PER_SECOND,
                    min=0,
                    stack="normal",
                    fill=30,
                    thresholds=((0, "green"),),
                    no_data=NO_LINES,
                    overrides=SERVICE_COLORS,
                ),
                graph(
                    "Lines dropped by reason",
                    "Lost lines, and why.",
                    [
                        (f"sum by (reason) (rate({DROPPED}{RATE}))", "{{reason}}"),
                        (f"sum(rate({DROPPED}{RATE})) or {UP} * 0", "all"),
                    ],
                    LINES_PER_SECOND,
                    rising(0.001, 1),
                    width=6,
                    soft_max=1,
                ),
                graph(
                    "Retries",
                    "Batches that had to be sent again.",
                    [(f"sum by (pod) (rate({RETRIES}{RATE})) or sum by (pod) ({COLLECTORS}) * 0", "{{pod}}")],
                    "ops",
                    rising(0.1, 1),
                    width=6,
                    soft_max=1,
                ),
                graph(
                    "Bytes not yet read",
                    "Size of the files less what was read, by collector.",
                    [(f"sum by (pod) ({BEHIND})", "{{pod}}")],
                    "decbytes",
                    rising(10_000_000, 100_000_000),
                    width=6,
                ),
                graph(
                    "Memory of the collectors",
                    f"Resident memory; the limit is {COLLECTOR_MEMORY_MEBIBYTES} MiB.",
                    [(f'process_resident_memory_bytes{{job="collector", {POD}}}', "{{pod}}")],
                    "bytes",
                    width=6,
                    thresholds=rising(
                        COLLECTOR_MEMORY_MEBIBYTES * 8 // 10 << 20, COLLECTOR_MEMORY_MEBIBYTES << 20
                    ),
                ),
            ],
        ),
    ],
)
