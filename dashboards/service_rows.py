"""The rows that every service's dashboard has, made from the service's description."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.common import (
    CALM,
    LOKI,
    NOW,
    PLAIN,
    SEARCH,
    SERVICE_TAG,
    TAG,
    TRACE_IN_EXPLORE,
    alerts_firing,
    bar_column,
    chosen,
    column,
    error_ratio,
    formatted,
    lines,
    lines_link,
    links,
    links_of,
    loki,
    metric_link,
    one_line,
    or_unknown,
    or_zero,
    prometheus,
    rising,
    selected,
    stream_variables,
    trace_link,
    unwrapped,
)
from datasources.common import TRACES
from lokictl.durations import MILLISECOND
from lokictl.grafana import (
    LEVEL_COLORS,
    LINES_PER_SECOND,
    AlertList,
    BarGauge,
    Block,
    Column,
    Dashboard,
    Logs,
    LokiAnnotation,
    LokiTarget,
    Panel,
    Row,
    Stat,
    Table,
    Target,
    Text,
    TimeSeries,
    Variable,
    counts_table,
    explore_url,
    series_color,
)
from lokictl.model import AlertingRule, RuleGroup, Service
from services.common import (
    DURATIONS_PANEL,
    ERRORS_PANEL,
    LINES_PANEL,
    RATIO_PANEL,
    UNPARSED_PANEL,
    dashboard_uid,
)

NO_LINES = "no lines"

BESIDE = "Of the last 5 minutes of the chosen time, and beside it of all of it."


def milliseconds(service: Service) -> float:
    """The service's objective for the 99th percentile of durations."""
    return service.objectives.p99_duration / MILLISECOND


def durations(service: Service, window: str) -> str:
    """The range of durations in a service's lines."""
    return f"{selected(service)} {unwrapped('duration_ms', window)}"


def now_and_range(query: str) -> list[Target]:
    """A query of one value of the last minutes, and of the whole chosen time; ``WINDOW`` in it is the window."""
    return [
        loki(or_unknown(query.replace("WINDOW", NOW)), "now", instant=True),
        loki(or_unknown(query.replace("WINDOW", "$__range")), "range", instant=True),
    ]


def summary(service: Service) -> list[Block]:
    """What fires, and the state of the service in six numbers: now and in the chosen time."""
    every, errors = selected(service), selected(service, level="error")
    ratio, slow = service.objectives.error_ratio, milliseconds(service)
    unparsed = f'{every} | json | __error__="JSONParserErr"'
    rate = "sum(rate({} [WINDOW])) * 60"
    return [
        AlertList(
            title="Alerts now",
            description="Alerts of this service that fire or are about to; when there is nothing here, all is well.",
            filter=f'{{service="{service.name}"}}',
            width=6,
            height=8,
        ),
        Column(
            [
                Stat(
                    title="Error ratio",
                    description=f"The share of lines that are errors; {ratio:.0%} is allowed. {BESIDE}",
                    targets=now_and_range(error_ratio(errors, every, "WINDOW")),
                    width=6,
                    unit="percentunit",
                    decimals=1,
                    thresholds=rising(ratio / 2, ratio),
                    no_data=NO_LINES,
                    links=[lines_link(errors, "The errors in Explore")],
                ),
                Stat(
                    title="Errors a minute",
                    description=(
                        f"Lines of level error; more than {service.objectives.errors_per_minute} in a minute are a "
                        f"burst. {BESIDE}"
                    ),
                    targets=now_and_range(or_zero(rate.format(errors), f"sum(rate({every} [WINDOW]))")),
                    width=6,
                    unit="short",
                    decimals=1,
                    thresholds=rising(1, service.objectives.errors_per_minute),
                    no_data=NO_LINES,
                    links=[lines_link(errors, "The errors in Explore")],
                    id=ERRORS_PANEL,
                ),
            ]
        ),
        Column(
            [
                Stat(
                    title="p99 of durations",
                    description=f"What 99 of 100 operations stay below; {slow / 1000:g} s is allowed. {BESIDE}",
                    targets=now_and_range(
                        f"max(quantile_over_time(0.99, {durations(service, 'WINDOW')}) by (service))"
                    ),
                    width=6,
                    unit="ms",
                    thresholds=rising(slow / 2, slow),
                    no_data="no durations",
                    links=[lines_link(too_slow(service), "Lines over the objective")],
                ),
                Stat(
                    title="Unparsed lines a minute",
                    description=(
                        f"Lines that are not JSON: alerts and dashboards do not see what they say. {BESIDE}"
                    ),
                    targets=now_and_range(or_zero(rate.format(unparsed), f"sum(rate({every} [WINDOW]))")),
                    width=6,
                    unit="short",
                    decimals=1,
                    thresholds=rising(0.1, service.objectives.unparsed_lines / 10),
                    no_data=NO_LINES,
                    links=[lines_link(unparsed, "The lines in Explore")],
                    id=UNPARSED_PANEL,
                ),
            ]
        ),
        Column(
            [
                Stat(
                    title="Lines a second",
                    description=f"Lines of all levels. {BESIDE}",
                    targets=now_and_range(f"sum(rate({every} [WINDOW]))"),
                    width=6,
                    unit="short",
                    decimals=2,
                    thresholds=PLAIN,
                    no_data=NO_LINES,
                    links=[lines_link(every)],
                ),
                Stat(
                    title="Bytes a second",
                    description=f"Uncompressed bytes of all lines. {BESIDE}",
                    targets=now_and_range(f"sum(bytes_rate({every} [WINDOW]))"),
                    width=6,
                    unit="Bps",
                    decimals=0,
                    thresholds=PLAIN,
                    no_data=NO_LINES,
                ),
            ]
        ),
    ]


