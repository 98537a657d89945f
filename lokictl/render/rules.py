"""Rule files in the layout of the ruler's local storage: ``rules/<tenant>/<namespace>.yaml``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokictl.diagnostics import LokictlError, Problem
from lokictl.model.rules import RuleFile, dump_yaml
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
    for file in project.rule_files:
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
