"""Everything that is linted in one run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lokictl.diagnostics import Place, Position
from lokictl.lint.dashboard_files import Dashboards
from lokictl.lint.items import DashboardItem, DataSourceItem, GroupItem, ManagedRuleItem, RuleItem
from lokictl.lint.loki_client import LiveLoki, LokiOptions
from lokictl.lint.more_queries import (
    rule_test_documents,
    rule_test_queries,
    source_queries,
    variable_queries,
)
from lokictl.lint.query import Query
from lokictl.lint.schema import Pipeline, Schema, pipelines
from lokictl.logql.versions import DEFAULT
from lokictl.model.contents import FoundAlerting
from lokictl.model.documents import SourceText
from lokictl.model.managed_alerts import read_managed_groups
from lokictl.model.yaml_source import YamlDocument
from lokictl.project.configuration import display_path
from lokictl.records import dataclass

if TYPE_CHECKING:
    from lokictl.model import RuleFile, Service
    from lokictl.project import Project


@dataclass(eq=False)
class Workspace:
    """Everything that is linted in one run.  ``project`` is None for plain files."""

    rule_files: tuple[RuleFile, ...] = ()
    dashboards: Sequence[DashboardItem] = ()
    datasources: tuple[DataSourceItem, ...] = ()
    plain_queries: tuple[Query, ...] = ()
    alerting: tuple[FoundAlerting, ...] = ()
    services: tuple[Service, ...] = ()
    project: Project | None = None
    loki: LokiOptions | None = None
    loki_version: tuple[int, int] = DEFAULT[:2]
    names_a_version: bool = False
    default_interval: int = 60_000_000_000

    @cached_property
    def groups(self) -> tuple[GroupItem, ...]:
        return tuple(GroupItem(group, file) for file in self.rule_files for group in file.groups)

    @cached_property
    def rules(self) -> tuple[RuleItem, ...]:
        return tuple(rule for group in self.groups for rule in group.rules)

    @cached_property
    def datasource_types(self) -> dict[str, str]:
        """uid or name of every known data source -> its type."""
        return {
            str(item.data[key]): str(item.data.get("type", ""))
            for item in self.datasources
            for key in ("uid", "name")
            if item.data.get(key)
        }

    @cached_property
    def managed_rules(self) -> tuple[ManagedRuleItem, ...]:
        """Every Grafana-managed rule."""
        return tuple(
            ManagedRuleItem(rule, group, found.shape, self.datasource_types)
            for found in self.alerting
            for group in read_managed_groups(found)
            for rule in group.rules
        )

    @cached_property
    def rule_and_panel_queries(self) -> tuple[Query, ...]:
        """The LogQL of rules (Grafana-managed ones, too) and dashboards, and plain queries: what ``logql/*`` checks."""
        return (*self.other_queries, *(query for dashboard in self.dashboards for query in dashboard.queries))

    @cached_property
    def other_queries(self) -> tuple[Query, ...]:
        """`rule_and_panel_queries` without those of dashboards."""
        found = [rule.query for rule in self.rules]
        found += [query for rule in self.managed_rules for _, query in rule.queries]
        return (*found, *self.plain_queries)

    @property
    def panel_queries(self) -> int:
        """About how many queries the dashboards have."""
        found = self.dashboards
        return found.queries if isinstance(found, Dashboards) else sum(len(item.queries) for item in found)

    @property
    def dashboard_uids(self) -> Sequence[str]:
        """The uid of each of the dashboards, "" for none."""
        found = self.dashboards
        return found.uids if isinstance(found, Dashboards) else [dashboard.uid for dashboard in found]

    @property
    def root(self) -> Path | None:
        return self.project.root if self.project is not None else None

    @cached_property
    def all_queries(self) -> tuple[Query, ...]:
        """`rule_and_panel_queries`, and those of ``label_values``, trace links, correlations and rule tests.

        What ``stack/*`` checks: the labels and fields of these must exist, too.  Whether they parse is the business of
        the checks of dashboards and data sources.
        """
        return (
            *self.rule_and_panel_queries,
            *(query for dashboard in self.dashboards for query in variable_queries(dashboard)),
            *(query for source in self.datasources for query in source_queries(source)),
            *(query for document in self.rule_tests for query in rule_test_queries(document)),
        )

    @property
    def is_whole_project(self) -> bool:
        """Whether this run looks at everything that the project has, and not at some files, and all could be loaded."""
        project = self.project
        if project is None or self.rule_files is not project.rule_files:
            return False
        return not any(problem.name == "project/import" for problem in project.problems)

    @cached_property
    def rule_tests(self) -> tuple[YamlDocument, ...]:
        """The project's rule test files, where the whole project is linted."""
        if self.project is None or not self.is_whole_project:
            return ()
        return rule_test_documents(self.project.test_files)

    def module_place(self, folder: str, pattern: str, *, first: str = "") -> Place:
        """The first line of the project's modules in the folders of a key ("services") that matches a pattern.

        ``first`` is the name of the module to look into first.  Without such a line: that module, else the
        project's configuration.
        """
        project = self.project
        if project is None:
            return Place(Position())
        files = [
            file
            for name in project.config.folders(folder)
            for file in sorted((project.root / name).rglob("*.py") if (project.root / name).is_dir() else ())
        ]
        files.sort(key=lambda file: file.stem != first)
        for file in files:
            text = file.read_text(encoding="utf-8", errors="replace")
            found = re.search(pattern, text)
            if found:
                source = SourceText(text, display_path(file))
                position = source.position(found.start(), found.end())
                return Place(position, source.line(position.line))
        fallback = next((file for file in files if file.stem == first), project.config.file)
        return Place(Position(display_path(fallback), 1, 1) if fallback is not None else Position())

    @cached_property
    def schema(self) -> Schema:
        """What the services say of labels and fields."""
        return Schema(self.services)

    @cached_property
    def _pipelines(self) -> dict[tuple[int, tuple[str, ...]], tuple[Pipeline, ...]]:
        return {}

    def pipelines(self, query: Query, extra: tuple[str, ...] = ()) -> tuple[Pipeline, ...]:
        """The log queries inside a query, with what the services say of them; empty when it does not parse.

        ``extra`` are further stream labels.
        """
        key = (id(query), extra)
        if key not in self._pipelines:
            expression = query.expression
            found = pipelines(expression, self.schema, extra) if expression is not None else ()
            self._pipelines[key] = tuple(found)
        return self._pipelines[key]

    @cached_property
    def _live(self) -> LiveLoki | None:
        return LiveLoki(self.loki) if self.loki is not None else None

    def live(self) -> Iterator[LiveLoki]:
        """The Loki of the run, as long as it answers; nothing otherwise."""
        if self._live is not None and not self._live.failure[0]:
            yield self._live
