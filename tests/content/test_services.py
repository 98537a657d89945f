"""The services are what the architecture says they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lokictl.durations import DAY
from lokictl.model import Service
from lokictl.project import load
from services import SERVICES

ROOT = Path(__file__).resolve().parents[2]
PROJECT = load(ROOT)
COMMON_FIELDS = ["level", "msg", "trace_id", "span_id", "duration_ms"]

# A service of the architecture document: (tier, own fields, days of retention, GB a month)
TABLE = {
    "ryot": ("core", ["module"], 30, 5),
    "sigmalang": ("core", ["ts", "code", "phase", "unit"], 30, 6),
    "sigmavault": ("core", ["event", "actor", "action", "resource", "outcome", "source_ip"], 30, 3),
    "agents": ("agents", ["agent_id", "task_id", "task", "status", "attempt", "queue_depth"], 60, 3),
}


def test_the_list_names_every_service_once() -> None:
    assert sorted(service.name for service in SERVICES) == sorted(
        service.name for service in PROJECT.services
    )
    assert set(TABLE) <= {service.name for service in SERVICES}


@pytest.mark.parametrize("name", TABLE)
def test_a_service_is_as_the_table_says(name: str) -> None:
    service = PROJECT.service(name)
    tier, fields, days, gigabytes = TABLE[name]
    assert service.tier == tier
    assert list(service.field_names) == COMMON_FIELDS + fields
    assert (service.retention, service.debug_retention) == (days * DAY, 3 * DAY)
    assert service.monthly_storage == gigabytes * 10**9
    assert service.objectives.error_ratio == 0.05


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_service_has_what_dashboards_and_rules_rely_on(service: Service) -> None:
    assert service.namespace == "neurectomy"
    assert list(service.label_names) == ["service", "level", "tier", "pod", "namespace", "container_name"]
    assert list(service.field_names)[: len(COMMON_FIELDS)] == COMMON_FIELDS
    assert service.field("trace_id").structured_metadata


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_examples_fit_the_description(service: Service) -> None:
    record = json.loads(service.example_line(level="error"))
    assert list(record) == list(service.field_names)
    assert record["level"] == "error"
    for item in service.fields:
        assert not item.values or record[item.name] in item.values
        assert item.description
    assert service.stream(level="warn", pod="p")["level"] == "warn"
    assert all(service.stream().values())


def test_selectors_refuse_what_a_service_cannot_have() -> None:
    ryot = PROJECT.service("ryot")
    assert ryot.select(level="error") == '{service="ryot", level="error"}'
    with pytest.raises(ValueError, match="the label level of ryot cannot be"):
        ryot.select(level="fatal")
    with pytest.raises(KeyError):
        ryot.select(host="a")
