"""A component of the platform: its configuration files and its Kubernetes objects."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from lokictl.model.capacity import CapacityPlan
from lokictl.model.yaml_writer import dump_yaml
from lokictl.records import dataclass


@dataclass(frozen=True, slots=True)
class HelmValue:
    """A place in a Kubernetes object that the Helm chart leaves open.

    Plain manifests get ``default``; the chart gets ``.Values.<path>`` with ``default`` in its ``values.yaml``, below
    ``description`` as a comment.  ``path`` is dotted: ``"loki.replicas"``.  ``schema`` is the JSON schema of the
    value (default: any value of the type of ``default``).  The key of an ``optional`` value is left out of the
    object where the value is empty.
    """

    path: str
    default: Any
    description: str = ""
    schema: Mapping[str, Any] | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class HelmExpression:
    """A value that the Helm chart computes from others: ``template`` is an expression of Helm's template language.

    Plain manifests get ``default``, which must be what the expression gives for the default values.  ``reads`` are
    chart values that no `HelmValue` of an object declares.  ``optional`` as in `HelmValue`.
    """

    template: str
    default: Any
    reads: tuple[HelmValue, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Checksum:
    """The SHA-256 of ConfigMaps, by name.  As an annotation of a pod, it restarts the pod when one of them changes."""

    config_maps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class When:
    """A Kubernetes object that the Helm chart makes only where ``condition`` (a template expression) is true.

    Plain manifests have it where ``by_default`` is true; else it is written to ``kubernetes/optional/<group>.yaml``,
    or nowhere without a ``group``.  Without a condition the chart never makes it.  ``reads`` are the chart values of
    the condition.
    """

    condition: str
    manifest: Mapping[str, Any]
    by_default: bool = True
    group: str = ""
    reads: tuple[HelmValue, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Values that the Helm chart refuses: where ``condition`` is true, Helm stops with ``message``."""

    condition: str
    message: str


Manifest = Mapping[str, Any] | When


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component of the platform.

    ``configuration`` maps file names to their text, or to a mapping that is written as YAML; ``manifests`` are
    Kubernetes objects, in which any value may be a `HelmValue`, `HelmExpression` or `Checksum`, or objects under a
    condition (`When`).  ``refusals`` are values that make no sense.  ``checks`` names the programs that can check the
    configuration (for documentation); ``capacity`` is set by the component that plans the storage.
    ``content_manifests`` gives further objects, which hold or mount files rendered from the rest of the project: it
    is called with path -> text of those (``grafana/provisioning/…``, ``rules/<tenant>/<namespace>.yaml``).
    """

    name: str
    title: str
    description: str = ""
    configuration: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict)
    manifests: tuple[Manifest, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    checks: tuple[str, ...] = ()
    capacity: CapacityPlan | None = None
    content_manifests: Callable[[Mapping[str, str]], tuple[Manifest, ...]] | None = None

    def with_content(self, files: Mapping[str, str]) -> Component:
        """This component with all its manifests, those that depend on the rendered ``files`` included."""
        if self.content_manifests is None:
            return self
        manifests = (*self.manifests, *self.content_manifests(files))
        return replace(self, manifests=manifests, content_manifests=None)

    def configuration_text(self, name: str) -> str:
        """The text of one configuration file; raises KeyError."""
        content = self.configuration[name]
        return content if isinstance(content, str) else dump_yaml(content)

    def objects(self) -> Iterator[Mapping[str, Any]]:
        """The Kubernetes objects of plain manifests, values still open."""
        for item in self.manifests:
            if not isinstance(item, When):
                yield item
            elif item.by_default:
                yield item.manifest

    def optional_objects(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """(group, object) for each object that plain manifests offer beside the default ones."""
        for item in self.manifests:
            if isinstance(item, When) and not item.by_default and item.group:
                yield item.group, item.manifest


def plain(value: Any, config_maps: Mapping[str, Mapping[str, str]] | None = None) -> Any:
    """``value`` as plain manifests have it: defaults in place of chart values, hashes in place of `Checksum`.

    ``config_maps`` (name -> key -> text) are those that a `Checksum` may name; raises KeyError for another.
    """
    if isinstance(value, HelmValue | HelmExpression):
        return plain(value.default, config_maps)
    if isinstance(value, Checksum):
        texts = [text for name in value.config_maps for text in (config_maps or {})[name].values()]
        return hashlib.sha256("".join(texts).encode()).hexdigest()
    if isinstance(value, Mapping):
        return {key: plain(item, config_maps) for key, item in value.items() if not _left_out(item)}
    if isinstance(value, list | tuple):
        return [plain(item, config_maps) for item in value]
    return value


def _left_out(value: Any) -> bool:
    return isinstance(value, HelmValue | HelmExpression) and value.optional and not value.default


def config_map_data(components: Iterable[Component]) -> dict[str, Mapping[str, str]]:
    """Name -> key -> text of every ConfigMap of the components."""
    found: dict[str, Mapping[str, str]] = {}
    for component in components:
        for item in component.manifests:
            manifest = item.manifest if isinstance(item, When) else item
            if manifest.get("kind") == "ConfigMap":
                found[manifest["metadata"]["name"]] = manifest["data"]
    return found


def helm_values(value: Any) -> Iterator[HelmValue]:
    """Every `HelmValue` in ``value``, those that conditions and expressions read included."""
    if isinstance(value, HelmValue):
        yield value
    elif isinstance(value, HelmExpression):
        yield from value.reads
    elif isinstance(value, When):
        yield from value.reads
        yield from helm_values(value.manifest)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from helm_values(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from helm_values(item)
