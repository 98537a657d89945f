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
from lokictl.render import rendering, settings_of
from lokictl.render.config_maps import APPLY_LIMIT, applied_bytes
from lokictl.render.stack import CHART, chart_values, filled_components, render_components
from services import SERVICES
from stack import loki
from stack.content import provisioning_maps, rule_maps, rule_volumes
from stack.loki import stateful_set

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


def test_every_config_map_can_be_applied() -> None:
    found = [
        plain(item) for component in COMPONENTS for item in component.manifests if item["kind"] == "ConfigMap"
    ]
    assert {item["metadata"]["name"] for item in found} >= {
        *("grafana-datasources", "grafana-dashboard-provider", "loki-rules", "loki-config"),
    }
    assert {
        item["metadata"]["name"]: applied_bytes(item) for item in found if applied_bytes(item) > APPLY_LIMIT
    } == {}


def test_grafana_and_loki_mount_config_maps_that_exist() -> None:
    objects = [plain(item) for component in COMPONENTS for item in component.manifests]
    maps = {item["metadata"]["name"]: item["data"] for item in objects if item["kind"] == "ConfigMap"}
    mounted = 0
    for item in objects:
        for volume in (
            item["spec"]["template"]["spec"].get("volumes", ()) if "template" in item.get("spec", {}) else ()
        ):
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps
            for source in volume.get("projected", {}).get("sources", ()):
                data = maps[source["configMap"]["name"]]
                assert all(entry["key"] in data for entry in source["configMap"].get("items", ()))
                mounted += 1
    assert mounted >= 3


def test_the_provisioning_folder_is_the_rendered_one() -> None:
    files = dict(rendering(PROJECT, what=["grafana"]))
    mounted = {path for items in provisioning_maps(files).values() for path, _ in items.values()}
    assert mounted == {path.removeprefix("grafana/provisioning/") for path in files}


def test_rules_of_several_tenants_and_sizes() -> None:
    files = {"rules/a/x.yaml": "x" * 200_000, "rules/a/y.yaml": "y" * 200_000, "rules/b/x.yaml": "z"}
    maps = rule_maps(files)
    assert {
        tenant: {name: list(texts) for name, texts in found.items()} for tenant, found in maps.items()
    } == {
        "a": {"loki-rules": ["x.yaml"], "loki-rules-2": ["y.yaml"]},
        "b": {"loki-rules-3": ["x.yaml"]},
    }
    volumes = rule_volumes(files)
    assert [source["configMap"]["name"] for source in volumes["a"]["projected"]["sources"]] == [
        "loki-rules",
        "loki-rules-2",
    ]
    (workload,) = stateful_set(files)
    mounts = workload["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {mount["mountPath"] for mount in mounts} >= {"/etc/loki/rules/a", "/etc/loki/rules/b"}


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
    changed = tuple(
        dataclasses.replace(service, retention=service.retention * 2) if service.name == "ryot" else service
        for service in SERVICES
    )
    streams = loki.configuration(services=changed)["limits_config"]["retention_stream"]
    assert {"selector": '{service="ryot"}', "priority": 1, "period": "1440h"} in streams
