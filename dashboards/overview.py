"""All services on one page: a line of numbers for each, what fires, and the services compared."""

from __future__ import annotations

from dashboards.common import (
    BLUE,
    CALM,
    GREEN,
    NOW,
    ORANGE,
    OVERVIEW_UID,
    PROMETHEUS,
    RED,
    SEARCH,
    SEARCH_VARIABLE,
    SERVICE_COLORS,
    SERVICE_VARIABLE,
    TAG,
    alerts_firing,
    bar_column,
    chosen,
    column,
    error_ratio,
    formatted,
    lines,
    lines_link,
    lines_metric_link,
    links,
    loki,
    metric_link,
    or_zero,
    prometheus,
    rising,
    service_link,
    unwrapped,
)
from datasources.common import TRACES
from lokictl.grafana import (
    LEVEL_COLORS,
    LINES_PER_SECOND,
    NEUTRAL,
    AlertList,
    Dashboard,
    Logs,
    NodeGraph,
    Override,
    PrometheusTarget,
    Row,
    StateTimeline,
    Table,
    TimeSeries,
    counts_table,
    vectors_table,
)
from services import SERVICES
from services.common import NAMESPACE

STREAMS = f'{{namespace="{NAMESPACE}", {chosen("service")}}}'
ERRORS = f'{{namespace="{NAMESPACE}", level="error", {chosen("service")}}}'
METRIC = f"{{{chosen('service')}}}"
RATIO = max(service.objectives.error_ratio for service in SERVICES)
SLOW = max(service.objectives.p99_duration for service in SERVICES) / 1_000_000
LEAST_SLOW = min(service.objectives.p99_duration for service in SERVICES) / 1_000_000

TO_SERVICE = service_link("${__field.labels.service}")
ITS_ERRORS = lines_link('{service="${__field.labels.service}", level="error"}', "Its errors in Explore")


def roster() -> str:
    """A 0 for each chosen service, whether it writes anything or not: a silent one keeps its line in the table.

    The text of the variable becomes a label; a service's name goes into the label ``service`` where that text has
    it, is ".+" (All) or is empty.  What has no service is left out of the table (`NAMED`).
    """
    parts = [
        'label_replace(label_replace(vector(0), "chosen", "${service:pipe}", "", ""), "service", '
        f'"{service.name}", "chosen", `(.*[|])?({service.name}|[.][+]|)([|].*)?`)'
        for service in SERVICES
    ]
    return f"sum by (service) ({' or '.join(parts)})"


def last_line() -> str:
    """When a service last wrote a line (ms since 1970), if within a quarter of an hour."""
    stamped = '| label_format ts=`{{ unixEpoch __timestamp__ }}` | unwrap ts | __error__=""'
    return f"max by (service) (max_over_time({STREAMS} {stamped} [15m])) * 1000"


def by_service(window: str) -> str:
    """Errors per minute by service."""
    rate = f"sum by (service) (rate({ERRORS} [{window}])) * 60"
    return or_zero(rate, f"sum by (service) (rate({STREAMS} [{window}]))")


def quantile(window: str) -> str:
    return f"quantile_over_time(0.99, {STREAMS} {unwrapped('duration_ms', window)}) by (service)"


ALERT_STATES = (
    'max by (service) (ALERTS{alertstate="firing", severity="critical", %s} * 3) '
    'or max by (service) (ALERTS{alertstate="firing", %s} * 2) '
    'or max by (service) (ALERTS{alertstate="pending", %s})'
) % ((chosen("service"),) * 3)

STATES = (
    {
        "type": "value",
        "options": {
            "0": {"text": "quiet", "color": GREEN, "index": 0},
            "1": {"text": "pending", "color": BLUE, "index": 1},
            "2": {"text": "warning", "color": ORANGE, "index": 2},
            "3": {"text": "critical", "color": RED, "index": 3},
        },
    },
)


def status_column(name: str) -> Override:
    """The column with what fires, as a colored cell."""
    return Override(
        value=name,
        properties={
            "mappings": [
                *STATES,
                {
                    "type": "special",
                    "options": {
                        "match": "null+nan",
                        "result": {"text": "not known", "color": NEUTRAL, "index": 4},
                    },
                },
            ],
            "custom.cellOptions": {"type": "color-background", "mode": "basic"},
            "custom.width": 110,
            "custom.align": "center",
        },
    )


