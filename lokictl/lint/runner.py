"""Runs checks over files or over a content project."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator

from lokictl.diagnostics import LokictlError, Severity
from lokictl.lint import suppression
from lokictl.lint.configuration import Settings, settings_from
from lokictl.lint.dashboard_files import Dashboards
from lokictl.lint.interface import (
    Check,
    DashboardCheck,
    DashboardItem,
    DataSourceCheck,
    DataSourceItem,
    Finding,
    GroupCheck,
    GroupItem,
    LokiOptions,
    ManagedRuleCheck,
    QueryCheck,
    QueryKind,
    RuleCheck,
    RuleItem,
    Workspace,
    WorkspaceCheck,
    about,
)
from lokictl.lint.loading import Loaded, as_finding, dashboard_of_project, load_paths, load_text
from lokictl.lint.query import Query
from lokictl.logql.parser import Build
from lokictl.logql.versions import targeting
from lokictl.model.documents import ModuleDocument
from lokictl.parallel import in_processes
from lokictl.project.configuration import display_path
from lokictl.project.objects import JsonDashboard, Project
from lokictl.records import dataclass

WORTH_A_PROCESS = 1_000
"""So many queries, groups and dashboards take longer to check than a process takes to start."""

PARTS = 16
"""Parts of the dashboards for each process: none waits long for the last one."""


@dataclass(frozen=True)
class Report:
    """What a run found, worst first within each file, and what it looked at."""

    findings: tuple[Finding, ...]
    rules: int = 0
    dashboards: int = 0
    datasources: int = 0
    queries: int = 0
    managed_rules: int = 0
    suppressed: int = 0

    def down_to(self, severity: Severity) -> Report:
        """The same report without what is less severe."""
        kept = tuple(finding for finding in self.findings if finding.severity.rank <= severity.rank)
        return dataclasses.replace(self, findings=kept)

    def count(self, severity: Severity) -> int:
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def worst(self) -> Severity | None:
        return min((finding.severity for finding in self.findings), key=lambda item: item.rank, default=None)


def lint(
    target: Project | Iterable[str],
    settings: Settings | None = None,
    *,
    project: Project | None = None,
    loki: LokiOptions | None = None,
    jobs: int = 1,
) -> Report:
    """Lints a content project, or files and folders (``-``: standard input).

    ``settings`` default to the project's own; ``project`` gives the services that files are compared with; ``loki``
    turns on the checks that ask a server; ``jobs`` processes share the work where there is much.  Raises
    `LokictlError` for paths that do not exist and for wrong settings; whatever is wrong with the files themselves is a
    finding.
    """
    if isinstance(target, Project):
        settings = settings or settings_from(target.config)
        with targeting(settings.parses_as):
            workspace, loaded = project_workspace(target)
            return _finish(workspace, loaded, settings, loki, jobs)
    settings = settings or (settings_from(project.config) if project is not None else Settings())
    with targeting(settings.parses_as):
        # Checks that compare queries of all files with a server or with services look at every query again.
        keeps = project is not None or loki is not None
        loaded = load_paths(target, excluded=settings.excluded, keeps_dashboards=keeps)
        workspace = files_workspace(loaded, project)
        return _finish(workspace, loaded, settings, loki, jobs)


def lint_text(
    text: str, file: str, settings: Settings | None = None, *, project: Project | None = None
) -> Report:
    """Lints a string as if it were the content of a file with that name."""
    loaded = Loaded()
    settings = settings or (settings_from(project.config) if project is not None else Settings())
    with targeting(settings.parses_as):
        load_text(text, file, loaded)
        return _finish(files_workspace(loaded, project), loaded, settings, None)


def files_workspace(loaded: Loaded, project: Project | None = None) -> Workspace:
    """What plain files hold; services and data source types come from ``project``."""
    types = _types(loaded.datasources)
    if project is not None:
        types = {**_types(_project_datasources(project)), **types}
    return Workspace(
        tuple(loaded.rule_files),
        Dashboards(loaded.dashboards, types),
        tuple(loaded.datasources),
        tuple(loaded.queries),
        tuple(loaded.alerting),
        project.services if project is not None else (),
        project,
    )


def project_workspace(project: Project) -> tuple[Workspace, Loaded]:
    """Everything that a content project defines, and what was wrong when it was loaded."""
    loaded = Loaded(findings=[as_finding(problem) for problem in project.problems])
    datasources = _project_datasources(project)
    types = _types(datasources)
    dashboards = []
    for dashboard in project.dashboards:
        file = project.dashboard_files.get(dashboard.uid, "")
        try:
            data = dashboard.to_json()
        except LokictlError as error:
            loaded.findings += [as_finding(problem) for problem in error.problems]
            continue
        item = dashboard_of_project(dashboard, data, file)
        dashboards.append(dataclasses.replace(item, datasource_types=types))
    for panel in project.library_panels:
        data, cursor = panel.as_dashboard()
        item = dashboard_of_project(
            JsonDashboard(panel.uid, panel.name, data, panel.path, cursor), data, panel.path
        )
        dashboards.append(dataclasses.replace(item, datasource_types=types))
    workspace = Workspace(
        project.rule_files,
        tuple(dashboards),
        tuple(datasources),
        (),
        project.alerts,
        project.services,
        project,
    )
    return workspace, loaded


def _project_datasources(project: Project) -> list[DataSourceItem]:
    items = []
    for source in project.datasources:
        if source.origin is not None:
            cursor, file = source.origin, source.origin.document.source.file
            items.append(DataSourceItem(cursor.value, cursor.document, cursor.path, file, source))
            continue
        module = next(
            (
                display_path(project.root / folder / name)
                for folder in project.config.folders("datasources")
                for name in (f"{source.uid}.py", f"{source.type}.py")
                if (project.root / folder / name).is_file()
            ),
            "",
        )
        data = source.to_provisioning()
        items.append(DataSourceItem(data, ModuleDocument.of(data, module), (), module, source))
    return items


def _types(datasources: Iterable[DataSourceItem]) -> dict[str, str]:
    return {
        str(item.data[key]): str(item.data.get("type", ""))
        for item in datasources
        for key in ("uid", "name")
        if item.data.get(key)
    }


def _finish(
    workspace: Workspace, loaded: Loaded, settings: Settings, loki: LokiOptions | None, jobs: int = 1
) -> Report:
    workspace.loki = loki
    workspace.loki_version = settings.loki_version
    workspace.names_a_version = settings.names_a_version
    workspace.default_interval = settings.interval
    checks = [check for check in settings.build(workspace) if _can_run(check, workspace)]
    listed, queries = _findings(workspace, checks, jobs)
    found = _without_superseded([*loaded.findings, *listed], checks)
    found = [finding for finding in found if settings.shows(finding.name, finding.position.file)]
    kept, comments = suppression.apply(found, loaded.texts)
    suppressed = len(found) - len(kept)
    ran = {check.name for check in checks}
    kept += suppression.problems_of(comments)
    kept += suppression.unused(comments, ran)
    return Report(
        tuple(sorted(dict.fromkeys(kept), key=_order)),
        rules=len(workspace.rules),
        managed_rules=len(workspace.managed_rules),
        dashboards=len(workspace.dashboards),
        datasources=len(workspace.datasources),
        queries=queries,
        suppressed=suppressed,
    )


def _without_superseded(found: list[Finding], checks: list[Check]) -> list[Finding]:
    better = {check.name: check.supersedes for check in checks if check.supersedes}
    told = {
        (finding.position.file, finding.item, name)
        for finding in found
        for name in better.get(finding.name, ())
    }
    return [finding for finding in found if (finding.position.file, finding.item, finding.name) not in told]


def _can_run(check: Check, workspace: Workspace) -> bool:
    if check.needs_loki and workspace.loki is None:
        return False
    return not check.needs_services or bool(workspace.services)


def _order(finding: Finding) -> tuple[str, int, int, int, str]:
    position = finding.position
    return (position.file, position.line, position.column, finding.severity.rank, finding.name)


@dataclass(frozen=True, slots=True)
class _Share:
    """What one process looks at: some of the queries outside of dashboards, of the rule groups, of the dashboards."""

    queries: range
    groups: range
    dashboards: range


@dataclass(frozen=True, slots=True)
class _Found:
    """The findings about a share, and the number of queries in its dashboards."""

    queries: list[Finding]
    groups: list[Finding]
    panels: list[Finding]
    dashboards: list[Finding]
    count: int


def _findings(workspace: Workspace, checks: list[Check], jobs: int) -> tuple[list[Finding], int]:
    """The findings of all checks, in the order of queries, rules, dashboards and the rest; the number of queries."""
    shares = _shares(workspace, jobs)
    found = list(in_processes(functools.partial(_look_at, workspace, checks), shares, jobs))
    listed = [
        finding
        for kind in ("queries", "panels", "groups", "dashboards")
        for share in found
        for finding in getattr(share, kind)
    ]
    listed += _other_findings(workspace, checks)
    return listed, len(workspace.other_queries) + sum(share.count for share in found)


def _shares(workspace: Workspace, jobs: int) -> list[_Share]:
    """The work in parts, where it is worth sharing."""
    queries, groups, dashboards = workspace.other_queries, workspace.groups, workspace.dashboards
    size = len(queries) + len(groups) + len(dashboards) + workspace.panel_queries
    # What a process has parsed is not there in the others, and what asks a server is best asked by one.
    count = min(jobs, size // WORTH_A_PROCESS) if workspace.loki is None else 1
    if count <= 1:
        return [_Share(range(len(queries)), range(len(groups)), range(len(dashboards)))]
    none = range(0)
    shares = [_Share(_part(len(queries), n, count), _part(len(groups), n, count), none) for n in range(count)]
    # Dashboards differ in size.
    parts = min(len(dashboards), count * PARTS)
    return shares + [_Share(none, none, _part(len(dashboards), n, parts)) for n in range(parts)]


def _part(size: int, number: int, count: int) -> range:
    return range(size * number // count, size * (number + 1) // count)


def _look_at(workspace: Workspace, checks: list[Check], share: _Share) -> _Found:
    plan = _Plan(checks)
    panels: list[Finding] = []
    dashboards: list[Finding] = []
    count = 0
    for index in share.dashboards:
        dashboard = workspace.dashboards[index]
        panels += _query_findings(dashboard.queries, plan)
        dashboards += _dashboard_findings(dashboard, plan)
        count += len(dashboard.queries)
    return _Found(
        list(_query_findings(workspace.other_queries[share.queries.start : share.queries.stop], plan)),
        list(_rule_findings(workspace.groups[share.groups.start : share.groups.stop], plan)),
        panels,
        dashboards,
        count,
    )


class _Plan:
    """The checks by what they look at.  Most queries are built alike: which checks of them can find something is worked
    out once for each build.
    """

    def __init__(self, checks: list[Check]) -> None:
        self.groups = [check for check in checks if isinstance(check, GroupCheck)]
        self.dashboards = [check for check in checks if isinstance(check, DashboardCheck)]
        self._queries = [check for check in checks if isinstance(check, QueryCheck)]
        self._rules = [check for check in checks if isinstance(check, RuleCheck)]
        self._of_queries: dict[tuple[Build | None, QueryKind], list[QueryCheck]] = {}
        self._of_rules: dict[tuple[Build | None, bool, bool], list[RuleCheck]] = {}

    def of_query(self, query: Query) -> list[QueryCheck]:
        """The checks that can find something in a query."""
        key = query.build, query.kind
        chosen = self._of_queries.get(key)
        if chosen is None:
            chosen = [check for check in self._queries if check.can_find(query.parts, query.kind)]
            self._of_queries[key] = chosen
        return chosen

    def of_rule(self, rule: RuleItem) -> list[RuleCheck]:
        """The checks that can find something in a rule."""
        key = rule.query.build, rule.is_alert, bool(rule.templates)
        chosen = self._of_rules.get(key)
        if chosen is None:
            chosen = [
                check
                for check in self._rules
                if check.can_find(rule.query.parts, is_alert=key[1], has_templates=key[2])
            ]
            self._of_rules[key] = chosen
        return chosen


def _query_findings(found: Iterable[Query], plan: _Plan) -> Iterator[Finding]:
    for query in found:
        for check in plan.of_query(query):
            for finding in check.check(query):
                yield about(query.item, finding)


def _rule_findings(found: Iterable[GroupItem], plan: _Plan) -> Iterator[Finding]:
    for group in found:
        for group_check in plan.groups:
            for finding in group_check.check(group):
                yield about(group.item, finding)
        for rule in group.rules:
            for rule_check in plan.of_rule(rule):
                for finding in rule_check.check(rule):
                    yield about(rule.item, finding)


def _dashboard_findings(dashboard: DashboardItem, plan: _Plan) -> Iterator[Finding]:
    for check in plan.dashboards:
        for finding in check.check(dashboard):
            yield about(dashboard.item, finding)


def _other_findings(workspace: Workspace, checks: list[Check]) -> Iterator[Finding]:
    for check in checks:
        if isinstance(check, DataSourceCheck):
            for datasource in workspace.datasources:
                for finding in check.check(datasource):
                    yield about(datasource.item, finding)
        elif isinstance(check, ManagedRuleCheck):
            for rule in workspace.managed_rules:
                for finding in check.check(rule):
                    yield about(rule.item, finding)
        elif isinstance(check, WorkspaceCheck):
            yield from check.check(workspace)
