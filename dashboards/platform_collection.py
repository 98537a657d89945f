"""The collectors: lines read, sent and dropped, and how far behind they are (Alloy, or Promtail)."""

from __future__ import annotations

from dashboards.common import chosen, loki, rising
from dashboards.platform_parts import graph, number, platform_dashboard
from dashboards.service_rows import NO_LINES
from lokictl.grafana import Row, TimeSeries
from services.common import NAMESPACE

POD = chosen("pod")
RATE = "[$__rate_interval]"


def either(alloy: str, promtail: str) -> str:
    """A matcher for the same metric of both collectors."""
    return f'{{__name__=~"{alloy}|{promtail}", {POD}}}'


READ = either("loki_source_file_read_lines_total", "promtail_read_lines_total")
SENT = either("loki_write_sent_entries_total", "promtail_sent_entries_total")
DROPPED = either("loki_write_dropped_entries_total", "promtail_dropped_entries_total")
RETRIES = either("loki_write_batch_retries_total", "promtail_batch_retries_total")
LAG = either("loki_write_stream_lag_seconds", "promtail_stream_lag_seconds")
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
                    f'sum(up{{job="collector", {POD}}})',
                    "none",
                ),
                number("Lines read", "Lines read from files.", f"sum(rate({READ}{RATE}))", "cps"),
                number("Lines sent", "Lines that Loki accepted.", f"sum(rate({SENT}{RATE}))", "cps"),
                number(
                    "Lines dropped",
                    "Lines that are lost: Loki refused them, or could not be reached for too long.",
                    f"sum(rate({DROPPED}{RATE})) or vector(0)",
                    "cps",
                    rising(0.001, 1),
                ),
                number(
                    "Longest lag",
                    "The time between the newest line's time and when it was sent.",
                    f"max({LAG}) or vector(0)",
                    "s",
                    rising(30, 300),
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
                    "Lines read by job",
                    "What the collectors read, by job.",
                    [(f"sum by (job) (rate({READ}{RATE}))", "{{job}}")],
                    "cps",
                    stack="normal",
                ),
                graph(
                    "Lines by service",
                    "What the pipelines counted: log_lines_total.",
                    [(f"sum by (service) (rate(log_lines_total{RATE}))", "{{service}}")],
                    "cps",
                    stack="normal",
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
                    unit="cps",
                    min=0,
                    stack="normal",
                    fill=30,
                    thresholds=((0, "green"),),
                    no_data=NO_LINES,
                ),
                graph(
                    "Lines dropped by reason",
                    "Lost lines, and why.",
                    [(f"sum by (reason) (rate({DROPPED}{RATE})) > 0", "{{reason}}")],
                    "cps",
                    rising(0.001, 1),
                    no_data="no line was dropped",
                ),
                graph(
                    "Retries",
                    "Batches that had to be sent again.",
                    [(f"sum by (pod) (rate({RETRIES}{RATE})) > 0", "{{pod}}")],
                    "ops",
                    rising(0.1, 1),
                    no_data="every batch arrived at once",
                ),
                graph(
                    "Lag",
                    "How old lines are when they are sent, by collector.",
                    [(f"max by (pod) ({LAG})", "{{pod}}")],
                    "s",
                    rising(30, 300),
                    limit=True,
                    no_data="no lag is measured",
                ),
                graph(
                    "Bytes not yet read",
                    "Size of the files less what was read, by collector.",
                    [(f"sum by (pod) ({BEHIND})", "{{pod}}")],
                    "decbytes",
                    rising(10_000_000, 100_000_000),
                    width=12,
                ),
                graph(
                    "Memory of the collectors",
                    "Resident memory; the limit is 256 MiB.",
                    [(f'process_resident_memory_bytes{{job="collector", {POD}}}', "{{pod}}")],
                    "bytes",
                    rising(200 << 20, 256 << 20),
                    width=12,
                ),
            ],
        ),
    ],
)