NAMED = {
    "id": "filterByValue",
    "options": {
        "type": "exclude",
        "match": "any",
        "filters": [{"fieldName": "Service", "config": {"id": "isNull", "options": {}}}],
    },
}

STATUS = Table(
    title="Services",
    description=(
        "One line for each service: what fires, and its numbers now (of the last 5 minutes of the chosen time) beside "
        "those of all of it. A service that writes nothing keeps its line, with 0 lines and dashes."
    ),
    targets=[
        PrometheusTarget(
            datasource=PROMETHEUS,
            expr=f"({ALERT_STATES}) or max by (service) (log_lines_total{METRIC}) * 0",
            instant=True,
            format="table",
        ),
        loki(error_ratio(ERRORS, STREAMS, NOW, "service"), instant=True),
        loki(error_ratio(ERRORS, STREAMS, "$__range", "service"), instant=True),
        loki(by_service(NOW), instant=True),
        loki(by_service("$__range"), instant=True),
        loki(quantile(NOW), instant=True),
        loki(quantile("$__range"), instant=True),
        loki(f"sum by (service) (rate({STREAMS} [{NOW}])) or {roster()}", instant=True),
        loki(f"sum by (service) (rate({STREAMS} [$__range])) or {roster()}", instant=True),
        loki(last_line(), instant=True),
    ],
    width=24,
    height=7,
    unit="short",
    thresholds=CALM,
    no_data="no service is chosen",
    sort_by="Alerts",
    transformations=(
        *vectors_table(
            columns={"service": "Service"},
            values={
                "A": "Alerts",
                "B": "Error ratio",
                "C": "Error ratio, range",
                "D": "Errors/min",
                "E": "Errors/min, range",
                "F": "p99",
                "G": "p99, range",
                "H": "Lines/s",
                "I": "Lines/s, range",
                "J": "Last line",
            },
        ),
        NAMED,
    ),
    overrides=[
        column("Service", links=[service_link("${__value.raw}"), lines_link('{service="${__value.raw}"}')]),
        status_column("Alerts"),
        *(
            column(name, unit="percentunit", decimals=1, thresholds=rising(RATIO / 2, RATIO))
            for name in ("Error ratio", "Error ratio, range")
        ),
        *(
            column(name, unit="short", decimals=1, thresholds=rising(1, 60))
            for name in ("Errors/min", "Errors/min, range")
        ),
        *(
            column(name, unit="ms", thresholds=rising(LEAST_SLOW / 2, LEAST_SLOW))
            for name in ("p99", "p99, range")
        ),
        *(column(name, unit="short", decimals=2) for name in ("Lines/s", "Lines/s, range")),
        column("Last line", unit="dateTimeFromNow", width=150),
    ],
)

ALERTS = StateTimeline(
    title="Alerts over time",
    description=(
        "Every alert of the chosen services that fired or was about to, and when. It comes from the series ALERTS, "
        "which the ruler writes to Prometheus."
    ),
    targets=[
        prometheus(
            f'max by (service, alertname) (ALERTS{{alertstate="firing", {chosen("service")}}} * 2) or '
            f'max by (service, alertname) (ALERTS{{alertstate="pending", {chosen("service")}}})',
            "{{alertname}}",
        )
    ],
    width=16,
    height=7,
    interval="1m",
    unit="short",
    thresholds=CALM,
    mappings=[
        {
            "type": "value",
            "options": {
                "1": {"text": "pending", "color": BLUE, "index": 0},
                "2": {"text": "firing", "color": RED, "index": 1},
            },
        }
    ],
    no_data="no alert fired",
    links=[TO_SERVICE],
)

ALERTS_NOW = AlertList(
    title="Alerts now",
    description="Alerts of all services and of the platform that fire or are about to; nothing here: all is well.",
    filter='{service=~".+"}',
    width=8,
    height=7,
)

