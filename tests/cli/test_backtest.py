"""``lokictl backtest``"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Lokictl = Callable[..., "Answer"]  # noqa: F821 - tests/cli/conftest.py

SECOND = 1_000_000_000
START = 1_767_225_600
RULES = """\
groups:
  - name: api
    interval: 1m
    rules:
      - alert: ApiErrors
        expr: sum(count_over_time({app="api"} | json | level="error" [5m])) > 5
        for: 2m
        labels: {severity: page}
        annotations: {summary: "{{ $value }} errors"}
      - alert: ApiSilent
        expr: absent_over_time({app="api"}[10m])
      - record: api:lines
        expr: sum by (level) (count_over_time({app="api"} | json [1m]))
"""
INCIDENTS = """\
incidents:
  - name: bad deploy
    start: 2026-01-01T02:00:00Z
    end: 2026-01-01T02:30:00Z
    alerts: [ApiErrors]
  - {name: nobody noticed, start: 2026-01-01T05:00:00Z, end: 2026-01-01T05:10:00Z, alerts: [ApiErrors]}
"""


def log_lines() -> list[str]:
    """Six hours: a line each half minute; errors at 2:00 for half an hour, and six in a row at 4:00."""
    rows = []
    for half in range(720):
        minute = half / 2
        bad = 120 <= minute < 150 or 240 <= minute < 243
        at = START + half * 30
        stamp = f"2026-01-01T{(at - START) // 3600:02d}:{(at - START) // 60 % 60:02d}:{at % 60:02d}Z"
        rows.append(json.dumps({"ts": stamp, "level": "error" if bad else "info", "n": half}))
    return rows


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "incidents.yaml").write_text(INCIDENTS)
    (tmp_path / "api.log").write_text("\n".join(log_lines()) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


BASE = ("backtest", "rules.yaml", "--logs", "api.log", "-l", "app=api")


def test_episodes_near_misses_and_recordings(lokictl: Lokictl, place: Path) -> None:
    answer = lokictl(*BASE, "--format", "json")
    assert answer.status == 0
    found = json.loads(answer.output)
    errors, silent = found["alerts"]
    (episode,) = errors["episodes"]
    # The sixth error is seen at 2:03, and two minutes later it fires; the sixth last one leaves at 2:32.
    assert (episode["active_at"], episode["fired_at"]) == ("2026-01-01T02:03:00Z", "2026-01-01T02:05:00Z")
    assert episode["resolved_at"] == "2026-01-01T02:32:00Z"
    assert episode["annotations"] == {"summary": "10 errors"}
    assert episode["labels"] == {"alertname": "ApiErrors", "severity": "page"}
    (near,) = errors["near_misses"]
    assert (near["start"], near["held_seconds"], near["missing_seconds"]) == ("2026-01-01T04:03:00Z", 60, 60)
    assert errors["headroom"][0]["worst"] == 10
    assert silent["pages"] == 0
    assert found["recordings"][0]["series"] == 2
    assert not found["partial"]


def test_the_terminal(lokictl: Lokictl, place: Path) -> None:
    answer = lokictl(*BASE, "-v", "--incidents", "incidents.yaml")
    assert "\x1b" not in answer.output
    assert "█" in answer.output
    assert "fired 1 time: 27m in total" in answer.output
    assert '{"ts": "2026-01-01T02:05:00Z", "level": "error"' in answer.output
    assert re.search(r"bad deploy +caught after 5m by ApiErrors", answer.output)
    assert re.search(r"nobody noticed +missed \(expected: ApiErrors\)", answer.output)
    assert "recall 50 % (1 of 2), precision 100 % (1 of 1 page)" in answer.output


def test_a_second_run_reads_nothing(lokictl: Lokictl, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = json.loads(lokictl(*BASE, "--format", "json").output)
    monkeypatch.setattr(
        "lokictl.backtest.file_history.FileHistory.entries", lambda self, path: pytest.fail("read again")
    )
    second = json.loads(lokictl(*BASE, "--format", "json", "--sweep", "threshold=2:8:2").output)
    assert second["alerts"] == first["alerts"]
    assert (first["from_cache"], second["requests"]) == (0, 0)
    pages = {one["threshold"]: one["near_misses"] for one in second["sweep"]["alerts"][0]["settings"]}
    assert list(pages) == ["2", "4", "5", "6", "8"]


def test_a_sweep_finds_the_best_setting(lokictl: Lokictl, place: Path) -> None:
    answer = lokictl(
        *BASE, "--alert", "ApiErrors", "--sweep", "threshold=3,5,20", "--sweep", "for=0s,2m",
        "--incidents", "incidents.yaml", "--format", "json",
    )  # fmt: skip
    (alert,) = json.loads(answer.output)["sweep"]["alerts"]
    assert [(one["threshold"], one["for"], one["pages"], one["near_misses"]) for one in alert["settings"]] == [
        ("3", "0s", 2, 0), ("3", "2m", 2, 0), ("5", "0s", 2, 0),
        ("5", "2m", 1, 1), ("20", "0s", 0, 0), ("20", "2m", 0, 0),
    ]  # fmt: skip
    assert alert["best"] == ["5", "2m"]


def test_against_git_and_files(lokictl: Lokictl, place: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=place, check=True, capture_output=True)

    git("init", "-q")
    git("add", "rules.yaml")
    git("commit", "-qm", "one")
    (place / "old.yaml").write_text(RULES)
    (place / "rules.yaml").write_text(
        RULES.replace("> 5", "> 9").replace("absent_over_time", "1 > absent_over_time")
    )
    for other in ("git:HEAD", "old.yaml"):
        found = json.loads(lokictl(*BASE, "--against", other, "--format", "json").output)["comparison"]
        assert (found["added"], found["removed"], found["earlier"], found["later"]) == (0, 0, 0, 1)
        assert found["alerts"][0]["later"][0]["seconds"] == 120
    text = lokictl(*BASE, "--against", "git:HEAD").output
    assert "compared with git:HEAD" in text
    assert "fires 2m later" in text


CONDITIONS = {
    ("pages>0",): (1, "failed: pages>0 (it is 1)"),
    ("pages>5",): (0, ""),
    ("firing>20m",): (1, "failed: firing>20m (it is 1620)"),
    ("near_misses>99", "failures>0"): (0, ""),
}


@pytest.mark.parametrize("conditions", CONDITIONS)
def test_conditions(lokictl: Lokictl, place: Path, conditions: tuple[str, ...]) -> None:
    status, message = CONDITIONS[conditions]
    arguments = [part for condition in conditions for part in ("--fail-if", condition)]
    answer = lokictl(*BASE, *arguments)
    assert answer.status == status
    assert message in answer.error


def test_what_is_partial_fails_a_condition(lokictl: Lokictl, place: Path) -> None:
    answer = lokictl(*BASE, "--from", "2025-12-31T00:00:00Z", "--fail-if", "pages>5")
    assert answer.status == 1
    assert "could not be evaluated" in answer.error
    assert "warning: the logs begin at 2026-01-01T00:00:00Z" in answer.output
    assert "PARTIAL" in answer.output


def test_markdown_is_short_and_github_annotates(lokictl: Lokictl, place: Path) -> None:
    text = lokictl(*BASE, "--format", "markdown", "--incidents", "incidents.yaml").output
    assert text.startswith("### Backtest: 1 page by 1 of 2 alerts")
    assert "| `ApiErrors` | 1 | 27m | 27m |" in text
    assert "**missed**" in text
    assert len(text) < 2_000
    lines = lokictl(*BASE, "--format", "github", "--fail-if", "pages>0").output.splitlines()
    assert lines[0].startswith("::notice::Backtest: 1 page")
    assert "::error::pages>0 (it is 1)" in lines


def test_a_moment_becomes_a_test(lokictl: Lokictl, place: Path) -> None:
    answer = lokictl(*BASE, "--save-test", "ApiErrors@2026-01-01T02:10:00Z")
    assert answer.output == "wrote ApiErrors_test.yaml: firing, 6 of 16 lines; it passes\n"
    assert lokictl("test", "ApiErrors_test.yaml").status == 0
    again = lokictl(*BASE, "--save-test", "ApiErrors@2026-01-01T02:10:00Z")
    assert (again.status, "is there already" in again.error) == (2, True)


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no place": (("backtest", "rules.yaml"), "no log source"),
    "two places": ((*BASE, "--loki", "http://x"), "use only one"),
    "file not found": (("backtest", "rules.yaml", "--logs", "none.log"), "log file not found: none.log"),
    "no file fits": (("backtest", "rules.yaml", "--logs", "*.nothing"), "no file matches *.nothing"),
    "no such rules": (("backtest", "none.yaml", "--logs", "api.log"), "file or directory not found"),
    "no such alert": ((*BASE, "--alert", "ApiError"), 'did you mean "ApiErrors"?'),
    "not a label": ((*BASE[:-1], "app"), '"app" is not NAME=VALUE'),
    "a wrong duration": ((*BASE, "--since", "yesterday"), "yesterday"),
    "two starts": ((*BASE, "--since", "1h", "--from", "2026-01-01T00:00:00Z"), "both set the start"),
    "the wrong way round": (
        (*BASE, "--from", "2026-01-01T03:00:00Z", "--to", "2026-01-01T02:00:00Z"), "starts at 2026-01-01T03:00:00Z",
    ),
    "in the future": ((*BASE, "--from", "2199-01-01T00:00:00Z"), "that is in the future"),
    "outside the logs": (
        (*BASE, "--from", "2025-01-01T00:00:00Z", "--to", "2025-01-02T00:00:00Z"), "no logs in api.log",
    ),
    "a sweep of nothing": ((*BASE, "--sweep", "treshold=1"), 'did you mean "threshold=1"?'),
    "a sweep without values": ((*BASE, "--sweep", "for="), "there are no values"),
    "a sweep that goes down": ((*BASE, "--sweep", "threshold=9:1:2"), "FIRST:LAST:STEP"),
    "a sweep too large": ((*BASE, "--sweep", "threshold=1:1000:1"), "combinations"),
    "a sweep that fits no alert": ((*BASE, "--alert", "ApiSilent", "--sweep", "threshold=1"), "it has no threshold"),
    "not a condition": ((*BASE, "--fail-if", "pages"), "MEASURE>NUMBER"),
    "an unknown measure": ((*BASE, "--fail-if", "page>1"), 'did you mean "pages"?'),
    "a comparison without another": ((*BASE, "--fail-if", "removed>1"), "needs --against"),
    "no such revision": ((*BASE, "--against", "git:nowhere"), "git"),
    "no such other": ((*BASE, "--against", "nowhere.yaml"), "file or directory not found"),
    "no such incidents": ((*BASE, "--incidents", "none.yaml"), "none.yaml"),
    "not a size": ((*BASE, "--max-bytes", "much"), "much"),
    "too many bytes": ((*BASE, "--no-cache", "--max-bytes", "10B"), "are allowed (--max-bytes)"),
    "no folder for the page": ((*BASE, "--html", "none/report.html"), "does not exist"),
    "nobody there": (("backtest", "rules.yaml", "--loki", "http://127.0.0.1:9"), "127.0.0.1:9"),
    "not a URL": (("backtest", "rules.yaml", "--loki", "ftp://user:secret@x"), "not a URL: ftp://***@x"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use(lokictl: Lokictl, place: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lokictl.http.HttpClient.pause", 0.0, raising=False)
    arguments, message = WRONG[case]
    answer = lokictl(*arguments)
    assert answer.status == 2
    assert message in answer.error
    assert "Traceback" not in answer.error
    assert "secret" not in answer.error
    assert answer.output == ""


WRONG_INCIDENTS = {
    "incidents:\n  - {start: 2026-01-01T00:00:00Z, end: 2026-01-01T01:00:00Z, alert: X}": 'did you mean "alerts"?',
    "incidents:\n  - {start: 2026-01-01T02:00:00Z, end: 2026-01-01T01:00:00Z}": "ends before it starts",
    "incidents:\n  - {start: soon, end: 2026-01-01T01:00:00Z}": '"soon" is not a time',
    "incidents:\n  - {start: 2026-01-01T00:00:00Z}": "has no `end`",
    "incidents:\n  - {start: 2026-01-01T00:00:00Z, end: 2026-01-01T01:00:00Z, alerts: [ApiErors]}": "ApiErrors",
    "nothing: here": "has a list `incidents:`",
    "": "has a list `incidents:`",
}


@pytest.mark.parametrize("text", WRONG_INCIDENTS)
def test_wrong_incidents(lokictl: Lokictl, place: Path, text: str) -> None:
    (place / "incidents.yaml").write_text(text)
    answer = lokictl(*BASE, "--incidents", "incidents.yaml")
    assert answer.status == 2
    assert WRONG_INCIDENTS[text] in answer.error


def test_pages_and_pictures(lokictl: Lokictl, place: Path) -> None:
    pytest.importorskip("vl_convert")
    answer = lokictl(
        *BASE, "--html", "report.html", "--png", "report.png", "--incidents", "incidents.yaml",
        "--sweep", "threshold=3,5,20", "--grafana", "https://grafana.example.com", "--format", "markdown",
    )  # fmt: skip
    assert answer.status == 0
    page = (place / "report.html").read_text()
    # Nothing is fetched: the only addresses are links, and names of SVG's.
    addresses = set(re.findall(r'https?://[^\s"\'<)]+', page))
    assert all(
        address.startswith(("https://grafana.example.com/explore", "http://www.w3.org/"))
        for address in addresses
    )
    assert "<script" not in page
    assert page.count("<svg") >= 4
    assert not re.search(r"#0102[0-9a-f]{2}", page, re.IGNORECASE)
    for name in ("ApiErrors", "bad deploy", "nobody noticed", "10 errors"):
        assert name in page
    assert (place / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "![All alerts over time](report.png)" in answer.output


MANAGED_RULES = """\
groups:
  - name: api
    rules:
      - alert: Keeps
        expr: sum(count_over_time({app="api"} | json | level="error" [5m])) > 5
        for: 1m
        keep_firing_for: 7m
      - alert: Broken
        expr: sum(sum_over_time({app="api"} | json | unwrap level [5m])) > 0
  - name: limited
    limit: 1
    rules: [{alert: Limited, expr: 'sum(count_over_time({app="api"}[5m])) > 5'}]
