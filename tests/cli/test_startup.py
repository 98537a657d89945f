"""Commands import what they need and no more: counted in modules, which are the same on every machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

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

RULES = """\
groups:
  - name: shop
    rules:
      - alert: ShopErrors
        expr: sum by (level) (rate({service="shop"} |= "error" | json | status=~"5.." [5m])) > 1
        for: 5m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.level }} {{ $value }}"}
"""

TESTS = """\
rule_files: [rules.yaml]
tests:
  - name: errors
    input_streams:
      - labels: {service: shop}
        entries: [{at: 0s, every: 10s, count: 60, json: {level: error, status: 500}}]
    alert_rule_test:
      - {eval_time: 1m, alertname: ShopErrors, exp_alerts: []}
"""


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
        (("query", "--help"), 75),
        (("lint", "--help"), 85),
        (("backtest", "--help"), 190),
        (("sync", "--help"), 125),
        (("render", "--help"), 88),
        (("pull", "--help"), 127),
        (("list", "--help"), 67),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_few_of_its_modules(arguments: tuple[str, ...], most: int) -> None:
    own = {name for name in modules(*arguments) if name.partition(".")[0] == "lokictl"}
    assert len(own) <= most, sorted(own)


class Imports(NamedTuple):
    """A command line, the files that it reads, and which heavy modules it may import, and which ``others`` not."""

    arguments: tuple[str, ...]
    files: Mapping[str, str]
    heavy: frozenset[str]
    others: tuple[str, ...]


IMPORTS = {
    "rule tests: no server, no dashboard": Imports(
        ("test", "-q"),
        {},
        frozenset(("attr", "concurrent.futures.process", "multiprocessing", "orjson", "re2", "yaml")),
        (
            *("dashboards", "lokictl.backends.url", "lokictl.grafana.panels", "lokictl.lint"),
            *("lokictl.render", "lokictl.sync"),
        ),
    ),
    "lint of files: no server, no query that runs": Imports(
        ("lint", "-q", "rules.yaml"),
        {"rules.yaml": RULES},
        frozenset(("orjson", "re2", "yaml")),
        (
            *(
                "lokictl.backends",
                "lokictl.engine.evaluator",
                "lokictl.grafana",
                "lokictl.http",
                "lokictl.sample",
            ),
            *("lokictl.project.loader", "lokictl.ruler.alerts", "lokictl.render", "lokictl.sync"),
            "lokictl.testing",
        ),
    ),
    "a test file alone: no project": Imports(
        ("test", "-q", "rules_test.yaml"),
        {"rules.yaml": RULES, "rules_test.yaml": TESTS},
        frozenset(("orjson", "re2", "yaml")),
        (
            *(
                "lokictl.backends.url",
                "lokictl.grafana",
                "lokictl.http",
                "lokictl.lint",
                "lokictl.model.component",
            ),
            *("lokictl.model.log_files", "lokictl.project.loader", "lokictl.render", "lokictl.sync"),
        ),
    ),
    "a query over files: no rules, no YAML": Imports(
        ("query", '{app="x"} | logfmt | level="info"', "app.log", "-l", "app=x"),
        {"app.log": '2026-01-01T00:00:00Z level=info msg="ready"\n'},
        frozenset(("orjson",)),
        (
            *("lokictl.backends", "lokictl.lint", "lokictl.model.rules", "lokictl.templates.parser"),
            "lokictl.testing",
        ),
    ),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_what_a_run_imports(name: str, tmp_path: Path) -> None:
    arguments, files, heavy, others = IMPORTS[name]
    for file, text in files.items():
        (tmp_path / file).write_text(text, "utf-8")
    found = modules(*(str(tmp_path / item) if item in files else item for item in arguments))
    assert not found & (HEAVY - heavy)
    assert not {module for module in found if module.startswith(others)}


def instructions(folder: Path, *arguments: str) -> int:
    """How many instructions a command takes, its modules compiled."""
    command = [sys.executable, "-m", "lokictl", *arguments]
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(command, capture_output=True, check=True, env=environment)
    count = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    ended = subprocess.run([*count, *command], capture_output=True, text=True, check=True, env=environment)
    return int(re.findall(r"Collected : (\d+)", ended.stderr)[0])


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("valgrind"), reason="no valgrind on PATH")
def test_what_a_small_run_of_lint_costs_beside_the_help(tmp_path: Path) -> None:
    """Modules are not all: classes, patterns and tables that are made at import count, too."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, "utf-8")
    lint = instructions(tmp_path, "lint", "-q", "--fail-on", "error", str(rules))
    assert lint <= 3 * instructions(tmp_path, "--help")
