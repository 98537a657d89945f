"""Grafana-managed rules: the pages of the checks, and the kinds of each."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lokictl.lint import lint_text
from lokictl.lint.registry import all_checks

PAGES = Path(__file__).resolve().parents[3] / "docs" / "checks"
CHECKS = [name for name in all_checks() if name.startswith("managed/")]


def found(text: str, file: str = "alerts.yaml") -> list[tuple[str, int]]:
    """(name, line) of what is found in a text."""
    return [(item.name, item.position.line) for item in lint_text(text, file).findings]


def blocks(text: str, heading: str) -> list[str]:
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)


@pytest.mark.parametrize("name", CHECKS)
def test_the_page_is_true(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    assert f"**{all_checks()[name].severity}**" in text
    for heading in ("Why", "False positives"):
        assert f"## {heading}\n" in text
    (bad,), (good,) = blocks(text, "Bad"), blocks(text, "Good")
    assert [item for item, line in found(bad) if item.startswith("managed/") and line] == [name]
    assert found(good) == []


def test_every_page_is_of_a_check() -> None:
    assert {f"managed/{file.stem}" for file in (PAGES / "managed").glob("*.md")} == set(CHECKS)


def rule(steps: list[dict[str, object]], condition: str, **more: object) -> dict[str, object]:
    return {"uid": "u", "title": "T", "condition": condition, "data": steps, "noDataState": "OK", **more}


def query(expr: str, **model: object) -> dict[str, object]:
    times = {"from": 600, "to": 0}
    return {"refId": "A", "datasourceUid": "l", "relativeTimeRange": times, "model": {"expr": expr, **model}}


def step(ref_id: str, **model: object) -> dict[str, object]:
    return {"refId": ref_id, "datasourceUid": "__expr__", "model": {"refId": ref_id, **model}}


LOKI = {"type": "loki", "uid": "l"}
COUNT = 'sum by (app) (count_over_time({job="t"}[5m]))'
REDUCE = step("B", type="reduce", expression="A", reducer="last")
CLASSIC = step("B", type="classic_conditions", conditions=[{"query": {"params": ["A"]}}])


def threshold(source: str) -> dict[str, object]:
    return step(
        "C", type="threshold", expression=source, conditions=[{"evaluator": {"type": "gt", "params": [0]}}]
    )


# What a Grafana 12.2 with a Loki 3.7.6 said of each: "ok", or an error at every evaluation.
VERDICTS = {
    "lines, instant": ([query('{job="t"}', queryType="instant"), threshold("A")], "C", ["managed/log-query"]),
    "lines, range": ([query('{job="t"}', queryType="range"), threshold("A")], "C", ["managed/log-query"]),
    "range, threshold": (
        [query(COUNT, queryType="range"), threshold("A")],
        "C",
        ["managed/unreduced-series"],
    ),
    "no type, threshold": ([query(COUNT), threshold("A")], "C", ["managed/unreduced-series"]),
    "the old flag": ([query(COUNT, instant=True), threshold("A")], "C", ["managed/unreduced-series"]),
    "range, math": (
        [query(COUNT), step("B", type="math", expression="$A > 1")],
        "B",
        ["managed/unreduced-series"],
    ),
    "range alone": ([query(COUNT)], "A", ["managed/unreduced-series"]),
    "instant alone": ([query(COUNT, queryType="instant")], "A", []),
    "range, reduced": ([query(COUNT), REDUCE, threshold("B")], "C", []),
    "range, classic": ([query(COUNT), CLASSIC], "B", []),
    "no such condition": ([query(COUNT, queryType="instant"), threshold("A")], "Z", ["managed/condition"]),
    "no such step": ([query(COUNT, queryType="instant"), threshold("Q")], "C", ["managed/condition"]),
    "syntax": ([query("sum(", queryType="instant"), threshold("A")], "C", ["logql/syntax"]),
}


@pytest.mark.parametrize("steps, condition, expected", VERDICTS.values(), ids=VERDICTS.keys())
def test_the_verdicts_of_a_real_grafana(
    steps: list[dict[str, object]], condition: str, expected: list[str]
) -> None:
    data = json.loads(json.dumps(steps))
    data[0]["model"]["datasource"] = LOKI
    group = {"name": "g", "interval": "1m", "rules": [rule(data, condition)]}
    text = json.dumps({"apiVersion": 1, "groups": [{**group, "folder": "f"}]}, indent=1)
    assert [name for name, _ in found(text, "alerts.json")] == expected
    export = {"title": "T", "condition": condition, "data": data}
    ruler = json.dumps({"f": [{**group, "rules": [{"grafana_alert": export}]}]}, indent=1)
    assert [name for name, _ in found(ruler, "export.json")] == expected


def test_data_source_types_come_from_the_run() -> None:
    source = "datasources:\n  - {name: Logs, type: loki, uid: l, url: 'http://loki'}\n---\n"
    group = {
        "name": "g",
        "folder": "f",
        "interval": "1m",
        "rules": [rule([query("{a='b'}"), threshold("A")], "C")],
    }
    alerts = json.dumps({"apiVersion": 1, "groups": [group]})
    assert "logql/syntax" in [name for name, _ in found(source + alerts)]
    assert "logql/syntax" not in [name for name, _ in found(source.replace("loki,", "prometheus,") + alerts)]


RULE = """\
      - {first}
        {second}
        condition: A
        execErrState: OK
        data:
          - refId: A
            datasourceUid: loki
            model: {{expr: 'sum(count_over_time({{app="a"}}[5m])) > 1', queryType: instant}}