def too_slow(service: Service) -> str:
    """The lines of operations that took longer than the objective."""
    return f'{selected(service)} | json | __error__="" | duration_ms > {milliseconds(service):g}'


def graphs_row(service: Service) -> Row:
    """Lines, errors and durations, from the logs and (dashed) from the collectors' metrics."""
    return Row(
        "Logs, and the same from metrics (dashed)", [volume(service), ratio(service), slowness(service)]
    )


def volume(service: Service) -> Panel:
    """Lines by level."""
    name = service.name
    level = "${__field.labels.level}"
    return TimeSeries(
        title="Lines by level",
        description=(
            "Lines of each level in the logs; dashed, all of them as the collectors count them (log_lines_total)."
        ),
        targets=[
            loki(f"sum by (level) (rate({selected(service)} [$__interval]))", "{{level}}"),
            prometheus(f'sum(rate(log_lines_total{{service="{name}"}}[$__rate_interval]))', "all (metrics)"),
        ],
        width=8,
        draw="bars",
        stack="normal",
        interval="1m",
        unit=LINES_PER_SECOND,
        min=0,
        thresholds=CALM,
        no_data=NO_LINES,
        overrides=[
            *LEVEL_COLORS,
            series_color("all", "text"),
            links_of(
                "B",
                lines_link(service.selector),
                metric_link(f'sum by (level) (rate(log_lines_total{{service="{name}"}}[5m]))'),
            ),
        ],
        links=[
            lines_link(f'{{service="{name}", level="{level}"}}'),
            metric_link(f'sum by (level) (rate(log_lines_total{{service="{name}", level="{level}"}}[5m]))'),
        ],
        id=LINES_PANEL,
    )


def ratio(service: Service) -> Panel:
    """The error ratio."""
    name, allowed = service.name, service.objectives.error_ratio
    every, errors = selected(service), selected(service, level="error")
    return TimeSeries(
        title="Error ratio",
        description=f"The share of lines that are errors; the alert fires above {allowed:.0%}.",
        targets=[
            loki(error_ratio(errors, every, "$__interval"), "errors"),
            prometheus(
                f'(sum(rate(log_errors_total{{service="{name}"}}[$__rate_interval])) '
                f'or sum(rate(log_lines_total{{service="{name}"}}[$__rate_interval])) * 0) '
                f'/ sum(rate(log_lines_total{{service="{name}"}}[$__rate_interval]))',
                "errors (metrics)",
            ),
        ],
        width=8,
        interval="1m",
        unit="percentunit",
        min=0,
        thresholds=rising(allowed / 2, allowed),
        threshold_lines=True,
        no_data=NO_LINES,
        overrides=[series_color("errors", "red")],
        links=[
            lines_link(errors, "The errors in Explore"),
            metric_link(f'sum by (module) (rate(log_errors_total{{service="{name}"}}[5m]))'),
        ],
        id=RATIO_PANEL,
    )


def slowness(service: Service) -> Panel:
    """Quantiles of durations."""
    name, slow = service.name, milliseconds(service)
    bucket = f'rate(log_durations_bucket{{service="{name}"}}[$__rate_interval])'
    quantiles = ((0.5, "p50"), (0.99, "p99"))
    return TimeSeries(
        title="Durations",
        description=(
            f"Quantiles of duration_ms; the 99th percentile may be {slow / 1000:g} s. Dashed, estimated from the "
            "buckets of log_durations."
        ),
        targets=[
            *(
                loki(f"quantile_over_time({share}, {durations(service, '$__interval')}) by (service)", legend)
                for share, legend in quantiles
            ),
            *(
                prometheus(f"histogram_quantile({share}, sum by (le) ({bucket}))", f"{legend} (metrics)")
                for share, legend in quantiles
            ),
        ],
        width=8,
        interval="1m",
        unit="ms",
        min=0,
        thresholds=rising(slow / 2, slow),
        threshold_lines=True,
        no_data="no durations",
        overrides=[series_color("p50", "blue"), series_color("p99", "orange")],
        links=[
            lines_link(too_slow(service), "Lines over the objective"),
            metric_link(
                f'histogram_quantile(0.99, sum by (le) (rate(log_durations_bucket{{service="{name}"}}[5m])))'
            ),
        ],
        id=DURATIONS_PANEL,
    )


