"""What can be told of an expression without running it."""

from __future__ import annotations

import pytest

from lokictl.engine.pipeline import FUNCTIONS
from lokictl.logql import ast, parse
from lokictl.logql.grammar import RESERVED
from lokictl.logql.semantics import (
    STAGES,
    is_count,
    is_filtering,
    is_positive,
    labels_of,
    reads_line,
    relabels,
    returns_lines_only,
    writes_line,
)

COUNT = 'count_over_time({a="b"}[5m])'
VALUE = 'max_over_time({a="b"} | json | unwrap x [5m])'

FACTS = [
    # expression, positive, a count, empty without lines, filtering
    (COUNT, True, True, True, False),
    (f"sum({COUNT})", True, True, True, False),
    ('sum(rate({a="b"}[5m]))', True, False, True, False),
    ('sum(bytes_over_time({a="b"}[5m]))', True, True, True, False),
    ('sum(rate({a="b"} | unwrap x [5m]))', False, False, True, False),
    (VALUE, False, False, True, False),
    (f"count({VALUE})", True, True, True, False),
    (f"avg({COUNT})", True, False, True, False),
    (f"stddev({COUNT})", False, False, True, False),
    (f"topk(3, {COUNT})", True, True, True, False),
    ('absent_over_time({a="b"}[5m])', True, False, False, True),
    (f"sum({COUNT}) / sum({COUNT})", True, False, True, False),
    (f"sum({COUNT}) * 2", True, False, True, False),
    (f"sum({COUNT}) + sum({COUNT})", True, True, True, False),
    (f"sum({COUNT}) - 1", False, False, True, False),
    (f"sum({COUNT}) % 5", False, False, True, False),
    (f"sum({COUNT}) ^ 2", True, False, True, False),
    ("vector(1)", True, False, False, False),
    ("vector(0)", False, False, False, False),
    (f"sum({COUNT}) or vector(0)", False, False, False, False),
    (f"sum({COUNT}) or vector(1)", True, False, False, False),
    (f"sum({COUNT}) > 5", True, True, True, True),
    (f"{VALUE} > 5", True, False, True, True),
    (f"{VALUE} > -5", False, False, True, True),
    (f"sum({COUNT}) > bool 5", False, False, True, False),
    (f"sum({COUNT}) unless sum({COUNT})", True, True, True, True),
    (f'label_replace({COUNT}, "x", "$1", "a", "(.*)")', True, True, True, False),
]


@pytest.mark.parametrize("query, positive, count, lines_only, filtering", FACTS)
def test_facts(query: str, positive: bool, count: bool, lines_only: bool, filtering: bool) -> None:
    expression = parse(query)
    found = (is_positive, is_count, returns_lines_only, is_filtering)
    assert [ask(expression) for ask in found] == [positive, count, lines_only, filtering]


LABELS = [
    ('{a="b"}', {"a"}, True),
    ('{a="b"} | json', {"a"}, True),
    ('{a="b"} | json | keep c', {"c", "__error__", "__error_details__"}, False),
    ('{a="b"} | drop a', set(), True),
    ('{a="b"} | label_format c="x"', {"a", "c"}, True),
    ('sum by (c) (rate({a="b"} | json [5m]))', {"c"}, False),
    ('sum without (c) (rate({a="b"} | keep a, c [5m]))', {"a", "__error__", "__error_details__"}, False),
    ('sum by (c) (rate({a="b"} | keep a [5m]))', set(), False),
    ('sum(rate({a="b"}[5m]))', set(), False),
    ('topk(3, sum by (c) (rate({a="b"}[5m])))', {"c"}, False),
    ('absent_over_time({a="b", c=~"d"}[5m])', {"a"}, False),
    ('max_over_time({a="b"} | keep a, x | unwrap x [5m])', {"a", "__error__", "__error_details__"}, False),
    ('label_replace(sum by (c) (rate({a="b"}[5m])), "d", "$1", "c", "(.*)")', {"c", "d"}, False),
    (
        'sum by (c) (rate({a="b"}[5m])) / on (c) group_left (d) sum by (c, d) (rate({a="b"}[5m]))',
        {"c", "d"},
        False,
    ),
]


@pytest.mark.parametrize("query, names, is_open", LABELS)
def test_labels(query: str, names: set[str], is_open: bool) -> None:
    found = labels_of(parse(query))
    assert (found.names, found.open) == (names, is_open)


STAGE_KINDS = [
    kind
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.Stage) and "__dataclass_fields__" in vars(kind)
]


@pytest.mark.parametrize("stage", STAGE_KINDS, ids=lambda kind: kind.__name__)
def test_every_stage_is_known_everywhere(stage: type[ast.Node]) -> None:
    assert stage in ast.PRINTERS, "the printer"
    assert stage in FUNCTIONS, "the engine"
    assert stage in STAGES, "the semantics"


def test_there_are_stages() -> None:
    assert ast.JsonParser in STAGE_KINDS
    assert ast.LineFilter in STAGE_KINDS


def test_every_stage_word_is_a_word_of_the_lexer() -> None:
    words = [traits.keyword for traits in STAGES.values() if traits.keyword]
    assert words
    assert set(words) <= set(RESERVED)


STAGE_EFFECTS = [
    # stage, reads the line, writes the line, relabels
    ('|= "x"', True, False, False),
    ('| c="d"', False, False, False),
    ("| json", True, False, True),
    ("| logfmt", True, False, True),
    ('| regexp "(?P<x>.)"', True, False, True),
    ('| pattern "<x>"', True, False, True),
    ("| unpack", True, True, True),
    ('| line_format "{{.x}}"', True, True, False),
    ('| label_format x="{{.y}}"', False, False, True),
    ('| label_format x="{{__line__}}"', True, False, True),
    ("| decolorize", True, True, False),
    ("| drop x", False, False, True),
    ("| keep x", False, False, True),
]


@pytest.mark.parametrize("stage, reads, writes, changes", STAGE_EFFECTS)
def test_stage_effects(stage: str, reads: bool, writes: bool, changes: bool) -> None:
    expression = parse('{a="b"} ' + stage)
    assert isinstance(expression, ast.LogExpr)
    (found,) = expression.stages
    assert (reads_line(found), writes_line(found), relabels(found)) == (reads, writes, changes)
