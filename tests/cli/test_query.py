"""``lokictl query`` and ``lokictl format``."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

Lokictl = Callable[..., "Answer"]  # noqa: F821 - tests/cli/conftest.py

LINES = [
    {"ts": f"2026-01-01T00:0{minute}:00Z", "level": "error" if minute % 2 else "info", "msg": f"m{minute}"}
    for minute in range(5)
]


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    file = tmp_path / "app.ndjson"
    file.write_text("".join(json.dumps(line) + "\n" for line in LINES))
    return file


def test_a_log_query(lokictl: Lokictl, log_file: Path) -> None:
    answer = lokictl("query", '{app="a"} | json | level="error"', "-l", "app=a", str(log_file))
    assert answer.status == 0
    assert answer.output.splitlines() == [
        f'2026-01-01T00:0{minute}:00Z {{app="a", level="error", msg="m{minute}", ts="2026-01-01T00:0{minute}:00Z"}} '
        + json.dumps(LINES[minute])
        for minute in (1, 3)
    ]
    assert answer.error == "2 lines\n"


def test_bare_lines(lokictl: Lokictl, log_file: Path) -> None:
    answer = lokictl("query", '{app="a"} |= "m4"', "-l", "app=a", str(log_file), "--format", "lines")
    assert answer.output == json.dumps(LINES[4]) + "\n"


def test_an_instant_query_is_at_the_last_line(lokictl: Lokictl, log_file: Path) -> None:
    query = 'sum by (level) (count_over_time({app="a"} | json [3m]))'
    answer = lokictl("query", query, "-l", "app=a", str(log_file))
    assert answer.output.splitlines() == [
        '2026-01-01T00:04:00Z  {level="error"}  1',
        '2026-01-01T00:04:00Z  {level="info"}   2',
    ]


def test_a_range_query_in_lokis_json(lokictl: Lokictl, log_file: Path) -> None:
    query = 'sum(count_over_time({app="a"}[1m]))'
    answer = lokictl("query", query, "-l", "app=a", str(log_file), "--step", "2m", "--format", "json")
    data = json.loads(answer.output)["data"]
    assert data["resultType"] == "matrix"
    assert [value for _, value in data["result"][0]["values"]] == ["1", "1", "1"]


def test_a_file_of_one_line(lokictl: Lokictl, tmp_path: Path) -> None:
    file = tmp_path / "one.ndjson"
    file.write_text('{"level":30,"time":1619827016401,"msg":"only line"}\n')
    answer = lokictl("query", '{a="b"}', "-l", "a=b", str(file))
    assert answer.output.startswith("2021-04-30T23:56:56.401Z")
    assert answer.error == "1 line\n"


def test_the_first_lines_of_two_streams(lokictl: Lokictl, tmp_path: Path) -> None:
    file = tmp_path / "two.jsonl"
    file.write_text(
        '{"labels":{"app":"a"},"line":"x","timestamp":"2024-03-22T08:42:55.639Z"}\n'
        '{"labels":{"app":"b"},"line":"y","timestamp":"2024-03-22T08:42:56.639Z"}\n'
    )
    assert lokictl("query", '{app=~".+"}', str(file)).error == "2 lines\n"


def test_lines_without_times_are_reported_once(lokictl: Lokictl, tmp_path: Path) -> None:
    file = tmp_path / "plain.log"
    file.write_text("one\ntwo\n")
    answer = lokictl("query", '{a="b"}', "-l", "a=b", str(file))
    assert answer.status == 0
    assert "2 lines have no time that can be read: they count as written now, 1 ms apart" in answer.error
    assert answer.error.count("no time") == 1
    assert lokictl("query", '{a="b"}', "-l", "a=b", str(file), "-q").error == ""


def test_a_selector_that_selects_nothing_names_the_labels(lokictl: Lokictl, log_file: Path) -> None:
    answer = lokictl("query", '{app="b"}', "-l", "app=a", str(log_file))
    assert answer.error == '0 lines\n{app="b"} matches no stream; the streams are {app="a"}\n'


WRONG = {
    "a macro of Grafana": (
        ['sum(rate({app="a"}[$__interval]))'],
        "$__interval is a Grafana variable, which Grafana replaces before Loki sees the query",
    ),
    "a repair": (['rate({app="a"})'], "write: "),
    "not LogQL": (['{app="a"} |= '], "syntax error: unexpected $end"),
    "a bad label": (['{app="a"}', "-l", "app"], '"app" is not NAME=VALUE'),
    "a bad time": (["vector(1)", "--time", "soonish"], "--time"),
    "both kinds": (["vector(1)", "--time", "now", "--step", "1m"], "--time runs an instant query"),
}


@pytest.mark.parametrize("arguments, message", WRONG.values(), ids=WRONG.keys())
def test_wrong_use(lokictl: Lokictl, log_file: Path, arguments: list[str], message: str) -> None:
    answer = lokictl("query", arguments[0], str(log_file), *arguments[1:])
    assert answer.status == 2
    assert message in answer.error
    assert "Traceback" not in answer.error


def test_a_missing_file(lokictl: Lokictl, tmp_path: Path) -> None:
    answer = lokictl("query", "vector(1)", str(tmp_path / "none.log"))
    assert (answer.status, "cannot read the log file" in answer.error) == (2, True)


def test_format(lokictl: Lokictl) -> None:
    query = 'sum by(level)(rate({app="a"}|json[5m]))'
    assert lokictl("format", "--canonical", query).output == 'sum by (level)(rate({app="a"} | json[5m]))\n'
    assert lokictl("format", query).status == 0


RULES = "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: 'sum(rate({app=\"a\"}   [5m]))'\n"


def test_format_rewrites_files(lokictl: Lokictl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    checked = lokictl("format", "--check", "rules.yaml")
    assert (checked.status, checked.output) == (1, "rules.yaml: would format 1 expression\n")
    assert "+        expr: 'sum(rate({app=\"a\"}[5m]))'" in lokictl("format", "--diff", "rules.yaml").output
    assert file.read_text() == RULES
    assert lokictl("format", "rules.yaml").status == 0
    assert file.read_text() == RULES.replace("   [5m]", "[5m]")
    assert lokictl("format", "--check", "rules.yaml").status == 0
    assert "file not found: other.yaml" in lokictl("format", "other.yaml").error


def test_format_keeps_variables(lokictl: Lokictl) -> None:
    query = 'sum by($by)(rate({app=~"$app"}|json|x>$limit[$__auto]))'
    assert lokictl("format", query).output == 'sum by ($by)(rate({app=~"$app"} | json | x>$limit[$__auto]))\n'
    failed = lokictl("format", '$agg(rate({a="b"}[5m]))')
    assert failed.status == 2
    assert "$agg can stand for any piece of LogQL" in failed.error


def test_format_reads_standard_input(lokictl: Lokictl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{a="b"}|json'))
    assert lokictl("format", "-").output == '{a="b"} | json\n'
