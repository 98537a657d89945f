"""ConfigMaps for the sidecars of Grafana's and Loki's charts, each small enough for ``kubectl apply``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lokictl.render.alerting import alerting_files
from lokictl.render.config_maps import APPLY_LIMIT, applied_bytes, config_map, manifest_text, numbered, spread
from lokictl.render.grafana import DashboardFile, check_sidecar_folders, dashboard_files, datasources_text
from lokictl.render.names import object_name
from lokictl.render.rules import tenant_rules
from lokictl.render.settings import Settings

if TYPE_CHECKING:
    from lokictl.project import Project

DASHBOARD_LABEL = "grafana_dashboard"
DATASOURCE_LABEL = "grafana_datasource"
RULE_LABEL = "loki_rule"
ALERT_LABEL = "grafana_alert"
FOLDER_ANNOTATION = "grafana_folder"
DIRECTORY_ANNOTATION = "k8s-sidecar-target-directory"
RULES_DIRECTORY = "/rules"


def render_kubernetes(project: Project, settings: Settings) -> dict[str, str]:
    """Path -> text below ``kubernetes/<project>``."""
    return {
        f"kubernetes/{settings.name}/{path}": manifest_text(manifest)
        for path, manifest in objects(project, settings)
    }


def size_notes(project: Project, settings: Settings) -> Iterator[str]:
    """A sentence for each ConfigMap that only a server-side apply can take."""
    for path, manifest in objects(project, settings):
        size = applied_bytes(manifest)
        if size >= APPLY_LIMIT:
            yield (
                f"kubernetes/{settings.name}/{path} has {size:,} bytes: "
                "apply it with `kubectl apply --server-side`"
            )


def objects(project: Project, settings: Settings) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file, ConfigMap) of the data sources, each dashboard, Grafana's alerts, and each tenant's rules."""
    if project.datasources:
        yield "datasources.yaml", datasources_map(project, settings)
    dashboards = dashboard_files(project, settings)
    check_sidecar_folders(dashboards)
    for dashboard in dashboards:
        yield f"dashboards/{dashboard.name.removesuffix('.json')}.yaml", dashboard_map(dashboard, settings)
    for name, data in alert_maps(project, settings):
        manifest = config_map(name, data, namespace=settings.namespace, labels=labels(settings, ALERT_LABEL))
        yield f"alerts/{name}.yaml", manifest
    for tenant, files in tenant_rules(project, settings).items():
        maps = spread(files)
        names = numbered(rules_name(settings, tenant), len(maps))
        for name, data in zip(names, maps, strict=True):
            manifest = config_map(
                name,
                data,
                namespace=settings.namespace,
                labels=labels(settings, RULE_LABEL),
                annotations={DIRECTORY_ANNOTATION: f"{RULES_DIRECTORY}/{tenant}"},
            )
            yield f"rules/{name}.yaml", manifest


def alert_maps(project: Project, settings: Settings) -> Iterator[tuple[str, dict[str, str]]]:
    """(name, data) of the ConfigMaps of what Grafana evaluates and whom it tells; keys are names of files."""
    maps = spread(alerting_files(project, settings))
    yield from zip(numbered(object_name(settings.name, "alerts"), len(maps)), maps, strict=True)


def datasources_map(project: Project, settings: Settings) -> dict[str, Any]:
    """The ConfigMap of the data sources; its key is the file's name for the sidecar."""
    return config_map(
        object_name(settings.name, "datasources"),
        {f"{settings.name}.yaml": datasources_text(project, settings)},
        namespace=settings.namespace,
        labels=labels(settings, DATASOURCE_LABEL),
    )


def dashboard_map(dashboard: DashboardFile, settings: Settings) -> dict[str, Any]:
    """The ConfigMap of one dashboard, its JSON on one line."""
    return config_map(
        dashboard_name(settings, dashboard),
        {dashboard.name: dashboard.text(indent=False)},
        namespace=settings.namespace,
        labels=labels(settings, DASHBOARD_LABEL),
        annotations={FOLDER_ANNOTATION: dashboard.folder},
    )


def dashboard_name(settings: Settings, dashboard: DashboardFile) -> str:
    """``<project>-dashboard-<uid>``, without saying the project twice."""
    uid = dashboard.uid.removeprefix(f"{settings.name}-") or dashboard.uid
    return object_name(settings.name, "dashboard", uid)


def rules_name(settings: Settings, tenant: str) -> str:
    """``<project>-rules``; a tenant other than the project's is named."""
    return object_name(settings.name, "rules", *([tenant] if tenant != settings.tenant else []))


def labels(settings: Settings, sidecar: str) -> dict[str, str]:
    """The label that the sidecar looks for, and who made the object."""
    return {
        sidecar: "1",
        "app.kubernetes.io/managed-by": "lokictl",
        "app.kubernetes.io/part-of": settings.name,
    }
