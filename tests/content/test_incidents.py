"""Healthy sample logs fire no alert, and each incident fires exactly the alerts that it is listed with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from lokictl.durations import MINUTE
from lokictl.engine import Engine, LogStore
from lokictl.model import AlertingRule
from lokictl.project import load
from lokictl.ruler import AlertState
from lokictl.sample import SampleEntry, SampleSource, fill_store, generate

ROOT = Path(__file__).resolve().parents[2]
PROJECT = load(ROOT)
START = 1_767_225_600_000_000_000
LENGTH = 40 * MINUTE
INCIDENT_START = START + 18 * MINUTE

INCIDENTS = {
    f"{source.service.name}-{known.name}": (source, known)
    for source in PROJECT.samples
    for known in source.incidents
}


def fired_alerts(source: SampleSource, entries: Iterable[SampleEntry]) -> dict[str, list[int]]:
    """The alerts of the source's service that fired, and the minutes of their first firing instances."""
    store = LogStore()
    fill_store(store, entries)
    engine = Engine(store)
    fired: dict[str, list[int]] = {}
    for rule in PROJECT.rules:
        if isinstance(rule, AlertingRule) and rule.labels["service"] == source.service.name:
            minutes = firing_minutes(engine, rule)
            if minutes:
                fired[rule.alert] = minutes
    return fired


def firing_minutes(engine: Engine, rule: AlertingRule) -> list[int]:
    """The minutes, from the start, at which at least one instance of the alert fires."""
    start, end = START + MINUTE, START + LENGTH
    answer = engine.query_range(rule.expression, start=start, end=end, step=MINUTE).to_loki()
    samples: dict[int, list[tuple[dict[str, str], float]]] = {}
    for series in answer["result"]:
        for seconds, value in series["values"]:
            samples.setdefault(round(seconds * 1e9), []).append((series["metric"], float(value)))
    state = AlertState(rule)
    return [
        (time - START) // MINUTE
        for time in range(start, end + 1, MINUTE)
        if any(alert.state == "firing" for alert in state.step(time, samples.get(time, [])))
    ]


@pytest.mark.parametrize("rate", [0.5, 2])
@pytest.mark.parametrize("source", PROJECT.samples, ids=lambda source: source.service.name)
def test_healthy_logs_fire_nothing(source: SampleSource, rate: float) -> None:
    assert fired_alerts(source, generate(source, START, START + LENGTH, rate=rate)) == {}


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_fires_its_alerts_and_no_others(name: str) -> None:
    source, known = INCIDENTS[name]
    entries = generate(source, START, START + LENGTH, incident=known.name, incident_start=INCIDENT_START)
    fired = fired_alerts(source, entries)
    assert set(fired) == set(known.alerts)
    assert all(minutes[0] >= 18 for minutes in fired.values())
