"""The states of Grafana-managed rules; `tests/data/grafana_states.json.gz` is what a Grafana 12.2 did.

It has the rule group, the log lines that a Loki 3.7.6 held, and the states of every instance at every evaluation.
"""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lokictl.engine import Engine, EngineError, LogStore
from lokictl.model.contents import FoundAlerting
from lokictl.model.documents import Cursor, DataDocument
from lokictl.model.managed_alerts import ManagedRule, read_managed_groups
from lokictl.ruler.managed_state import ManagedState, states_of

DATA = Path(__file__).resolve().parents[1] / "data" / "grafana_states.json.gz"
RECORDED: dict[str, Any] = json.loads(gzip.decompress(DATA.read_bytes()))
(GROUP,) = read_managed_groups(FoundAlerting(Cursor(DataDocument.of(RECORDED["group"])), "group"))
SECOND = 1_000_000_000


def engine() -> Engine:
    store = LogStore()
    for push in RECORDED["pushes"]:
        store.push({"job": "s", "app": push["app"]}, [(time, line) for time, line in push["entries"]])
    return Engine(store)


def fires(rule: ManagedRule, value: float) -> bool:
    (condition,) = [step for step in rule.data if step.ref_id == "C"]
    if condition.model["expression"] == "B":
        return True
    return bool(value > condition.model["conditions"][0]["evaluator"]["params"][0])


@pytest.mark.parametrize("rule", GROUP.rules, ids=lambda rule: rule.title)
def test_states_are_those_of_a_real_grafana(rule: ManagedRule) -> None:
    seen = {
        int(datetime.datetime.fromisoformat(time).timestamp()) * SECOND: answer
        for time, answer in RECORDED["seen"][rule.title].items()
        if not time.startswith("0001")
    }
    state, loki = ManagedState(rule), engine()
    compared = 0
    cases = list(range(min(seen), max(seen) + 1, GROUP.interval))
    assert cases
    for time in cases:
        try:
            vector = loki.query(rule.data[0].model["expr"], time=time).vector
        except EngineError:
            instances = state.fail(time)
        else:
            instances = state.step(time, [(labels, fires(rule, value)) for labels, value in vector])
        if time in seen:
            expected = {tuple(sorted(labels.items())): shown for labels, shown, _ in seen[time][2]}
            assert states_of(instances) == expected
            compared += 1
    assert compared > 20


def test_the_recording_has_every_state() -> None:
    shown = {
        alert[1].partition(" ")[0]
        for answers in RECORDED["seen"].values()
        for answer in answers.values()
        for alert in answer[2]
    }
    assert shown == {"Normal", "Pending", "Alerting", "Recovering", "NoData", "Error"}
