"""Compares what happened in a test with what it expects."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import Position
from lokictl.logql.units import format_prometheus_duration, format_value
from lokictl.model import AlertingRule, RecordingRule
from lokictl.model.documents import Cursor
from lokictl.testing.execution import Answer, TestRun, Timeline
from lokictl.testing.labels import format_labels
from lokictl.testing.model import (
    AlertExpectation,
    ExpectedAlert,
    ExpectedLog,
    ExpectedSample,
    QueryExpectation,
    RecordingExpectation,
    TestCase,
)
from lokictl.testing.outcome import Failure, Observation
from lokictl.testing.side_by_side import side_by_side

if TYPE_CHECKING:
    from lokictl.ruler import RuleEvaluation
    from lokictl.testing.rule_set import RuleSet

Labels = Mapping[str, str]
Samples = list[tuple[dict[str, str], tuple[float | None, ...]]]
"""Labels, and a value (or one per step, None for a gap)."""

Explain = Callable[[Timeline, int], list[str]]
"""Lines that explain a rule at a time: its states, last values, the lines that counted."""

FUZZY = 1e-6
RANK = {"firing": 2, "pending": 1, "inactive": 0}


class Comparison:
    """The observations of one test.

    ``explain`` is asked only where something is not as expected; ``fuzzy`` compares values with a tolerance.
    """

    def __init__(self, run: TestRun, rules: RuleSet, *, fuzzy: bool = False, explain: Explain | None = None):
        self.run, self.rules, self.fuzzy = run, rules, fuzzy
        self.explain = explain or (lambda timeline, time: [])
        self.test = run.test

    def observations(self) -> Iterator[Observation]:
        """One observation for each expectation and point in time; then rules that failed unexpectedly."""
        for alert in self.test.alerts:
            yield from self.alert(alert)
        for recording in self.test.recordings:
            yield from self.recording(recording)
        for answer in self.run.answers:
            yield self.answer(answer)

    def failures(self) -> Iterator[Failure]:
        """The failures of all observations, and evaluations that failed without being expected to."""
        for observation in self.observations():
            if observation.failure is not None:
                yield observation.failure
        yield from self.errors()

    # --- alerts ------------------------------------------------------------------------------------------------

    def alert(self, expectation: AlertExpectation) -> Iterator[Observation]:
        unknown = self.rules.unknown(expectation.alertname, AlertingRule)
        if unknown:
            message = f'unknown alert "{expectation.alertname}": {unknown}'
            yield self._unknown(expectation, message, "alertname")
            return
        timelines = self.run.of(expectation.alertname)
        for index, time in enumerate(expectation.times):
            evaluations = [found for line in timelines if (found := line.at(time)) is not None]
            actual = firing_alerts(evaluations)
            state = max((found.state for found in evaluations), key=RANK.__getitem__, default="inactive")
            failure = self._alert_failure(expectation, time, index, evaluations, actual, state)
            if failure is not None:
                actual = [(labels, dict(annotations)) for labels, annotations in actual]
            yield Observation(expectation, time, actual, state, failure)

    def _alert_failure(
        self,
        expectation: AlertExpectation,
        time: int,
        index: int,
        evaluations: list[RuleEvaluation],
        actual: list[tuple[Labels, Labels]],
        state: str,
    ) -> Failure | None:
        name, timelines = expectation.alertname, self.run.of(expectation.alertname)
        if expectation.error and not any(expectation.error in found.error for found in evaluations):
            errors = [found.error for found in evaluations if found.error] or ["no error"]
            details = [f"expected an error with: {expectation.error}", f"actual: {errors[0]}"]
            return self._failure(
                expectation,
                time,
                index,
                f"{name}: the evaluation did not fail with the expected error",
                details,
            )
        if expectation.state and state != expectation.state:
            message = f"{name}: expected {expectation.state}, but it is {state}"
            details = [line for timeline in timelines for line in self.explain(timeline, time)]
            return self._failure(expectation, time, index, message, details, expectation.state, state)
        if expectation.alerts is not None and not same_alerts(expectation.alerts, actual):
            message = f"{name}: {_counted(expectation.alerts, actual)}"
            details = alert_table(expectation.alerts, actual)
            details += [line for timeline in timelines for line in self.explain(timeline, time)]
            wanted = [{"labels": a.labels, "annotations": a.annotations} for a in expectation.alerts]
            found = [{"labels": labels, "annotations": dict(annotations)} for labels, annotations in actual]
            return self._failure(expectation, time, index, message, details, wanted, found)
        problem = within_problem(expectation, time, timelines)
        if problem:
            details = [
                line for timeline in timelines for line in self.explain(timeline, expectation.last_time)
            ]
            return self._failure(expectation, time, index, f"{name}: {problem}", details)
        return None

    # --- recorded samples --------------------------------------------------------------------------------------

    def recording(self, expectation: RecordingExpectation) -> Iterator[Observation]:
        unknown = self.rules.unknown(expectation.record, RecordingRule)
        if unknown:
            message = f'unknown recording rule "{expectation.record}": {unknown}'
            yield self._unknown(expectation, message, "record")
            return
        for index, time in enumerate(expectation.times):
            evaluations = [
                found for line in self.run.of(expectation.record) if (found := line.at(time)) is not None
            ]
            actual: Samples = [
                (dict(sample.labels), (sample.value,)) for found in evaluations for sample in found.samples
            ]
            failure = None
            errors = [found.error for found in evaluations if found.error]
            if expectation.error and not any(expectation.error in error for error in errors):
                details = [
                    f"expected an error with: {expectation.error}",
                    f"actual: {[*errors, 'no error'][0]}",
                ]
                message = f"{expectation.record}: the evaluation did not fail with the expected error"
                failure = self._failure(expectation, time, index, message, details)
            elif not self.same_samples(expectation.samples, actual, expectation.record):
                message = f"{expectation.record}: samples differ from the expected ones"
                details = sample_table(expectation.samples, actual)
                for timeline in self.run.of(expectation.record):
                    details += self.explain(timeline, time)
                failure = self._failure(expectation, time, index, message, details)
            yield Observation(expectation, time, actual, failure=failure)

    def same_samples(
        self,
        expected: tuple[ExpectedSample, ...],
        actual: Samples,
        name: str = "",
    ) -> bool:
        """Whether both are the same samples, in any order; the name of the metric may be left out."""
        wanted = {_label_key(sample.labels, name): sample.values for sample in expected}
        found = {_label_key(labels, name): values for labels, values in actual}
        if len(wanted) != len(expected) or wanted.keys() != found.keys():
            return False
        return all(
            len(values) == len(found[key])
            and all(same_value(a, b, fuzzy=self.fuzzy) for a, b in zip(values, found[key], strict=True))
            for key, values in wanted.items()
        )

    # --- queries -----------------------------------------------------------------------------------------------

    def answer(self, answer: Answer) -> Observation:
        query = answer.query
        index = query.times.index(answer.time) if query.times else 0
        shown = " ".join(query.expr.split())
        failure: Failure | None = None
        if query.error is not None:
            if not answer.error or query.error not in answer.error:
                details = [
                    f"expected an error with: {query.error}",
                    f"actual: {answer.error or 'an answer without error'}",
                ]
                failure = self._failure(
                    query, answer.time, index, f"{shown}: did not fail with the expected error", details
                )
        elif answer.error:
            failure = self._failure(query, answer.time, index, f"{shown}: failed", [answer.error])
        else:
            failure = self._answer_failure(answer, index, shown)
        return Observation(query, answer.time, answer, failure=failure)

    def _answer_failure(self, answer: Answer, index: int, shown: str) -> Failure | None:
        query, result = answer.query, answer.result
        assert result is not None
        if query.logs is not None:
            if result.kind != "streams":
                return self._failure(query, answer.time, index, f"{shown}: is not a log query", [])
            lines = logs_of(answer)
            if not same_logs(query.logs, lines):
                details = log_table(query.logs, lines, self.test.start)
                return self._failure(
                    query, answer.time, index, f"{shown}: lines differ from the expected ones", details
                )
        if query.samples is not None:
            if result.kind == "streams":
                hint = "a log query has no samples: use `exp_logs`"
                return self._failure(query, answer.time, index, f"{shown}: is a log query", [hint])
            actual = samples_of(answer)
            if not self.same_samples(query.samples, actual):
                details = sample_table(query.samples, actual)
                return self._failure(
                    query, answer.time, index, f"{shown}: samples differ from the expected ones", details
                )
        return None

    # --- evaluations that fail ---------------------------------------------------------------------------------

    def errors(self) -> Iterator[Failure]:
        """One failure for each rule that could not be evaluated although nobody expects that."""
        for timeline in self.run.timelines:
            name = timeline.rule.name
            entries: list[AlertExpectation | RecordingExpectation] = [
                *(entry for entry in self.test.alerts if entry.alertname == name),
                *(entry for entry in self.test.recordings if entry.record == name),
            ]
            last = max((entry.last_time for entry in entries), default=self.test.start)
            expected = [entry.error for entry in entries if entry.error]
            failed = [
                found
                for found in timeline.evaluations
                if found.error and found.time <= last and not any(text in found.error for text in expected)
            ]
            if failed:
                first = failed[0]
                yield Failure(
                    f"{name}: could not be evaluated at {self.since_start(first.time)}"
                    + (f" and {len(failed) - 1} more times" if len(failed) > 1 else ""),
                    *self._where(entries[0].place if entries else None),
                    details=tuple(first.error.split("\n")),
                )

    # --- what they share ---------------------------------------------------------------------------------------

    def since_start(self, time: int) -> str:
        """A time as a duration since the start of the test."""
        return since(self.test, time)

    def _unknown(
        self, expectation: AlertExpectation | RecordingExpectation, message: str, key: str
    ) -> Observation:
        position, line = self._where(expectation.place, key)
        return Observation(expectation, expectation.times[0], failure=Failure(message, position, line))

    def _failure(
        self,
        expectation: AlertExpectation | RecordingExpectation | QueryExpectation,
        time: int,
        index: int,
        message: str,
        details: list[str],
        expected: Any = None,
        actual: Any = None,
    ) -> Failure:
        part: tuple[str | int, ...] = ("eval_time",)
        if len(getattr(expectation, "times", ())) > 1:
            part = ("eval_time", index)
        position, line = self._where(expectation.place, *part)
        return Failure(
            f"{message}, at {self.since_start(time)}", position, line, tuple(details), expected, actual
        )

    def _where(self, place: Cursor | None, *path: str | int) -> tuple[Any, str]:
        if place is None:
            return Position(), ""
        position = place.position(*path)
        return position, place.line(position)


def since(test: TestCase, time: int) -> str:
    """A time as a duration since the start of a test."""
    return format_prometheus_duration(time - test.start) if time > test.start else "0s"


def firing_alerts(evaluations: list[RuleEvaluation]) -> list[tuple[Labels, Labels]]:
    """(labels without ``alertname``, annotations) of the alerts that fire, ordered by labels."""
    found = [
        (
            {name: value for name, value in alert.labels.items() if name != "alertname"},
            alert.annotations,
        )
        for evaluation in evaluations
        for alert in evaluation.firing
    ]
    return sorted(found, key=lambda item: sorted(item[0].items()))


def same_alerts(expected: tuple[ExpectedAlert, ...], actual: list[tuple[Labels, Labels]]) -> bool:
    """Whether the alerts are the expected ones, in any order."""
    return len(expected) == len(actual) == len(matched(expected, actual))


def matched(expected: Sequence[ExpectedAlert], actual: Sequence[tuple[Labels, Labels]]) -> dict[int, int]:
    """As many pairs as there are: the index of an actual alert -> that of the expected one.

    An expectation of some labels can fit several alerts, hence the search for another partner.
    """
    pairs: dict[int, int] = {}

    def take(wanted: int, tried: set[int]) -> bool:
        for index, alert in enumerate(actual):
            if index not in tried and expected[wanted].fits(*alert):
                tried.add(index)
                if index not in pairs or take(pairs[index], tried):
                    pairs[index] = wanted
                    return True
        return False

    for wanted in range(len(expected)):
        take(wanted, set())
    return pairs


def _counted(expected: tuple[ExpectedAlert, ...], actual: list[tuple[Labels, Labels]]) -> str:
    if len(expected) != len(actual):
        return f"expected {_alerts(len(expected))} to fire, {len(actual) or 'none'} did"
    return "labels or annotations differ from the expected ones"


def _alerts(count: int) -> str:
    return "no alert" if not count else f"{count} alert{'s' * (count != 1)}"


def within_problem(expectation: AlertExpectation, time: int, timelines: list[Timeline]) -> str:
    """What is wrong about ``fires_within`` and ``resolves_within`` from ``time`` on; "" if nothing is."""
    if expectation.fires_within is None and expectation.resolves_within is None:
        return ""
    states = firing_times(timelines, time)
    fired = next((at for at, firing in states if firing), None)
    if expectation.fires_within is not None:
        limit = format_prometheus_duration(expectation.fires_within)
        if fired is None:
            return f"did not fire within {limit}"
        if max(fired, time) > time + expectation.fires_within:
            return f"fired only after {format_prometheus_duration(fired - time)}, not within {limit}"
    if expectation.resolves_within is None:
        return ""
    if fired is None:
        return "never fired, so it cannot resolve"
    anchor = max(fired, time) if expectation.fires_within is not None else time
    limit = format_prometheus_duration(expectation.resolves_within)
    resolved = next((at for at, firing in states if at > fired and not firing), None)
    if resolved is None:
        return f"still firing: did not resolve within {limit}"
    if resolved > anchor + expectation.resolves_within:
        return f"resolved only after {format_prometheus_duration(resolved - anchor)}, not within {limit}"
    return ""


def firing_times(timelines: list[Timeline], time: int) -> list[tuple[int, bool]]:
    """From the evaluation in force at ``time`` on: when, and whether any of the rules fires."""
    found: dict[int, bool] = {}
    for timeline in timelines:
        first = timeline.at(time)
        for evaluation in timeline.evaluations:
            if first is None or evaluation.time >= first.time:
                firing = evaluation.state == "firing"
                found[evaluation.time] = found.get(evaluation.time, False) or firing
    return sorted(found.items())


def same_value(expected: float | None, actual: float | None, *, fuzzy: bool) -> bool:
    """Whether two values are equal (NaN equals NaN); ``fuzzy`` allows a relative difference of 1e-6."""
    if expected is None or actual is None:
        return expected is actual
    if math.isnan(expected) or math.isnan(actual):
        return math.isnan(expected) and math.isnan(actual)
    return expected == actual or (fuzzy and math.isclose(expected, actual, rel_tol=FUZZY))


def _label_key(labels: Labels, name: str) -> tuple[tuple[str, str], ...]:
    kept = {key: value for key, value in labels.items() if key != "__name__" or (name and value != name)}
    return tuple(sorted(kept.items())) if name else tuple(sorted(labels.items()))


# --- answers in plain form ---------------------------------------------------------------------------------


def samples_of(answer: Answer) -> Samples:
    """The samples of an answer: one value per series, or one per step (None: a gap)."""
    result, query = answer.result, answer.query
    assert result is not None
    if result.kind == "scalar":
        return [({}, (result.scalar,))]
    if result.kind == "vector":
        return [(dict(labels), (value,)) for labels, value in result.vector]
    steps = range(query.start, query.end + 1, query.step)
    found: Samples = []
    for labels, samples in result.matrix:
        values = {time // 1_000_000: value for time, value in samples}
        found.append((dict(labels), tuple(values.get(step // 1_000_000) for step in steps)))
    return found


def logs_of(answer: Answer) -> list[tuple[dict[str, str], int, str]]:
    """The lines of an answer in the query's direction: (labels, time ns, line)."""
    assert answer.result is not None
    lines = [
        (dict(labels), item.timestamp, item.line) for labels, items in answer.result.streams for item in items
    ]
    return sorted(lines, key=lambda item: item[1], reverse=answer.query.direction == "backward")


