"""The desired state: what a project should look like on a target."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import LokictlError, Position, Problem, Severity
from lokictl.model.dashboard_schema import lost_in_classic, to_v2
from lokictl.model.dashboards import written_as_v2
from lokictl.model.datasource import Reference, references, resolve
from lokictl.model.managed_translation import TranslationOptions, translate
from lokictl.model.uids import UID, slug
from lokictl.project.folders import ROOT_FOLDER, Folder, FolderTree
from lokictl.records import dataclass
from lokictl.secrets import Secret
from lokictl.sync.configuration import (
    GrafanaTarget,
    LokiTarget,
    Target,
    matches,
)
from lokictl.sync.normal_form import alert_group, rule_group
from lokictl.sync.notifications import notification_resources, policy_problems, unknown_secrets
from lokictl.sync.plan import Key, Kind, Resource
from lokictl.sync.record import mark_tag, record_key

if TYPE_CHECKING:
    from lokictl.model import DataSource, RuleFile, RuleGroup
    from lokictl.model.library_panel import LibraryPanel
    from lokictl.model.managed_alerts import ManagedGroup
    from lokictl.project import Project


NOTIFICATION_KEYS = ("contactPoints", "policies", "muteTimes", "templates")


@dataclass(slots=True)
class Desired:
    """The desired resources in the order of their application, and what could not be done as asked.

    ``named_folders`` are the uids of folders that were made from their titles.
    """

    resources: dict[Key, Resource] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    named_folders: frozenset[str] = frozenset()

    def with_folder(self, old: str, new: str) -> Desired:
        """The same with ``new`` as the uid of the folder that was ``old``."""
        moved: dict[Key, Resource] = {}
        for key, resource in self.resources.items():
            folder = new if resource.folder == old else resource.folder
            if key.kind is Kind.ALERT_GROUP and key.namespace == old:
                key = dataclasses.replace(key, namespace=new)
                resource = dataclasses.replace(resource, key=key)
            if key.kind is Kind.FOLDER and key.name == old:
                key = Key(Kind.FOLDER, new)
                body = {**resource.body, "uid": new}
                resource = dataclasses.replace(resource, key=key, body=body)
            moved[key] = (
                resource if resource.folder == folder else dataclasses.replace(resource, folder=folder)
            )
        return Desired(moved, self.warnings, self.named_folders - {old})

    def as_classic(self) -> Desired:
        """The same for a Grafana that does not serve schema v2; warnings say what is lost."""
        resources, warnings = dict(self.resources), list(self.warnings)
        for key, resource in self.resources.items():
            if resource.classic is None:
                continue
            lost = ", ".join(lost_in_classic(resource.body))
            note = f"; lost: {lost}" if lost else ""
            warnings.append(
                f'dashboard "{resource.title}" is uploaded as a classic one, which this Grafana reads{note}'
            )
            resources[key] = dataclasses.replace(resource, body=resource.classic, schema="", classic=None)
        return Desired(resources, warnings, self.named_folders)

    def of(self, *kinds: Kind) -> list[Resource]:
        """The resources of these kinds."""
        return [resource for key, resource in self.resources.items() if key.kind in kinds]


def desired_state(project: Project, target: Target) -> Desired:
    """Everything that ``project`` wants on ``target``.  Raises `LokictlError` where Grafana would refuse it."""
    collector = _Collector(project, target)
    if target.grafana is not None and target.only != "loki":
        collector.grafana(target.grafana)
    if target.loki is not None and target.only != "grafana":
        collector.loki(target.loki)
    if collector.problems:
        raise LokictlError(collector.problems)
    collector.desired.named_folders = frozenset(collector.tree.named)
    return collector.desired


class _Collector:
    def __init__(self, project: Project, target: Target) -> None:
        self.project, self.target = project, target
        self.desired = Desired()
        self.problems: list[Problem] = []
        self.tree = FolderTree(project)

    def grafana(self, grafana: GrafanaTarget) -> None:
        self.tree = self._folder_tree()
        dashboards = [self._dashboard(item) for item in self.project.dashboards]
        sources = [self._data_source(item) for item in self.project.datasources]
        panels = [self._library_panel(panel) for panel in self.project.library_panels]
        alerts = self._alert_groups()
        self._folders({resource.folder for resource in (*dashboards, *panels, *alerts)} - {""})
        for resource in (*sources, *panels, *dashboards, *self._notifications(), *alerts):
            self._add(resource)

    def _folders(self, used: set[str]) -> None:
        """The folders that dashboards are in, with all that these are in."""
        known = self.tree.folders
        waiting = sorted(used)
        done: set[str] = set()
        while waiting:
            uid = waiting.pop(0)
            if uid in done or uid not in known or uid == ROOT_FOLDER:
                continue
            done.add(uid)
            folder = known[uid]
            self._add(self._folder(uid, folder))
            waiting.append(folder.parent)

    def _folder_tree(self) -> FolderTree:
        """The project's folders, below the target's own."""
        tree, target = FolderTree.of(self.project), self.target
        if target.folder_uid:
            parent = tree.at(target.folder_path)
            tree.folders[target.folder_uid] = Folder(target.folder_title, parent, target.folder_permissions)
        tree.base = target.folder_uid
        return tree

    def _folder(self, uid: str, folder: Folder) -> Resource:
        body: dict[str, Any] = {"uid": uid, "title": folder.title}
        if folder.permissions is not None:
            body["permissions"] = dict(folder.permissions)
        return Resource(Key(Kind.FOLDER, uid), folder.title, body, folder.parent)

    def _dashboard(self, dashboard: Any) -> Resource:
        body = dict(dashboard.to_json())
        title = str(body.get("title") or dashboard.title or "")
        uid = str(body.get("uid") or dashboard.uid or "") or slug(title)
        source = self.project.dashboard_files.get(dashboard.uid, "")
        place = Position(source)
        if not title.strip():
            self._problem(f'the dashboard "{uid}" has no title; Grafana refuses that', place)
        if not UID.match(uid):
            hint = f'for example "{slug(uid)}"'
            message = f'"{uid}" cannot be the uid of a dashboard: 1 to 40 of A-Z a-z 0-9 - _'
            self._problem(message, place, hint)
        if uid == record_key(self.target).name:
            self._problem(f'the uid "{uid}" is taken by lokictl\'s own record', place)
        for key in ("id", "version", "iteration"):
            body.pop(key, None)
        body.update(uid=uid, title=title, tags=self._marked(body.get("tags")))
        folder = self.tree.of_dashboard(uid, dashboard, source)
        spec = written_as_v2(getattr(dashboard, "origin", None))
        if spec is None and self.target.schema == "v2" and hasattr(dashboard, "to_v2"):
            spec = dashboard.to_v2()
        if spec is None and self.target.schema != "v2":
            return Resource(Key(Kind.DASHBOARD, uid), title, body, folder, source)
        new = {**(spec if spec is not None else to_v2(body)), "title": title}
        new["tags"] = self._marked(new.get("tags"))
        return Resource(Key(Kind.DASHBOARD, uid), title, new, folder, source, schema="v2", classic=body)

    def _marked(self, tags: Any) -> list[str]:
        mark = mark_tag(self.target)
        found = [str(tag) for tag in tags or []]
        return [*found, *([] if mark in found else [mark])]

    def _library_panel(self, panel: LibraryPanel) -> Resource:
        if not UID.match(panel.uid):
            hint = f'for example "{slug(panel.uid)}"'
            self._problem(f'"{panel.uid}" cannot be the uid of a library panel', Position(panel.path), hint)
        body = {"uid": panel.uid, "name": panel.name, "model": dict(panel.model)}
        key = Key(Kind.LIBRARY_PANEL, panel.uid)
        return Resource(key, panel.name, body, self.target.folder_uid, panel.path)

    def _data_source(self, source: DataSource) -> Resource:
        if not UID.match(source.uid):
            hint = f'for example "{slug(source.uid)}"'
            self._problem(f'"{source.uid}" cannot be the uid of a data source', Position(), hint)
        known = {**_from_process(source), **self.target.environment}
        body = source.with_environment(known)
        if source.correlations:
            self.desired.warnings.append(
                f'data source "{source.name}": its correlations are not uploaded; Grafana takes them from the '
                "files of `lokictl render`"
            )
        for key in ("editable", "secureJsonData"):
            body.pop(key, None)
        self._check_resolved(source, known)
        return Resource(
            Key(Kind.DATA_SOURCE, source.uid), body["name"], body, secrets=self._secrets(source, known)
        )

    def _check_resolved(self, source: DataSource, known: Mapping[str, str]) -> None:
        """Nothing is uploaded with a hole in it where a variable should be."""
        entry = dict(source.to_provisioning())
        for key in ("secureJsonData", "correlations"):
            entry.pop(key, None)
        for reference in _unresolved(entry, source, known):
            variable = f'{self.target.section()} environment = {{ {reference.name} = "…" }}'
            hint = f"set it in the environment, or in the target: {variable}"
            if not reference.name.isidentifier():
                hint = "Grafana takes $ for the beginning of a variable; write $$ for the character itself"
            message = f'data source "{source.name}": {_shown(reference)} is not set'
            self._problem(message, Position(), hint)

    def _secrets(self, source: DataSource, known: Mapping[str, str]) -> dict[str, Secret]:
        filled = source.with_environment(known).get("secureJsonData", {})
        found: dict[str, Secret] = {}
        unset: list[str] = []
        for name, text in source.secure_json_data.items():
            missing = [_shown(reference) for reference in _unresolved(text, source, known)]
            unset += missing
            # An empty password is never sent: it would wipe out the one that Grafana has.
            if filled.get(name) and not missing:
                value = Secret(f"data source {source.uid}:{name}", str(filled[name]))
                found[name] = self.target.redactor.add(value, credential=False)
        if unset:
            names = ", ".join(sorted(set(unset)))
            self.desired.warnings.append(
                f'data source "{source.name}": {names} not set, so Grafana keeps the secret that it has'
            )
        return found

    def _of_home(self, home: str) -> list[RuleFile]:
        """The project's rule files with only the groups that the ruler ("loki") or Grafana evaluates."""
        default = self.target.alerting or str(self.project.config["alerting"])
        files = []
        for file in self.project.rule_files:
            groups = tuple(group for group in file.groups if group.home(default) == home)
            if groups or (home == "loki" and not file.groups):
                files.append(dataclasses.replace(file, groups=groups))
        return files

    def _alert_groups(self) -> list[Resource]:
        """The groups that Grafana evaluates, in the target's folder; what cannot be translated is a problem."""
        files = self._of_home("grafana")
        loki = next((source.uid for source in self.project.datasources if source.type == "loki"), "loki")
        translation = translate(files, TranslationOptions(loki, folder_of=self._alert_folder))
        for problem in translation.problems:
            if problem.severity == Severity.ERROR:
                self.problems.append(problem)
            else:
                self.desired.warnings.append(f"{problem.position}: {problem.message}")
        found = []
        for group in (*translation.groups, *self._written_groups()):
            key = Key(Kind.ALERT_GROUP, group.name, group.folder_uid)
            body = alert_group(group.to_api())
            body |= self.target.provenance
            source = group.origin.document.source.file if group.origin is not None else ""
            found.append(Resource(key, group.name, body, group.folder_uid, source))
        return found

    def _written_groups(self) -> Iterator[ManagedGroup]:
        """The groups that the project has in Grafana's own form, in the folders that they name."""
        for group in self.project.managed_groups:
            grafana = self.target.grafana
            own = (grafana.organisation or 1) if grafana is not None else 1
            if group.org_id not in (1, own):
                self.desired.warnings.append(
                    f'alert group "{group.name}" is of organization {group.org_id}, and the target of {own}: left out'
                )
                continue
            uid = self.tree.of_written_alerts(group)
            if not uid:
                position = group.origin.position() if group.origin is not None else Position()
                self._problem(f'the group "{group.name}" needs a folder in Grafana', position)
            yield group.in_place(group.folder, uid)
        others = {found.shape for found in self.project.alerts} & {
            "contact-point",
            "policy",
            "mute-timing",
            "template",
        }
        settings = any(
            found.shape == "provisioning" and any(found.cursor.child(key).value for key in NOTIFICATION_KEYS)
            for found in self.project.alerts
        )
        if others or settings:
            self.desired.warnings.append(
                "contact points, policies, mute timings and templates in files are not uploaded; `lokictl pull` and "
                "docs/alerting.md make Notifications of them"
            )

    def _alert_folder(self, namespace: str, group: RuleGroup) -> tuple[str, str]:
        """(title, uid) of the folder of an alert group."""
        uid = self.tree.of_alerts(namespace, group.name, group.folder)
        if not uid:
            message = f'the group "{group.name}" needs a folder in Grafana: name one for the target, or for the group'
            self._problem(message, group.origin.position())
        return self.tree.folders[uid].title if uid in self.tree.folders else "", uid

    def _notifications(self) -> list[Resource]:
        """Who is notified of what, where the target says that this is the project's."""
        notifications = self.project.notifications
        if not self.target.notifications:
            return []
        if notifications is None:
            self.desired.warnings.append(
                f"target {self.target.name}: notifications = true, but the project has no Notifications"
            )
            return []
        for problem in policy_problems(notifications, self.target.policies):
            self._problem(problem, Position())
        for point in notifications.contact_points:
            unset = unknown_secrets(point, self.target)
            if unset:
                self.desired.warnings.append(
                    f'contact point "{point.name}": {", ".join(unset)} not set, so Grafana keeps the secret that it has'
                )
        return list(notification_resources(notifications, self.target))

    def loki(self, loki: LokiTarget) -> None:
        for file in self._of_home("loki"):
            tenants = self._tenants(loki, file)
            if not tenants and file.groups:
                named = f" (tenant {file.tenant})" if file.tenant else ""
                self.desired.warnings.append(
                    f'rules "{file.namespace}"{named}: no tenant of the target {self.target.name} takes them'
                )
            for tenant in tenants:
                for group in file.groups:
                    self._group(file, group.to_dict(), tenant)

    def _tenants(self, loki: LokiTarget, file: RuleFile) -> list[str]:
        return [
            tenant
            for tenant, patterns in loki.tenants.items()
            if matches(file.namespace, patterns) and file.tenant in ("", tenant)
        ]

    def _group(self, file: RuleFile, body: dict[str, Any], tenant: str) -> None:
        name = str(body.get("name", ""))
        key = Key(Kind.RULE_GROUP, name, file.namespace, tenant)
        self._add(Resource(key, name, rule_group(body), source=file.path))

    def _add(self, resource: Resource) -> None:
        if resource.key in self.desired.resources:
            other = self.desired.resources[resource.key].source
            hint = f"the other is in {other}" if other else ""
            self._problem(f"{resource.key} exists twice in the project", Position(resource.source), hint)
        self.desired.resources[resource.key] = resource

    def _problem(self, message: str, position: Position, hint: str = "") -> None:
        self.problems.append(Problem("sync/project", message, position=position, hint=hint))


def _unresolved(value: Any, source: DataSource, known: Mapping[str, str]) -> list[Reference]:
    environment = {**source.environment, **known}
    return [reference for reference in references(value) if resolve(reference, environment) is None]


def _shown(reference: Reference) -> str:
    return reference.name if reference.source == "env" else f"$__{reference.source}{{{reference.name}}}"


def _from_process(source: DataSource) -> dict[str, str]:
    """What this process's environment has of the variables, as a Grafana started here would see it."""
    names = {
        reference.name for reference in references(source.to_provisioning()) if reference.source == "env"
    }
    return {name: os.environ[name] for name in names if os.environ.get(name)}
