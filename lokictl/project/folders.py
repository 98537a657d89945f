"""The Grafana folders that a project's dashboards and alerts are in, the same for sync and for every output.

A folder is known by its uid.  One that the configuration names has the uid that is there; one that is named by its
titles (``Platform/Loki``) gets a uid made from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import LokictlError, Problem
from lokictl.model.uids import UID, slug
from lokictl.records import dataclass

if TYPE_CHECKING:
    from lokictl.model.managed_alerts import ManagedGroup
    from lokictl.project.configuration import Configuration
    from lokictl.project.objects import Project

ROOT_FOLDER = "general"
"""What Grafana calls the place of dashboards without a folder; no folder can have that title."""

ALERT_FOLDERS = ("project", "namespace")
# Admins may always do everything; Grafana refuses to list them.
ROLES = ("Viewer", "Editor")
PERMISSIONS = ("View", "Edit", "Admin")
_KEYS = {"title", "parent", "dashboards", "alerts", "permissions"}


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder: its title, the uid of the one it is in ("" for none), and who may do what in it.

    ``permissions`` (by role, ``team:NAME`` or ``user:LOGIN``) are None where they are not kept here.
    """

    title: str
    parent: str = ""
    permissions: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class FolderRule:
    """``[tool.lokictl.sync.folders.<uid>]``: which dashboards and alert groups go to a folder of their own.

    ``dashboards`` are uids, ``alerts`` namespaces or ``namespace/group``; ``*`` matches anything.
    """

    uid: str
    folder: Folder
    dashboards: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()


def folder_parts(path: str) -> tuple[str, ...]:
    """The titles of the folders on a path: ``Platform/Loki`` is the folder Loki in the folder Platform.

    Empty for Grafana's root, which is written ``General``.
    """
    parts = tuple(part for part in (part.strip() for part in path.split("/")) if part)
    return () if len(parts) == 1 and parts[0].casefold() == ROOT_FOLDER else parts


def folders_from_directories(project: Project) -> bool:
    """Whether the directory of a dashboard's file names its folder (``folders_from_directories`` in ``[sync]``)."""
    return bool(project.config.table("sync").get("folders_from_directories", False))


def directory_below(project: Project, source: str) -> str:
    """The directories between the project's folder of dashboards and a file of it, as a path of titles."""
    file = (Path.cwd() / source).resolve()
    for folder in project.config.folders("dashboards"):
        try:
            return "/".join(file.relative_to((project.root / folder).resolve()).parts[:-1])
        except ValueError:
            continue
    return ""


def wrong_permissions(value: Any) -> Iterator[str]:
    """What is wrong with the permissions of a folder as they are written."""
    if not isinstance(value, Mapping):
        yield 'permissions must be a table such as { Viewer = "View", "team:Backend" = "Edit" }'
        return
    for who, what in value.items():
        kind, _, name = str(who).partition(":")
        if not (who in ROLES or (kind in ("team", "user") and name)):
            yield f'permissions: "{who}" must be Viewer, Editor, team:NAME or user:LOGIN'
        if what not in PERMISSIONS:
            yield f'permissions: "{who}" must be one of {", ".join(PERMISSIONS)}, not {what}'


def folder_rules(configuration: Configuration) -> list[FolderRule]:
    """The folders that the configuration names.  Raises `LokictlError`."""
    rules: list[FolderRule] = []
    problems: list[Problem] = []
    for uid, table in dict(configuration.table("sync").get("folders", {})).items():
        position = configuration.position("sync", "folders", uid)
        for message, hint in _rule_problems(uid, table):
            problems.append(Problem("sync/folders", message, position=position, hint=hint))
        if not isinstance(table, dict):
            continue
        title, parent = str(table.get("title", "")), str(table.get("parent", ""))
        patterns = [
            tuple(str(item) for item in table.get(key, []) if isinstance(table.get(key), list))
            for key in ("dashboards", "alerts")
        ]
        rules.append(FolderRule(uid, Folder(title, parent, table.get("permissions")), *patterns))
    if problems:
        raise LokictlError(problems)
    return rules


def _rule_problems(uid: str, table: Any) -> Iterator[tuple[str, str]]:
    """(message, hint) of everything that is wrong with one table."""
    lists = [table.get(key, []) for key in ("dashboards", "alerts")] if isinstance(table, dict) else [None]
    if (
        not isinstance(table, dict)
        or set(table) - _KEYS
        or not all(isinstance(item, list) for item in lists)
        or not (table.get("title") or uid == ROOT_FOLDER)
    ):
        yield f'the folder "{uid}" needs a title and dashboards = ["uid", "prefix-*"]', ""
        return
    if str(table.get("title", "")).casefold() == ROOT_FOLDER and uid != ROOT_FOLDER:
        hint = "use [sync.folders.general] for dashboards in the root"
        yield f'the folder "{uid}" cannot be called General: that is the name of Grafana\'s root', hint
    if uid == ROOT_FOLDER and table.get("alerts"):
        yield "alerts need a folder: Grafana's root takes none", ""
    if not UID.match(uid):
        yield f'"{uid}" cannot be the uid of a folder', ""
    if table.get("permissions") is not None:
        for problem in wrong_permissions(table["permissions"]):
            yield f'the folder "{uid}": {problem}', ""


