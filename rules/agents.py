"""Alerts of the agents."""

from __future__ import annotations

from lokictl.model import RuleGroup
from rules.common import CRITICAL, INTERVAL, WARNING, alert, service_group
from services.agents import HEARTBEAT, MAX_ATTEMPTS, SERVICE

FAILURE_RATIO = 0.1
BACKLOG = 100

FAILURES_PANEL, HEARTBEATS_PANEL, QUEUE_PANEL = 111, 112, 113

FINISHED = f'{SERVICE.selector} | json | status=~"^(?:succeeded|failed)$" | __error__="" [10m]'
FAILED = f'{SERVICE.selector} | json | status="failed" | __error__="" [10m]'

TASK_FAILURE_RATIO = alert(
    SERVICE,
    "TaskFailureRatioHigh",
    f"""
sum by (service, task) (count_over_time({FAILED}))
  /
sum by (service, task) (count_over_time({FINISHED}))
  > {FAILURE_RATIO}
""",
    for_="5m",
    severity=WARNING,
    summary="Agents: {{ $value | humanizePercentage }} of the tasks {{ $labels.task }} fail",
    description=(
        "Of the {{ $labels.task }} tasks that {{ $labels.service }} finished in 10 minutes, "
        f"{{{{ $value | humanizePercentage }}}} failed; {FAILURE_RATIO:.0%} is allowed."
    ),
    runbook="agents-task-failure-ratio",
    panel=FAILURES_PANEL,
)

HEARTBEAT_MISSING = alert(
    SERVICE,
    "HeartbeatMissing",
    f"""
sum by (service, agent_id) (
  count_over_time({SERVICE.selector} | json | msg="{HEARTBEAT}" | __error__="" [30m])
)
unless
sum by (service, agent_id) (
  count_over_time({SERVICE.selector} | json | msg="{HEARTBEAT}" | __error__="" [5m])
)
""",
    severity=CRITICAL,
    summary="Agents: {{ $labels.agent_id }} has stopped beating",
    description=(
        "{{ $labels.agent_id }} of {{ $labels.service }} sent {{ $value }} heartbeats in the last 30 minutes, "
        "and none in the last 5."
    ),
    runbook="agents-heartbeat-missing",
    panel=HEARTBEATS_PANEL,
)

QUEUE_BACKLOG = alert(
    SERVICE,
    "QueueBacklog",
    f"""
avg_over_time({SERVICE.selector} | json | __error__="" | unwrap queue_depth | __error__="" [5m]) by (service)
  > {BACKLOG}
""",
    for_="10m",
    severity=WARNING,
    summary="Agents: {{ $value | printf `%.0f` }} tasks wait",
    description=(
        "On average {{ $value | printf `%.0f` }} tasks have waited in the queue of {{ $labels.service }} over "
        f"5 minutes, and that for 10 minutes; {BACKLOG} is allowed."
    ),
    runbook="agents-queue-backlog",
    panel=QUEUE_PANEL,
)

RETRIES_EXHAUSTED = alert(
    SERVICE,
    "RetriesExhausted",
    f"""
sum by (service, task) (
  count_over_time(
    {SERVICE.selector} | json | status="failed" | attempt >= {MAX_ATTEMPTS} | __error__="" [10m]
  )
) >= 1
""",
    severity=WARNING,
    summary="Agents: {{ $value }} {{ $labels.task }} tasks were given up",
    description=(
        f"{{{{ $value }}}} {{{{ $labels.task }}}} tasks of {{{{ $labels.service }}}} failed {MAX_ATTEMPTS} times "
        "in the last 10 minutes and will not be tried again."
    ),
    runbook="agents-retries-exhausted",
    panel=FAILURES_PANEL,
)

GROUPS = (
    service_group(SERVICE),
    RuleGroup(
        "agents",
        (TASK_FAILURE_RATIO, HEARTBEAT_MISSING, QUEUE_BACKLOG, RETRIES_EXHAUSTED),
        interval=INTERVAL,
    ),
)
