"""This project's platform as its tests look at it: components, and the Kubernetes objects of plain manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lokictl.model.component import config_map_data, plain
from lokictl.project import load
from lokictl.render import settings_of
from lokictl.render.stack import filled_components, render_components

ROOT = Path(__file__).resolve().parents[2]
PROJECT = load(ROOT)
COMPONENTS = filled_components(PROJECT, settings_of(PROJECT))
CONFIG_MAPS = config_map_data(COMPONENTS)
FILES = render_components(COMPONENTS)

Object = dict[str, Any]

OBJECTS: list[Object] = [plain(item, CONFIG_MAPS) for component in COMPONENTS for item in component.objects()]
"""What ``kubectl apply -f kubernetes/platform`` makes."""

OPTIONAL: list[tuple[str, Object]] = [
    (group, plain(item, CONFIG_MAPS))
    for component in COMPONENTS
    for group, item in component.optional_objects()
]
"""(group, object) of ``kubernetes/optional``."""

EVERY: list[Object] = [*OBJECTS, *(item for _, item in OPTIONAL)]


def objects(kind: str, items: list[Object] = EVERY) -> list[Object]:
    """The objects of a kind, the optional ones included."""
    return [item for item in items if item["kind"] == kind]


def workloads(items: list[Object] = EVERY) -> list[Object]:
    """The objects that run pods."""
    return [item for item in items if item["kind"] in ("Deployment", "StatefulSet", "DaemonSet")]
