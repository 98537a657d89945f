"""Ryot: the API, its slow requests and its database."""

from __future__ import annotations

from dashboards.common import (
    CALM,
    LOKI,
    lines,
    lines_link,
    loki,
    prometheus,
    rising,
    selected,
)
from dashboards.service_rows import milliseconds, service_dashboard
from lokictl.grafana import Heatmap, Logs, LokiAnnotation, Row, TimeSeries
from rules.ryot import GROUPS, TIMEOUTS
from services.ryot import DATABASE, SERVICE
from stack.collection import DURATION_BUCKETS

TIME_OUT = "|~ `(?i)time(d[ -]?|-)?out`"
DATABASE_TIMEOUTS = f'{selected(SERVICE, level="error")} {TIME_OUT} | json | module="{DATABASE}"'


def band_template() -> str:
    """A template that gives a line's duration band, padded so that names sort like numbers."""
    text = ""
    for bound in DURATION_BUCKETS:
        opening = "{{ else if" if text else "{{ if"
        text += f"{opening} le (float64 .duration_ms) {bound}.0 }}}}{bound:05d} ms"
    return text + "{{ else }}longer{{ end }}"


BANDS = (
    f'sum by (band) (count_over_time({selected(SERVICE)} | json | duration_ms > 0 | __error__="" '
    f"| label_format band=`{band_template()}` [$__interval]))"
)

SLOW = milliseconds(SERVICE)

OWN = Row(
    "Requests and database",
    [
        Heatmap(
            title="Requests by duration",
            description=f"How many requests fell into each band of duration; {SLOW:g} ms is the objective.",
            targets=[loki(BANDS, "{{band}}")],
            interval="1m",
            buckets=True,
            unit="short",
            y_unit="short",
            thresholds=CALM,
            no_data="no requests",
            height=10,
        ),
        Heatmap(
            title="Requests by duration, from metrics",
            description="The same from log_durations_bucket, with exemplars that lead to traces.",
            targets=[
                prometheus(
                    f'sum by (le) (increase(log_durations_bucket{{service="{SERVICE.name}"}}[$__rate_interval]))',
                    "{{le}}",
                    exemplars=True,
                    form="heatmap",
                )
            ],
            buckets=True,
            unit="short",
            y_unit="ms",
            thresholds=CALM,
            no_data="no metrics",
            height=10,
        ),
        TimeSeries(
            title="Database time-outs",
            description=f"Time-outs that the module {DATABASE} reports; up to {TIMEOUTS} in 5 minutes are normal.",
            targets=[
                loki(f'sum(count_over_time({DATABASE_TIMEOUTS} | __error__="" [$__interval]))', "time-outs")
            ],
            draw="bars",
            interval="1m",
            unit="short",
            min=0,
            thresholds=rising(1, TIMEOUTS),
            no_data="no time-outs",
            links=[lines_link(DATABASE_TIMEOUTS, "The time-outs in Explore")],
        ),
        TimeSeries(
            title="p99 by module",
            description="Which part of the service is slow.",
            targets=[
                loki(
                    f'quantile_over_time(0.99, {selected(SERVICE)} | json | unwrap duration_ms | __error__="" '
                    "[$__interval]) by (module)",
                    "{{module}}",
                )
            ],
            interval="1m",
            unit="ms",
            min=0,
            thresholds=rising(SLOW / 2, SLOW),
            threshold_lines=True,
            no_data="no durations",
            links=[
                lines_link(
                    f'{SERVICE.selector} | json | module="${{__field.labels.module}}" | duration_ms > 1000'
                )
            ],
        ),
        Logs(
            title="Slowest requests",
            description=f"Requests that took more than {SLOW / 25:g} ms, with their durations in front.",
            targets=[
                lines(
                    f"{selected(SERVICE)} | json | duration_ms > {SLOW / 25:g} "
                    '| line_format `{{ printf "%8.1f" (float64 .duration_ms) }} ms  {{.module}}  {{.msg}}`',
                    limit=100,
                )
            ],
            unit="ms",
            no_data="no slow request",
            height=9,
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
            enabled=False,
        )
    ],
)
