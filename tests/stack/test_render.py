"""The platform as files: manifests, and a Helm chart that gives the same objects."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.diagnostics import LokictlError
from lokictl.model.component import Component, HelmValue, plain
from lokictl.project import load
from lokictl.render.stack import CHART, chart_values, render_components

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = load(ROOT)
FILES = render_components(PROJECT.components)


def test_rendering_twice_gives_the_same_bytes() -> None:
    assert render_components(PROJECT.components) == FILES


def test_manifests_are_the_components_objects() -> None:
    for component in PROJECT.components:
        if component.manifests:
            read = list(yaml.safe_load_all(FILES[f"kubernetes/platform/{component.name}.yaml"]))
            assert read == [plain(item) for item in component.manifests]


def test_config_maps_hold_the_rendered_configuration() -> None:
    (found,) = [
        item
        for item in yaml.safe_load_all(FILES["kubernetes/platform/loki.yaml"])
        if item["kind"] == "ConfigMap" and item["metadata"]["name"] == "loki-config"
    ]
    assert found["data"]["loki.yaml"] == FILES["stack/loki/loki.yaml"]


def helm_objects(folder: Path, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    helm = pytest.importorskip("helmpy")
    raise AssertionError(helm, folder, values)


def test_values_have_one_default_each() -> None:
    values = chart_values(PROJECT.components)
    assert values["loki"]["replicas"] == 3
    assert values["storageClass"] == "fast-ssd"
    twice = [
        Component(name=name, title=name, manifests=({"kind": "X", "a": HelmValue("x.y", number)},))
        for name, number in (("a", 1), ("b", 2))
    ]
    with pytest.raises(LokictlError, match="two defaults"):
        chart_values(twice)


def test_template_braces_of_configuration_survive() -> None:
    component = Component(name="c", title="c", manifests=({"kind": "X", "text": "{{ $labels.a }}"},))
    text = render_components([component])[f"helm/{CHART}/templates/c.yaml"]
    assert text == "kind: X\ntext: '{{ \"{{\" }} $labels.a }}'\n"


def test_a_change_of_a_service_changes_what_depends_on_it() -> None:
    from stack import collection, loki

    changed = tuple(
        dataclasses.replace(service, retention=service.retention * 2) if service.name == "ryot" else service
        for service in collection.SERVICES
    )
    streams = loki.configuration(services=changed)["limits_config"]["retention_stream"]
    assert {"selector": '{service="ryot"}', "priority": 1, "period": "1440h"} in streams
