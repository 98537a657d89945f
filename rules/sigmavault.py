"""Alerts of ΣVAULT.  Its own ones read the audit trail."""

from __future__ import annotations

from collections.abc import Iterable

from lokictl.model import RuleGroup
from rules.common import CRITICAL, INTERVAL, WARNING, alert, service_group
from services.sigmavault import ADMINISTRATORS, PRIVILEGED_ACTIONS, SERVICE

DENIED = 10
FAILED_LOGINS = 20

DENIED_PANEL, LOGINS_PANEL, AUDIT_PANEL, PRIVILEGED_PANEL = 111, 112, 113, 114


def one_of(values: Iterable[str]) -> str:
    """A label filter's regular expression for exactly these values (bare alternations are not anchored)."""
    return "^(?:" + "|".join(values) + ")$"


# lokictl: disable=logql/high-cardinality-grouping — only denied requests are left, from a handful of actors
DENIED_ACCESSES = alert(
    SERVICE,
    "DeniedAccesses",
    f"""
sum by (service, actor) (
  count_over_time({SERVICE.selector} | json | event="access" | outcome="deny" | __error__="" [5m])
) > {DENIED}
""",
    severity=WARNING,
    summary="ΣVAULT: {{ $labels.actor }} was denied {{ $value }} times",
    description=(
        "{{ $labels.service }} denied {{ $value }} requests of the actor {{ $labels.actor }} in 5 minutes; "
        f"more than {DENIED} mean a wrong policy, or somebody who is trying doors."
    ),
    runbook="sigmavault-denied-accesses",
    panel=DENIED_PANEL,
)

# lokictl: disable=logql/high-cardinality-grouping — an attack from 500 addresses at once is told by DeniedAccesses
BRUTE_FORCE = alert(
    SERVICE,
    "BruteForce",
    f"""
sum by (service, source_ip) (
  count_over_time({SERVICE.selector} | json | event="login" | outcome="deny" | __error__="" [5m])
) > {FAILED_LOGINS}
""",
    severity=CRITICAL,
    summary="ΣVAULT: {{ $value }} failed logins from {{ $labels.source_ip }}",
    description=(
        "{{ $labels.service }} refused {{ $value }} logins from {{ $labels.source_ip }} in 5 minutes; "
        f"more than {FAILED_LOGINS} from one address are an attack until shown otherwise."
    ),
    runbook="sigmavault-brute-force",
    panel=LOGINS_PANEL,
)

AUDIT_TRAIL_SILENT = alert(
    SERVICE,
    "AuditTrailSilent",
    f"""absent_over_time({SERVICE.selector} | json | event!="" | __error__="" [15m])""",
    severity=CRITICAL,
    summary="ΣVAULT: no audit line for 15 minutes",
    description=(
        "The audit trail of {{ $labels.service }} has been silent for 15 minutes. "
        "What happens in the vault now cannot be proved later."
    ),
    runbook="sigmavault-audit-trail-silent",
    panel=AUDIT_PANEL,
)

# lokictl: disable=logql/high-cardinality-grouping — only administrators and privileged actions are left
PRIVILEGED_ACTION = alert(
    SERVICE,
    "PrivilegedActionByUnlistedActor",
    f"""
sum by (service, actor, action) (
  count_over_time(
    {SERVICE.selector}
      | json
      | action=~"{one_of(PRIVILEGED_ACTIONS)}"
      | outcome="allow"
      | actor!~"{one_of(ADMINISTRATORS)}"
      | __error__="" [5m]
  )
) >= 1
""",
    severity=CRITICAL,
    summary="ΣVAULT: {{ $labels.actor }} did {{ $labels.action }}",
    description=(
        "The actor {{ $labels.actor }} was allowed {{ $labels.action }} {{ $value }} times in 5 minutes on "
        f"{{{{ $labels.service }}}}, and is not one of {', '.join(ADMINISTRATORS)}."
    ),
    runbook="sigmavault-privileged-action",
    panel=PRIVILEGED_PANEL,
)

GROUPS = (
    service_group(SERVICE),
    RuleGroup(
        "sigmavault",
        (DENIED_ACCESSES, BRUTE_FORCE, AUDIT_TRAIL_SILENT, PRIVILEGED_ACTION),
        interval=INTERVAL,
    ),
)
