"""Rules run over lines: what is expected holds, and what does not is explained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.testing import Report, RunOptions, Suite, discover, run_tests
from lokictl.testing.compare import matched
from lokictl.testing.model import ExpectedAlert
from lokictl.testing.reports import failure_text
from lokictl.testing.runner import find_test_files

DATA = Path(__file__).parent / "data"
RunOne = Callable[..., Report]

ERRORS = """
input_streams:
  - labels: {app: web}
    entries: [{at: 0s, every: 30s, count: 10, line: "an error ${index}"}]
"""


def messages(report: Report) -> list[str]:
    assert report.problems == []
    return [failure.message for result in report.results for failure in result.failures]


def test_every_word_of_the_format_works() -> None:
    report = run_tests(discover([DATA / "shop_test.yaml"]))
    assert messages(report) == []
    assert report.count("passed") == 5


@pytest.mark.parametrize(
    "entry, expected",
    [
        ("{eval_time: 2m, alertname: ManyErrors, exp_state: firing}", []),
        ("{eval_time: 1m, alertname: ManyErrors, exp_state: pending}", []),
        (
            "{eval_time: [1m, 2m], alertname: ManyErrors, exp_state: pending}",
            ["ManyErrors: expected pending, but it is firing, at 2m"],
        ),
        (
            "{eval_time: 2m, alertname: ManyErrors}",
            ["ManyErrors: expected no alert to fire, 1 did, at 2m"],
        ),
        (
            "{eval_time: 1m, alertname: ManyErrors, exp_alerts: [{exp_labels: {app: web, severity: page}}]}",
            ["ManyErrors: expected 1 alert to fire, none did, at 1m"],
        ),
        (
            "{eval_time: 2m, alertname: ManyErrors, exp_alerts: [{exp_labels: {app: web}}]}",
            ["ManyErrors: labels or annotations differ from the expected ones, at 2m"],
        ),
        (
            "{eval_time: 2m, alertname: ManyErrors, "
            "exp_alerts: [{exp_labels: {app: web, severity: page}, exp_annotations: {summary: 9 errors}}]}",
            ["ManyErrors: labels or annotations differ from the expected ones, at 2m"],
        ),
        (
            "{eval_time: 2m, alertname: ManyErrors, "
            "exp_alerts: [{exp_labels: {app: web, severity: page}, exp_annotations: {summary: 4 errors}}]}",
            [],
        ),
        ("{eval_time: 2m, alertname: ManyErrors, exp_alerts: [{exp_labels_include: {app: web}}]}", []),
        ("{eval_time: 2m, alertname: ManyErrors, exp_alerts: [{exp_labels_include: {}}]}", []),
        (
            "{eval_time: 2m, alertname: ManyErrors, exp_alerts: [{exp_labels_include: {app: api}}]}",
            ["ManyErrors: labels or annotations differ from the expected ones, at 2m"],
        ),
        (
            "{eval_time: 2m, alertname: ManyErrors, "
            "exp_alerts: [{exp_labels_include: {app: web}, exp_annotations_include: {summary: 4 errors}}]}",
            [],
        ),
        (
            "{eval_time: 2m, alertname: ManyErrors, "
            "exp_alerts: [{exp_labels_include: {app: web}, exp_annotations_include: {summary: 5 errors}}]}",
            ["ManyErrors: labels or annotations differ from the expected ones, at 2m"],
        ),
        (
            "{eval_time: 1m, alertname: ManyErrors, exp_alerts: [{exp_labels_include: {app: web}}]}",
            ["ManyErrors: expected 1 alert to fire, none did, at 1m"],
        ),
        ("{alertname: ManyErrors, fires_within: 2m}", []),
        (
            "{alertname: ManyErrors, fires_within: 1m}",
            ["ManyErrors: did not fire within 1m, at 0s"],
        ),
        ("{eval_time: 30s, alertname: ManyErrors, fires_within: 90s}", []),
        ("{eval_time: 3m, alertname: ManyErrors, resolves_within: 3m}", []),
        (
            "{eval_time: 3m, alertname: ManyErrors, resolves_within: 1m}",
            ["ManyErrors: still firing: did not resolve within 1m, at 3m"],
        ),
        ("{alertname: ManyErrors, fires_within: 2m, resolves_within: 5m}", []),
        (
            "{alertname: ManyErrors, fires_within: 5m, resolves_within: 3m}",
            ["ManyErrors: resolved only after 4m, not within 3m, at 0s"],
        ),
        (
            "{eval_time: 20m, alertname: ManyErrors, resolves_within: 3m}",
            ["ManyErrors: never fired, so it cannot resolve, at 20m"],
        ),
        (
            "{eval_time: 2m, alertname: ManyErors}",
            ['unknown alert "ManyErors": did you mean "ManyErrors"?'],
        ),
        (
            "{eval_time: 2m, alertname: ManyErrors, exp_error: limit}",
            ["ManyErrors: the evaluation did not fail with the expected error, at 2m"],
        ),
    ],
)
def test_alert_expectations(run_one: RunOne, entry: str, expected: list[str]) -> None:
    assert messages(run_one(f"{ERRORS}alert_rule_test:\n  - {entry}")) == expected


@pytest.mark.parametrize(
    "entry, expected",
    [
        ("{eval_time: 2m, record: web:lines:count2m, exp_samples: [{labels: {app: web}, value: 4}]}", []),
        (
            "{eval_time: 2m, record: web:lines:count2m, "
            "exp_samples: [{labels: 'web:lines:count2m{app=\"web\"}', value: 4}]}",
            [],
        ),
        ("{eval_time: 20m, record: web:lines:count2m}", []),
        (
            "{eval_time: 2m, record: web:lines:count2m, exp_samples: [{labels: {app: web}, value: 4.001}]}",
            ["web:lines:count2m: samples differ from the expected ones, at 2m"],
        ),
        (
            "{eval_time: 2m, record: web:lines:count2m, exp_samples: []}",
            ["web:lines:count2m: samples differ from the expected ones, at 2m"],
        ),
        (
            "{eval_time: 2m, record: web:lines, exp_samples: []}",
            ['unknown recording rule "web:lines": did you mean "web:lines:count2m"?'],
        ),
        (
            "{eval_time: 2m, record: web:lines:count2m, exp_error: x, exp_samples: [{labels: {app: web}, value: 4}]}",
            ["web:lines:count2m: the evaluation did not fail with the expected error, at 2m"],
        ),
    ],
)
def test_recording_expectations(run_one: RunOne, entry: str, expected: list[str]) -> None:
    assert messages(run_one(f"{ERRORS}recording_rule_test:\n  - {entry}")) == expected


@pytest.mark.parametrize(
    "entry, expected",
    [
        (
            "{expr: 'count_over_time({app=\"web\"}[1m])', eval_time: 1m, "
            "exp_samples: [{labels: {app: web}, value: 2}]}",
            [],
        ),
        (
            "{expr: 'count_over_time({app=\"web\"}[1m])', eval_time: [1m, 9m], exp_samples: []}",
            ["samples", "1m"],
        ),
        ("{expr: '{app=\"web\"}', end: 1m, exp_logs: [an error 0, an error 1]}", []),
        ("{expr: '{app=\"web\"}', end: 1m, exp_logs: [an error 1, an error 0]}", ["lines", "1m"]),
        ("{expr: '{app=\"web\"}', end: 1m, exp_samples: []}", ["is a log query", "1m"]),
        ("{expr: '{app=\"web\"}', eval_time: 1m, exp_samples: []}", ["failed", "1m"]),
        ("{expr: vector(1), end: 1m, exp_logs: []}", ["is not a log query", "1m"]),
        ("{expr: vector(1), eval_time: 1m, exp_error: parse}", ["did not fail with", "1m"]),
        ("{expr: vector(1) > , eval_time: 1m, exp_error: unexpected}", []),
        ("{expr: vector(0) / 0, eval_time: 1m, exp_samples: [{value: .nan}]}", []),
    ],
)
def test_query_expectations(run_one: RunOne, entry: str, expected: list[str]) -> None:
    found = messages(run_one(f"{ERRORS}logql_expr_test:\n  - {entry}"))
    assert len(found) == bool(expected)
    for message in found:
        assert expected[0] in message
        assert message.endswith(f"at {expected[1]}")


@pytest.mark.parametrize("head, count", [("", 1), ("fuzzy_compare: true\n", 0)])
def test_fuzzy_compare(run_one: RunOne, head: str, count: int) -> None:
    entry = "{eval_time: 2m, record: web:lines:count2m, exp_samples: [{labels: {app: web}, value: 4.000001}]}"
    assert len(messages(run_one(f"{ERRORS}recording_rule_test:\n  - {entry}", head=head))) == count


def test_failures_have_reasons(run_one: RunOne) -> None:
    report = run_one(
        f"{ERRORS}alert_rule_test:\n  - {{eval_time: 1m, alertname: ManyErrors, exp_alerts: [{{}}]}}"
    )
    text = failure_text(report.results[0])
    for line in (
        "web_test.yaml:8:21: ManyErrors: expected 1 alert to fire, none did, at 1m",
        "(no labels)                                        | (no such alert fires)",
        "states:  inactive 0s, pending 1m",
        "for:     1m",
        'value at 1m: {app="web"} 3 > 2',
        'counted: 3 lines in 0s–1m of {app="web"} |= "error"',
        "1m  an error 2",
        "30s  an error 1",
    ):
        assert line in text


def test_expected_and_actual_are_side_by_side(run_one: RunOne) -> None:
    entry = (
        "{eval_time: 2m, alertname: ManyErrors, "
        "exp_alerts: [{exp_labels: {app: api, severity: page}, exp_annotations: {summary: 4 errors}}]}"
    )
    details = run_one(f"{ERRORS}alert_rule_test:\n  - {entry}").results[0].failures[0].details
    assert [" ".join(line.split()) for line in details[:4]] == [
        "expected actual",
        "app: api | app: web",
        "severity: page severity: page",
        "summary: 4 errors summary: 4 errors",
    ]


@pytest.mark.parametrize(
    "expr, message, detail",
    [
        ('{app="web"}', "Wrong: could not be evaluated at 0s and 2 more times", "not a vector or scalar"),
        ('rate({app="web"} | json | unwrap x [1m]) > 0', "", ""),
        (
            'sum by (app) (rate({app="web"} | logfmt | label_format b="{{.x.y}}" [1m])) > 0',
            "Wrong",
            "__error__",
        ),
    ],
)
def test_rules_that_cannot_be_evaluated(run_one: RunOne, expr: str, message: str, detail: str) -> None:
    rules = f"groups: [{{name: g, rules: [{{alert: Wrong, expr: '{expr}'}}]}}]"
    test = f"{ERRORS}alert_rule_test:\n  - {{eval_time: 2m, alertname: Wrong, exp_alerts: []}}"
    report = run_one(test, rules=rules)
    found = [failure for result in report.results for failure in result.failures]
    if not message:
        assert found == []
        return
    assert message in found[0].message
    assert detail in "\n".join(found[0].details)


def test_what_loki_drops_is_reported(run_one: RunOne) -> None:
    rules = """\
