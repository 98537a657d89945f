"""Rule files in all their forms."""

from __future__ import annotations

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.durations import MINUTE
from lokictl.model import AlertingRule, RecordingRule, RuleFile, RuleGroup, parse_rule_files

GROUP = """\
name: g
interval: 30s
limit: 5
rules:
  - alert: A
    expr: count_over_time({a="b"}[5m]) > 1
    for: 5m
    labels: {severity: 1, on: yes}
    annotations:
      summary: text
  - record: a:b
    expr: sum(rate({a="b"}[5m]))
"""


def indented(text: str, blanks: int) -> str:
    return "".join(" " * blanks + line for line in text.splitlines(keepends=True)).lstrip()


FORMS = {
    "ruler": ("groups:\n  - " + indented(GROUP, 4), "ruler", "f", ""),
    "namespace": ("namespace: team\ngroups:\n  - " + indented(GROUP, 4), "namespace", "team", ""),
    "group": (GROUP, "group", "f", ""),
    "listing": ("team:\n  - " + indented(GROUP, 4), "listing", "team", ""),
    "AlertingRule": (
        "apiVersion: loki.grafana.com/v1\nkind: AlertingRule\nmetadata: {name: mine, labels: {x: y}}\n"
        "spec:\n  tenantID: application\n  groups:\n    - " + indented(GROUP, 6),
        "AlertingRule",
        "mine",
        "application",
    ),
    "PrometheusRule in a List": (
        "kind: List\nitems:\n  - kind: PrometheusRule\n    metadata: {name: mine}\n"
        "    spec:\n      groups:\n        - " + indented(GROUP, 10),
        "PrometheusRule",
        "mine",
        "",
    ),
    "ConfigMap": (
        "kind: ConfigMap\nmetadata: {name: mine}\ndata:\n  rules.yaml: |\n    groups:\n      - "
        + indented(GROUP, 8),
        "ConfigMap",
        "rules.yaml",
        "",
    ),
}


@pytest.mark.parametrize("text, form, namespace, tenant", FORMS.values(), ids=FORMS.keys())
def test_forms(text: str, form: str, namespace: str, tenant: str) -> None:
    (file,) = parse_rule_files(text, "f.yaml")
    assert (file.form, file.namespace, file.tenant) == (form, namespace, tenant)
    (group,) = file.groups
    assert (group.name, group.interval, group.limit) == ("g", MINUTE // 2, 5)
    alert, record = group.rules
    assert isinstance(alert, AlertingRule)
    assert isinstance(record, RecordingRule)
    assert (alert.alert, alert.for_, alert.labels) == ("A", 5 * MINUTE, {"severity": "1", "on": "yes"})
    assert (record.record, record.expr) == ("a:b", 'sum(rate({a="b"}[5m]))')
    position = alert.origin.text_position(("expr",), 0, 15)
    line = text.split("\n")[position.line - 1]
    assert line[position.column - 1 : position.end_column - 1] == "count_over_time"
    assert alert.origin.source_line(position) == line


def test_group_round_trip() -> None:
    group = RuleGroup.from_yaml(GROUP)
    assert RuleGroup.from_yaml(group.to_yaml()) == group
    (read,) = parse_rule_files(RuleFile("f", (group,)).to_yaml(), "f.yaml")
    assert read.groups == (group,)


BAD = {
    "unknown keys": (
        "groups:\n  - name: g\n    rulez: []\n    rules: [{alrt: A, expr: x}]\n",
        [(3, "rulez"), (4, "alrt"), (4, "neither")],
    ),
    "no groups": ("group: []\n", [(1, 'unknown key "group"'), (1, "needs the key `groups`")]),
    "both kinds": ("groups: [{name: g, rules: [{alert: a, record: b, expr: x}]}]\n", [(1, "not both")]),
    "no expression": ("groups:\n  - name: g\n    rules:\n      - alert: A\n", [(4, "needs an expression")]),
    "bare interval": ("groups:\n  - name: g\n    interval: 5\n", [(3, 'not a valid duration string: "5"')]),
    "groups twice": ("groups:\n  - name: g\n  - name: g\n", [(3, "repeated")]),
    "a recording rule with for": (
        "groups:\n  - name: g\n    rules:\n      - record: a\n        expr: x\n        for: 5m\n",
        [(6, "a recording rule has no `for`")],
    ),
    "not a mapping": ("- 1\n", [(1, "a rule file is a mapping")]),
}


@pytest.mark.parametrize("text, expected", BAD.values(), ids=BAD.keys())
def test_bad_files_report_all_problems(text: str, expected: list[tuple[int, str]]) -> None:
    with pytest.raises(LokictlError) as caught:
        parse_rule_files(text, "f.yaml")
    problems = caught.value.problems
    assert len(problems) == len(expected)
    for problem, (line, words) in zip(problems, expected, strict=True):
        assert words in problem.message
        assert problem.position.line == line


def test_python_rules_know_where_they_were_written() -> None:
    rule = AlertingRule("A", 'count_over_time({a="b"}[5m]) > 1')
    assert rule.origin.position("expr").file == __file__
    assert rule.origin.position().line > 0


def test_reading_rules_composes_no_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing keys, nulls and numbers need no places, which cost more than the values of the whole file."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the file was composed")

    monkeypatch.setattr("yaml.compose_all", refuse)
    nulls = GROUP + "  - alert: B\n    expr: vector(1)\n    for:\n    annotations: {a: ~, b: 1.50}\n"
    (file,) = parse_rule_files(nulls, "f.yaml")
    first, _, last = file.groups[0].rules
    assert isinstance(first, AlertingRule)
    assert isinstance(last, AlertingRule)
    assert first.labels == {"severity": "1", "on": "yes"}
    assert last.annotations == {"a": "", "b": "1.50"}
