"""Rule groups over time on the embedded engine: order, intervals, recorded samples, limits, errors."""

from __future__ import annotations

import pytest

from lokictl.backends import EmbeddedBackend, LogEntry, LogStream
from lokictl.durations import MINUTE, SECOND
from lokictl.model import AlertingRule, RecordingRule, RuleGroup
from lokictl.ruler import GroupEvaluator, RecordedSample, evaluate_groups, record

START = 1_767_225_600 * SECOND


@pytest.fixture
def backend() -> EmbeddedBackend:
    """One line every 10 s for 5 minutes from each of two pods, and one late line of a third."""
    backend = EmbeddedBackend()
    for pod in ("a", "b"):
        entries = [LogEntry(START + number * 10 * SECOND, f"line {number}") for number in range(30)]
        backend.push([LogStream({"app": "web", "pod": pod}, entries)])
    late = LogEntry(START + 4 * MINUTE, "late", arrives_at=START + 7 * MINUTE)
    backend.push([LogStream({"app": "web", "pod": "c"}, [late])])
    return backend


PER_POD = 'sum by (pod) (count_over_time({app="web"}[1m]))'


def test_states_over_time(backend: EmbeddedBackend) -> None:
    rule = AlertingRule("Busy", f"{PER_POD} > 5", for_=2 * MINUTE, labels={"severity": "page"})
    evaluator = GroupEvaluator(RuleGroup("g", (rule,)), backend)
    assert evaluator.interval == MINUTE
    seen = [
        ((one.time - START) // MINUTE, [(alert.labels["pod"], alert.state) for alert in one.rules[0].alerts])
        for one in evaluator.run(START, START + 7 * MINUTE)
    ]
    pending, firing, gone = ([(pod, state) for pod in "ab"] for state in ("pending", "firing", "inactive"))
    assert seen == [
        (0, []),
        (1, pending),
        (2, pending),
        (3, firing),
        (4, firing),
        (5, gone),
        (6, gone),
        (7, gone),
    ]


def test_late_lines(backend: EmbeddedBackend) -> None:
    rule = AlertingRule("Late", 'count_over_time({pod="c"}[5m]) > 0')
    evaluator = GroupEvaluator(RuleGroup("g", (rule,), interval=30 * SECOND), backend)
    times = [one.time - START for one in evaluator.run(START, START + 10 * MINUTE) if one.rules[0].firing]
    assert times == [7 * MINUTE + number * 30 * SECOND for number in range(4)]


def test_recorded_samples(backend: EmbeddedBackend) -> None:
    rule = RecordingRule("web:lines", PER_POD, labels={"team": "{{ not a template }}", "app": ""})
    (one,) = GroupEvaluator(RuleGroup("g", (rule,)), backend).evaluate(START + MINUTE).rules
    labels = {"team": "{{ not a template }}"}
    assert one.samples == tuple(
        RecordedSample("web:lines", {"pod": pod, **labels}, 6.0, START + MINUTE) for pod in "ab"
    )
    assert (one.health, one.state, one.error) == ("ok", "inactive", "")


VECTOR = [({"pod": "b", "__name__": "x"}, 1.0), ({"pod": "a"}, float("nan"))]
RECORDING = [
    ({}, 0, ["a", "b"], ""),
    ({"pod": ""}, 0, [], "vector contains metrics with the same labelset after applying rule labels"),
    ({"pod": "z"}, 0, [], "vector contains metrics with the same labelset after applying rule labels"),
    ({}, 2, ["a", "b"], ""),
    ({}, 1, [], "exceeded limit of 1 with 2 series"),
    ({}, -1, ["a", "b"], ""),
]


@pytest.mark.parametrize("labels, limit, pods, error", RECORDING)
def test_recording(labels: dict[str, str], limit: int, pods: list[str], error: str) -> None:
    rule = RecordingRule("r", "vector(1)", labels=labels)
    samples, failure = record(rule, START, VECTOR, limit=limit)
    assert [sample.labels["pod"] for sample in samples] == pods
    assert all("__name__" not in sample.labels for sample in samples)
    assert failure == error


def test_the_limit_of_a_group_counts_for_each_rule(backend: EmbeddedBackend) -> None:
    rules = (AlertingRule("Any", PER_POD), RecordingRule("r", PER_POD))
    evaluation = GroupEvaluator(RuleGroup("g", rules, limit=1), backend).evaluate(START + MINUTE)
    assert [(one.error, one.alerts, one.samples) for one in evaluation.rules] == [
        ("exceeded limit of 1 with 2 alerts", (), ()),
        ("exceeded limit of 1 with 2 series", (), ()),
    ]


EXPRESSIONS = [
    ("1 + 1", [({}, 2.0)], ""),
    ("vector(3)", [({}, 3.0)], ""),
    ('{app="web"}', [], "rule evaluation failed: rule result is not a vector or scalar"),
    (
        "sum(",
        [],
        "rule evaluation failed: parse error at line 1, col 5: syntax error: unexpected $end",
    ),
    (
        'sum by (pod, x) (count_over_time({app="web"} | json [1m]))',
        [],
        "rule evaluation failed: pipeline error: 'JSONParserErr' for series",
    ),
    ("1 / 0", [], "rule evaluation failed: parse error"),
]


@pytest.mark.parametrize("expr, vector, error", EXPRESSIONS)
def test_expressions(
    backend: EmbeddedBackend, expr: str, vector: list[tuple[dict[str, str], float]], error: str
) -> None:
    rules = (AlertingRule("A", expr), RecordingRule("r", expr))
    evaluated = GroupEvaluator(RuleGroup("g", rules), backend).evaluate(START + MINUTE).rules
    assert len(evaluated) == len(rules)
    for one in evaluated:
        assert list(one.vector) == vector
        assert one.error.startswith(error)
        assert bool(one.error) == bool(error)
        assert one.health == ("err" if error else "ok")


def test_an_error_keeps_the_alerts(backend: EmbeddedBackend) -> None:
    rule = AlertingRule("A", 'sum by (pod) (count_over_time({app="web"} | json [1m])) > 0')
    evaluator = GroupEvaluator(RuleGroup("g", (rule,)), backend)
    assert evaluator.evaluate(START - MINUTE).rules[0].health == "ok"
    assert evaluator.evaluate(START).rules[0].health == "err"
    assert evaluator.evaluate(START + 30 * MINUTE).rules[0].error == ""


def test_templates_ask_the_backend_at_the_time_of_the_evaluation(backend: EmbeddedBackend) -> None:
    text = '{{ with query "sum(count_over_time({pod=\\"a\\"}[5m]))" }}{{ . | first | value }}{{ end }}'
    rule = AlertingRule(
        "A",
        "vector(1)",
        annotations={
            "lines": text,
            "number": '{{ range query "1 + 1" }}{{ .Value }}{{ end }}',
            "wrong": "{{ query `up{` }}",
            "where": "{{ $externalLabels.cluster }} {{ externalURL }}",
        },
    )
    evaluator = GroupEvaluator(
        RuleGroup("g", (rule,)),
        backend,
        external_labels={"cluster": "c1"},
        external_url="http://loki.example",
    )
    for minutes, expected in ((0, "1"), (2, "13")):
        (alert,) = evaluator.evaluate(START + minutes * MINUTE).rules[0].alerts
        assert alert.annotations["lines"] == expected
        assert alert.annotations["number"] == "2"
        assert "error calling query: rule evaluation failed: parse error" in alert.annotations["wrong"]
        assert alert.annotations["where"] == "c1 http://loki.example"


def test_groups_in_the_order_of_time(backend: EmbeddedBackend) -> None:
    rule = RecordingRule("r", "vector(1)")
    groups = [
        RuleGroup(name, (rule,), interval=interval * SECOND)
        for name, interval in (("slow", 60), ("fast", 20), ("own", 0))
    ]
    evaluators = [GroupEvaluator(group, backend, evaluation_interval=30 * SECOND) for group in groups]
    order = [
        ((one.time - START) // SECOND, one.group.name)
        for one in evaluate_groups(evaluators, start=START, end=START + 60 * SECOND)
    ]
    assert order == [
        (0, "slow"),
        (0, "fast"),
        (0, "own"),
        (20, "fast"),
        (30, "own"),
        (40, "fast"),
        (60, "slow"),
        (60, "fast"),
        (60, "own"),
    ]
    assert list(evaluate_groups(evaluators, start=START, end=START - 1)) == []
    assert list(evaluate_groups([], start=START, end=START)) == []


def test_what_loki_drops_has_no_effect(backend: EmbeddedBackend) -> None:
    rule = AlertingRule("Busy", f"{PER_POD} > 5", keep_firing_for=60 * MINUTE)
    group = RuleGroup("g", (rule,), query_offset=10 * MINUTE, labels={"team": "web"})
    evaluations = [one.rules[0] for one in GroupEvaluator(group, backend).run(START, START + 6 * MINUTE)]
    assert [len(one.firing) for one in evaluations] == [0, 2, 2, 2, 2, 0, 0]
    assert "team" not in evaluations[1].firing[0].labels


def test_notifications(backend: EmbeddedBackend) -> None:
    rule = AlertingRule("Busy", 'count_over_time({pod="a"}[1m]) > 5')
    evaluator = GroupEvaluator(RuleGroup("g", (rule,)), backend)
    sent = [
        [(one.resolved, (one.starts_at - START) // MINUTE) for one in evaluation.rules[0].notifications]
        for evaluation in evaluator.run(START, START + 6 * MINUTE)
    ]
    assert sent == [[], [(False, 1)], [], [(False, 1)], [], [(True, 1)], []]
