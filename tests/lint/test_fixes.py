"""Repairs change what they mean to change and nothing else; answers stay the same."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lokictl.conformance.recordings import RECORDINGS
from lokictl.engine import Engine, Limits, LogStore
from lokictl.lint import Settings, lint_text
from lokictl.lint.fixes import FixedFile, fix_text
from lokictl.lint.interface import Finding
from lokictl.lint.registry import all_checks
from tests.engine.conformance import SERIES_LIMIT, run, store_of

FIXABLE = tuple(
    name for name, check in all_checks().items() if check.fixable and name.startswith(("logql/", "rule/"))
)


def fixed(text: str, file: str = "rules.yaml") -> FixedFile:
    def find(current: str) -> tuple[Finding, ...]:
        return lint_text(current, file, Settings(select=FIXABLE)).findings

    return fix_text(file, text, find)


QUERIES = [
    ('{app=~"web"}', '{app="web"}'),
    ('{app="web"} |~ "error"', '{app="web"} |= "error"'),
    ('{app="web"} !~ `error`', '{app="web"} != `error`'),
    ('{app="web"} |~ "a\\\\.b"', '{app="web"} |= "a.b"'),
    ('{app="web"} |= ""', '{app="web"}'),
    ('{app="web"} |~ ".*" |= "error"', '{app="web"} |= "error"'),
    ('{app="web"} |= "error" |= "error"', '{app="web"} |= "error"'),
    ('{app="web"} | json | status=~".*"', '{app="web"} | json'),
    ('{app="web"} | json | status=~"500"', '{app="web"} | json | status="500"'),
    ('{app="web"} | json | status="500" | status="500"', '{app="web"} | json | status="500"'),
    (
        'sum by (status) (count_over_time({app=~"web"} | json | line_format "{{.msg}}" | __error__="" [5m]))',
        'sum by (status) (count_over_time({app="web"} | json | __error__="" [5m]))',
    ),
]


@pytest.mark.parametrize("query, expected", QUERIES)
def test_queries(query: str, expected: str) -> None:
    assert fixed(query, "query.logql").after == expected


WRITTEN: list[tuple[str, Callable[[str], str]]] = [
    ("plain", lambda query: f"        expr: {query}\n"),
    ("block", lambda query: f"        expr: |\n          {query}\n"),
    ("folded", lambda query: f"        expr: >-\n          {query}\n"),
    ("single quotes", lambda query: f"        expr: '{query}'\n"),
    (
        "double quotes",
        lambda query: '        expr: "' + query.replace("\\", "\\\\").replace('"', '\\"') + '"\n',
    ),
]
HEAD = "groups: # a comment\n  - name: g\n    rules:\n      - alert: A\n"
TAIL = "        labels: {severity: 'x'} # stays\n"


@pytest.mark.parametrize("write", [row[1] for row in WRITTEN], ids=[row[0] for row in WRITTEN])
def test_the_rest_of_the_file_stays(write: Callable[[str], str]) -> None:
    before = 'sum(count_over_time({app=~"web"} |~ "a b" |= "" [5m])) > 5'
    after = 'sum(count_over_time({app="web"} |= "a b" [5m])) > 5'
    result = fixed(HEAD + write(before) + TAIL)
    assert result.after == HEAD + write(after) + TAIL
    assert result.count == 3


def test_queries_of_dashboards() -> None:
    text = (
        '{"title": "T", "panels": [{"id": 1, "type": "logs", "datasource": {"type": "loki", "uid": "l"},\n'
        ' "targets": [{"refId": "A", "expr": "{app=~\\"web\\"} |~ \\"é\\" |= \\"\\""},\n'
        '  {"refId": "B", "expr": "{app=~\\"$app\\"} |~ \\"x\\""}]}]}\n'
    )
    after = text.replace('=~\\"web', '=\\"web').replace('|~ \\"é\\" |= \\"\\"', '|= \\"é\\"')
    assert fixed(text, "d.json").after == after


def test_nothing_to_do() -> None:
    text = HEAD + '        expr: sum(count_over_time({app="web"}[5m])) > 5\n' + TAIL
    assert fixed(text) == FixedFile("rules.yaml", text, text, 0)


def test_the_diff() -> None:
    result = fixed(HEAD + '        expr: sum(count_over_time({app=~"web"}[5m])) > 5\n')
    assert '-        expr: sum(count_over_time({app=~"web"}[5m])) > 5\n' in result.diff()
    assert '+        expr: sum(count_over_time({app="web"}[5m])) > 5\n' in result.diff()
    assert result.diff().startswith("--- a/rules.yaml\n+++ b/rules.yaml\n")


def test_an_edit_that_would_change_yaml_is_refused() -> None:
    # In a plain scalar the new text would begin a comment.
    text = HEAD + '        expr: sum(count_over_time({app="web"} |~ "a\\\\x20#b" [5m])) > 5\n'
    assert fixed(text).after == text


def test_many_repairs_in_one_file() -> None:
    rule = '      - alert: A%d\n        expr: sum(count_over_time({app=~"web%d"} |~ "x" [5m])) > 5\n'
    text = "groups:\n  - name: g\n    rules:\n" + "".join(rule % (number, number) for number in range(60))
    result = fixed(text)
    assert result.count == 120
    assert "=~" not in result.after
    assert "|~" not in result.after


@pytest.fixture(scope="module")
def engine() -> Engine:
    store = LogStore()
    lines = [
        '{"status":"500","msg":"error a.b","took":"5"}', '{"status":"200","msg":"fine","took":"x"}', "error, no json",
        "", "a.b", "axb", '{"status":5,"msg":"a b"}',
    ]  # fmt: skip
    for number, app in enumerate(("web", "webs", "shop")):
        store.push({"app": app}, [(1_000_000_000 * (at + number), line) for at, line in enumerate(lines, 1)])
    return Engine(store)


@pytest.mark.parametrize("query, expected", QUERIES)
def test_answers_stay_the_same(query: str, expected: str, engine: Engine) -> None:
    end = 60_000_000_000
    before = engine.query_range(query, start=0, end=end, step=10_000_000_000).to_loki()
    after = engine.query_range(expected, start=0, end=end, step=10_000_000_000).to_loki()
    assert before == after
    assert before["result"] or "a\\\\.b" in query


def test_repairs_of_queries_that_a_real_loki_answered() -> None:
    """Every query of the engine's conformance suite that a repair would change still has the same answer."""
    changed = 0
    cases = sorted(RECORDINGS.glob("*.json"))
    assert cases
    for file in cases:
        for suite in json.loads(file.read_text(encoding="utf-8"))["suites"]:
            engine = Engine(store_of(suite), Limits(max_query_series=SERIES_LIMIT))
            for query in suite["queries"]:
                after = fixed(query["expr"], "query.logql").after
                if after != query["expr"]:
                    changed += 1
                    before = run(engine, query)
                    assert run(engine, {**query, "expr": after}) == before or before[0] != "success", after
    assert changed > 10
