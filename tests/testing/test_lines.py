"""Lines of repetitions: those made from pieces are those that are rendered one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokictl.diagnostics import LokictlError
from lokictl.testing.lines import json_line, line_maker, logfmt_line, with_index
from lokictl.testing.loading import parse_test_file

RENDERERS = {"line": str, "json": json_line, "logfmt": logfmt_line}
TEXTS = st.lists(
    st.sampled_from(
        [
            "${index}",
            "${index * 3 + 1}",
            "${index - 2}",
            "${index % 3}",
            "${index * 9999999999999999999}",
            "a",
            " ",
            '"',
            "\\",
            "=",
            "%d",
            "%",
            "⟦=0⟧",
            "⟦0⟧",
            "Ä",
            "\n",
            "${HOME}",
            "7",
        ]
    ),
    max_size=4,
).map("".join)
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4), st.integers(0, 100))
def test_json(value: dict[str, Any], index: int) -> None:
    assert line_maker("json", value)(index) == json_line(with_index(value, index))


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4), st.integers(0, 100))
def test_logfmt(value: dict[str, Any], index: int) -> None:
    assert line_maker("logfmt", value)(index) == logfmt_line(with_index(value, index))


@given(TEXTS, st.integers(0, 100))
def test_text(value: str, index: int) -> None:
    assert line_maker("line", value)(index) == str(with_index(value, index))


@pytest.mark.parametrize(
    "entry, message",
    [
        ("{at: 0, every: 1s, count: 9, line: 'n=${index / (3 - 3)}'}", "cannot be computed"),
        ("{at: 0, every: 1s, count: 9, json: {n: '${index % 0}'}}", "cannot be computed"),
        ("{at: 0, every: 1s, count: 9, json: {n: ['${index +}']}}", "cannot be computed"),
        ("{at: 0, every: 1s, count: 9, line: '${index ** 2}'}", "only whole numbers"),
    ],
)
def test_an_index_that_cannot_be_computed_is_a_problem_of_the_file(entry: str, message: str) -> None:
    with pytest.raises(LokictlError) as failed:
        parse_test_file(f"tests:\n  - input_streams:\n      - labels: {{a: b}}\n        entries: [{entry}]\n")
    (problem,) = failed.value.problems
    assert message in problem.message
    assert problem.position.line == 4
