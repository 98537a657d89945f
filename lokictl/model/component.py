"""A component of the platform: its configuration files and its Kubernetes objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
    """

    name: str
    title: str
    description: str = ""
    configuration: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict)
    manifests: tuple[Mapping[str, Any], ...] = ()
    checks: tuple[str, ...] = ()
    capacity: CapacityPlan | None = None

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
