"""Alerts of Ryot."""

from __future__ import annotations

from lokictl.durations import MILLISECOND
from lokictl.model import RuleGroup
from rules.common import CRITICAL, INTERVAL, WARNING, alert, service_group
from services.common import DURATIONS_PANEL
from services.ryot import DATABASE, SERVICE

SLOW = SERVICE.objectives.p99_duration // MILLISECOND
TIMEOUTS = 5

TIMEOUTS_PANEL = 111

SLOW_REQUESTS = alert(
    SERVICE,
    "SlowRequests",
    f"""
quantile_over_time(0.99, {SERVICE.selector} | json | unwrap duration_ms | __error__="" [5m]) by (service)
  > {SLOW}
""",
    for_="2m",
    severity=WARNING,
    summary="Ryot: the slowest 1 % of requests take {{ $value | printf `%.0f` }} ms or more",
    description=(
        "The 99th percentile of duration_ms of {{ $labels.service }} over 5 minutes is "
        f"{{{{ $value | printf `%.0f` }}}} ms; {SLOW} ms is allowed."
    ),
    runbook="ryot-slow-requests",
    panel=DURATIONS_PANEL,
)

DATABASE_TIMEOUTS = alert(
    SERVICE,
    "DatabaseTimeouts",
    f"""
sum by (service, module) (
  count_over_time(
    {SERVICE.select(level="error")}
      |~ `(?i)time(d[ -]?|-)?out`
      | json
      | module="{DATABASE}"
      | __error__="" [5m]
  )
) > {TIMEOUTS}
""",
    severity=CRITICAL,
    summary="Ryot: {{ $value }} database time-outs in 5 minutes",
    description=(
        "The module {{ $labels.module }} of {{ $labels.service }} logged {{ $value }} time-outs in the last "
        f"5 minutes; up to {TIMEOUTS} are normal."
    ),
    runbook="ryot-database-timeouts",
    panel=TIMEOUTS_PANEL,
)

GROUPS = (
    service_group(SERVICE),
    RuleGroup("ryot", (SLOW_REQUESTS, DATABASE_TIMEOUTS), interval=INTERVAL),
)