def same_logs(expected: tuple[ExpectedLog, ...], actual: list[tuple[dict[str, str], int, str]]) -> bool:
    """Whether the lines are the expected ones, in order."""
    return len(expected) == len(actual) and all(
        wanted.line == line
        and (wanted.labels is None or dict(wanted.labels) == labels)
        and (wanted.timestamp is None or wanted.timestamp == time)
        for wanted, (labels, time, line) in zip(expected, actual, strict=True)
    )


# --- tables ------------------------------------------------------------------------------------------------


def alert_table(expected: tuple[ExpectedAlert, ...], actual: list[tuple[Labels, Labels]]) -> list[str]:
    """Expected and actual alerts side by side; equal ones are left out where others differ."""
    pairs = matched(expected, actual)
    found = set(pairs.values())
    left = [alert for index, alert in enumerate(expected) if index not in found]
    right = [alert for index, alert in enumerate(actual) if index not in pairs]
    right_texts = [_alert_lines(labels, annotations) for labels, annotations in right]
    rows: list[str] = []
    same = len(expected) - len(left)
    for alert in left:
        own = _alert_lines(alert.labels, alert.annotations)
        best = max(right_texts, key=lambda text: len(set(text) & set(own)), default=[])
        if best:
            right_texts.remove(best)
        best = _asked(alert, own, best)
        rows += side_by_side(own, best or ["(no such alert fires)"])
    for text in right_texts:
        rows += side_by_side(["(no alert expected)"], text)
    header = side_by_side(["expected"], ["actual"], marks=False)
    return header + rows + ([f"({same} more as expected)"] if same else [])