"""


def test_a_comment_silences_one_rule() -> None:
    head = "apiVersion: 1\ngroups:\n  - orgId: 1\n    name: g\n    folder: f\n    rules:\n"
    comment = "      # lokictl: disable=managed/hidden-errors — watched elsewhere\n"
    text = head + comment + RULE.format(first="uid: a", second="title: A")
    text += RULE.format(first="title: B", second="uid: b")
    assert found(text) == [("managed/hidden-errors", 19)]
    above_data = "  " + comment + "        data"
    inside = head + RULE.format(first="uid: a", second="title: A").replace("        data", above_data, 1)
    assert found(inside) == []


@pytest.mark.parametrize(
    "receiver, names", [("email receiver", []), ("nobody", ["managed/unknown-contact-point"])]
)
def test_grafana_has_its_own_contact_point(receiver: str, names: list[str]) -> None:
    point = "contactPoints:\n  - {orgId: 1, name: team, receivers: []}\n"
    text = f"apiVersion: 1\n{point}policies:\n  - {{orgId: 1, receiver: {receiver}}}\n"
    assert [name for name, _ in found(text)] == names


TWO_ORGANIZATIONS = """\
apiVersion: 1
groups:
{groups}
contactPoints:
  - {{orgId: 1, name: first, receivers: [{{uid: a, type: email, settings: {{addresses: a@example.com}}}}]}}
  - {{orgId: 2, name: second, receivers: [{{uid: b, type: email, settings: {{addresses: a@example.com}}}}]}}
policies:
  - orgId: 1
    receiver: {one}
    routes: [{{receiver: first, object_matchers: [[team, "=", a]]}}]
  - orgId: 2
    receiver: {two}
    routes: [{{receiver: second, object_matchers: [[team, "=", b]]}}]
"""
OF_AN_ORGANIZATION = """\
  - orgId: {org}
    name: g{org}
    folder: f
    interval: 1m
    rules:
      - uid: r{org}
        title: T
        condition: A
        data:
          - {{refId: A, datasourceUid: loki, model: {{expr: 'sum(rate({{a="b"}}[5m])) > 1', queryType: instant}}}}
        labels: {{team: {team}}}
"""


@pytest.mark.parametrize(
    "receivers, teams, expected",
    [
        (("first", "second"), ("a", "b"), []),
        (("second", "first"), ("a", "b"), ["managed/unknown-contact-point"] * 2),
        (("first", "second"), ("b", "a"), ["managed/unrouted"] * 2),
        (("first", "third"), ("a", "a"), ["managed/unknown-contact-point", "managed/unrouted"]),
    ],
)
def test_organizations_do_not_share_contact_points_and_policies(
    receivers: tuple[str, str], teams: tuple[str, str], expected: list[str]
) -> None:
    groups = "".join(
        OF_AN_ORGANIZATION.format(org=org, team=team) for org, team in zip((1, 2), teams, strict=True)
    )
    one, two = receivers
    names = [name for name, _ in found(TWO_ORGANIZATIONS.format(groups=groups, one=one, two=two))]
    assert sorted(names) == expected


def test_an_instant_query_looks_at_its_range_only() -> None:
    short = query('sum(count_over_time({job="t"}[10s]))', queryType="instant", datasource=LOKI)
    group = {"name": "g", "folder": "f", "interval": "1m", "rules": [rule([short, threshold("A")], "C")]}
    text = json.dumps({"apiVersion": 1, "groups": [group]})
    assert [name for name, _ in found(text, "a.json")] == ["logql/range-below-interval"]
    long = text.replace("[10s]", "[1m]")
    assert found(long, "a.json") == []
