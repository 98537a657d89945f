"""``lokictl test --as grafana``: the same tests on the states that Grafana would have, and where they differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from lokictl.testing.runner import RunOptions, discover, run_tests

RULES = """\
groups:
  - name: g
    interval: 1m
    rules:
      - alert: Errors
        expr: sum by (app) (count_over_time({app="shop"} |= "error" [1m])) > 1
        for: 1m
        keep_firing_for: 5m
        annotations: {summary: "{{ $labels.app }}: {{ $value }}"}
      - alert: Broken
        expr: sum by (app) (sum_over_time({app="shop"} | logfmt | unwrap ms [1m])) > 100
"""
TESTS = """\
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - name: errors
    input_streams:
      - labels: {app: shop}
        entries:
          - {at: 10s, every: 30s, count: 5, line: "error ms=1000"}
          - {at: 190s, line: "fine ms=bad"}
    alert_rule_test:
      - alertname: Errors
        eval_time: 2m
        exp_alerts:
          - exp_labels: {app: shop}
            exp_annotations: {summary: "shop: 2"}
      - alertname: Broken
        eval_time: 1m
        exp_alerts: [{exp_labels: {app: shop}}]
"""


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    file = tmp_path / "errors_test.yaml"
    file.write_text(TESTS)
    return file


def test_the_homes_agree_until_something_ends(tests: Path) -> None:
    report = run_tests(discover([tests]), RunOptions(home="grafana"))
    assert [result.failures for result in report.results] == [[]]
    assert [result.differences for result in report.results] == [[]]


def test_differences_are_shown_side_by_side(tests: Path) -> None:
    tests.write_text(TESTS.replace("eval_time: 2m", "eval_time: 5m"))
    report = run_tests(discover([tests]), RunOptions(home="grafana"))
    (result,) = report.results
    # `keep_firing_for` is Grafana's; the ruler drops it.
    errors = next(item for item in result.differences if item.message.startswith("Errors"))
    shown = "\n".join(errors.details)
    assert "Recovering" in shown
    assert "inactive" in shown
    assert run_tests(discover([tests])).results[0].failures


def test_what_cannot_be_translated_is_a_warning(tests: Path) -> None:
    (tests.parent / "rules.yaml").write_text(RULES.replace("interval: 1m", "limit: 5", 1))
    report = run_tests(discover([tests]), RunOptions(home="grafana"))
    assert any("`limit` cannot be translated" in item.message for item in report.warnings)
