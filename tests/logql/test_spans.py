"""Every node knows where it stands in the query."""

from __future__ import annotations

import pytest

from lokictl.logql import ParseError, ast, parse

SPANS: list[tuple[str, type[ast.Node], list[str]]] = [
    ('{app="a", env=~"b"}', ast.Matcher, ['app="a"', 'env=~"b"']),
    ('{app="a"} |= "x" != `y`', ast.LineFilter, ['|= "x"', "!= `y`"]),
    ('{app="a"} |= "x" or "y"', ast.LineFilterLeg, ['"x"', '"y"']),
    ('{app="a"} | json | level="x"', ast.JsonParser, ["json"]),
    ('{app="a"} | json x="y", z', ast.Extraction, ['x="y"', "z"]),
    ('{app="a"} | level="x" and status >= 500', ast.StringLabelFilter, ['level="x"']),
    ('{app="a"} | level="x" and status >= 500', ast.NumberLabelFilter, ["status >= 500"]),
    ('{app="a"} | took > 5s or size > 1MB', ast.DurationLabelFilter, ["took > 5s"]),
    ('{app="a"} | took > 5s or size > 1MB', ast.BytesLabelFilter, ["size > 1MB"]),
    ('{app="a"} | label_format a=b, c="{{.d}}"', ast.LabelFormatItem, ["a=b", 'c="{{.d}}"']),
    ('{app="a"} | drop x, y="z"', ast.LabelName, ["x"]),
    ('rate({app="a"}[5m] offset 1m)', ast.LogRange, ['{app="a"}[5m] offset 1m']),
    ('sum by (x, y) (rate({app="a"}[5m]))', ast.Grouping, ["by (x, y)"]),
    ('sum(rate({app="a"}[5m])) by (x)', ast.Grouping, ["by (x)"]),
    ('rate({app="a"}[5m]) > 1 or vector(0)', ast.VectorFunction, ["vector(0)"]),
    ('rate({app="a"}[5m]) > 1', ast.Literal, ["1"]),
    ('sum_over_time({app="a"} | unwrap x | y="z" [5m])', ast.Unwrap, ['| unwrap x | y="z"']),
    ('# note\n\n  {ünï="🙂"}\n|= "x"', ast.LineFilter, ['|= "x"']),
]


@pytest.mark.parametrize("query, kind, expected", SPANS)
def test_spans(query: str, kind: type[ast.Node], expected: list[str]) -> None:
    found = [query[node.span.start : node.span.end] for node in parse(query).walk() if type(node) is kind]
    assert found == expected


ERRORS = [
    ('{app="a"', 1, 9),
    ('{app="a"} |', 1, 12),
    ('{app="a"}\n| json\n| nonsense x', 3, 12),
    ('sum(rate({app="a"}))', 1, 19),
    ('{app="a"} |= "x', 1, 14),
    ("", 1, 1),
]


@pytest.mark.parametrize("query, line, column", ERRORS)
def test_errors_have_a_place(query: str, line: int, column: int) -> None:
    with pytest.raises(ParseError) as caught:
        parse(query)
    assert (caught.value.line, caught.value.col) == (line, column)
