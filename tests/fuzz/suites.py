"""Random suites: the logs of one tenant and queries about them, as a recording has them without the answers."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz import broad, rule_like

Odd = Callable[[Random], str] | None
SHAPES: dict[str, tuple[Odd, Callable[[Random], dict[str, Any]]]] = {
    "rule-like": (None, lambda random: rule_like.query(random, nasty=False)),
    "nasty": (rule_like.odd_line, lambda random: rule_like.query(random, nasty=True)),
    "broad": (broad.odd_line, broad.query),
}
"""For each shape of queries: what makes the odd lines among its logs, and what makes a query."""


def suite(random: Random, name: str, *, queries: int, shape: str = "rule-like") -> dict[str, Any]:
    """One suite: a handful of streams, and that many queries of a shape of `SHAPES`."""
    odd, query = SHAPES[shape]
    streams = [rule_like.stream(random, number, odd) for number in range(random.randint(2, 6))]
    return {"name": name, "streams": streams, "queries": [query(random) for _ in range(queries)]}
