"""Brings Grafana and the Loki ruler to the state that the project describes.

In short::

    target = load_target(project.config)            # [tool.lokictl.targets.NAME], with its secrets
    session = Session(project, target, Servers(target))
    plan = session.plan()                           # reads only
    if plan.pending:
        applied = session.apply(plan)               # after a backup of what it changes or deletes
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokictl.lazy import lazy_names

if TYPE_CHECKING:
    from lokictl.sync.apply import Applied
    from lokictl.sync.configuration import Target, load_target, target_names
    from lokictl.sync.errors import SyncError
    from lokictl.sync.plan import Action, Change, Key, Kind, Outcome, Plan, Status
    from lokictl.sync.planner import OnConflict, Options
    from lokictl.sync.rollback import Rollback
    from lokictl.sync.session import Servers, Session

# Imported when asked for: the modules of this package do not need each other.
_MODULES = {
    "Action": "plan",
    "Applied": "apply",
    "Change": "plan",
    "Key": "plan",
    "Kind": "plan",
    "OnConflict": "planner",
    "Options": "planner",
    "Outcome": "plan",
    "Plan": "plan",
    "Rollback": "rollback",
    "Servers": "session",
    "Session": "session",
    "Status": "plan",
    "SyncError": "errors",
    "Target": "configuration",
    "load_target": "configuration",
    "target_names": "configuration",
}

__all__ = [
    "Action",
    "Applied",
    "Change",
    "Key",
    "Kind",
    "OnConflict",
    "Options",
    "Outcome",
    "Plan",
    "Rollback",
    "Servers",
    "Session",
    "Status",
    "SyncError",
    "Target",
    "load_target",
    "target_names",
]

__getattr__ = lazy_names(__name__, _MODULES)
