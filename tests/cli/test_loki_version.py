"""``--loki-version`` and ``loki_version``: the commands behave like that Loki."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str]]

LINES = "2026-01-01T00:00:00Z one\n2026-01-01T00:00:10Z two\n"
EITHER = '{app="a"} |= "one" or "two"'


@pytest.fixture
def run(lokictl: Callable[..., Any]) -> Run:
    def asked(*arguments: str) -> tuple[int, str]:
        answer = lokictl(*arguments)
        return answer.status, answer.output + answer.error

    return asked


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.log").write_text(LINES)
    return tmp_path


def test_an_old_loki_refuses_what_it_does_not_know(run: Run) -> None:
    assert run("query", EITHER, "-l", "app=a", "a.log")[0] == 0
    code, output = run("query", "--loki-version", "2.9", EITHER, "-l", "app=a", "a.log")
    assert code != 0
    assert "unexpected STRING" in output
    assert run("format", "--loki-version", "2.9", EITHER)[0] != 0
    assert run("format", "--loki-version", "3.0", EITHER)[0] == 0


def test_an_old_loki_does_not_count_the_line_at_the_end_of_the_window(run: Run) -> None:
    asked = (
        "query",
        'count_over_time({app="a"} [1m])',
        "-l",
        "app=a",
        "a.log",
        "--time",
        "2026-01-01T00:00:10Z",
    )
    assert " 2" in run(*asked)[1]
    assert " 1" in run(*asked, "--loki-version", "3.1")[1]


def test_the_project_says_which_loki_it_is_for(run: Run, folder: Path) -> None:
    (folder / "lokictl.toml").write_text('loki_version = "2.9"\n')
    assert run("format", EITHER)[0] != 0
    assert run("format", "--loki-version", "3.7", EITHER)[0] == 0


@pytest.mark.parametrize(
    "version, says",
    [
        ("3.4", "error: field labels not found in type rulefmt.RuleGroup (rule/refused-by-loki)"),
        ("3.5", "warning: `labels` of the group a has no effect"),
    ],
)
def test_the_linter_says_what_a_version_does_with_a_group(
    run: Run, folder: Path, version: str, says: str
) -> None:
    (folder / "rules.yaml").write_text(
        "groups:\n  - {name: a, labels: {b: c}, rules: [{alert: A, expr: vector(1)}]}\n"
    )
    assert says in run("lint", "--loki-version", version, "rules.yaml")[1]


PETABYTES = '{app="a"} | logfmt | size > 1PB'


@pytest.mark.parametrize(
    "version, query, says",
    [
        ("2.9", EITHER, "`or` between line filters needs Loki 3.0; this is for 2.9"),
        ("3.0", EITHER, ""),
        ("3.8", PETABYTES, "(logql/syntax)"),
        ("main", PETABYTES, ""),
        ("3.3.2", 'approx_topk(3, rate({app="a"}[5m]))', ""),
        ("3.2.1", 'approx_topk(3, rate({app="a"}[5m]))', "`approx_topk` needs Loki 3.3; this is for 3.2"),
    ],
)
@pytest.mark.parametrize("configured", [False, True])
def test_the_linter_says_what_a_version_does_not_have(
    run: Run, folder: Path, version: str, query: str, says: str, configured: bool
) -> None:
    (folder / "q.logql").write_text(query)
    if configured:
        (folder / "lokictl.toml").write_text(f'loki_version = "{version}"\n')
    option = () if configured else ("--loki-version", version)
    output = run("lint", "q.logql", "--select", "logql/version,logql/syntax", *option)[1]
    assert says in output if says else "this is for" not in output and "syntax" not in output


RULES = """groups:
  - name: g
    rules: [{alert: Edge, expr: 'sum(count_over_time({app="a"}[1m])) > 1', annotations: {summary: s}}]
"""
TESTS = """tests:
  - name: edge
    input_streams: [{labels: {app: a}, entries: [{at: 1m, line: x}, {at: 2m, line: y}, {at: 90s, line: z}]}]
    alert_rule_test:
      - {eval_time: 2m, alertname: Edge, exp_alerts: [{exp_annotations: {summary: s}}]}
"""


def write_project(folder: Path) -> None:
    """A project whose only test passes from Loki 3.2 on."""
    (folder / "rules").mkdir(parents=True)
    (folder / "tests/rules").mkdir(parents=True)
    (folder / "rules/g.yaml").write_text(RULES)
    (folder / "tests/rules/g_test.yaml").write_text(TESTS)


@pytest.mark.parametrize("version, passes", [("3.1", False), ("3.2", True)])
def test_tests_and_checks_of_a_project_run_as_its_version(
    run: Run, folder: Path, version: str, passes: bool
) -> None:
    write_project(folder / "project")
    (folder / "project/lokictl.toml").write_text(f'loki_version = "{version}"\n')
    elsewhere = ("--project", "project")
    assert (run("test", *elsewhere)[0] == 0) is passes
    assert (run("test", *elsewhere, "--coverage")[0] == 0) is passes
    assert ("1 passed" in run("check", *elsewhere)[1]) is passes
    other = "3.2" if version == "3.1" else "3.1"
    assert (run("test", *elsewhere, "--loki-version", other)[0] == 0) is not passes


def test_mutants_are_judged_by_the_version(run: Run, folder: Path) -> None:
    write_project(folder)
    (folder / "lokictl.toml").write_text("")
    assert "mutation: skipped" in run("test", "--mutate", "--loki-version", "3.1")[1]
    assert "mutation" in run("test", "--mutate", "--loki-version", "3.2")[1]


@pytest.mark.parametrize("text", ["1.0", "3.99", "new", "3"])
def test_versions_that_are_unknown_are_refused(run: Run, text: str) -> None:
    code, output = run("format", "--loki-version", text, EITHER)
    assert code == 2
    assert "--loki-version" in output


def test_the_version_ends_with_the_command(run: Run) -> None:
    run("format", "--loki-version", "2.9", EITHER)
    assert "LOKICTL_LOKI_VERSION" not in os.environ
    assert run("format", EITHER)[0] == 0
