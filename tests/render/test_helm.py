"""The chart, with Helm's own engine: what it makes, and what the values change."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.project import Project
from lokictl.render import render, rendering
from tests.render.samples import dashboard

helm = pytest.importorskip("helm_python")

Objects = dict[str, dict[str, Any]]
WARNING = 2


@pytest.fixture
def chart(shop: Project, tmp_path: Path) -> Path:
    """The rendered chart's folder; the plain manifests are beside it."""
    render(shop, tmp_path / "out")
    return tmp_path / "out/helm/shop"


def objects(chart: Path, values: dict[str, Any] | None = None) -> Objects:
    """What Helm makes of the chart: name -> object."""
    rendered = helm.Chart.load(chart).render(values=values, name="content", namespace="monitoring")
    found = [item for text in rendered.values() for item in yaml.safe_load_all(text) if item]
    return {item["metadata"]["name"]: item for item in found}


def data_sources(found: Objects) -> dict[str, dict[str, Any]]:
    file = yaml.safe_load(found["shop-datasources"]["data"]["shop.yaml"])
    return {item["uid"]: item for item in file["datasources"]}


def test_helm_has_no_complaint(chart: Path) -> None:
    report = helm.lint(chart, strict=True)
    assert [message for message in report["messages"] if message["severity"] >= WARNING] == []
    assert report["errors"] == []


def test_it_makes_the_plain_manifests(chart: Path) -> None:
    found = objects(chart)
    plain = [
        yaml.safe_load(file.read_text()) for file in (chart.parent.parent / "kubernetes/shop").rglob("*.yaml")
    ]
    assert set(found) == {manifest["metadata"]["name"] for manifest in plain}
    for manifest in plain:
        made = found[manifest["metadata"]["name"]]
        if manifest["metadata"]["name"] == "shop-datasources":
            # The default tenant takes the place of the variable; all else is the same.
            (text,) = manifest["data"].values()
            expected = yaml.safe_load(text.replace("$__env{LOKI_TENANT}", "demo"))
            assert yaml.safe_load(made["data"]["shop.yaml"]) == expected
        else:
            assert made["data"] == {
                key: text.removesuffix("\n") if key.endswith(".json") else text
                for key, text in manifest["data"].items()
            }
        assert made["metadata"].get("annotations") == manifest["metadata"].get("annotations")
        label = next(iter(manifest["metadata"]["labels"]))
        assert made["metadata"]["labels"][label] == "1"
        assert made["metadata"]["namespace"] == "monitoring"


def test_kubernetes_accepts_them(chart: Path) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    cases = list(objects(chart).values())
    assert cases
    for item in cases:
        kubernetes_validate.validate(item, "1.31", strict=True)


def test_a_chart_that_helm_cannot_keep(make_project: Callable[..., Project]) -> None:
    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=900_000))
    boards = {
        f"dashboards/{uid}.json": json.dumps(dashboard(uid, uid.upper(), description=noise[::step]))
        for uid, step in (("a", 1), ("b", -1))
    }
    (note,) = rendering(make_project(boards), what=["helm"]).notes
    assert note.startswith("helm/shop makes a release of about 3,")


def test_urls_and_tenant(chart: Path) -> None:
    found = objects(chart, {"urls": {"loki": "https://loki.example"}, "tenant": "team-a"})
    sources = data_sources(found)
    assert sources["loki"]["url"] == "https://loki.example"
    assert sources["loki"]["secureJsonData"] == {"httpHeaderValue1": "team-a"}
    assert sources["jaeger"]["url"] == "http://jaeger:16686"
    rules = found["shop-rules"]["metadata"]["annotations"]
    assert rules == {"k8s-sidecar-target-directory": "/rules/team-a"}


def test_without_a_tenant_grafanas_environment_decides(chart: Path) -> None:
    found = objects(chart, {"tenant": ""})
    assert data_sources(found)["loki"]["secureJsonData"] == {"httpHeaderValue1": "$__env{LOKI_TENANT}"}
    directory = found["shop-rules"]["metadata"]["annotations"]["k8s-sidecar-target-directory"]
    assert directory == "/rules/demo"


def test_a_header_without_a_secret(make_project: Callable[..., Project], tmp_path: Path) -> None:
    source = (
        "from lokictl.model import DataSource\n"
        'A = DataSource(name="A", type="loki", uid="a", url="http://a",'
        ' json_data={"httpHeaderName1": "X-Scope-OrgID"})\n'
    )
    render(make_project({"datasources/a.py": source}), tmp_path / "out")
    found = data_sources(objects(tmp_path / "out/helm/shop"))
    assert found["a"]["secureJsonData"] == {"httpHeaderValue1": "demo"}


def test_labels_folder_namespace_and_annotations(chart: Path) -> None:
    values = {
        "namespace": "observability",
        "folder": "Everything",
        "labels": {"common": {"team": "core"}, "dashboards": {"grafana_dashboard": None, "dash": "yes"}},
        "annotations": {"folder": "k8s-folder", "directory": "dir"},
        "rulesDirectory": "/etc/rules",
    }
    found = objects(chart, values)
    board = found["shop-dashboard-orders"]["metadata"]
    assert board["namespace"] == "observability"
    assert (board["labels"]["team"], board["labels"]["dash"]) == ("core", "yes")
    assert "grafana_dashboard" not in board["labels"]
    assert board["annotations"] == {"k8s-folder": "Everything"}
    assert found["shop-rules"]["metadata"]["annotations"] == {"dir": "/etc/rules/demo"}


@pytest.mark.parametrize(
    "part, name", [("dashboards", "orders"), ("datasources", "datasources"), ("rules", "rules")]
)
def test_each_part_can_be_left_out(chart: Path, part: str, name: str) -> None:
    assert any(name in item for item in objects(chart))
    assert not any(name in item for item in objects(chart, {"enabled": {part: False}}))


@pytest.mark.parametrize(
    "values", [{"tenat": "x"}, {"urls": {"lokki": "x"}}, {"tenant": "a/b"}, {"folder": 1}]
)
def test_values_that_nothing_reads_are_refused(chart: Path, values: dict[str, Any]) -> None:
    with pytest.raises(helm.HelmError, match="values don't meet the specifications of the schema"):
        objects(chart, values)


def test_braces_in_dashboards_and_rules_stay(chart: Path) -> None:
    found = objects(chart)
    assert '"legendFormat":"{{service}}"' in found["shop-dashboard-orders"]["data"]["orders.json"]
    assert "{{ $labels.service }}" in found["shop-rules"]["data"]["shop.yaml"]
