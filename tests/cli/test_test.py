"""``lokictl test``"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

RULES = """\
groups:
  - name: web
    rules:
      - alert: ManyErrors
        expr: sum by (app) (count_over_time({app="web"} |= "error" [2m])) > 2
        labels: {severity: page}
"""
TESTS = """\
rule_files: [rules.yaml]
tests:
  - name: errors fire
    input_streams:
      - labels: {app: web}
        entries:
          - {at: 0s, every: 30s, count: 10, line: "an error ${index}"}
          - {at: 0s, every: 30s, count: 10, line: "a sentence ${index}"}
      - {labels: {app: web, pod: b}, entries: [{at: 1s, line: an error}]}
      - {labels: {app: api}, entries: [{at: 0s, every: 30s, count: 9, line: an error}]}
    alert_rule_test:
      - {eval_time: 1m, alertname: ManyErrors, exp_alerts: [{exp_labels: {app: web, severity: page}}]}
      - {eval_time: 9m, alertname: ManyErrors, exp_alerts: []}
  - name: silence
    alert_rule_test: [{eval_time: 9m, alertname: ManyErrors, exp_alerts: []}]
"""
FAILS = TESTS.replace("severity: page}}", "severity: warning}}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "good_test.yaml").write_text(TESTS)
    (tmp_path / "bad_test.yaml").write_text(FAILS)
    (tmp_path / "broken_test.yaml").write_text("tests: [{nmae: x, alert_rule_test: []}]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


Run = Callable[..., Any]


def test_plain_rules_need_no_project(lokictl: Run, folder: Path) -> None:
    answer = lokictl("test", "good_test.yaml")
    assert answer.status == 0
    assert answer.output.startswith("good_test.yaml ..\n2 tests in ")
    assert answer.output.endswith(": 2 passed\n")


def test_failures_are_shown(lokictl: Run, folder: Path) -> None:
    answer = lokictl("test", "bad_test.yaml")
    assert answer.status == 1
    assert (
        "bad_test.yaml F.\n\nFAIL bad_test.yaml: errors fire\n  bad_test.yaml:12:21: ManyErrors"
        in answer.output
    )
    assert "severity: warning                                  | severity: page" in answer.output
    assert 'value at 1m: {app="web"} 4 > 2' in answer.output


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (
            ("broken_test.yaml",),
            2,
            ['broken_test.yaml:1:10: error: unknown key "nmae" in a test', "| tests: [{nmae"],
        ),
        (("no_test.yaml",), 2, ["file not found"]),
        (("good_test.yaml", "--run", "nothing"), 2, ['no test matches "nothing"', "errors fire, silence"]),
        (("rules.yaml",), 2, ['unknown key "groups" in a test file']),
        (
            ("good_test.yaml", "--engine", "dokcer"),
            2,
            ['unknown engine "dokcer"', 'did you mean "docker"?'],
        ),
        (("good_test.yaml", "--compare", "embedded"), 2, ["pass at least two engines"]),
        (("good_test.yaml", "--update", "--engine", "binary"), 2, ["remove --engine"]),
        (("good_test.yaml", "--engine", "http://127.0.0.1:9"), 2, ["cannot reach http://127.0.0.1:9"]),
        (("good_test.yaml", "bad_test.yaml", "--run", "silence"), 0, ["2 passed, 2 not selected"]),
        (("bad_test.yaml", "--fail-fast"), 1, ["1 test in"]),
        (("good_test.yaml", "-j", "2"), 0, ["2 passed"]),
        ((".",), 2, ["bad_test.yaml F.", "good_test.yaml ..", "3 passed", "1 failed", "1 problem"]),
        (("good_test.yaml", "--coverage"), 0, ["coverage: 100.0 % (5 of 5"]),
        (("good_test.yaml", "--run", "silence", "--fail-under", "60"), 1, ["is below 60 %"]),
        (("good_test.yaml", "--fail-under", "100"), 0, ["coverage: 100.0 %"]),
        (("good_test.yaml", "--mutate"), 1, ["changes that no test notices:", "range: [2m]", "survived"]),
        (("good_test.yaml", "--mutate", "-q"), 1, ["survived: rules.yaml:5:"]),
        (("bad_test.yaml", "--mutate"), 1, ["mutation: skipped, because tests fail"]),
    ],
)
def test_messages(
    lokictl: Run, folder: Path, arguments: tuple[str, ...], status: int, words: list[str]
) -> None:
    answer = lokictl("test", *arguments)
    text = " ".join((answer.output + answer.error).split())
    assert words
    for word in words:
        assert " ".join(word.split()) in text
    assert answer.status == status
    assert "Traceback" not in text


def test_quiet_says_only_what_is_wrong(lokictl: Run, folder: Path) -> None:
    assert lokictl("test", "good_test.yaml", "-q").output == ""
    assert lokictl("test", "bad_test.yaml", "-q").output.startswith("\nFAIL bad_test.yaml: errors fire")


def test_json(lokictl: Run, folder: Path) -> None:
    answer = lokictl("test", "bad_test.yaml", "--format", "json", "--coverage")
    value = json.loads(answer.output)
    assert (answer.status, value["passed"], value["counts"]["failed"]) == (1, False, 1)
    assert value["coverage"]["percent"] < 100


def test_github(lokictl: Run, folder: Path) -> None:
    answer = lokictl("test", "bad_test.yaml", "--format", "github")
    assert answer.output.startswith(
        "::error file=bad_test.yaml,line=12,col=21,endLine=12,endColumn=22,title=rule test%3A errors fire::"
    )


def test_junit(lokictl: Run, folder: Path) -> None:
    assert lokictl("test", "bad_test.yaml", "--junit", "out/results.xml").status == 1
    root = ElementTree.parse(folder / "out" / "results.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")


def test_update(lokictl: Run, folder: Path) -> None:
    answer = lokictl("test", "bad_test.yaml", "--update")
    assert "updated bad_test.yaml: 1 expectations; review them" in answer.error
    assert (folder / "bad_test.yaml").read_text() == TESTS
    assert lokictl("test", "bad_test.yaml").status == 0


def test_a_project_gives_rules_and_tests(lokictl: Run, folder: Path) -> None:
    (folder / "lokictl.toml").write_text('tests = "checks"\nrules = "rules"\n')
    for name in ("checks", "rules"):
        (folder / name).mkdir()
    (folder / "rules" / "web.yaml").write_text(
        RULES.replace("labels:", "keep_firing_for: 5m\n        labels:")
    )
    (folder / "checks" / "web.yaml").write_text(TESTS.split("\n", 1)[1])
    answer = lokictl("test")
    assert answer.status == 0
    assert "checks/web.yaml ..\n" in answer.output
    assert "rules/web.yaml:6:9: warning: `keep_firing_for`" in answer.output
    assert "Loki accepts it and drops it" in answer.output
    (folder / "checks" / "web.yaml").unlink()
    assert "no tests found" in lokictl("test").error


def test_without_a_project_the_files_here_are_taken(lokictl: Run, folder: Path) -> None:
    (folder / "broken_test.yaml").unlink()
    answer = lokictl("test")
    assert answer.output.startswith("bad_test.yaml F.\ngood_test.yaml ..\n")
    for file in folder.glob("*_test.yaml"):
        file.unlink()
    assert "it is not in a content project" in lokictl("test").error


def test_watch_runs_again_when_a_file_changes(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import sys
    import threading

    from lokictl.testing.watch import watch

    file = folder / "good_test.yaml"
    seen = folder / "seen"
    command = [sys.executable, "-c", "import pathlib; f = pathlib.Path('seen'); f.open('a').write('x')"]
    # Changes again and again, so that one of them falls into the watching.
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.wait(0.05):
            number += 1
            file.write_text(f"{TESTS}# {number}\n")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        watch(command, [file], None, rounds=2)
    finally:
        stop.set()
        thread.join()
    assert seen.read_text() == "xx"
    assert "watching 4 files" in capfd.readouterr().out
