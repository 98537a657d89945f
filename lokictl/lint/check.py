"""The base classes of checks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lokictl.diagnostics import Place, Severity
from lokictl.lint.findings import Edit, Finding
from lokictl.lint.items import DashboardItem, DataSourceItem, GroupItem, ManagedRuleItem, RuleItem
from lokictl.lint.query import Query
from lokictl.lint.workspace import Workspace
from lokictl.logql.ast import Node


class Check:
    """Base of all checks; use one of the bases below.

    Not an `ABC`: `isinstance` with 150 subclasses, and their definition, took as long as reading a rule file.

    ``options`` maps the names of the check's settings to their defaults; a project overrides them in
    ``[tool.lokictl.lint.checks."<name>"]``, together with ``severity`` and ``enabled``.  The type of the default
    is the type of the setting.
    """

    name: ClassVar[str]
    severity: ClassVar[Severity]
    summary: ClassVar[str]
    on_by_default: ClassVar[bool] = True
    fixable: ClassVar[bool] = False
    needs_loki: ClassVar[bool] = False
    needs_services: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Any]] = {}
    supersedes: ClassVar[tuple[str, ...]] = ()
    """Checks whose findings about the same item this one tells better."""

    def __init__(
        self,
        workspace: Workspace | None = None,
        settings: Mapping[str, Any] | None = None,
        severity: Severity | None = None,
    ) -> None:
        self.workspace = workspace or Workspace()
        self.settings: dict[str, Any] = {**self.options, **(settings or {})}
        self._severity = severity

    def finding(
        self,
        place: Place,
        message: str,
        *,
        hint: str = "",
        severity: Severity | None = None,
        edit: Edit | None = None,
        item: str = "",
    ) -> Finding:
        """A finding of this check; a severity set by the project wins over ``severity``."""
        return Finding(
            self.name,
            message,
            self._severity or severity or self.severity,
            place.position,
            hint,
            place.source_line,
            edit,
            item,
        )


class QueryCheck(Check):
    """Looks at one LogQL query.

    Only called with queries that parse, unless ``wants_errors``, and that have a node of one of the classes in
    ``wants`` (none: all).
    """

    wants: ClassVar[tuple[type[Node], ...]] = ()
    wants_errors: ClassVar[bool] = False

    @classmethod
    def can_find(cls, kinds: frozenset[type[Node]]) -> bool:
        """Whether a query with nodes of these classes (none: one that does not parse) concerns the check."""
        if not kinds:
            return cls.wants_errors
        return not cls.wants or not kinds.isdisjoint(cls.wants)

    @abstractmethod
    def check(self, query: Query) -> Iterable[Finding]:
        """What is wrong with the query."""


class RuleCheck(Check):
    """Looks at one rule.  ``rule.query.expression`` may be None (`logql/syntax` has told so)."""

    @abstractmethod
    def check(self, rule: RuleItem) -> Iterable[Finding]:
        """What is wrong with the rule."""


class GroupCheck(Check):
    """Looks at one rule group."""

    @abstractmethod
    def check(self, group: GroupItem) -> Iterable[Finding]:
        """What is wrong with the group."""


class DashboardCheck(Check):
    """Looks at one dashboard."""

    @abstractmethod
    def check(self, dashboard: DashboardItem) -> Iterable[Finding]:
        """What is wrong with the dashboard."""


class DataSourceCheck(Check):
    """Looks at one data source."""

    @abstractmethod
    def check(self, datasource: DataSourceItem) -> Iterable[Finding]:
        """What is wrong with the data source."""


class ManagedRuleCheck(Check):
    """Looks at one Grafana-managed rule."""

    @abstractmethod
    def check(self, rule: ManagedRuleItem) -> Iterable[Finding]:
        """What is wrong with the rule."""


class WorkspaceCheck(Check):
    """Looks at everything together."""

    @abstractmethod
    def check(self, workspace: Workspace) -> Iterable[Finding]:
        """What does not fit."""
