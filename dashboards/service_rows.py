"""The rows that every service's dashboard has, made from the service's description."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.common import (
    CALM,
    JAEGER,
    LOKI,
    SEARCH,
    SERVICE_TAG,
    TAG,
    TRACE_UID,
    bar_column,
    chosen,
    column,
    lines,
    lines_link,
    links,
    loki,
    metric_link,
    one_line,
    prometheus,
    rising,
    selected,
    stream_variables,
)
from lokictl.grafana import (
    LEVEL_COLORS,
    AlertList,
    BarGauge,
    Dashboard,
    DataLink,
    JaegerSearch,
    Logs,
    LokiAnnotation,
    LokiTarget,
    Panel,
    Row,
    Stat,
    Table,
    Text,
    TimeSeries,
    Variable,
    color_override,
    counts_table,
    dashboard_url,
    explore_url,
)
from lokictl.model import AlertingRule, RuleGroup, Service
from services.common import dashboard_uid

MILLISECOND = 1_000_000
NO_LINES = "no lines"
PLAIN = ((0, "#5794F2"),)
"""Thresholds of a number that is only a number."""


def milliseconds(service: Service) -> float:
    """The service's objective for the 99th percentile of durations."""
    return service.objectives.p99_duration / MILLISECOND


def durations(service: Service, *filters: str) -> str:
    """The range of durations in a service's lines, but for the brackets."""
    return " | ".join([f"{selected(service)} | json", *filters, "unwrap duration_ms", '__error__=""']) + " "


def summary_row(service: Service) -> Row:
    """The state of the service in six numbers."""
    every, errors = selected(service), selected(service, level="error")
    ratio, slow = service.objectives.error_ratio, milliseconds(service)
    return Row(
        "At a glance",
        [
            Stat(
                title="Lines",
                description="Lines of all levels in the chosen time.",
                targets=[loki(f"sum(count_over_time({every} [$__range]))", instant=True)],
                unit="short",
                thresholds=PLAIN,
                no_data="0",
            ),
            Stat(
                title="Errors",
                description="Lines of level error in the chosen time.",
                targets=[loki(f"sum(count_over_time({errors} [$__range]))", instant=True)],
                unit="short",
                thresholds=rising(1, service.objectives.errors_per_minute),
                no_data="0",
                links=[lines_link(errors, "The errors in Explore")],
            ),
            Stat(
                title="Error ratio",
                description=f"The share of lines that are errors; {ratio:.0%} is allowed.",
                targets=[
                    loki(
                        f"sum(count_over_time({errors} [$__range])) / sum(count_over_time({every} [$__range]))",
                        instant=True,
                    )
                ],
                unit="percentunit",
                decimals=2,
                thresholds=rising(ratio / 2, ratio),
                no_data="0 %",
            ),
            Stat(
                title="p99 of durations",
                description=f"What 99 of 100 operations stay below; {slow:g} ms is allowed.",
                targets=[
                    loki(
                        f"quantile_over_time(0.99, {durations(service)}[$__range]) by (service)", instant=True
                    )
                ],
                unit="ms",
                decimals=0,
                thresholds=rising(slow / 2, slow),
                no_data="no durations",
            ),
            Stat(
                title="Unparsed lines",
                description="Lines that are not JSON: alerts and dashboards do not see what they say.",
                targets=[
                    loki(
                        f'sum(count_over_time({every} | json | __error__="JSONParserErr" [$__range]))',
                        instant=True,
                    )
                ],
                unit="short",
                thresholds=rising(1, service.objectives.unparsed_lines),
                no_data="0",
                links=[lines_link(f'{every} | json | __error__="JSONParserErr"', "The lines in Explore")],
            ),
            Stat(
                title="Bytes",
                description="Uncompressed bytes of all lines in the chosen time.",
                targets=[loki(f"sum(bytes_over_time({every} [$__range]))", instant=True)],
                unit="decbytes",
                decimals=1,
                thresholds=PLAIN,
                no_data="0 B",
            ),
        ],
    )


def volume_row(service: Service) -> Row:
    """Lines by level, from the logs and from the collectors' metrics."""
    name = service.name
    same_level = f'{{service="{name}", level="${{__field.labels.level}}"}}'
    return Row(
        "Volume",
        [
            TimeSeries(
                title="Lines by level",
                description="Lines of each level, counted in the logs.",
                targets=[
                    loki(f"sum by (level) (count_over_time({selected(service)} [$__interval]))", "{{level}}")
                ],
                draw="bars",
                stack="normal",
                interval="30s",
                unit="short",
                min=0,
                thresholds=CALM,
                no_data=NO_LINES,
                overrides=LEVEL_COLORS,
                links=[
                    lines_link(same_level),
                    metric_link(
                        f'sum by (level) (rate(log_lines_total{{service="{name}", '
                        'level="${__field.labels.level}"}[5m]))'
                    ),
                ],
            ),
            TimeSeries(
                title="Lines by level, from metrics",
                description="The same as the collectors count it (log_lines_total): it is there when the logs are not.",
                targets=[
                    prometheus(
                        f'sum by (level) (rate(log_lines_total{{service="{name}"}}[$__rate_interval]))',
                        "{{level}}",
                    )
                ],
                unit="cps",
                min=0,
                stack="normal",
                fill=30,
                thresholds=CALM,
                no_data="no metrics: does Prometheus scrape the collectors?",
                overrides=LEVEL_COLORS,
                links=[lines_link(same_level)],
            ),
        ],
    )