"""


def test_the_states_of_grafana_and_where_they_differ_from_the_ruler(lokictl: Lokictl, place: Path) -> None:
    (place / "managed.yaml").write_text(MANAGED_RULES)
    command = ("backtest", "managed.yaml", "--logs", "api.log", "-l", "app=api", "--as", "grafana")
    found = json.loads(lokictl(*command, "--format", "json").output)
    keeps, broken, limited = found["alerts"]
    states = [(one["state"], one["start"][11:16], one["end"][11:16]) for one in keeps["states"]]
    assert states[:6] == [
        ("Normal (NoData)", "00:00", "02:00"),
        ("Normal", "02:00", "02:03"),
        ("Pending", "02:03", "02:04"),
        ("Alerting", "02:04", "02:32"),
        ("Recovering", "02:32", "02:35"),
        ("Recovering (NoData)", "02:35", "02:39"),
    ]
    # The ruler drops keep_firing_for, and has no alert about a query that fails.
    assert [one["resolved_at"][11:16] for one in keeps["episodes"]] == ["02:39", "04:12"]
    assert [one["state"] for one in broken["states"]] == ["Error"]
    assert broken["episodes"][0]["labels"] == {"alertname": "DatasourceError", "rulename": "Broken"}
    assert limited["notes"] == ['cannot be Grafana-managed: "limited": `limit` cannot be translated']
    assert found["comparison"]["with"] == "Loki's ruler"
    text = lokictl(*command, "-v").output
    assert "compared with Loki's ruler" in text
    assert "Recovering (NoData) 2026-01-01 02:35 for 4m" in text
    assert "  Broken: 0 pages before, 1 now" in text
    assert "note: resolved 7m later than on Loki's ruler (2 episodes)" in text
    refused = lokictl(*command, "--save-test", "Keeps@2026-01-01T02:10:00Z")
    assert refused.status == 2
    assert "`lokictl test --as grafana`" in refused.error
