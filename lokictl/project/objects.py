"""A content project, loaded: plain objects, without what reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, field
from typing import TYPE_CHECKING, Any, Protocol

from lokictl.diagnostics import LokictlError, Problem, suggestion
from lokictl.model.managed_alerts import managed_groups
from lokictl.records import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from lokictl.model import DataSource, Rule, RuleFile, Service
    from lokictl.model.component import Component
    from lokictl.model.contents import FoundAlerting
    from lokictl.model.documents import Cursor
    from lokictl.model.library_panel import LibraryPanel
    from lokictl.model.managed_alerts import ManagedGroup
    from lokictl.model.notifications import Notifications
    from lokictl.model.sample import SampleSource
    from lokictl.project.configuration import Configuration


class Dashboard(Protocol):
    """What counts as a dashboard: `lokictl.grafana.Dashboard`, or anything that looks like it."""

    @property
    def uid(self) -> str: ...
    @property
    def title(self) -> str: ...
    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class JsonDashboard:
    """A dashboard that is plain data: a JSON file, or what grafanalib made."""

    uid: str
    title: str
    data: dict[str, Any] = field(repr=False)
    path: str = ""
    origin: Cursor | None = field(default=None, compare=False, repr=False)
    """Where the model is in its file; None for one that a program made."""

    def to_json(self) -> dict[str, Any]:
        """The dashboard's JSON model."""
        return self.data


@dataclass(frozen=True)
class Project:
    """Everything a content project defines.

    ``problems`` lists what is wrong with it; empty unless it was loaded with ``strict=False``.
    """

    root: Path
    config: Configuration
    services: tuple[Service, ...] = ()
    _: KW_ONLY
    rule_files: tuple[RuleFile, ...] = ()
    dashboards: tuple[Dashboard, ...] = ()
    datasources: tuple[DataSource, ...] = ()
    components: tuple[Component, ...] = ()
    samples: tuple[SampleSource, ...] = ()
    test_files: tuple[Path, ...] = ()
    dashboard_files: dict[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    notifications: Notifications | None = None
    library_panels: tuple[LibraryPanel, ...] = ()
    alerts: tuple[FoundAlerting, ...] = ()

    @property
    def managed_groups(self) -> tuple[ManagedGroup, ...]:
        """The groups of ``alerts``: rules that are written in Grafana's own form."""
        return tuple(group for found in self.alerts for group in managed_groups(found))

    @property
    def name(self) -> str:
        """The project's name: the key ``name``, else the name of its folder."""
        return str(self.config["name"]) or self.root.name

    @property
    def tests(self) -> tuple[Path, ...]:
        """The rule test files."""
        return self.test_files

    @property
    def build_folder(self) -> Path:
        """Where rendered files go by default."""
        return self.root / str(self.config["build"])

    @property
    def rules(self) -> Iterator[Rule]:
        """Every rule of every group."""
        return (rule for file in self.rule_files for group in file.groups for rule in group.rules)

    def service(self, name: str) -> Service:
        """The service called ``name``.  Raises `LokictlError` with the nearest known name."""
        for service in self.services:
            if service.name == name:
                return service
        known = [service.name for service in self.services]
        hint = suggestion(name, known, f"known services: {', '.join(known) or 'none'}")
        raise LokictlError(Problem("project/service", f'unknown service "{name}"', hint=hint))
