"""What a test file may say, and what is said when it says something else."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from lokictl.diagnostics import LokictlError
from lokictl.durations import MINUTE, SECOND
from lokictl.model.yaml_source import load_document
from lokictl.testing import load_test_file, parse_test_file
from lokictl.testing.loading import is_test_text
from lokictl.testing.model import DEFAULT_START, TestCase
from lokictl.testing.schema import schema, schema_text

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).resolve().parents[2]
START = DEFAULT_START


def parse_one(body: str, head: str = "") -> TestCase:
    """The test with these lines below its name."""
    text = f"{head}tests:\n  - name: it\n" + "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
    return parse_test_file(text, "x_test.yaml").tests[0]


def lines_of(body: str) -> list[tuple[int, int, str]]:
    """(seconds since the start, seconds of arrival, text) of the first stream's lines."""
    test = parse_one("input_streams:\n" + body)
    return [
        (
            (line.timestamp - test.start) // SECOND,
            ((line.arrives_at or line.timestamp) - test.start) // SECOND,
            line.line,
        )
        for line in test.streams[0].lines
    ]


@pytest.mark.parametrize(
    "body, expected",
    [
        ("- {labels: {a: b}, lines: [x, y]}", [(0, 0, "x"), (60, 60, "y")]),
        ("- {labels: {a: b}, lines: [x, _, y, _x3, z]}", [(0, 0, "x"), (120, 120, "y"), (360, 360, "z")]),
        ("- {labels: {a: b}, lines: [x, ~, 7, true]}", [(0, 0, "x"), (120, 120, "7"), (180, 180, "true")]),
        ("- labels: {a: b}\n  lines: |\n    one\n    _\n    three", [(0, 0, "one"), (120, 120, "three")]),
        ("- {labels: {a: b}, lines: ['n=${index}', 'n=${index}']}", [(0, 0, "n=0"), (60, 60, "n=1")]),
        ("- {labels: {a: b}, entries: [{at: 5s, line: x}]}", [(5, 5, "x")]),
        ("- {labels: {a: b}, entries: [{at: 0, line: 1.50}]}", [(0, 0, "1.50")]),
        ("- {labels: {a: b}, entries: [{at: '2026-01-01T00:01:00Z', line: x}]}", [(60, 60, "x")]),
        (
            "- {labels: {a: b}, entries: [{at: 5s, every: 10s, count: 2, line: 'x${index * 2 + 1}'}]}",
            [(5, 5, "x1"), (15, 15, "x3")],
        ),
        (
            "- {labels: {a: b}, entries: [{at: 1s, count: 2, json: {n: '${index}', t: 'no ${index}', l: [1, ~]}}]}",
            [(1, 1, '{"n":0,"t":"no 0","l":[1,null]}'), (1, 1, '{"n":1,"t":"no 1","l":[1,null]}')],
        ),
        (
            "- {labels: {a: b}, entries: [{at: 1s, logfmt: {a: 1, b: x y, c: 'q\"', d: true, e: ''}}]}",
            [(1, 1, 'a=1 b="x y" c="q\\"" d=true e=""')],
        ),
        ("- {labels: {a: b}, entries: [{at: 5s, line: x, arrives_at: 9s}]}", [(5, 9, "x")]),
        (
            "- {labels: {a: b}, arrives_at: 12s, entries: [{at: 5s, every: 10s, count: 2, line: x}]}",
            [(5, 12, "x"), (15, 15, "x")],
        ),
        ("- {labels: {a: b}, entries: [{at: 5s, line: 'costs ${HOME} $5'}]}", [(5, 5, "costs ${HOME} $5")]),
    ],
)
def test_lines(body: str, expected: list[tuple[int, int, str]]) -> None:
    assert lines_of(body) == expected


def test_structured_metadata_of_stream_and_entry() -> None:
    test = parse_one(
        "input_streams:\n"
        '- labels: \'{a="b", c="d"}\'\n'
        "  structured_metadata: {x: 1, y: z}\n"
        "  entries: [{at: 0, count: 2, line: 'l${index}', structured_metadata: {y: 'n${index}'}}]"
    )
    assert test.streams[0].labels == {"a": "b", "c": "d"}
    assert [line.metadata for line in test.streams[0].lines] == [{"x": "1", "y": "n0"}, {"x": "1", "y": "n1"}]