groups:
  - name: g
    query_offset: 1m
    labels: {a: b}
    rules:
      - {alert: A, expr: 'count_over_time({app="web"}[1m]) > 0', keep_firing_for: 1h}
"""
    test = f"{ERRORS}alert_rule_test:\n  - {{eval_time: 7m, alertname: A, exp_alerts: []}}"
    report = run_one(test, rules=rules)
    assert messages(report) == []
    assert [problem.position.line for problem in report.warnings] == [3, 4, 6]
    assert all("drops" in problem.message for problem in report.warnings)


def test_what_loki_refuses_fails_the_run(run_one: RunOne) -> None:
    rules = "groups: [{name: g, rules: [{alert: A, expr: 'vector(1) > 0', labels: {a-b: c}}]}]"
    report = run_one("alert_rule_test:\n  - {eval_time: 0s, alertname: A, exp_state: firing}", rules=rules)
    assert not report.passed
    assert "invalid label name: a-b" in report.problems[0].message


def test_group_intervals_are_kept(run_one: RunOne) -> None:
    rules = """\
groups:
  - {name: slow, interval: 5m, rules: [{alert: A, expr: 'count_over_time({app="web"}[1m]) > 0'}]}
"""
    test = """
input_streams: [{labels: {app: web}, entries: [{at: 1m, line: x}, {at: 9m30s, line: x}]}]
alert_rule_test:
  - {eval_time: [1m, 4m, 5m, 9m59s], alertname: A, exp_alerts: []}
  - {eval_time: [10m, 14m], alertname: A, exp_alerts: [{exp_labels: {app: web}}]}
