"""What a check is, and what it is given.

A check is one class with a stable ``name`` ("logql/redundant-filter"), a ``severity``, a one-line ``summary`` and
a page ``docs/checks/<name>.md``.  Its base class says what it looks at; its one method ``check`` yields findings:

=================  ==========================================  ==================================================
base class         called with                                 for each
=================  ==========================================  ==================================================
`QueryCheck`       `Query`                                     LogQL text, wherever it stands (rule, panel, …)
`RuleCheck`        `RuleItem`                                  alerting or recording rule
`GroupCheck`       `GroupItem`                                 rule group
`DashboardCheck`   `DashboardItem`                             dashboard (its JSON model)
`DataSourceCheck`  `DataSourceItem`                            data source (an entry of a provisioning file)
`ManagedRuleCheck` `ManagedRuleItem`                           Grafana-managed rule
`WorkspaceCheck`   `Workspace`                                 run: for checks that compare files with each other
=================  ==========================================  ==================================================

Every item has ``place(…)``, which gives the file, line and column of a part: ``query.place(node)`` for a node of
the parsed expression, ``rule.place("labels", "severity")``, ``dashboard.place("panels", 3, "title")``.
``self.finding(place, message, hint=…)`` makes a finding of the check's name and severity.  ``self.workspace``
has everything else that is linted in this run (`Workspace`: rule files, dashboards, data sources, services,
queries), ``self.settings`` the check's own settings (declared with their defaults in ``options``).

A family is a package ``lokictl.lint.<family>`` whose ``CHECKS`` lists its classes; `lokictl.lint.registry` finds
them there.  Whatever is not certain is ``Severity.INFO`` or ``on_by_default = False``.

Example::

    class RangeBelowInterval(QueryCheck):
        name = "logql/range-below-interval"
        severity = Severity.WARNING
        summary = "a range shorter than the evaluation interval"
        wants = (LogRange,)

        def check(self, query: Query) -> Iterator[Finding]:
            for log_range in query.nodes(LogRange):
                if log_range.range < query.interval:
                    yield self.finding(query.place(log_range), "…", hint="…")
"""

from __future__ import annotations

from lokictl.diagnostics import Place, Severity
from lokictl.lint.check import (
    Check,
    DashboardCheck,
    DataSourceCheck,
    GroupCheck,
    ManagedRuleCheck,
    QueryCheck,
    RuleCheck,
    WorkspaceCheck,
)
from lokictl.lint.findings import Edit, Finding, PathPart, about
from lokictl.lint.items import DashboardItem, DataSourceItem, GroupItem, ManagedRuleItem, RuleItem
from lokictl.lint.loki_client import LokiOptions
from lokictl.lint.query import Query, QueryKind, TextSource
from lokictl.lint.workspace import Workspace

__all__ = [
    "Check",
    "DashboardCheck",
    "DashboardItem",
    "DataSourceCheck",
    "DataSourceItem",
    "Edit",
    "Finding",
    "GroupCheck",
    "GroupItem",
    "LokiOptions",
    "ManagedRuleCheck",
    "ManagedRuleItem",
    "PathPart",
    "Place",
    "Query",
    "QueryCheck",
    "QueryKind",
    "RuleCheck",
    "RuleItem",
    "Severity",
    "TextSource",
    "Workspace",
    "WorkspaceCheck",
    "about",
]
