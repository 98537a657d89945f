"""What a file holds is found out, and what is wrong with it is told at its place, all at once."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.lint import lint, lint_text

RULE = 'sum(count_over_time({app="a"}[5m])) > 1'
GROUP = f"groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: {RULE}\n"

WRONG = [
    ("tabs", "groups:\n\t- name: g\n", "yaml/syntax", 2, "must use spaces"),
    ("flow", 'groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: {app="a"} |= "x"\n',
     "yaml/syntax", 5, "as a block"),
    ("twice", "groups: []\ngroups: []\n", "yaml/duplicate-key", 2, "remove one of the two"),
    ("unknown", GROUP.replace("expr:", "exp:"), "rule/unknown-key", 5, 'did you mean "expr"?'),
    ("no expr", GROUP.replace(f"        expr: {RULE}\n", ""), "rule/syntax", 4, "add `expr"),
    ("no name", GROUP.replace("- name: g", "- interval: 1m"), "rule/syntax", 2, "add `name"),
    ("both", GROUP + "        record: a:b\n", "rule/syntax", 4, ""),
    ("duration", GROUP + "        for: 5\n", "rule/syntax", 6, "write a unit"),
    ("group twice", GROUP + GROUP.removeprefix("groups:\n"), "rule/syntax", 6, "unique group names"),
    ("rule twice", GROUP + GROUP.split("rules:\n")[1], "rule/duplicate", 6, "rename one"),
    ("misspelt", GROUP.replace("groups", "grups"), "rule/unknown-key", 1, 'did you mean "groups"?'),
    ("no groups", f"- alert: A\n  expr: {RULE}\n", "rule/syntax", 1, "a list of groups"),
    ("logql", GROUP.replace("[5m]", ""), "logql/syntax", 5, "[5m]"),
]  # fmt: skip


@pytest.mark.parametrize("text, name, line, hint", [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_rule_files(text: str, name: str, line: int, hint: str) -> None:
    found = [item for item in lint_text(text, "rules.yaml").findings if item.name == name]
    assert len(found) == 1
    assert found[0].position.line == line
    assert found[0].position.column > 0
    assert hint in found[0].hint


def test_everything_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("groups: [\n")
    text = (
        GROUP.replace("[5m]", "")
        + f"        fro: 5m\n      - alert: A\n        expr: {RULE}\n        for: 1\n"
    )
    (tmp_path / "b.yaml").write_text(text)
    (tmp_path / "c.json").write_text('{"panels": [1,], "title": "x"}')
    names = {item.name for item in lint([str(tmp_path)]).findings if item.severity == "error"}
    assert names == {*("yaml/syntax", "logql/syntax", "rule/unknown-key", "rule/syntax", "json/syntax")}


def test_missing_files_are_all_reported() -> None:
    with pytest.raises(LokictlError) as caught:
        lint(["nowhere.yaml", "neither.json"])
    assert [problem.position.file for problem in caught.value.problems] == ["nowhere.yaml", "neither.json"]


def test_what_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00groups")
    (found,) = lint([str(tmp_path / "a.yaml")]).findings
    assert found.name == "file/unreadable"
    assert lint([str(tmp_path)]).findings == ()


FORMS = [
    ("ruler", GROUP, 1),
    ("namespace", "namespace: n\n" + GROUP, 1),
    ("group", f"name: g\nrules:\n  - alert: A\n    expr: {RULE}\n", 1),
    ("listing", f"ns:\n  - name: g\n    rules:\n      - alert: A\n        expr: {RULE}\n", 1),
    ("two documents", GROUP + "---\n" + GROUP.replace("name: g", "name: h"), 2),
    ("operator", "apiVersion: loki.grafana.com/v1\nkind: AlertingRule\nmetadata: {name: x}\nspec:\n  tenantID: t\n"
     + "".join(f"  {line}\n" for line in GROUP.splitlines()), 1),
    ("config map for the ruler", "apiVersion: v1\nkind: ConfigMap\n"
     "metadata: {name: x, labels: {loki_rule: ''}}\ndata:\n  a.yaml: |\n"
     + "".join(f"    {line}\n" for line in GROUP.splitlines()), 1),
    ("config map", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a.yaml: |\n"
     + "".join(f"    {line}\n" for line in GROUP.splitlines()), 1),
]  # fmt: skip


@pytest.mark.parametrize("text, rules", [row[1:] for row in FORMS], ids=[row[0] for row in FORMS])
def test_forms_of_rule_files(text: str, rules: int) -> None:
    report = lint_text(text, "rules.yaml")
    assert report.rules == rules
    assert [item for item in report.findings if item.severity != "info"] == []


def test_the_place_in_a_config_map() -> None:
    broken = GROUP.replace("[5m]", "")
    text = FORMS[-1][1].split("  a.yaml")[0] + "  a.yaml: |\n" + "".join(
        f"    {line}\n" for line in broken.splitlines()
    )  # fmt: skip
    found = next(item for item in lint_text(text, "map.yaml").findings if item.name == "logql/syntax")
    assert found.source_line[found.position.column - 1] == ")"
    assert found.position.line == 10


def test_rules_for_prometheus_are_left_out(tmp_path: Path) -> None:
    text = GROUP.replace(RULE, "up == 0") + "      - record: a:b\n        expr: sum(rate(http_total[5m]))\n"
    text += "      - alert: Watchdog\n        expr: vector(1)\n"
    report = lint_text(text, "rules.yaml")
    assert [(item.name, item.severity) for item in report.findings] == [("lint/skipped", "info")]
    assert report.rules == 0
    (tmp_path / "rules.yaml").write_text(text)
    assert [(item.name, item.severity) for item in lint([str(tmp_path)]).findings] == [
        ("lint/skipped", "info")
    ]


def test_promql_in_a_place_for_loki_is_an_error() -> None:
    for form in ("operator", "config map for the ruler"):
        text = next(row[1] for row in FORMS if row[0] == form)
        found = lint_text(text.replace(RULE, "rate(http_total[5m]) > 5"), "rules.yaml").findings
        assert "logql/syntax" in [item.name for item in found]


@pytest.mark.parametrize(
    "query, count", [('sum(rate({a="b"} |= "x" [5m]))', 1), ('sum(rate(http_total{a="b"}[5m]))', 0)]
)
def test_queries_whose_data_source_is_not_known(query: str, count: int) -> None:
    panel = {"id": 1, "type": "stat", "targets": [{"refId": "A", "expr": query}]}
    assert lint_text(json.dumps({"title": "T", "panels": [panel]}), "d.json").queries == count


def test_promql_among_logql_is_an_error() -> None:
    text = GROUP + "      - alert: B\n        expr: up == 0\n"
    assert "logql/syntax" in [item.name for item in lint_text(text, "rules.yaml").findings]


@pytest.mark.parametrize(
    "text, rules, dashboards, queries",
    [
        (GROUP, 1, 0, 1),
        ('{app="a"} |= "x"', 0, 0, 1),
        ("sum(rate({app=\"a\"}[5m]))\n", 0, 0, 1),
        ('{"title": "T", "uid": "u", "panels": []}', 0, 1, 0),
        ('{"dashboard": {"title": "T", "uid": "u", "panels": []}, "folderUid": ""}', 0, 1, 0),
    ],
)  # fmt: skip
def test_standard_input(
    text: str, rules: int, dashboards: int, queries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stream)
    report = lint(["-"])
    assert (report.rules, report.dashboards, report.queries) == (rules, dashboards, queries)


def test_other_files_of_a_folder_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yaml").write_text("services:\n  a: {image: b}\n")
    (tmp_path / "package.json").write_text('{"name": "x"}')
    (tmp_path / "values.yaml").write_text("kind: {{ .Values.x }}\n")
    constraints = (
        "apiVersion: security.openshift.io/v1\nkind: SecurityContextConstraints\ngroups: []\nusers: []\n"
    )
    (tmp_path / "constraints.yaml").write_text(constraints)
    (tmp_path / "page.yaml").write_text("{% for x in y %}\ngroups: {{ x }}\n")
    (tmp_path / "dependabot.yaml").write_text("groups:\n  - name: all\n    patterns: ['*']\n")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "rules.yaml").write_text("groups: [\n")
    assert lint([str(tmp_path)]).findings == ()
    (found,) = lint([str(tmp_path / "package.json")]).findings
    assert (found.name, found.severity) == ("lint/skipped", "info")


def test_queries_of_grafana_managed_alerts() -> None:
    text = """apiVersion: 1
