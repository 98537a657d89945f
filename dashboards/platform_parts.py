"""What the dashboards of the platform share: panels of metrics."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.common import CALM, PLAIN, PLATFORM_TAG, PROMETHEUS, TAG, links, prometheus
from lokictl.grafana import Block, Dashboard, Override, QueryVariable, Row, Stat, TimeSeries
from services.common import dashboard_uid

Thresholds = Sequence[tuple[float, str]]
Queries = Sequence[tuple[str, str]]

NO_METRICS = "no metrics: does Prometheus scrape it?"


def pods(metric: str) -> QueryVariable:
    """The pods that have a metric."""
    return QueryVariable(
        name="pod",
        label="Pod",
        description="The pods to look at.",
        datasource=PROMETHEUS,
        query=f"label_values({metric}, pod)",
    )


def number(
    title: str,
    description: str,
    expr: str,
    unit: str,
    thresholds: Thresholds = PLAIN,
    *,
    no_data: str = NO_METRICS,
) -> Stat:
    """One number that says how it is at the end of the chosen time; the graphs below say how it was."""
    return Stat(
        title=title,
        description=description,
        targets=[prometheus(expr, title, instant=True)],
        unit=unit,
        decimals=None if unit in ("short", "none", "s") else 1,
        thresholds=thresholds,
        no_data=no_data,
    )


def graph(
    title: str,
    description: str,
    queries: Queries,
    unit: str,
    thresholds: Thresholds = CALM,
    *,
    width: int = 8,
    stack: str = "none",
    no_data: str = NO_METRICS,
    limit: bool = False,
    overrides: Sequence[Override] = (),
    soft_max: float = 0,
) -> TimeSeries:
    """Series over time; ``limit`` draws the thresholds as lines, ``soft_max`` is the least top of the axis."""
    return TimeSeries(
        title=title,
        description=description,
        targets=[prometheus(expr, legend) for expr, legend in queries],
        width=width,
        unit=unit,
        min=0,
        stack=stack,
        fill=30 if stack != "none" else 10,
        thresholds=thresholds,
        threshold_lines=limit,
        no_data=no_data,
        overrides=overrides,
        custom={"axisSoftMax": soft_max} if soft_max else {},
    )


def quantiles(metric: str, matchers: str = "") -> Queries:
    """Median and 99th percentile of a histogram."""
    return [
        (
            f"histogram_quantile({quantile}, sum by (le) (rate({metric}_bucket{{{matchers}}}[$__rate_interval])))",
            f"p{round(quantile * 100)}",
        )
        for quantile in (0.5, 0.99)
    ]


def platform_dashboard(
    name: str, title: str, description: str, content: Sequence[Row | Block], metric: str
) -> Dashboard:
    """A dashboard of a part of the platform; ``metric`` is one that all its pods have."""
    return Dashboard(
        uid=dashboard_uid(f"platform-{name}"),
        title=f"Platform: {title}",
        description=description,
        tags=(TAG, PLATFORM_TAG),
        variables=(pods(metric),) if metric else (),
        links=links(),
        since="now-3h",
        content=content,
    )
