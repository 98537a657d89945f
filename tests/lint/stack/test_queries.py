"""Queries against the services' descriptions: what each check minds, and what it does not."""

from __future__ import annotations

import pytest

from lokictl.lint.stack import CHECKS
from tests.lint.stack.cases import findings, workspace_of

LABEL, FIELD, VALUE = "stack/unknown-label", "stack/unknown-field", "stack/impossible-value"
TEXT, DURATION, UNIT = "stack/number-as-text", "stack/duration-without-unit", "stack/unit-on-number"
PARSER, RETENTION = "stack/wrong-parser", "stack/retention-too-short"

CASES = [
    (LABEL, '{service="shop"}', ""),
    (LABEL, '{service="shop", pod=~"shop-.*"}', ""),
    (LABEL, '{service_name="shop"}', ""),
    (LABEL, '{servce="shop"}', 'no service has the stream label "servce"'),
    (LABEL, '{app="shop"}', 'no service has the stream label "app"'),
    (LABEL, '{service="shop", module="cart"}', 'no service has the stream label "module"'),
    (LABEL, '{service="shop"} | json | drop nothing="x"', ""),
    (FIELD, '{service="shop"} | json | module="cart"', ""),
    (FIELD, '{service="shop"} | level="error"', ""),
    (FIELD, '{service="shop"} | trace_id="abc"', ""),
    (FIELD, '{service="shop"} | json | user_name="x"', ""),
    (FIELD, '{service="shop"} | json | level_extracted="error"', ""),
    (FIELD, '{service="shop"} | json | __error__=""', ""),
    (FIELD, '{service="shop"} | json | detected_level="error"', ""),
    (FIELD, '{service="shop"} | regexp "(?P<who>\\\\w+)" | who="x"', ""),
    (FIELD, '{service="shop"} | pattern "<ip> <_>" | ip="x"', ""),
    (FIELD, '{service="shop"} | json | label_format m=module | m="cart"', ""),
    (FIELD, '{service="shop"} | json m="module" | m="cart"', ""),
    (FIELD, '{service="shop"} | unpack | anything="x"', ""),
    (FIELD, '{elsewhere="x"} | json | anything="x"', ""),
    (
        FIELD,
        '{service="shop"} | module="cart"',
        '"module" is a field of the line, and nothing has read the line',
    ),
    (FIELD, '{service="shop"} | json | modul="cart"', 'no line of shop has a field "modul"'),
    (FIELD, '{service="proxy"} | logfmt | module="cart"', 'no line of proxy has a field "module"'),
    (
        FIELD,
        'sum_over_time({service="shop"} | json | unwrap duration [5m])',
        'no line of shop has a field "duration"',
    ),
    (FIELD, 'sum by (module) (rate({service="shop"} | json [5m]))', ""),
    (FIELD, 'sum by (pod, level) (rate({service="shop"}[5m]))', ""),
    (
        FIELD,
        'sum by (module) (rate({service="shop"}[5m]))',
        '"module" is a field of the line, but nothing reads',
    ),
    (FIELD, 'sum by (modul) (rate({service="shop"} | json [5m]))', 'nothing here has a label "modul"'),
    (FIELD, 'sum without (modul) (rate({service="shop"} | json [5m]))', ""),
    (
        FIELD,
        'sum by (x) (label_replace(rate({service="shop"}[5m]), "x", "$1", "pod", "(.*)"))',
        "",
    ),
    (VALUE, '{service="shop", level="error"}', ""),
    (VALUE, '{service="shop", level=~"warn|error"}', ""),
    (VALUE, '{service="shop", level!=""}', ""),
    (VALUE, '{pod="anything"}', ""),
    (VALUE, '{service="shop"} | json | msg="anything"', ""),
    (VALUE, '{service="shop"} | json | level="error"', ""),
    (VALUE, '{service="shop", level="err"}', 'the label "level" can never be "err": this matches nothing'),
    (VALUE, '{service="shops"}', 'the label "service" can never be "shops"'),
    (VALUE, '{service="shop", level!="trace"}', 'can never be "trace": this excludes nothing'),
    (VALUE, '{service="shop", level=~"err|fatal"}', 'can never be "err|fatal"'),
    (
        VALUE,
        '{service="shop", level=~"warn|fatal"}',
        'can never be "fatal" (one of the values of warn|fatal)',
    ),
    (VALUE, '{service="shop", tier="edge"}', "no service has them all"),
    (VALUE, '{service="shop"} | json | module="carts"', '"module" can never be "carts"'),
    (VALUE, '{service="shop"} | level="err"', '"level" can never be "err"'),
    (VALUE, '{service="shop"} | json | cached="yes"', '"cached" can never be "yes"'),
    (VALUE, '{service="shop"} | json | label_format module="{{.msg}}" | module="x"', ""),
    (TEXT, '{service="shop"} | json | duration_ms > 5', ""),
    (TEXT, '{service="proxy"} | logfmt | status=~"5.."', ""),
    (
        TEXT,
        '{service="proxy"} | logfmt | status="500"',
        '"status" is a number, but compared as a string here: 5.0 is not 5',
    ),
    (TEXT, '{service="proxy"} | logfmt | status="5xx"', 'it can never be "5xx"'),
    (TEXT, '{service="shop"} | json | module > 5', '"module" is a string (cart, api)'),
    (TEXT, '{service="shop"} | json | msg > 5', ""),
    (DURATION, '{service="shop"} | json | took > 5s', ""),
    (DURATION, '{service="shop"} | json | took > 5', '"took" is a duration with its unit: compared with 5'),
    (DURATION, '{service="shop"} | json | took > 5KB', "here compared with something else"),
    (DURATION, '{service="shop"} | json | size > 5s', "here compared with something else"),
    (DURATION, 'sum_over_time({service="shop"} | json | unwrap took [5m])', "which is not a number"),
    (DURATION, 'sum_over_time({service="shop"} | json | unwrap duration(took) [5m])', ""),
    (DURATION, 'sum_over_time({service="shop"} | json | unwrap bytes(size) [5m])', ""),
    (UNIT, '{service="shop"} | json | duration_ms > 5000', ""),
    (
        UNIT,
        '{service="shop"} | json | duration_ms > 5s',
        '"duration_ms" is a plain number (ms), not a duration',
    ),
    (
        UNIT,
        'sum_over_time({service="shop"} | json | unwrap duration(duration_ms) [5m])',
        "fails on every line",
    ),
    (UNIT, 'sum_over_time({service="shop"} | json | unwrap duration_ms [5m])', ""),
    (PARSER, '{service="shop"} | json', ""),
    (PARSER, '{service="shop"} | logfmt', "shop writes json, which this parser does not read"),
    (PARSER, '{service="proxy"} | json', "proxy writes logfmt"),
    (PARSER, '{tier=~".+"} | json', ""),
    (PARSER, '{service="shop"} | logfmt | json', ""),
    (RETENTION, 'sum(count_over_time({service="shop"}[30d]))', ""),
    (
        RETENTION,
        'sum(count_over_time({service="shop"}[31d]))',
        "this looks 31 days back; lines of shop are kept for 30",
    ),
    (RETENTION, 'sum(count_over_time({service="proxy"}[31d]))', ""),
    (RETENTION, 'sum(count_over_time({service="shop"}[1d] offset 30d))', "this looks 31 days back"),
    (
        RETENTION,
        'sum(count_over_time({service="shop", level="debug"}[1w]))',
        "lines of shop are kept for 3 days",
    ),
]


