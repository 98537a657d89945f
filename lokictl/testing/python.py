"""Rule tests in Python: push lines, ask for alerts, samples and answers at points in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lokictl.backends import EmbeddedBackend, LogEntry, LogStream
from lokictl.diagnostics import suggestion
from lokictl.durations import MINUTE, Duration, Time, epoch_nanoseconds, nanoseconds
from lokictl.model import RuleFile, RuleGroup, load_rule_files
from lokictl.ruler import GroupEvaluator
from lokictl.testing.execution import Timeline
from lokictl.testing.lines import line_maker
from lokictl.testing.model import DEFAULT_INTERVAL, DEFAULT_START

if TYPE_CHECKING:
    from lokictl.engine import Result
    from lokictl.ruler import Alert, RecordedSample, RuleEvaluation

Moment = Duration | datetime
"""A duration after the start (nanoseconds, a string such as "5m", a `timedelta`), or a `datetime` with a time zone."""


class RuleTest:
    """One test: rules, log lines, and the resulting alerts and samples.

    Times are durations after ``start``, or `datetime`s with a time zone.  Rules are evaluated from the start on, every
    interval of their group (``evaluation_interval`` where it has none).
    """

    __test__ = False

    def __init__(
        self,
        rules: Iterable[RuleGroup | RuleFile] = (),
        *,
        start: Time = DEFAULT_START,
        evaluation_interval: Duration = DEFAULT_INTERVAL,
        external_labels: Mapping[str, str] | None = None,
        external_url: str = "",
    ) -> None:
        self.start = epoch_nanoseconds(start)
        self.evaluation_interval = nanoseconds(evaluation_interval)
        self.external_labels = dict(external_labels or {})
        self.external_url = external_url
        self.groups: list[RuleGroup] = []
        self._streams: list[tuple[dict[str, str], list[LogEntry]]] = []
        self._backend: EmbeddedBackend | None = None
        self.add_rules(*rules)

    def add_rules(self, *rules: RuleGroup | RuleFile | Path | str) -> None:
        """Adds groups, or the groups of rule files.  Raises `lokictl.diagnostics.LokictlError`."""
        for item in rules:
            if isinstance(item, RuleGroup):
                self.groups.append(item)
            elif isinstance(item, RuleFile):
                self.groups += item.groups
            else:
                self.groups += [group for file in load_rule_files(item) for group in file.groups]

    def push(
        self,
        labels: Mapping[str, str],
        *,
        line: str = "",
        json: Mapping[str, Any] | None = None,
        logfmt: Mapping[str, Any] | None = None,
        at: Moment = 0,
        every: Duration = 0,
        count: int = 1,
        arrives_at: Moment | None = None,
        structured_metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Adds ``count`` lines, the first at ``at``, the others ``every`` apart; ``${index}`` in the text counts from
        0.
        """
        kind, value = (
            ("json", json)
            if json is not None
            else ("logfmt", logfmt)
            if logfmt is not None
            else ("line", line)
        )
        make = line_maker(kind, value)
        first, step = self._time(at), nanoseconds(every)
        arrival = self._time(arrives_at) if arrives_at is not None else None
        entries = []
        for index in range(count):
            time = first + index * step
            late = arrival if arrival is not None and arrival > time else None
            entries.append(LogEntry(time, make(index), dict(structured_metadata or {}), late))
        self._streams.append((dict(labels), entries))
        self._backend = None

    def state(self, alertname: str, at: Moment) -> str:
        """ "inactive", "pending" or "firing"."""
        states = {found.state for found in self._evaluations(alertname, at)}
        return "firing" if "firing" in states else "pending" if "pending" in states else "inactive"

    def alerts(self, alertname: str, at: Moment) -> list[Alert]:
        """The firing alerts."""
        return [alert for found in self._evaluations(alertname, at) for alert in found.firing]

    def samples(self, record: str, at: Moment) -> list[RecordedSample]:
        """The samples that a recording rule writes."""
        return [sample for found in self._evaluations(record, at) for sample in found.samples]

    def errors(self, rule: str, at: Moment) -> list[str]:
        """The errors of a rule's evaluation; empty if it succeeded."""
        return [found.error for found in self._evaluations(rule, at) if found.error]

    def query(self, expression: str, at: Moment) -> Result:
        """The result of an instant query.  Raises `lokictl.backends.QueryError`."""
        return self.backend.query(expression, time=self._time(at))

    @property
    def backend(self) -> EmbeddedBackend:
        """The embedded engine with the lines pushed so far."""
        if self._backend is None:
            self._backend = EmbeddedBackend()
            self._backend.push(LogStream(labels, entries) for labels, entries in self._streams)
        return self._backend

    def _evaluations(self, name: str, at: Moment) -> Sequence[RuleEvaluation]:
        end = self._time(at)
        known = [rule.name for group in self.groups for rule in group.rules]
        if name not in known:
            hint = suggestion(name, known, f"the rules have: {', '.join(known) or 'none'}")
            raise ValueError(f'unknown rule "{name}": {hint}')
        found: list[RuleEvaluation] = []
        for group in self.groups:
            timelines = {index: Timeline(rule, group) for index, rule in enumerate(group.rules)}
            if not any(rule.name == name for rule in group.rules):
                continue
            evaluator = GroupEvaluator(
                group,
                self.backend,
                evaluation_interval=self.evaluation_interval,
                external_labels=self.external_labels,
                external_url=self.external_url,
            )
            for evaluation in evaluator.run(self.start, end):
                for index, one in enumerate(evaluation.rules):
                    timelines[index].evaluations.append(one)
            found += [
                line.evaluations[-1]
                for line in timelines.values()
                if line.rule.name == name and line.evaluations
            ]
        return found

    def _time(self, time: Moment) -> int:
        if isinstance(time, datetime):
            return epoch_nanoseconds(time)
        return self.start + nanoseconds(time)


__all__ = ["MINUTE", "RuleTest"]
