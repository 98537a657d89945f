"""The figures that a capacity calculation rests on."""

from __future__ import annotations

from lokictl.records import dataclass


@dataclass(frozen=True, slots=True)
class StorageTier:
    """A stage of a line's life, from ``from_day`` to ``to_day`` after it was written.

    Its month costs ``fixed_dollars`` (volumes that are bought whole) plus ``dollars_per_gigabyte`` for what lies
    there; ``documented_dollars`` is what the architecture says.
    """

    name: str
    from_day: float
    to_day: float
    dollars_per_gigabyte: float = 0.0
    fixed_dollars: float = 0.0
    documented_dollars: float = 0.0


@dataclass(frozen=True, slots=True)
class PlatformLimits:
    """What the platform allows: lines/s, bytes/s, streams per tenant, and bytes of the hot volumes."""

    lines_per_second: float
    bytes_per_second: float
    streams: int
    hot_bytes: float


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """Tiers, limits and assumptions.

    ``compression`` is uncompressed bytes per stored byte; ``line_bytes`` the average uncompressed line;
    ``pods`` the pods per service (each writes streams of its own); ``hot_copies`` how often the hot tier keeps a
    line.
    """

    tiers: tuple[StorageTier, ...]
    limits: PlatformLimits
    compression: float = 10.0
    line_bytes: float = 200.0
    pods: int = 3
    hot_copies: int = 1
