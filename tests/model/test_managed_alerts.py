"""Loki rules as Grafana-managed rules, and their forms."""

from __future__ import annotations

import pytest

from lokictl.durations import MINUTE, SECOND
from lokictl.model import AlertingRule, RecordingRule, RuleFile, RuleGroup
from lokictl.model.contents import contents_of
from lokictl.model.managed_alerts import ManagedGroup, read_managed_groups
from lokictl.model.managed_translation import (
    ANY_SAMPLE,
    TranslationOptions,
    provisioning_file,
    translate,
    translate_template,
)
from lokictl.model.yaml_source import load_document
from lokictl.model.yaml_writer import dump_yaml

COUNT = 'sum by (app) (count_over_time({a="b"}[5m]))'


def translated(*rules: AlertingRule | RecordingRule, options: TranslationOptions | None = None, **group: int):
    result = translate([RuleFile("shop", (RuleGroup("g", rules, **group),))], options)
    return result.groups[0], [(str(item.severity), item.message) for item in result.problems]


CONDITIONS = [
    (f"{COUNT} > 5", COUNT, ("gt", 5)),
    (f"{COUNT} < 0.5", COUNT, ("lt", 0.5)),
    (f"{COUNT} >= 5", f"{COUNT} >= 5", None),
    (f"5 < {COUNT}", f"5 < {COUNT}", None),
    (f"{COUNT} > bool 5", f"{COUNT} > bool 5", None),
    (f"{COUNT} / 2 > 5", f"{COUNT} / 2", ("gt", 5)),
    (f"{COUNT} > 5 or {COUNT} < 1", f"{COUNT} > 5 or {COUNT} < 1", None),
    ('absent_over_time({a="b"}[5m])', 'absent_over_time({a="b"}[5m])', None),
]


@pytest.mark.parametrize("expr, query, compared", CONDITIONS, ids=[row[0] for row in CONDITIONS])
def test_conditions(expr: str, query: str, compared: tuple[str, float] | None) -> None:
    group, problems = translated(AlertingRule("A", expr))
    (rule,) = group.rules
    assert problems == []
    first, *steps = rule.data
    assert (first.model["expr"], first.model["queryType"], first.end) == (query, "instant", 0)
    assert rule.condition == steps[-1].ref_id
    evaluator = steps[-1].model["conditions"][0]["evaluator"]
    if compared is None:
        assert [step.model.get("expression") for step in steps] == [ANY_SAMPLE, "B"]
        assert (evaluator["type"], evaluator["params"]) == ("gt", [0])
    else:
        assert (evaluator["type"], *evaluator["params"]) == compared
    assert (rule.no_data_state, rule.exec_err_state, rule.missing_series) == ("OK", "Error", 1)


TEMPLATES = [
    ("{{ $value }} of {{ $labels.app }}", "{{ $values.A.Value }} of {{ $labels.app }}", []),
    ('{{ printf "%.2f" .Value }}', '{{ printf "%.2f" $values.A.Value }}', []),
    ("{{ $value | humanizePercentage }}", "{{ $values.A.Value | humanizePercentage }}", []),
    ("{{ with .Labels }}{{ $.Value }}{{ end }}", "{{ with .Labels }}{{ $values.A.Value }}{{ end }}", []),
    (
        "{{ with $x := .Labels }}{{ $x.Value }}{{ end }}",
        "{{ with $x := .Labels }}{{ $x.Value }}{{ end }}",
        [],
    ),
    ("{{ $externalURL }}/x", "{{ externalURL }}/x", []),
    ("{{ $externalLabels.cluster }}", "{{ $externalLabels.cluster }}", ["$externalLabels"]),
    ('{{ query "up" | first | value }}', '{{ query "up" | first | value }}', ["query", "first", "value"]),
    ('{{ "$value" }} $value', '{{ "$value" }} $value', []),
    ("no template", "no template", []),
]


@pytest.mark.parametrize("text, expected, unknown", TEMPLATES, ids=[row[0] for row in TEMPLATES])
def test_templates(text: str, expected: str, unknown: list[str]) -> None:
    assert translate_template(text) == (expected, unknown)


REFUSED = [
    (AlertingRule("A", '{a="b"}'), {}, "this is a log query"),
    (AlertingRule("A", "rate("), {}, "not valid LogQL"),
    (RecordingRule("a:b", COUNT), {}, "needs a Prometheus to write to"),
    (AlertingRule("A", COUNT), {"limit": 5}, "`limit` cannot be translated"),
    (AlertingRule("A", COUNT), {"interval": 15 * SECOND}, "every 10 seconds or a multiple"),
    (AlertingRule("A", COUNT, annotations={"a": '{{ query "x" }}'}), {}, "have no `query`"),
]


@pytest.mark.parametrize("rule, group, message", REFUSED, ids=[row[2] for row in REFUSED])
def test_what_cannot_be_the_same_is_reported(rule: AlertingRule, group: dict[str, int], message: str) -> None:
    _, problems = translated(rule, **group)
    ((severity, text),) = problems
    assert severity == "error"
    assert message in text


def test_recording_rules_with_a_target() -> None:
    group, problems = translated(
        RecordingRule("a:b", COUNT), options=TranslationOptions(recording_target="prom")
    )
    assert problems == []
    record = group.rules[0].to_dict()["record"]
    assert record == {"metric": "a:b", "from": "A", "target_datasource_uid": "prom"}


def test_names_and_links() -> None:
    link = "https://grafana/d/shop-board?from=now-1h&viewPanel=panel-7"
    rules = [AlertingRule("A", COUNT, labels={"severity": text}, annotations={"x": link}) for text in "ab"]
    group, problems = translated(*rules)
    assert [severity for severity, _ in problems] == ["info"]
    first, second = group.rules
    assert (first.title, second.title) == ("A", "A")
    assert first.uid != second.uid
    assert len(first.uid) <= 40
    assert (first.annotations["__dashboardUid__"], first.annotations["__panelId__"]) == ("shop-board", "7")
    assert translated(*rules)[0].rules[0].uid == first.uid


def test_dollars_are_doubled_where_grafana_fills_variables() -> None:
    labels = {"app": "{{ $labels.app }}"}
    rule = AlertingRule("A$", f"{COUNT} > 5", labels=labels, annotations={"s": "{{ $labels.app }}"})
    group, _ = translated(rule)
    written = group.to_provisioning()["rules"][0]
    assert (written["title"], written["labels"]["app"]) == ("A$$", "{{ $$labels.app }}")
    assert written["annotations"] == {"s": "{{ $labels.app }}"}
    sent = group.to_api()["rules"][0]
    assert (sent["title"], sent["labels"]) == ("A$", labels)


def test_a_provisioning_file_is_read_back() -> None:
    rule = AlertingRule("A", f"{COUNT} > 5", for_=5 * MINUTE, keep_firing_for=MINUTE, labels={"a": "b"})
    group, _ = translated(rule, interval=2 * MINUTE)
    assert read(dump_yaml(provisioning_file([group]))) == [group]


def read(text: str) -> list[ManagedGroup]:
    contents = contents_of(load_document(text, "f.yaml"))
    return [group for found in contents.alerting for group in read_managed_groups(found)]
