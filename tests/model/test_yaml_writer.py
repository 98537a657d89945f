"""The writer's text is PyYAML's, for every value."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lokictl.model.yaml_writer import _dumped, _RareError, _Writer, dump_yaml

WORDS = st.lists(
    st.sampled_from(
        ["a", "B_1", " ", "\n", "\t", ":", "#", "- ", "'", '"', "{", "}", "[", "|", ">", "%", "@", "&", "*", "!", "?",
         "yes", "null", "~", "1", "0x1", "1e3", "2024-01-01", "=", "<<", "Ä", "\u2028", "\x85", "\x00", "\r", "\\",
         "😀", "\ufeff", ", ", "://", "x" * 200]
    ),
    max_size=6,
).map("".join)  # fmt: skip
SCALARS = WORDS | st.text(max_size=8) | st.integers() | st.floats() | st.booleans() | st.none()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.integers(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_same_text(value: Any) -> None:
    assert dump_yaml(value) == _dumped(value)


@given(st.dictionaries(st.from_regex(r"\A[a-z]{1,5}\Z"), VALUES, min_size=1, max_size=4))
def test_same_text_of_mappings(value: dict[str, Any]) -> None:
    assert dump_yaml(value) == _dumped(value)


SHARED = {"a": [1]}


@pytest.mark.parametrize(
    "value",
    [
        {"a": SHARED, "b": SHARED},
        {"a": [], "b": {}, "c": "", "d": 0.0, "e": -0.0, "f": [[], [[1], {"x": {"y": [2]}}]]},
        {"a": ("tuple", 1)},
        {"a": ["\u2028a\n", "\n\x85"]},
        {"a": "long " * 3000, "b": "long line\n" * 3000},
        {"a": ["one\ntwo\n", " lead\n", "trail \nx", "\n", "x\n\n\ny", "end\n\n"]},
        [], {}, "text", None,
    ],
)  # fmt: skip
def test_special_values(value: Any) -> None:
    assert dump_yaml(value) == _dumped(value)


def test_common_values_are_written_the_fast_way() -> None:
    text = "groups:\n  - name: a\n    rules:\n      - expr: |\n          sum(\n          )\n        for: 5m\n"
    value = yaml.safe_load(text)
    assert "\n".join(_Writer().lines(value)) + "\n" == text
    with pytest.raises(_RareError):
        list(_Writer().lines({"a": SHARED, "b": SHARED}))
