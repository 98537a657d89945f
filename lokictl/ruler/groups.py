"""Evaluates rule groups over time against a backend."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from lokictl.backends.interface import Backend, QueryError
from lokictl.durations import MINUTE, Duration, Time, epoch_nanoseconds, nanoseconds
from lokictl.logql import parse
from lokictl.logql.ast import LogExpr
from lokictl.logql.errors import LogQLError
from lokictl.model.rules import AlertingRule, RecordingRule, Rule, RuleGroup
from lokictl.records import dataclass
from lokictl.ruler.alerts import Alert, AlertState, Notification

if TYPE_CHECKING:
    from lokictl.engine import Result
    from lokictl.ruler.managed_state import Instance

NOT_A_VECTOR = "rule result is not a vector or scalar"
DUPLICATE_SAMPLES = "vector contains metrics with the same labelset after applying rule labels"

Vector = Sequence[tuple[Mapping[str, str], float]]


@dataclass(frozen=True, slots=True)
class RecordedSample:
    """One sample that a recording rule wrote: ``time`` in ns, ``labels`` without ``__name__``."""

    name: str
    labels: Mapping[str, str]
    value: float
    time: int


@dataclass(frozen=True, slots=True)
class RuleEvaluation:
    """One rule at one time.

    ``vector`` is the query's answer (empty if it failed); ``alerts`` every alert that an alerting rule remembers
    after this evaluation; ``samples`` what a recording rule wrote; ``error`` the ruler's text, "" if all is well;
    ``instances`` the states of a rule that Grafana manages.
    """

    rule: Rule
    time: int
    vector: tuple[tuple[Mapping[str, str], float], ...] = ()
    alerts: tuple[Alert, ...] = ()
    samples: tuple[RecordedSample, ...] = ()
    notifications: tuple[Notification, ...] = ()
    error: str = ""
    instances: tuple[Instance, ...] = ()

    @property
    def health(self) -> str:
        """ "ok" or "err"."""
        return "err" if self.error else "ok"

    @property
    def state(self) -> str:
        """The highest state of the alerts; "inactive" without any."""
        states = {alert.state for alert in self.alerts}
        return "firing" if "firing" in states else "pending" if "pending" in states else "inactive"

    @property
    def firing(self) -> list[Alert]:
        """The alerts that fire."""
        return [alert for alert in self.alerts if alert.state == "firing"]

    @property
    def pending(self) -> list[Alert]:
        """The alerts that are pending."""
        return [alert for alert in self.alerts if alert.state == "pending"]


@dataclass(frozen=True, slots=True)
class GroupEvaluation:
    """All rules of a group at one time, in the order of the group."""

    group: RuleGroup
    time: int
    rules: tuple[RuleEvaluation, ...]


class GroupEvaluator:
    """Evaluates the rules of one group, in order, and keeps their alerts from evaluation to evaluation.

    ``interval`` (ns) is the group's own, or ``evaluation_interval`` where it names none.  What Loki drops from rule
    files (``keep_firing_for``, ``query_offset``, labels of a group) has no effect here either; see
    `lokictl.model.rule_validation.dropped_settings`.
    """

    def __init__(
        self,
        group: RuleGroup,
        backend: Backend,
        *,
        evaluation_interval: Duration = MINUTE,
        external_labels: Mapping[str, str] | None = None,
        external_url: str = "",
        resend_delay: Duration = MINUTE,
    ) -> None:
        self.group = group
        self.backend = backend
        self.interval = group.interval or nanoseconds(evaluation_interval)
        self._refusals: dict[int, str] = {}
        self.states: list[AlertState | None] = [
            AlertState(
                rule,
                limit=group.limit,
                external_labels=external_labels,
                external_url=external_url,
                interval=self.interval,
                resend_delay=resend_delay,
                query=self._template_query,
                lazy=True,
            )
            if isinstance(rule, AlertingRule)
            else None
            for rule in group.rules
        ]

    def evaluate(self, time: Time) -> GroupEvaluation:
        """All rules at ``time``.  Times must not go back.  Raises `BackendError` if the backend fails."""
        moment = epoch_nanoseconds(time)
        evaluations = [
            self._alerting(state, moment) if state is not None else self._recording(rule, moment)
            for rule, state in zip(self.group.rules, self.states, strict=True)
        ]
        return GroupEvaluation(self.group, moment, tuple(evaluations))

    def run(self, start: Time, end: Time) -> Iterator[GroupEvaluation]:
        """Evaluations at ``start``, ``start`` + interval, … up to and including ``end``."""
        first, last = epoch_nanoseconds(start), epoch_nanoseconds(end)
        self.expect(first, last)
        for time in range(first, last + 1, self.interval):
            yield self.evaluate(time)

    def expect(self, start: int, end: int) -> None:
        """Tells the backend that the rules will be asked from ``start`` to ``end``."""
        for rule in self.group.rules:
            self.backend.expect(evaluated_text(rule), start, end, self.interval)

    def _alerting(self, state: AlertState, time: int) -> RuleEvaluation:
        vector: Vector = ()
        try:
            vector = self._answer(state.rule, time)
        except QueryError as error:
            alerts = state.fail(time, error.text)
        else:
            alerts = state.step(time, vector)
        return RuleEvaluation(
            state.rule,
            time,
            vector=tuple(vector),
            alerts=tuple(alerts),
            notifications=tuple(state.notifications),
            error=state.error,
        )

    def _recording(self, rule: Rule, time: int) -> RuleEvaluation:
        assert isinstance(rule, RecordingRule)
        try:
            vector = self._answer(rule, time)
        except QueryError as error:
            return RuleEvaluation(rule, time, error=f"rule evaluation failed: {error.text}")
        samples, failure = record(rule, time, vector, limit=self.group.limit)
        return RuleEvaluation(rule, time, vector=tuple(vector), samples=tuple(samples), error=failure)

    def _answer(self, rule: Rule, time: int) -> Vector:
        refusal = self._refusals.get(id(rule))
        if refusal is None:
            refusal = self._refusals[id(rule)] = never_runs(rule)
        if refusal:
            raise QueryError(refusal)
        result = self.backend.query(evaluated_text(rule), time=time)
        return vector_of(result)

    def _template_query(self, expression: str, time: int) -> Vector:
        return vector_of(self.backend.query(expression, time=time))


def instant_vector(backend: Backend, rule: Rule, time: int) -> Vector:
    """What the ruler's query of a rule gives at ``time``.  Raises `QueryError` where it fails."""
    refusal = never_runs(rule)
    if refusal:
        raise QueryError(refusal)
    return vector_of(backend.query(evaluated_text(rule), time=time))


