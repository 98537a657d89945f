"""Whatever the rules, the logs and the parts: range evaluation finds what step-by-step evaluation finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from lokictl.backends import EmbeddedBackend, LogEntry, LogStream
from lokictl.backtest import fetch as fetching
from lokictl.backtest.evaluation import Settings, evaluate_rule
from lokictl.backtest.fetch import Fetch, Query
from lokictl.backtest.file_history import FileHistory
from lokictl.backtest.managed import evaluate_managed
from lokictl.backtest.plan import queries
from lokictl.backtest.results import RuleHistory
from lokictl.backtest.series import Grid
from lokictl.model import AlertingRule, RecordingRule, Rule, RuleGroup
from lokictl.ruler import GroupEvaluator
from lokictl.ruler.managed import ManagedGroupEvaluator

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND
STEPS = 40
STEP = 30 * SECOND

LINES = st.sampled_from(
    [
        '{"level":"error","took":12}',
        '{"level":"info","took":3}',
        '{"level":"error","took":"no number"}',
        "not json",
        '{"level":"warn"}',
    ]
)
LOGS = st.lists(st.tuples(st.integers(0, STEPS * 30), st.sampled_from(["a", "b"]), LINES), max_size=60)
THRESHOLD = st.integers(0, 6)
RANGE = st.sampled_from(["30s", "1m", "5m"])

RATES = st.builds('sum by (pod) (count_over_time({{app="x"}}[{}]))'.format, RANGE)
ERRORS = st.builds('sum(count_over_time({{app="x"}} | json | level="error" [{}]))'.format, RANGE)
CAREFUL = st.builds(
    'max by (pod) (max_over_time({{app="x"}} | json | unwrap took | __error__="" [{}]))'.format, RANGE
)
VALUES = st.one_of(RATES, ERRORS, CAREFUL)
FAILING = st.just('sum_over_time({app="x"} | json | unwrap took [1m]) > 1')
COMPARED = st.one_of(
    FAILING,
    st.builds("{} > {}".format, VALUES, THRESHOLD),
    st.builds("{} <= {}".format, VALUES, THRESHOLD),
    st.builds("{1} < {0}".format, VALUES, THRESHOLD),
    st.builds("{} * 2 - 1 >= {}".format, VALUES, THRESHOLD),
    st.builds("({}) / ({}) > 0.{}".format, RATES, RATES, THRESHOLD),
    st.builds("({}) > ({})".format, RATES, RATES),
    st.builds('absent_over_time({{app="x"}}[{}])'.format, RANGE),
)
EXPRESSIONS = st.one_of(
    COMPARED,
    VALUES,
    st.builds("({}) and ({})".format, COMPARED, COMPARED),
    st.builds("({}) or ({})".format, COMPARED, COMPARED),
    st.builds("({}) unless ({})".format, COMPARED, COMPARED),
    st.builds("{} or vector(0)".format, VALUES),
    st.just('count_over_time({app="x"}[1m]) > on() sum(count_over_time({app="x"}[5m])) - 3'),
    st.just("vector(1)"),
    st.just("1"),
    st.just('{app="x"}'),
)
LABELS = st.sampled_from([{}, {"severity": "page"}, {"value": "{{ $value }}"}, {"pod": "one"}])
RULES = st.one_of(
    st.builds(
        lambda expr, hold, labels: AlertingRule(
            expr=expr, alert="A", for_=hold * 25 * SECOND, labels=labels, annotations={"text": "{{ $value }}"}
        ),
        EXPRESSIONS,
        st.integers(0, 8),
        LABELS,
    ),
    st.builds(lambda expr: RecordingRule(record="r:x", expr=expr), EXPRESSIONS),
)


@dataclass
class Stepped:
    """What step-by-step evaluation found."""

    fired: list[tuple[object, ...]]
    failures: int
    samples: int


def backend_with(logs: list[tuple[int, str, str]]) -> EmbeddedBackend:
    backend = EmbeddedBackend()
    for pod in "ab":
        entries = [LogEntry(START + at * SECOND, line) for at, own, line in logs if own == pod]
        backend.push([LogStream({"app": "x", "pod": pod}, sorted(entries, key=lambda one: one.timestamp))])
    return backend


def step_by_step(rule: Rule, limit: int, logs: list[tuple[int, str, str]]) -> Stepped:
    backend = backend_with(logs)
    evaluator = GroupEvaluator(RuleGroup("g", (rule,), interval=STEP, limit=limit), backend)
    open_ones: dict[object, tuple[object, ...]] = {}
    fired: list[tuple[object, ...]] = []
    failures = samples = 0
    for evaluation in evaluator.run(START, START + STEPS * STEP):
        (one,) = evaluation.rules
        failures += bool(one.error)
        samples += len(one.samples)
        firing = {tuple(alert.labels.items()): alert for alert in one.firing}
        for key in [key for key in open_ones if key not in firing]:
            fired.append((*open_ones.pop(key), one.time))
        for key, alert in firing.items():
            open_ones.setdefault(
                key, (key, alert.active_at, alert.fired_at, tuple(alert.annotations.items()))
            )
    fired += [(*one, None) for one in open_ones.values()]
    return Stepped(sorted(fired, key=repr), failures, samples)


def by_ranges(
    rule: Rule, limit: int, logs: list[tuple[int, str, str]], points: int, memory: int, home: str = "loki"
) -> RuleHistory:
    ordered = sorted(logs, key=lambda one: one[0])

    def entries(path: str) -> Iterator[tuple[int, tuple[tuple[str, str], ...], str, Mapping[str, str]]]:
        for at, pod, line in ordered:
            if pod == path:
                yield START + at * SECOND, (("app", "x"), ("pod", pod)), line, {}

    history = FileHistory(["a", "b"], segment_bytes=memory, open_entries=entries)
    grid = Grid.between(START, START + STEPS * STEP, STEP)
    fetch = Fetch(history)
    original = fetching.POINTS, fetching.DAY
    fetching.POINTS, fetching.DAY = points, 600 * SECOND
    try:
        if rule.expr != '{app="x"}':
            fetch.fetch(Query(text, grid) for text in queries(rule.expression))
        found = evaluate_rule(
            RuleGroup("g", (rule,), interval=STEP, limit=limit),
            rule,
            grid,
            lambda text: fetch.answers(text, grid),
            start=grid.start,
            end=grid.end,
        )
        if home == "grafana":
            return evaluate_managed(found, lambda text: fetch.answers(text, grid), Settings())
        return found
    finally:
        fetching.POINTS, fetching.DAY = original


@given(RULES, st.integers(0, 2), LOGS, st.sampled_from([1, 7, 100]), st.sampled_from([1, 2_000, 10**9]))
@settings(max_examples=120, deadline=None)
def test_ranges_find_what_steps_find(
    rule: Rule, limit: int, logs: list[tuple[int, str, str]], points: int, memory: int
) -> None:
    expected = step_by_step(rule, limit, logs)
    history = by_ranges(rule, limit, logs, points, memory)
    found = [
        (
            tuple(one.labels.items()),
            one.active_at,
            one.fired_at,
            tuple(one.annotations.items()),
            one.resolved_at,
        )
        for one in history.episodes
    ]
    assert sorted(found, key=repr) == expected.fired
    assert history.failed_evaluations == expected.failures
    assert history.samples == expected.samples


MANAGED = st.builds(
    lambda expr, hold, keep: AlertingRule(
        expr=expr, alert="A", for_=hold * 25 * SECOND, keep_firing_for=keep * 40 * SECOND
    ),
    st.one_of(COMPARED, VALUES, st.just("vector(1)")),
    st.integers(0, 8),
    st.integers(0, 4),
)
States = set[tuple[tuple[tuple[str, str], ...], str, int]]


def states_by_step(rule: AlertingRule, logs: list[tuple[int, str, str]]) -> States:
    """(labels, state, time) of every series at every evaluation, as Grafana has it."""
    evaluator = ManagedGroupEvaluator(RuleGroup("g", (rule,), interval=STEP), backend_with(logs))
    return {
        (tuple(sorted(instance.labels.items())), instance.shown, evaluation.rules[0].time)
        for evaluation in evaluator.run(START, START + STEPS * STEP)
        for instance in evaluation.rules[0].instances
    }


@given(MANAGED, LOGS, st.sampled_from([1, 7, 100]), st.sampled_from([1, 2_000, 10**9]))
@settings(max_examples=120, deadline=None)
def test_ranges_find_the_states_that_steps_find_in_grafana(
    rule: AlertingRule, logs: list[tuple[int, str, str]], points: int, memory: int
) -> None:
    history = by_ranges(rule, 0, logs, points, memory, "grafana")
    times = [history.grid.time(index) for index in range(history.grid.count)]
    found = {
        (tuple(sorted(one.labels.items())), one.state, time)
        for one in history.states
        for time in times
        # The last evaluation is at the end of the range.
        if one.start <= time < one.end or (time == history.end == one.end)
    }
    last = {item for item in found if item[2] == history.end}
    expected = states_by_step(rule, logs)
    assert found - last == {item for item in expected if item[2] != history.end}