COMPARED = Row(
    "Compared: logs, and the same from metrics (dashed)",
    [
        TimeSeries(
            title="Lines by service",
            description="Log lines of each service; dashed, as the collectors count them (log_lines_total).",
            targets=[
                loki(f"sum by (service) (rate({STREAMS} [$__interval]))", "{{service}}"),
                prometheus(
                    f"sum by (service) (rate(log_lines_total{METRIC}[$__rate_interval]))",
                    "{{service}} (metrics)",
                ),
            ],
            width=8,
            interval="1m",
            unit=LINES_PER_SECOND,
            decimals=2,
            min=0,
            thresholds=CALM,
            no_data="no lines",
            overrides=SERVICE_COLORS,
            links=[TO_SERVICE, lines_link('{service="${__field.labels.service}"}'), lines_metric_link()],
        ),
        TimeSeries(
            title="Error ratio",
            description=f"Errors among all lines, by service; {RATIO:.0%} is allowed.",
            targets=[
                loki(error_ratio(ERRORS, STREAMS, "$__interval", "service"), "{{service}}"),
                prometheus(
                    f"(sum by (service) (rate(log_errors_total{METRIC}[$__rate_interval])) or "
                    f"sum by (service) (rate(log_lines_total{METRIC}[$__rate_interval])) * 0) / "
                    f"sum by (service) (rate(log_lines_total{METRIC}[$__rate_interval]))",
                    "{{service}} (metrics)",
                ),
            ],
            width=8,
            interval="1m",
            unit="percentunit",
            min=0,
            thresholds=rising(RATIO / 2, RATIO),
            threshold_lines=True,
            no_data="no lines",
            overrides=SERVICE_COLORS,
            links=[TO_SERVICE, ITS_ERRORS],
        ),
        TimeSeries(
            title="p99 of durations",
            description="From duration_ms in the logs; dashed, estimated from the buckets of log_durations.",
            targets=[
                loki(quantile("$__interval"), "{{service}}"),
                prometheus(
                    "histogram_quantile(0.99, sum by (le, service) "
                    f"(rate(log_durations_bucket{METRIC}[$__rate_interval])))",
                    "{{service}} (metrics)",
                ),
            ],
            width=8,
            interval="1m",
            unit="ms",
            min=0,
            thresholds=rising(SLOW / 2, SLOW),
            no_data="no durations",
            overrides=SERVICE_COLORS,
            links=[
                TO_SERVICE,
                lines_link(
                    '{service="${__field.labels.service}"} | json | __error__="" | duration_ms > 1000',
                    "Its lines over a second",
                ),
                metric_link(
                    "histogram_quantile(0.99, sum by (le) "
                    '(rate(log_durations_bucket{service="${__field.labels.service}"}[5m])))'
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
            width=12,
            height=12,
            unit="short",
            thresholds=CALM,
            no_data="no errors",
            sort_by="Lines",
            transformations=counts_table(columns={"service": "Service", "msg": "Message"}, value="Lines"),
            overrides=[
                column("Service", width=110, links=[service_link("${__value.raw}")]),
                column(
                    "Message",
                    links=[
                        lines_link(
                            f'{{namespace="{NAMESPACE}", level="error"}} |= `${{__value.raw:percentencode}}`',
                            "Lines with these words",
                        )
                    ],
                ),
                bar_column("Lines", "continuous-YlRd"),
            ],
        ),
        TimeSeries(
            title="Lines by level",
            description="Log lines of each level, of the chosen services.",
            targets=[loki(f"sum by (level) (rate({STREAMS} [$__interval]))", "{{level}}")],
            width=12,
            height=12,
            draw="bars",
            stack="normal",
            interval="1m",
            unit=LINES_PER_SECOND,
            decimals=2,
            min=0,
            thresholds=CALM,
            no_data="no lines",
            overrides=LEVEL_COLORS,
            links=[lines_link(f'{{namespace="{NAMESPACE}", level="${{__field.labels.level}}"}}')],
        ),
        Logs(
            title="Errors of all services",
            description="Lines of level error that match the search, the newest first; their details lead to traces.",
            targets=[lines(f"{ERRORS} {SEARCH} {formatted('service')}", limit=200)],
            height=10,
        ),
    ],
)

CALLS = Row(
    "Who calls whom",
    [
        NodeGraph(
            title="Calls between services",
            description="The services' dependencies as the traces show them (Grafana 12 and newer).",
            targets=[TRACES.calls()],
            width=24,
            height=14,
            unit="short",
            thresholds=CALM,
        ),
    ],
    collapsed=True,
)

DASHBOARD = Dashboard(
    uid=OVERVIEW_UID,
    title="Overview",
    description="All services: how much they log, how often they fail, how long they take.",
    tags=(TAG, "overview"),
    variables=(SERVICE_VARIABLE, SEARCH_VARIABLE),
    annotations=[alerts_firing(chosen("service"))],
    links=links(),
    content=[STATUS, ALERTS, ALERTS_NOW, COMPARED, WRONG, CALLS],
)
