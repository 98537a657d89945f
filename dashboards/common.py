"""What the dashboards share: data sources, variables, links, and panels that make sense for any service.

Ranges are written ``$__interval`` and ``$__range``: Grafana 9 does not know ``$__auto`` yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datasources.common import LOKI as LOKI_UID
from datasources.common import PROMETHEUS as PROMETHEUS_UID
from datasources.common import TRACES
from lokictl.grafana import (
    AlertAnnotation,
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
    series_color,
)
from lokictl.model import Service
from services import SERVICES
from services.common import NAMESPACE, dashboard_uid

LOKI = DataSourceRef("loki", LOKI_UID)
PROMETHEUS = DataSourceRef("prometheus", PROMETHEUS_UID)

SERVICE_PALETTE = ("#5794F2", "#B877D9", "#FF9830", "#73BF69", "#FADE2A", "#8AB8FF", "#F2495C", "#CA95E5")


def service_color(service: Service) -> str:
    """The color of a service on every dashboard, by its position among the services."""
    return SERVICE_PALETTE[SERVICES.index(service) % len(SERVICE_PALETTE)]


TAG, SERVICE_TAG, PLATFORM_TAG = "neurectomy", "service", "platform"

OVERVIEW_UID, TRACE_UID, CORRELATION_UID = map(dashboard_uid, ("overview", "trace", "correlation"))

GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"

PLAIN = ((0, "text"),)
"""Thresholds of a number that is neither good nor bad."""

CALM = ((0, GREEN),)
"""Thresholds of a panel of series, which have colors of their own."""

SERVICE_COLORS = tuple(series_color(service.name, service_color(service)) for service in SERVICES)
"""Each service has one color, on all dashboards, from logs as from metrics."""

NOW = "5m"
"""The window of what is called "now"."""


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


FORMATTED = (
    "| line_format `{{ if .__error__ }}{{ __line__ }}{{ else }}"
    '{{ if .duration_ms }}{{ printf "%9.1f ms" (float64 .duration_ms) }}{{ else }}{{ printf "%12s" "" }}{{ end }}'
    "  {{ PART }}{{ .msg }}{{ if .trace_id }}   trace_id={{ .trace_id }}{{ end }}{{ end }}`"
)


def formatted(*parts: str) -> str:
    """Stages that turn JSON into a line for people: duration, the fields ``parts``, message, trace id.

    The id stays in the text: Grafana before 10.3 finds traces in the text alone.  What is not JSON stays as it is.
    """
    fields = "".join(f'{{{{ printf "%-12s" .{part} }}}} ' for part in parts)
    return "| json " + FORMATTED.replace("{{ PART }}", fields)


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


def rate_of(selector: str, window: str = "$__interval") -> str:
    """Lines per second of all streams together."""
    return f"sum(rate({selector} [{window}]))"


def unwrapped(field: str, window: str, *filters: str) -> str:
    """Stages and window of the numbers in a JSON field.

    Lines in error are dropped before ``unwrap`` too: a Loki that shards queries wants it there.
    """
    return " ".join(["| json", '| __error__=""', *filters, f'| unwrap {field} | __error__="" [{window}]'])


def or_zero(expr: str, parent: str) -> str:
    """``expr``, or 0 where it finds nothing although ``parent``, a sum by the same labels, does: never without data."""
    return f"({expr} or {parent} * 0)"


UNKNOWN = "vector(0) / vector(0)"
"""Not a number: what is shown, in no color of health, where a query finds nothing."""


def or_unknown(expr: str) -> str:
    """``expr``, a value without labels, or not a number: a number that vanishes says nothing."""
    return f"{expr} or {UNKNOWN}"


def error_ratio(errors: str, every: str, window: str, by: str = "") -> str:
    """The share of lines that are errors; 0 where there are lines without errors, nothing where there are no lines."""
    group = f" by ({by}) " if by else ""
    total = f"sum{group}(count_over_time({every} [{window}]))"
    return f"{or_zero(f'sum{group}(count_over_time({errors} [{window}]))', total)} / {total}"


def alerts_firing(matchers: str) -> AlertAnnotation:
    """The time in which alerts fire as a region in the graphs."""
    return AlertAnnotation(datasource=PROMETHEUS, matchers=matchers, by=())


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


def column(
    name: str,
    *,
    links: Sequence[DataLink] = (),
    width: int = 0,
    unit: str = "",
    decimals: int | None = None,
    thresholds: Sequence[tuple[float, str]] = (),
) -> Override:
    """Width, unit and links of a table's column; with ``thresholds`` its cells have their colors."""
    properties: dict[str, object] = {}
    if thresholds:
        steps = [
            {"color": color, "value": value if index else None}
            for index, (value, color) in enumerate(thresholds)
        ]
        properties["thresholds"] = {"mode": "absolute", "steps": steps}
        properties["custom.cellOptions"] = {"type": "color-text"}
    if decimals is not None:
        properties["decimals"] = decimals
    if links:
        properties["links"] = [link.to_json_data() for link in links]
    if width:
        properties["custom.width"] = width
    if unit:
        properties["unit"] = unit
    return Override(value=name, properties=properties)


def links_of(query: str, *links: DataLink) -> Override:
    """Links on the values of one query (A, B, …) instead of the panel's: its series have other labels."""
    return Override(by="query", value=query, properties={"links": [link.to_json_data() for link in links]})


def bar_column(name: str, color: str = "continuous-BlPu", unit: str = "short", width: int = 220) -> Override:
    """A table's column that shows its numbers as bars."""
    return Override(
        value=name,
        properties={
            "custom.cellOptions": {"type": "gauge", "mode": "gradient"},
            "color": {"mode": color},
            "unit": unit,
            "min": 0,
            "custom.width": width,
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


TRACE_IN_EXPLORE = TRACES.link()
