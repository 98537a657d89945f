"""What tests show of rules, what they would notice, and that our own content leaves nothing out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lokictl.project import load
from lokictl.testing import Suite, discover, measure_coverage, run_mutations
from lokictl.testing.coverage import excuses
from lokictl.testing.model import MutationException
from lokictl.testing.reports import coverage_text, mutation_text

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).parent / "data"
SuiteOf = Callable[..., Suite]

RULES = """\
groups:
  - name: g
    rules:
      - alert: A
        expr: sum by (app) (count_over_time({app=~"web.*", env="prod"} |= "error" != "known" [2m])) > 2
"""
LINES = """
input_streams:
  - labels: {app: web, env: prod}
    entries: [{at: 0s, every: 30s, count: 10, line: "an error ${index}"}]
"""
FIRES = "  - {eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {app: web}}]}\n"
RESOLVES = "  - {eval_time: 9m, alertname: A, exp_alerts: []}\n"


def missing(suite: Suite) -> list[str]:
    return [text for rule in measure_coverage(suite).rules for text, _ in rule.missing()]


FILTERS = [
    'no test in which the line filter |= "error" matters',
    'no test in which the line filter != "known" matters',
    'no test in which the matcher {app=~"web.*"} matters',
    'no test in which the matcher {env="prod"} matters',
]


def test_what_no_test_shows(suite_of: SuiteOf) -> None:
    head = "alert_rule_test:\n"
    assert missing(suite_of(LINES + head + FIRES, rules=RULES)) == [
        "no test in which it stays silent",
        "no test in which it resolves",
        *FILTERS,
    ]
    assert missing(suite_of(LINES + head + FIRES + RESOLVES, rules=RULES)) == [
        "no test in which it stays silent",
        *FILTERS,
    ]


def test_a_failing_test_shows_nothing(suite_of: SuiteOf) -> None:
    report = measure_coverage(
        suite_of(LINES + "alert_rule_test:\n" + FIRES.replace("web", "api"), rules=RULES)
    )
    assert (report.covered, report.total, report.percent) == (0, 8, 0.0)


def test_a_part_matters_where_the_answer_would_be_another_one(suite_of: SuiteOf) -> None:
    lines = """
input_streams:
  - labels: {app: web, env: prod}
    entries:
      - {at: 0s, every: 30s, count: 10, line: an error}
      - {at: 1s, line: a known error}
      - {at: 2s, line: all is well}
  - {labels: {app: web, env: test}, entries: [{at: 0s, line: an error}]}
  - {labels: {app: api, env: prod}, entries: [{at: 0s, every: 1s, count: 9, line: an error}]}
alert_rule_test:
"""
    suite = suite_of(lines + FIRES + RESOLVES, rules=RULES)
    assert missing(suite) == ["no test in which it stays silent"]
    assert coverage_text(measure_coverage(suite)).splitlines() == [
        "not covered:",
        "  A: 7 of 8",
        f"      {suite.files[0].path.replace('web_test', 'rules')}:4:16: no test in which it stays silent",
        "coverage: 87.5 % (7 of 8 behaviors and parts of 1 rules)",
    ]


def test_each_branch_must_matter(suite_of: SuiteOf) -> None:
    rules = """\
groups:
  - name: g
    rules:
      - alert: A
        expr: count_over_time({app="web"}[1m]) > 1 or count_over_time({app="api"}[1m]) > 1