def messages_row(service: Service, part: str, title: str, *, stages: str = '| json msg="msg"') -> Row:
    """What is said most, and who says it: ``part`` is the field that tells parts of the service apart.

    ``stages`` are those that find the message, ``msg``.
    """
    every = selected(service)
    link = lines_link(f"{service.selector} |= `${{__value.raw:percentencode}}`", "Lines with these words")
    return Row(
        f"Messages and {title}",
        [
            Table(
                title="Top messages",
                description="The messages that were written most often in the chosen time.",
                targets=[
                    loki(
                        f'topk(15, sum by (level, msg) (count_over_time({every} {stages} | __error__="" [$__range])))',
                        instant=True,
                    )
                ],
                width=16,
                height=10,
                unit="short",
                thresholds=CALM,
                no_data=NO_LINES,
                sort_by="Lines",
                transformations=counts_table(columns={"level": "Level", "msg": "Message"}, value="Lines"),
                overrides=[column("Level", width=90), column("Message", links=[link]), bar_column("Lines")],
            ),
            top_parts(service, part, title),
        ],
        collapsed=True,
    )


def top_parts(service: Service, part: str, title: str) -> Panel:
    """The lines of each part of a service."""
    return BarGauge(
        title=f"Top {title}",
        description=f"The lines of each {part} in the chosen time.",
        targets=[
            loki(
                f'topk(10, sum by ({part}) (count_over_time({selected(service)} | json | __error__="" '
                f'| {part}!="" [$__range])))',
                f"{{{{{part}}}}}",
                instant=True,
            )
        ],
        width=8,
        height=10,
        unit="short",
        no_data=NO_LINES,
        links=[lines_link(f'{service.selector} | json | {part}="${{__field.labels.{part}}}"')],
    )


TRACE_COLUMNS = (
    column("Trace ID", links=[trace_link(), TRACE_IN_EXPLORE], width=280),
    column("Duration", width=100),
    column("Start time", width=170),
)
DURATION_FIRST = {
    "id": "organize",
    "options": {
        "excludeByName": {},
        "indexByName": {"Duration": 0, "Trace name": 1, "Start time": 2, "Trace ID": 3},
        "renameByName": {},
    },
}


def traces_table(title: str, description: str, target: Target, *, repeat: str = "") -> Table:
    """Traces that the store found."""
    return Table(
        title=title,
        description=description,
        targets=[target],
        height=9,
        unit="µs",
        thresholds=CALM,
        no_data="no traces",
        sort_by="Duration",
        transformations=[DURATION_FIRST],
        overrides=TRACE_COLUMNS,
        repeat=repeat,
    )


def traces_row(service: Service) -> Row:
    """Traces of this service."""
    slow = f"{milliseconds(service) / 2:g}ms"
    return Row(
        "Traces",
        [
            traces_table(
                "Slow traces",
                f"Traces of {service.title} that took at least {slow}.",
                TRACES.search(service.name, min_duration=slow),
            ),
            traces_table(
                "Failed traces",
                f"Traces of {service.title} in which a span failed.",
                TRACES.search(service.name, failed=True),
            ),
        ],
        collapsed=True,
    )


def alerts_row(groups: Sequence[RuleGroup]) -> Row:
    """All alerts with their very queries."""
    return Row(
        "All alerts, with their queries and runbooks",
        [
            Text(
                title="Alerts",
                description="Every alert, a link to its query in Explore, and what to do.",
                content=alerts_table(groups),
                width=24,
                height=11,
            ),
        ],
        collapsed=True,
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


def logs_row(service: Service, *fields: str) -> Row:
    """The lines themselves, with ``fields`` before the message."""
    selector = f"{selected(service)[:-1]}, {chosen('level')}}}"
    return Row(
        "Lines",
        [
            Logs(
                title="Lines",
                description=(
                    "Lines of the chosen levels and pods that match the search, the newest first. Open one: its "
                    "details lead to its trace and to the metrics of its service."
                ),
                targets=[lines(f"{selector} {SEARCH} {formatted(*fields)}")],
                height=12,
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
    fields: Sequence[str] = (),
    message: str = '| json msg="msg"',
    variables: Sequence[Variable] = (),
    annotations: Sequence[LokiAnnotation] = (),
) -> Dashboard:
    """The dashboard of a service: alerts and numbers, graphs, its ``own`` row, and the lines.

    ``part`` is the field that tells parts of the service apart, ``fields`` are those in front of a line's message.
    """
    return Dashboard(
        uid=dashboard_uid(service.name),
        title=service.title,
        description=service.description,
        tags=(TAG, SERVICE_TAG),
        variables=(*stream_variables(service), *variables),
        annotations=(alerts_firing(f'service="{service.name}"'), *annotations),
        links=links(),
        content=[
            *summary(service),
            graphs_row(service),
            own,
            logs_row(service, *(fields or (part,))),
            messages_row(service, part, parts, stages=message),
            traces_row(service),
            alerts_row(groups),
        ],
    )
