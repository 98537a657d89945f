"""What Grafana evaluates, and whom it tells, for the alert sidecar: ConfigMaps, and the chart with Helm itself."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.project import Project
from lokictl.render import render, rendering
from tests.render.samples import CONFIGURATION
from tests.stack.servers import program

MakeProject = Callable[..., Project]
HELM, KUBECONFORM = program("helm"), program("kubeconform")
FILES = {
    "rules/a.py": """\
from lokictl.model import AlertingRule, RuleFile, RuleGroup

RULE = AlertingRule("Errors", 'count_over_time({a="b"}[5m]) > 1', annotations={"s": "{{ $labels.a }} {{ $value }}"})
FILE = RuleFile("shop", (RuleGroup("g", (RULE,)), RuleGroup("h", (RULE,), folder="Platform/Loki")))
""",
    "stack/told.py": """\
from lokictl.model.notifications import ContactPoint, Integration, MessageTemplate, Notifications, Route

TEXT = MessageTemplate("text", '{{ define "text" }}{{ len .Alerts }}{{ end }}')
NOTIFICATIONS = Notifications(
    Route("core"), (ContactPoint("core", (Integration("slack", {}, {"url": "slack_url"}),)),), templates=(TEXT,)
)
""",
}
KUBERNETES = "1.31"


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    return make_project(FILES, configuration=f'alerting = "grafana"\n{CONFIGURATION}')


def provisioned(project: Project) -> dict[str, Any]:
    """The alerting files of a Grafana that reads files, by name."""
    files = rendering(project, what=["grafana"]).files["grafana"]
    found = {path.rpartition("/")[2]: text for path, text in files.items() if "/alerting/" in path}
    return {name: text for name, text in found.items() if name != "shop.yaml"}


def test_config_maps_hold_what_grafana_reads(project: Project) -> None:
    files = rendering(project, what=["kubernetes"]).files["kubernetes"]
    (text,) = [text for path, text in files.items() if "/alerts/" in path]
    manifest = yaml.safe_load(text)
    assert manifest["metadata"]["labels"]["grafana_alert"] == "1"
    assert manifest["data"] == provisioned(project)
    assert set(manifest["data"]) == {
        "shop-folder-shop.yaml",
        "shop-folder-platform-loki-d16150.yaml",
        "shop-notifications.yaml",
    }
    assert not any("/rules/" in path for path in files)


def test_without_grafana_managed_rules_there_are_none(make_project: MakeProject) -> None:
    files = rendering(make_project(FILES), what=["kubernetes", "helm"]).files
    assert not any("alerts" in path for path in (*files["kubernetes"], *files["helm"]))


def manifests(project: Project, folder: Path, *values: str) -> str:
    assert HELM
    render(project, folder, what=["helm"])
    command = [
        HELM,
        "template",
        "content",
        str(folder / "helm/shop"),
        "--namespace",
        "monitoring",
        "--kube-version",
        KUBERNETES,
    ]
    settings = [part for value in values for part in ("--set", value)]
    return subprocess.run([*command, *settings], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(HELM is None, reason="helm is not on PATH")
class TestHelm:
    def test_the_chart_makes_the_same(self, project: Project, tmp_path: Path) -> None:
        text = manifests(project, tmp_path, "labels.alerts.grafana_alert=yes", "labels.common.team=a")
        (found,) = [item for item in yaml.safe_load_all(text) if item]
        assert found["data"] == provisioned(project)
        assert (found["metadata"]["labels"]["grafana_alert"], found["metadata"]["labels"]["team"]) == (
            "yes",
            "a",
        )
        assert found["metadata"]["name"] == "shop-alerts"

    def test_it_can_be_left_out(self, project: Project, tmp_path: Path) -> None:
        assert "ConfigMap" not in manifests(project, tmp_path, "enabled.alerts=false")

    @pytest.mark.skipif(KUBECONFORM is None, reason="kubeconform is not on PATH")
    def test_kubernetes_accepts_it(self, project: Project, tmp_path: Path) -> None:
        assert KUBECONFORM
        package = pytest.importorskip("kubernetes_validate")
        source = Path(package.__file__).parent / "kubernetes-json-schema" / f"v{KUBERNETES}.0-local-strict"
        for name in ("_definitions.json", "configmap-v1.json"):
            place = f"file://{tmp_path}/_definitions.json"
            (tmp_path / name).write_text((source / name).read_text().replace("/api/_definitions.json", place))
        text = manifests(project, tmp_path / "out")
        location = f"{tmp_path}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
        command = [KUBECONFORM, "-strict", "-summary", "-schema-location", location]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Valid: 1, Invalid: 0" in done.stdout
