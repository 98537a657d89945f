"""What holds for every run of answers, whatever they are."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lokictl.durations import SECOND
from lokictl.model import AlertingRule
from lokictl.ruler import Alert, AlertState

STEP = 30 * SECOND
RETENTION = 15 * 60 * SECOND

vectors = st.dictionaries(st.sampled_from("abcd"), st.floats(allow_nan=True), max_size=4).map(
    lambda found: [({"pod": pod}, value) for pod, value in found.items()]
)
runs = st.lists(st.one_of(vectors, st.just("failed")), max_size=40)
holds = st.integers(min_value=0, max_value=6).map(lambda number: number * 25 * SECOND)


def play(rule: AlertingRule, run: list[object], limit: int = 0) -> list[list[Alert]]:
    state = AlertState(rule, limit=limit)
    history = []
    for number, vector in enumerate(run):
        time = number * STEP
        if vector == "failed":
            before = state.alerts
            assert state.fail(time, "boom") == before
        else:
            assert isinstance(vector, list)
            state.step(time, vector)
        history.append(state.alerts)
    return history


def states(history: list[list[Alert]]) -> list[list[tuple[object, ...]]]:
    return [
        [(alert.labels, alert.state, alert.active_at, alert.fired_at, alert.resolved_at) for alert in alerts]
        for alerts in history
    ]


@given(runs, holds)
@settings(max_examples=150, deadline=None)
def test_states_keep_their_promises(run: list[object], hold: int) -> None:
    rule = AlertingRule("A", "vector(1)", for_=hold)
    history = play(rule, run)
    assert len(history) == len(run)
    for number, alerts in enumerate(history):
        now = number * STEP
        assert [alert.labels["pod"] for alert in alerts] == sorted(alert.labels["pod"] for alert in alerts)
        present = {labels["pod"] for labels, _ in run[number]} if run[number] != "failed" else None
        for alert in alerts:
            assert alert.labels["alertname"] == "A"
            if alert.state == "pending":
                assert (alert.fired_at, alert.resolved_at) == (None, None)
                assert now - alert.active_at < hold or present is None
            if alert.state == "firing":
                assert alert.fired_at is not None
                assert alert.fired_at - alert.active_at >= hold
            if alert.state == "inactive":
                assert alert.resolved_at is not None
                assert now - alert.resolved_at <= RETENTION or present is None
            if present is not None:
                assert (alert.labels["pod"] in present) == (alert.state != "inactive")


@given(runs, holds)
@settings(max_examples=100, deadline=None)
def test_the_order_of_an_answer_does_not_matter(run: list[object], hold: int) -> None:
    rule = AlertingRule("A", "vector(1)", for_=hold)
    turned = [list(reversed(vector)) if isinstance(vector, list) else vector for vector in run]
    assert states(play(rule, run)) == states(play(rule, turned))


@given(runs, holds, st.integers(min_value=1, max_value=3))
@settings(max_examples=100, deadline=None)
def test_no_more_active_alerts_than_the_limit(run: list[object], hold: int, limit: int) -> None:
    rule = AlertingRule("A", "vector(1)", for_=hold)
    history = play(rule, run, limit)
    assert len(history) == len(run)
    for alerts in history:
        assert sum(alert.state != "inactive" for alert in alerts) <= limit


@given(runs, holds)
@settings(max_examples=100, deadline=None)
def test_series_do_not_disturb_each_other(run: list[object], hold: int) -> None:
    rule = AlertingRule("A", "vector(1)", for_=hold)
    alone = [
        [item for item in vector if item[0]["pod"] == "a"] if isinstance(vector, list) else vector
        for vector in run
    ]
    mixed = [
        [item for item in alerts if item[0]["pod"] == "a"]  # type: ignore[index]
        for alerts in states(play(rule, run))
    ]
    assert mixed == states(play(rule, alone))
