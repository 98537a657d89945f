"""Runs one test on a backend: pushes its lines, evaluates its rules, asks its queries."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from lokictl import ruler
from lokictl.backends import LogEntry, LogStream, QueryError
from lokictl.diagnostics import LokictlError, Problem
from lokictl.engine.levels import detect_level, service_name
from lokictl.model import Rule, RuleGroup
from lokictl.records import dataclass
from lokictl.ruler import GroupEvaluator, evaluate_groups
from lokictl.testing.model import QueryExpectation, TestCase
from lokictl.testing.rule_set import RuleSet

if TYPE_CHECKING:
    from lokictl.backends import Backend
    from lokictl.engine import Result
    from lokictl.ruler import GroupEvaluation, RuleEvaluation


MAX_EVALUATIONS = 200_000


@dataclass
class Timeline:
    """All evaluations of one rule in a test, in the order of time."""

    rule: Rule
    group: RuleGroup
    evaluations: list[RuleEvaluation] = field(default_factory=list)

    def at(self, time: int) -> RuleEvaluation | None:
        """The last evaluation at or before ``time`` (ns)."""
        index = bisect_right(self.evaluations, time, key=lambda evaluation: evaluation.time)
        return self.evaluations[index - 1] if index else None


@dataclass
class Answer:
    """The answer to a query of a test at ``time`` (ns): a result, or the text of its error."""

    query: QueryExpectation
    time: int
    result: Result | None = None
    error: str = ""


@dataclass
class TestRun:
    """What happened in a test."""

    __test__ = False

    test: TestCase
    timelines: list[Timeline] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def of(self, name: str) -> list[Timeline]:
        """The rules of a name (an alert may be defined several times)."""
        return [timeline for timeline in self.timelines if timeline.rule.name == name]


def run_test(
    test: TestCase, rules: RuleSet, backend: Backend, *, evaluation_interval: int, home: str = "loki"
) -> TestRun:
    """Runs a test on an empty backend.  Raises `lokictl.backends.BackendError` where that cannot be used."""
    backend.push(log_streams(test, backend))
    groups = rules.only(test.rule_names)
    return evaluate(test, groups, backend, evaluation_interval=evaluation_interval, home=home)


def log_streams(test: TestCase, backend: Backend | None = None) -> Iterator[LogStream]:
    """The test's lines as a backend takes them, with the discoveries that it does not make itself."""
    with_names = test.discover_service_name and not (backend and backend.discovers_service_name)
    with_levels = test.discover_log_levels and not (backend and backend.discovers_log_levels)
    for stream in test.streams:
        labels = dict(stream.labels)
        if with_names:
            labels.setdefault("service_name", service_name(labels))
        entries = stream.lines
        if with_levels:
            entries = [entry._replace(metadata=_with_level(entry, labels)) for entry in entries]
        yield LogStream(labels, entries)


def _with_level(entry: LogEntry, labels: Mapping[str, str]) -> dict[str, str]:
    text = entry.line.encode("utf-8", "surrogateescape")
    return dict(detect_level(text, labels, tuple(sorted(entry.metadata.items()))))


def evaluate(
    test: TestCase,
    groups: list[RuleGroup],
    backend: Backend,
    *,
    evaluation_interval: int,
    home: str = "loki",
) -> TestRun:
    """Evaluates groups and queries in the order of time, as late lines need it.

    ``home`` says who evaluates the alerting rules: the ruler of "loki", or "grafana".

    Raises `LokictlError` for a test that would evaluate groups more than `MAX_EVALUATIONS` times.
    """
    run = TestRun(test)
    timelines: dict[tuple[int, int], Timeline] = {}
    for number, group in enumerate(groups):
        for index, rule in enumerate(group.rules):
            timelines[number, index] = Timeline(rule, group)
    run.timelines = list(timelines.values())
    evaluator_class = ruler.ManagedGroupEvaluator if home == "grafana" else GroupEvaluator
    evaluators = [
        evaluator_class(
            group,
            backend,
            evaluation_interval=evaluation_interval,
            external_labels=test.external_labels,
            external_url=test.external_url,
        )
        for group in groups
    ]
    numbers = {id(group): number for number, group in enumerate(groups)}
    waiting = sorted(
        ((time, index) for index, query in enumerate(test.queries) for time in query.times or (query.end,)),
        reverse=True,
    )
    last = [item.last_time for item in test.alerts] + [item.last_time for item in test.recordings]
    end = max(last, default=test.start - 1)
    count = sum((end - test.start) // evaluator.interval + 1 for evaluator in evaluators)
    if count > MAX_EVALUATIONS:
        hint = "use an earlier time, or a longer evaluation_interval (or interval of the group)"
        message = f"the test would evaluate its groups {count:,} times; {MAX_EVALUATIONS:,} are allowed"
        raise LokictlError(Problem("test/too-long", message, hint=hint))
    for evaluation in evaluate_groups(evaluators, start=test.start, end=end):
        while waiting and waiting[-1][0] < evaluation.time:
            run.answers.append(_ask(test, backend, *waiting.pop()))
        _note(timelines, numbers[id(evaluation.group)], evaluation)
    while waiting:
        run.answers.append(_ask(test, backend, *waiting.pop()))
    return run


def _note(timelines: dict[tuple[int, int], Timeline], number: int, evaluation: GroupEvaluation) -> None:
    for index, rule in enumerate(evaluation.rules):
        timelines[number, index].evaluations.append(rule)


def _ask(test: TestCase, backend: Backend, time: int, index: int) -> Answer:
    query = test.queries[index]
    try:
        if not query.is_range:
            return Answer(query, time, backend.query(query.expr, time=time))
        result = backend.query_range(
            query.expr,
            start=query.start,
            end=query.end,
            step=query.step,
            limit=query.limit,
            direction=query.direction,
        )
        return Answer(query, time, result)
    except QueryError as error:
        return Answer(query, time, error=error.text)
