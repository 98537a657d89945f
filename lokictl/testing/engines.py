"""Runs tests on real Lokis, and compares engines with each other."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lokictl.backends import BackendError, open_backend
from lokictl.backends.leftovers import ended_in_order
from lokictl.diagnostics import Position
from lokictl.logql.units import format_value
from lokictl.testing.case import Case, RunOptions, run_and_keep
from lokictl.testing.compare import logs_of, samples_of, since
from lokictl.testing.execution import Answer, TestRun, Timeline
from lokictl.testing.labels import format_labels
from lokictl.testing.model import TestCase
from lokictl.testing.outcome import Failure, TestResult
from lokictl.testing.side_by_side import side_by_side

if TYPE_CHECKING:
    from lokictl.backends import Backend
    from lokictl.ruler import RuleEvaluation

TOLERANCE = 1e-9
SHOWN_DIFFERENCES = 3


def run_on_engines(cases: Sequence[Case], options: RunOptions) -> Iterator[TestResult]:
    """The results of each test on each engine.

    With more than one engine, every difference to the first one is a failure.  Raises `BackendError` for an engine
    that is not there.
    """
    with ended_in_order(), contextlib.ExitStack() as stack:
        servers = _open_all(options, stack)
        for case in cases:
            first: TestRun | None = None
            for index, server in enumerate(servers):
                asked = {
                    "discover_service_name": case[1].discover_service_name,
                    "discover_log_levels": case[1].discover_log_levels,
                }
                with server.fresh(**asked) as backend:
                    result, happened = run_and_keep(*case, backend)
                if index == 0:
                    first = happened
                elif first is not None and happened is not None:
                    result.failures += differences(first, happened, servers[0].name, server.name)
                yield result


def _open_all(options: RunOptions, stack: contextlib.ExitStack) -> list[Backend]:
    if "all" not in options.engines:
        return [
            stack.enter_context(open_backend(name, allow_push=options.allow_push)) for name in options.engines
        ]
    return [stack.enter_context(server) for server in open_available(options.allow_push)]


def open_available(allow_push: bool) -> list[Backend]:
    """The embedded engine and every real Loki that is there: ``LOKI_URL``, ``loki`` on PATH, a container.

    The container is only tried where there is neither of the others.  Raises `BackendError` if there is no real
    Loki at all.
    """
    found = [open_backend("embedded")]
    reasons: list[str] = []
    url = os.environ.get("LOKI_URL", "")
    for name in (url, "binary", "docker"):
        if not name:
            reasons.append("LOKI_URL is not set")
            continue
        if name == "docker" and len(found) > 1:
            continue
        try:
            found.append(open_backend(name, allow_push=allow_push))
        except BackendError as error:
            reasons.append(error.problems[0].message)
    if len(found) == 1:
        raise BackendError(
            "there is no real Loki to compare with: " + "; ".join(reasons),
            hint="put `loki` on PATH, start Docker, or set LOKI_URL",
        )
    return found


# --- differences -------------------------------------------------------------------------------------------


def differences(first: TestRun, second: TestRun, first_name: str, second_name: str) -> list[Failure]:
    """One failure for each rule and query for which two engines say different things."""
    found: list[Failure] = []
    for one, other in zip(first.timelines, second.timelines, strict=True):
        found += _rule_differences(first.test, one, other, (first_name, second_name))
    answers = {(id(answer.query), answer.time): answer for answer in second.answers}
    for answer in first.answers:
        twin = answers[id(answer.query), answer.time]
        left, right = answer_lines(answer), answer_lines(twin)
        if not same_lines(left, right):
            place = answer.query.place
            found.append(
                Failure(
                    f"{first_name} and {second_name} differ at "
                    f"{since(first.test, answer.time)}: {' '.join(answer.query.expr.split())}",
                    place.position() if place is not None else Position(),
                    details=_table(first_name, second_name, left, right),
                )
            )
    return found


def _rule_differences(
    test: TestCase, one: Timeline, other: Timeline, names: tuple[str, str]
) -> Iterator[Failure]:
    differing = []
    for left, right in zip(one.evaluations, other.evaluations, strict=True):
        a, b = evaluation_lines(left), evaluation_lines(right)
        if not same_lines(a, b):
            differing.append((left.time, a, b))
    if not differing:
        return
    details: list[str] = []
    for time, a, b in differing[:SHOWN_DIFFERENCES]:
        details += [f"at {since(test, time)}:", *_table(*names, a, b)]
    if len(differing) > SHOWN_DIFFERENCES:
        details.append(f"… and at {len(differing) - SHOWN_DIFFERENCES} more points in time")
    rule = one.rule
    yield Failure(
        f"{names[0]} and {names[1]} differ on {rule.name} at {len(differing)} of {len(one.evaluations)} evaluations",
        rule.origin.position("expr"),
        details=tuple(details),
    )


def _table(
    first_name: str, second_name: str, left: list[tuple[str, Any]], right: list[tuple[str, Any]]
) -> tuple[str, ...]:
    shown = [
        [f"{text} {_shown(value)}".strip() for text, value in lines] or ["(nothing)"]
        for lines in (left, right)
    ]
    header = side_by_side([first_name], [second_name], marks=False)
    return tuple(header + side_by_side(shown[0], shown[1]))


def _shown(value: Any) -> str:
    return "" if value is None else format_value(value)


def evaluation_lines(evaluation: RuleEvaluation) -> list[tuple[str, float | None]]:
    """What an evaluation says: the error, or the elements of the answer and the alerts."""
    if evaluation.error:
        return [(f"error: {evaluation.error.splitlines()[0]}", None)]
    lines: list[tuple[str, float | None]] = [
        (format_labels(labels), value)
        for labels, value in sorted(evaluation.vector, key=lambda item: sorted(item[0].items()))
    ]
    for alert in evaluation.alerts:
        lines.append((f"{alert.state} {format_labels(alert.labels)}", None))
    return lines


def answer_lines(answer: Answer) -> list[tuple[str, float | None]]:
    """What an answer says, one line per sample or log line."""
    if answer.error:
        return [(f"error: {answer.error.splitlines()[0]}", None)]
    assert answer.result is not None
    if answer.result.kind == "streams":
        return [
            (f"{time} {format_labels(_own(labels))} {line}", None)
            for labels, time, line in sorted(logs_of(answer), key=lambda item: (item[1], item[2]))
        ]
    return [
        (f"{format_labels(labels)} step {index}", value)
        for labels, values in sorted(samples_of(answer), key=lambda item: sorted(item[0].items()))
        for index, value in enumerate(values)
    ]


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name != "detected_level"}


def same_lines(left: list[tuple[str, float | None]], right: list[tuple[str, float | None]]) -> bool:
    """Whether both say the same; values may differ in the last digits."""
    return len(left) == len(right) and all(
        a == b and _same_value(x, y) for (a, x), (b, y) in zip(left, right, strict=True)
    )


def _same_value(left: float | None, right: float | None) -> bool:
    if left is None or right is None:
        return left is right
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=1e-12)
