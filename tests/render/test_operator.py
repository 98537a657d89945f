"""Custom resources are valid by the schemas that their operators publish, and say what the project says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lokictl.model import AlertingRule, RecordingRule, RuleFile, RuleGroup
from lokictl.project import Project, load
from lokictl.render.operator import go_duration, manifests
from lokictl.render.rendering import OUTPUTS, rendering
from lokictl.render.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
CRDS: dict[str, dict[str, Any]] = json.loads((ROOT / "tests/data/crds/schemas.json").read_text())


def loki_rule(name: str, **more: Any) -> dict[str, Any]:
    """The schema of a kind of the Loki operator, after its API reference (loki.grafana.com/v1)."""
    text, texts = {"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}
    parts = "".join(f"(([0-9]+){unit})?" for unit in ("y", "w", "d", "h", "m", "s", "ms"))
    duration = {"type": "string", "pattern": f"^({parts}|0)$"}
    kinds = {"for": duration, "annotations": texts} if name == "alert" else {}
    rule = {
        "type": "object",
        "required": ["expr"],
        "properties": {name: text, "expr": text, "labels": texts, **kinds},
    }
    group = {
        "type": "object",
        "required": ["name", "rules"],
        "properties": {
            "name": text,
            "interval": duration,
            "limit": {"type": "integer"},
            "rules": {"type": "array", "items": rule},
        },
    }
    spec = {
        "type": "object",
        "required": ["tenantID"],
        "properties": {"tenantID": text, "groups": {"type": "array", "items": group}},
    }
    return {
        "type": "object",
        "properties": {"apiVersion": text, "kind": text, "metadata": {"type": "object"}, "spec": spec},
    }


SCHEMAS = {kind: (entry["apiVersion"], entry["schema"]) for kind, entry in CRDS.items()}
SCHEMAS["AlertingRule"] = ("loki.grafana.com/v1", loki_rule("alert"))
SCHEMAS["RecordingRule"] = ("loki.grafana.com/v1", loki_rule("record"))


def strict(schema: Any) -> Any:
    """A schema that refuses unknown fields, as the API server's strict validation does."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    closed = "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields")
    if closed and schema.get("type") == "object" and "additionalProperties" not in schema:
        found["additionalProperties"] = False
    return found


@pytest.fixture(scope="module")
def project() -> Project:
    return load(ROOT)


@pytest.fixture(scope="module", params=["loki", "grafana"])
def rendered(request: pytest.FixtureRequest, project: Project) -> dict[str, dict[str, Any]]:
    result = rendering(project, what=["operator"], alerting=request.param)
    return {path: yaml.safe_load(text) for path, text in result.files["operator"].items()}


def test_every_manifest_fits_its_published_schema(rendered: dict[str, dict[str, Any]]) -> None:
    assert rendered
    for path, manifest in rendered.items():
        version, schema = SCHEMAS[manifest["kind"]]
        assert manifest["apiVersion"] == version, path
        jsonschema.validate(manifest, strict(schema))
        # What the definition says in CEL.
        spec = manifest["spec"]
        if manifest["kind"] in ("GrafanaAlertRuleGroup", "GrafanaDashboard"):
            assert ("folderRef" in spec) != ("folderUID" in spec)
            assert any(item["metadata"]["name"] == spec["folderRef"] for item in rendered.values())


def test_a_wrong_manifest_does_not_fit(rendered: dict[str, dict[str, Any]]) -> None:
    path = next(path for path in rendered if "/folders/" in path)
    wrong = {**rendered[path], "spec": {**rendered[path]["spec"], "titel": "x"}}
    with pytest.raises(jsonschema.ValidationError, match="titel"):
        jsonschema.validate(wrong, strict(SCHEMAS["GrafanaFolder"][1]))


def test_every_rule_is_somewhere(rendered: dict[str, dict[str, Any]], project: Project) -> None:
    names: set[str] = set()
    for manifest in rendered.values():
        spec = manifest["spec"]
        names |= {rule["title"] for rule in spec.get("rules", ())}
        for group in spec.get("groups", ()):
            names |= {rule.get("alert") or rule["record"] for rule in group["rules"]}
    assert names == {rule.name for rule in project.rules}


def test_secrets_are_only_referred_to(rendered: dict[str, dict[str, Any]]) -> None:
    source = next(item for item in rendered.values() if item["kind"] == "GrafanaDatasource")
    cases = list(source["spec"].get("valuesFrom", ()))
    assert cases
    for value in cases:
        key = value["targetPath"].removeprefix("secureJsonData.")
        reference = value["valueFrom"]["secretKeyRef"]
        assert source["spec"]["datasource"]["secureJsonData"][key] == f"${{{reference['key']}}}"
    texts = json.dumps([item for item in rendered.values() if item["kind"] != "GrafanaDashboard"])
    assert "$__env" not in texts
    assert "$__file" not in texts


