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


@pytest.mark.parametrize("text", ["1.0", "3.99", "new", "3"])
def test_versions_that_nobody_knows_are_refused(run: Run, text: str) -> None:
    code, output = run("format", "--loki-version", text, EITHER)
    assert code == 2
    assert "--loki-version" in output


def test_the_version_ends_with_the_command(run: Run) -> None:
    run("format", "--loki-version", "2.9", EITHER)
    assert "LOKICTL_LOKI_VERSION" not in os.environ
    assert run("format", EITHER)[0] == 0
