"""The platform's components as files: their configuration, plain Kubernetes manifests, and one Helm chart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import LokictlError
from lokictl.model.component import Component, HelmValue, helm_values, plain
from lokictl.model.rules import dump_yaml
from lokictl.render.config_maps import manifest_text
from lokictl.render.grafana import render_grafana
from lokictl.render.helm import chart_text
from lokictl.render.names import check_unique
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

    ``stack/<component>/<file>`` configuration, ``kubernetes/platform/<component>.yaml`` manifests, and
    ``helm/<chart>/…``.  Raises `LokictlError` where two components leave one chart value open with different
    defaults, or share a name.
    """
    components = list(components)
    check_unique("the components", ((component.title, component.name) for component in components))
    files: dict[str, str] = {}
    for component in components:
        for name in component.configuration:
            files[f"stack/{component.name}/{name}"] = component.configuration_text(name)
        if component.manifests:
            files[f"kubernetes/platform/{component.name}.yaml"] = manifests_text(component)
    if any(component.manifests for component in components):
        for path, text in chart_files(components, chart=chart, version=version).items():
            files[f"helm/{chart}/{path}"] = text
    return files


def manifests_text(component: Component) -> str:
    """The Kubernetes objects of a component as one YAML stream."""
    return "---\n".join(_manifest_text(plain(manifest)) for manifest in component.manifests)


def _manifest_text(manifest: Mapping[str, Any]) -> str:
    return manifest_text(manifest) if manifest["kind"] == "ConfigMap" else dump_yaml(manifest)


def chart_files(components: Iterable[Component], *, chart: str, version: str) -> dict[str, str]:
    """The files of the Helm chart, relative to its folder."""
    components = [component for component in components if component.manifests]
    description = "The observability platform: collection, Loki, caches, metrics, alerts, traces."
    files = {
        "Chart.yaml": chart_text(chart, description, version),
        "values.yaml": dump_yaml(chart_values(components)),
    }
    for component in components:
        template = _Template()
        files[f"templates/{component.name}.yaml"] = template.render(component.manifests)
        files |= template.files
    return files


def chart_values(components: Iterable[Component]) -> dict[str, Any]:
    """The chart's ``values.yaml``: every `HelmValue` with its default."""
    values: dict[str, Any] = {}
    for component in components:
        for value in helm_values(component.manifests):
            _set(values, value)
    return values


def _set(values: dict[str, Any], value: HelmValue) -> None:
    *parents, last = value.path.split(".")
    place = values
    for parent in parents:
        place = place.setdefault(parent, {})
    default = plain(value.default)
    if place.setdefault(last, default) != default:
        raise LokictlError(f"the chart value {value.path} has two defaults: {place[last]!r} and {default!r}")


class _Template:
    """Writes manifests as a Helm template: values by reference, ConfigMap files by ``.Files.Get``."""

    def __init__(self) -> None:
        self.expressions: list[str] = []
        self.files: dict[str, str] = {}

    def render(self, manifests: Iterable[Mapping[str, Any]]) -> str:
        text = "---\n".join(dump_yaml(self._mark(self._files_apart(manifest))) for manifest in manifests)
        text = text.replace("{{", '{{ "{{" }}')
        return re.sub(r"__helm_(\d+)__", lambda found: self.expressions[int(found[1])], text)

    def _files_apart(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        if manifest.get("kind") != "ConfigMap":
            return manifest
        name = manifest["metadata"]["name"]
        data: dict[str, Any] = {}
        for key, text in manifest["data"].items():
            path = str(PurePosixPath("files", name, key))
            self.files[path] = text
            data[key] = _Expression(f".Files.Get {json.dumps(path)} | toJson")
        return {**manifest, "data": data}

    def _mark(self, value: Any) -> Any:
        if isinstance(value, HelmValue):
            return self._token(f".Values.{value.path} | toJson")
        if isinstance(value, _Expression):
            return self._token(value.text)
        if isinstance(value, Mapping):
            return {key: self._mark(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._mark(item) for item in value]
        return value

    def _token(self, expression: str) -> str:
        self.expressions.append("{{ " + expression + " }}")
        return f"__helm_{len(self.expressions) - 1}__"


class _Expression:
    """A template expression that stands for a whole value."""

    def __init__(self, text: str) -> None:
        self.text = text
