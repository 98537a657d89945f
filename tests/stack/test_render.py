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
from lokictl.render import settings_of
from lokictl.render.stack import CHART, chart_values, filled_components, render_components

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = load(ROOT)
COMPONENTS = filled_components(PROJECT, settings_of(PROJECT))
FILES = render_components(COMPONENTS)


def test_rendering_twice_gives_the_same_bytes() -> None:
    assert render_components(filled_components(PROJECT, settings_of(PROJECT))) == FILES


def test_manifests_are_the_components_objects() -> None:
    for component in COMPONENTS:
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


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """The chart's folder on disk."""
    for path, text in FILES.items():
        if path.startswith(f"helm/{CHART}/"):
            file = tmp_path / path.removeprefix("helm/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return tmp_path / CHART


def helm_objects(chart: Path, values: dict[str, Any] | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    """What Helm makes of the chart: (kind, name) -> object."""
    helm = pytest.importorskip("helm_python")
    rendered = helm.Chart.load(chart).render(values=values, name="test", namespace="monitoring")
    found = [item for text in rendered.values() for item in yaml.safe_load_all(text) if item]
    return {(item["kind"], item["metadata"]["name"]): item for item in found}


def test_helm_accepts_the_chart(chart: Path) -> None:
    helm = pytest.importorskip("helm_python")
    report = helm.lint(chart, strict=True)
    warning = 2
    assert [message for message in report["messages"] if message["severity"] >= warning] == []
    assert report["errors"] == []


def test_helm_gives_the_same_objects_as_the_plain_manifests(chart: Path) -> None:
    expected = [plain(item) for component in COMPONENTS for item in component.manifests]
    assert helm_objects(chart) == {(item["kind"], item["metadata"]["name"]): item for item in expected}


def test_helm_values_reach_the_objects(chart: Path) -> None:
    found = helm_objects(
        chart, {"loki": {"replicas": 5}, "storageClass": "slow", "alloy": {"image": "mine/alloy:1"}}
    )
    loki = found["StatefulSet", "loki"]["spec"]
    assert loki["replicas"] == 5
    assert loki["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "slow"
    assert found["DaemonSet", "alloy"]["spec"]["template"]["spec"]["containers"][0]["image"] == "mine/alloy:1"


def test_values_have_one_default_each() -> None:
    values = chart_values(COMPONENTS)
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
