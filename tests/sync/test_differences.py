"""Differences in the words that people use."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from lokictl.sync.differences import differences


def panel(number: int, title: str, **keys: Any) -> dict[str, Any]:
    return {"id": number, "type": "timeseries", "title": title, **keys}


def threshold(value: int) -> dict[str, Any]:
    steps = [{"color": "green"}, {"color": "red", "value": value}]
    return {"fieldConfig": {"defaults": {"thresholds": {"mode": "absolute", "steps": steps}}}}


def board(*panels: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"title": "T", "panels": list(panels), **keys}


def group(*rules: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"name": "g", "rules": list(rules), **keys}


def rule(name: str, expr: str = "vector(1)", **keys: Any) -> dict[str, Any]:
    return {"alert": name, "expr": expr, **keys}


A, B = panel(1, "A"), panel(2, "B")
POSITION = {"x": 0, "y": 0, "w": 12, "h": 8}

ENCODED = quote('{"expr":"{job=\\"x\\"} |= \\"a b\\"}","datasource":"x')
LINKS = [
    f"| {word} | /d/{'abc-defghij ' * 16}| {word} | /d/{'abc-defghij ' * 6}|"
    for word in ("one", "two", "three")
]

CASES: dict[str, tuple[Any, Any, list[str]]] = {
    "same": (board(A), board(A), []),
    "title": (board(A), {**board(A), "title": "U"}, ["~ title: T → U"]),
    "panel added": (board(A), board(A, B), ['+ panel "B" (id 2)']),
    "panel removed": (board(A, B), board(B), ['- panel "A" (id 1)']),
    "threshold": (
        board(panel(1, "A", **threshold(80))),
        board(panel(1, "A", **threshold(90))),
        ['~ panel "A" (id 1) › threshold red › value: 80 → 90'],
    ),
    "query": (
        board(panel(1, "A", targets=[{"refId": "A", "expr": "a"}])),
        board(panel(1, "A", targets=[{"refId": "A", "expr": "b"}, {"refId": "B", "expr": "c"}])),
        ['~ panel "A" (id 1) › query "A" › expr: a → b', '+ panel "A" (id 1) › query "B"', "    + c"],
    ),
    "moved": (
        board(panel(1, "A", gridPos=POSITION)),
        board(panel(1, "A", gridPos={**POSITION, "y": 8})),
        ['~ panel "A" (id 1) › position: x 0, y 0, 12 × 8 → x 0, y 8, 12 × 8'],
    ),
    "order": (board(A, B), board(B, A), ["~ order of the panels: A, B → B, A"]),
    "folded row": (
        board({"id": 9, "type": "row", "title": "R", "panels": [], "collapsed": False}, A),
        board({"id": 9, "type": "row", "title": "R", "panels": [A], "collapsed": True}),
        ['~ row "R" › collapsed: false → true'],
    ),
    "variable": (
        board(templating={"list": [{"name": "job", "query": "a"}]}),
        board(templating={"list": [{"name": "job", "query": "b"}]}),
        ['~ variable "job" › query: a → b'],
    ),
    "tag": (board(tags=["a", "b"]), board(tags=["b", "c"]), ["- tag: a", "+ tag: c"]),
    "rule added": (group(rule("A")), group(rule("A"), rule("B", "x")), ['+ rule "B"', "    + x"]),
    "rule changed": (
        group(rule("A", "sum(a)\n  > 1")),
        group(rule("A", "sum(a)\n  > 2")),
        ['~ rule "A" › expr:', "      sum(a)", "    -   > 1", "    +   > 2"],
    ),
    "rules of one name": (
        group(rule("A", labels={"severity": "a"}), rule("A", labels={"severity": "b"})),
        group(rule("A", labels={"severity": "a"}), rule("A", "x", labels={"severity": "b"})),
        ['~ rule "A" › expr: vector(1) → x'],
    ),
    "rule with another label": (
        group(rule("A", labels={"severity": "a"})),
        group(rule("A", labels={"severity": "b"})),
        ['~ rule "A" › labels › severity: a → b'],
    ),
    "one of two rules of a name has another label": (
        group(rule("A", labels={"s": "a"}), rule("A", "x", labels={"s": "b"})),
        group(rule("A", labels={"s": "a"}), rule("A", "x", labels={"s": "c"})),
        ['~ rule "A" › labels › s: b → c'],
    ),
    "rules in another order": (
        group(rule("A"), rule("B")),
        group(rule("B"), rule("A")),
        ["~ order of the rules: A, B → B, A"],
    ),
    "an encoded URL": (
        {"content": f"[x](/explore?left={ENCODED}5{ENCODED})"},
        {"content": f"[x](/explore?left={ENCODED}7{ENCODED})"},
        ["~ content:", r'    …\"a b\"}","datasource":"[x5 → x7]{"expr":"{job=\"x\"} |= …'],
    ),
    "a table of links": (
        {"content": "\n".join(LINKS)},
        {"content": "\n".join([*LINKS[:2], LINKS[2].replace("three", "four"), *LINKS[3:]])},
        [
            "~ content:",
            "    | [three → four] | /d/abc-defghij abc-de…",
            "    …c-defghij abc-defghij | [three → four] | /d/abc-defghij abc-de…",
        ],
    ),
    "limit": (group(rule("A")), group(rule("A"), limit=5), ["+ limit: 5"]),
    "panels without ids": (
        board({"title": "A", "type": "x"}, {"title": "A", "type": "y"}),
        board({"title": "A", "type": "x"}, {"title": "A", "type": "z"}),
        ['~ panel "A" › type: y → z'],
    ),
    "long texts": (
        {"query": "a" * 50},
        {"query": "b" * 50},
        ["~ query:", f"    - {'a' * 50}", f"    + {'b' * 50}"],
    ),
    "spaces": ({"a": "x"}, {"a": "x "}, ['~ a: x → "x "']),
    "json data": ({"jsonData": {"maxLines": 1}}, {"jsonData": {"maxLines": 2}}, ["~ maxLines: 1 → 2"]),
}


@pytest.mark.parametrize("name", CASES)
def test_differences(name: str) -> None:
    before, after, lines = CASES[name]
    assert [line for found in differences(before, after) for line in found.lines()] == lines
