"""The log metrics that the collectors also export, recorded from the logs themselves."""

from __future__ import annotations

from lokictl.model import RecordingRule, RuleGroup
from rules.common import INTERVAL
from services.common import NAMESPACE

LINES = RecordingRule(
    "log_lines:rate5m",
    f'sum by (service, level) (rate({{namespace="{NAMESPACE}"}}[5m]))',
)

ERRORS = RecordingRule(
    "log_errors:rate5m",
    f'sum by (service, module) (rate({{namespace="{NAMESPACE}", level="error"}} | json | __error__="" [5m]))',
)

DURATIONS = RecordingRule(
    "log_durations_ms:p99_5m",
    f'quantile_over_time(0.99, {{namespace="{NAMESPACE}"}} | json | unwrap duration_ms | __error__="" [5m]) '
    "by (service)",
)

GROUPS = (RuleGroup("recordings", (LINES, ERRORS, DURATIONS), interval=INTERVAL),)
