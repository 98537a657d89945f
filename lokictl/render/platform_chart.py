"""The Helm chart of a platform: templates with open values, ``values.yaml`` and the schema of the values.

Files of ConfigMaps lie unchanged under ``files/`` and are read with ``.Files.Get``; everything else is a template
that gives, for the default values, exactly the objects of the plain manifests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from lokictl.diagnostics import LokictlError
from lokictl.model.component import (
    Checksum,
    Component,
    HelmExpression,
    HelmValue,
    Manifest,
    When,
    helm_values,
    plain,
)
from lokictl.model.yaml_writer import dump_yaml
from lokictl.render.helm import chart_text

DESCRIPTION = "The observability platform: collection, Loki, caches, metrics, alerts, traces."

HELPERS = """\
{{- /* The share of a memory limit, in bytes; empty without a limit: (list resources share) */ -}}
{{- define "platform.memory" -}}
{{- $limit := get ((index . 0).limits | default dict) "memory" | default "" -}}
{{- if kindIs "float64" $limit -}}{{- $limit = int64 $limit -}}{{- end -}}
{{- $text := toString $limit -}}
{{- $number := regexFind "^[0-9]+([.][0-9]+)?" $text -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- if $number -}}
{{- $unit := trimPrefix $number $text -}}
{{- if not (hasKey $units $unit) -}}
{{- fail (printf "cannot read the memory limit %s: write it as 512Mi or 4Gi" $text) -}}
{{- end -}}
{{- mulf (float64 $number) (get $units $unit) (index . 1) | int64 -}}
{{- end -}}
{{- end -}}

{{- /* Ports of a network policy, as JSON: (list protocol port …) */ -}}
{{- define "platform.ports" -}}
{{- $ports := list -}}
{{- range rest . -}}{{- $ports = append $ports (dict "protocol" (first $) "port" (int .)) -}}{{- end -}}
{{- $ports | toJson -}}
{{- end -}}

