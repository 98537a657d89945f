"""``lokictl init`` and ``lokictl check``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lokictl.cli.main import cli


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    result = CliRunner().invoke(cli, ["init", str(folder), "--service", "check-out"])
    assert result.exit_code == 0, result.output
    return folder


def check(folder: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["check", "--project", str(folder), *arguments], standalone_mode=False)
    code = result.return_value if result.exception is None else 2
    return int(code or 0), result.output


def test_a_new_project_is_green_at_once(project: Path) -> None:
    code, output = check(project)
    assert code == 0, output
    assert "1 alert rule" in output
    assert "2 tests, 2 passed" in output
    assert output.rstrip().split("\n")[-1].startswith("all good")
    assert (project / "build" / "rules" / "fake").is_dir()


def test_quiet_prints_nothing_of_a_good_project(project: Path) -> None:
    assert check(project, "--quiet") == (0, "")


def test_json_has_the_numbers(project: Path) -> None:
    code, output = check(project, "--format", "json")
    found = json.loads(output)
    assert code == 0
    assert (found["passed"], found["alerts"], found["untested"]) == (True, 1, [])
    assert set(found["seconds"]) == {"load", "lint", "test", "render"}


BREAKS = {
    "a failing test": (
        "rules/check_out.py",
        ("> 10", "> 1000"),
        1,
        ("FAIL", "check_out.yaml", "failed"),
    ),
    "a query that does not parse": (
        "rules/check_out.py",
        ("[5m]", ""),
        1,
        ("rules/check_out.py:", "syntax error", "needs a range"),
    ),
    "a module that raises": (
        "services/check_out.py",
        ("SERVICE = Service(", "1 / 0\nSERVICE = Service("),
        2,
        ("services/check_out.py:", "ZeroDivisionError", "skipped: the project does not load"),
    ),
    "an unknown key in a test": (
        "tests/rules/check_out.yaml",
        ("eval_time: 1m", "evaltime: 1m"),
        1,
        ("check_out.yaml:", "eval_time"),
    ),
    "an alert without a test": (
        "tests/rules/check_out.yaml",
        (
            "exp_labels: {severity: warning, service: check-out}",
            "exp_labels: {severity: page, service: check-out}",
        ),
        1,
        ("FAIL",),
    ),
}


@pytest.mark.parametrize("case", BREAKS)
def test_errors_are_reported_with_positions(project: Path, case: str) -> None:
    file, (old, new), status, expected = BREAKS[case]
    text = (project / file).read_text(encoding="utf-8")
    assert old in text
    (project / file).write_text(text.replace(old, new), encoding="utf-8")
    code, output = check(project)
    assert code == status, output
    assert expected
    for part in expected:
        assert part in output
    assert "Traceback" not in output


def test_alerts_that_no_test_fires_fail_unless_allowed(project: Path) -> None:
    (project / "tests" / "rules" / "check_out.yaml").unlink()
    code, output = check(project)
    assert code == 1
    assert "fires in no test: CheckOutErrors" in output
    file = project / "lokictl.toml"
    file.write_text(file.read_text(encoding="utf-8") + "\n[check]\nrequire_tests = false\n", encoding="utf-8")
    code, output = check(project)
    assert code == 0, output


def test_nothing_is_overwritten(project: Path) -> None:
    before = (project / "lokictl.toml").read_bytes()
    result = CliRunner().invoke(cli, ["init", str(project)])
    assert result.exit_code != 0
    assert (project / "lokictl.toml").read_bytes() == before


def test_a_service_needs_a_name_that_can_be_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["init", str(tmp_path / "x"), "--service", "a b"])
    assert result.exit_code != 0
    assert not (tmp_path / "x").exists()