groups:
  - orgId: 1
    name: g
    folder: f
    interval: 1m
    rules:
      - uid: a
        title: T
        data:
          - refId: A
            datasourceUid: loki
            model:
              expr: sum(rate({app="a"}))
          - refId: B
            datasourceUid: prometheus
            model:
              expr: up == 0
"""
    found = lint_text(text, "alerts.yaml").findings
    assert [(item.name, item.position.line) for item in found] == [("logql/syntax", 14)]


def test_json_text_is_placed_exactly() -> None:
    text = '{\n "title": "T", "schemaVersion": 39,\n "panels": [\n  {"id": 1, "type": "logs", "title": "é",\n'
    text += '   "datasource": {"type": "loki", "uid": "l"},\n   "targets": [{"refId": "A",\n'
    text += '     "expr": "{a=\\"b\\"} |~ \\"(\\" \\n| json"}]}]}\n'
    found = next(item for item in lint_text(text, "d.json").findings if item.name == "logql/stage-error")
    line = text.split("\n")[6]
    assert found.position.line == 7
    assert line[found.position.column - 1 : found.position.end_column - 1] == '\\"(\\"'


@pytest.mark.parametrize(
    "text, hint",
    [
        ('{"panels": [1,], "title": "x"}', "remove the comma"),
        ("{'panels': [], 'title': 'x'}", "double quotes"),
        ('{"panels": [] "title": "x"}', "comma or a closing bracket"),
    ],
)
def test_wrong_json(text: str, hint: str) -> None:
    (found,) = lint_text(text, "d.json").findings
    assert found.name == "json/syntax"
    assert found.position.line == 1
    assert hint in found.hint


NOT_LOKI = [
    (
        "a label from the values of a chart",
        "      labels: {team: '{{ .Values.team | default \"sre\" }}'}",
        "a Helm or Jinja template",
    ),
    (
        "a name from a chart",
        "      annotations: {s: '{{ include \"x.name\" . }}'}",
        "a Helm or Jinja template",
    ),
    ("an escape only", "      annotations: {s: '{{`{{ .Values }}`}}'}", ""),
    ("the alert's own template", "      annotations: {s: '{{ .Value }} of {{ $labels.x }}'}", ""),
]


@pytest.mark.parametrize("rest, said", [case[1:] for case in NOT_LOKI], ids=[case[0] for case in NOT_LOKI])
def test_rules_that_must_be_rendered_first(rest: str, said: str) -> None:
    text = f"groups:\n  - name: g\n    rules:\n    - alert: A\n      expr: sum(rate({{a=`b`}}[5m]))\n{rest}\n"
    found = [item.message for item in lint_text(text, "rules.yaml").findings if item.name == "lint/skipped"]
    assert [said in message for message in found] == ([True] if said else [])


def test_rules_of_vmalert_are_left_out() -> None:
    text = "groups:\n  - name: g\n    type: vlogs\n    rules: [{alert: A, expr: 'app: x | stats count()'}]\n"
    assert [item.name for item in lint_text(text, "rules.yaml").findings] == ["lint/skipped"]


def test_a_json_schema_is_not_a_dashboard() -> None:
    text = '{"$schema": "http://json-schema.org/draft-07/schema#", "panels": [], "title": ""}'
    assert [item.name for item in lint_text(text, "s.json").findings] == ["lint/skipped"]


def test_the_operator_fills_no_variables() -> None:
    source = "{name: L, type: loki, uid: l, url: http://l, jsonData: {derivedFields: [{name: t, matcherRegex: '(x)', "
    source += "url: '${__value.raw}', datasourceUid: l}]}}"
    resource = (
        "apiVersion: grafana.integreatly.org/v1beta1\nkind: GrafanaDatasource\nmetadata: {name: l}\nspec:\n"
    )
    for text, expected in (
        (f"apiVersion: 1\ndatasources:\n  - {source}\n", True),
        (f"{resource}  datasource: {source}\n", False),
    ):
        names = [item.name for item in lint_text(text, "d.yaml").findings]
        assert ("datasource/undoubled-dollar" in names) == expected


PACKED = [
    ("a list of data sources", "grafana:\n  additionalDataSources:\n    - name: L\n      type: loki\n"
     "      url: http://l\n      jsonData:\n        derivedFields:\n"
     "          - {name: t, matcherRegex: '(x', datasourceUid: l}\n", ["datasource/derived-field"]),
    ("rules of vmalert", "apiVersion: operator.victoriametrics.com/v1beta1\nkind: VMRule\nmetadata: {name: v}\nspec:\n"
     "  groups:\n    - name: g\n      rules:\n        - {alert: A, expr: '_msg:error | stats count() n'}\n", []),
    ("Jinja in Ansible's labels", "loki_alerts:\n  - alert: A\n    expr: sum(count_over_time({app=\"a\"}[5m])) > 1\n"
     "    labels: {severity: '{{ severity | default(\"page\") }}', team: '{{ team.name }}'}\n"
     "    annotations: {summary: '{% raw %}{{ $labels.app }}{% endraw %} {{ $value }}'}\n", []),
    ("Go's functions in Ansible's labels", "loki_alerts:\n  - alert: A\n"
     "    expr: sum(count_over_time({app=\"a\"}[5m])) > 1\n"
     "    annotations: {summary: '{{ humanize }}'}\n", ["rule/template-error"]),
]  # fmt: skip


@pytest.mark.parametrize("text, expected", [row[1:] for row in PACKED], ids=[row[0] for row in PACKED])
def test_what_is_packed_in_something_else(text: str, expected: list[str]) -> None:
    found = [item.name for item in lint_text(text, "values.yaml").findings if item.severity == "error"]
    assert found == expected