{{- /* Peers of a network policy, as JSON: a list of address ranges */ -}}
{{- define "platform.addresses" -}}
{{- $peers := list -}}
{{- range . -}}{{- $peers = append $peers (dict "ipBlock" (dict "cidr" .)) -}}{{- end -}}
{{- $peers | toJson -}}
{{- end -}}
"""


def chart_files(components: Iterable[Component], *, chart: str, version: str) -> dict[str, str]:
    """The files of the Helm chart, relative to its folder."""
    components = [component for component in components if component.manifests]
    values = list(chart_values(components))
    templates = {component.name: Template() for component in components}
    for component in components:
        templates[component.name].keep_files(component.manifests)
    places = {name: paths for template in templates.values() for name, paths in template.config_maps.items()}
    files = {
        "Chart.yaml": chart_text(chart, DESCRIPTION, version),
        "values.yaml": values_text(values),
        "values.schema.json": json.dumps(values_schema(values), indent=2, ensure_ascii=False) + "\n",
        "templates/_helpers.tpl": HELPERS,
    }
    for component in components:
        template = templates[component.name]
        files[f"templates/{component.name}.yaml"] = template.render(component, places)
        files |= template.files
    return files


# --- values ----------------------------------------------------------------------------------------------------


def chart_values(components: Iterable[Component]) -> tuple[HelmValue, ...]:
    """Every chart value once, in the order of the components.

    Raises `LokictlError` where two places leave one value open with different defaults, or one is inside another.
    """
    found: dict[str, HelmValue] = {}
    for component in components:
        for value in helm_values(component.manifests):
            known = found.setdefault(value.path, value)
            if plain(known.default) != plain(value.default):
                defaults = f"{plain(known.default)!r} and {plain(value.default)!r}"
                raise LokictlError(f"the chart value {value.path} has two defaults: {defaults}")
            if value.description and not known.description:
                found[value.path] = value
    for path in found:
        for parent in PurePosixPath(path.replace(".", "/")).parents:
            if str(parent).replace("/", ".") in found:
                raise LokictlError(
                    f"the chart value {path} is inside the chart value {str(parent).replace('/', '.')}"
                )
    return tuple(found.values())


def _tree(values: Iterable[HelmValue]) -> dict[str, Any]:
    """The values by the parts of their paths."""
    tree: dict[str, Any] = {}
    for value in values:
        *parents, last = value.path.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return tree


def values_text(values: Iterable[HelmValue]) -> str:
    """``values.yaml``: every value with its default and, as a comment, its description."""
    return "\n".join(_values_lines(_tree(values), 0)) + "\n"


def _values_lines(tree: Mapping[str, Any], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for key, item in tree.items():
        if isinstance(item, HelmValue):
            yield from (f"{pad}# {line}" for line in item.description.splitlines())
            yield from (pad + line for line in dump_yaml({key: plain(item)}).splitlines())
        else:
            yield f"{pad}{key}:"
            yield from _values_lines(item, depth + 1)


def values_schema(values: Iterable[HelmValue]) -> dict[str, Any]:
    """``values.schema.json``: Helm refuses values that nothing reads, and values of the wrong type."""
    schema = _table(_tree(values))
    schema["properties"]["global"] = {"type": "object"}
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}


def _table(tree: Mapping[str, Any]) -> dict[str, Any]:
    properties = {
        key: _value_schema(item) if isinstance(item, HelmValue) else _table(item)
        for key, item in tree.items()
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}


# bool before int: a boolean is an integer in Python.
TYPES = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


def _value_schema(value: HelmValue) -> dict[str, Any]:
    default = plain(value.default)
    described = {"description": value.description} if value.description else {}
    if value.schema is not None:
        return {**described, **value.schema}
    name = next(name for type_, name in TYPES if isinstance(default, type_))
    return {**described, "type": name}


# --- templates ---------------------------------------------------------------------------------------------------


class Template:
    """Writes the manifests of a component as a Helm template; ``files`` are those that its ConfigMaps read.

    ``config_maps`` gives the paths of the files of each ConfigMap.
    """

    def __init__(self) -> None:
        self.expressions: list[tuple[str, bool]] = []
        self.files: dict[str, str] = {}
        self.config_maps: dict[str, list[str]] = {}

    def keep_files(self, manifests: Iterable[Manifest]) -> None:
        """Takes the files out of the ConfigMaps."""
        for item in manifests:
            manifest = item.manifest if isinstance(item, When) else item
            if manifest.get("kind") == "ConfigMap":
                name = manifest["metadata"]["name"]
                self.config_maps[name] = [_file_path(name, key) for key in manifest["data"]]
                self.files |= {_file_path(name, key): text for key, text in manifest["data"].items()}

    def render(self, component: Component, places: Mapping[str, list[str]]) -> str:
        """The template; ``places`` are the files of every ConfigMap of the chart."""
        parts = [
            f"{{{{- if {refusal.condition} }}}}{{{{ fail {json.dumps(refusal.message)} }}}}{{{{- end }}}}\n"
            for refusal in component.refusals
        ]
        first = True
        for item in component.manifests:
            if isinstance(item, When) and not item.condition:
                continue
            manifest = item.manifest if isinstance(item, When) else item
            text = self._filled(dump_yaml(self._mark(_by_reference(manifest), places)))
            if isinstance(item, When):
                parts.append(f"{{{{- if {item.condition} }}}}\n---\n{text}{{{{- end }}}}\n")
            else:
                parts.append(text if first else f"---\n{text}")
            first = False
        return "".join(parts)

    def _filled(self, text: str) -> str:
        text = text.replace("{{", '{{ "{{" }}')
        lines = [self._line(line) for line in text.split("\n")]
        return re.sub(r"__helm_(\d+)__", lambda found: self._expression(int(found[1])), "\n".join(lines))

    def _line(self, line: str) -> str:
        """A line whose value may be empty becomes one that is then left out."""
        found = re.fullmatch(r"( *)([\w./-]+): __helm_(\d+)__", line)
        if found is None or not self.expressions[int(found[3])][1]:
            return line
        expression = self.expressions[int(found[3])][0]
        return f"{{{{- with {expression} }}}}\n{found[1]}{found[2]}: {{{{ . | toJson }}}}\n{{{{- end }}}}"

    def _expression(self, number: int) -> str:
        return "{{ " + self.expressions[number][0] + " | toJson }}"

    def _mark(self, value: Any, places: Mapping[str, list[str]]) -> Any:
        if isinstance(value, HelmValue):
            return self._token(f".Values.{value.path}", optional=value.optional)
        if isinstance(value, HelmExpression):
            return self._token(value.template, optional=value.optional)
        if isinstance(value, Checksum):
            files = " ".join(_get(path) for name in value.config_maps for path in places[name])
            return self._token(f"print {files} | sha256sum")
        if isinstance(value, Mapping):
            return {key: self._mark(item, places) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._mark(item, places) for item in value]
        return value

    def _token(self, expression: str, *, optional: bool = False) -> str:
        self.expressions.append((expression, optional))
        return f"__helm_{len(self.expressions) - 1}__"


def _file_path(config_map: str, key: str) -> str:
    return str(PurePosixPath("files", config_map, key))


def _get(path: str) -> str:
    return f"($.Files.Get {json.dumps(path)})"


def _by_reference(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The manifest; a ConfigMap reads its files."""
    if manifest.get("kind") != "ConfigMap":
        return manifest
    name = manifest["metadata"]["name"]
    data = {
        key: HelmExpression(f".Files.Get {json.dumps(_file_path(name, key))}", "") for key in manifest["data"]
    }
    return {**manifest, "data": data}
