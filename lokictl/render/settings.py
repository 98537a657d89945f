"""What can be chosen: ``[tool.lokictl.render]``, and the Grafana version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import LokictlError, Problem, suggestion
from lokictl.records import dataclass
from lokictl.render.names import slug

if TYPE_CHECKING:
    from lokictl.project import Project

DEFAULT_GRAFANA = "12.3"
DASHBOARDS_PATH = "$GF_PATHS_PROVISIONING/dashboards"
"""The folder beside the provider file.  Grafana's images and charts set the variable."""

TEXTS = (
    *("folder", "dashboards_path", "grafana_version", "namespace", "chart_version"),
    *("recording_target", "secrets_path", "secrets_name", "grafana_instance", "schema"),
)
HOMES = ("loki", "grafana")
SCHEMAS = ("v1", "v2")
LISTS = ("what", "delete_datasources")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a project is rendered.

    ``name`` is the project's name in file and object names; ``folder`` the title of the Grafana folder of
    dashboards that name none; ``dashboards_path`` where Grafana finds the dashboards' files; ``namespace`` the
    Kubernetes namespace of plain manifests ("": that of `kubectl apply`); ``grafana_version`` (major, minor);
    ``delete_datasources`` are former names of data sources, for Grafana to forget.

    ``alerting`` says who evaluates the rules, "loki" or "grafana"; ``recording_target`` is the uid of the Prometheus
    that Grafana's recording rules write to.  Secrets of contact points are files in ``secrets_path``, or keys of the
    Kubernetes Secret ``secrets_name``; ``grafana_instance`` is the label (``key=value``) of the operator's Grafana.

    ``schema`` is that of dashboards for Git Sync, "v1" (classic) or "v2"; files that Grafana provisions are classic.
    """

    name: str
    tenant: str
    folder: str
    dashboards_path: str = DASHBOARDS_PATH
    namespace: str = ""
    chart_version: str = "0.1.0"
    grafana_version: tuple[int, int] = (12, 3)
    delete_datasources: tuple[str, ...] = ()
    alerting: str = "loki"
    recording_target: str = ""
    secrets_path: str = "/etc/grafana/secrets"
    secrets_name: str = "grafana-secrets"
    grafana_instance: str = "dashboards=grafana"
    schema: str = "v1"


def parse_grafana_version(text: str) -> tuple[int, int]:
    """(major, minor) of "12", "12.3" or "v12.3.1".  Raises `LokictlError`."""
    found = re.fullmatch(r"v?(\d{1,3})(?:\.(\d{1,3}))?(?:\.\d+)?(?:[-+].*)?", text.strip())
    if not found:
        raise LokictlError(
            Problem(
                "render/version",
                f'"{text}" is not a version of Grafana',
                hint="write it as 12, 12.3 or 12.3.1",
            )
        )
    return int(found[1]), int(found[2] or 0)


def settings_of(project: Project, *, grafana_version: str | None = None) -> Settings:
    """The settings of a project; the table's keys are those of `Settings`, with ``what`` for the outputs.

    Raises `LokictlError` for a key that does not exist, or a value of the wrong type.
    """
    table = project.config.table("render")
    _check(project, table)
    version = grafana_version or str(table.get("grafana_version", DEFAULT_GRAFANA))
    return Settings(
        name=slug(project.name),
        tenant=str(project.config["tenant"]),
        folder=str(table.get("folder", project.name)),
        dashboards_path=str(table.get("dashboards_path", DASHBOARDS_PATH)),
        namespace=str(table.get("namespace", "")),
        chart_version=str(table.get("chart_version", "0.1.0")),
        grafana_version=parse_grafana_version(version),
        delete_datasources=tuple(table.get("delete_datasources", ())),
        alerting=_alerting(project),
        recording_target=str(table.get("recording_target", "")),
        secrets_path=str(table.get("secrets_path", "/etc/grafana/secrets")),
        secrets_name=str(table.get("secrets_name", "grafana-secrets")),
        grafana_instance=str(table.get("grafana_instance", "dashboards=grafana")),
        schema=_one_of(table.get("schema", "v1"), SCHEMAS, project),
    )


def _one_of(value: Any, known: tuple[str, ...], project: Project) -> str:
    if value not in known:
        position = project.config.position("render", "schema")
        message = f'`schema` is {" or ".join(known)}, not "{value}"'
        raise LokictlError(Problem("render/config", message, position=position))
    return str(value)


def _alerting(project: Project) -> str:
    text = str(project.config["alerting"])
    if text not in HOMES:
        position = project.config.position("alerting")
        message = f'`alerting` is "loki" or "grafana", not "{text}"'
        raise LokictlError(Problem("render/config", message, position=position))
    return text


def _check(project: Project, table: Mapping[str, Any]) -> None:
    known = (*TEXTS, *LISTS)
    problems = []
    for key, value in table.items():
        position = project.config.position("render", key)
        if key not in known:
            hint = suggestion(key, known, f"known keys: {', '.join(known)}")
            problems.append(Problem("render/config", f'unknown key "{key}"', position=position, hint=hint))
        elif key in TEXTS and not isinstance(value, str):
            problems.append(Problem("render/config", f'"{key}" must be a string', position=position))
        elif key in LISTS and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            problems.append(Problem("render/config", f'"{key}" must be a list of strings', position=position))
    if problems:
        raise LokictlError(problems)
