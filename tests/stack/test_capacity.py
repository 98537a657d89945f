"""Storage, cost, streams and limits: the document's figures, and what happens as volume grows."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from lokictl.capacity import (
    GIGABYTE,
    Capacity,
    Volume,
    calculate,
    documented_rate,
    project_capacity,
    streams,
    svg_plot,
)
from lokictl.diagnostics import LokictlError
from lokictl.durations import DAY
from lokictl.model import Service, StreamLabel
from lokictl.model.capacity import CapacityPlan, PlatformLimits, StorageTier
from lokictl.project import load
from services import SERVICES

ROOT = Path(__file__).resolve().parents[2]
PROJECT = load(ROOT)

PLAN = CapacityPlan(
    tiers=(
        StorageTier("hot", 0, 7, fixed_dollars=10.0),
        StorageTier("warm", 7, 30, dollars_per_gigabyte=0.02),
        StorageTier("cold", 30, 365, dollars_per_gigabyte=0.004),
    ),
    limits=PlatformLimits(lines_per_second=1_000, bytes_per_second=500_000, streams=100, hot_bytes=1e12),
    compression=10.0,
    line_bytes=250.0,
    pods=4,
)


def service(days: int = 30, monthly: int = 0, **labels: tuple[str, ...]) -> Service:
    return Service(
        name="shop",
        title="Shop",
        tier="core",
        namespace="shop",
        labels=tuple(StreamLabel(name, values=values) for name, values in labels.items()),
        retention=days * DAY,
        monthly_storage=monthly,
    )


# 100 lines/s x 250 bytes x 86,400 s / 10 = 216 MB a day.
PER_DAY = 216_000_000

RETENTIONS = [
    (3, {"hot": 3, "warm": 0, "cold": 0}),
    (7, {"hot": 7, "warm": 0, "cold": 0}),
    (30, {"hot": 7, "warm": 23, "cold": 0}),
    (60, {"hot": 7, "warm": 23, "cold": 30}),
    (400, {"hot": 7, "warm": 23, "cold": 335}),
]


@pytest.mark.parametrize("days, in_tier", RETENTIONS)
def test_where_lines_lie(days: int, in_tier: dict[str, int]) -> None:
    capacity = calculate([Volume(service(days), 100.0, 250.0)], PLAN)
    (row,) = capacity.services
    assert row.monthly_bytes == pytest.approx(30 * PER_DAY)
    assert row.stored_bytes == pytest.approx(days * PER_DAY)
    assert row.tier_bytes == pytest.approx({name: number * PER_DAY for name, number in in_tier.items()})
    assert capacity.tier_dollars == pytest.approx(
        {
            "hot": 10.0,
            "warm": in_tier["warm"] * PER_DAY / GIGABYTE * 0.02,
            "cold": in_tier["cold"] * PER_DAY / GIGABYTE * 0.004,
        }
    )
    assert capacity.monthly_dollars == pytest.approx(sum(capacity.tier_dollars.values()))


STREAMS = [
    ({}, 1),
    ({"service": ("shop",)}, 1),
    ({"level": ("debug", "info", "warn", "error")}, 4),
    ({"level": ("info", "error"), "pod": ()}, 8),
    ({"level": ("info", "error"), "pod": (), "zone": ("a", "b", "c")}, 24),
]


@pytest.mark.parametrize("labels, count", STREAMS)
def test_streams_are_the_product_of_the_labels(labels: dict[str, tuple[str, ...]], count: int) -> None:
    assert streams(service(**labels), pods=4) == count


LIMITS = [
    # lines/s, bytes a line -> the limit reached first, and the growth at which
    (100.0, 250.0, "ingestion rate", 10.0),
    (100.0, 1000.0, "ingestion bytes", 5.0),
    (1.0, 1.0, "streams per tenant", 12.5),
]


@pytest.mark.parametrize("lines, line_bytes, name, growth", LIMITS)
def test_which_limit_is_reached_first(lines: float, line_bytes: float, name: str, growth: float) -> None:
    shop = service(level=("info", "error"), pod=())
    first = calculate([Volume(shop, lines, line_bytes)], PLAN).limits[0]
    assert (first.name, first.growth) == (name, pytest.approx(growth))
    assert first.used * growth == pytest.approx(first.limit)


def test_nothing_written_reaches_no_limit() -> None:
    capacity = calculate([Volume(service(), 0.0, 250.0)], PLAN)
    assert {use.growth for use in capacity.limits if use.used == 0} == {float("inf")}


def test_the_documented_rate_fills_the_documented_storage() -> None:
    shop = service(monthly=5 * GIGABYTE)
    rate = documented_rate(shop, line_bytes=250.0, compression=10.0)
    capacity = calculate([Volume(shop, rate, 250.0)], PLAN)
    assert capacity.monthly_bytes == pytest.approx(5 * GIGABYTE)


# --- this project -----------------------------------------------------------------------------------------


def table(capacity: Capacity) -> dict[str, dict[str, Any]]:
    return {row["service"]: row for row in capacity.to_json()["services"]}


# service: (GB a month, days of retention)
DOCUMENTED = {"ryot": (5, 30), "sigmalang": (6, 30), "sigmavault": (3, 30), "agents": (3, 60)}


def test_the_documents_table() -> None:
    capacity = project_capacity(PROJECT)
    rows = table(capacity)
    found = {
        name: (round(rows[name]["monthly_gigabytes"], 6), rows[name]["retention_days"]) for name in DOCUMENTED
    }
    assert found == DOCUMENTED
    assert set(rows) == {service.name for service in SERVICES}
    # The document rounds 17 GB and the debug lines up to "about 18 GB".
    assert sum(gigabytes for gigabytes, _ in found.values()) == pytest.approx(17)
    assert capacity.monthly_bytes == sum(service.monthly_storage for service in SERVICES)
    tiers = {tier["tier"]: tier for tier in capacity.to_json()["tiers"]}
    assert [tiers[name]["documented_dollars"] for name in ("hot", "warm", "cold")] == [30, 3, 1]
    assert tiers["hot"]["dollars"] == pytest.approx(30)
    assert tiers["warm"]["dollars"] < 3
    assert tiers["cold"]["dollars"] < 1


def test_streams_of_this_project() -> None:
    # 4 levels x 3 pods for each service.
    rows = table(project_capacity(PROJECT))
    assert {name: row["streams"] for name, row in rows.items()} == dict.fromkeys(
        (service.name for service in SERVICES), 12
    )
    assert table(project_capacity(PROJECT, pods=10))["ryot"]["streams"] == 40


def test_growing_and_rates() -> None:
    once, ten = project_capacity(PROJECT), project_capacity(PROJECT, grow=10)
    assert ten.monthly_bytes == pytest.approx(10 * once.monthly_bytes)
    assert ten.limits[0].growth == pytest.approx(once.limits[0].growth / 10)
    changed = table(project_capacity(PROJECT, rates={"ryot": 1_000}, line_bytes=300))
    assert changed["ryot"]["lines_per_second"] == 1_000
    assert changed["ryot"]["monthly_gigabytes"] == pytest.approx(1_000 * 300 * 86_400 * 30 / 10 / GIGABYTE)


def test_a_service_that_does_not_exist() -> None:
    with pytest.raises(LokictlError, match='unknown service "rayot"'):
        project_capacity(PROJECT, rates={"rayot": 1})


def test_a_project_without_a_plan(tmp_path: Path) -> None:
    (tmp_path / "lokictl.toml").write_text("")
    with pytest.raises(LokictlError, match="no component of this project has a capacity plan"):
        project_capacity(load(tmp_path))


def test_the_numbers_are_plain_data() -> None:
    data = project_capacity(PROJECT).to_json()
    assert json.loads(json.dumps(data)) == data
    assert data["total"]["streams"] == sum(row["streams"] for row in data["services"])


@pytest.mark.parametrize("grow", [0.0, 1.0, 25.0, 1_000.0])
def test_the_plot_is_a_picture_of_the_limits(grow: float) -> None:
    capacity = project_capacity(PROJECT, grow=grow)
    root = ElementTree.fromstring(svg_plot(capacity, width=600))
    bars = [element for element in root.iter() if element.tag.endswith("rect")][1:]
    assert len(bars) == len(capacity.limits)
    for bar, use in zip(bars, capacity.limits, strict=True):
        assert 0 <= float(bar.attrib["width"]) <= 600
        assert (bar.attrib["fill"] == "#c4162a") is (use.used >= use.limit)
    texts = "".join(root.itertext())
    assert all(use.name in texts for use in capacity.limits)
