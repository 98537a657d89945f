"""Scripted evaluations with the alerts that a real Loki 3.7.6 remembered, sent and recorded after each."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from lokictl.model import AlertingRule, RuleGroup
from lokictl.model.rule_validation import validate_group
from lokictl.ruler import AlertState

DATA = Path(__file__).resolve().parent.parent / "data" / "alert_states.json"
SCENARIOS = json.loads(DATA.read_text(encoding="utf-8"))
LOADED = [scenario for scenario in SCENARIOS if "load_error" not in scenario]
REFUSED = [scenario for scenario in SCENARIOS if "load_error" in scenario]


def number(text: str) -> float:
    return float(text.replace("Inf", "inf"))


def same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


def state_of(scenario: dict[str, Any]) -> AlertState:
    group = RuleGroup.from_yaml(scenario["group_yaml"])
    rule = group.rules[0]
    assert isinstance(rule, AlertingRule)
    answers = scenario.get("queries", {})

    def query(expression: str, time: int) -> list[tuple[dict[str, str], float]]:
        answer = answers.get(expression, {"vector": []})
        if "error" in answer:
            from lokictl.backends import QueryError

            raise QueryError(answer["error"])
        return [(item["labels"], number(item["value"])) for item in answer["vector"]]

    return AlertState(
        rule,
        limit=group.limit,
        external_labels=scenario["externalLabels"],
        external_url=scenario["externalURL"],
        interval=scenario["interval"],
        resend_delay=scenario["resend_delay"],
        query=query,
    )


def shown_alerts(state: AlertState) -> list[dict[str, Any]]:
    return [
        {
            "state": alert.state,
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "activeAt": alert.active_at,
            "firedAt": alert.fired_at,
            "resolvedAt": alert.resolved_at,
        }
        for alert in state.alerts
    ]


def shown_samples(state: AlertState) -> list[tuple[Any, ...]]:
    return [
        (
            tuple(sorted(sample.labels.items())),
            sample.time // 1_000_000,
            "stale" if sample.value is None else sample.value,
        )
        for sample in state.samples
    ]


def expected_samples(step: dict[str, Any]) -> list[tuple[Any, ...]]:
    return sorted(
        (
            tuple(sorted(sample["labels"].items())),
            sample["t"],
            "stale" if sample["value"] == "stale" else number(sample["value"]),
        )
        for sample in step["samples"]
    )


def shown_notifications(state: AlertState) -> list[dict[str, Any]]:
    return [
        {
            "labels": dict(sent.labels),
            "annotations": dict(sent.annotations),
            "startsAt": sent.starts_at,
            "endsAt": sent.ends_at,
            "resolved": sent.resolved,
        }
        for sent in state.notifications
    ]


@pytest.mark.parametrize("scenario", LOADED, ids=lambda scenario: scenario["name"])
def test_scenario(scenario: dict[str, Any]) -> None:
    state = state_of(scenario)
    assert state.health == "unknown"
    assert scenario["steps"]
    for number_, step in enumerate(scenario["steps"]):
        if "error" in step:
            state.fail(step["t"], step["error"])
        elif "scalar" in step:
            state.step(step["t"], [({}, number(step["scalar"]))])
        else:
            state.step(step["t"], [(item["labels"], number(item["value"])) for item in step["vector"]])
        where = f"step {number_}"
        expected = [{k: v for k, v in alert.items() if k != "value"} for alert in step["alerts"]]
        assert shown_alerts(state) == expected, where
        for alert, recorded in zip(state.alerts, step["alerts"], strict=True):
            assert same(alert.value, number(recorded["value"])), where
        assert (state.health, state.state) == (step["health"], step["rule_state"]), where
        assert state.error == step.get("eval_error", ""), where
        assert sorted(shown_samples(state)) == expected_samples(step), where
        assert shown_notifications(state) == step["sent"], where


@pytest.mark.parametrize("scenario", REFUSED, ids=lambda scenario: scenario["name"])
def test_refused(scenario: dict[str, Any]) -> None:
    assert validate_group(RuleGroup.from_yaml(scenario["group_yaml"])) == [scenario["load_error"]]