def evaluated_text(rule: Rule) -> str:
    """What the ruler asks for a rule: the canonical text of its expression, with what that loses.

    The query API runs the expression itself.
    """
    try:
        return rule.canonical
    except LogQLError:
        return rule.expr


def never_runs(rule: Rule) -> str:
    """Why every evaluation of a rule fails, whatever the logs are; "" where it does not.

    Loki accepts log queries as rules, and runs the canonical text of the expression: one that does not parse again
    (a literal that folds to ``NaN``, ``group_left`` without labels in front of a compound side) can be stored but
    never run.
    """
    try:
        expression = rule.expression
        if isinstance(expression, LogExpr):
            return NOT_A_VECTOR
        return "" if rule.canonical == rule.expr else _reprint_error(rule.canonical)
    except LogQLError as error:
        return str(error)


@lru_cache(maxsize=4096)
def _reprint_error(canonical: str) -> str:
    try:
        parse(canonical)
    except LogQLError as error:
        return str(error)
    return ""


def vector_of(result: Result) -> Vector:
    """A query's answer as a vector; a scalar is an element without labels.  Raises `QueryError` for others."""
    if result.kind == "vector":
        return result.vector
    if result.kind == "scalar" and result.scalar is not None:
        return [({}, result.scalar)]
    raise QueryError(NOT_A_VECTOR)


def record(
    rule: RecordingRule, time: int, vector: Vector, *, limit: int = 0
) -> tuple[list[RecordedSample], str]:
    """The samples that a recording rule writes for a query's answer, or none and the reason.

    Labels of the rule are taken as they are (no templates); an empty one removes the label.
    """
    samples: dict[tuple[tuple[str, str], ...], RecordedSample] = {}
    for labels, value in vector:
        merged = {**labels, **rule.labels}
        merged.pop("__name__", None)
        kept = {name: merged[name] for name in sorted(merged) if merged[name] != ""}
        key = tuple(kept.items())
        if key in samples:
            return [], DUPLICATE_SAMPLES
        samples[key] = RecordedSample(rule.record, kept, value, time)
    if 0 < limit < len(samples):
        return [], f"exceeded limit of {limit} with {len(samples)} series"
    return [samples[key] for key in sorted(samples)], ""


def evaluate_groups(
    evaluators: Iterable[GroupEvaluator], *, start: int, end: int
) -> Iterator[GroupEvaluation]:
    """Evaluations of several groups from ``start`` to ``end`` (ns, inclusive), in the order of time.

    Groups due at the same time come in the given order.
    """
    found = list(evaluators)
    for evaluator in found:
        evaluator.expect(start, end)
    due = [(start, index) for index in range(len(found)) if start <= end]
    heapq.heapify(due)
    while due:
        time, index = heapq.heappop(due)
        yield found[index].evaluate(time)
        following = time + found[index].interval
        if following <= end:
            heapq.heappush(due, (following, index))
