"""The base classes of checks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lokictl.diagnostics import Place, Severity
from lokictl.lint.findings import Edit, Finding
from lokictl.lint.items import DashboardItem, DataSourceItem, GroupItem, ManagedRuleItem, RuleItem
from lokictl.lint.query import Part, Query, QueryKind
from lokictl.lint.workspace import Workspace


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


def _has_parts(parts: frozenset[Part], wants: tuple[Part, ...], needs: tuple[Part, ...]) -> bool:
    """Whether a query with these parts has one of those that a check wants (none: any), and all that it needs."""
    return (not wants or not parts.isdisjoint(wants)) and parts.issuperset(needs)


class QueryCheck(Check):
    """Looks at one LogQL query.

    Only called with queries that parse (``only_errors``: that do not); of one of the ``query_kinds`` (none: any); and
    that have one of the parts ``wants`` (none: any) and all of ``needs``.  Parts are classes of nodes, and words as a
    query spells them: operators (``|~``), keywords (``by``) and functions (``rate``); see `Build.words`.
    """

    query_kinds: ClassVar[tuple[QueryKind, ...]] = ()
    wants: ClassVar[tuple[Part, ...]] = ()
    needs: ClassVar[tuple[Part, ...]] = ()
    only_errors: ClassVar[bool] = False

    @classmethod
    def can_find(cls, parts: frozenset[Part], kind: QueryKind) -> bool:
        """Whether a query with these parts (none: one that does not parse) concerns the check."""
        if cls.query_kinds and kind not in cls.query_kinds:
            return False
        return (
            cls.only_errors if not parts else not cls.only_errors and _has_parts(parts, cls.wants, cls.needs)
        )

    @abstractmethod
    def check(self, query: Query) -> Iterable[Finding]:
        """What is wrong with the query."""


class RuleCheck(Check):
    """Looks at one rule.

    Only called with alerts if ``only_alerts``; with rules that have a template in a label or an annotation if
    ``only_templates``; with rules whose expression does not parse if ``only_errors``; and if the expression has one of
    the parts ``wants`` and all of ``needs``, as in `QueryCheck`.  Without those ``rule.query.expression`` may be None
    (`logql/syntax` has told so).
    """

    only_alerts: ClassVar[bool] = False
    only_templates: ClassVar[bool] = False
    only_errors: ClassVar[bool] = False
    wants: ClassVar[tuple[Part, ...]] = ()
    needs: ClassVar[tuple[Part, ...]] = ()

    @classmethod
    def can_find(cls, parts: frozenset[Part], *, is_alert: bool, has_templates: bool) -> bool:
        """Whether a rule whose expression has these parts (none: it does not parse) concerns the check."""
        if (cls.only_alerts and not is_alert) or (cls.only_templates and not has_templates):
            return False
        return not (cls.only_errors and parts) and _has_parts(parts, cls.wants, cls.needs)

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
