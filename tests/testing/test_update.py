"""`--update`: expectations become what happens, and everything else in the file stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lokictl.testing import discover, run_tests
from lokictl.testing.update import UpdatedFile, update, write

Write = Callable[..., Path]

HEAD = """\
# yaml-language-server: $schema=test.schema.json
rule_files: [rules.yaml]
tests:
  - name: it   # a comment
    input_streams:
      - labels: {app: web}
        entries: [{at: 0s, every: 30s, count: 10, line: "an error ${index}"}]
"""


def updated(file: Path) -> UpdatedFile:
    """The file after an update, which must pass then."""
    report = run_tests(discover([file]))
    assert report.problems == []
    (found,) = update(report)
    write([found])
    again = run_tests(discover([file]))
    if not found.left:
        assert [failure.message for result in again.results for failure in result.failures] == []
    return found


CASES = [
    (
        "a state",
        """\
    alert_rule_test:
      # before
      - {eval_time: 2m, alertname: ManyErrors, exp_state: pending} # behind
      - {eval_time: 9m, alertname: ManyErrors, exp_state: inactive}
""",
        """\
    alert_rule_test:
      # before
      - {eval_time: 2m, alertname: ManyErrors, exp_state: firing} # behind
      - {eval_time: 9m, alertname: ManyErrors, exp_state: inactive}
""",
    ),
    (
        "one annotation",
        """\
    alert_rule_test:
      - eval_time: 2m
        alertname: ManyErrors
        exp_alerts:
          # the page
          - exp_labels: {app: web, severity: page}
            exp_annotations:
              summary: 17 errors # too many
""",
        """\
    alert_rule_test:
      - eval_time: 2m
        alertname: ManyErrors
        exp_alerts:
          # the page
          - exp_labels: {app: web, severity: page}
            exp_annotations:
              summary: "4 errors" # too many
""",
    ),
    (
        "alerts where none were expected, in flow form",
        """\
    alert_rule_test:
      - {eval_time: 2m, alertname: ManyErrors, exp_alerts: []} # behind
      - {eval_time: 2m, alertname: ManyErrors}
""",
        """\
    alert_rule_test:
      - {eval_time: 2m, alertname: ManyErrors, exp_alerts: [{exp_labels: {app: web, severity: page}, \
exp_annotations: {summary: "4 errors"}}]} # behind
      - {eval_time: 2m, alertname: ManyErrors, exp_alerts: [{exp_labels: {app: web, severity: page}, \
exp_annotations: {summary: "4 errors"}}]}
""",
    ),
    (
        "alerts where none were expected, in block form",
        """\
    alert_rule_test:
      - eval_time: 2m
        alertname: ManyErrors
        # none
        exp_alerts: []

    recording_rule_test: []
""",
        """\
    alert_rule_test:
      - eval_time: 2m
        alertname: ManyErrors
        # none
        exp_alerts:
          - exp_labels: {app: web, severity: page}
            exp_annotations: {summary: "4 errors"}

    recording_rule_test: []
""",
    ),
    (
        "a key that is missing",
        """\
    alert_rule_test:
      - alertname: ManyErrors
        eval_time: 2m
    recording_rule_test:
      - record: web:lines:count2m
        eval_time: 2m
""",
        """\
    alert_rule_test:
      - alertname: ManyErrors
        eval_time: 2m
        exp_alerts:
          - exp_labels: {app: web, severity: page}
            exp_annotations: {summary: "4 errors"}
    recording_rule_test:
      - record: web:lines:count2m
        eval_time: 2m
        exp_samples:
          - {labels: {app: web}, value: 4}
""",
    ),
    (
        "some labels that fit stay as they are",
        """\
    alert_rule_test:
      - eval_time: [2m, 9m]
        alertname: ManyErrors
        exp_alerts:
          - exp_labels_include: {app: web}
    # the end
""",
        """\
    alert_rule_test:
      - eval_time: 2m
        alertname: ManyErrors
        exp_alerts:
          - {exp_labels_include: {app: web}}
      - eval_time: 9m
        alertname: ManyErrors
        exp_alerts: []
    # the end
