"""Moments of history as unit tests; nothing personal in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lokictl.backtest import FileHistory, Session
from lokictl.backtest.capture import parse_moment, save_test
from lokictl.backtest.privacy import Anonymizer
from lokictl.backtest.reduction import reduced
from lokictl.backtest.rules import load_groups
from lokictl.diagnostics import LokictlError
from lokictl.testing import discover, run_tests

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND
MINUTE = 60 * SECOND

RULES = """\
groups:
  - name: api
    interval: 30s
    rules:
      - alert: Errors
        expr: sum by (pod) (count_over_time({app="api"} | json | level="error" [5m])) > 3
        for: 1m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.pod }} has {{ $value }} errors"}
      - alert: Ratio
        expr: |
          sum(count_over_time({app="api"} | json | level="error" [5m])) / sum(count_over_time({app="api"}[5m])) > 0.3
      - alert: Silent
        expr: absent_over_time({app="api"}[10m])
      - alert: Rewritten
        expr: sum(count_over_time({app="api"} | json | line_format "{{.msg}}" |= "timeout" [5m])) > 2
      - alert: FromOneAddress
        expr: sum by (ip) (count_over_time({app="api"} | json | ip = ip("203.0.113.0/24") [5m])) > 2
      - alert: Broken
        expr: sum(sum_over_time({app="api"} | json | unwrap took [5m])) > 1
