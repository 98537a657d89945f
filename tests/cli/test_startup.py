"""Commands import what they need and no more: counted in modules, which are the same on every machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    *(
        "attr",
        "concurrent.futures.process",
        "docker",
        "google.protobuf",
        "grafanalib",
        "http.client",
        "jsonschema",
    ),
    *(
        "multiprocessing",
        "orjson",
        "promql_parser",
        "re2",
        "requests",
        "rich",
        "ssl",
        "urllib3",
        "vl_convert",
    ),
    *("yaml", "zstandard"),
}


def modules(*arguments: str) -> set[str]:
    """The names of all modules in a process that runs a command line to its end."""
    program = (
        "import sys\n"
        "from lokictl.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print('\\n'.join(sorted(sys.modules)), file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return set(ended.stderr.split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("test", "--help"), ("check", "--help")])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    found = modules(*arguments)
    assert not found & HEAVY
    assert not {
        name for name in found if name.startswith(("lokictl.logql", "lokictl.model", "lokictl.testing"))
    }


@pytest.mark.parametrize(
    "arguments, most",
    [
        (("--help",), 5),
        (("test", "--help"), 11),
        (("check", "--help"), 11),
        (("query", "--help"), 80),
        (("lint", "--help"), 150),
        (("backtest", "--help"), 195),
        (("sync", "--help"), 185),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_few_of_its_modules(arguments: tuple[str, ...], most: int) -> None:
    own = {name for name in modules(*arguments) if name.partition(".")[0] == "lokictl"}
    assert len(own) <= most, sorted(own)


def test_rule_tests_import_no_server_and_no_dashboard() -> None:
    found = modules("test", "-q")
    needed = {"attr", "concurrent.futures.process", "multiprocessing", "orjson", "re2", "yaml"}
    assert not found & (HEAVY - needed)
    others = ("dashboards", "lokictl.backends.url", "lokictl.lint", "lokictl.render", "lokictl.sync")
    assert not {name for name in found if name.startswith(others)}
