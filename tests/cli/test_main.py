"""The command group: help, wrong use, errors without tracebacks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from lokictl import __version__
from lokictl.cli.main import COMMANDS

Lokictl = Callable[..., "Answer"]  # noqa: F821 - tests/cli/conftest.py


def test_help_lists_every_command(lokictl: Lokictl) -> None:
    answer = lokictl("--help")
    assert answer.status == 0
    assert COMMANDS
    for name in COMMANDS:
        assert f"\n  {name} " in answer.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, lokictl: Lokictl) -> None:
    answer = lokictl(name, "--help")
    assert answer.status == 0
    assert f"lokictl {name}" in answer.output.split("Options:")[1], "no example below the options"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from lokictl.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'yaml', 'requests', 'jsonschema', 'grafanalib', 'docker', 'rich', 're2', 'orjson', 'promql_parser'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("HEAVY []")


def test_version(lokictl: Lokictl) -> None:
    assert __version__ in lokictl("--version").output


def test_an_unknown_command_comes_with_the_nearest(lokictl: Lokictl) -> None:
    answer = lokictl("lnit")
    assert answer.status == 2
    assert "Did you mean `lint`?" in answer.error or "Did you mean `init`?" in answer.error


def test_an_unknown_option_is_wrong_use(lokictl: Lokictl) -> None:
    answer = lokictl("list", "--nope")
    assert (answer.status, "No such option" in answer.error) == (2, True)


def test_list_quietly_gives_names_alone(lokictl: Lokictl) -> None:
    answer = lokictl("list", "-q", "services")
    assert answer.status == 0
    assert answer.output.split() == ["agents", "ryot", "sigmalang", "sigmavault"]
