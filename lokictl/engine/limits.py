"""Bounds on what a query may cost; the defaults are Loki's where it has them."""

from __future__ import annotations

from lokictl.records import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one engine.

    ``max_query_series``: series of a result; ``max_entries``: lines of a log query (its ``limit``);
    ``max_points``: steps of a range query; ``max_query_range``: nanoseconds in the brackets of a range (off in Loki
    by default); ``max_query_length``: nanoseconds from the start to the end of a query (Loki's 721 h);
    ``max_samples``: samples that one range aggregation may hold, and values that it may compute (ours; Loki has
    none).  0 switches a limit off.
    """

    max_query_series: int = 500
    max_entries: int = 5000
    max_points: int = 11_000
    max_query_range: int = 0
    max_query_length: int = 721 * 3_600_000_000_000
    max_samples: int = 50_000_000