@pytest.mark.parametrize(
    "check, query, expected", CASES, ids=[f"{case[0]}-{n}" for n, case in enumerate(CASES)]
)
def test_case(check: str, query: str, expected: str) -> None:
    messages = [finding.message for finding in findings(check, workspace_of(query, "q.logql"))]
    assert len(messages) == bool(expected), messages
    assert expected in "".join(messages)


def test_every_check_of_queries_has_both_kinds_of_cases() -> None:
    elsewhere = {
        *("stack/uncovered-service", "stack/retention-mismatch", "stack/uncollected-service"),
        "stack/buckets-around-objective",
    }
    names = {check.name for check in CHECKS} - elsewhere
    assert names
    for name in names:
        assert {bool(case[2]) for case in CASES if case[0] == name} == {True, False}, name


HINTS = [
    (LABEL, '{servce="shop"}', 'did you mean "service"?'),
    (LABEL, '{service="shop", module="cart"}', "read it after a parser, | json | module="),
    (FIELD, '{service="shop"} | json | modul="cart"', 'did you mean "module"?'),
    (VALUE, '{service="shop", level="err"}', 'did you mean "error"? It can be debug, error, info, warn'),
    (UNIT, '{service="shop"} | json | duration_ms > 5s', "duration_ms > 5000"),
    (DURATION, '{service="shop"} | json | took > 5', "write the unit: took > 5s"),
]


@pytest.mark.parametrize("check, query, hint", HINTS)
def test_hints_name_the_repair(check: str, query: str, hint: str) -> None:
    (finding,) = findings(check, workspace_of(query, "q.logql"))
    assert hint in finding.hint


def test_a_finding_points_at_the_comparison() -> None:
    query = '{service="shop"}\n  | json\n  | modul="cart"'
    (finding,) = findings(FIELD, workspace_of(query, "q.logql"))
    position = finding.position
    assert (position.line, position.column, position.end_column) == (3, 5, 17)


SETTINGS = [
    (LABEL, '{app="x"}', {"labels": ["app"]}),
    (FIELD, '{service="shop"} | json | other="x"', {"fields": ["other"]}),
    (VALUE, '{service="syslog"}', {"values": {"service": ["syslog"]}}),
]


@pytest.mark.parametrize("check, query, settings", SETTINGS)
def test_what_else_exists_can_be_configured(check: str, query: str, settings: dict[str, object]) -> None:
    workspace = workspace_of(query, "q.logql")
    assert len(findings(check, workspace)) == 1
    assert findings(check, workspace, settings) == []
