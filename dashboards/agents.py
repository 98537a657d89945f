"""Agents: tasks, their queue, and what one agent did."""

from __future__ import annotations

from dashboards.common import (
    CALM,
    GREEN,
    RED,
    YELLOW,
    bar_column,
    column,
    lines,
    lines_link,
    loki,
    or_zero,
    rising,
    selected,
    to_dashboard,
    unwrapped,
)
from dashboards.service_rows import service_dashboard
from lokictl.grafana import (
    BarGauge,
    Logs,
    Row,
    Table,
    TextVariable,
    TimeSeries,
    color_override,
    counts_table,
    series_color,
)
from rules.agents import BACKLOG, FAILURE_RATIO, FAILURES_PANEL, GROUPS, HEARTBEATS_PANEL, QUEUE_PANEL
from services.agents import HEARTBEAT, SERVICE
from services.common import dashboard_uid

AGENT = TextVariable(
    name="agent",
    label="Agent",
    description="Whose story to show: agent-03, or how the name begins; empty: all agents.",
)

EVERY = f'{selected(SERVICE)} | json | __error__="" | agent_id=~"${{agent:regex}}.*"'
TASKS = f'{EVERY} | task_id!=""'
FAILED = f'{TASKS} | status="failed"'
ENDED = f'sum by (task) (count_over_time({TASKS} | status=~"^(?:succeeded|failed)$" [10m]))'
STORY = (
    "| line_format `{{.agent_id}} {{.msg}}{{ if .task }}: {{.task}} ({{.task_id}}, attempt {{.attempt}}){{ end }}"
    "{{ if .queue_depth }}: {{.status}}, {{.queue_depth}} tasks wait{{ end }}"
    "{{ if .duration_ms }} after {{.duration_ms}} ms{{ end }}`"
)
STATUSES = (
    color_override("succeeded", GREEN),
    color_override("failed", RED),
    color_override("running", "blue"),
    color_override("queued", YELLOW),
)
ITS_STORY = to_dashboard("This agent's story", dashboard_uid(SERVICE.name), {"agent": "${__value.raw}"})

OWN = Row(
    "Tasks",
    [
        TimeSeries(
            title="Tasks by status",
            description="Tasks that began, succeeded or failed.",
            targets=[loki(f"sum by (status) (count_over_time({TASKS} [$__interval]))", "{{status}}")],
            width=8,
            draw="bars",
            stack="normal",
            interval="1m",
            unit="short",
            min=0,
            thresholds=CALM,
            no_data="no tasks",
            overrides=STATUSES,
            links=[
                lines_link(f'{SERVICE.selector} | json | task_id!="" | status="${{__field.labels.status}}"')
            ],
        ),
        TimeSeries(
            title="Share of tasks that fail",
            description=f"Of the tasks that ended within 10 minutes; {FAILURE_RATIO:.0%} is allowed.",
            targets=[
                loki(
                    f"{or_zero(f'sum by (task) (count_over_time({FAILED} [10m]))', ENDED)} / {ENDED}",
                    "{{task}}",
                    step="1m",
                )
            ],
            width=8,
            interval="1m",
            unit="percentunit",
            min=0,
            max=1,
            thresholds=rising(FAILURE_RATIO / 2, FAILURE_RATIO),
            threshold_lines=True,
            no_data="no task ended",
            id=FAILURES_PANEL,
            links=[
                lines_link(f'{SERVICE.selector} | json | task="${{__field.labels.task}}" | status="failed"')
            ],
        ),
        TimeSeries(
            title="Queue depth",
            description=f"Tasks that wait, on average of all heartbeats in 5 minutes; {BACKLOG} is the limit.",
            targets=[
                loki(
                    f"avg_over_time({selected(SERVICE)} {unwrapped('queue_depth', '5m')}) by (service)",
                    "waiting tasks",
                    step="1m",
                ),
            ],
            width=8,
            interval="1m",
            unit="short",
            min=0,
            thresholds=rising(BACKLOG / 2, BACKLOG),
            threshold_lines=True,
            no_data="no heartbeats",
            overrides=[series_color("waiting tasks", "blue")],
            links=[lines_link(f"{SERVICE.selector} | json | msg=`{HEARTBEAT}`", "The heartbeats")],
            id=QUEUE_PANEL,
        ),
        Table(
            title="Slowest tasks",
            description="The longest run of each kind of task on each agent in the chosen time.",
            targets=[
                loki(
                    f'topk(15, max by (task, agent_id) (max_over_time({EVERY} | status!="" '
                    '| unwrap duration_ms | __error__="" [$__range])))',
                    instant=True,
                )
            ],
            height=9,
            unit="ms",
            thresholds=CALM,
            no_data="no task ended",
            sort_by="Longest run",
            transformations=counts_table(columns={"task": "Task", "agent_id": "Agent"}, value="Longest run"),
            overrides=[
                column(
                    "Task",
                    links=[lines_link(f'{SERVICE.selector} | json | task="${{__value.raw}}"', "Its lines")],
                ),
                column("Agent", links=[ITS_STORY], width=120),
                bar_column("Longest run", unit="ms", width=160),
            ],
        ),
        BarGauge(
            title="Heartbeats by agent",
            description="Heartbeats in the chosen time: one that has far fewer than the others was away.",
            targets=[
                loki(
                    f"sum by (agent_id) (count_over_time({EVERY} | msg=`{HEARTBEAT}` [$__range]))",
                    "{{agent_id}}",
                    instant=True,
                )
            ],
            width=6,
            height=9,
            unit="short",
            no_data="no heartbeats",
            id=HEARTBEATS_PANEL,
            links=[
                to_dashboard(
                    "This agent's story", dashboard_uid(SERVICE.name), {"agent": "${__field.labels.agent_id}"}
                )
            ],
        ),
        BarGauge(
            title="Failures by task",
            description="Failed runs of each kind of task in the chosen time.",
            targets=[
                loki(
                    f'sum by (task) (count_over_time({TASKS} | status="failed" [$__range]))',
                    "{{task}}",
                    instant=True,
                )
            ],
            width=6,
            height=9,
            unit="short",
            thresholds=rising(5, 20),
            no_data="no task failed",
            links=[
                lines_link(f'{SERVICE.selector} | json | task="${{__field.labels.task}}" | status="failed"')
            ],
        ),
        Logs(
            title="One agent's story",
            description="What the agent of the variable at the top did, in words; all agents, when it is empty.",
            targets=[lines(f"{EVERY} {STORY}")],
            height=9,
        ),
    ],
)

DASHBOARD = service_dashboard(
    SERVICE, OWN, groups=GROUPS, part="task", parts="tasks", fields=("agent_id", "task"), variables=(AGENT,)
)
