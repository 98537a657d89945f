"""Evaluates rules over a grid of times as Grafana does when it manages them: the states of each of their series.

The states are those of `lokictl.ruler.managed.ManagedState`, the code that tests use, from answers that are already
there.  Evaluations that cannot change anything are left out: a state changes where a series appears, disappears or
crosses the threshold, where queries begin or end to fail, and where a pending or recovering alert is due.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from lokictl.backtest.comparison import Comparison
from lokictl.backtest.evaluation import Settings, check_series
from lokictl.backtest.plan import Lookup, apply
from lokictl.backtest.results import Episode, NearMiss, RuleHistory, StateStretch, union
from lokictl.backtest.series import Answers, Column, Grid, Labels
from lokictl.diagnostics import Severity
from lokictl.logql import parse
from lokictl.logql.units import format_prometheus_duration
from lokictl.model.managed_translation import translate
from lokictl.model.rules import AlertingRule, RuleFile, RuleGroup
from lokictl.ruler.alerts import AlertState
from lokictl.ruler.managed import ManagedCondition, managed_rule_of
from lokictl.ruler.managed_state import ALERTING, ERROR, PENDING, RECOVERING, Instance, ManagedState

ERROR_ALERT = "DatasourceError"
"""The alert that Grafana sends when the query of a rule fails."""

ACTIVE = (ALERTING, RECOVERING)


def evaluate_managed(
    on_ruler: RuleHistory, lookup: Lookup, settings: Settings, *, whole: bool = False
) -> RuleHistory:
    """The history of a rule as Grafana would have it; ``on_ruler`` is the same rule on Loki's ruler.

    ``lookup`` gives the answers to the rule's queries, as for `lokictl.backtest.evaluation.evaluate_rule`.  Recording
    rules, and rules that the ruler never runs, stay as they are.
    """
    rule, grid = on_ruler.rule, on_ruler.grid
    if not isinstance(rule, AlertingRule) or on_ruler.refusal:
        return on_ruler
    history = replace(on_ruler, episodes=[], near_misses=[], pending=[], notes=list(on_ruler.notes))
    refused = untranslatable(on_ruler.group, rule)
    if refused:
        history.notes.append(f"cannot be Grafana-managed: {'; '.join(refused)}")
        return history
    condition = ManagedCondition.of(rule)
    # Without its comparison the answer may have too many series; then only the whole expression was asked.
    answers = lookup(str(rule.expression)) if whole else apply(parse(condition.query), lookup, grid)
    failures = dict(answers.failures)
    check_series(answers, failures, settings.max_series)
    walk = _Walk(rule, grid, answers, failures, condition, whole=whole)
    record = _Record(rule, settings, grid, history)
    for index in walk:
        record.note(index, walk.instances, walk.values(index))
    record.end()
    return history


def untranslatable(group: RuleGroup, rule: AlertingRule) -> list[str]:
    """Why Grafana cannot evaluate a rule of a group; empty where it can."""
    problems = translate([RuleFile("", (replace(group, rules=(rule,)),))]).problems
    return [problem.message for problem in problems if problem.severity == Severity.ERROR]


def note_ends(comparison: Comparison) -> None:
    """Notes in the histories of Grafana which episodes end at another time than on the ruler."""
    for change in comparison.alerts:
        if change.after is None:
            continue
        ends: dict[int, int] = {}
        for before, after in (*change.same, *change.earlier, *change.later):
            if before.resolved_at is not None and after.resolved_at is not None:
                difference = after.resolved_at - before.resolved_at
                ends[difference] = ends.get(difference, 0) + 1
        for difference, count in sorted(ends.items()):
            if difference:
                words = f"{format_prometheus_duration(abs(difference))} {'later' if difference > 0 else 'earlier'}"
                episodes = f"{count} episode{'' if count == 1 else 's'}"
                change.after.notes.append(f"resolved {words} than on {comparison.label} ({episodes})")


class _Walk:
    """The evaluations of one rule that may change something, in the order of time."""

    def __init__(
        self,
        rule: AlertingRule,
        grid: Grid,
        answers: Answers,
        failures: Mapping[int, str],
        condition: ManagedCondition,
        *,
        whole: bool,
    ) -> None:
        self.rule, self.grid, self.failures = rule, grid, failures
        self.fires: Callable[[float], bool] = (lambda value: True) if whole else condition.fires
        self.series = [(dict(labels), column) for labels, column in answers.series.items()]
        self.skipped = answers.missing()
        self.state = ManagedState(managed_rule_of(rule))
        self.instances: list[Instance] = []
        due = {0, *failures, *(index + 1 for index in failures)}
        for _, column in self.series:
            due |= set(_changes(column, self.fires))
        self.due = sorted(due)
        heapq.heapify(self.due)

    def __iter__(self) -> Iterator[int]:
        last = -1
        while self.due:
            index = self._answered(heapq.heappop(self.due))
            if index <= last or index >= self.grid.count:
                continue
            last = index
            time = self.grid.time(index)
            if index in self.failures:
                self.instances = self.state.fail(time)
            else:
                found = [(labels, self.fires(value)) for labels, value in self.vector(index)]
                self.instances = self.state.step(time, found)
            for instance in self.instances:
                self._expect(instance, index)
            yield index

    def _answered(self, index: int) -> int:
        while index in self.skipped:
            index += 1
        return index

    def _expect(self, instance: Instance, index: int) -> None:
        """Asks for the evaluation at which the state changes by itself."""
        waits = {PENDING: self.rule.for_, RECOVERING: self.rule.keep_firing_for}.get(instance.state)
        if waits is not None:
            due = -(-(instance.since + waits - self.grid.start) // self.grid.step)
            heapq.heappush(self.due, max(due, index + 1))

    def vector(self, index: int) -> Iterator[tuple[dict[str, str], float]]:
        """The elements of the answer at ``index``."""
        for labels, column in self.series:
            position = bisect_left(column.indexes, index)
            if position < len(column) and column.indexes[position] == index:
                yield labels, column.values[position]

    def values(self, index: int) -> dict[Labels, float]:
        """The value of each series at ``index``."""
        return {_key(labels): value for labels, value in self.vector(index)}


def _changes(column: Column, fires: Callable[[float], bool]) -> Iterator[int]:
    """Where a series begins, ends, or crosses the threshold."""
    before, known = -2, False
    for index, value in zip(column.indexes, column.values, strict=True):
        now = fires(value)
        if index != before + 1:
            yield from (before + 1, index)
        elif now != known:
            yield index
        before, known = index, now
    yield before + 1


def _key(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


class _Record:
    """The states over time, and the alerts that were sent."""

    def __init__(self, rule: AlertingRule, settings: Settings, grid: Grid, history: RuleHistory) -> None:
        self.rule, self.grid, self.history = rule, grid, history
        self.alerts = AlertState(
            rule,
            external_labels=settings.external_labels,
            external_url=settings.external_url,
            interval=grid.step,
        )
        self.open: dict[Labels, tuple[str, int]] = {}
        self.pending: dict[Labels, int] = {}
        self.began: dict[Labels, int] = {}
        self.firing: dict[Labels, Episode] = {}
        self.stretches: list[StateStretch] = []
        self.episodes: list[Episode] = []
        self.waits: list[tuple[int, int]] = []
        self.near: list[NearMiss] = []

    def note(self, index: int, instances: Iterable[Instance], values: Mapping[Labels, float]) -> None:
        """What an evaluation made of every series."""
        time = self.grid.time(index)
        found = {_key(instance.labels): instance for instance in instances}
        for key in [key for key in self.open if key not in found or found[key].shown != self.open[key][0]]:
            self._close(key, time)
        for key, instance in found.items():
            self.open.setdefault(key, (instance.shown, time))
        for key in [key for key in self.pending if key not in found or found[key].state != PENDING]:
            self._end_pending(key, time, fires=key in found and found[key].state in ACTIVE)
        for key in [key for key in self.firing if not _is_active(found.get(key))]:
            self.episodes.append(replace(self.firing.pop(key), resolved_at=time))
        for key, instance in found.items():
            if instance.state == PENDING:
                self.pending.setdefault(key, instance.since)
            elif _is_active(instance) and key not in self.firing:
                self.firing[key] = self._episode(instance, time, values.get(key, float("nan")))

    def _close(self, key: Labels, time: int) -> None:
        state, since = self.open.pop(key)
        self.stretches.append(StateStretch(dict(key), state, since, time))

    def _end_pending(self, key: Labels, time: int, *, fires: bool) -> None:
        began = self.pending.pop(key)
        self.waits.append((began, time))
        if fires:
            self.began[key] = began
        else:
            self.near.append(NearMiss(dict(key), began, time - self.grid.step, self.rule.for_))

    def _episode(self, instance: Instance, time: int, value: float) -> Episode:
        if instance.state == ERROR:
            labels = {name: text for name, text in self.rule.labels.items() if "{{" not in text}
            named = {**labels, "alertname": ERROR_ALERT, "rulename": self.rule.alert}
            return Episode(named, {"alertname": ERROR_ALERT}, time, time, None, value)
        alert = self.alerts.new_alert(time, instance.labels, value)
        active_at = self.began.pop(_key(instance.labels), time)
        source = dict(instance.labels)
        return Episode(
            alert.labels, source, active_at, time, None, value, annotations=dict(alert.annotations)
        )

    def end(self) -> None:
        """Writes everything into the history."""
        history, end = self.history, self.grid.end + self.grid.step
        for key in list(self.open):
            self._close(key, end)
        history.states = sorted(
            (
                replace(one, start=max(one.start, history.start), end=min(one.end, history.end))
                for one in self.stretches
                if one.end > history.start and one.start < history.end
            ),
            key=lambda one: (one.start, sorted(one.labels.items())),
        )
        history.episodes = sorted(
            (
                one
                for one in (*self.episodes, *self.firing.values())
                if one.fired_at <= history.end
                and (one.resolved_at is None or one.resolved_at > history.start)
            ),
            key=lambda one: (one.fired_at, sorted(one.labels.items())),
        )
        history.near_misses = [
            one for one in self.near if one.end >= history.start and one.start <= history.end
        ]
        waits = [*self.waits, *((began, end) for began in self.pending.values())]
        history.pending = union((max(began, history.start), min(last, history.end)) for began, last in waits)


def _is_active(instance: Instance | None) -> bool:
    """Whether an alert is sent for a series."""
    return instance is not None and instance.state in (*ACTIVE, ERROR)
