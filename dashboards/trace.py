"""One trace: its spans, every service's lines with its id, and the metrics around it."""

from __future__ import annotations

from dashboards.common import (
    CALM,
    JAEGER,
    JAEGER_LINK,
    TAG,
    TRACE_UID,
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
from lokictl.grafana import (
    LEVEL_COLORS,
    BarGauge,
    Dashboard,
    JaegerTrace,
    Logs,
    Row,
    Table,
    TextVariable,
    TimeSeries,
    Traces,
    counts_table,
)
from services.common import NAMESPACE

# `json` finds the id in the line; where it is structured metadata it is there without it.  With nothing typed, every
# line that has a trace is shown.
LINES = f'{{namespace="{NAMESPACE}"}} | json | trace_id!="" | trace_id=~"${{trace_id:regex}}.*"'

DASHBOARD = Dashboard(
    uid=TRACE_UID,
    title="Trace",
    description="Give it a trace id: the spans, the lines of every service, the metrics around it.",
    tags=(TAG, "correlation"),
    variables=(
        TextVariable(
            name="trace_id",
            label="Trace id",
            description="32 hexadecimal digits, from a line or a span; the first few are enough for the lines.",
        ),
    ),
    links=links(),
    refresh="",
    content=[
        Row(
            "Lines",
            [
                Logs(
                    title="The story, in order",
                    description="Every line with this trace id, the oldest first.",
                    targets=[lines(f"{LINES} | line_format `{{{{.service}}}}  {{{{.msg}}}}`")],
                    width=16,
                    height=12,
                    newest_first=False,
                    unit="short",
                    no_data="no line has this trace id in the chosen time",
                ),
                BarGauge(
                    title="Lines by service",
                    description="Which services took part.",
                    targets=[
                        loki(
                            f'sum by (service) (count_over_time({LINES} | __error__="" [$__range]))',
                            "{{service}}",
                            instant=True,
                        )
                    ],
                    width=8,
                    height=6,
                    unit="short",
                    thresholds=(),
                    no_data="no lines",
                    links=[service_link("${__field.labels.service}")],
                ),
                BarGauge(
                    title="Longest step of each service",
                    description="The longest duration_ms that each service reports within the trace.",
                    targets=[
                        loki(
                            f'max by (service) (max_over_time({LINES} | unwrap duration_ms | __error__="" '
                            "[$__range]))",
                            "{{service}}",
                            instant=True,
                        )
                    ],
                    width=8,
                    height=6,
                    unit="ms",
                    thresholds=(),
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
                    description="The spans of the trace, as Jaeger has them; each leads to its logs and metrics.",
                    targets=[JaegerTrace(datasource=JAEGER, trace_id="$trace_id")],
                    unit="short",
                    thresholds=CALM,
                    no_data="Jaeger has no such trace",
                ),
            ],
        ),
        Row(
            "Around it",
            [
                TimeSeries(
                    title="p99 by service",
                    description="How slow everything was at that time; each diamond is another trace.",
                    targets=[
                        prometheus(
                            "histogram_quantile(0.99, sum by (le, service) "
                            "(rate(log_durations_bucket[$__rate_interval])))",
                            "{{service}}",
                            exemplars=True,
                        )
                    ],
                    width=8,
                    unit="ms",
                    min=0,
                    thresholds=CALM,
                    no_data="no metrics",
                    links=[service_link("${__field.labels.service}")],
                ),
                TimeSeries(
                    title="Errors by service and module",
                    description="What failed at that time, as the collectors count it.",
                    targets=[
                        prometheus(
                            "sum by (service, module) (rate(log_errors_total[$__rate_interval]))",
                            "{{service}} {{module}}",
                        )
                    ],
                    width=8,
                    unit="cps",
                    min=0,
                    stack="normal",
                    fill=30,
                    thresholds=CALM,
                    no_data="no errors",
                    links=[lines_link('{service="${__field.labels.service}", level="error"}')],
                ),
                TimeSeries(
                    title="Lines by level",
                    description="Lines of all services at that time.",
                    targets=[
                        loki(
                            f'sum by (level) (count_over_time({{namespace="{NAMESPACE}"}} [$__interval]))',
                            "{{level}}",
                        )
                    ],
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
                Table(
                    title="The slowest traces at the time",
                    description="From the logs alone: the traces with the longest lines.",
                    targets=[
                        loki(
                            f'topk(15, max by (trace_id, service) (max_over_time({{namespace="{NAMESPACE}"}} '
                            '| json | trace_id!="" | duration_ms > 250 | unwrap duration_ms | __error__="" '
                            "[$__range])))",
                            instant=True,
                        )
                    ],
                    width=24,
                    unit="ms",
                    thresholds=CALM,
                    no_data="nothing slow",
                    sort_by="Duration",
                    transformations=counts_table(
                        columns={"trace_id": "Trace", "service": "Service"}, value="Duration"
                    ),
                    overrides=[
                        column("Trace", links=[trace_link(), JAEGER_LINK], unit="string"),
                        column("Service", width=140),
                        bar_column("Duration", unit="ms"),
                    ],
                ),
            ],
        ),
    ],
)
