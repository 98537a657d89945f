"""The platform's components as files: their configuration, plain Kubernetes manifests, and one Helm chart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lokictl.model.component import Component, config_map_data, plain
from lokictl.model.yaml_writer import dump_yaml
from lokictl.render.config_maps import manifest_text
from lokictl.render.grafana import render_grafana
from lokictl.render.names import check_unique
from lokictl.render.platform_chart import chart_files
from lokictl.render.rules import render_rules
from lokictl.render.settings import Settings

if TYPE_CHECKING:
    from lokictl.project import Project

CHART = "platform"


def render_stack(project: Project, settings: Settings) -> dict[str, str]:
    """Path -> text of every file of the platform, with the project's content mounted where it is read."""
    return render_components(
        filled_components(project, settings),
        chart=f"{settings.name}-{CHART}",
        version=settings.chart_version,
    )


def filled_components(project: Project, settings: Settings) -> tuple[Component, ...]:
    """The project's components with all their Kubernetes objects."""
    content = {**render_grafana(project, settings), **render_rules(project, settings)}
    return tuple(component.with_content(content) for component in project.components)


def render_components(
    components: Iterable[Component], *, chart: str = CHART, version: str = "0.1.0"
) -> dict[str, str]:
    """Path -> text of every file of the platform.

    ``stack/<component>/<file>`` configuration, ``kubernetes/platform/<component>.yaml`` manifests,
    ``kubernetes/optional/<group>.yaml`` those that a platform does not have by default, and ``helm/<chart>/…``.
    Raises `LokictlError` where two components leave one chart value open with different defaults, or share a name.
    """
    components = list(components)
    check_unique("the components", ((component.title, component.name) for component in components))
    files: dict[str, str] = {}
    config_maps = config_map_data(components)
    optional: dict[str, list[Mapping[str, Any]]] = {}
    for component in components:
        for name in component.configuration:
            files[f"stack/{component.name}/{name}"] = component.configuration_text(name)
        if objects := list(component.objects()):
            files[f"kubernetes/platform/{component.name}.yaml"] = manifests_text(objects, config_maps)
        for group, manifest in component.optional_objects():
            optional.setdefault(group, []).append(manifest)
    for group, objects in optional.items():
        files[f"kubernetes/optional/{group}.yaml"] = manifests_text(objects, config_maps)
    if any(component.manifests for component in components):
        for path, text in chart_files(components, chart=chart, version=version).items():
            files[f"helm/{chart}/{path}"] = text
    return files


def manifests_text(objects: Iterable[Mapping[str, Any]], config_maps: Mapping[str, Mapping[str, str]]) -> str:
    """Kubernetes objects as one YAML stream."""
    return "---\n".join(_manifest_text(plain(item, config_maps)) for item in objects)


def _manifest_text(manifest: Mapping[str, Any]) -> str:
    return manifest_text(manifest) if manifest["kind"] == "ConfigMap" else dump_yaml(manifest)
