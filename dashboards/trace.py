"""One trace: every service's lines with its id, its spans, and the metrics around it."""

from __future__ import annotations

from dashboards.common import (
    CALM,
    PLAIN,
    SERVICE_COLORS,
    TAG,
    TRACE_IN_EXPLORE,
    TRACE_UID,
    alerts_firing,
    bar_column,
    column,
    lines,
    lines_link,
    links,
    loki,
    prometheus,
    service_link,
    trace_link,
)
from datasources.common import TRACES
from lokictl.grafana import (
    LEVEL_COLORS,
    LINES_PER_SECOND,
    BarGauge,
    Column,
    Dashboard,
    Logs,
    Row,
    Stat,
    Table,
    Text,
    TextVariable,
    TimeSeries,
    Traces,
    lines_table,
)
from services.common import NAMESPACE

STREAMS = f'{{namespace="{NAMESPACE}"}}'

# `json` finds the id in the line; where it is structured metadata it is there without it.  With nothing typed, every
# line that has a trace is shown.
LINES = f'{STREAMS} | json | trace_id!="" | trace_id=~"${{trace_id:regex}}.*"'

SLOW = 250
"""Milliseconds from which a line counts as slow here."""

STORY = (
    '| line_format `{{ printf "%-10s" .service }} '
    '{{ if .duration_ms }}{{ printf "%9.1f ms" (float64 .duration_ms) }}{{ else }}{{ printf "%12s" "" }}{{ end }}'
    "  {{ .msg }}`"
)

SPANS_LINK = f"""\
### [Open the spans in Explore]({TRACES.url("${trace_id}")})

In Explore every span leads to its lines and to the metrics around it. The panel "Spans" below shows the same here; \
in Grafana 12.0 to 12.3 it cannot (grafana/grafana#113051): use this link.
"""


def slow_traces(title: str, description: str, *, width: int, height: int) -> Table:
    """Traces of slow lines, from the logs alone: a limit of lines, for a series for each trace is too many."""
    return Table(
        title=title,
        description=description,
        targets=[
            lines(
                f'{STREAMS} | json | __error__="" | trace_id!="" | duration_ms > {SLOW} '
                "| keep trace_id, service, duration_ms, msg",
                limit=100,
            )
        ],
        width=width,
        height=height,
        unit="ms",
        thresholds=CALM,
        no_data="nothing slow",
        sort_by="Duration",
        transformations=lines_table(
            columns={
                "duration_ms": "Duration",
                "service": "Service",
                "msg": "Message",
                "trace_id": "Trace",
            },
            numbers=["duration_ms"],
        ),
        overrides=TRACE_LINE_COLUMNS,
    )


TRACE_LINE_COLUMNS = (
    column("Time", width=170),
    column("Trace", links=[trace_link(), TRACE_IN_EXPLORE], unit="string", width=280),
    column("Service", width=110, links=[service_link("${__value.raw}")]),
    bar_column("Duration", unit="ms", width=180),
)

DASHBOARD = Dashboard(
    uid=TRACE_UID,
    title="Trace",
    description="Give it a trace id: the lines of every service, the spans, the metrics around it.",
    tags=(TAG, "correlation"),
    variables=(
        TextVariable(
            name="trace_id",
            label="Trace id",
            description="32 hexadecimal digits, from a line or a span; the first few are enough for the lines.",
        ),
    ),
    annotations=[alerts_firing("")],
    links=links(),
    refresh="",
    content=[
        Logs(
            title="The story, in order",
            description="Every line with this trace id, the oldest first; without an id, lines of all traces.",
            targets=[lines(f"{LINES} {STORY}")],
            width=16,
            height=14,
            newest_first=False,
        ),
        Column(
            [
                Text(title="Spans in Explore", content=SPANS_LINK, width=8, height=5),
                Stat(
                    title="Lines and errors",
                    description="How many lines the trace has, and how many of them are errors.",
                    targets=[
                        loki(
                            f'sum(count_over_time({LINES} | __error__="" [$__range]))', "lines", instant=True
                        ),
                        loki(
                            f'sum(count_over_time({LINES} | __error__="" | level="error" [$__range])) '
                            f'or sum(count_over_time({LINES} | __error__="" [$__range])) * 0',
                            "errors",
                            instant=True,
                        ),
                    ],
                    width=8,
                    height=3,
                    unit="locale",
                    thresholds=PLAIN,
                    no_data="no lines",
                ),
                BarGauge(
                    title="Longest step of each service",
                    description="The longest duration_ms that each service reports within the trace.",
                    targets=[
                        loki(
                            f'max by (service) (max_over_time({LINES} | __error__="" | unwrap duration_ms '
                            '| __error__="" [$__range]))',
                            "{{service}}",
                            instant=True,
                        )
                    ],
                    width=8,
                    height=6,
                    unit="ms",
                    no_data="no durations",
                    links=[service_link("${__field.labels.service}")],
                ),
            ],
        ),
        Row(
            "Spans",
            [
                Traces(
                    title="Spans",
                    description=(
                        "The spans of the trace; each leads to its logs and metrics. In Grafana 12.0 to 12.3 Jaeger's "
                        'data source does not fill the variable in: use the link "Spans in Explore" above.'
                    ),
                    targets=[TRACES.trace("$trace_id")],
                    unit="short",
                    thresholds=CALM,
                ),
            ],
            collapsed=True,
        ),
        Row(
            "Around it",
            [
                TimeSeries(
                    title="p99 by service",
                    description="How slow everything was at that time, from the buckets of log_durations.",
                    targets=[
                        prometheus(
                            "histogram_quantile(0.99, sum by (le, service) "
                            "(rate(log_durations_bucket[$__rate_interval])))",
                            "{{service}}",
                        )
                    ],
                    width=8,
                    unit="ms",
                    min=0,
                    thresholds=CALM,
                    no_data="no metrics",
                    overrides=SERVICE_COLORS,
                    links=[service_link("${__field.labels.service}")],
                ),
                TimeSeries(
                    title="Errors by service",
                    description="What failed at that time, as the collectors count it.",
                    targets=[
                        prometheus(
                            "sum by (service) (rate(log_errors_total[$__rate_interval])) "
                            "or sum by (service) (rate(log_lines_total[$__rate_interval])) * 0",
                            "{{service}}",
                        )
                    ],
                    width=8,
                    unit=LINES_PER_SECOND,
                    min=0,
                    thresholds=CALM,
                    no_data="no metrics",
                    overrides=SERVICE_COLORS,
                    links=[lines_link('{service="${__field.labels.service}", level="error"}')],
                ),
                TimeSeries(
                    title="Lines by level",
                    description="Lines of all services at that time.",
                    targets=[loki(f"sum by (level) (rate({STREAMS} [$__interval]))", "{{level}}")],
                    width=8,
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
                slow_traces(
                    "Traces of slow lines",
                    f"The newest 100 lines of all services that took more than {SLOW} ms, the longest first.",
                    width=24,
                    height=8,
                ),
            ],
        ),
    ],
)
