"""Comments that silence a check: how far they reach, and that they need a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from lokictl.lint import Settings, lint, lint_text
from lokictl.lint.suppression import suppressions_in
from lokictl.project import load

NEVER = 'sum(count_over_time({app="a"}[5m])) == 0'
COMMENT = "# lokictl: disable=logql/never-true — known"
SETTINGS = Settings(select=("logql/never-true",))


def rules(before_file: str = "", before_group: str = "", before_rule: str = "", behind: str = "") -> str:
    def rule(name: str, comment: str = "") -> str:
        return f"      - alert: {name}\n        expr: {NEVER}{comment}\n"

    def line(text: str, indent: int) -> str:
        return " " * indent + text + "\n" if text else ""

    return (
        line(before_file, 0) + "groups:\n" + line(before_group, 2) + "  - name: g\n    rules:\n"
        + line(before_rule, 6) + rule("A", f" {behind}" if behind else "") + rule("B")
        + "  - name: h\n    rules:\n" + rule("C")
    )  # fmt: skip


REACH = [
    ("none", rules(), ["A", "B", "C"]),
    ("file", rules(before_file=COMMENT), []),
    ("group", rules(before_group=COMMENT), ["C"]),
    ("rule", rules(before_rule=COMMENT), ["B", "C"]),
    ("line", rules(behind=COMMENT), ["B", "C"]),
    ("family", rules(before_rule="# lokictl: disable=logql/* -- known"), ["B", "C"]),
    ("several", rules(before_rule="# lokictl: disable=rule/name, logql/never-true - known"), ["B", "C"]),
    ("other check", rules(before_rule="# lokictl: disable=rule/name — known"), ["A", "B", "C"]),
]


@pytest.mark.parametrize("text, left", [row[1:] for row in REACH], ids=[row[0] for row in REACH])
def test_reach_in_yaml(text: str, left: list[str]) -> None:
    found = lint_text(text, "rules.yaml", SETTINGS).findings
    assert [item.item.removeprefix("alert ") for item in found if item.name == "logql/never-true"] == left


def test_inside_the_query_of_a_block() -> None:
    head = "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: |\n"
    text = f"{head}          {NEVER}\n          {COMMENT}\n"
    assert lint_text(text, "rules.yaml", SETTINGS).findings == ()


BAD = [
    ("# lokictl: disable=logql/never-true", "no reason", "why it is fine here"),
    ("# lokictl: disable=logql/never-tru — known", 'unknown check "logql/never-tru"', "logql/never-true"),
]


@pytest.mark.parametrize("comment, message, hint", BAD)
def test_comments_that_do_not_work(comment: str, message: str, hint: str) -> None:
    report = lint_text(rules(before_rule=comment), "rules.yaml", SETTINGS)
    (problem,) = [item for item in report.findings if item.name == "lint/suppression"]
    assert message in problem.message
    assert hint in problem.hint
    assert problem.position.line == 4
    assert len(report.findings) == 4
    assert report.suppressed == 0


def test_a_comment_that_nothing_needs() -> None:
    text = rules(before_rule=COMMENT).replace("== 0", "> 5")
    (found,) = lint_text(text, "rules.yaml", SETTINGS).findings
    assert (found.name, found.severity) == ("lint/unused-suppression", "info")
    # The check did not run: nothing is known.
    assert lint_text(text, "rules.yaml", Settings(select=("rule/name",))).findings == ()


def test_suppressed_findings_are_counted() -> None:
    assert lint_text(rules(before_file=COMMENT), "rules.yaml", SETTINGS).suppressed == 3


def test_in_a_dashboard_the_query_says_it() -> None:
    panel = '{"id": 1, "type": "logs", "datasource": {"type": "loki", "uid": "l"}, "targets": [\n%s\n]}'
    queries = [
        '{"refId": "A", "expr": "{a=\\"b\\", a=\\"c\\"} # lokictl: disable=logql/contradictory-filter — known"},',
        '{"refId": "B", "expr": "{a=\\"b\\", a=\\"c\\"}"}',
    ]
    text = '{"title": "T", "panels": [' + panel % "\n".join(queries) + "]}"
    found = lint_text(text, "d.json", Settings(select=("logql/contradictory-filter",))).findings
    assert [item.position.line for item in found] == [3]


def test_reach_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = "AlertingRule('%s', '''%s''')"
    module = (
        '"""Rules."""\n'
        "from lokictl.model import AlertingRule, RuleGroup\n\n"
        "# lokictl: disable=logql/never-true — known\n"
        f"A = {rule % ('A', NEVER)}\n"
        f"B = {rule % ('B', NEVER)}\n"
        f"C = {rule % ('C', NEVER)}  # lokictl: disable=logql/never-true — known\n"
        "GROUP = RuleGroup('g', (A, B, C))\n"
    )
    for name, text in {"lokictl.toml": "", "rules/suppressed_rules.py": module}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lokictl.toml").write_text('rules = "rules"\n', encoding="utf-8")
    found = lint(load(tmp_path, strict=False), SETTINGS).findings
    assert [item.item for item in found if item.name == "logql/never-true"] == ["alert B"]


@pytest.mark.parametrize(
    "line, names, reason",
    [
        ("# lokictl: disable=a/b — x y", ("a/b",), "x y"),
        ("# lokictl:disable = a/b,c/d: x", ("a/b", "c/d"), "x"),
        ("x: y # lokictl: disable=a/b-c -- z", ("a/b-c",), "z"),
        ("# lokictl: disable=a/b", ("a/b",), ""),
        ("# lokictl: disable=a/b —", ("a/b",), ""),
    ],
)
def test_the_form_of_comments(line: str, names: tuple[str, ...], reason: str) -> None:
    (found,) = suppressions_in(line, "x.yaml")
    assert (found.names, found.reason) == (names, reason)
