"""A project, a Grafana and a Loki to sync, all in this process."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lokictl.http import Access, HttpClient
from lokictl.model import DataSource, RuleFile, RuleGroup
from lokictl.model.contents import contents_of
from lokictl.model.library_panel import LibraryPanel
from lokictl.model.notifications import Notifications
from lokictl.model.yaml_source import load_documents
from lokictl.model.yaml_writer import dump_yaml
from lokictl.project import Configuration, JsonDashboard, Project
from lokictl.sync.apply import Applied
from lokictl.sync.backup import read_backups
from lokictl.sync.configuration import Target, load_target
from lokictl.sync.desired import desired_state
from lokictl.sync.plan import Plan
from lokictl.sync.planner import OnConflict, Options
from lokictl.sync.rollback import Rollback
from lokictl.sync.session import Servers, Session, only_named, only_server
from tests.sync.fakes.grafana import FakeGrafana
from tests.sync.fakes.http import Adapter, Server
from tests.sync.fakes.ruler import FakeRuler

TENANT = "team-a"


def rule_group(name: str, *rules: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"name": name, **keys, "rules": list(rules)}


def alert(name: str, expr: str = "vector(1)", **keys: Any) -> dict[str, Any]:
    return {"alert": name, "expr": expr, **keys}


@dataclass
class World:
    """``dashboards`` by uid, ``groups`` by namespace: change them, and the project has changed."""

    root: Path
    version: str = "12.2.0"
    namespaces: tuple[str, ...] | None = ("own", "own-*")
    jobs: int = 4
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, DataSource] = field(default_factory=dict)
    groups: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    project_id: str = ""
    name: str = "shop"
    folders: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    panels: dict[str, LibraryPanel] = field(default_factory=dict)
    notifications: Notifications | None = None
    alerts: str = ""

    def __post_init__(self) -> None:
        self.grafana = FakeGrafana(self.version)
        self.ruler = FakeRuler()
        self.grafana_server = Server(self.grafana)
        self.loki_server = Server(self.ruler)
        self.adapter = Adapter({"grafana": self.grafana_server, "loki": self.loki_server})

    @property
    def servers(self) -> tuple[Server, Server]:
        return self.grafana_server, self.loki_server

    def configuration(self) -> Configuration:
        loki: dict[str, Any] = {"url": "http://loki", "tenants": [TENANT]}
        if self.namespaces is not None:
            loki["namespaces"] = list(self.namespaces)
        target = {"grafana": {"url": "http://grafana"}, "loki": loki, "environment": self.environment}
        table = {
            key: value
            for key, value in {**target, **self.tables.get("target", {})}.items()
            if value is not None
        }
        known = {"name": self.name, "id": self.project_id, "targets": {"test": table}}
        known |= {key: self.tables[key] for key in ("alert_folders",) if key in self.tables}
        return Configuration(self.root, None, {**known, "sync": self.tables.get("sync", {})})

    def without_grafana(self) -> None:
        self.tables["target"] = {"grafana": None}

    def project(self) -> Project:
        dashboards = tuple(self._dashboard(uid, body) for uid, body in self.dashboards.items())
        files = tuple(
            RuleFile(namespace, tuple(RuleGroup.from_yaml(dump_yaml(group)) for group in groups))
            for namespace, groups in self.groups.items()
        )
        return Project(
            self.root,
            self.configuration(),
            rule_files=files,
            dashboards=dashboards,
            library_panels=tuple(self.panels.values()),
            dashboard_files={uid: str(self.root / file) for uid, file in self.files.items()},
            datasources=tuple(self.sources.values()),
            notifications=self.notifications,
            alerts=tuple(
                found
                for document in load_documents(self.alerts, "alerts/a.yaml")
                for found in contents_of(document).alerting
            ),
        )

    def _dashboard(self, uid: str, body: dict[str, Any]) -> Any:
        made = JsonDashboard(uid, str(body.get("title", "")), copy.deepcopy({"uid": uid, **body}))
        if uid not in self.folders:
            return made
        attributes = {"uid": uid, "title": made.title, "to_json": made.to_json, "folder": self.folders[uid]}
        return SimpleNamespace(**attributes)

    def client(self, target: Target, read_only: bool = False) -> Any:
        def new(access: Access) -> HttpClient:
            return HttpClient(
                access,
                target.redactor,
                timeout=1.0,
                attempts=3,
                sleep=lambda seconds: None,
                read_only=read_only,
                adapter=self.adapter,
            )

        return new

    def session(
        self,
        *,
        prune: bool = False,
        allow_empty: bool = False,
        on_conflict: str = "fail",
        read_only: bool = False,
        only: str | None = None,
        strict: bool = False,
        names: tuple[str, ...] = (),
    ) -> Session:
        project = self.project()
        target = only_named(only_server(load_target(project.config), only), names)
        servers = Servers(target, self.jobs, new_client=self.client(target, read_only))
        return Session(project, target, servers, Options(prune, allow_empty, OnConflict(on_conflict)), strict)

    def plan(self, **options: Any) -> Plan:
        return self.session(read_only=True, **options).plan()

    def sync(self, **options: Any) -> Applied:
        session = self.session(**options)
        return session.apply(session.plan())

    def rollback(self, name: str = "", on_conflict: str = "fail") -> tuple[Plan, Applied | None]:
        project = self.project()
        target = load_target(project.config)
        servers = Servers(target, self.jobs, new_client=self.client(target))
        backups = read_backups(self.root, name, target)
        resources = desired_state(project, target).resources
        secrets = {key: resource.secrets for key, resource in resources.items() if resource.secrets}
        rollback = Rollback(self.root, target, servers, backups, OnConflict(on_conflict), secrets)
        plan = rollback.plan()
        return plan, rollback.apply(plan)

    def forget_requests(self) -> None:
        for server in self.servers:
            server.log.clear()
            server.seen.clear()

    def requests(self, *, writes: bool = False) -> list[tuple[str, str]]:
        return [entry for server in self.servers for entry in (server.writes() if writes else server.log)]


def actions(plan: Plan) -> dict[str, str]:
    """Action by resource, the unchanged left out."""
    return {str(c.key): c.action.value for c in plan.changes if c.action.value != "unchanged"}


def lines(plan: Plan) -> list[str]:
    from lokictl.sync.report import plan_lines

    return list(plan_lines(plan))
