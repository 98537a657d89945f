"""Dashboard queries parse once their variables are filled, and every place leads back to what was written."""

from __future__ import annotations

import pytest

from lokictl.logql import parse
from lokictl.logql.ast import Grouping, LineFilter, LogRange, Matcher, Span
from lokictl.logql.grafana_variables import Value, formatted, holds_variable, interpolate, variables
from lokictl.logql.units import MINUTE, SECOND

FILLED = [
    ("no variables", '{a="b"}', '{a="b"}'),
    ("auto", 'rate({a="b"}[$__auto])', 'rate({a="b"}[1m])'),
    ("interval", 'rate({a="b"}[$__interval])', 'rate({a="b"}[1m])'),
    ("braces", 'rate({a="b"}[${__interval}])', 'rate({a="b"}[1m])'),
    ("range", 'count_over_time({a="b"}[$__range])', 'count_over_time({a="b"}[1h])'),
    ("seconds", 'count_over_time({a="b"}[${__range_s}s])', 'count_over_time({a="b"}[3600s])'),
    (
        "milliseconds",
        'sum(rate({a="b"}[1m])) * $__interval_ms / 1000',
        'sum(rate({a="b"}[1m])) * 60000 / 1000',
    ),
    ("rate interval", 'rate({a="b"}[$__rate_interval])', 'rate({a="b"}[75s])'),
    ("own range", 'rate({a="b"}[$window])', 'rate({a="b"}[5m])'),
    ("own unit", 'rate({a="b"}[${n}m])', 'rate({a="b"}[5m])'),
    ("offset", 'rate({a="b"}[5m] offset $shift)', 'rate({a="b"}[5m] offset 5m)'),
    ("in a text", '{a=~"$app"}', '{a=~"grafana_app"}'),
    ("old form", '{a=~"[[app]]"}', '{a=~"grafana_app"}'),
    ("old form with a format", '{a=~"[[app:regex]]"}', '{a=~"grafana_app"}'),
    ("format", '{a=~"${app:regex}"}', '{a=~"grafana_app"}'),
    ("path", '{a="${__user.login}"}', '{a="grafana_user"}'),
    ("label name", '{$label="x"}', '{grafana_label="x"}'),
    ("whole matcher", "{$filters}", '{grafana_filters="value"}'),
    ("one of the matchers", '{a="b", $filters}', '{a="b", grafana_filters="value"}'),
    ("no quotes", "{a=$app}", '{a="grafana_app"}'),
    ("line filter without quotes", '{a="b"} |= $text', '{a="b"} |= "grafana_text"'),
    ("double quotes by format", "{a=${app:doublequote}}", '{a="grafana_app"}'),
    ("threshold", 'rate({a="b"}[5m]) > $limit', 'rate({a="b"}[5m]) > 5'),
    ("label threshold", '{a="b"} | json | x >= $limit', '{a="b"} | json | x >= 5'),
    ("unequal threshold", 'count_over_time({a="b"}[5m]) != $n', 'count_over_time({a="b"}[5m]) != 5'),
    ("k", 'topk($k, sum by (x) (rate({a="b"}[5m])))', 'topk(5, sum by (x) (rate({a="b"}[5m])))'),
    (
        "quantile",
        'quantile_over_time($q, {a="b"} | unwrap x [5m])',
        'quantile_over_time(0.5, {a="b"} | unwrap x [5m])',
    ),
    ("grouping", 'sum by ($by) (rate({a="b"}[5m]))', 'sum by (grafana_by) (rate({a="b"}[5m]))'),
    ("stage", '{a="b"} | $parser | level="x"', '{a="b"} | json | level="x"'),
    ("filtered label", '{a="b"} | $label="x"', '{a="b"} | grafana_label="x"'),
    ("function", '$fn({a="b"}[5m])', 'rate({a="b"}[5m])'),
    ("aggregation", '$agg by (x) (rate({a="b"}[5m]))', 'sum by (x) (rate({a="b"}[5m]))'),
    ("whole query", "$query", '{grafana_query="value"}'),
    ("pipeline", '{a="b"} $filters', '{a="b"} | json'),
    ("pipeline in a range", 'rate({a="b"} |= "x" $filters [5m])', 'rate({a="b"} |= "x" | json [5m])'),
    ("line filter operator", '{a="b"} $operator "x"', '{a="b"} |= "x"'),
    ("matcher operator", '{a$operator"b"}', '{a="b"}'),
    ("selector", "$base | json", '{grafana_base="value"} | json'),
    ("selector in a range", "rate($base [5m])", 'rate({grafana_base="value"} [5m])'),
    ("second line filter text", '{a="b"} |= "x" or $y', '{a="b"} |= "x" or "grafana_y"'),
    ("second label filter", '{a="b"} | c="d" or $y', '{a="b"} | c="d" or grafana_y="value"'),
    ("json field", '{a="b"} | json x=$path', '{a="b"} | json x="grafana_path"'),
    ("line_format", '{a="b"} | line_format $format', '{a="b"} | line_format "grafana_format"'),
    ("pattern", '{a="b"} | pattern $pattern', '{a="b"} | pattern "<grafana_pattern>"'),
    ("regexp", '{a="b"} | regexp $re', '{a="b"} | regexp "(?P<grafana_re>.*)"'),
    ("address", '{a="b"} | logfmt | c=ip($net)', '{a="b"} | logfmt | c=ip("grafana_net")'),
    ("unwrap", 'sum_over_time({a="b"} | unwrap $x [5m])', 'sum_over_time({a="b"} | unwrap grafana_x [5m])'),
    (
        "conversion",
        'sum_over_time({a="b"} | unwrap $how(x) [5m])',
        'sum_over_time({a="b"} | unwrap duration(x) [5m])',
    ),
    ("part of a function", '${fn}_over_time({a="b"}[5m])', 'count_over_time({a="b"}[5m])'),
    ("metric operator", 'rate({a="b"}[5m]) $op 5', 'rate({a="b"}[5m]) + 5'),
    ("unit of a size", '{a="b"} | logfmt | size > ${n}MB', '{a="b"} | logfmt | size > 5MB'),
    ("digits", 'quantile_over_time(0.$q, {a="b"} | unwrap x [5m])', None),
    ("replacement", 'label_replace(rate({a="b"}[5m]), "a", $x, "b", "(.*)")', None),
    ("capture group", 'label_replace(rate({a="b"}[5m]), "a", "$1", "b", "(.*)")', None),
    ("factor", 'rate({a="b"}[5m]) * ${__range_s}', 'rate({a="b"}[5m]) * 3600'),
    ("offset with a unit", 'rate({a="b"}[5m] offset ${n}m)', 'rate({a="b"}[5m] offset 5m)'),
    ("label value by pipe", '{a="b"} | json | level=~$level', '{a="b"} | json | level=~"grafana_level"'),
    ("comment", '{a="b"} # see $docs', '{a="b"} # see grafana_docs'),
    (
        "several",
        'sum by (level) (count_over_time({s=~"$s", l=~"$l"} |~ `$q` [$__auto]))',
        'sum by (level) (count_over_time({s=~"grafana_s", l=~"grafana_l"} |~ `grafana_q` [1m]))',
    ),
]


