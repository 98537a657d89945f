"""JSON text: what the standard library writes, made faster."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokictl.model.json_text import json_text


def standard(value: Any, indent: bool) -> str:
    layout: dict[str, Any] = {"indent": 2} if indent else {"separators": (",", ":")}
    return json.dumps(value, ensure_ascii=False, **layout)


# Floats apart: 1e-07 is also written 1e-7.
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


@given(VALUES, st.booleans())
def test_it_is_the_text_of_the_standard_library(value: Any, indent: bool) -> None:
    assert json_text(value, indent=indent) == standard(value, indent)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back(number: float) -> None:
    assert json.loads(json_text([number])) == [number]


ODD: dict[str, tuple[Any, str]] = {
    "half a character": ({"é": "\ud800"}, r'{"\u00e9":"\ud800"}'),
    "more than 64 bits": ([2**64, "é"], '[18446744073709551616,"é"]'),
    "keys that are no strings": ({1: "a", None: "b"}, '{"1":"a","null":"b"}'),
    "tuples": ((1, ("a",)), '[1,["a"]]'),
    "controls": ("\x00\x1f\x7f\n", r'"\u0000\u001f' + "\x7f" + r'\n"'),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_values(name: str) -> None:
    value, wanted = ODD[name]
    assert json_text(value, indent=False) == wanted


@dataclasses.dataclass
class Point:
    x: int = 1


@pytest.mark.parametrize("value", [Point(), datetime(2026, 1, 1, tzinfo=UTC), {1, 2}, object()])
def test_what_json_does_not_have(value: object) -> None:
    with pytest.raises(TypeError):
        json_text(value)