def test_a_file_of_real_lines_says_when_the_test_starts(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text(
        "2025-05-01T10:00:30Z first\ncontinued\n2025-05-01T10:01:10Z second\n", encoding="utf-8"
    )
    (tmp_path / "x_test.yaml").write_text(
        "tests:\n  - input_streams: [{labels: {a: b}, file: web.log}]\n"
        "    logql_expr_test: [{expr: 'vector(1)', eval_time: 2m}]\n",
        encoding="utf-8",
    )
    test = load_test_file(tmp_path / "x_test.yaml").tests[0]
    offsets = [((line.timestamp - test.start) // SECOND, line.line) for line in test.streams[0].lines]
    assert offsets == [
        (30, "2025-05-01T10:00:30Z first"),
        (30, "continued"),
        (70, "2025-05-01T10:01:10Z second"),
    ]
    assert test.queries[0].times == (test.start + 2 * MINUTE,)


def test_labels_in_a_file_of_lines_make_streams_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "web.jsonl").write_text(
        '{"timestamp": "2025-05-01T10:00:00Z", "line": "x", "labels": {"pod": "1"}}\n'
        '{"timestamp": "2025-05-01T10:00:01Z", "line": "y", "labels": {"pod": "2"}, "metadata": {"t": "3"}}\n',
        encoding="utf-8",
    )
    text = "tests: [{input_streams: [{labels: {a: b}, file: web.jsonl}]}]\n"
    test = parse_test_file(text, str(tmp_path / "x_test.yaml")).tests[0]
    assert [(dict(s.labels), s.lines[0].line, dict(s.lines[0].metadata)) for s in test.streams] == [
        ({"a": "b", "pod": "1"}, "x", {}),
        ({"a": "b", "pod": "2"}, "y", {"t": "3"}),
    ]


def test_defaults_and_settings_of_a_test() -> None:
    file = parse_test_file(
        "evaluation_interval: 30s\nfuzzy_compare: true\ntests:\n"
        "  - {name: a}\n"
        "  - {interval: 10s, start_timestamp: 1700000000, external_labels: {c: 1}, external_url: 'http://x'}\n"
    )
    first, second = file.tests
    assert (first.name, first.start, first.interval) == ("a", START, 30 * SECOND)
    assert (second.name, second.start, second.interval) == ("test 2", 1_700_000_000 * SECOND, 10 * SECOND)
    assert (second.external_labels, second.external_url, file.fuzzy_compare) == ({"c": "1"}, "http://x", True)


def test_expected_alerts_as_promtool_writes_them() -> None:
    test = parse_one(
        "alert_rule_test:\n"
        "- {eval_time: 5m, alertname: A}\n"
        "- {eval_time: [1m, 2m], alertname: A, exp_alerts: [{exp_labels: {x: 1, alertname: A}}, {}]}\n"
        "- {alertname: A, fires_within: 5m}\n"
    )
    none, two, within = test.alerts
    assert none.alerts == ()
    assert two.alerts is not None
    assert [(alert.labels, alert.annotations) for alert in two.alerts] == [({"x": "1"}, None), ({}, None)]
    assert two.times == (START + MINUTE, START + 2 * MINUTE)
    assert (within.alerts, within.times, within.last_time) == (None, (START,), START + 5 * MINUTE)


PROBLEMS = [
    ("test: []", "1:1", 'unknown key "test" in a test file', 'did you mean "tests"?'),
    ("tests: {}", "1:8", "`tests` is a list", "begin each item with `- `"),
    ("tests: [7]", "1:9", "a test is a mapping", "known keys: name"),
    ("tests: [{nmae: x}]", "1:10", 'unknown key "nmae" in a test', 'did you mean "name"?'),
    ("tests: [{name: x}, {name: x}]", "1:27", 'two tests are called "x"', ""),
    ("tests: [{interval: 5}]", "1:20", "'5' is not a duration", "write 30s"),
    ("tests: [{start_timestamp: soon}]", "1:27", "'soon' is not a point in time", "2026-01-01T00:00:00Z"),
    ("fuzzy_compare: perhaps\ntests: []", "1:16", "`fuzzy_compare` is true or false", ""),
    ("tests: [{input_streams: [{lines: [x]}]}]", "1:26", "a stream needs `labels`", "labels:"),
    (
        "tests: [{input_streams: [{labels: {a: b}}]}]",
        "1:26",
        "a stream needs `lines`, `entries` or a `file`",
        "",
    ),
    ("tests: [{input_streams: [{labels: 'a=b', lines: [x]}]}]", "1:35", "are no labels", ""),
    ("tests: [{input_streams: [{labels: '{a=b}', lines: [x]}]}]", "1:35", 'expected name="value"', ""),
    ("tests: [{input_streams: [{labels: {a: b}, entries: [{line: x}]}]}]", "1:53", "an entry needs `at`", ""),
    (
        "tests: [{input_streams: [{labels: {a: b}, entries: [{at: 0, line: x, json: {}}]}]}]",
        "1:53",
        "exactly one of `line`, `json`, `logfmt`",
        "",
    ),
    (
        "tests: [{input_streams: [{labels: {a: b}, entries: [{at: 0, count: 2, line: x}]}]}]",
        "1:68",
        "one line for Loki",
        "every: 10s",
    ),
    (
        "tests: [{input_streams: [{labels: {a: b}, entries: [{at: 0, every: 2s, line: x}]}]}]",
        "1:61",
        "`every` needs a `count`",
        "",
    ),
    (
        "tests: [{input_streams: [{labels: {a: b}, entries: [{at: 9s, arrives_at: 5s, line: x}]}]}]",
        "1:74",
        "cannot arrive before its own time",
        "",
    ),
    (
        "tests: [{input_streams: [{labels: {a: b}, entries: [{at: 0, line: '${index / 0}'}]}]}]",
        "1:67",
        "cannot be computed",
        "",
    ),
    (
        "tests: [{input_streams: [{labels: {a: b}, entries: [{at: 0, json: text}]}]}]",
        "1:67",
        "`json` is a mapping",
        "",
    ),
    ("tests: [{input_streams: [{labels: {a: b}, file: no.log}]}]", "1:49", "cannot read the log file", ""),
    ("tests: [{alert_rule_test: [{eval_time: 5m}]}]", "1:28", "`alertname` is missing", ""),
    ("tests: [{alert_rule_test: [{alertname: A}]}]", "1:28", "`eval_time` is missing", "[5m, 10m]"),
    ("tests: [{alert_rule_test: [{alertname: A, eval_time: []}]}]", "1:54", "`eval_time` is empty", ""),
    (
        "tests: [{alert_rule_test: [{alertname: A, eval_time: '2020-01-01T00:00:00Z'}]}]",
        "1:54",
        "before the start",
        "",
    ),
    (
        "tests: [{alert_rule_test: [{alertname: A, eval_time: 5m, exp_state: fireing}]}]",
        "1:69",
        "`exp_state` cannot be 'fireing'",
        'did you mean "firing"?',
    ),
    (
        "tests: [{alert_rule_test: [{alertname: A, eval_time: 5m, exp_alert: []}]}]",
        "1:58",
        'unknown key "exp_alert" in an alert test',
        'did you mean "exp_alerts"?',
    ),
    (
        "tests: [{recording_rule_test: [{record: r, eval_time: 5m, exp_samples: [{labels: {}}]}]}]",
        "1:73",
        "needs `value`",
        "",
    ),
    (
        "tests: [{recording_rule_test: [{record: r, eval_time: 5m, exp_samples: [{value: high}]}]}]",
        "1:81",
        "'high' is not a number",
        "",
    ),
    ("tests: [{logql_expr_test: [{expr: x, start: 0}]}]", "1:28", "a range needs `end`", "end: 10m"),
    ("tests: [{logql_expr_test: [{expr: x, start: 9m, end: 5m}]}]", "1:54", "ends before it starts", ""),
    (
        "tests: [{logql_expr_test: [{expr: x, end: 1m, step: 1m, exp_samples: [{values: 1 2 3}]}]}]",
        "1:80",
        "the query has 2 steps, not 3",
        "",
    ),
    (
        "tests: [{logql_expr_test: [{expr: x, end: 1d, step: 1s}]}]",
        "1:28",
        "the range has 86,401 steps; Loki answers 11,000",
        "longer `step`",
    ),
    (
        "tests: [{alert_rule_test: [{alertname: A, eval_time: 300y}]}]",
        "1:54",
        "'300y' is not a point in time",
        "",
    ),
    (
        "tests: [{input_streams: [{labels: {a: b}, entries: [{at: 0, every: 200y, count: 9, line: x}]}]}]",
        "1:68",
        "after the year 2262",
        "",
    ),
    ("mutation_exceptions: [{rule: A, change: '*'}]\ntests: []", "1:23", "`reason` is missing", "why"),
    ("- a\n", "1:1", "a test file is a mapping", "lokictl schema test"),
    ("tests: [\n", "2:1", "not valid YAML", ""),
]


@pytest.mark.parametrize("text, place, message, hint", PROBLEMS)
def test_problems_have_a_place_and_say_what_to_do(text: str, place: str, message: str, hint: str) -> None:
    with pytest.raises(LokictlError) as caught:
        parse_test_file(text, "x_test.yaml")
    problem = caught.value.problems[0]
    assert message in problem.message
    assert hint in problem.hint
    assert str(problem.position) == f"x_test.yaml:{place}"


def test_all_problems_of_a_file_are_reported() -> None:
    with pytest.raises(LokictlError) as caught:
        parse_test_file("tets: []\ntests: [{nmae: x}, {alert_rule_test: [{eval_time: x, alertname: A}]}]")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("content, message", [(None, "No such file"), (b"\xff\xfe", "not UTF-8")])
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "x_test.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LokictlError, match=message):
        load_test_file(file)


FILES = [*sorted((ROOT / "tests" / "rules").glob("*.yaml")), *sorted(DATA.glob("*_test.yaml"))]


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_the_schema_accepts_what_the_reader_accepts(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert is_test_text(text)
    assert load_test_file(file).tests
    jsonschema.Draft7Validator(schema()).validate(load_document(text).value)


@pytest.mark.parametrize(
    "text", [text for text, _, message, _ in PROBLEMS if "unknown key" in message or "missing" in message]
)
def test_the_schema_refuses_unknown_and_missing_keys(text: str) -> None:
    assert not jsonschema.Draft7Validator(schema()).is_valid(load_document(text).value)


def test_every_key_of_the_schema_is_explained() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
    definitions = schema()["definitions"]
    unexplained = [
        f"{name}.{key}"
        for name, definition in {**definitions, "file": schema()}.items()
        for key, value in definition.get("properties", {}).items()
        if "description" not in value
    ]
    assert unexplained == []
    assert schema_text().endswith("}\n")


def test_a_file_of_lines_without_times_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "plain.log").write_text("one\ntwo\n")
    file = tmp_path / "x_test.yaml"
    file.write_text("tests: [{input_streams: [{labels: {a: b}, file: plain.log}]}]\n")
    found = load_test_file(file)
    assert [warning.message for warning in found.warnings] == [
        "plain.log: 2 lines have no time that can be read: they count as written from the test's start on, 1 ms apart"
    ]
    assert found.warnings[0].position.line == 1


def test_times_without_a_year_lie_around_the_start(tmp_path: Path) -> None:
    (tmp_path / "syslog").write_text("Dec 31 23:59:59 host a: b\nJan  1 00:00:01 host a: b\n")
    file = tmp_path / "x_test.yaml"
    file.write_text(
        "tests: [{start_timestamp: 2020-01-01T00:00:00Z, input_streams: [{labels: {a: b}, file: syslog}]}]\n"
    )
    times = [line.timestamp for line in load_test_file(file).tests[0].streams[0].lines]
    assert [time - 1_577_836_800 * 10**9 for time in times] == [-(10**9), 10**9]
