"""Coverage: does every alert fire, stay silent and resolve in a test, and does every part of its expression matter?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from lokictl.backends import EmbeddedBackend, QueryError
from lokictl.diagnostics import Position
from lokictl.logql import LogQLError
from lokictl.model import AlertingRule, Rule
from lokictl.parallel import in_processes
from lokictl.records import dataclass
from lokictl.testing.case import run_and_keep
from lokictl.testing.edits import Edit, removals
from lokictl.testing.execution import TestRun, Timeline
from lokictl.testing.model import MutationException, TestCase, TestFile
from lokictl.testing.rule_set import RuleSet
from lokictl.testing.runner import Suite

if TYPE_CHECKING:
    from lokictl.backends import Backend

BEHAVIOURS = {"alert": ("fires", "stays silent", "resolves"), "record": ("is written",)}

RuleKey = tuple[str, str, int]
"""Where a rule stands: rule file (or namespace), group, index."""


@dataclass
class RuleCoverage:
    """What the tests show of one rule: for each behavior and part the name of a test, or ""."""

    key: RuleKey
    rule: Rule
    behaviours: dict[str, str] = field(default_factory=dict)
    parts: list[tuple[Edit, str]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many behaviors and parts there are."""
        return len(self.behaviours) + len(self.parts)

    @property
    def covered(self) -> int:
        """How many of them a test shows."""
        return sum(bool(test) for test in self.behaviours.values()) + sum(
            bool(test) for _, test in self.parts
        )

    def missing(self) -> Iterator[tuple[str, Position]]:
        """What no test shows, and where it stands."""
        for name, test in self.behaviours.items():
            if not test:
                yield (
                    f"no test in which it {name}",
                    self.rule.origin.position("alert" if isinstance(self.rule, AlertingRule) else "record"),
                )
        for edit, test in self.parts:
            if not test:
                position = self.rule.origin.text_position(("expr",), edit.span.start, edit.span.end)
                yield f"no test in which the {edit.kind} {edit.before} matters", position


@dataclass
class CoverageReport:
    """The coverage of all rules."""

    rules: list[RuleCoverage] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many behaviors and parts there are."""
        return sum(rule.total for rule in self.rules)

    @property
    def covered(self) -> int:
        """How many of them a test shows."""
        return sum(rule.covered for rule in self.rules)

    @property
    def percent(self) -> float:
        """The share of them that a test shows; 100 where there is nothing to show."""
        return 100.0 * self.covered / self.total if self.total else 100.0


def measure_coverage(suite: Suite, *, jobs: int = 1) -> CoverageReport:
    """The coverage of the suite's rules by its tests (embedded engine).

    A part whose removal a `MutationException` excuses need not matter.
    """
    report = CoverageReport()
    found: dict[RuleKey, RuleCoverage] = {}
    for rules in suite.rules:
        for key, rule in keyed_rules(rules).items():
            if key not in found:
                found[key] = _empty(key, rule)
                report.rules.append(found[key])
    cases = list(suite.cases())
    for (_, test, _), shown in zip(cases, in_processes(_shown, cases, jobs), strict=True):
        for key, (behaviours, parts) in shown.items():
            coverage = found[key]
            for name in behaviours:
                coverage.behaviours[name] = coverage.behaviours[name] or test.name
            coverage.parts = [
                (edit, by or (test.name if index in parts else ""))
                for index, (edit, by) in enumerate(coverage.parts)
            ]
    exceptions = [item for file in suite.files for item in file.mutation_exceptions]
    for coverage in report.rules:
        coverage.parts = [
            (edit, by)
            for edit, by in coverage.parts
            if by or not any(excuses(item, coverage.rule, str(edit)) for item in exceptions)
        ]
    return report


def excuses(exception: MutationException, rule: Rule, change: str) -> bool:
    """Whether an exception mentions a change; ``*`` stands for anything, ``->`` for the arrow."""
    return _matches(exception.rule, rule.name) and _matches(exception.change, change)


def _matches(pattern: str, text: str) -> bool:
    words = [re.escape(part) for part in pattern.strip().replace("->", "→").split("*")]
    return re.fullmatch(".*".join(words), text, re.DOTALL) is not None


def keyed_rules(rules: RuleSet) -> dict[RuleKey, Rule]:
    """Every rule of a set by the place where it stands."""
    return {
        (file.path or file.namespace, group.name, index): rule
        for file in rules.files
        for group in file.groups
        for index, rule in enumerate(group.rules)
    }


def _empty(key: RuleKey, rule: Rule) -> RuleCoverage:
    names = BEHAVIOURS["alert" if isinstance(rule, AlertingRule) else "record"]
    return RuleCoverage(key, rule, dict.fromkeys(names, ""), [(edit, "") for edit in parts_of(rule)])


def parts_of(rule: Rule) -> list[Edit]:
    """The parts of a rule's expression that should matter; none where it does not parse."""
    try:
        return removals(rule.expression)
    except LogQLError:
        return []


Shown = dict[RuleKey, tuple[set[str], set[int]]]


def _shown(case: tuple[TestFile, TestCase, RuleSet]) -> Shown:
    """What one test shows: per rule its behaviors, and the numbers of the parts that mattered."""
    file, test, rules = case
    backend = EmbeddedBackend()
    result, run = run_and_keep(file, test, rules, backend)
    if run is None or not result.passed:
        return {}
    keys = {id(rule): key for key, rule in keyed_rules(rules).items()}
    return {
        keys[id(timeline.rule)]: (
            set(behaviours(test, run, timeline.rule)),
            {index for index, edit in enumerate(parts_of(timeline.rule)) if matters(edit, timeline, backend)},
        )
        for timeline in run.timelines
    }


def behaviours(test: TestCase, run: TestRun, rule: Rule) -> Iterator[str]:
    """What a test that passes shows of a rule, as far as it looks at it."""
    if not isinstance(rule, AlertingRule):
        for recording in test.recordings:
            if recording.record == rule.name and recording.samples:
                yield "is written"
        return
    timeline = next(line for line in run.timelines if line.rule is rule)
    entries = [entry for entry in test.alerts if entry.alertname == rule.name]
    looked_at = {time for entry in entries for time in entry.times}
    states = [(time, found.state) for time in sorted(looked_at) if (found := timeline.at(time)) is not None]
    firing = [time for time, state in states if state == "firing"]
    if firing or any(entry.fires_within is not None for entry in entries):
        yield "fires"
    if not any(found.state == "firing" for found in timeline.evaluations):
        yield "stays silent"
    later = any(time > firing[0] and state != "firing" for time, state in states) if firing else False
    if later or any(entry.resolves_within is not None for entry in entries):
        yield "resolves"


def matters(edit: Edit, timeline: Timeline, backend: Backend) -> bool:
    """Whether the rule's answer would have been another one at some time with the edited expression."""
    if not timeline.evaluations:
        return False
    text = str(edit.expression)
    backend.expect(text, timeline.evaluations[0].time, timeline.evaluations[-1].time)
    for evaluation in timeline.evaluations:
        try:
            result = backend.query(text, time=evaluation.time)
        except QueryError:
            return True
        if _plain(result.vector) != _plain(evaluation.vector):
            return True
    return False


def _plain(vector: Any) -> list[tuple[list[tuple[str, str]], str]]:
    # Values as text, so that NaN equals NaN.
    return sorted((sorted(_items(labels)), repr(value)) for labels, value in vector)


def _items(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    return list(labels.items())
