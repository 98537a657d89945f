"""Normal forms of dashboards, and the quick look that comes before them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokictl.sync.normal_form import are_alike, json_value, normal_form
from lokictl.sync.plan import Key, Kind, Live, Resource

KEY = Key(Kind.DASHBOARD, "d")
TAG = "by-lokictl"

VALUES: dict[str, tuple[Any, Any]] = {
    "null members": ({"a": None, "b": [None, {"c": None}]}, {"b": [None, {}]}),
    "whole floats": ([1.0, -2.0, 0.5, 2.0**53, 2**60], [1, -2, 0.5, 2.0**53, float(2**60)]),
    "booleans": ([True, False, {"x": True}], [True, False, {"x": True}]),
    "tuples": ((1, ("a", 2.0)), [1, ["a", 2]]),
    "other mappings": (MappingProxyType({"a": MappingProxyType({"b": None})}), {"a": {}}),
    "other keys": ({1: "a", 2.5: 2.0}, {"1": "a", "2.5": 2}),
    "infinite": ([float("inf")], [float("inf")]),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name: str) -> None:
    value, wanted = VALUES[name]
    found = json_value(value)
    assert found == wanted
    assert repr(found) == repr(wanted), "types, too"


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return are_alike(Resource(KEY, "", one, "f"), Live(KEY, "", other, "f"), ignored_tag=TAG)


PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "equal": ({"title": "T", "panels": [{"id": 1.0}]}, {"title": "T", "panels": [{"id": 1}]}, True),
    "what Grafana adds": ({"title": "T"}, {"title": "T", "id": 7, "uid": "d", "version": 3}, True),
    "tags are a set": ({"tags": ["b", "a"]}, {"tags": ["a", "b", "a"]}, True),
    "the ignored tag": ({"tags": ["a", TAG]}, {"tags": ["a"]}, True),
    "no tags": ({"title": "T", "tags": []}, {"title": "T"}, True),
    "another tag": ({"tags": ["a"]}, {"tags": ["b"]}, False),
    "another title": ({"title": "T"}, {"title": "U"}, False),
    "null or absent: the normal form decides": ({"panels": [{"a": None}]}, {"panels": [{}]}, False),
}


@pytest.mark.parametrize("name", PAIRS)
def test_dashboards_that_are_alike(name: str) -> None:
    one, other, wanted = PAIRS[name]
    assert alike(one, other) is wanted


@pytest.mark.parametrize("other", [Live(KEY, "", {}, "elsewhere"), Live(KEY, "", {}, "f", schema="v2")])
def test_another_folder_or_schema_is_not_alike(other: Live) -> None:
    assert not are_alike(Resource(KEY, "", {}, "f"), other, ignored_tag=TAG)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 0.5]) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=2),
    max_leaves=4,
)
BODIES = st.fixed_dictionaries(
    {"title": st.sampled_from("TU")},
    optional={"panels": JSON, "tags": st.lists(st.sampled_from(["a", "b", TAG]), max_size=2), "id": JSON},
)


@given(BODIES, BODIES)
def test_what_is_alike_has_one_normal_form(one: dict[str, Any], other: dict[str, Any]) -> None:
    if alike(one, other):
        forms = [normal_form(Resource(KEY, "", body, "f")) for body in (one, other)]
        for form in forms:
            form["tags"] = [tag for tag in form["tags"] if tag != TAG]
        assert forms[0] == forms[1]


@given(BODIES)
def test_a_dashboard_is_alike_itself(body: dict[str, Any]) -> None:
    assert alike(body, dict(body))
