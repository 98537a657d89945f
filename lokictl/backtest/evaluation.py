"""Evaluates rules over a grid of times as Loki's ruler does, from answers that are already there.

The states are those of `lokictl.ruler.AlertState`, the code that tests use.  Evaluations that cannot change
anything are left out: a state changes where an alert appears or disappears, and where a pending alert is due.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from lokictl.backtest.plan import Lookup, apply, comparisons
from lokictl.backtest.results import (
    Episode,
    Failure,
    Headroom,
    Missing,
    NearMiss,
    RuleHistory,
    Stretch,
    quantile,
    union,
)
from lokictl.backtest.series import Answers, Grid, Labels, runs
from lokictl.engine.evaluator import TOO_MANY_SERIES
from lokictl.logql import ast
from lokictl.logql.ast import COMPARISONS
from lokictl.logql.semantics import COUNTING
from lokictl.model.rules import AlertingRule, RecordingRule, Rule, RuleGroup
from lokictl.records import dataclass
from lokictl.ruler.alerts import Alert, AlertState
from lokictl.ruler.expansion import Vector
from lokictl.ruler.groups import never_runs, record

Elements = list[tuple[dict[str, str], float]]
InstantQuery = Callable[[str, int], Vector]
"""Answers the template function ``query``: LogQL and the time (ns)."""

# Labels made of these may change from evaluation to evaluation although the series are the same.
CHANGING = ("value", "Value", "query", "now", "__value__")
MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}


@dataclass(frozen=True)
class Settings:
    """What the ruler's configuration says: labels and URL for templates, its interval (ns), Loki's series limit."""

    evaluation_interval: int = 60_000_000_000
    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""
    max_series: int = 500


def evaluate_rule(
    group: RuleGroup,
    rule: Rule,
    grid: Grid,
    lookup: Lookup,
    *,
    start: int,
    end: int,
    settings: Settings | None = None,
    query: InstantQuery | None = None,
    details: bool = True,
    whole: bool = False,
) -> RuleHistory:
    """The history of one rule.

    ``lookup`` gives the answers to the rule's queries (`lokictl.backtest.plan.queries`) on ``grid``; ``details``
    False leaves out annotations, peaks and headroom, which a sweep does not need; ``whole``: the expression was
    asked as it is.
    """
    settings = settings or Settings()
    history = RuleHistory(group, rule, grid, start, end)
    history.refusal = never_runs(rule)
    answers = Answers()
    if not history.refusal:
        answers = lookup(str(rule.expression)) if whole else apply(rule.expression, lookup, grid)
        history.refusal = answers.refusal
    if history.refusal:
        first = max(grid.index(start), 0)
        failure = Failure(grid.time(first), grid.end, grid.count - first, history.refusal)
        history.failures = [failure] if grid.count > first else []
        return history
    failures = dict(answers.failures)
    check_series(answers, failures, settings.max_series)
    walk = _Walk(group, rule, grid, answers, failures, settings, query)
    if isinstance(rule, AlertingRule):
        _alerting(history, walk, details=details)
    else:
        _recording(history, walk)
    history.failures = list(_failures(walk.failures, grid, start))
    history.missing = [
        Missing(max(grid.time(gap.first), start), min(grid.time(gap.last) + grid.step, end), gap.reason)
        for gap in answers.gaps
        if grid.time(gap.last) >= start
    ]
    if not whole:
        history.headroom = _headrooms(rule.expression, lookup, grid, history) if details else []
        history.no_data = _no_data(rule.expression, lookup, grid, history, answers)
    if details:
        history.episodes = [_with_peak(episode, history) for episode in history.episodes]
    return history


def check_series(answers: Answers, failures: dict[int, str], limit: int) -> None:
    """Loki refuses a result of too many series, though not the larger ones that it is made of."""
    if not limit or len(answers.series) <= limit:
        return
    counts: dict[int, int] = {}
    for column in answers.series.values():
        for index in column.indexes:
            counts[index] = counts.get(index, 0) + 1
    for index, count in counts.items():
        if count > limit:
            failures.setdefault(index, TOO_MANY_SERIES.format(limit=limit))


class _Walk:
    """The evaluations of one rule that may change something, in the order of time."""

    def __init__(
        self,
        group: RuleGroup,
        rule: Rule,
        grid: Grid,
        answers: Answers,
        failures: dict[int, str],
        settings: Settings,
        query: InstantQuery | None,
    ) -> None:
        self.group, self.rule, self.grid = group, rule, grid
        self.settings, self.query = settings, query
        self.failures = failures
        self.columns = list(answers.series.values())
        self.labels = [dict(labels) for labels in answers.series]
        self.skipped = failures.keys() | answers.missing()
        self.present: set[int] = set()
        self.starts: dict[int, list[int]] = {}
        self.ends: dict[int, list[int]] = {}
        self.due: list[int] = []
        self._find_changes()

    def _find_changes(self) -> None:
        for number, column in enumerate(self.columns):
            for first, last in runs(column.indexes):
                self.starts.setdefault(self._evaluated(first), []).append(number)
                self.ends.setdefault(self._evaluated(last + 1), []).append(number)
        self.due = sorted(self.starts.keys() | self.ends.keys())
        heapq.heapify(self.due)

    def _evaluated(self, index: int) -> int:
        """The first evaluation from ``index`` on that succeeds."""
        while index in self.skipped:
            index += 1
        return index

    def expect(self, index: int) -> None:
        """Asks for the evaluation at ``index`` (or the first after it that succeeds)."""
        heapq.heappush(self.due, self._evaluated(index))

    def __iter__(self) -> Iterator[int]:
        last = -1
        while self.due:
            index = heapq.heappop(self.due)
            if index == last or index >= self.grid.count:
                continue
            self.present.difference_update(self.ends.get(index, ()))
            self.present.update(number for number in self.starts.get(index, ()) if self._has(number, index))
            last = index
            yield index

    def _has(self, number: int, index: int) -> bool:
        column = self.columns[number]
        position = bisect_left(column.indexes, index)
        return position < len(column) and column.indexes[position] == index

    def vector(self, index: int) -> Elements:
        """The elements of the vector at ``index``."""
        found: Elements = []
        for number in sorted(self.present):
            column = self.columns[number]
            position = bisect_left(column.indexes, index)
            if position < len(column) and column.indexes[position] == index:
                found.append((self.labels[number], column.values[position]))
        return found


# --- alerting rules ----------------------------------------------------------------------------------------


class _Stages:
    """What became of the alerts of one rule."""

    def __init__(self) -> None:
        self.pending: dict[Labels, int] = {}
        self.firing: dict[Labels, Episode] = {}
        self.pendings: list[tuple[Labels, int, int]] = []
        self.fired: list[tuple[Labels, int, int]] = []
        self.episodes: list[Episode] = []

    def note(
        self, time: int, before: int, alerts: Iterable[Alert], source: Mapping[Labels, Elements]
    ) -> None:
        """What changed at ``time``; ``before`` is the time of the evaluation before."""
        seen: set[Labels] = set()
        for alert in alerts:
            key = tuple(alert.labels.items())
            if alert.state == "pending":
                seen.add(key)
                self.pending.setdefault(key, alert.active_at)
            elif alert.state == "firing":
                seen.add(key)
                if key not in self.firing:
                    began = self.pending.pop(key, None)
                    if began is not None:
                        self.fired.append((key, began, time))
                    labels = source[key][0][0] if key in source else {}
                    self.firing[key] = Episode(alert.labels, labels, alert.active_at, time, None, alert.value)
        for key in [key for key in self.pending if key not in seen]:
            self.pendings.append((key, self.pending.pop(key), before))
        for key in [key for key in self.firing if key not in seen]:
            self.episodes.append(replace(self.firing.pop(key), resolved_at=time))


def _alerting(history: RuleHistory, walk: _Walk, *, details: bool) -> None:
    rule = history.rule
    assert isinstance(rule, AlertingRule)
    plain = replace(rule, annotations={})
    state = _state(plain, walk)
    changing = any("{{" in text and any(word in text for word in CHANGING) for text in rule.labels.values())
    stages = _Stages()
    for index in walk:
        time = walk.grid.time(index)
        vector = walk.vector(index)
        alerts = state.step(time, vector)
        if state.error:
            walk.failures[index] = state.error
            walk.expect(index + 1)
        if changing and vector:
            walk.expect(index + 1)
        for alert in alerts:
            if alert.state == "pending":
                waits = -(-(alert.active_at + rule.for_ - walk.grid.start) // walk.grid.step)
                walk.expect(max(waits, index + 1))
        opened = len(stages.firing)
        source = _by_alert(state, vector) if any(alert.state == "firing" for alert in alerts) else {}
        stages.note(time, _last_evaluation(walk, index), alerts, source)
        if (
            details
            and rule.annotations
            and (
                len(stages.firing) > opened
                or any(episode.fired_at == time for episode in stages.firing.values())
            )
        ):
            _annotate(stages, rule, walk, time, vector)
    _finish(history, stages, walk)


def _state(rule: AlertingRule, walk: _Walk) -> AlertState:
    return AlertState(
        rule,
        limit=walk.group.limit,
        external_labels=walk.settings.external_labels,
        external_url=walk.settings.external_url,
        interval=walk.grid.step,
        query=walk.query,
    )


def _by_alert(state: AlertState, vector: Elements) -> dict[Labels, Elements]:
    """The elements of a vector by the labels of the alert that each makes."""
    rule_labels = state.rule.labels
    if len(vector) == 1:
        active = [alert for alert in state.alerts if alert.state != "inactive"]
        if len(active) == 1:
            return {tuple(active[0].labels.items()): vector}
    found: dict[Labels, Elements] = {}
    for element in vector:
        lone = AlertState(
            replace(state.rule, for_=0, labels=rule_labels),
            external_labels=state.external_labels,
            external_url=state.external_url,
        )
        for alert in lone.step(0, [element]):
            found.setdefault(tuple(alert.labels.items()), []).append(element)
    return found


def _last_evaluation(walk: _Walk, index: int) -> int:
    before = index - 1
    while before in walk.skipped:
        before -= 1
    return walk.grid.time(before)


def _annotate(stages: _Stages, rule: AlertingRule, walk: _Walk, time: int, vector: Elements) -> None:
    fresh = _state(replace(rule, for_=0), walk)
    for alert in fresh.step(time, vector):
        key = tuple(alert.labels.items())
        episode = stages.firing.get(key)
        if episode is not None and episode.fired_at == time:
            stages.firing[key] = replace(episode, annotations=alert.annotations)


def _finish(history: RuleHistory, stages: _Stages, walk: _Walk) -> None:
    start, end = history.start, history.end
    rule = history.rule
    assert isinstance(rule, AlertingRule)
    episodes = stages.episodes + list(stages.firing.values())
    history.episodes = sorted(
        (
            one
            for one in episodes
            if one.fired_at <= end and (one.resolved_at is None or one.resolved_at > start)
        ),
        key=lambda one: (one.fired_at, sorted(one.labels.items())),
    )
    history.near_misses = [
        NearMiss(dict(key), began, last, rule.for_)
        for key, began, last in sorted(stages.pendings, key=lambda item: (item[1], item[0]))
        if last >= start and began <= end
    ]
    open_ones = [(key, began, walk.grid.end) for key, began in stages.pending.items()]
    waits = [(began, last + walk.grid.step) for _, began, last in stages.pendings + open_ones]
    waits += [(began, last) for _, began, last in stages.fired]
    history.pending = union((max(began, start), min(last, end)) for began, last in waits)


# --- recording rules ---------------------------------------------------------------------------------------


def _recording(history: RuleHistory, walk: _Walk) -> None:
    rule = history.rule
    assert isinstance(rule, RecordingRule)
    series: set[Labels] = set()
    last, written = -1, 0
    first = walk.grid.index(history.start - 1) + 1
    for index in walk:
        history.samples += written * _evaluations(walk, max(last, first), index)
        samples, failure = record(rule, walk.grid.time(index), walk.vector(index), limit=walk.group.limit)
        series.update(tuple(sample.labels.items()) for sample in samples)
        last, written = index, len(samples)
        if failure:
            walk.failures[index] = failure
            walk.expect(index + 1)
    history.samples += written * _evaluations(walk, max(last, first), walk.grid.count)
    history.series = len(series)


def _evaluations(walk: _Walk, first: int, until: int) -> int:
    """How many evaluations from ``first`` up to ``until`` succeed."""
    if first < 0 or until <= first:
        return 0
    if not walk.skipped:
        return until - first
    return sum(index not in walk.skipped for index in range(first, until))


# --- around them -------------------------------------------------------------------------------------------


def _failures(failures: Mapping[int, str], grid: Grid, start: int) -> Iterator[Failure]:
    by_kind: dict[str, list[int]] = {}
    for index in sorted(failures):
        if grid.time(index) >= start:
            # Which of several failing series Loki names is chance.
            by_kind.setdefault(failures[index].partition(" for series")[0], []).append(index)
    for indexes in by_kind.values():
        for first, last in runs(indexes):
            yield Failure(grid.time(first), grid.time(last), last - first + 1, failures[indexes[0]])


def _headrooms(expression: ast.Expr, lookup: Lookup, grid: Grid, history: RuleHistory) -> list[Headroom]:
    found = []
    for node in comparisons(expression):
        for value, threshold, operator in (
            (node.left, node.right, node.operator),
            (node.right, node.left, MIRRORED[node.operator]),
        ):
            if isinstance(threshold, ast.Literal) and not isinstance(value, ast.Literal):
                answers = apply(value, lookup, grid)
                found.append(_headroom(node, operator, threshold.value, answers, history))
    return found


def _headroom(
    node: ast.BinaryOperation, operator: str, threshold: float, answers: Answers, history: RuleHistory
) -> Headroom:
    first = history.grid.index(history.start - 1) + 1
    values = [
        value
        for column in answers.series.values()
        for value in column.values[bisect_left(column.indexes, first) :]
        if not math.isnan(value)
    ]
    if not values:
        return Headroom(node, operator, threshold, None, None, None, answers)
    below = operator in ("<", "<=")
    values.sort(reverse=below)
    return Headroom(
        node, operator, threshold, values[-1], quantile(values, 0.99), quantile(values, 0.5), answers
    )


def _no_data(
    expression: ast.Expr, lookup: Lookup, grid: Grid, history: RuleHistory, answers: Answers
) -> list[Stretch]:
    """Where the comparisons of a rule had nothing to compare.

    A count of lines has no value where there is nothing to count: that is a zero, not missing data.
    """
    known = {id(item.comparison): item.values for item in history.headroom}
    values: list[Answers] = []
    for node in comparisons(expression):
        if _only_counts(node):
            continue
        if id(node) in known:
            values.append(known[id(node)])
        elif node.operator in COMPARISONS:
            values.append(
                apply(node.left if not isinstance(node.left, ast.Literal) else node.right, lookup, grid)
            )
    if not values:
        return []
    present = answers.present().union(*(one.present() for one in values))
    present |= answers.failures.keys() | answers.missing()
    if len(present) >= grid.count:
        return []
    first = grid.index(history.start - 1) + 1
    absent = [index for index in range(max(first, 0), grid.count) if index not in present]
    return [
        (max(grid.time(begin), history.start), min(grid.time(last) + grid.step, history.end))
        for begin, last in runs(absent)
    ]


def _only_counts(node: ast.Expr) -> bool:
    return all(one.operation in COUNTING for one in node.find_all(ast.RangeAggregation))


def _with_peak(episode: Episode, history: RuleHistory) -> Episode:
    for item in history.headroom:
        column = item.values.series.get(tuple(sorted(episode.source.items())))
        if column is None:
            continue
        grid = history.grid
        first = bisect_left(column.indexes, grid.index(episode.active_at))
        last = grid.count if episode.resolved_at is None else grid.index(episode.resolved_at)
        values = column.values[first : bisect_left(column.indexes, last)]
        if values:
            peak = min(values) if item.operator in ("<", "<=") else max(values)
            return replace(episode, peak=peak)
    return episode


def shared_lead(rules: Sequence[Rule]) -> int:
    """How long before the start evaluations must begin for alerts to be in the right state there (ns)."""
    return max((rule.for_ for rule in rules if isinstance(rule, AlertingRule)), default=0)
