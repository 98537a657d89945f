"""Alerts of ΣLANG."""

from __future__ import annotations

from lokictl.durations import MILLISECOND
from lokictl.model import RuleGroup
from rules.common import (
    CRITICAL,
    INTERVAL,
    WARNING,
    alert,
    error_burst,
    error_ratio_high,
    no_logs,
    unparsed_lines,
)
from services.sigmalang import PANIC, SERVICE

SLOW = SERVICE.objectives.p99_duration // MILLISECOND
FAILURES = 20

FAILURES_PANEL, CRASHES_PANEL, PHASES_PANEL = 111, 112, 113

COMPILE_FAILURES = alert(
    SERVICE,
    "CompileFailures",
    f"""
sum by (service, code) (
  count_over_time({SERVICE.select(level="error")} | json | code=~"^E[0-9]+$" | __error__="" [10m])
) > {FAILURES}
""",
    severity=WARNING,
    summary="ΣLANG: {{ $value }} compilations failed with {{ $labels.code }}",
    description=(
        "{{ $labels.service }} reported {{ $labels.code }} {{ $value }} times in 10 minutes; "
        f"more than {FAILURES} of one code mean a broken library or a broken compiler, not a typing error."
    ),
    runbook="sigmalang-compile-failures",
    panel=FAILURES_PANEL,
)

INTERNAL_COMPILER_ERROR = alert(
    SERVICE,
    "InternalCompilerError",
    f"""
sum by (service, phase) (
  count_over_time({SERVICE.selector} |= `{PANIC}` | regexp `internal compiler error in (?P<phase>[a-z]+)` [10m])
) >= 1
""",
    severity=CRITICAL,
    summary="ΣLANG: the compiler crashed in the phase {{ $labels.phase }}",
    description=(
        "{{ $labels.service }} panicked {{ $value }} times in the phase {{ $labels.phase }} in the last "
        "10 minutes. The log line holds the whole stack."
    ),
    runbook="sigmalang-internal-compiler-error",
    panel=CRASHES_PANEL,
)

SLOW_COMPILATION = alert(
    SERVICE,
    "SlowCompilation",
    f"""
quantile_over_time(0.99, {SERVICE.selector} | json | unwrap duration_ms | __error__="" [15m]) by (service, phase)
  > {SLOW}
""",
    for_="5m",
    severity=WARNING,
    summary="ΣLANG: the phase {{ $labels.phase }} takes {{ $value | printf `%.0f` }} ms",
    description=(
        "The 99th percentile of duration_ms of {{ $labels.service }} in the phase {{ $labels.phase }} over "
        f"15 minutes is {{{{ $value | printf `%.0f` }}}} ms; {SLOW} ms is allowed."
    ),
    runbook="sigmalang-slow-compilation",
    panel=PHASES_PANEL,
)

GROUPS = (
    RuleGroup(
        "sigmalang-common",
        (
            error_ratio_high(SERVICE),
            error_burst(SERVICE),
            no_logs(SERVICE),
            unparsed_lines(SERVICE, known_text=PANIC),
        ),
        interval=INTERVAL,
    ),
    RuleGroup("sigmalang", (COMPILE_FAILURES, INTERNAL_COMPILER_ERROR, SLOW_COMPILATION), interval=INTERVAL),
)