def quality_row(service: Service) -> Row:
    """Error ratio and slowest requests, from logs and from metrics side by side."""
    return Row("Errors and durations", [*error_ratio_panels(service), *duration_panels(service)])


def error_ratio_panels(service: Service) -> list[Panel]:
    name, ratio = service.name, service.objectives.error_ratio
    every, errors = selected(service), selected(service, level="error")
    bounds = rising(ratio / 2, ratio)
    return [
        TimeSeries(
            title="Error ratio",
            description=f"The share of lines that are errors; the alert fires above {ratio:.0%}.",
            targets=[
                loki(
                    f"sum(count_over_time({errors} [$__interval])) / sum(count_over_time({every} [$__interval]))",
                    "from logs",
                )
            ],
            width=8,
            interval="1m",
            unit="percentunit",
            min=0,
            thresholds=bounds,
            threshold_lines=True,
            no_data="no errors",
            overrides=[color_override("from logs", "red")],
            links=[lines_link(service.select(level="error"), "The errors in Explore")],
        ),
        TimeSeries(
            title="Error ratio, from metrics",
            description="log_errors_total over log_lines_total, as the collectors count them.",
            targets=[
                prometheus(
                    f'sum(rate(log_errors_total{{service="{name}"}}[$__rate_interval])) / '
                    f'sum(rate(log_lines_total{{service="{name}"}}[$__rate_interval]))',
                    "from metrics",
                )
            ],
            width=8,
            unit="percentunit",
            min=0,
            thresholds=bounds,
            threshold_lines=True,
            no_data="no metrics",
            overrides=[color_override("from metrics", "red")],
            links=[lines_link(service.select(level="error"), "The errors in Explore")],
        ),
        TimeSeries(
            title="Errors by module, from metrics",
            description="log_errors_total{module}: which part of the service fails.",
            targets=[
                prometheus(
                    f'sum by (module) (rate(log_errors_total{{service="{name}"}}[$__rate_interval]))',
                    "{{module}}",
                )
            ],
            width=8,
            unit="cps",
            min=0,
            stack="normal",
            fill=30,
            thresholds=CALM,
            no_data="no errors",
            links=[
                lines_link(f'{service.select(level="error")} | json | module="${{__field.labels.module}}"')
                if "module" in service.field_names
                else lines_link(service.select(level="error"))
            ],
        ),
    ]


def duration_panels(service: Service) -> list[Panel]:
    name, slow = service.name, milliseconds(service)
    bounds = rising(slow / 2, slow)
    bucket = f'rate(log_durations_bucket{{service="{name}"}}[$__rate_interval])'
    slowest = f"{service.selector} | json | duration_ms > ${{__value.numeric}}"
    return [
        TimeSeries(
            title="Durations",
            description=f"Quantiles of duration_ms in the logs; the 99th percentile may be {slow:g} ms.",
            targets=[
                loki(
                    f"quantile_over_time({quantile}, {durations(service)}[$__interval]) by (service)",
                    f"p{round(quantile * 100)}",
                )
                for quantile in (0.5, 0.99)
            ],
            interval="1m",
            unit="ms",
            min=0,
            thresholds=bounds,
            threshold_lines=True,
            no_data="no durations",
            overrides=[color_override("p50", "blue"), color_override("p99", "orange")],
            links=[lines_link(slowest, "Lines that took longer")],
        ),
        TimeSeries(
            title="Durations, from metrics",
            description=(
                "The same from log_durations_bucket. Each diamond is an exemplar: a request, one click away "
                "from its trace."
            ),
            targets=[
                prometheus(
                    f"histogram_quantile({quantile}, sum by (le) ({bucket}))",
                    f"p{round(quantile * 100)}",
                    exemplars=True,
                )
                for quantile in (0.5, 0.99)
            ],
            unit="ms",
            min=0,
            thresholds=bounds,
            threshold_lines=True,
            no_data="no metrics",
            overrides=[color_override("p50", "blue"), color_override("p99", "orange")],
            links=[lines_link(slowest, "Lines that took longer")],
        ),
    ]


