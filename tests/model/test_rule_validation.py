"""What Loki 3.7.6 says about rule files, and what it drops without a word."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokictl.diagnostics import Severity
from lokictl.logql.versions import LokiVersion, targeting
from lokictl.model import AlertingRule, RecordingRule, RuleGroup, parse_rule_files
from lokictl.model.rule_validation import (
    check_rule_file,
    dropped_settings,
    group_problems,
    validate_group,
    validate_groups,
)

DATA = Path(__file__).resolve().parent.parent / "data" / "rule_validation.json"
CASES = json.loads(DATA.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[str(number) for number in range(len(CASES))])
def test_loader(case: dict[str, Any]) -> None:
    assert check_rule_file(case["yaml"]) == case["errors"]
    assert case["ok"] == (not case["errors"])


VERSIONS = Path(__file__).resolve().parent.parent / "data" / "rule_validation_versions.json"
OTHER_ANSWERS = [
    (version, case["yaml"], message)
    for case in json.loads(VERSIONS.read_text(encoding="utf-8"))
    for version, message in case["messages"].items()
]
"""What real Lokis of other versions say where it is not what 3.7.6 says; the empty string: nothing."""


@pytest.mark.parametrize("version, text, message", OTHER_ANSWERS)
def test_loaders_of_other_versions(version: str, text: str, message: str) -> None:
    with targeting(LokiVersion.parse(version)):
        assert check_rule_file(text) == ([message] if message else [])
        assert not check_rule_file("groups:\n- name: g\n  rules:\n  - {alert: A, expr: vector(1)}\n")


@pytest.mark.parametrize("version", sorted({version for version, _, _ in OTHER_ANSWERS}))
def test_all_else_is_answered_alike(version: str) -> None:
    others = {text for other, text, _ in OTHER_ANSWERS if other == version}
    alike = [case for case in CASES if case["yaml"] not in others]
    assert alike
    with targeting(LokiVersion.parse(version)):
        assert [case["errors"] for case in alike] == [check_rule_file(case["yaml"]) for case in alike]


LOADER_CASES = [
    ("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: vector(1)\n---\nnonsense\n", []),
    ("{groups: [}", ["yaml: did not find expected node content"]),
    (
        "groups:\n- name: g\n  rules:\n  - alert: A\n   expr: b\n",
        ["yaml: line 1: did not find expected key"],
    ),
    ("groups:\n- name: 'g\n  rules: []\n", ["yaml: line 2: found unexpected end of stream"]),
    ("groups:\n- name: g\n  rules:\n  - null\n", []),
    ("groups:\n- name: g\n  interval: ''\n", ["empty duration string"]),
    ("groups: [1", ["yaml: line 1: did not find expected ',' or ']'"]),
    ("groups:\n\t- name: g\n", ["yaml: line 2: found character that cannot start any token"]),
    ("groups: *nothing\n", ["yaml: unknown anchor 'nothing' referenced"]),
    ("groups:\n- name: &x a\n- name: &x b\n- name: *x\n", ['groupname: "b" is repeated in the same file']),
    (
        "groups:\n- name: g\n  limit: 1.5\n  colour: red\n  rules:\n  - alert: [A]\n    expr: {a: b}\n",
        [
            "yaml: unmarshal errors:\n  line 4: field colour not found in type rulefmt.RuleGroup\n"
            "  line 6: cannot unmarshal !!seq into string\n  line 7: cannot unmarshal !!map into string"
        ],
    ),
    (
        "groups:\n- name: g\n  limit: a long text\n",
        ["yaml: unmarshal errors:\n  line 3: cannot unmarshal !!str `a long ...` into int"],
    ),
    (
        "groups:\n- name: g\n  rules:\n"
        "  - &a {alert: A, expr: vector(1), for: 1m}\n  - {<<: *a, alert: B, record: c}\n",
        ["only one of 'record' and 'alert' must be set"],
    ),
    (
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: vector(1)\n    labels: {b: '{{ $x }}', a: '{{ $y }}'}\n",
        ['label "a": template: __alert_A:1: undefined variable "$y"'],
    ),
]


@pytest.mark.parametrize("text, messages", LOADER_CASES)
def test_loader_beyond_the_recordings(text: str, messages: list[str]) -> None:
    assert check_rule_file(text) == messages


FILE = """\
groups:
  - name: web
    query_offset: 1m
    labels: {team: web}
    rules:
      - alert: Broken
        expr: |
          sum(rate({app="web"}[5m]))
            by > 5
      - alert: Link
        expr: vector(1)
        keep_firing_for: 5m
        annotations:
          link: "see {{ $externalURL }}"
      - record: web-rate
        expr: vector(1)
      - alert: Names
        expr: vector(1)
        labels:
          bad-name: x