"""
    assert 'no test in which the branch or (count_over_time({app="api"}[1m]) > 1) matters' in missing(
        suite_of(LINES + "alert_rule_test:\n  - {eval_time: 9m, alertname: A}", rules=rules)
    )


def test_within_shows_firing_and_resolving(suite_of: SuiteOf) -> None:
    entry = "alert_rule_test:\n  - {alertname: A, fires_within: 2m, resolves_within: 9m}"
    shown = measure_coverage(suite_of(LINES + entry, rules=RULES)).rules[0].behaviours
    assert shown == {"fires": "it", "stays silent": "", "resolves": "it"}


def test_recording_rules_must_be_written(suite_of: SuiteOf) -> None:
    rules = "groups: [{name: g, rules: [{record: r, expr: 'count_over_time({app=\"web\"}[1m])'}]}]"
    nothing = "recording_rule_test:\n  - {eval_time: 20m, record: r}"
    samples = "exp_samples: [{labels: {app: web, env: prod}, value: 2}]"
    something = f"recording_rule_test:\n  - {{eval_time: 1m, record: r, {samples}}}"
    assert missing(suite_of(LINES + nothing, rules=rules)) == ["no test in which it is written"]
    assert missing(suite_of(LINES + something, rules=rules)) == []


def test_survivors(suite_of: SuiteOf) -> None:
    report = run_mutations(suite_of(LINES + "alert_rule_test:\n" + FIRES + RESOLVES, rules=RULES))
    survivors = [result.mutant.change for result in report.survivors]
    assert "comparison: > 2 → < 2" not in survivors
    assert "comparison: > 2 → >= 2" in survivors
    assert "range: [2m] → [4m]" in survivors
    assert "for: 0s → 1m" not in survivors
    assert 'matcher: {env="prod"} → (removed)' not in [
        result.mutant.change for result in report.results if result.noticed_by
    ]
    text = mutation_text(report)
    assert "A: comparison: > 2 → >= 2" in text
    assert f"{len(report.survivors)} survived" in text


def test_an_exception_needs_a_change_that_survives(suite_of: SuiteOf) -> None:
    head = """\
mutation_exceptions:
  - {rule: A, change: "range: [2m] -> *", reason: the windows of this alert are not promised}
  - {rule: A, change: "for: 0s -> 1m", reason: not needed}
"""
    report = run_mutations(suite_of(LINES + "alert_rule_test:\n" + FIRES + RESOLVES, rules=RULES, head=head))
    assert {result.mutant.change for result in report.excused} == {"range: [2m] → [4m]"}
    assert [problem.message for problem in report.warnings] == ["no surviving change of A is 'for: 0s -> 1m'"]
    assert report.warnings[0].position.line == 4


def test_rules_without_tests_are_named(suite_of: SuiteOf) -> None:
    report = run_mutations(suite_of("alert_rule_test: []", rules=RULES))
    assert ([rule.name for rule in report.untested], report.results) == (["A"], [])
    assert "rules without any test (not changed): A" in mutation_text(report)


@pytest.mark.parametrize(
    "rule, change, expected",
    [
        ("A", "range: [2m] → [4m]", True),
        ("*", "range: *", True),
        ("A", "range: [2m] -> [4m]", True),
        ("B", "*", False),
        ("A", "range: [2m]", False),
    ],
)
def test_exceptions_match_with_stars_only(suite_of: SuiteOf, rule: str, change: str, expected: bool) -> None:
    subject = suite_of("alert_rule_test: []", rules=RULES).rules[0].groups[0].rules[0]
    assert excuses(MutationException(rule, change, "why"), subject, "range: [2m] → [4m]") is expected


@pytest.mark.parametrize("jobs", [1, 2])
def test_processes_change_nothing(jobs: int) -> None:
    suite = discover([DATA / "shop_test.yaml"])
    coverage, mutation = measure_coverage(suite, jobs=jobs), run_mutations(suite, jobs=jobs)
    assert (coverage.covered, len(mutation.results)) == (
        measure_coverage(suite).covered,
        len(run_mutations(suite).results),
    )


def test_our_own_rules_are_covered_and_no_change_survives() -> None:
    suite = discover(project=load(ROOT))
    coverage = measure_coverage(suite)
    assert coverage_text(coverage).startswith("coverage: 100.0 %")
    assert len(coverage.rules) == len(list(load(ROOT).rules))
    mutation = run_mutations(suite)
    assert [result.mutant.change for result in mutation.survivors] == []
    assert (mutation.untested, mutation.warnings) == ([], [])
