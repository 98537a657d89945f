"""Evaluates rules as Loki's ruler does.

One rule, answers given by the caller::

    state = AlertState(rule, limit=0, external_labels={}, external_url="")
    alerts = state.step(time_ns, [({"pod": "a"}, 3.0)])   # -> list[Alert]
    alerts = state.fail(time_ns, "context deadline exceeded")
    state.state, state.health, state.error, state.notifications, state.samples

Groups over time, answers from a backend (`lokictl.backends`)::

    with EmbeddedBackend() as backend:
        backend.push([LogStream({"app": "web"}, [LogEntry(time_ns, "line")])])
        evaluator = GroupEvaluator(group, backend, external_labels={}, external_url="")
        for evaluation in evaluator.run(start_ns, end_ns):     # GroupEvaluation at each instant of the group
            for one in evaluation.rules:                       # RuleEvaluation, in the group's order
                one.rule, one.time, one.vector, one.alerts, one.samples, one.error

`evaluate_groups` interleaves several groups in the order of time, which late lines on a real Loki need.
`expand` expands one template of a label or annotation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokictl.lazy import lazy_names

if TYPE_CHECKING:
    from lokictl.ruler.alerts import Alert, AlertSample, AlertState, Notification
    from lokictl.ruler.expansion import ExpansionError, expand
    from lokictl.ruler.groups import (
        GroupEvaluation,
        GroupEvaluator,
        RecordedSample,
        RuleEvaluation,
        evaluate_groups,
        instant_vector,
        never_runs,
        record,
    )
    from lokictl.ruler.managed import ManagedGroupEvaluator

# Imported when asked for: lint only expands templates, and few rules are evaluated as Grafana does it.
_MODULES = {
    "Alert": "alerts",
    "AlertSample": "alerts",
    "AlertState": "alerts",
    "ExpansionError": "expansion",
    "GroupEvaluation": "groups",
    "GroupEvaluator": "groups",
    "ManagedGroupEvaluator": "managed",
    "Notification": "alerts",
    "RecordedSample": "groups",
    "RuleEvaluation": "groups",
    "evaluate_groups": "groups",
    "expand": "expansion",
    "instant_vector": "groups",
    "never_runs": "groups",
    "record": "groups",
}

__all__ = [
    "Alert",
    "AlertSample",
    "AlertState",
    "ExpansionError",
    "GroupEvaluation",
    "GroupEvaluator",
    "ManagedGroupEvaluator",
    "Notification",
    "RecordedSample",
    "RuleEvaluation",
    "evaluate_groups",
    "expand",
    "instant_vector",
    "never_runs",
    "record",
]

__getattr__ = lazy_names(__name__, _MODULES)