@pytest.mark.parametrize("query, expected", [case[1:] for case in FILLED], ids=[case[0] for case in FILLED])
def test_filled(query: str, expected: str | None) -> None:
    filled = interpolate(query)
    assert expected is None or filled.text == expected
    offsets = [filled.original(Span(offset, offset)).start for offset in range(len(filled.text) + 1)]
    assert offsets == sorted(offsets)
    assert offsets[-1] == len(query)
    for variable, value in zip(filled.variables, filled.values, strict=True):
        assert offsets[value.start] == variable.span.start
        assert offsets[value.end] == variable.span.end
    parse(filled.text)


@pytest.mark.parametrize("query", [case[1] for case in FILLED], ids=[case[0] for case in FILLED])
def test_strings_can_stay_as_they_are(query: str) -> None:
    filled = interpolate(query, keep_strings=True)
    parse(filled.text)
    assert all(
        found.text in filled.text for found in variables(query) if found.in_text and not found.is_macro
    )


HELD = [
    ("$x", True),
    ("a${x:regex}b", True),
    ("[[x]]", True),
    ("grafana_x", True),
    ("$1", False),
    ("a$", False),
    ("[[:alpha:]]", False),
    ("a", False),
]


@pytest.mark.parametrize("text, held", HELD)
def test_holds_variable(text: str, held: bool) -> None:
    assert holds_variable(text) is held


