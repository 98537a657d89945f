"""Where a rule behaves differently on Loki's ruler and in Grafana."""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.ruler import RuleEvaluation
from lokictl.testing.compare import since
from lokictl.testing.execution import TestRun, Timeline
from lokictl.testing.labels import format_labels
from lokictl.testing.model import TestCase
from lokictl.testing.outcome import Failure
from lokictl.testing.side_by_side import side_by_side

SHOWN = 5


def home_differences(on_ruler: TestRun, in_grafana: TestRun) -> list[Failure]:
    """One entry for each rule that is in another state at some time, with both sides."""
    found: list[Failure] = []
    for one, other in zip(on_ruler.timelines, in_grafana.timelines, strict=True):
        found += _rule(on_ruler.test, one, other)
    return found


def _rule(test: TestCase, one: Timeline, other: Timeline) -> Iterator[Failure]:
    differing = [
        (left, right)
        for left, right in zip(one.evaluations, other.evaluations, strict=True)
        if _active(left) != _active(right) or bool(left.error) != bool(right.error)
    ]
    if not differing:
        return
    details = side_by_side(["ruler"], ["grafana"], marks=False)
    for left, right in differing[:SHOWN]:
        details += [f"at {since(test, left.time)}:", *side_by_side(_shown(left), _shown_by_grafana(right))]
    if len(differing) > SHOWN:
        details.append(f"… and at {len(differing) - SHOWN} more points in time")
    count = f"{len(differing)} of {len(one.evaluations)}"
    message = f"{one.rule.name} is in another state in Grafana at {count} evaluations"
    yield Failure(message, one.rule.origin.position("expr"), details=tuple(details))


def _active(evaluation: RuleEvaluation) -> set[tuple[str, str]]:
    return {
        (alert.state, format_labels(alert.labels))
        for alert in evaluation.alerts
        if alert.state in ("pending", "firing")
    }


def _shown(evaluation: RuleEvaluation) -> list[str]:
    lines = [f"error: {evaluation.error.splitlines()[0]}"] if evaluation.error else []
    lines += [f"{alert.state} {format_labels(alert.labels)}" for alert in evaluation.alerts]
    return lines or ["(nothing)"]


def _shown_by_grafana(evaluation: RuleEvaluation) -> list[str]:
    lines = [f"{instance.shown} {format_labels(instance.labels)}" for instance in evaluation.instances]
    return lines or _shown(evaluation)
