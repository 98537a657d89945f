"""The scripts of `alert_states.json` as the rulers of real Lokis ran them, one evaluation every two seconds.

``tests/data/alert_states_live.json`` has each rule as it was loaded, what the rules API showed after each evaluation,
and what an Alertmanager was sent; times are counted in evaluations.  ``lokis`` are the versions that did exactly so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.model import AlertingRule, RuleGroup
from lokictl.ruler import AlertState

DATA = Path(__file__).resolve().parent.parent / "data"
SCRIPTS = {
    script["name"]: script["steps"]
    for script in json.loads((DATA / "alert_states.json").read_text(encoding="utf-8"))
    if "steps" in script
}
LIVE = json.loads((DATA / "alert_states_live.json").read_text(encoding="utf-8"))
START = 1_767_225_600_000_000_000
INTERVAL = 2_000_000_000
RESEND_DELAY = 2 * INTERVAL
AFTERWARDS = 12
"""Evaluations after the script, in which what was resolved is sent again."""


def number(text: str) -> float:
    return float(text.replace("Inf", "inf"))


def state_of(live: dict[str, Any]) -> AlertState:
    group: dict[str, Any] = {"name": "live", "interval": "2s", "rules": [live["rule"]]}
    group |= {key: live[key] for key in ("limit", "labels") if live.get(key)}
    loaded = RuleGroup.from_yaml(yaml.safe_dump(group))
    (rule,) = loaded.rules
    assert isinstance(rule, AlertingRule)
    return AlertState(
        rule,
        limit=loaded.limit,
        external_labels={},
        external_url="",
        interval=INTERVAL,
        resend_delay=RESEND_DELAY,
        query=lambda expression, time: [],
    )


def evaluate(state: AlertState, step: dict[str, Any], time: int) -> None:
    if "error" in step:
        state.fail(time, step["error"])
    else:
        state.step(time, [(item["labels"], number(item["value"])) for item in step["vector"]])


def shown(state: AlertState) -> dict[str, Any]:
    alerts = [
        {
            "state": alert.state,
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "since": (alert.active_at - START) // INTERVAL,
            "value": str(alert.value),
        }
        for alert in state.alerts
        if alert.state != "inactive"
    ]
    return {"state": state.state, "health": state.health, "alerts": sorted(alerts, key=by_labels)}


def by_labels(item: dict[str, Any]) -> str:
    return json.dumps([item["labels"], item["annotations"]], sort_keys=True)


def recorded(seen: dict[str, Any]) -> dict[str, Any]:
    alerts = [{**alert, "value": str(number(alert["value"]))} for alert in seen["alerts"]]
    return {**seen, "alerts": sorted(alerts, key=by_labels)}


@pytest.mark.parametrize("live", LIVE, ids=lambda live: live["name"])
def test_states_and_notifications(live: dict[str, Any]) -> None:
    state, steps = state_of(live), SCRIPTS[live["name"]]
    sent = set()
    assert len(live["steps"]) == len(steps) + 1
    for place in range(len(steps) + AFTERWARDS):
        evaluate(state, steps[place] if place < len(steps) else {"vector": []}, START + place * INTERVAL)
        if place < len(live["steps"]):
            assert shown(state) == recorded(live["steps"][place]), f"step {place}"
        for one in state.notifications:
            starts, ends = ((time - START) // INTERVAL for time in (one.starts_at, one.ends_at))
            item = {"labels": dict(one.labels), "annotations": dict(one.annotations)}
            sent.add(json.dumps({**item, "starts": starts, "ends": ends}, sort_keys=True))
    assert sorted(sent) == sorted(json.dumps(item, sort_keys=True) for item in live["sent"])


def test_every_loki_did_the_same() -> None:
    assert {len(live["lokis"]) for live in LIVE} <= {10, 4}
    assert sum(len(live["lokis"]) == 10 for live in LIVE) == 69
