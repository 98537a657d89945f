"""Storage, cost and streams from lines per second, line size, compression and retention; and what gives way first."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import LokictlError
from lokictl.durations import DAY
from lokictl.model.capacity import CapacityPlan, StorageTier
from lokictl.model.service import Service
from lokictl.records import dataclass

if TYPE_CHECKING:
    from lokictl.project import Project

GIGABYTE = 1_000_000_000
DAYS_PER_MONTH = 30


@dataclass(frozen=True, slots=True)
class Volume:
    """What a service writes: lines per second and bytes per line, uncompressed."""

    service: Service
    lines_per_second: float
    line_bytes: float

    @property
    def bytes_per_second(self) -> float:
        return self.lines_per_second * self.line_bytes


@dataclass(frozen=True, slots=True)
class ServiceCapacity:
    """One service's row: ``monthly_bytes`` are written in 30 days, ``stored_bytes`` lie there at any time.

    Both are compressed.  ``documented_bytes`` is the monthly figure of the service's description (0: none).
    """

    service: str
    lines_per_second: float
    line_bytes: float
    retention_days: float
    monthly_bytes: float
    stored_bytes: float
    documented_bytes: float
    streams: int
    tier_bytes: dict[str, float]


@dataclass(frozen=True, slots=True)
class LimitUse:
    """How much of a limit is used: it is reached when the volume grows by ``growth`` (1: now)."""

    name: str
    used: float
    limit: float
    unit: str

    @property
    def growth(self) -> float:
        return self.limit / self.used if self.used else float("inf")


@dataclass(frozen=True, slots=True)
class Capacity:
    """The whole answer: per service, per tier (bytes and dollars a month), and the limits, nearest first."""

    services: tuple[ServiceCapacity, ...]
    tier_bytes: dict[str, float]
    tier_dollars: dict[str, float]
    limits: tuple[LimitUse, ...]
    plan: CapacityPlan

    @property
    def monthly_bytes(self) -> float:
        return sum(row.monthly_bytes for row in self.services)

    @property
    def monthly_dollars(self) -> float:
        return sum(self.tier_dollars.values())

    def to_json(self) -> dict[str, Any]:
        """The same numbers as plain data (gigabytes are 10^9 bytes; a growth of None reaches no limit)."""
        services = [_service_json(row) for row in self.services]
        total = {"service": "total", **{key: sum(row[key] for row in services) for key in SUMMED}}
        total["retention_days"] = max((row["retention_days"] for row in services), default=0)
        return {
            "services": services,
            "total": total,
            "tiers": [
                {
                    "tier": tier.name,
                    "from_day": tier.from_day,
                    "to_day": tier.to_day,
                    "gigabytes": self.tier_bytes[tier.name] / GIGABYTE,
                    "dollars": self.tier_dollars[tier.name],
                    "documented_dollars": tier.documented_dollars,
                }
                for tier in self.plan.tiers
            ],
            "limits": [
                {
                    "limit": use.name,
                    "used": use.used,
                    "of": use.limit,
                    "unit": use.unit,
                    "growth": use.growth if use.used else None,
                }
                for use in self.limits
            ],
        }


SUMMED = ("lines_per_second", "monthly_gigabytes", "documented_gigabytes", "stored_gigabytes", "streams")


def _service_json(row: ServiceCapacity) -> dict[str, Any]:
    return {
        "service": row.service,
        "lines_per_second": row.lines_per_second,
        "line_bytes": row.line_bytes,
        "retention_days": row.retention_days,
        "monthly_gigabytes": row.monthly_bytes / GIGABYTE,
        "documented_gigabytes": row.documented_bytes / GIGABYTE,
        "stored_gigabytes": row.stored_bytes / GIGABYTE,
        "streams": row.streams,
    }


def documented_rate(service: Service, line_bytes: float, compression: float) -> float:
    """The lines per second at which a service fills its documented monthly storage."""
    return service.monthly_storage * compression / (DAYS_PER_MONTH * 86_400) / line_bytes


def documented_volumes(services: Sequence[Service], plan: CapacityPlan) -> list[Volume]:
    """The volumes at which each service fills its documented monthly storage."""
    return [
        Volume(service, documented_rate(service, plan.line_bytes, plan.compression), plan.line_bytes)
        for service in services
    ]


def calculate(volumes: Sequence[Volume], plan: CapacityPlan) -> Capacity:
    """Capacity of ``volumes``: stored bytes = lines/s x bytes/line x seconds / compression."""
    rows = tuple(_row(volume, plan) for volume in volumes)
    tier_bytes = {tier.name: sum(row.tier_bytes[tier.name] for row in rows) for tier in plan.tiers}
    tier_dollars = {
        tier.name: tier.fixed_dollars + tier_bytes[tier.name] / GIGABYTE * tier.dollars_per_gigabyte
        for tier in plan.tiers
    }
    return Capacity(rows, tier_bytes, tier_dollars, _limit_uses(rows, volumes, tier_bytes, plan), plan)


def _row(volume: Volume, plan: CapacityPlan) -> ServiceCapacity:
    service = volume.service
    per_day = volume.bytes_per_second * 86_400 / plan.compression
    days = service.retention / DAY
    return ServiceCapacity(
        service=service.name,
        lines_per_second=volume.lines_per_second,
        line_bytes=volume.line_bytes,
        retention_days=days,
        monthly_bytes=per_day * DAYS_PER_MONTH,
        stored_bytes=per_day * days,
        documented_bytes=service.monthly_storage,
        streams=streams(service, plan.pods),
        tier_bytes={tier.name: per_day * _days_in(tier, days) for tier in plan.tiers},
    )


def _days_in(tier: StorageTier, retention_days: float) -> float:
    return max(0.0, min(tier.to_day, retention_days) - tier.from_day)


def streams(service: Service, pods: int) -> int:
    """The streams that a service's labels can make: the product of their values, ``pods`` values for the pod."""
    count = 1
    for label in service.labels:
        count *= pods if label.name == "pod" else max(len(label.values), 1)
    return count