"""


def test_places() -> None:
    problems = group_problems(parse_rule_files(FILE, "rules.yaml")[0].groups)
    assert [
        (problem.position.line, problem.position.column, problem.message[:44]) for problem in problems
    ] == [
        (9, 16, "could not parse expression for alert 'Broken"),
        (14, 25, 'annotation "link": template: __alert_Link:1:'),
        (15, 17, "invalid recording rule name: web-rate"),
        (20, 11, "invalid label name: bad-name"),
    ]
    assert "externalURL }}" in problems[1].hint
    assert all(problem.position.file == "rules.yaml" and problem.source_line for problem in problems)


def test_what_loki_drops_is_named() -> None:
    (group,) = parse_rule_files(FILE, "rules.yaml")[0].groups
    problems = dropped_settings(group)
    assert [(problem.severity, problem.position.line, problem.message) for problem in problems] == [
        (Severity.WARNING, 3, "`query_offset` of the group web has no effect: Loki accepts it and drops it"),
        (Severity.WARNING, 4, "`labels` of the group web has no effect: Loki accepts it and drops it"),
        (
            Severity.WARNING,
            12,
            "`keep_firing_for` of the alert Link has no effect: Loki accepts it and drops it",
        ),
    ]


TYPED = [
    (RuleGroup("g", (AlertingRule("A", "vector(1)", for_=1),)), []),
    (RuleGroup("", ()), ["group 0: Groupname must not be empty"]),
    (RuleGroup("g", (AlertingRule("A", ""),)), ["field 'expr' must be set in rule"]),
    (RuleGroup("g", (AlertingRule("", "vector(1)"),)), ["one of 'record' or 'alert' must be set"]),
    (RuleGroup("g", (RecordingRule("é", "vector(1)"),)), ["invalid recording rule name: é"]),
    (
        RuleGroup("g", (RecordingRule("r", "x"),)),
        [
            "could not parse expression for record 'r' in group 'g': "
            "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER"
        ],
    ),
    (
        RuleGroup("g", (AlertingRule("A", "vector(1)", labels={"a": "\udcff"}),)),
        ["invalid label value: \udcff"],
    ),
]


@pytest.mark.parametrize("group, messages", TYPED)
def test_groups_made_in_python(group: RuleGroup, messages: list[str]) -> None:
    assert validate_group(group) == messages


def test_repeated_groups() -> None:
    group = RuleGroup("g", ())
    assert validate_groups([group, group, RuleGroup("h", ())]) == [
        'groupname: "g" is repeated in the same file'
    ]


HOSTILE = [
    ("groups:\n- &g {name: g, <<: *g}\n", "yaml: anchor value contains itself"),
    ("groups:\n- name: g\n  labels: &x {a: b, <<: *x}\n", "yaml: anchor value contains itself"),
    ("groups: " + "[" * 50_000, "yaml: exceeded max depth of 10000"),
    ("- " * 50_000 + "x", "yaml: exceeded max depth of 10000"),
    ("groups: [\x01]\n", "yaml: control characters are not allowed"),
    (
        "groups:\n- &a {name: a}\n"
        + "".join(
            f"- &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}\n" for a, b in itertools.pairwise("abcdefghij")
        ),
        "yaml: document contains excessive aliasing",
    ),
]


@pytest.mark.parametrize("text, message", HOSTILE, ids=[message for _, message in HOSTILE])
def test_hostile_files(text: str, message: str) -> None:
    assert check_rule_file(text) == [message]


@given(st.text(alphabet="groups:nameruslt- []{}&*<>|\"'\n\t 0123456789ml!%#?,é\x00", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_string_is_accepted_or_refused_with_a_message(text: str) -> None:
    assert all(isinstance(message, str) and message for message in check_rule_file(text))
    assert all(
        isinstance(message, str) and message for message in check_rule_file("groups:\n- name: " + text)
    )
