"""Provisioning of what Grafana manages itself: rule groups, contact points, policies, mute timings, templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lokictl.diagnostics import LokictlError, Position, Problem, Severity
from lokictl.model.managed_alerts import ManagedGroup
from lokictl.model.managed_translation import (
    Translation,
    TranslationOptions,
    by_folder,
    provisioning_file,
    translate,
)
from lokictl.model.rules import RuleGroup
from lokictl.model.yaml_writer import dump_yaml
from lokictl.render.grafana import PROVISIONING, dashboard_files, folder_tree
from lokictl.render.names import check_unique, file_name
from lokictl.render.rules import home_of, rule_files_of
from lokictl.render.settings import Settings

if TYPE_CHECKING:
    from lokictl.project import Project
    from lokictl.project.folders import FolderTree

ALERTING = f"{PROVISIONING}/alerting"


def render_alerting(project: Project, settings: Settings) -> dict[str, str]:
    """Path -> text below ``grafana/provisioning/alerting``."""
    return {f"{ALERTING}/{name}": text for name, text in alerting_files(project, settings).items()}


def alerting_files(project: Project, settings: Settings) -> dict[str, str]:
    """File name -> provisioning: one file for each folder, and one for notifications; nothing without groups."""
    groups = managed_groups(project, settings)
    if not groups:
        return {}
    folders = by_folder(groups)
    names = {title: f"{settings.name}-folder-{found[0].folder_uid}" for title, found in folders.items()}
    check_unique("the folders", ((title, name.lower()) for title, name in names.items()))
    files = {
        file_name(names[title], ".yaml"): dump_yaml(provisioning_file(found))
        for title, found in sorted(folders.items())
    }
    if project.notifications is not None:
        files[f"{settings.name}-notifications.yaml"] = dump_yaml(
            project.notifications.to_provisioning(lambda name: f"$__file{{{settings.secrets_path}/{name}}}")
        )
    return files


def folders_of_alerts(project: Project, settings: Settings) -> frozenset[str]:
    """The titles of the folders at the top that files of alerts make."""
    tree = folder_tree(project, settings)
    groups = [*translation_of(project, settings, tree).groups, *written_groups(project, tree)]
    return frozenset(re.split(r"(?<!\\)/", group.folder)[0].replace("\\/", "/") for group in groups)


def translation_of(project: Project, settings: Settings, tree: FolderTree | None = None) -> Translation:
    """The groups that Grafana evaluates, and what cannot be the same there.

    A group's folder is a path of titles; a slash in a title has a backslash before it.
    """
    loki = next((source.uid for source in project.datasources if source.type == "loki"), "loki")
    places = tree or folder_tree(project, settings)

    def folder_of(namespace: str, group: RuleGroup) -> tuple[str, str]:
        uid = places.of_alerts(namespace, group.name, group.folder)
        return _path(places, uid), uid

    options = TranslationOptions(loki, settings.recording_target, folder_of=folder_of)
    return translate(rule_files_of(project, settings, "grafana"), options)


def managed_groups(
    project: Project, settings: Settings, tree: FolderTree | None = None
) -> list[ManagedGroup]:
    """The groups that Grafana evaluates.  Raises `LokictlError` for rules that cannot be translated."""
    translation = translation_of(project, settings, tree)
    refused = [problem for problem in translation.problems if problem.severity == Severity.ERROR]
    for group in translation.groups:
        if not group.folder:
            message = f'the group "{group.name}" needs a folder in Grafana, and General is not a folder'
            hint = "name one: `folder` in [render], the group's `folder`, or alerts in [sync.folders.<uid>]"
            place = group.origin.position() if group.origin is not None else Position()
            refused.append(Problem("render/folder", message, position=place, hint=hint))
    written = written_groups(project, tree or folder_tree(project, settings))
    if refused:
        raise LokictlError(refused)
    return [*translation.groups, *written]


def written_groups(project: Project, tree: FolderTree) -> list[ManagedGroup]:
    """The groups that the project has in Grafana's own form, in the folders that they name."""
    found = []
    for group in project.managed_groups:
        uid = tree.of_written_alerts(group)
        path = group.folder or _path(tree, uid)
        found.append(group.in_place(path, uid))
    return found


def _path(tree: FolderTree, uid: str) -> str:
    return "/".join(title.replace("/", "\\/") for title in tree.titles(uid))


def alerting_notes(project: Project, settings: Settings) -> Iterator[str]:
    """Notes for the person who deploys the files."""
    translation = translation_of(project, settings)
    if not translation.groups and not project.managed_groups:
        return
    for problem in translation.problems:
        if problem.severity != Severity.ERROR:
            yield f"{problem.position}: {problem.message}"
    for file in project.rule_files:
        for group in file.groups:
            if group.home(settings.alerting) == "grafana" and home_of(group, settings) == "loki":
                yield f'the group "{group.name}" records, and stays on the ruler: set `recording_target` in [render]'
    shared = folders_of_alerts(project, settings) & {
        item.folder for item in dashboard_files(project, settings)
    }
    for title in sorted(shared):
        yield (
            f'the folder "{title}" has alerts and dashboards: Grafana makes it for the alerts, with a uid of its own; '
            "`lokictl sync` and --what operator set the uid"
        )
    if project.notifications is None:
        yield "the project has no Notifications: Grafana's default contact point gets every alert"