"""


def log_lines() -> list[str]:
    rows = []
    for n in range(1_200):
        minute = n / 20
        bad = 20 <= minute < 30
        if 40 <= minute < 56:
            continue
        fields = {
            "level": "error" if bad and n % 2 else "info",
            "msg": "timeout of the database" if bad and n % 2 else "fine",
            "ip": f"203.0.113.{n % 3}" if bad else "198.51.100.7",
            "mail": f"somebody{n % 4}@company.example.org",
            "took": "no number" if 30 <= minute < 31 else str(n),
        }
        row = {
            "timestamp": str(START + n * 3 * SECOND + 123_456_789),
            "labels": {"app": "api", "pod": f"api-{n % 2}"},
            "metadata": {"trace_id": f"{n:032x}".replace("0", "c", 3)},
            "line": json.dumps(fields),
        }
        rows.append(json.dumps(row))
    return rows


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("capture")
    (folder / "rules.yaml").write_text(RULES)
    (folder / "api.ndjson").write_text("\n".join(log_lines()) + "\n")
    return folder


def at(minutes: float) -> int:
    return START + round(minutes * 60) * SECOND


def saved(place: Path, alert: str, time: int, file: Path) -> tuple[str, int]:
    groups = load_groups([place / "rules.yaml"])
    session = Session(FileHistory([str(place / "api.ndjson")]), START, START + 59 * MINUTE)
    session.open(groups)
    found = save_test(session, groups, alert, time, file)
    return found.state, found.lines


MOMENTS = {
    # alert, minute -> state, at most so many lines
    ("Errors", 23): ("firing", 4),
    ("Errors", 20.5): ("pending", 4),
    ("Errors", 15): ("inactive", 1),
    ("Ratio", 27): ("firing", 1),
    ("Silent", 52): ("firing", 0),
    ("Rewritten", 23): ("firing", 9),
    ("FromOneAddress", 23): ("firing", 9),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_saved_test_is_small_and_passes(place: Path, moment: tuple[str, float]) -> None:
    state, most = MOMENTS[moment]
    file = place / f"{moment[0]}-{moment[1]}_test.yaml"
    found = saved(place, moment[0], at(moment[1]), file)
    assert found[0] == state
    assert found[1] <= most
    text = file.read_text()
    assert "company.example.org" not in text
    assert "198.51.100.7" not in text
    assert "ccc" not in text
    report = run_tests(discover([file]))
    assert report.passed
    assert report.results


def test_a_saved_test_tests_the_rule(place: Path) -> None:
    file = place / "changed_test.yaml"
    saved(place, "Errors", at(23), file)
    rules = place / "rules.yaml"
    rules.write_text(RULES.replace("> 3", "> 4"))
    try:
        assert not run_tests(discover([file])).passed
    finally:
        rules.write_text(RULES)


WRONG: dict[str, tuple[str, float, str]] = {
    "an evaluation that fails": (
        "Broken",
        32,
        "the evaluation at 2026-01-01T00:32:00Z failed: pipeline error",
    ),
    "a time outside": ("Errors", 90, "outside the time of the backtest"),
}


@pytest.mark.parametrize("case", WRONG)
def test_moments_that_cannot_be_saved(place: Path, case: str, tmp_path: Path) -> None:
    alert, minute, message = WRONG[case]
    with pytest.raises(LokictlError, match=message):
        saved(place, alert, at(minute), tmp_path / "x_test.yaml")
    assert not (tmp_path / "x_test.yaml").exists()


def test_a_file_that_is_there_stays(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "x_test.yaml"
    file.write_text("mine")
    with pytest.raises(LokictlError, match="is there already"):
        saved(place, "Errors", at(23), file)
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    "text, hint", [("Error@2026-01-01T00:00:00Z", "Errors"), ("Errors@soon", "ALERT@"), ("Errors", "alerts:")]
)
def test_wrong_moments(place: Path, text: str, hint: str) -> None:
    with pytest.raises(LokictlError) as stop:
        parse_moment(text, load_groups([place / "rules.yaml"]), now=START)
    assert hint in stop.value.problems[0].hint


PERSONAL = {
    "peer 10.1.2.3:443 and 10.1.2.3, then 10.9.9.9": "peer 192.0.2.1:443 and 192.0.2.1, then 192.0.2.2",
    "mail from Jo.Doe+x@corp.example.org": "mail from user1@example.com",
    "GET https://bob:hunter2@host/": "GET https://user1:password@host/",
    "id 4c7afe74-3b54-0557-8a31-aed9267708f9": "id 00000000-0000-4000-8000-000000000001",
    'trace_id=4c7afe743b540557 n=12': "trace_id=a000000000000001 n=12",
    "Authorization: Bearer abc.def-ghi": "Authorization: Bearer token-1",
    "key ghp_abcdefghijklmnop12": "key token-1",
    "from 2001:db9:1::7 to fe80::1": "from 2001:db8::1 to 2001:db8::2",
    '{"user":"jdoe","user_id":48151623,"n":5}': '{"user":"user-1","user_id":11111111,"n":5}',
    '{"User-Name": "J. Doe", "msg": "hi"}': '{"User-Name": "user-1", "msg": "hi"}',
    'level=info user="J Doe" took=5ms': 'level=info user="user-1" took=5ms',
    "call +44 20 7946 0958 now": "call +1-555-0101 now",
    "card 4111111111111111 at 1767225600123": "card 9000000000000001 at 1767225600123",
    # What only looks like it.
    "version 1.2.3.4.5 took 00:12:33, a::b, deadbeef, 2026-01-01T00:00:00Z": None,
    "error 500 in module core::fmt at line 1234567": None,
}  # fmt: skip


@pytest.mark.parametrize("line", PERSONAL)
def test_what_looks_personal_is_replaced(line: str) -> None:
    expected = PERSONAL[line]
    anonymizer = Anonymizer()
    assert anonymizer.line(line) == (line if expected is None else expected)
    # Stable, and stable when it is done twice.
    assert anonymizer.line(line) == (line if expected is None else expected)


PROPERTIES: dict[str, tuple[int, Callable[[list[int]], bool], int]] = {
    "nothing is needed": (50, lambda part: True, 0),
    "one": (1_000, lambda part: 617 in part, 1),
    "two far apart": (1_000, lambda part: {3, 990} <= set(part), 2),
    "a number of them": (500, lambda part: len(part) >= 40, 40),
    "a share": (400, lambda part: bool(part) and sum(n % 5 == 0 for n in part) * 3 > len(part), 1),
    "all": (30, lambda part: len(part) == 30, 30),
}


@pytest.mark.parametrize("case", PROPERTIES)
def test_reduction(case: str) -> None:
    count, holds, expected = PROPERTIES[case]
    items = list(range(count))
    if case == "a share":
        items = [n for n in items if n % 5 == 0 or n % 7 == 0]
    found = reduced(items, lambda part: holds(list(part)))
    assert len(found) == expected
    assert holds(found)
    assert found == sorted(found)
