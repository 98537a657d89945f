"""What the dashboards share: data sources, variables, links, and panels that make sense for any service.

Ranges are written ``$__interval`` and ``$__range``: Grafana 9 does not know ``$__auto`` yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datasources.common import JAEGER as JAEGER_UID
from datasources.common import LOKI as LOKI_UID
from datasources.common import PROMETHEUS as PROMETHEUS_UID
from lokictl.grafana import (
    DashboardLink,
    DataLink,
    DataSourceRef,
    LokiLabelValues,
    LokiTarget,
    Override,
    PrometheusTarget,
    TextVariable,
    Variable,
    dashboard_url,
    explore_url,
    trace_url,
)
from lokictl.model import Service
from services import SERVICES
from services.common import NAMESPACE, dashboard_uid

LOKI = DataSourceRef("loki", LOKI_UID)
PROMETHEUS = DataSourceRef("prometheus", PROMETHEUS_UID)
JAEGER = DataSourceRef("jaeger", JAEGER_UID)

SERVICE_PALETTE = ("#5794F2", "#B877D9", "#FF9830", "#73BF69", "#FADE2A", "#8AB8FF", "#F2495C", "#CA95E5")


def service_color(service: Service) -> str:
    """The color of a service on every dashboard, by its position among the services."""
    return SERVICE_PALETTE[SERVICES.index(service) % len(SERVICE_PALETTE)]


TAG, SERVICE_TAG, PLATFORM_TAG = "neurectomy", "service", "platform"

OVERVIEW_UID, TRACE_UID, CORRELATION_UID = map(dashboard_uid, ("overview", "trace", "correlation"))

GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"

CALM = ((0, GREEN),)
"""Thresholds of a panel whose numbers are neither good nor bad."""


def rising(warn: float, bad: float) -> tuple[tuple[float, str], ...]:
    """Thresholds of something that is better the smaller it is."""
    return ((0, GREEN), (warn, YELLOW), (bad, RED))


def falling(warn: float, good: float) -> tuple[tuple[float, str], ...]:
    """Thresholds of something that is better the larger it is."""
    return ((0, RED), (warn, YELLOW), (good, GREEN))


def links(*, keep_variables: bool = False) -> tuple[DashboardLink, ...]:
    """The links at the top of every dashboard."""
    return (
        DashboardLink(title="Overview", url=f"/d/{OVERVIEW_UID}"),
        DashboardLink(
            title="Services", tags=(TAG, SERVICE_TAG), dropdown=True, include_variables=keep_variables
        ),
        DashboardLink(title="Correlation", url=f"/d/{CORRELATION_UID}"),
        DashboardLink(title="Trace", url=f"/d/{TRACE_UID}"),
        DashboardLink(title="Platform", tags=(TAG, PLATFORM_TAG), dropdown=True),
    )


def chosen(label: str, variable: str = "") -> str:
    """A matcher for the chosen values of a variable; with nothing chosen it matches everything."""
    return f'{label}=~"${variable or label}.*"'


SERVICE_VARIABLE = LokiLabelValues(
    name="service",
    label="Service",
    description="The services to look at.",
    datasource=LOKI,
    stream_label="service",
    selector=f'{{namespace="{NAMESPACE}"}}',
)

SEARCH_VARIABLE = TextVariable(
    name="search", label="Search", description="A regular expression that lines must match, in any case."
)
SEARCH = "|~ `(?i)${search:raw}`"


def stream_variables(service: Service) -> tuple[Variable, ...]:
    """Level, pod and search text of one service."""
    return (
        LokiLabelValues(
            name="level",
            label="Level",
            description="The levels of the lines at the bottom.",
            datasource=LOKI,
            stream_label="level",
            selector=service.selector,
        ),
        LokiLabelValues(
            name="pod",
            label="Pod",
            description="The pods whose lines are counted and shown.",
            datasource=LOKI,
            stream_label="pod",
            selector=service.selector,
        ),
        SEARCH_VARIABLE,
    )


def selected(service: Service, **equal: str) -> str:
    """The stream selector of a service's chosen pods."""
    return f"{service.select(**equal)[:-1]}, {chosen('pod')}}}"


def loki(
    expr: str, legend: str = "", *, instant: bool = False, step: str = "", max_lines: int = 0
) -> LokiTarget:
    """A LogQL query."""
    return LokiTarget(
        datasource=LOKI, expr=one_line(expr), legend=legend, instant=instant, step=step, max_lines=max_lines
    )


def lines(expr: str, *, limit: int = 500) -> LokiTarget:
    """A LogQL log query."""
    return LokiTarget(datasource=LOKI, expr=one_line(expr), max_lines=limit)


def prometheus(
    expr: str, legend: str = "", *, instant: bool = False, exemplars: bool = False, form: str = "time_series"
) -> PrometheusTarget:
    """A PromQL query."""
    return PrometheusTarget(
        datasource=PROMETHEUS,
        expr=one_line(expr),
        legend=legend,
        instant=instant,
        exemplars=exemplars,
        format=form,
    )


def one_line(expr: str) -> str:
    """The query without the line breaks that Python code wants."""
    return " ".join(part.strip() for part in expr.strip().splitlines())


def lines_link(expr: str, title: str = "Lines in Explore") -> DataLink:
    """A link to the log lines behind a value; ``expr`` may hold ``${__field.labels.…}``."""
    return DataLink(title=title, url=explore_url(LokiTarget(datasource=LOKI, expr=expr)))


def metric_link(expr: str, title: str = "Metric in Explore") -> DataLink:
    """A link from a value made of logs to the same metric in Prometheus."""
    return DataLink(title=title, url=explore_url(PrometheusTarget(datasource=PROMETHEUS, expr=expr)))


def to_dashboard(title: str, uid: str, variables: Mapping[str, str] | None = None) -> DataLink:
    """A link to another dashboard, at the same time."""
    return DataLink(title=title, url=dashboard_url(uid, variables), new_tab=False)


def column(name: str, *, links: Sequence[DataLink] = (), width: int = 0, unit: str = "") -> Override:
    """Width, unit and links of a table's column."""
    properties: dict[str, object] = {}
    if links:
        properties["links"] = [link.to_json_data() for link in links]
    if width:
        properties["custom.width"] = width
    if unit:
        properties["unit"] = unit
    return Override(value=name, properties=properties)


def bar_column(name: str, color: str = "continuous-BlPu", unit: str = "short") -> Override:
    """A table's column that shows its numbers as bars."""
    return Override(
        value=name,
        properties={
            "custom.cellOptions": {"type": "gauge", "mode": "gradient"},
            "color": {"mode": color},
            "unit": unit,
            "min": 0,
            "custom.width": 260,
        },
    )


def lines_metric_link() -> DataLink:
    """A link from a service's lines to the same as the collectors count them."""
    return metric_link('sum by (level) (rate(log_lines_total{service="${__field.labels.service}"}[5m]))')


def service_link(service: str) -> DataLink:
    """A link to a service's dashboard."""
    return to_dashboard("The service's dashboard", f"{NAMESPACE}-{service}")


def trace_link(trace_id: str = "${__value.raw}") -> DataLink:
    """A link to everything about a trace."""
    return to_dashboard("Spans, lines and metrics of this trace", TRACE_UID, {"trace_id": trace_id})


JAEGER_LINK = DataLink(title="Trace in Explore", url=trace_url(JAEGER))
