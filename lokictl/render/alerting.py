"""Provisioning of what Grafana manages itself: rule groups, contact points, policies, mute timings, templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lokictl.diagnostics import LokictlError, Severity
from lokictl.model.managed_alerts import ManagedGroup
from lokictl.model.managed_translation import (
    Translation,
    TranslationOptions,
    by_folder,
    provisioning_file,
    translate,
)
from lokictl.model.rules import dump_yaml
from lokictl.render.grafana import PROVISIONING
from lokictl.render.names import check_unique, file_name, slug
from lokictl.render.rules import home_of, rule_files_of
from lokictl.render.settings import Settings

if TYPE_CHECKING:
    from lokictl.project import Project

ALERTING = f"{PROVISIONING}/alerting"


def render_alerting(project: Project, settings: Settings) -> dict[str, str]:
    """Path -> text below ``grafana/provisioning/alerting``: one file for each folder, and one for notifications."""
    groups = managed_groups(project, settings)
    if not groups:
        return {}
    folders = by_folder(groups)
    check_unique("the folders", ((title, slug(title)) for title in folders))
    files = {
        f"{ALERTING}/{file_name(f'{settings.name}-{slug(title)}', '.yaml')}": dump_yaml(
            provisioning_file(found)
        )
        for title, found in sorted(folders.items())
    }
    if project.notifications is not None:
        path = f"{ALERTING}/{settings.name}-notifications.yaml"
        files[path] = dump_yaml(
            project.notifications.to_provisioning(lambda name: f"$__file{{{settings.secrets_path}/{name}}}")
        )
    return files


def translation_of(project: Project, settings: Settings) -> Translation:
    """The groups that Grafana evaluates, and what cannot be the same there."""
    loki = next((source.uid for source in project.datasources if source.type == "loki"), "loki")
    options = TranslationOptions(loki, settings.recording_target)
    return translate(rule_files_of(project, settings, "grafana"), options)


def managed_groups(project: Project, settings: Settings) -> list[ManagedGroup]:
    """The groups that Grafana evaluates.  Raises `LokictlError` for rules that cannot be translated."""
    translation = translation_of(project, settings)
    refused = [problem for problem in translation.problems if problem.severity == Severity.ERROR]
    if refused:
        raise LokictlError(refused)
    return translation.groups


def alerting_notes(project: Project, settings: Settings) -> Iterator[str]:
    """What whoever ships the files should know."""
    translation = translation_of(project, settings)
    if not translation.groups:
        return
    for problem in translation.problems:
        if problem.severity != Severity.ERROR:
            yield f"{problem.position}: {problem.message}"
    for file in project.rule_files:
        for group in file.groups:
            if group.home(settings.alerting) == "grafana" and home_of(group, settings) == "loki":
                yield f'the group "{group.name}" records, and stays on the ruler: set `recording_target` in [render]'
    if project.notifications is None:
        yield "the project has no Notifications: Grafana's default contact point gets every alert"
