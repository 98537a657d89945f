"""``--verbose`` shows what a command does, on stderr, and nothing without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from lokictl.cli.main import COMMANDS, cli

MODULE = """
from lokictl.model import AlertingRule, RuleGroup

group = RuleGroup("shop", (AlertingRule("ShopErrors", 'sum(rate({app="shop"}[5m])) > 1'),))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "lokictl.toml").write_text('name = "shop"\n')
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/shop.py").write_text(MODULE)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lokictl", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "arguments", [("--verbose", "list"), ("-v", "list"), ("list", "--verbose"), ("list", "-v")]
)
def test_it_shows_the_modules_of_a_project(project: Path, arguments: tuple[str, ...]) -> None:
    quiet, verbose = run(project, "list"), run(project, *arguments)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert (verbose.returncode, verbose.stdout) == (0, quiet.stdout)
    (line,) = verbose.stderr.splitlines()
    assert line.startswith("loaded rules/shop.py in ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_it_after_its_name(name: str) -> None:
    context = click.Context(cli)
    found = cli.get_command(context, name) if isinstance(cli, click.Group) else None
    assert found is not None
    (option,) = [option for option in found.params if "--verbose" in option.opts]
    assert option.opts == ["-v", "--verbose"]
    assert option.callback is not None


def test_it_shows_requests_without_the_password(project: Path) -> None:
    (project / "x_test.yaml").write_text("rule_files: []\ntests:\n  - name: a\n    streams: []\n")
    done = run(project, "test", "-v", "--engine", "http://user:secret@127.0.0.1:9", "x_test.yaml")
    assert done.returncode != 0
    assert "secret" not in done.stderr + done.stdout
