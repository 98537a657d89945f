"""From a spike in a metric to the exemplars, the traces and the lines, on one screen."""

from __future__ import annotations

from dashboards.common import (
    CALM,
    CORRELATION_UID,
    JAEGER,
    JAEGER_LINK,
    LOKI,
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
    service_link,
    trace_link,
)
from lokictl.grafana import (
    Dashboard,
    Heatmap,
    JaegerSearch,
    Logs,
    LokiAnnotation,
    Row,
    Table,
    TimeSeries,
    counts_table,
)
from services.common import NAMESPACE

SLOW = 500
"""Milliseconds from which a line counts as slow here."""

STREAMS = f'{{namespace="{NAMESPACE}", {chosen("service")}}}'
ERRORS = f'{{namespace="{NAMESPACE}", level="error", {chosen("service")}}}'
SLOW_LINES = f"{STREAMS} | json | duration_ms > {SLOW}"
METRIC = f"{{{chosen('service')}}}"

ITS_SLOW_LINES = lines_link(
    f'{{service="${{__field.labels.service}}"}} | json | duration_ms > {SLOW}', "Its slow lines in Explore"
)

SPIKE = Row(
    "1. The spike",
    [
        Heatmap(
            title="Durations",
            description="The collectors' histogram log_durations, with exemplars: a click opens the trace.",
            targets=[
                prometheus(
                    f"sum by (le) (increase(log_durations_bucket{METRIC}[$__rate_interval]))",
                    "{{le}}",
                    exemplars=True,
                    form="heatmap",
                )
            ],
            width=8,
            buckets=True,
            unit="short",
            y_unit="ms",
            thresholds=CALM,
            no_data="no metrics from the collectors",
        ),
        TimeSeries(
            title="p99, from metrics and from logs",
            description="The diamonds are exemplars: a click opens the trace. A line leads to its logs.",
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
            width=8,
            interval="1m",
            unit="ms",
            min=0,
            thresholds=CALM,
            no_data="no durations",
            links=[ITS_SLOW_LINES, service_link("${__field.labels.service}")],
        ),
        TimeSeries(
            title="Errors, from metrics and from logs",
            description="The collectors' counter log_errors_total beside the same from the logs.",
            targets=[
                prometheus(
                    f"sum by (service, module) (rate(log_errors_total{METRIC}[$__rate_interval]))",
                    "{{service}} {{module}} (metrics)",
                ),
                loki(f"sum by (service) (rate({ERRORS} [$__interval]))", "{{service}}"),
            ],
            width=8,
            interval="1m",
            unit="cps",
            min=0,
            thresholds=CALM,
            no_data="no errors",
            links=[
                lines_link('{service="${__field.labels.service}", level="error"}'),
                lines_metric_link(),
                service_link("${__field.labels.service}"),
            ],
        ),
    ],
)

TRACES = Row(
    "2. The traces",
    [
        Table(
            title="Traces of the slowest lines",
            description="The trace ids of the slowest lines, from the logs alone.",
            targets=[
                loki(
                    f'topk(15, max by (trace_id, service) (max_over_time({SLOW_LINES} | trace_id!="" '
                    '| unwrap duration_ms | __error__="" [$__range])))',
                    instant=True,
                )
            ],
            unit="ms",
            thresholds=CALM,
            no_data="no slow lines",
            sort_by="Duration",
            transformations=counts_table(
                columns={"trace_id": "Trace", "service": "Service"}, value="Duration"
            ),
            overrides=[
                column("Trace", links=[trace_link(), JAEGER_LINK], unit="string"),
                column("Service", width=110),
                bar_column("Duration", unit="ms"),
            ],
        ),
        Table(
            title="Traces of the errors",
            description="The trace ids of lines of level error, from the logs alone.",
            targets=[
                loki(
                    f'topk(15, sum by (trace_id, service) (count_over_time({ERRORS} | json | trace_id!="" '
                    '| __error__="" [$__range])))',
                    instant=True,
                )
            ],
            unit="short",
            thresholds=CALM,
            no_data="no errors with a trace",
            sort_by="Errors",
            transformations=counts_table(columns={"trace_id": "Trace", "service": "Service"}, value="Errors"),
            overrides=[
                column("Trace", links=[trace_link(), JAEGER_LINK], unit="string"),
                column("Service", width=110),
                column("Errors", width=90),
            ],
        ),
        Table(
            title="Slow traces of $service",
            description=f"Traces in Jaeger that took at least {SLOW} ms, one table for each chosen service.",
            targets=[JaegerSearch(datasource=JAEGER, service="$service", min_duration=f"{SLOW}ms")],
            width=24,
            height=6,
            unit="µs",
            thresholds=CALM,
            no_data="no slow traces",
            repeat="service",
            overrides=[column("Trace ID", links=[trace_link()])],
        ),
    ],
)

LINES = Row(
    "3. The lines",
    [
        Logs(
            title="Slow and failed",
            description=f"Errors, and lines that took more than {SLOW} ms; their details lead to the trace.",
            targets=[
                lines(f'{STREAMS} | json | __error__="" | level="error" or duration_ms > {SLOW}', limit=300)
            ],
            labels=True,
            unit="short",
            no_data="nothing slow, nothing failed",
        )
    ],
)

DASHBOARD = Dashboard(
    uid=CORRELATION_UID,
    title="Correlation",
    description="A spike in a metric, its exemplars, the traces, and the lines, on one screen.",
    tags=(TAG, "correlation"),
    variables=(SERVICE_VARIABLE,),
    annotations=[
        LokiAnnotation(
            name="Errors", datasource=LOKI, expr=ERRORS, title="{{service}}", tags=("service", "level")
        )
    ],
    links=links(),
    content=[SPIKE, TRACES, LINES],
)
