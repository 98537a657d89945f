"""ConfigMaps for the sidecars: labels, sizes, and that the text is what was meant."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lokictl.diagnostics import LokictlError
from lokictl.project import Project
from lokictl.render import rendering
from lokictl.render.config_maps import (
    APPLY_LIMIT,
    applied_bytes,
    config_map,
    manifest_text,
    numbered,
    spread,
)
from tests.render.samples import dashboard

MakeProject = Callable[..., Project]


def manifests(project: Project) -> dict[str, dict[str, object]]:
    return {path: yaml.safe_load(text) for path, text in rendering(project, what=["kubernetes"])}


def test_labels_and_annotations(shop: Project) -> None:
    found = manifests(shop)
    board = found["kubernetes/shop/dashboards/orders.yaml"]["metadata"]
    assert board["name"] == "shop-dashboard-orders"
    assert board["labels"]["grafana_dashboard"] == "1"
    assert board["annotations"] == {"grafana_folder": "shop"}
    sources = found["kubernetes/shop/datasources.yaml"]
    assert sources["metadata"]["labels"]["grafana_datasource"] == "1"
    assert list(sources["data"]) == ["shop.yaml"]
    rules = found["kubernetes/shop/rules/shop-rules.yaml"]
    assert rules["metadata"]["labels"]["loki_rule"] == "1"
    assert rules["metadata"]["annotations"] == {"k8s-sidecar-target-directory": "/rules/demo"}


def test_the_content_is_that_of_the_other_outputs(shop: Project) -> None:
    found, files = manifests(shop), dict(rendering(shop, what=["grafana", "rules"]))
    assert found["kubernetes/shop/rules/shop-rules.yaml"]["data"] == {
        "shop.yaml": files["rules/demo/shop.yaml"]
    }
    assert found["kubernetes/shop/datasources.yaml"]["data"] == {
        "shop.yaml": files["grafana/provisioning/datasources/shop.yaml"]
    }
    text = found["kubernetes/shop/dashboards/orders.yaml"]["data"]["orders.json"]
    assert "\n" not in text
    assert json.loads(text) == dashboard()


def test_kubernetes_accepts_them(shop: Project) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    cases = list(manifests(shop).values())
    assert cases
    for manifest in cases:
        kubernetes_validate.validate(manifest, "1.31", strict=True)


def rule_text(name: str, size: int) -> str:
    return yaml.safe_dump(
        {"groups": [{"name": name, "rules": [{"record": "a", "expr": "1", "labels": {"x": "y" * size}}]}]},
        width=10**9,
    )


def test_rules_are_split(make_project: MakeProject) -> None:
    project = make_project({f"rules/n{number}.yaml": rule_text(f"g{number}", 100_000) for number in range(5)})
    found = manifests(project)
    assert list(found) == [
        f"kubernetes/shop/rules/{name}.yaml" for name in ("shop-rules-2", "shop-rules-3", "shop-rules")
    ]
    assert all(applied_bytes(manifest) < APPLY_LIMIT for manifest in found.values())
    assert sorted(key for manifest in found.values() for key in manifest["data"]) == [
        f"n{number}.yaml" for number in range(5)
    ]


def test_a_large_dashboard_needs_a_server_side_apply(make_project: MakeProject) -> None:
    board = dashboard(description="x" * 300_000)
    result = rendering(make_project({"dashboards/big.json": json.dumps(board)}))
    text = dict(result)["kubernetes/shop/dashboards/orders.yaml"]
    assert text.startswith("# 300,")
    assert "kubectl apply --server-side" in text.splitlines()[0]
    assert [note for note in result.notes if "dashboards/orders.yaml" in note and "--server-side" in note]


def test_a_dashboard_that_no_config_map_can_hold(make_project: MakeProject) -> None:
    project = make_project({"dashboards/huge.json": json.dumps(dashboard(description="x" * 1_100_000))})
    with pytest.raises(LokictlError, match="a ConfigMap holds 1,048,576"):
        rendering(project)
    rendering(project, what=["grafana"])


def test_spreading_keeps_the_order_and_the_limit() -> None:
    data = {name: name * 30 for name in "abcdef"}
    parts = spread(data, limit=100)
    assert [list(part) for part in parts] == [["a", "b"], ["c", "d"], ["e", "f"]]
    assert spread({"a": "x" * 500, "b": "y"}, limit=100) == [{"a": "x" * 500}, {"b": "y"}]
    assert spread({}) == []
    assert numbered("n", 3) == ["n", "n-2", "n-3"]


TEXTS = [
    "carriage\r\nreturn\n",
    "line\u2028separator\x85next\n",
    "bell\a and \x7f and \ufeff",
    'emoji 🎉 \\ "quoted"\r',
    "one line",
    "a: b\n",
    "a\nb",
    "a\n\nb\n",
    "ends with several\n\n\n",
    "",
    "\n",
    "  indented first\nx\n",
    "\nempty first\n",
    "tab\there\n",
    "trailing space \nx",
    "{{ braces }} # not a comment",
    "ΣLANG — “quotes” 'single' \"double\"\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_survives(text: str) -> None:
    manifest = config_map("n", {"f.yaml": text}, namespace="ns", labels={"grafana_dashboard": "1"})
    assert yaml.safe_load(manifest_text(manifest)) == manifest


@settings(deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[-._a-zA-Z0-9]+\.json", fullmatch=True), st.text(), min_size=1, max_size=3
    )
)
def test_every_string_survives_whatever_it_is(data: dict[str, str]) -> None:
    manifest = config_map("n", data)
    assert yaml.safe_load(manifest_text(manifest)) == manifest


# --- rules ---------------------------------------------------------------------------------------------------

GROUP = "groups:\n  - name: {}\n    rules:\n      - {{record: a, expr: '1'}}\n"


def test_the_layout_of_the_ruler(make_project: MakeProject) -> None:
    rule = "from lokictl.model import RecordingRule, RuleFile, RuleGroup\n"
    file = 'F = RuleFile("base", (RuleGroup("g", (RecordingRule("a", "1"),)),), tenant="other")\n'
    project = make_project({"rules/one.yaml": GROUP.format("g"), "rules/two.py": rule + file})
    assert [path for path, _ in rendering(project, what=["rules"])] == [
        "rules/demo/one.yaml",
        "rules/other/base.yaml",
    ]
    names = [manifest["metadata"]["name"] for manifest in manifests(project).values()]
    assert names == ["shop-rules-other", "shop-rules"]


def test_files_of_one_namespace_become_one(make_project: MakeProject) -> None:
    project = make_project({"rules/a/x.yaml": GROUP.format("g1"), "rules/b/x.yaml": GROUP.format("g2")})
    ((path, text),) = rendering(project, what=["rules"])
    assert path == "rules/demo/x.yaml"
    assert [group["name"] for group in yaml.safe_load(text)["groups"]] == ["g1", "g2"]


def test_two_groups_of_one_name(make_project: MakeProject) -> None:
    project = make_project({"rules/a/x.yaml": GROUP.format("g"), "rules/b/x.yaml": GROUP.format("g")})
    with pytest.raises(LokictlError, match='the group "g" exists twice in the namespace "x"') as caught:
        rendering(project)
    assert caught.value.problems[0].position.line == 2


def test_what_only_lokitool_knows_is_left_out(make_project: MakeProject) -> None:
    text = "groups:\n  - name: g\n    remote_write: [{url: http://x}]\n    rules: [{record: a, expr: '1'}]\n"
    ((_, rendered),) = rendering(make_project({"rules/x.yaml": text}), what=["rules"])
    assert "remote_write" not in rendered


def test_namespaces_that_are_not_file_names(make_project: MakeProject) -> None:
    rule = "from lokictl.model import RecordingRule, RuleFile, RuleGroup\n"
    rule += '_G = (RuleGroup("g", (RecordingRule("a", "1"),)),)\n'
    project = make_project(
        {"rules/two.py": rule + 'F = [RuleFile("team/base", _G), RuleFile(".b.yml", _G)]\n'}
    )
    assert [path for path, _ in rendering(project, what=["rules"])] == [
        "rules/demo/b.yaml",
        "rules/demo/team-base.yaml",
    ]


def test_a_tenant_that_is_not_a_folder_name(make_project: MakeProject) -> None:
    project = make_project({"rules/x.yaml": GROUP.format("g")}, 'name = "shop"\ntenant = "../up"\n')
    with pytest.raises(LokictlError, match=r'"\.\./up" cannot be a tenant'):
        rendering(project)