""",
    ),
    (
        "an alert that does not fire",
        """\
    alert_rule_test:
      - eval_time: 9m
        alertname: ManyErrors
        exp_alerts:
          - exp_labels:
              app: web
            exp_annotations:
              summary: >-
                many
                errors
    # the end
""",
        """\
    alert_rule_test:
      - eval_time: 9m
        alertname: ManyErrors
        exp_alerts: []
    # the end
""",
    ),
    (
        "points in time that differ",
        """\
    alert_rule_test:
      - {eval_time: [1m, 2m, 4m, 9m], alertname: ManyErrors, exp_state: firing} # behind
""",
        """\
    alert_rule_test:
      - {eval_time: 1m, alertname: ManyErrors, exp_state: pending} # behind
      - {eval_time: [2m, 4m], alertname: ManyErrors, exp_state: firing}
      - {eval_time: 9m, alertname: ManyErrors, exp_state: inactive}
""",
    ),
    (
        "labels given by an alias",
        """\
    alert_rule_test:
      - {eval_time: 9m, alertname: ManyErrors, exp_alerts: &none []}
      - {eval_time: 2m, alertname: ManyErrors, exp_alerts: *none}
""",
        """\
    alert_rule_test:
      - {eval_time: 9m, alertname: ManyErrors, exp_alerts: &none []}
      - {eval_time: 2m, alertname: ManyErrors, exp_alerts: [{exp_labels: {app: web, severity: page}, \
exp_annotations: {summary: "4 errors"}}]}
""",
    ),
    (
        "samples and lines",
        """\
    recording_rule_test:
      - {eval_time: 2m, record: web:lines:count2m, exp_samples: [{labels: '{app="web"}', value: 5}]}
    logql_expr_test:
      - expr: sum(count_over_time({app="web"}[1m]))
        end: 2m
        exp_samples: [{values: 1 1 1}]
      - expr: '{app="web"}'
        end: 1m
        exp_logs:
          - an error
          - line: an error 1
""",
        """\
    recording_rule_test:
      - {eval_time: 2m, record: web:lines:count2m, exp_samples: [{labels: {app: web}, value: 4}]}
    logql_expr_test:
      - expr: sum(count_over_time({app="web"}[1m]))
        end: 2m
        exp_samples:
          - {labels: {}, values: [1, 2, 2]}
      - expr: '{app="web"}'
        end: 1m
        exp_logs: [an error 0, an error 1]
""",
    ),
]


@pytest.mark.parametrize("before, after", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_update(write: Write, before: str, after: str) -> None:
    file = write(HEAD + before)
    found = updated(file)
    assert file.read_text() == HEAD + after
    assert found.left == []


@pytest.mark.parametrize(
    "entry, reason",
    [
        ("{alertname: ManyErrors, fires_within: 1m}", "did not fire within 1m"),
        ("{eval_time: 2m, alertname: Many}", "unknown alert"),
        ("{eval_time: 2m, alertname: ManyErrors, exp_error: limit}", "did not fail with"),
    ],
)
def test_what_people_must_change(write: Write, entry: str, reason: str) -> None:
    file = write(f"{HEAD}    alert_rule_test:\n      - {entry}\n")
    before = file.read_text()
    found = updated(file)
    assert (found.changed, file.read_text()) == (0, before)
    assert reason in found.left[0]


def test_an_anchor_that_others_use_is_left_alone(write: Write) -> None:
    file = write(
        HEAD
        + """\
    alert_rule_test:
      - {eval_time: 9m, alertname: ManyErrors, exp_alerts: [{exp_labels: &labels {app: web, severity: page}}]}
      - {eval_time: 2m, alertname: ManyErrors, exp_alerts: [{exp_labels: *labels}]}
"""
    )
    before = file.read_text()
    found = updated(file)
    assert (found.changed, file.read_text()) == (0, before)
    assert "web_test.yaml:9: the text there is used elsewhere by an alias" in found.left[0]


def test_line_ends_stay(write: Write) -> None:
    text = HEAD + "    alert_rule_test:\n      - {eval_time: 2m, alertname: ManyErrors, exp_state: pending}\n"
    file = write(text)
    file.write_bytes(text.replace("\n", "\r\n").encode())
    updated(file)
    assert file.read_bytes() == text.replace("pending", "firing").replace("\n", "\r\n").encode()