def _asked(alert: ExpectedAlert, own: list[str], lines: list[str]) -> list[str]:
    """The lines of an actual alert that are compared with the expected one's."""
    names = {line.partition(":")[0] for line in own}
    return [
        line
        for line in lines
        if (
            not alert.some_labels
            if not line.startswith("  ")
            else alert.annotations is not None and not alert.some_annotations
        )
        or line.partition(":")[0] in names
    ]


def _alert_lines(labels: Labels, annotations: Labels | None) -> list[str]:
    lines = [f"{name}: {value}" for name, value in sorted(labels.items())] or ["(no labels)"]
    return lines + [f"  {name}: {value}" for name, value in sorted((annotations or {}).items())]


def sample_table(expected: tuple[ExpectedSample, ...], actual: Samples) -> list[str]:
    """Expected and actual samples side by side."""
    left = sorted(f"{format_labels(sample.labels)} {_values(sample.values)}" for sample in expected)
    right = sorted(f"{format_labels(labels)} {_values(values)}" for labels, values in actual)
    header = side_by_side(["expected"], ["actual"], marks=False)
    return header + side_by_side(left or ["(no samples)"], right or ["(no samples)"])


def _values(values: tuple[float | None, ...]) -> str:
    return " ".join("_" if value is None else format_value(value) for value in values)


def log_table(
    expected: tuple[ExpectedLog, ...], actual: list[tuple[dict[str, str], int, str]], start: int
) -> list[str]:
    """Expected and actual lines side by side."""
    with_labels = any(item.labels is not None for item in expected)
    with_time = any(item.timestamp is not None for item in expected)

    def shown(labels: Labels | None, time: int | None, line: str) -> str:
        parts = [format_prometheus_duration(time - start)] if with_time and time is not None else []
        parts += [format_labels(labels)] if with_labels and labels is not None else []
        return " ".join([*parts, line])

    left = [shown(item.labels, item.timestamp, item.line) for item in expected]
    right = [shown(*item) for item in actual]
    header = side_by_side(["expected"], ["actual"], marks=False)
    return header + side_by_side(left or ["(no lines)"], right or ["(no lines)"])
