"""Sample logs with incidents at known times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lokictl.backtest.incidents import load_incidents
from lokictl.cli.sample import command
from lokictl.diagnostics import LokictlError

ROOT = Path(__file__).resolve().parents[2]
DAY = (
    "--since",
    "2026-01-01T05:30:00Z",
    "--until",
    "2026-01-01T06:30:00Z",
    "--service",
    "sigmavault",
    "--rate",
    "0.5",
)
BEGIN = 1_767_247_200 * 10**9


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["--project", str(ROOT), *arguments], catch_exceptions=False)


def rows(*arguments: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in run(*DAY, *arguments).output.splitlines()]


def test_an_incident_begins_and_ends(tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    found = rows("--incident", "brute-force@2026-01-01T06:00:00Z/10m", "--incidents-file", str(file))
    times = [int(str(row["timestamp"])) for row in found if "203.0.113.66" in str(row["line"])]
    assert len(times) == 150
    assert BEGIN <= min(times) < max(times) < BEGIN + 600 * 10**9
    stamps = [int(str(row["timestamp"])) for row in found]
    assert stamps == sorted(stamps)
    (known,) = load_incidents(file)
    assert (known.start, known.end, known.alerts) == (BEGIN, BEGIN + 600 * 10**9, ("SigmavaultBruteForce",))


def test_the_rest_is_as_without_an_incident() -> None:
    healthy = {str(row) for row in rows("--incident", "brute-force@2026-01-01T08:00:00Z")}
    found = rows("--incident", "sigmavault:brute-force@2026-01-01T06:00:00Z/10m")
    assert {str(row) for row in found if "203.0.113.66" not in str(row["line"])} == healthy
    assert len(healthy) > 500


WRONG = {
    ("brute-forse@1h",): 'did you mean "brute-force"?',
    ("vault:brute-force@1h",): 'unknown service "vault"',
    ("brute-force@soon",): "is not an incident with its time",
    ("brute-force@2026-01-01T06:00:00Z/2026-01-01T05:00:00Z",): "it ends before it starts",
    ("brute-force@2026-01-01T06:00:00Z/2h", "intruder@2026-01-01T07:00:00Z"): "two incidents at once",
}


@pytest.mark.parametrize("incidents", WRONG)
def test_wrong_incidents(incidents: tuple[str, ...]) -> None:
    arguments = [part for incident in incidents for part in ("--incident", incident)]
    with pytest.raises(LokictlError) as stop:
        run(*DAY, *arguments)
    problem = stop.value.problems[0]
    assert WRONG[incidents] in f"{problem.message} {problem.hint}"


@pytest.mark.parametrize(
    "arguments", [("--incident", "a", "--incident", "b@1h"), ("--incidents-file", "x.yaml")]
)
def test_wrong_use(arguments: tuple[str, ...]) -> None:
    result = run(*DAY, *arguments)
    assert result.exit_code == 2
    assert "NAME@TIME" in result.output