def messages_row(service: Service, part: str, title: str, *, stages: str = '| json msg="msg"') -> Row:
    """What is said most, and who says it: ``part`` is the field that tells parts of the service apart.

    ``stages`` are those that find the message, ``msg``.
    """
    every = selected(service)
    link = lines_link(f"{service.selector} |= `${{__value.raw:percentencode}}`", "Lines with these words")
    return Row(
        "Messages",
        [
            Table(
                title="Top messages",
                description="The messages that were written most often in the chosen time.",
                targets=[
                    loki(
                        f"topk(15, sum by (level, msg) (count_over_time({every} {stages} "
                        '| __error__="" [$__range])))',
                        instant=True,
                    )
                ],
                width=16,
                height=9,
                unit="short",
                thresholds=CALM,
                no_data=NO_LINES,
                sort_by="Lines",
                transformations=counts_table(columns={"level": "Level", "msg": "Message"}, value="Lines"),
                overrides=[
                    column("Level", width=90),
                    column("Message", links=[link]),
                    bar_column("Lines"),
                ],
            ),
            BarGauge(
                title=f"Top {title}",
                description=f"The lines of each {part} in the chosen time.",
                targets=[
                    loki(
                        f'topk(10, sum by ({part}) (count_over_time({every} | json | {part}!="" '
                        '| __error__="" [$__range])))',
                        f"{{{{{part}}}}}",
                        instant=True,
                    )
                ],
                width=8,
                height=9,
                unit="short",
                thresholds=(),
                no_data=NO_LINES,
                links=[lines_link(f'{service.selector} | json | {part}="${{__field.labels.{part}}}"')],
            ),
        ],
    )


def traces_row(service: Service) -> Row:
    """Traces that Jaeger has of this service."""
    slow = f"{milliseconds(service) / 2:g}ms"
    by_id = column(
        "Trace ID",
        links=[
            DataLink(
                title="Spans, lines and metrics of this trace",
                url=dashboard_url(TRACE_UID, {"trace_id": "${__value.raw}"}),
            )
        ],
    )

    def panel(title: str, description: str, target: JaegerSearch) -> Panel:
        return Table(
            title=title,
            description=description,
            targets=[target],
            height=9,
            unit="µs",
            thresholds=CALM,
            no_data="no traces",
            overrides=[by_id],
        )

    return Row(
        "Traces",
        [
            panel(
                "Slow traces",
                f"Traces of {service.title} that took at least {slow}.",
                JaegerSearch(datasource=JAEGER, service=service.name, min_duration=slow),
            ),
            panel(
                "Failed traces",
                f"Traces of {service.title} in which a span failed.",
                JaegerSearch(datasource=JAEGER, service=service.name, tags="error=true"),
            ),
        ],
    )


def alerts_row(service: Service, groups: Sequence[RuleGroup]) -> Row:
    """What fires now, and all alerts with their very queries."""
    return Row(
        "Alerts",
        [
            AlertList(
                title="Alerts now",
                description="Alerts of this service that fire or are about to.",
                filter=f'{{service="{service.name}"}}',
                width=8,
                height=11,
                unit="short",
                no_data="all is well",
            ),
            Text(
                title="All alerts, with their queries",
                description="Every alert, a link to its query in Explore, and what to do.",
                content=alerts_table(groups),
                width=16,
                height=11,
            ),
        ],
    )


def alerts_table(groups: Sequence[RuleGroup]) -> str:
    """The alerts as a Markdown table."""
    rows = ["| Alert | Severity | Query | What to do |", "|---|---|---|---|"]
    for group in groups:
        for rule in group.rules:
            if isinstance(rule, AlertingRule):
                runbook = rule.annotations.get("runbook_url", "")
                rows.append(
                    f"| {rule.alert} | {rule.labels.get('severity', '')} "
                    f"| [Explore]({alert_url(rule)}) | [Runbook]({runbook}) |"
                )
    return "\n".join(rows)


def alert_url(rule: AlertingRule) -> str:
    """The alert's very query in Explore."""
    return explore_url(LokiTarget(datasource=LOKI, expr=one_line(rule.expr)))


def logs_row(service: Service) -> Row:
    """The lines themselves."""
    selector = f"{selected(service)[:-1]}, {chosen('level')}}}"
    return Row(
        "Logs",
        [
            Logs(
                title="Lines",
                description="Lines of the chosen levels and pods that match the search; their details link to traces.",
                targets=[lines(f"{selector} {SEARCH}")],
                height=16,
                unit="short",
                no_data="no line fits: widen the time, the levels or the search",
            )
        ],
    )


def service_dashboard(
    service: Service,
    own: Row,
    *,
    groups: Sequence[RuleGroup],
    part: str,
    parts: str,
    message: str = '| json msg="msg"',
    variables: Sequence[Variable] = (),
    annotations: Sequence[LokiAnnotation] = (),
) -> Dashboard:
    """The dashboard of a service: the rows that all have, around its ``own``."""
    return Dashboard(
        uid=dashboard_uid(service.name),
        title=service.title,
        description=service.description,
        tags=(TAG, SERVICE_TAG),
        variables=(*stream_variables(service), *variables),
        annotations=annotations,
        links=links(),
        content=[
            summary_row(service),
            volume_row(service),
            quality_row(service),
            own,
            messages_row(service, part, parts, stages=message),
            traces_row(service),
            alerts_row(service, groups),
            logs_row(service),
        ],
    )
