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
    unwrapped,
)
from dashboards.service_rows import milliseconds, service_dashboard
from lokictl.grafana import Column, Logs, LokiAnnotation, Row, Table, TimeSeries, counts_table, lines_table
from rules.sigmalang import CRASHES_PANEL, FAILURES, FAILURES_PANEL, GROUPS, PHASES_PANEL
from services.sigmalang import PANIC, SERVICE

FIRST_LINE = r"""| json msg="msg" | label_format msg=`{{ regexReplaceAll "(?s)\n.*" .msg "" }}`"""
"""Stages that make ``msg`` the first line of the message: diagnostics have several."""

EVERY = selected(SERVICE)
FAILED = f'{selected(SERVICE, level="error")} | json | code=~"^E[0-9]+$" | __error__=""'
DIAGNOSTIC = (
    "| line_format `{{ if .__error__ }}{{ __line__ }}{{ else }}"
    '{{.code}} in {{.phase}} of {{.unit}}{{ "\\n" }}{{.msg}}{{ end }}`'
)
SLOW = milliseconds(SERVICE)

BY_CODE = f'{SERVICE.selector} | json | code="${{__field.labels.code}}"'
BY_PHASE = f'{SERVICE.select(level="error")} | json | phase="${{__field.labels.phase}}"'

DIAGNOSTICS_TABLE = Table(
    title="Diagnostics by code and unit",
    description="Errors and warnings: which code in which unit, in the chosen time.",
    targets=[
        loki(
            f'topk(15, sum by (level, code, phase, unit) (count_over_time({EVERY} | json | code!="" '
            '| __error__="" [$__range])))',
            instant=True,
        )
    ],
    height=9,
    unit="short",
    thresholds=CALM,
    no_data="no diagnostics",
    sort_by="Times",
    transformations=counts_table(
        columns={"level": "Level", "code": "Code", "phase": "Phase", "unit": "Unit"}, value="Times"
    ),
    width=12,
    overrides=[
        column("Level", width=80),
        column(
            "Code",
            width=90,
            links=[lines_link(f'{SERVICE.selector} | json | code="${{__value.raw}}"', "The diagnostics")],
        ),
        column("Phase", width=110),
        bar_column("Times", width=130),
    ],
)

CRASHES = Table(
    title="Crashes of the compiler",
    description="Panics, each a bug of the compiler; their stacks are among the diagnostics.",
    targets=[
        lines(f"{EVERY} |= `{PANIC}` | regexp `(?P<crash>{PANIC}.*)` | keep crash", limit=100),
    ],
    width=12,
    height=5,
    unit="short",
    thresholds=CALM,
    no_data="no crash",
    transformations=lines_table(columns={"crash": "Crash"}),
    overrides=[column("Time", width=160)],
    id=CRASHES_PANEL,
)

OWN = Row(
    "Compilation",
    [
        TimeSeries(
            title="Failures by code",
            description=f"Errors of each code; more than {FAILURES} of one in 10 minutes mean a broken library.",
            targets=[loki(f"sum by (code) (count_over_time({FAILED} [$__interval]))", "{{code}}")],
            width=8,
            draw="bars",
            stack="normal",
            interval="1m",
            unit="short",
            min=0,
            thresholds=rising(1, FAILURES),
            no_data="everything compiles",
            links=[lines_link(BY_CODE, "The diagnostics in Explore")],
            id=FAILURES_PANEL,
        ),
        TimeSeries(
            title="Failures by phase",
            description="The phase of the compiler in which units fail.",
            targets=[loki(f"sum by (phase) (count_over_time({FAILED} [$__interval]))", "{{phase}}")],
            width=8,
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
                    f"quantile_over_time(0.99, {EVERY} {unwrapped('duration_ms', '$__interval')}) by (phase)",
                    "{{phase}}",
                )
            ],
            width=8,
            interval="1m",
            unit="ms",
            min=0,
            thresholds=rising(SLOW / 2, SLOW),
            no_data="no phase ended",
            links=[
                lines_link(
                    f'{SERVICE.selector} | json | __error__="" | phase="${{__field.labels.phase}}" '
                    "| duration_ms > 1000",
                    "Slow runs of this phase",
                )
            ],
            id=PHASES_PANEL,
        ),
        Column([DIAGNOSTICS_TABLE, CRASHES], width=12),
        Logs(
            title="Diagnostics",
            description="What the compiler has to say, in full: several lines each, the newest first; crashes, too.",
            targets=[
                lines(f'{EVERY} | json | code!="" or __error__="JSONParserErr" {DIAGNOSTIC}', limit=200)
            ],
            width=12,
            height=14,
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
