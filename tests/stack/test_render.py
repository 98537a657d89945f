"""The platform as files: manifests, and a Helm chart that gives the same objects."""

from __future__ import annotations

import dataclasses

import yaml

from lokictl.render import rendering, settings_of
from lokictl.render.config_maps import APPLY_LIMIT, applied_bytes
from lokictl.render.stack import filled_components, render_components
from services import SERVICES
from stack import loki
from stack.content import provisioning_maps, rule_maps, rule_volumes
from stack.loki import stateful_set
from tests.stack.platform import EVERY, FILES, OBJECTS, OPTIONAL, PROJECT, objects


def test_rendering_twice_gives_the_same_bytes() -> None:
    assert render_components(filled_components(PROJECT, settings_of(PROJECT))) == FILES


def test_manifests_are_the_components_objects() -> None:
    folders = {"platform": [], "optional": []}
    for path, text in FILES.items():
        if path.startswith("kubernetes/"):
            folders[path.split("/")[1]] += list(yaml.safe_load_all(text))
    assert folders["platform"] == OBJECTS
    assert sorted(folders["optional"], key=str) == sorted((item for _, item in OPTIONAL), key=str)


def test_every_config_map_can_be_applied() -> None:
    found = objects("ConfigMap")
    assert {item["metadata"]["name"] for item in found} >= {
        *("grafana-datasources", "grafana-dashboard-provider", "loki-rules", "loki-config"),
    }
    assert {
        item["metadata"]["name"]: applied_bytes(item) for item in found if applied_bytes(item) > APPLY_LIMIT
    } == {}


def test_grafana_and_loki_mount_config_maps_that_exist() -> None:
    maps = {item["metadata"]["name"]: item["data"] for item in objects("ConfigMap")}
    mounted = 0
    assert EVERY
    for item in EVERY:
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


def test_config_maps_contain_the_rendered_configuration() -> None:
    (found,) = [
        item
        for item in yaml.safe_load_all(FILES["kubernetes/platform/loki.yaml"])
        if item["kind"] == "ConfigMap" and item["metadata"]["name"] == "loki-config"
    ]
    assert found["data"]["loki.yaml"] == FILES["stack/loki/loki.yaml"]


def test_a_change_of_a_service_changes_what_depends_on_it() -> None:
    changed = tuple(
        dataclasses.replace(service, retention=service.retention * 2) if service.name == "ryot" else service
        for service in SERVICES
    )
    streams = loki.configuration(services=changed)["limits_config"]["retention_stream"]
    assert {"selector": '{service="ryot"}', "priority": 1, "period": "1440h"} in streams
