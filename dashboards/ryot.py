"""Ryot: the API, its slow requests and its database."""

from __future__ import annotations

from dashboards.common import (
    CALM,
    LOKI,
    RED,
    lines,
    lines_link,
    loki,
    prometheus,
    rising,
    selected,
    unwrapped,
)
from dashboards.service_rows import milliseconds, service_dashboard
from lokictl.grafana import Heatmap, Logs, LokiAnnotation, Row, TimeSeries, color_override
from rules.ryot import GROUPS, TIMEOUTS, TIMEOUTS_PANEL
from services.ryot import DATABASE, SERVICE

TIME_OUT = "|~ `(?i)time(d[ -]?|-)?out`"
DATABASE_TIMEOUTS = f'{selected(SERVICE, level="error")} {TIME_OUT} | json | module="{DATABASE}"'

SLOW = milliseconds(SERVICE)

OWN = Row(
    "Requests and database",
    [
        TimeSeries(
            title="Database time-outs",
            description=(
                f"Time-outs that the module {DATABASE} reports, in windows of 5 minutes as the alert counts them; "
                f"up to {TIMEOUTS} are normal."
            ),
            targets=[
                loki(f'sum(count_over_time({DATABASE_TIMEOUTS} | __error__="" [5m]))', "time-outs", step="1m")
            ],
            width=8,
            fill=30,
            interval="1m",
            unit="short",
            decimals=0,
            min=0,
            thresholds=rising(1, TIMEOUTS),
            threshold_lines=True,
            no_data="no time-outs",
            overrides=[color_override("time-outs", RED)],
            links=[lines_link(DATABASE_TIMEOUTS, "The time-outs in Explore")],
            id=TIMEOUTS_PANEL,
        ),
        TimeSeries(
            title="p99 by module",
            description="Which part of the service is slow.",
            targets=[
                loki(
                    f"quantile_over_time(0.99, {selected(SERVICE)} {unwrapped('duration_ms', '$__interval')}) "
                    "by (module)",
                    "{{module}}",
                )
            ],
            width=8,
            interval="1m",
            unit="ms",
            min=0,
            thresholds=rising(SLOW / 2, SLOW),
            threshold_lines=True,
            no_data="no durations",
            links=[
                lines_link(
                    f'{SERVICE.selector} | json | module="${{__field.labels.module}}" | duration_ms > 1000',
                    "Its lines over a second",
                )
            ],
        ),
        Heatmap(
            title="Requests by duration",
            description=(
                f"How many requests fell into each bucket of log_durations; {SLOW / 1000:g} s is the objective."
            ),
            targets=[
                prometheus(
                    f'sum by (le) (increase(log_durations_bucket{{service="{SERVICE.name}"}}[$__rate_interval]))',
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
        Logs(
            title="Slow requests",
            description=f"Requests that took more than {SLOW / 25:g} ms, the newest first.",
            targets=[
                lines(
                    f'{selected(SERVICE)} | json | __error__="" | duration_ms > {SLOW / 25:g} '
                    '| line_format `{{ printf "%8.1f" (float64 .duration_ms) }} ms  {{ printf "%-9s" .module }} '
                    "{{.msg}}   trace_id={{.trace_id}}`",
                    limit=100,
                )
            ],
            height=8,
        ),
    ],
)

DASHBOARD = service_dashboard(
    SERVICE,
    OWN,
    groups=GROUPS,
    part="module",
    parts="modules",
    annotations=[
        LokiAnnotation(
            name="Database time-outs",
            datasource=LOKI,
            expr=f'{SERVICE.select(level="error")} {TIME_OUT} | json | module="{DATABASE}"',
            title="{{module}}",
            tags=("service", "module"),
        )
    ],
)
