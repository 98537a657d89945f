"""ΣLANG: what does not compile, and where the time goes."""

from __future__ import annotations

from dashboards.common import (
    CALM,
    LOKI,
    bar_column,
    column,
    lines,
    lines_link,
    loki,
    rising,
    selected,
)
from dashboards.service_rows import milliseconds, service_dashboard
from lokictl.grafana import Logs, LokiAnnotation, Row, Table, TimeSeries, counts_table
from rules.sigmalang import FAILURES, GROUPS
from services.sigmalang import PANIC, SERVICE

FIRST_LINE = r"""| json msg="msg" | label_format msg=`{{ regexReplaceAll "(?s)\n.*" .msg "" }}`"""
"""Stages that make ``msg`` the first line of the message: diagnostics have several."""

EVERY = selected(SERVICE)
FAILED = f'{selected(SERVICE, level="error")} | json | code=~"^E[0-9]+$" | __error__=""'
DIAGNOSTIC = '| line_format `{{.code}} in {{.phase}} of {{.unit}}{{ "\\n" }}{{.msg}}`'
SLOW = milliseconds(SERVICE)

BY_CODE = f'{SERVICE.selector} | json | code="${{__field.labels.code}}"'
BY_PHASE = f'{SERVICE.select(level="error")} | json | phase="${{__field.labels.phase}}"'

OWN = Row(
    "Compilation",
    [
        TimeSeries(
            title="Failures by code",
            description=f"Errors of each code; more than {FAILURES} of one in 10 minutes mean a broken library.",
            targets=[loki(f"sum by (code) (count_over_time({FAILED} [$__interval]))", "{{code}}")],
            draw="bars",
            stack="normal",
            interval="1m",
            unit="short",
            min=0,
            thresholds=rising(1, FAILURES),
            no_data="everything compiles",
            links=[lines_link(BY_CODE, "The diagnostics in Explore")],
        ),
        TimeSeries(
            title="Failures by phase",
            description="The phase of the compiler in which units fail.",
            targets=[loki(f"sum by (phase) (count_over_time({FAILED} [$__interval]))", "{{phase}}")],
            draw="bars",
            stack="normal",
            interval="1m",
            unit="short",
            min=0,
            thresholds=rising(1, FAILURES),
            no_data="everything compiles",
            links=[lines_link(BY_PHASE, "The diagnostics in Explore")],
        ),
        TimeSeries(
            title="p99 by phase",
            description=f"Where the time goes; a phase may take {SLOW:g} ms.",
            targets=[
                loki(
                    f'quantile_over_time(0.99, {EVERY} | json | unwrap duration_ms | __error__="" '
                    "[$__interval]) by (phase)",
                    "{{phase}}",
                )
            ],
            interval="1m",
            unit="ms",
            min=0,
            thresholds=rising(SLOW / 2, SLOW),
            no_data="no phase ended",
            links=[
                lines_link(
                    f'{SERVICE.selector} | json | phase="${{__field.labels.phase}}" | duration_ms > 1000',
                    "Slow runs of this phase",
                )
            ],
        ),
        Table(
            title="Diagnostics by code and unit",
            description="Errors and warnings: which code in which unit, in the chosen time.",
            targets=[
                loki(
                    f'topk(15, sum by (level, code, phase, unit) (count_over_time({EVERY} | json | code!="" '
                    '| __error__="" [$__range])))',
                    instant=True,
                )
            ],
            unit="short",
            thresholds=CALM,
            no_data="no diagnostics",
            sort_by="Times",
            transformations=counts_table(
                columns={"level": "Level", "code": "Code", "phase": "Phase", "unit": "Unit"}, value="Times"
            ),
            overrides=[
                column("Level", width=80),
                column(
                    "Code",
                    width=90,
                    links=[
                        lines_link(f'{SERVICE.selector} | json | code="${{__value.raw}}"', "The diagnostics")
                    ],
                ),
                column("Phase", width=110),
                bar_column("Times"),
            ],
        ),
        Logs(
            title="Diagnostics",
            description="What the compiler has to say, in full: several lines each, newest first.",
            targets=[lines(f'{EVERY} | json | code!="" | __error__="" {DIAGNOSTIC}', limit=200)],
            height=14,
            unit="short",
            no_data="no diagnostics",
        ),
        Logs(
            title="Crashes of the compiler",
            description="Panics with their stacks. Each is a fault of the compiler.",
            targets=[lines(f"{EVERY} |= `{PANIC}`", limit=100)],
            height=8,
            unit="short",
            no_data="no crash",
        ),
    ],
)

DASHBOARD = service_dashboard(
    SERVICE,
    OWN,
    groups=GROUPS,
    part="phase",
    parts="phases",
    message=FIRST_LINE,
    annotations=[
        LokiAnnotation(
            name="Crashes",
            datasource=LOKI,
            expr=f"{SERVICE.selector} |= `{PANIC}`",
            title="The compiler crashed",
            tags=("service", "pod"),
        )
    ],
)
