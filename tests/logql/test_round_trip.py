"""What is printed parses back to the same expression, and formatting twice changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from lokictl.logql import format as pretty
from lokictl.logql import parse
from lokictl.logql.ast import NO_SPAN
from lokictl.logql.lossless import exact_bytes, lossless
from lokictl.logql.units import parse_bytes
from tests.logql.generated import queries

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(queries)
@QUICK
def test_the_canonical_text_parses_back(query: str) -> None:
    expression = parse(query)
    assume(lossless(expression) is expression)
    printed = str(expression)
    assert parse(printed) == expression
    assert str(parse(printed)) == printed


@given(queries)
@QUICK
def test_formatting_twice_changes_nothing(query: str) -> None:
    once = pretty(query)
    assert pretty(once) == once
    assert parse(once) == parse(query)


@given(queries)
@QUICK
def test_spans_lie_inside_their_parents(query: str) -> None:
    expression = parse(query)
    placed = [node for node in expression.walk() if node.span != NO_SPAN]
    assert placed
    for node in placed:
        assert 0 <= node.span.start <= node.span.end <= len(query)
        for child in node.children():
            assert child.span == NO_SPAN or node.span.start <= child.span.start
            assert child.span.end <= node.span.end


def test_every_query_that_loki_accepts_can_be_formatted() -> None:
    recording = json.loads((Path(__file__).parent.parent / "data" / "parse.json").read_text(encoding="utf-8"))
    changed = []
    for case in recording["queries"]:
        if case["ok"]:
            once = pretty(case["query"])
            if parse(once) != parse(case["query"]) or pretty(once) != once:
                changed.append(f"query     {case['query']}\nformatted {once}")
    assert not changed, "\n\n".join(changed[:20])


LOSSY = [
    ('{a="b"} | x > 1MiB', '{a="b"} | x>1MiB', '{a="b"} | x>1.0MB'),
    ('{a="b"} | x > 1234B', '{a="b"} | x>1234B', '{a="b"} | x>1.2kB'),
    ('{a="b"} | x > 1.5MB', '{a="b"} | x>1.5MB', '{a="b"} | x>1.5MB'),
    ('{a="b"} | x > 0KB', '{a="b"} | x>0KB', '{a="b"} | x>0B'),
    ('{a="b"} | x > -1e309', '{a="b"} | x>-1e309', '{a="b"} | x>-Inf'),
    ('{\\="b"} | json | ! = 1 | json ! ="!"', '{\\ ="b"} | json | ! ==1 | json ! ="!"', None),
    ('{π="b"} | ρ="c"', '{π ="b"} | ρ ="c"', '{"π"="b"} | "ρ"="c"'),
    ("vector(0.0000001)", "vector(0.0000001)", "vector(0.000000)"),
    ("0 * -1", "(0 * -1)", "-0"),
    ("1e308 * 10", "(1e308 * 10)", "+Inf"),
    ("0 / 0", "(0 / 0)", "NaN"),
    (
        'rate({a="b"}[5m]) + ignoring () rate({a="b"}[5m])',
        '(rate({a="b"}[5m]) + ignoring ()  rate({a="b"}[5m]))',
        '(rate({a="b"}[5m]) + rate({a="b"}[5m]))',
    ),
    (
        'rate({a="b"}[5m]) + on (x) group_left () rate({a="b"}[5m])',
        '(rate({a="b"}[5m]) + on (x) group_left () rate({a="b"}[5m]))',
        '(rate({a="b"}[5m]) + on (x) group_left rate({a="b"}[5m]))',
    ),
]


@pytest.mark.parametrize("query, formatted, canonical", LOSSY)
def test_formatting_keeps_what_the_canonical_text_loses(
    query: str, formatted: str, canonical: str | None
) -> None:
    assert pretty(query) == formatted
    assert pretty(formatted) == formatted
    assert canonical is None or str(parse(query)) == canonical


@pytest.mark.parametrize(
    "size, text",
    [
        (1, "1B"),
        (999, "999B"),
        (1000, "1.0kB"),
        (1024, "1KiB"),
        (20480, "20KiB"),
        (1500, "1.5kB"),
        (1 << 30, "1GiB"),
        (3 << 30, "3GiB"),
        (1234567, "1234567B"),
        (123000000, "123MB"),
        (1 << 60, "1EiB"),
    ],
)
def test_exact_sizes(size: int, text: str) -> None:
    assert exact_bytes(size) == text
    assert parse_bytes(text) == size
