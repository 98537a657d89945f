"""The project's own dashboards, data sources and rules, as the ConfigMaps that Grafana and Loki mount.

No sidecars: they would need rights in the cluster that the document does not give to Grafana.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from lokictl.model.component import Component
from lokictl.render.config_maps import numbered, spread
from lokictl.render.names import object_name
from stack import objects

PROVISIONING = "grafana/provisioning/"
RULES = "rules/"

DATASOURCES = "grafana-datasources"
PROVIDER = "grafana-dashboard-provider"
DASHBOARD = "grafana-dashboard"
LOKI_RULES = "loki-rules"


def provisioning_maps(files: Mapping[str, str]) -> dict[str, dict[str, tuple[str, str]]]:
    """ConfigMap -> key -> (path below Grafana's provisioning folder, text)."""
    maps: dict[str, dict[str, tuple[str, str]]] = {}
    for path, text in files.items():
        if not path.startswith(PROVISIONING):
            continue
        inside = PurePosixPath(path.removeprefix(PROVISIONING))
        if inside.suffix == ".json":
            # One ConfigMap for each, on one line: together they would not fit.
            compact = json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
            maps[object_name(DASHBOARD, inside.stem)] = {inside.name: (str(inside), compact)}
        else:
            name = DATASOURCES if inside.parts[0] == "datasources" else PROVIDER
            maps.setdefault(name, {})["-".join(inside.parts)] = (str(inside), text)
    return dict(sorted(maps.items()))


def rule_maps(files: Mapping[str, str]) -> dict[str, dict[str, dict[str, str]]]:
    """Tenant -> ConfigMap -> file -> text; further tenants and what does not fit get further ConfigMaps."""
    tenants: dict[str, dict[str, str]] = {}
    for path, text in files.items():
        if path.startswith(RULES):
            tenant, name = path.removeprefix(RULES).split("/")
            tenants.setdefault(tenant, {})[name] = text
    parts = [(tenant, part) for tenant, texts in tenants.items() for part in spread(texts)]
    found: dict[str, dict[str, dict[str, str]]] = {tenant: {} for tenant in tenants}
    for (tenant, part), name in zip(parts, numbered(LOKI_RULES, len(parts)), strict=True):
        found[tenant][name] = part
    return found


def config_maps(files: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
    """Every ConfigMap of the project's content."""
    grafana = [
        objects.config_map(name, "grafana", {key: text for key, (_, text) in items.items()})
        for name, items in provisioning_maps(files).items()
    ]
    rules = [
        objects.config_map(name, "loki", texts)
        for maps in rule_maps(files).values()
        for name, texts in maps.items()
    ]
    return (*grafana, *rules)


def provisioning_volume(name: str, files: Mapping[str, str]) -> dict[str, Any]:
    """Grafana's provisioning folder, put together from the ConfigMaps."""
    sources = [
        {
            "configMap": {
                "name": config_map,
                "items": [{"key": key, "path": path} for key, (path, _) in items.items()],
            }
        }
        for config_map, items in provisioning_maps(files).items()
    ]
    return {"name": name, "projected": {"sources": sources}}


def rule_volumes(files: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Tenant -> the volume with its rule files."""
    return {
        tenant: {
            "name": f"rules-{number}",
            "projected": {"sources": [{"configMap": {"name": name}} for name in maps]},
        }
        for number, (tenant, maps) in enumerate(rule_maps(files).items())
    }


COMPONENT = Component(
    name="content",
    title="Content",
    description="The project's dashboards, data sources and rules, as Grafana and Loki mount them.",
    content_manifests=config_maps,
    checks=("kubernetes-validate", "grafana", "loki"),
)
