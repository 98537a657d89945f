"""Rule files in the layout of the ruler's local storage: ``rules/<tenant>/<namespace>.yaml``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lokictl.diagnostics import LokictlError, Problem
from lokictl.model.rules import RecordingRule, RuleFile, RuleGroup
from lokictl.model.yaml_writer import dump_yaml
from lokictl.render.names import check_unique, file_name
from lokictl.render.settings import Settings

if TYPE_CHECKING:
    from lokictl.project import Project

RULES = "rules"


def render_rules(project: Project, settings: Settings) -> dict[str, str]:
    """Path -> text of every rule file."""
    return {
        f"{RULES}/{tenant}/{name}": text
        for tenant, files in tenant_rules(project, settings).items()
        for name, text in files.items()
    }


def tenant_rules(project: Project, settings: Settings) -> dict[str, dict[str, str]]:
    """Tenant -> file name -> text, both in order; rule files that name no tenant are the project's.

    Files of one namespace become one.  Raises `LokictlError` where that gives two groups one name: the ruler
    refuses the file, and with it every rule of the tenant.
    """
    merged: dict[str, dict[str, list[RuleFile]]] = {}
    for file in rule_files_of(project, settings, "loki"):
        tenant = file.tenant or settings.tenant
        merged.setdefault(tenant, {}).setdefault(file.namespace, []).append(file)
    found: dict[str, dict[str, str]] = {}
    for tenant, namespaces in sorted(merged.items()):
        _check_tenant(tenant)
        check_unique("the namespaces", ((name, rule_file_name(name).lower()) for name in namespaces))
        found[tenant] = {
            rule_file_name(name): _text(name, files) for name, files in sorted(namespaces.items())
        }
    return found


def rule_files_of(project: Project, settings: Settings, home: str) -> tuple[RuleFile, ...]:
    """The project's rule files with only the groups that ``home`` ("loki" or "grafana") evaluates."""
    files = []
    for file in project.rule_files:
        groups = tuple(group for group in file.groups if home_of(group, settings) == home)
        if groups or (not file.groups and home == "loki"):
            files.append(replace(file, groups=groups))
    return tuple(files)


def home_of(group: RuleGroup, settings: Settings) -> str:
    """Who evaluates a group, "loki" or "grafana".

    A group of recording rules stays on the ruler where Grafana has no Prometheus to write to, unless the group itself
    says "grafana".
    """
    records = bool(group.rules) and all(isinstance(rule, RecordingRule) for rule in group.rules)
    if records and not group.alerting and not settings.recording_target:
        return "loki"
    return group.home(settings.alerting)


def rule_file_name(namespace: str) -> str:
    """The file of a namespace."""
    return file_name(namespace.removesuffix(".yml").removesuffix(".yaml"), ".yaml")


def _check_tenant(tenant: str) -> None:
    if "/" in tenant or tenant in ("", ".", "..") or "\0" in tenant:
        raise LokictlError(
            Problem("render/tenant", f'"{tenant}" cannot be a tenant: it becomes the name of a folder')
        )


def _text(namespace: str, files: list[RuleFile]) -> str:
    groups = [group for file in files for group in file.groups]
    problems = []
    seen: set[str] = set()
    for group in groups:
        if group.name in seen:
            position = group.origin.position("name")
            message = f'the group "{group.name}" exists twice in the namespace "{namespace}"'
            problems.append(Problem("rule/duplicate", message, position=position, hint="rename one of them"))
        seen.add(group.name)
    if problems:
        raise LokictlError(problems)
    # `remote_write` in a group is lokitool's; the ruler refuses the file because of it.
    written = [
        {key: value for key, value in group.to_dict().items() if key != "remote_write"} for group in groups
    ]
    return dump_yaml({"groups": written})
