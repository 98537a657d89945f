"""``lokictl sample``"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lokictl.cli.sample import command
from lokictl.diagnostics import LokictlError

ROOT = Path(__file__).resolve().parents[2]
HOUR = ("--since", "2026-01-01T10:00:00Z", "--until", "2026-01-01T10:10:00Z")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["--project", str(ROOT), *arguments], catch_exceptions=False)


def test_ndjson_of_one_service() -> None:
    lines = [json.loads(line) for line in run("--service", "ryot", *HOUR).output.splitlines()]
    assert len(lines) > 500
    assert {line["labels"]["service"] for line in lines} == {"ryot"}
    times = [int(line["timestamp"]) for line in lines]
    assert times == sorted(times)
    assert 1_767_261_600 * 10**9 <= times[0] < times[-1] < 1_767_262_200 * 10**9


def test_text_is_the_bare_lines() -> None:
    ndjson = run("--service", "agents", *HOUR).output.splitlines()
    text = run("--service", "agents", *HOUR, "--output", "text").output.splitlines()
    assert text == [json.loads(line)["line"] for line in ndjson]


def test_an_incident_is_in_the_second_half() -> None:
    output = run("--service", "sigmavault", "--incident", "brute-force", *HOUR).output
    attacks = [json.loads(line) for line in output.splitlines() if "203.0.113.66" in line]
    assert len(attacks) == 75
    assert min(int(line["timestamp"]) for line in attacks) >= 1_767_261_900 * 10**9


def test_the_list_names_incidents_and_alerts() -> None:
    output = run("--list", "--service", "sigmavault").output
    assert "brute-force" in output
    assert "SigmavaultBruteForce" in output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--since", "yesterday"), "yesterday"),
        (("--since", "2026-01-02T00:00:00Z", "--until", "2026-01-01T00:00:00Z"), "before --until"),
        (("--output", "xml"), "xml"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_wrong_incident_is_a_problem_with_a_guess() -> None:
    with pytest.raises(LokictlError) as caught:
        run("--incident", "brute-forse")
    assert caught.value.problems[0].hint == 'did you mean "brute-force"?'