"""
    assert messages(run_one(test, rules=rules)) == []


FORMS = {
    "namespace": "namespace: n\n{groups}",
    "operator": """\
apiVersion: loki.grafana.com/v1
kind: AlertingRule
metadata: {{name: r, namespace: n}}
spec:
  tenantID: t
{groups}""",
    "prometheus": """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {{name: r}}
spec:
{groups}""",
    "config map": """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: r}}
data:
  rules.yaml: |
{groups}""",
}
GROUPS = """\
groups:
  - name: g
    rules:
      - alert: A
        expr: count_over_time({app="web"}[1m]) > 0
"""


@pytest.mark.parametrize("form", FORMS)
def test_rules_in_every_form(run_one: RunOne, form: str) -> None:
    depth = {"namespace": 0, "operator": 2, "prometheus": 2, "config map": 4}[form]
    groups = "".join(" " * depth + line + "\n" for line in GROUPS.splitlines())
    test = f"{ERRORS}alert_rule_test:\n  - {{eval_time: 1m, alertname: A, exp_alerts: [{{exp_labels: {{app: web}}}}]}}"
    assert messages(run_one(test, rules=FORMS[form].format(groups=groups))) == []


# --- finding tests -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern, expected",
    [
        ("", 5),
        ("LATE", 1),
        ("SlowOrRefused", 2),
        ("either*", 1),
        ("*fires", 1),
        ("shop_test.yaml: errors", 1),
        ("nothing", 0),
    ],
)
def test_patterns(pattern: str, expected: int) -> None:
    suite = discover([DATA / "shop_test.yaml"], pattern=pattern)
    assert (len(suite), suite.filtered) == (expected, 5 - expected)


def test_folders_are_searched_and_other_files_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yaml").write_text("tests:\n  - alert_rule_test: []\n")
    (tmp_path / "b.yaml").write_text("tests: {unit: pytest}\n")
    (tmp_path / "c.yml").write_text("services: {}\n")
    assert find_test_files([tmp_path]) == [tmp_path / "sub" / "a.yaml"]
    with pytest.raises(LokictlError, match="file not found"):
        find_test_files([tmp_path / "d.yaml"])


@pytest.mark.parametrize(
    "head, message",
    [
        ("", "names no `rule_files`, and there is no content project"),
        ("rule_files: [no.yaml]\n", "no file matches no.yaml"),
        ("rule_files: ['*.rules']\n", "no file matches *.rules"),
        ("rule_files: [bad.yaml]\n", "unknown key"),
        ("rule_files: [rules.yaml]\ngroup_eval_order: [weeb]\n", 'unknown group "weeb"'),
    ],
)
def test_rules_that_cannot_be_found(write: Callable[..., Path], head: str, message: str) -> None:
    file = write(f"{head}tests:\n  - alert_rule_test: [{{eval_time: 0s, alertname: A}}]\n")
    (file.parent / "bad.yaml").write_text("groups: [{name: g, rules: [{alert: A, exprr: x}]}]")
    suite = discover([file])
    assert message in suite.problems[0].message
    assert not run_tests(suite).passed


def test_a_file_of_queries_needs_no_rules(write: Callable[..., Path]) -> None:
    file = write("tests: [{logql_expr_test: [{expr: vector(1), eval_time: 0s, exp_samples: [{value: 1}]}]}]")
    assert messages(run_tests(discover([file]))) == []


def test_the_project_around_a_file_gives_its_rules(tmp_path: Path) -> None:
    (tmp_path / "lokictl.toml").write_text('tests = "tests"\nrules = "rules"\n')
    for folder in ("tests", "rules"):
        (tmp_path / folder).mkdir()
    (tmp_path / "rules" / "r.yaml").write_text(GROUPS)
    file = tmp_path / "tests" / "t.yaml"
    file.write_text("tests: [{alert_rule_test: [{eval_time: 1m, alertname: A}]}]")
    assert messages(run_tests(discover([file]))) == []


@pytest.mark.parametrize("broken, message", [("dashboards", ""), ("rules", "boom")])
def test_broken_dashboards_do_not_stop_rule_tests(tmp_path: Path, broken: str, message: str) -> None:
    (tmp_path / "lokictl.toml").write_text("")
    for folder in ("rules", "dashboards", "tests/rules", "services", "datasources", "stack"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "rules" / "r.yaml").write_text(GROUPS)
    (tmp_path / broken / "bad.py").write_text("raise ValueError('boom')\n")
    file = tmp_path / "tests" / "rules" / "t.yaml"
    file.write_text("tests: [{alert_rule_test: [{eval_time: 1m, alertname: A}]}]")
    problems = discover([file]).problems
    assert [message in problem.message for problem in problems] == ([True] if message else [])


# --- running -----------------------------------------------------------------------------------------------


def test_processes_give_the_same_results() -> None:
    suite = discover([DATA / "shop_test.yaml"])
    one, two = run_tests(suite), run_tests(suite, RunOptions(jobs=2))
    assert [result.name for result in one.results] == [result.name for result in two.results]
    assert [result.outcome for result in one.results] == [result.outcome for result in two.results]


@pytest.mark.parametrize("jobs", [1, 2])
def test_fail_fast_stops(write: Callable[..., Path], jobs: int) -> None:
    tests = "".join(
        f"  - {{name: t{n}, alert_rule_test: [{{eval_time: 0s, alertname: None{n}}}]}}\n" for n in range(3)
    )
    suite: Suite = discover([write(f"rule_files: [rules.yaml]\ntests:\n{tests}")])
    assert len(run_tests(suite, RunOptions(fail_fast=True, jobs=jobs)).results) == 1
    assert len(run_tests(suite, RunOptions(jobs=jobs)).failed) == 3


def test_a_test_that_never_ends_is_refused(run_one: RunOne) -> None:
    entry = "alert_rule_test: [{eval_time: 200y, alertname: ManyErrors, exp_alerts: []}]"
    report = run_one(entry)
    assert messages(report) == [
        "embedded: the test would evaluate its groups 105,120,001 times; 200,000 are allowed"
    ]
    assert "evaluation_interval" in report.results[0].failures[0].details[0]


@pytest.mark.parametrize(
    "head, labels",
    [
        ("", "{app: web}"),
        ("discover_service_name: true\n", "{app: web, service_name: web}"),
        ("discover_log_levels: true\n", "{app: web, detected_level: error}"),
        (
            "discover_service_name: true\ndiscover_log_levels: true\n",
            "{app: web, detected_level: error, service_name: web}",
        ),
    ],
)
def test_what_a_loki_with_its_defaults_adds(run_one: RunOne, head: str, labels: str) -> None:
    rules = "groups: [{name: g, rules: [{alert: A, expr: 'count_over_time({app=\"web\"}[1m]) > 0'}]}]"
    test = f"{ERRORS}alert_rule_test:\n  - {{eval_time: 1m, alertname: A, exp_alerts: [{{exp_labels: {labels}}}]}}"
    assert messages(run_one(test, rules=rules, head=head)) == []


def test_rules_of_one_name_are_one_alert(run_one: RunOne) -> None:
    rule = "{{alert: A, expr: 'count_over_time({{app=\"web\"}}[5m]) > {0}', labels: {{severity: s{0}}}}}"
    rules = f"groups: [{{name: g, rules: [{rule.format(1)}]}}, {{name: h, rules: [{rule.format(4)}]}}]"
    test = (
        f"{ERRORS}alert_rule_test:\n"
        "  - {eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {app: web, severity: s1}}]}\n"
        "  - {eval_time: 2m, alertname: A, exp_state: firing, "
        "exp_alerts: [{exp_labels: {app: web, severity: s4}}, {exp_labels: {app: web, severity: s1}}]}"
    )
    assert messages(run_one(test, rules=rules)) == []


def test_globs_leave_test_files_out(write: Callable[..., Path]) -> None:
    file = write(
        "rule_files: ['*.yaml']\ntests: [{alert_rule_test: [{eval_time: 0s, alertname: ManyErrors}]}]\n"
    )
    assert messages(run_tests(discover([file]))) == []


def test_progress_is_reported_for_every_test() -> None:
    seen: list[str] = []
    run_tests(discover([DATA / "shop_test.yaml"]), progress=lambda result: seen.append(result.outcome))
    assert seen == ["passed"] * 5


@pytest.mark.parametrize(
    "expr, expected",
    [
        (
            'sum(count_over_time({app="web"}[1m])) > 5 or sum(rate({app="api"}[1m])) > 1',
            ["{} 2, not > 5", "none (wanted: > 1)"],
        ),
        ('absent_over_time({app="web"}[1m])', ["none"]),
        ('sum(count_over_time({app="web"}[1m])) / 0', ["{} NaN"]),
        ('sum(count_over_time({app="web"}[1m])) >= bool 2', ["{} 2 >= 2"]),
    ],
)
def test_values_are_shown_against_their_thresholds(run_one: RunOne, expr: str, expected: list[str]) -> None:
    rules = f"groups: [{{name: g, rules: [{{alert: A, expr: '{expr}'}}]}}]"
    wrong = "{eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {never: x}}]}"
    report = run_one(f"{ERRORS}alert_rule_test:\n  - {wrong}", rules=rules)
    details = report.results[0].failures[0].details
    assert [line.partition("value at 1m: ")[2] for line in details if line.startswith("value")] == expected


MATCHES = [
    # expected labels (and whether they are only some), actual labels, how many pairs
    ([({"a": "1"}, True), ({"a": "1", "b": "2"}, False)], [{"a": "1", "b": "2"}, {"a": "1", "b": "3"}], 2),
    (
        [({}, True), ({"b": "2"}, True), ({"a": "1", "b": "2"}, False)],
        [{"a": "1", "b": "2"}, {"b": "2"}, {"c": "3"}],
        3,
    ),
    ([({"a": "1"}, True), ({"a": "1"}, True)], [{"a": "1"}, {"a": "2"}], 1),
]


@pytest.mark.parametrize("expected, actual, pairs", MATCHES)
def test_expected_and_actual_alerts_find_their_partners(
    expected: list[tuple[dict[str, str], bool]], actual: list[dict[str, str]], pairs: int
) -> None:
    wanted = [ExpectedAlert(labels, some_labels=some) for labels, some in expected]
    assert len(matched(wanted, [(labels, {}) for labels in actual])) == pairs


def test_all_and_some_labels_exclude_each_other(run_one: RunOne) -> None:
    entry = "{eval_time: 2m, alertname: ManyErrors, exp_alerts: [{exp_labels: {}, exp_labels_include: {}}]}"
    report = run_one(f"{ERRORS}alert_rule_test:\n  - {entry}")
    assert any("exclude each other" in problem.message for problem in report.problems)