VALUES: list[tuple[str, Value, str, str]] = [
    ("one", "api", "", "api"),
    ("one with quotes", 'say "x"', "", 'say \\"x\\"'),
    ("number", 5, "", "5"),
    ("several", ["a", "b"], "", "a|b"),
    ("several, escaped", ["a.b", "c"], "", r"a\\.b|c"),
    ("regex", ["a.b", "c"], "regex", r"(a\.b|c)"),
    ("regex of one", "a.b", "regex", r"a\.b"),
    ("pipe", ["a", "b"], "pipe", "a|b"),
    ("csv", ["a", "b"], "csv", "a,b"),
    ("raw", 'x"y', "raw", 'x"y'),
    ("text", ["a", "b"], "text", "a + b"),
    ("glob", ["a", "b"], "glob", "{a,b}"),
    ("json", ["a", "b"], "json", '["a", "b"]'),
    ("double quotes", ["a", 'b"c'], "doublequote", '"a","b\\"c"'),
    ("single quotes", ["a", "b'c"], "singlequote", "'a','b\\'c'"),
    ("SQL", ["b'c"], "sqlstring", "'b''c'"),
    ("percent", "a b/c", "percentencode", "a%20b%2Fc"),
    ("unknown format", "a", "nonsense", "a"),
]


@pytest.mark.parametrize(
    "value, form, expected", [case[1:] for case in VALUES], ids=[case[0] for case in VALUES]
)
def test_values_are_written_as_grafana_writes_them(value: Value, form: str, expected: str) -> None:
    assert formatted(value, form) == expected


def test_known_values_and_times() -> None:
    query = 'sum(rate({app=~"$app"} |= "${text}" [$__interval])) > $limit'
    filled = interpolate(query, {"app": ["a", "b"], "text": "x", "limit": 0.5}, interval=30 * SECOND)
    assert filled.text == 'sum(rate({app=~"a|b"} |= "x" [30s])) > 0.5'
    assert interpolate("$__range", time_range=90 * MINUTE).text == "90m"


def test_what_variables_there_are() -> None:
    found = variables('{a="$one", b=~"${two:regex}"} |= "[[three]]" [$__auto]')
    assert [(item.name, item.format, item.in_text, item.is_macro) for item in found] == [
        ("one", "", True, False),
        ("two", "regex", True, False),
        ("three", "", True, False),
        ("__auto", "", False, True),
    ]


def test_places_lead_back_to_what_was_written() -> None:
    query = 'sum by ($by) (rate({app=~"$application", b="c"} |= "error" [$__interval]))'
    filled = interpolate(query)
    nodes = list(parse(filled.text).walk())
    written = {
        type(node): query[slice(*filled.original(node.span))]
        for node in nodes
        if isinstance(node, LineFilter | Matcher | LogRange | Grouping)
    }
    assert written[LineFilter] == '|= "error"'
    assert written[Matcher] == 'b="c"'
    assert written[Grouping] == "by ($by)"
    assert filled.original(Span(len(filled.text), len(filled.text))).start == len(query)