def test_tenants_and_kinds_of_rules(project: Project) -> None:
    alert = AlertingRule("A", 'sum(count_over_time({a="b"}[5m])) > 1', for_="1d")
    record = RecordingRule("a:b", 'sum(rate({a="b"}[5m]))')
    file = RuleFile("shop", (RuleGroup("g", (alert, record), limit=3),), tenant="team")
    settings = Settings(name="p", tenant="fake", folder="p")
    empty = Project(project.root, project.config, rule_files=(file,))
    made = dict(manifests(empty, settings))
    assert sorted(made) == [
        "alloy/p-team-shop.yaml",
        "loki/alertingrule-p-team-shop.yaml",
        "loki/recordingrule-p-team-shop.yaml",
    ]
    for manifest in made.values():
        jsonschema.validate(manifest, strict(SCHEMAS[manifest["kind"]][1]))
    assert made["loki/alertingrule-p-team-shop.yaml"]["spec"]["tenantID"] == "team"


OWN_FORM = """\
apiVersion: 1
groups:
  - name: own
    folder: Team \\/ one/Inner
    interval: 1m
    rules:
      - uid: r1
        title: Rate of $$shop
        condition: B
        data:
          - refId: A
            datasourceUid: loki
            relativeTimeRange: {from: 600, to: 0}
            model: {refId: A, expr: 'rate({a="b"}[5m])'}
          - {refId: B, datasourceUid: __expr__, model: {refId: B, type: reduce, expression: A, reducer: last}}
        for: 1d
        keepFiringFor: 90s
        labels: {cost: $$5}
        annotations: {__dashboardUid__: board, __panelId__: "3"}
        notification_settings: {receiver: core, group_by: [alertname], group_wait: 10s}
  - name: elsewhere
    folder: Somewhere
    folderUid: some-where
    interval: 1m
    rules:
      - title: No uid
        condition: A
        data: [{refId: A, datasourceUid: __expr__, model: {type: math, expression: "1"}}]
"""


def test_rules_in_grafanas_own_form(make_project: Callable[..., Project]) -> None:
    project = make_project({"alerts/own.yaml": OWN_FORM})
    result = rendering(project, what=["operator", "grafana"])
    made = [yaml.safe_load(text) for text in result.files["operator"].values()]
    assert made
    for manifest in made:
        jsonschema.validate(manifest, strict(SCHEMAS[manifest["kind"]][1]))
    groups = {item["spec"]["name"]: item["spec"] for item in made if item["kind"] == "GrafanaAlertRuleGroup"}
    (rule,) = groups["own"]["rules"]
    assert (rule["title"], rule["labels"], rule["for"]) == ("Rate of $shop", {"cost": "$5"}, "24h")
    assert rule["notificationSettings"] == {
        "receiver": "core",
        "group_by": ["alertname"],
        "group_wait": "10s",
    }
    assert (rule["dashboardUid"], rule["panelId"]) == ("board", 3)
    titles = {
        item["metadata"]["name"]: item["spec"]["title"] for item in made if item["kind"] == "GrafanaFolder"
    }
    assert sorted(titles.values()) == ["Inner", "Somewhere", "Team / one"]
    assert titles[groups["own"]["folderRef"]] == "Inner"
    assert groups["elsewhere"]["rules"][0]["uid"]
    texts = [text for path, text in result.files["grafana"].items() if "/alerting/shop-" in path]
    files = [group for text in texts for group in yaml.safe_load(text)["groups"]]
    (own,) = [group for group in files if group["name"] == "own"]
    assert (own["folder"], own["rules"][0]["title"]) == ("Team \\/ one/Inner", "Rate of $$shop")
    assert own["rules"][0]["labels"] == {"cost": "$$5"}


@pytest.mark.parametrize("seconds, text", [(0, "0s"), (90, "1m30s"), (86_400, "24h"), (3_661, "1h1m1s")])
def test_durations(seconds: int, text: str) -> None:
    assert go_duration(seconds * 1_000_000_000) == text


def test_on_demand_outputs_are_not_rendered_unasked(project: Project) -> None:
    names = set(rendering(project).files)
    assert not names & {"operator", "git-sync"}
    assert names < set(OUTPUTS)


@pytest.mark.parametrize(
    "schema, grafana, version", [("v1", "12.3", "v1beta1"), ("v2", "12.3", "v2beta1"), ("v2", "13.0", "v2")]
)
def test_git_sync_has_resources(project: Project, schema: str, grafana: str, version: str) -> None:
    table = {**project.config.table("render"), "schema": schema}
    config = replace(project.config, written={**project.config.written, "render": table})
    result = rendering(replace(project, config=config), what=["git-sync"], grafana_version=grafana)
    resources = [json.loads(text) for text in result.files["git-sync"].values()]
    assert {item["metadata"]["name"] for item in resources} == {item.uid for item in project.dashboards}
    for item in resources:
        assert item["apiVersion"] == f"dashboard.grafana.app/{version}"
        assert ("elements" in item["spec"]) == (schema == "v2")
        assert not {"uid", "id"} & set(item["spec"])
