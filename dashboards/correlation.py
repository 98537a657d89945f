"""From a spike in a metric to the traces and the lines, on one screen."""

from __future__ import annotations

from dashboards.common import (
    CALM,
    CORRELATION_UID,
    SERVICE_COLORS,
    SERVICE_VARIABLE,
    TAG,
    TRACE_IN_EXPLORE,
    alerts_firing,
    bar_column,
    chosen,
    column,
    lines,
    lines_link,
    lines_metric_link,
    links,
    loki,
    or_zero,
    prometheus,
    service_link,
    trace_link,
    unwrapped,
)
from dashboards.service_rows import traces_table
from datasources.common import TRACES
from lokictl.grafana import (
    LINES_PER_SECOND,
    Dashboard,
    Heatmap,
    Logs,
    Row,
    Table,
    TimeSeries,
    lines_table,
)
from services.common import NAMESPACE

SLOW = 500
"""Milliseconds from which a line counts as slow here."""

STREAMS = f'{{namespace="{NAMESPACE}", {chosen("service")}}}'
ERRORS = f'{{namespace="{NAMESPACE}", level="error", {chosen("service")}}}'
SLOW_LINES = f'{STREAMS} | json | __error__="" | duration_ms > {SLOW}'
METRIC = f"{{{chosen('service')}}}"

ITS_SLOW_LINES = lines_link(
    f'{{service="${{__field.labels.service}}"}} | json | __error__="" | duration_ms > {SLOW}',
    "Its slow lines in Explore",
)

SPIKE = Row(
    "1. The spike: logs, and the same from metrics (dashed)",
    [
        TimeSeries(
            title="p99 of durations",
            description="Where the time goes; a line leads to its slow lines, and to its service.",
            targets=[
                loki(
                    f"quantile_over_time(0.99, {STREAMS} {unwrapped('duration_ms', '$__interval')}) by (service)",
                    "{{service}}",
                ),
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
            thresholds=CALM,
            no_data="no durations",
            overrides=SERVICE_COLORS,
            links=[ITS_SLOW_LINES, service_link("${__field.labels.service}")],
        ),
        TimeSeries(
            title="Errors",
            description="Lines of level error; dashed, the collectors' counter log_errors_total.",
            targets=[
                loki(
                    or_zero(
                        f"sum by (service) (rate({ERRORS} [$__interval]))",
                        f"sum by (service) (rate({STREAMS} [$__interval]))",
                    ),
                    "{{service}}",
                ),
                prometheus(
                    f"sum by (service) (rate(log_errors_total{METRIC}[$__rate_interval])) or "
                    f"sum by (service) (rate(log_lines_total{METRIC}[$__rate_interval])) * 0",
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
            links=[
                lines_link('{service="${__field.labels.service}", level="error"}'),
                lines_metric_link(),
                service_link("${__field.labels.service}"),
            ],
        ),
        Heatmap(
            title="Durations",
            description="How many operations fell into each bucket of the collectors' histogram log_durations.",
            targets=[
                prometheus(
                    f"sum by (le) (increase(log_durations_bucket{METRIC}[$__rate_interval]))",
                    "{{le}}",
                    form="heatmap",
                )
            ],
            width=8,
            interval="1m",
            buckets=True,
            unit="short",
            y_unit="ms",
            thresholds=CALM,
        ),
    ],
)


def traces_of(title: str, description: str, query: str, no_data: str) -> Table:
    """The traces of the newest lines of a query: a series for each trace would be more than Loki answers."""
    return Table(
        title=title,
        description=description,
        targets=[lines(f'{query} | trace_id!="" | keep trace_id, service, duration_ms, msg', limit=100)],
        height=9,
        unit="short",
        thresholds=CALM,
        no_data=no_data,
        sort_by="Duration",
        transformations=lines_table(
            columns={"duration_ms": "Duration", "service": "Service", "msg": "Message", "trace_id": "Trace"},
            numbers=["duration_ms"],
        ),
        overrides=[
            column("Time", width=160),
            column("Trace", links=[trace_link(), TRACE_IN_EXPLORE], unit="string", width=110),
            column("Service", width=90, links=[service_link("${__value.raw}")]),
            bar_column("Duration", unit="ms", width=120),
        ],
    )


SPANS = TimeSeries(
    title="Spans",
    description=(
        "The 99th percentile of the spans of each service, from the metrics that Jaeger makes of them. Each mark is "
        "one span: click it to open its trace."
    ),
    targets=[
        prometheus(
            "histogram_quantile(0.99, sum by (le, service_name) (rate(traces_span_metrics_duration_milliseconds_bucket"
            f"{{{chosen('service_name', 'service')}}}[$__rate_interval])))",
            "{{service_name}}",
            exemplars=True,
        )
    ],
    width=24,
    height=7,
    interval="1m",
    unit="ms",
    min=0,
    thresholds=CALM,
    no_data="no span metrics",
    overrides=SERVICE_COLORS,
)


DASHBOARD = Dashboard(
    uid=CORRELATION_UID,
    title="Correlation",
    description="A spike in a metric, the traces behind it, and the lines, on one screen.",
    tags=(TAG, "correlation"),
    variables=(SERVICE_VARIABLE,),
    annotations=[alerts_firing(chosen("service"))],
    links=links(),
    content=[
        SPIKE,
        Row(
            "2. The traces",
            [
                SPANS,
                traces_of(
                    "Traces of slow lines",
                    f"The newest 100 lines that took more than {SLOW} ms, the longest first.",
                    SLOW_LINES,
                    "nothing slow",
                ),
                traces_of(
                    "Traces of errors",
                    "The newest 100 lines of level error that have a trace, the longest first.",
                    f'{ERRORS} | json | __error__=""',
                    "no errors with a trace",
                ),
            ],
        ),
        Row(
            "3. The lines",
            [
                Logs(
                    title="Slow and failed",
                    description=(
                        f"Errors, and lines that took more than {SLOW} ms, the newest first; their details lead to the "
                        "trace and to the metrics of the service."
                    ),
                    targets=[
                        lines(
                            f'{STREAMS} | json | __error__="" | level="error" or duration_ms > {SLOW} '
                            '| line_format `{{ printf "%-10s" .service }} '
                            '{{ if .duration_ms }}{{ printf "%9.1f ms" (float64 .duration_ms) }}'
                            '{{ else }}{{ printf "%12s" "" }}{{ end }}  {{ .msg }}'
                            "{{ if .trace_id }}   trace_id={{ .trace_id }}{{ end }}`",
                            limit=300,
                        )
                    ],
                    height=12,
                )
            ],
        ),
        Row(
            "The traces as the trace store has them",
            [
                traces_table(
                    "Slow traces of $service",
                    f"Traces that took at least {SLOW} ms, one table for each chosen service.",
                    TRACES.search("$service", min_duration=f"{SLOW}ms"),
                    repeat="service",
                )
            ],
            collapsed=True,
        ),
    ],
)
