"""All services on one page."""

from __future__ import annotations

from dashboards.common import (
    CALM,
    JAEGER,
    OVERVIEW_UID,
    SEARCH,
    SEARCH_VARIABLE,
    SERVICE_VARIABLE,
    TAG,
    bar_column,
    chosen,
    column,
    lines,
    lines_link,
    lines_metric_link,
    links,
    loki,
    prometheus,
    rising,
    service_color,
    service_link,
    to_dashboard,
)
from lokictl.grafana import (
    LEVEL_COLORS,
    AlertList,
    Dashboard,
    JaegerDependencies,
    Logs,
    NodeGraph,
    Row,
    Stat,
    Table,
    TimeSeries,
    color_override,
    counts_table,
)
from lokictl.model import Service
from services import SERVICES
from services.common import NAMESPACE, dashboard_uid

STREAMS = f'{{namespace="{NAMESPACE}", {chosen("service")}}}'
ERRORS = f'{{namespace="{NAMESPACE}", level="error", {chosen("service")}}}'
METRIC = f"{{{chosen('service')}}}"
RATIO = max(service.objectives.error_ratio for service in SERVICES)
SLOW = max(service.objectives.p99_duration for service in SERVICES) / 1_000_000

TO_SERVICE = service_link("${__field.labels.service}")
ITS_ERRORS = lines_link('{service="${__field.labels.service}", level="error"}', "Its errors in Explore")

SERVICE_COLORS = tuple(color_override(service.name, service_color(service)) for service in SERVICES)


def service_stats(service: Service) -> list[Stat]:
    """How a service does, in two numbers that lead to its dashboard."""
    link = to_dashboard(f"{service.title}: everything", dashboard_uid(service.name))
    limit = service.objectives.error_ratio
    every, errors = service.selector, service.select(level="error")
    return [
        Stat(
            title=service.title,
            description=f"{service.description} Errors among its lines; {limit:.0%} is allowed.",
            targets=[
                loki(
                    f"(sum(count_over_time({errors} [$__range])) or vector(0)) / "
                    f"sum(count_over_time({every} [$__range]))",
                    "errors",
                    instant=True,
                )
            ],
            width=3,
            unit="percentunit",
            decimals=2,
            color="background",
            thresholds=rising(limit / 2, limit),
            no_data="silent",
            links=[link],
        ),
        Stat(
            title="Lines a second",
            description=f"Lines of {service.title} over time.",
            targets=[loki(f"sum(rate({every} [$__interval]))", "lines")],
            width=3,
            unit="cps",
            decimals=1,
            graph=True,
            thresholds=((0, "#5794F2"),),
            no_data="silent",
            links=[link, lines_link(every)],
        ),
    ]


