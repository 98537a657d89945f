"""Bounds on what a query may cost; the defaults are Loki's where it has them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one engine.

    ``max_query_series``: series of a result; ``max_entries``: lines of a log query (its ``limit``);
    ``max_points``: steps of a range query; ``max_samples``: samples that one range aggregation may hold (ours; Loki
    has none).  0 switches a limit off.
    """

    max_query_series: int = 500
    max_entries: int = 5000
    max_points: int = 11_000
    max_samples: int = 50_000_000
