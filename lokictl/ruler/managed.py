"""Evaluates rules as Grafana does when it manages them: Normal, Pending, Alerting, Recovering, NoData, Error.

`ManagedGroupEvaluator` evaluates the Loki rules of a group as the Grafana-managed rules that
`lokictl.model.managed_translation` makes of them, against a backend; `lokictl.ruler.managed_state` has what Grafana
remembers between evaluations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property

from lokictl.backends.interface import QueryError
from lokictl.model.managed_alerts import ManagedRule
from lokictl.model.managed_translation import threshold_of
from lokictl.model.rules import AlertingRule
from lokictl.records import dataclass
from lokictl.ruler.alerts import Alert, AlertState
from lokictl.ruler.groups import GroupEvaluator, RuleEvaluation, Vector, never_runs, vector_of
from lokictl.ruler.managed_state import ALERTING, PENDING, RECOVERING, Instance, Key, ManagedState, key_of


@dataclass(frozen=True)
class ManagedCondition:
    """What Grafana asks Loki for a rule, and when an element of the answer fires."""

    query: str
    fires: Callable[[float], bool]

    @classmethod
    def of(cls, rule: AlertingRule) -> ManagedCondition:
        """As `lokictl.model.managed_translation` translates the rule."""
        compared = threshold_of(rule.expression)
        if compared is None:
            return cls(str(rule.expression), lambda value: True)
        left, operator, number = compared
        if operator == "gt":
            return cls(str(left), lambda value: value > number)
        return cls(str(left), lambda value: value < number)


def managed_rule_of(rule: AlertingRule) -> ManagedRule:
    """The Grafana-managed rule that an alerting rule of Loki becomes: no data is quiet, an error is one."""
    return ManagedRule(
        rule.alert,
        for_=rule.for_,
        keep_firing_for=rule.keep_firing_for,
        no_data_state="OK",
        exec_err_state="Error",
        missing_series=1,
    )


class ManagedGroupEvaluator(GroupEvaluator):
    """Evaluates the alerting rules of a group as Grafana would; recording rules stay as they are."""

    @cached_property
    def _managed(self) -> dict[int, ManagedState]:
        return {
            id(rule): ManagedState(managed_rule_of(rule))
            for rule in self.group.rules
            if isinstance(rule, AlertingRule)
        }

    def _alerting(self, state: AlertState, time: int) -> RuleEvaluation:
        rule, managed = state.rule, self._managed[id(state.rule)]
        vector: Vector = ()
        error = never_runs(rule)
        try:
            if error:
                raise QueryError(error)
            condition = ManagedCondition.of(rule)
            result = self.backend.query(condition.query, time=time)
            vector = vector_of(result)
        except QueryError as failure:
            instances = managed.fail(time)
            error = failure.text
        else:
            instances = managed.step(time, [(labels, condition.fires(value)) for labels, value in vector])
        values = {key_of(labels): value for labels, value in vector}
        alerts = [
            alert for instance in instances if (alert := _alert(state, instance, time, values)) is not None
        ]
        return RuleEvaluation(
            rule,
            time,
            vector=tuple(vector),
            alerts=tuple(alerts),
            error=error,
            instances=tuple(instances),
        )


_STATES = {PENDING: "pending", ALERTING: "firing", RECOVERING: "firing"}


def _alert(state: AlertState, instance: Instance, time: int, values: Mapping[Key, float]) -> Alert | None:
    """The alert of an instance in the ruler's words; None where it is not active."""
    if instance.state not in _STATES:
        return None
    value = values.get(key_of(instance.labels), float("nan"))
    alert = state.new_alert(time, instance.labels, value)
    return replace(alert, state=_STATES[instance.state], active_at=instance.since)
