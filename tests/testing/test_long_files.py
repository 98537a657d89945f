"""A long file, whose tests are read as they run, gives what it gives when it is read as a whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lokictl.model import yaml_items
from lokictl.testing import Report, RunOptions, TestCase, discover, load_test_file, loading, run_tests
from lokictl.testing.loading import LongTests, open_test_file

ROOT = Path(__file__).resolve().parents[2]
FILES = [*sorted(ROOT.glob("tests/rules/*.yaml")), *sorted(ROOT.glob("tests/testing/data/*_test.yaml"))]

HEAD = "rule_files: [rules.yaml]\ntests:\n"
TEST = """\
  - name: number {number}
    input_streams:
      - labels: &labels {{app: web}}
        entries: [{{at: 0s, every: 30s, count: 10, line: "an error ${{index}}"}}]
      - {{labels: *labels, lines: [other {number}]}}
    alert_rule_test:
      - {{eval_time: 2m, alertname: ManyErrors, exp_state: firing}}
"""
TESTS = [TEST.format(number=number) for number in range(12)]


@pytest.fixture(autouse=True)
def every_file_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LONG", 0)
    monkeypatch.setattr(yaml_items, "READ_AT_ONCE", 3)


def with_changes(changes: dict[int, tuple[str, str]], *, head: str = HEAD, tail: str = "") -> str:
    """A file of tests, in some of which a string is replaced by another."""
    tests = list(TESTS)
    for number, (before, after) in changes.items():
        assert before in tests[number]
        tests[number] = tests[number].replace(before, after)
    return head + "".join(tests) + tail


def shown(report: Report) -> dict[str, Any]:
    return {
        "results": [(item.name, item.outcome, item.failures) for item in report.results],
        "problems": report.problems,
        "warnings": report.warnings,
        "unreadable": report.unreadable,
    }


CHANGES: dict[str, tuple[str, bool]] = {
    "all pass": (with_changes({}), True),
    "settings behind the tests": (with_changes({}, tail="fuzzy_compare: true\n"), True),
    "some fail": (with_changes({5: ("firing", "pending"), 9: ("firing", "inactive")}), True),
    "an unknown key": (with_changes({7: ("alert_rule_test", "alert_rules_test")}), False),
    "several problems": (with_changes({7: ("at: 0s", "at: soon"), 8: ("firing", "burning")}), False),
    "a syntax error": (with_changes({7: ("count: 10,", "count: 10")}), False),
    "an alias from one test to another": (
        with_changes({2: ("{labels: *labels", "{labels: &other {app: x}"), 7: ("*labels", "*other")}),
        False,
    ),
    "two tests of one name": (with_changes({7: ("number 7", "number 2")}), False),
    "a name of its own": (with_changes({7: ("name: number 7", "external_url: ''")}), True),
    "a wrong setting": (with_changes({}, tail="discover_log_levels: maybe\n"), False),
    "an unknown group": (with_changes({}, tail="group_eval_order: [nothing]\n"), True),
    "no rules": (with_changes({}, head="tests:\n"), True),
    "a file of lines": (with_changes({7: ("lines: [other 7]", "file: lines.log")}), False),
}


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("text, is_long", CHANGES.values(), ids=CHANGES.keys())
def test_reports_are_equal(text: str, is_long: bool, jobs: int, write: Callable[..., Path]) -> None:
    file = write(text)
    (file.parent / "lines.log").write_text("no time here\n", encoding="utf-8")
    options = RunOptions(jobs=jobs)
    expected = shown(run_tests(discover([file]), options))
    found = run_tests(discover([file], opened=True), options)
    assert shown(found) == expected
    assert isinstance(found.results and found.results[0].file.tests, LongTests) is bool(
        is_long and found.results
    )


def test_the_first_failure_ends_the_run(write: Callable[..., Path]) -> None:
    file = write(with_changes({5: ("firing", "pending")}))
    report = run_tests(discover([file, file], opened=True), RunOptions(fail_fast=True))
    assert [result.outcome for result in report.results] == ["passed"] * 5 + ["failed"]


def parts(test: TestCase) -> list[Any]:
    """All of a test: its lines rather than what makes them, and its places."""
    assert test.place is not None
    places = [test.place, *(item.place for item in test.expectations() if item.place is not None)]
    return [
        *(test.name, test.start, test.interval, test.alerts, test.recordings, test.queries),
        *(test.external_labels, test.external_url, test.discover_service_name, test.discover_log_levels),
        [(stream.labels, list(stream.lines)) for stream in test.streams],
        [place.position() for place in places],
    ]


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_tests_are_equal(file: Path) -> None:
    whole, opened = load_test_file(file), open_test_file(file)
    assert [parts(test) for test in opened.tests] == [parts(test) for test in whole.tests]


def test_files_without_shared_anchors_are_read_test_by_test() -> None:
    assert any(isinstance(open_test_file(file).tests, LongTests) for file in FILES)


def test_tests_are_not_kept(write: Callable[..., Path]) -> None:
    tests = open_test_file(write(with_changes({}))).tests
    assert len(tests) == 12
    assert tests[-1].name == "number 11"
    assert [test.name for test in tests[3:5]] == ["number 3", "number 4"]
    assert tests[0] is not tests[0]
