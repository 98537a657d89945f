"""Storage: what each service writes, against the monthly table of the architecture and its retention."""

from __future__ import annotations

from dashboards.common import SERVICE_COLORS, chosen, lines_link, loki, rising
from dashboards.platform_parts import graph, platform_dashboard
from lokictl.durations import DAY
from lokictl.grafana import BarGauge, Block, Column, Row, Stat, Text, TimeSeries
from lokictl.model import Service
from services import SERVICES
from services.common import NAMESPACE
from stack.figures import COMPRESSION, GIGABYTE, HOT_DAYS, LOKI_REPLICAS, WARM_DAYS
from stack.storage import HOT_GIGABYTES

POD = chosen("pod")
VOLUMES = '{persistentvolumeclaim=~".*loki.*"}'
MONTH_SECONDS = 30 * 86_400
EVERYTHING = f'{{namespace="{NAMESPACE}"}}'


def table() -> str:
    """The monthly table."""
    rows = ["| Service | Month, compressed | Retention | Debug lines |", "|---|---|---|---|"]
    for service in SERVICES:
        rows.append(
            f"| {service.title} | {service.monthly_storage / GIGABYTE:g} GB | {service.retention // DAY} days "
            f"| {service.debug_retention // DAY} days |"
        )
    total = sum(service.monthly_storage for service in SERVICES)
    rows.append(f"| **Total** | **{total / GIGABYTE:g} GB** | | |")
    return (
        "\n".join(rows)
        + f"\n\nHot for {HOT_DAYS} days on SSD ({LOKI_REPLICAS} volumes, {HOT_GIGABYTES} GB together), "
        f"warm in the bucket, in a cheaper class after {WARM_DAYS} days."
    )


def month(service: Service) -> Stat:
    """What a month of a service comes to at the present rate."""
    planned = service.monthly_storage
    return Stat(
        title=service.title,
        description=(
            f"A month at this rate: the bytes of the chosen time, compressed {COMPRESSION}:1, scaled to 30 days; "
            f"{planned / GIGABYTE:g} GB are planned, kept for {service.retention // DAY} days."
        ),
        targets=[
            loki(
                f"sum(bytes_rate({service.selector} [$__range])) * {MONTH_SECONDS} / {COMPRESSION}",
                instant=True,
            )
        ],
        width=8,
        unit="decbytes",
        decimals=2,
        thresholds=rising(0.8 * planned, planned),
        no_data="nothing is written",
        links=[lines_link(service.selector)],
    )


HALF = (len(SERVICES) + 1) // 2
PANELS: list[Block] = [
    Column([month(service) for service in SERVICES[:HALF]]),
    Column([month(service) for service in SERVICES[HALF:]]),
    Text(
        title="The plan",
        description="What the architecture plans for.",
        content=table(),
        width=8,
        height=8,
    ),
]

DASHBOARD = platform_dashboard(
    "storage",
    "Storage",
    "Bytes by service against the plan, what the stores take, and retention.",
    metric="loki_build_info",
    content=[
        Row("A month at this rate, against the plan", PANELS),
        Row(
            "What is written",
            [
                TimeSeries(
                    title="Bytes by service",
                    description="Uncompressed bytes of the lines.",
                    targets=[
                        loki(f"sum by (service) (bytes_rate({EVERYTHING} [$__interval]))", "{{service}}")
                    ],
                    width=12,
                    interval="1m",
                    unit="Bps",
                    min=0,
                    stack="normal",
                    fill=30,
                    thresholds=((0, "green"),),
                    no_data="nothing is written",
                    overrides=SERVICE_COLORS,
                    links=[lines_link('{service="${__field.labels.service}"}')],
                ),
                BarGauge(
                    title="Bytes by service and level",
                    description="Debug lines are kept for a few days only; errors are what retention is for.",
                    targets=[
                        loki(
                            f"topk(12, sum by (service, level) (bytes_over_time({EVERYTHING} [$__range])))",
                            "{{service}} {{level}}",
                            instant=True,
                        )
                    ],
                    width=12,
                    unit="decbytes",
                    no_data="nothing is written",
                ),
            ],
        ),
        Row(
            "Stores and retention",
            [
                graph(
                    "Chunk bytes stored",
                    "Compressed bytes of flushed chunks.",
                    [(f"sum(rate(loki_ingester_chunk_size_bytes_sum{{{POD}}}[$__rate_interval]))", "stored")],
                    "Bps",
                ),
                graph(
                    "Hot volumes",
                    "How full the ingesters' volumes are.",
                    [
                        (
                            f"max by (persistentvolumeclaim) (kubelet_volume_stats_used_bytes{VOLUMES} / "
                            f"kubelet_volume_stats_capacity_bytes{VOLUMES})",
                            "{{persistentvolumeclaim}}",
                        )
                    ],
                    "percentunit",
                    rising(0.7, 0.9),
                    limit=True,
                ),
                graph(
                    "Time since retention last ran",
                    "The compactor deletes what is too old; it should run every few hours.",
                    [
                        (
                            "time() - max(loki_compactor_apply_retention_last_successful_run_timestamp_seconds"
                            f"{{{POD}}} > 0)",
                            "age",
                        )
                    ],
                    "s",
                    rising(4 * 3600, 24 * 3600),
                    limit=True,
                    no_data="retention has not run yet",
                ),
            ],
        ),
    ],
)
