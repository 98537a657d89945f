"""Short runs of the fuzzers, and hypothesis over any text at all."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokictl.engine import Engine
from tests.engine.conformance import run, store_of
from tests.fuzz import engine, parse
from tests.fuzz.suites import SHAPES, suite
from tests.logql.generated import queries


@pytest.mark.parametrize("seed", [11, 12])
def test_mutated_queries_are_parsed_or_refused(seed: int) -> None:
    found = parse.run(1_000, seed, verbose=False)
    assert not found, "\n".join(f"{kind}\n  {text!r}" for kind, text in found.items())


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_string_is_parsed_or_refused(text: str) -> None:
    parse.check(text)


@given(queries, st.integers(0, 400), st.text(max_size=3))
@settings(max_examples=100, deadline=None)
def test_broken_queries_are_parsed_or_refused(query: str, place: int, text: str) -> None:
    cut = place % (len(query) + 1)
    parse.check(query[:cut] + text + query[cut + 1 :])


def test_hostile_logs_and_queries_end_in_a_result_or_an_error() -> None:
    found = engine.run(300, 11, verbose=False)
    assert not found, "\n".join(f"{kind}\n  {text!r}" for kind, text in found.items())


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_queries_of_every_shape_end_in_a_result_or_an_error(shape: str) -> None:
    random = Random(21)
    for number in range(8):
        one = suite(random, str(number), queries=40, shape=shape)
        asked = Engine(store_of(one))
        answers = [run(asked, query) for query in one["queries"]]
        assert any(status == "success" and answer["result"] for status, answer in answers)