COMPARED = Row(
    "Compared",
    [
        TimeSeries(
            title="Lines by service",
            description="Log lines of each service.",
            targets=[loki(f"sum by (service) (count_over_time({STREAMS} [$__interval]))", "{{service}}")],
            width=8,
            draw="bars",
            stack="normal",
            interval="30s",
            unit="short",
            min=0,
            thresholds=CALM,
            no_data="no lines",
            overrides=SERVICE_COLORS,
            links=[TO_SERVICE, lines_link('{service="${__field.labels.service}"}'), lines_metric_link()],
        ),
        TimeSeries(
            title="Lines by level",
            description="Log lines of each level, of the chosen services.",
            targets=[loki(f"sum by (level) (count_over_time({STREAMS} [$__interval]))", "{{level}}")],
            width=8,
            draw="bars",
            stack="normal",
            interval="30s",
            unit="short",
            min=0,
            thresholds=CALM,
            no_data="no lines",
            overrides=LEVEL_COLORS,
            links=[lines_link(f'{{namespace="{NAMESPACE}", level="${{__field.labels.level}}"}}')],
        ),
        TimeSeries(
            title="Lines by service, from metrics",
            description="The same as the collectors count it: it is there when the logs are not.",
            targets=[
                prometheus(
                    f"sum by (service) (rate(log_lines_total{METRIC}[$__rate_interval]))", "{{service}}"
                )
            ],
            width=8,
            stack="normal",
            fill=30,
            unit="cps",
            min=0,
            thresholds=CALM,
            no_data="no metrics from the collectors",
            overrides=SERVICE_COLORS,
            links=[TO_SERVICE, lines_link('{service="${__field.labels.service}"}')],
        ),
        TimeSeries(
            title="Error ratio",
            description=f"Errors among all lines, by service; {RATIO:.0%} is allowed.",
            targets=[
                loki(
                    f"sum by (service) (count_over_time({ERRORS} [$__interval])) / "
                    f"sum by (service) (count_over_time({STREAMS} [$__interval]))",
                    "{{service}}",
                )
            ],
            interval="1m",
            unit="percentunit",
            min=0,
            thresholds=rising(RATIO / 2, RATIO),
            threshold_lines=True,
            no_data="no errors",
            overrides=SERVICE_COLORS,
            links=[TO_SERVICE, ITS_ERRORS],
        ),
        TimeSeries(
            title="p99 of durations",
            description="From the collectors' histogram, with exemplars, and (where there is none) from the logs.",
            targets=[
                prometheus(
                    "histogram_quantile(0.99, sum by (le, service) "
                    f"(rate(log_durations_bucket{METRIC}[$__rate_interval])))",
                    "{{service}} (metrics)",
                    exemplars=True,
                ),
                loki(
                    f'quantile_over_time(0.99, {STREAMS} | json | unwrap duration_ms | __error__="" '
                    "[$__interval]) by (service)",
                    "{{service}}",
                ),
            ],
            interval="1m",
            unit="ms",
            min=0,
            thresholds=rising(SLOW / 2, SLOW),
            no_data="no durations",
            overrides=SERVICE_COLORS,
            links=[
                TO_SERVICE,
                lines_link(
                    '{service="${__field.labels.service}"} | json | duration_ms > 1000',
                    "Slow lines in Explore",
                ),
            ],
        ),
    ],
)

WRONG = Row(
    "What is wrong",
    [
        Table(
            title="Top errors",
            description="The most frequent messages of level error in the chosen time.",
            targets=[
                loki(
                    f'topk(15, sum by (service, msg) (count_over_time({ERRORS} | json msg="msg" '
                    '| __error__="" [$__range])))',
                    instant=True,
                )
            ],
            width=16,
            height=9,
            unit="short",
            thresholds=CALM,
            no_data="no errors",
            sort_by="Lines",
            transformations=counts_table(columns={"service": "Service", "msg": "Message"}, value="Lines"),
            overrides=[
                column("Service", width=120, links=[service_link("${__value.raw}")]),
                column("Message"),
                bar_column("Lines", "continuous-YlRd"),
            ],
        ),
        AlertList(
            title="Alerts now",
            description="Alerts of all services and of the platform that fire or are about to.",
            filter='{service=~".+"}',
            width=8,
            height=9,
            unit="short",
            no_data="all is well",
        ),
        NodeGraph(
            title="Who calls whom",
            description="The services' dependencies as the traces show them (Grafana 12 and newer).",
            targets=[JaegerDependencies(datasource=JAEGER)],
            width=24,
            unit="short",
            thresholds=CALM,
            no_data="no traces",
        ),
        Logs(
            title="Errors of all services",
            description="Lines of level error that match the search, the newest first.",
            targets=[lines(f"{ERRORS} {SEARCH}", limit=200)],
            labels=True,
            unit="short",
            no_data="no errors",
        ),
    ],
)

DASHBOARD = Dashboard(
    uid=OVERVIEW_UID,
    title="Overview",
    description="All services: how much they log, how often they fail, how long they take.",
    tags=(TAG, "overview"),
    variables=(SERVICE_VARIABLE, SEARCH_VARIABLE),
    links=links(),
    content=[
        Row("Services", [panel for service in SERVICES for panel in service_stats(service)]),
        COMPARED,
        WRONG,
    ],
)