def alert_folders(configuration: Configuration) -> str:
    """``alert_folders``: alert groups are in the "project"'s folder, or in one for each "namespace" in it.

    Raises `LokictlError`.
    """
    value = str(configuration["alert_folders"])
    if value not in ALERT_FOLDERS:
        position = configuration.position("alert_folders")
        message = f'`alert_folders` is "project" or "namespace", not "{value}"'
        raise LokictlError(Problem("project/config", message, position=position))
    return value


@dataclass
class FolderTree:
    """The folders of a project: ``base`` is the uid of its own ("" for Grafana's root).

    ``folders`` are all that have been named so far, by uid; ``named`` the uids that were made from titles.
    """

    project: Project
    base: str = ""
    rules: list[FolderRule] = field(default_factory=list)
    folders: dict[str, Folder] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, project: Project) -> FolderTree:
        """The folders that the configuration names.  Raises `LokictlError`."""
        rules = folder_rules(project.config)
        known = {rule.uid: rule.folder for rule in rules if rule.uid != ROOT_FOLDER}
        return cls(project, rules=rules, folders=known)

    def at(self, parts: tuple[str, ...], parent: str = "") -> str:
        """The uid of the folder at a path of titles, below ``parent``; it is known from then on."""
        uid = parent
        for title in parts:
            uid = self._uid(title, uid)
        return uid

    def _uid(self, title: str, parent: str) -> str:
        for uid, folder in self.folders.items():
            if (folder.title, folder.parent) == (title, parent):
                return uid
        uid = slug(f"{parent}/{title}" if parent else title)
        self.folders[uid] = Folder(title, parent)
        self.named.add(uid)
        return uid

    def of_dashboard(self, uid: str, dashboard: Any, source: str = "") -> str:
        """The uid of a dashboard's folder: the configuration comes first, then its own, then its directory."""
        for rule in self.rules:
            if any(fnmatchcase(uid, pattern) for pattern in rule.dashboards):
                return "" if rule.uid == ROOT_FOLDER else rule.uid
        own = str(getattr(dashboard, "folder", "") or "")
        if own:
            return self.at(folder_parts(own))
        if source and folders_from_directories(self.project):
            return self.at(folder_parts(directory_below(self.project, source)), self.base)
        return self.base

    def of_alerts(self, namespace: str, group: str, own: str = "") -> str:
        """The uid of the folder of an alert group; ``own`` is the path that the group itself names."""
        for rule in self.rules:
            names = (namespace, f"{namespace}/{group}")
            if any(fnmatchcase(name, pattern) for pattern in rule.alerts for name in names):
                return rule.uid
        if own:
            return self.at(folder_parts(own))
        if alert_folders(self.project.config) == "namespace":
            # A namespace is one title, whatever is in it.
            is_root = not self.base and namespace.casefold() == ROOT_FOLDER
            return "" if is_root else self.at((namespace,), self.base)
        return self.base

    def of_written_alerts(self, group: ManagedGroup) -> str:
        """The uid of the folder of a group in Grafana's own form: the configuration, its uid, its path, the project's.

        A slash in a title has a backslash before it, as in Grafana's files.
        """
        for rule in self.rules:
            names = (group.folder, f"{group.folder}/{group.name}")
            if any(fnmatchcase(name, pattern) for pattern in rule.alerts for name in names):
                return rule.uid
        titles = tuple(
            part.replace("\\/", "/") for part in re.split(r"(?<!\\)/", group.folder) if part.strip()
        )
        if group.folder_uid:
            if len(titles) == 1:
                self.folders.setdefault(group.folder_uid, Folder(titles[0]))
            return group.folder_uid
        is_root = [title.casefold() for title in titles] == [ROOT_FOLDER]
        return self.base if not titles or is_root else self.at(titles)

    def titles(self, uid: str) -> tuple[str, ...]:
        """The titles on the path to a folder; one that the project does not describe is called by its uid."""
        titles: list[str] = []
        seen: set[str] = set()
        while uid and uid not in seen:
            seen.add(uid)
            folder = self.folders.get(uid, Folder(uid))
            titles.insert(0, folder.title)
            uid = folder.parent
        return tuple(titles)