def _limit_uses(
    rows: Sequence[ServiceCapacity],
    volumes: Sequence[Volume],
    tier_bytes: dict[str, float],
    plan: CapacityPlan,
) -> tuple[LimitUse, ...]:
    hot, limits = plan.tiers[0].name, plan.limits
    lines = sum(volume.lines_per_second for volume in volumes)
    arriving = sum(volume.bytes_per_second for volume in volumes)
    uses = [
        LimitUse("ingestion rate", lines, limits.lines_per_second, "lines/s"),
        LimitUse("ingestion bytes", arriving, limits.bytes_per_second, "B/s"),
        LimitUse("streams per tenant", sum(row.streams for row in rows), limits.streams, "streams"),
        LimitUse(f"{hot} volumes", tier_bytes[hot] * plan.hot_copies, limits.hot_bytes, "B"),
    ]
    return tuple(sorted(uses, key=lambda use: use.growth))


def project_capacity(
    project: Project, *, rates: Mapping[str, float] | None = None, grow: float = 1.0, **changes: Any
) -> Capacity:
    """The capacity of a project's services under its platform's plan.

    ``rates`` (lines/s by service) replace the documented volumes, ``grow`` multiplies all of them, ``changes``
    replace fields of the `CapacityPlan`.  Raises `LokictlError` for a project without a plan, an unknown service,
    and numbers that make no sense.
    """
    plan = next((component.capacity for component in project.components if component.capacity), None)
    if plan is None:
        raise LokictlError(
            "no component of this project has a capacity plan (lokictl.model.capacity.CapacityPlan)"
        )
    for name, rate in (rates or {}).items():
        project.service(name)
        _check_number(f"the rate of {name}", rate, zero=True)
    _check_number("the growth", grow, zero=True)
    for name, value in changes.items():
        _check_number(name, value)
    plan = dataclasses.replace(plan, **changes)
    volumes = [
        Volume(
            volume.service,
            (rates or {}).get(volume.service.name, volume.lines_per_second) * grow,
            plan.line_bytes,
        )
        for volume in documented_volumes(project.services, plan)
    ]
    return calculate(volumes, plan)


def _check_number(name: str, value: float, *, zero: bool = False) -> None:
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        expected = "0 or more" if zero else "more than 0"
        raise LokictlError(f"{name.replace('_', ' ')} must be {expected}, and is {value:g}")


def svg_plot(capacity: Capacity, *, width: int = 720) -> str:
    """How far each limit is away, as an SVG: bars on a logarithmic scale from 0.001 % to 100 %."""
    rows = capacity.limits
    left, row_height, span = 190, 46, width - 190 - 40
    height = 70 + row_height * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        '<text x="16" y="26" font-size="15" font-weight="bold">Share of each limit in use</text>',
    ]
    for power in range(-5, 1):
        x = left + span * (power + 5) / 5
        parts.append(f'<line x1="{x:.1f}" y1="40" x2="{x:.1f}" y2="{height - 24}" stroke="#dddddd"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{height - 8}" font-size="11" text-anchor="middle">{10.0**power:.3%}</text>'
        )
    for index, use in enumerate(rows):
        share = use.used / use.limit
        length = span * max(0.0, min(1.0, (math.log10(max(share, 1e-5)) + 5) / 5))
        y = 48 + index * row_height
        color = "#c4162a" if share >= 1 else "#e0b400" if share >= 0.8 else "#3274d9"
        parts.append(f'<text x="{left - 10}" y="{y + 19}" font-size="13" text-anchor="end">{use.name}</text>')
        parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="28" rx="3" fill="{color}"/>')
        note = f"{share:.2%}, full at {use.growth:,.1f} x"
        inside = length > 170
        x, anchor, fill = (
            (left + length - 8, "end", "#ffffff") if inside else (left + length + 8, "start", "#333333")
        )
        parts.append(
            f'<text x="{x:.1f}" y="{y + 19}" font-size="12" text-anchor="{anchor}" fill="{fill}">{note}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])
