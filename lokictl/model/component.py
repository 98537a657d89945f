"""A component of the platform: its configuration files and its Kubernetes objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lokictl.model.capacity import CapacityPlan


@dataclass(frozen=True, slots=True)
class HelmValue:
    """A place in a Kubernetes object that the Helm chart leaves open.

    Plain manifests get ``default``; the chart gets ``.Values.<path>`` with ``default`` in its ``values.yaml``.
    ``path`` is dotted: ``"loki.replicas"``.
    """

    path: str
    default: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One piece of the platform.

    ``configuration`` maps file names to their text, or to a mapping that is written as YAML; ``manifests`` are
    Kubernetes objects, in which any value may be a `HelmValue`.  ``checks`` names the programs that can check the
    configuration (for documentation); ``capacity`` is set by the component that plans the storage.
    ``content_manifests`` gives further objects, which hold or mount files rendered from the rest of the project: it
    is called with path -> text of those (``grafana/provisioning/…``, ``rules/<tenant>/<namespace>.yaml``).
    """

    name: str
    title: str
    description: str = ""
    configuration: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict)
    manifests: tuple[Mapping[str, Any], ...] = ()
    checks: tuple[str, ...] = ()
    capacity: CapacityPlan | None = None
    content_manifests: Callable[[Mapping[str, str]], tuple[Mapping[str, Any], ...]] | None = None

    def with_content(self, files: Mapping[str, str]) -> Component:
        """This component with all its manifests, those that depend on the rendered ``files`` included."""
        if self.content_manifests is None:
            return self
        manifests = (*self.manifests, *self.content_manifests(files))
        return replace(self, manifests=manifests, content_manifests=None)

    def configuration_text(self, name: str) -> str:
        """The text of one configuration file; raises KeyError."""
        from lokictl.model.rules import dump_yaml

        content = self.configuration[name]
        return content if isinstance(content, str) else dump_yaml(content)


def plain(value: Any) -> Any:
    """``value`` with every `HelmValue` replaced by its default."""
    if isinstance(value, HelmValue):
        return plain(value.default)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def helm_values(value: Any) -> Iterator[HelmValue]:
    """Every `HelmValue` in ``value``."""
    if isinstance(value, HelmValue):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from helm_values(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from helm_values(item)
