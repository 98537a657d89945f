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
    UNKNOWN,
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
    LokiTarget,
    NodeGraph,
    Override,
    PrometheusTarget,
    Row,
    StateTimeline,
    Table,
    TimeSeries,
    counts_table,
    sparkline,
    vectors_table,
)
from services import SERVICES
from services.common import NAMESPACE

STREAMS = f'{{namespace="{NAMESPACE}", {chosen("service")}}}'
ERRORS = f'{{namespace="{NAMESPACE}", level="error", {chosen("service")}}}'
METRIC = f"{{{chosen('service')}}}"
RATIO = max(service.objectives.error_ratio for service in SERVICES)
SLOW = max(service.objectives.p99_duration for service in SERVICES) / 1_000_000

TO_SERVICE = service_link("${__field.labels.service}")
ITS_ERRORS = lines_link('{service="${__field.labels.service}", level="error"}', "Its errors in Explore")


def roster(value: str = "vector(0)") -> str:
    """A 0 (or another value) for each chosen service: one that writes nothing keeps its line in the table.

    It is the same in LogQL and in PromQL.  The text of the variable becomes a label; a service's name goes into the
    label ``service`` where that text has it, is "..*" (All) or is empty.  What has no service is left out of the
    table (`NAMED`).
    """
    parts = [
        f'label_replace(label_replace({value}, "chosen", "${{service:pipe}}", "", ""), "service", '
        f'"{service.name}", "chosen", `(.*[|])?({service.name}|[.][.][*]|)([|].*)?`)'
        for service in SERVICES
    ]
    return f"sum by (service) ({' or '.join(parts)})"


def listed(expr: str) -> LokiTarget:
    """A vector by service, with not a number for the chosen services of which it says nothing."""
    return loki(f"{expr} or {roster(UNKNOWN)}", instant=True)


def last_line() -> str:
    """When a service last wrote a line (ms since 1970), if within a quarter of an hour."""
    stamped = '| label_format ts=`{{ unixEpoch __timestamp__ }}` | unwrap ts | __error__=""'
    return f"max by (service) (max_over_time({STREAMS} {stamped} [15m])) * 1000"


def by_service(window: str) -> str:
    """Errors per minute by service."""
    rate = f"sum by (service) (rate({ERRORS} [{window}])) * 60"
    return or_zero(rate, f"sum by (service) (rate({STREAMS} [{window}]))")


def objectives() -> str:
    """The objective for the 99th percentile of each service, in milliseconds, as a vector."""
    return " or ".join(
        f'label_replace(vector({service.objectives.p99_duration // 1_000_000}), "service", "{service.name}", "", "")'
        for service in SERVICES
    )


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
            "custom.width": 90,
            "custom.align": "center",
        },
    )


NAMED = {
    "id": "filterByValue",
    "options": {
        "type": "include",
        "match": "any",
        "filters": [
            {
                "fieldName": "Service",
                "config": {
                    "id": "regex",
                    "options": {"value": f"^({'|'.join(service.name for service in SERVICES)})$"},
                },
            }
        ],
    },
}

STATUS = Table(
    title="Services",
    description=(
        "One line for each service: what fires, its numbers now (of the last 5 minutes of the chosen time), and how "
        "they came about. A service that writes nothing keeps its line, with 0 lines and dashes."
    ),
    targets=[
        PrometheusTarget(
            datasource=PROMETHEUS,
            expr=f"({ALERT_STATES}) or max by (service) (log_lines_total{METRIC}) * 0 or {roster(UNKNOWN)}",
            instant=True,
            format="table",
        ),
        listed(error_ratio(ERRORS, STREAMS, NOW, "service")),
        listed(error_ratio(ERRORS, STREAMS, "$__range", "service")),
        listed(by_service(NOW)),
        listed(quantile(NOW)),
        listed(f"{quantile(NOW)} / on (service) ({objectives()})"),
        loki(f"sum by (service) (rate({STREAMS} [{NOW}])) or {roster()}", instant=True),
        listed(last_line()),
        loki(by_service(NOW), "{{service}}", step="1m"),
        loki(f"sum by (service) (rate({STREAMS} [{NOW}]))", "{{service}}", step="1m"),
    ],
    width=24,
    height=6,
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
                "C": "In the range",
                "D": "Errors/min",
                "E": "p99",
                "F": "Of objective",
                "G": "Lines/s",
                "H": "Last line",
            },
            trends={"I": "Errors, trend", "J": "Lines, trend"},
        ),
        NAMED,
    ),
    overrides=[
        column("Service", links=[service_link("${__value.raw}"), lines_link('{service="${__value.raw}"}')]),
        status_column("Alerts"),
        *(
            column(name, width=105, unit="percentunit", decimals=1, thresholds=rising(RATIO / 2, RATIO))
            for name in ("Error ratio", "In the range")
        ),
        column("Errors/min", width=95, unit="short", decimals=1, thresholds=rising(1, 60)),
        column("p99", width=80, unit="ms"),
        column("Of objective", width=105, unit="percentunit", decimals=0, thresholds=rising(0.5, 1)),
        column("Lines/s", width=80, unit="short", decimals=2),
        column("Last line", unit="dateTimeFromNow", width=125),
        sparkline("Errors, trend", color=RED, width=150),
        sparkline("Lines, trend", width=150),
    ],
    interval="1m",
)

ALERTS = StateTimeline(
    title="Alerts over time",
    description=(
        "Every alert of the chosen services that fired or was about to, and when. It comes from the series ALERTS, "
        "which the ruler writes to Prometheus."
    ),
    targets=[
        prometheus(
            "max by (service, alertname) "
            f'(ALERTS{{alertstate="firing", {chosen("service")}}} * 2) or '
            f'max by (service, alertname) (ALERTS{{alertstate="pending", {chosen("service")}}}) or '
            'on () label_replace(vector(0), "alertname", "no alert", "", "")',
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
                "0": {"text": " ", "color": "transparent", "index": 0},
                "1": {"text": "pending", "color": BLUE, "index": 1},
                "2": {"text": "firing", "color": RED, "index": 2},
            },
        }
    ],
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
            height=9,
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
            height=9,
            draw="bars",
            stack="normal",
            interval="1m",
            unit=LINES_PER_SECOND,
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
            height=9,
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
            width=14,
            height=12,
            unit="short",
            thresholds=CALM,
        ),
        Table(
            title="Number of calls",
            description="How often one service called another, as the traces show it (Grafana 12 and newer).",
            targets=[TRACES.calls()],
            width=10,
            height=12,
            unit="short",
            thresholds=CALM,
            no_data="no calls",
            sort_by="Calls",
            transformations=(
                {
                    "id": "filterFieldsByName",
                    "options": {"include": {"names": ["source", "target", "Call count"]}},
                },
                {
                    "id": "organize",
                    "options": {
                        "excludeByName": {},
                        "indexByName": {"source": 0, "target": 1, "Call count": 2},
                        "renameByName": {"source": "From", "target": "To", "Call count": "Calls"},
                    },
                },
            ),
            overrides=[
                column("From", links=[service_link("${__value.raw}")]),
                column("To", links=[service_link("${__value.raw}")]),
                bar_column("Calls"),
            ],
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
