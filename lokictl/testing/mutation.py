"""Mutation: changes one thing at a time in the rules, and lists the changes that no test notices."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from lokictl.backends import EmbeddedBackend
from lokictl.diagnostics import Position, Problem, Severity
from lokictl.logql import LogQLError, ast
from lokictl.logql.ast import Span
from lokictl.logql.units import format_prometheus_duration
from lokictl.model import AlertingRule, Rule, RuleGroup
from lokictl.parallel import Tick, in_processes
from lokictl.records import dataclass
from lokictl.testing.compare import Comparison
from lokictl.testing.coverage import RuleKey, excuses, keyed_rules
from lokictl.testing.edits import mutations
from lokictl.testing.execution import evaluate, log_streams
from lokictl.testing.model import MutationException, TestCase, TestFile
from lokictl.testing.rule_set import RuleSet
from lokictl.testing.runner import Suite

if TYPE_CHECKING:
    from lokictl.backends import Backend


@dataclass(frozen=True)
class Mutant:
    """One change of one rule: ``change`` is its text, ``changed`` the rule after it."""

    rule: Rule
    change: str
    changed: Rule
    span: Span = ast.NO_SPAN
    part: tuple[str, ...] = ("expr",)

    @property
    def position(self) -> Position:
        """Where the changed part stands."""
        if self.part == ("expr",) and self.span != ast.NO_SPAN:
            return self.rule.origin.text_position(("expr",), self.span.start, self.span.end)
        return self.rule.origin.position(*self.part)


@dataclass(frozen=True)
class MutantResult:
    """What became of a mutant: the test that noticed it, or ""; the reason that excuses it, or ""."""

    mutant: Mutant
    noticed_by: str = ""
    reason: str = ""

    @property
    def survived(self) -> bool:
        """Whether no test noticed, and no reason says that none needs to."""
        return not self.noticed_by and not self.reason


@dataclass
class MutationReport:
    """All changes; ``untested`` are rules that no test names; ``seconds`` is how long it took."""

    results: list[MutantResult] = field(default_factory=list)
    untested: list[Rule] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def survivors(self) -> list[MutantResult]:
        """The changes that no test noticed and no reason excuses."""
        return [result for result in self.results if result.survived]

    @property
    def excused(self) -> list[MutantResult]:
        """The changes that no test noticed, with a written reason."""
        return [result for result in self.results if result.reason and not result.noticed_by]


def mutants_of(rule: Rule, interval: int) -> list[Mutant]:
    """Every change of a rule; ``interval`` (ns) is the one at which it is evaluated."""
    try:
        edits = mutations(rule.expression)
    except LogQLError:
        return []
    found = [Mutant(rule, str(edit), replace(rule, expr=str(edit.expression)), edit.span) for edit in edits]
    if isinstance(rule, AlertingRule):
        longer = rule.for_ + interval
        values = (longer, max(rule.for_ - interval, 0)) if rule.for_ else (longer,)
        for value in values:
            before, after = (format_prometheus_duration(item) for item in (rule.for_, value))
            change = f"for: {before} → {after}"
            found.append(Mutant(rule, change, replace(rule, for_=value), part=("for",)))
    return found


@dataclass(frozen=True)
class _Subject:
    """A rule, and the tests that name it."""

    rule: Rule
    group: RuleGroup
    cases: tuple[tuple[TestFile, TestCase, RuleSet], ...]

    @cached_property
    def mutants(self) -> list[Mutant]:
        """Every change of the rule."""
        interval = self.group.interval or max(
            (file.evaluation_interval for file, _, _ in self.cases), default=60_000_000_000
        )
        return mutants_of(self.rule, interval)


def run_mutations(
    suite: Suite,
    *,
    jobs: int = 1,
    progress: Callable[[Rule, list[MutantResult]], None] | None = None,
    tick: Tick | None = None,
) -> MutationReport:
    """Runs mutation testing on every rule that a test names (embedded engine).

    ``tick`` is called whenever the changes of one more rule have been tried, ``progress`` with the results.
    """
    started = clock.perf_counter()
    report = MutationReport()
    subjects: list[_Subject] = []
    for subject in _subjects(suite):
        if subject.cases:
            subjects.append(subject)
        else:
            report.untested.append(subject.rule)
    exceptions = [item for file in suite.files for item in file.mutation_exceptions]
    used: set[int] = set()
    # The rules with the most lines first, so that no process ends up alone with them.
    order = sorted(range(len(subjects)), key=lambda index: -_weight(subjects[index]))
    # The report needs all changes: made here, each process finds them made.
    for subject in subjects:
        _ = subject.mutants
    outcomes = in_processes(_try_all, [subjects[index] for index in order], jobs, progress=tick)
    by_subject = dict(zip(order, outcomes, strict=True))
    for index, subject in enumerate(subjects):
        results = []
        for mutant, noticed_by in zip(subject.mutants, by_subject[index], strict=True):
            reason = "" if noticed_by else _reason(mutant, exceptions, used)
            results.append(MutantResult(mutant, noticed_by, reason))
        report.results += results
        if progress is not None:
            progress(subject.rule, results)
    report.warnings = [_unused(item) for index, item in enumerate(exceptions) if index not in used]
    report.seconds = clock.perf_counter() - started
    return report


def _weight(subject: _Subject) -> int:
    return sum(stream.count for _, test, _ in subject.cases for stream in test.streams)


def _subjects(suite: Suite) -> list[_Subject]:
    found: dict[RuleKey, _Subject] = {}
    for file, rules in zip(suite.files, suite.rules, strict=True):
        groups = {id(rule): group for group, rule in rules.rules()}
        by_name: dict[str, list[TestCase]] = {}
        for test in file.tests:
            for name in test.rule_names:
                by_name.setdefault(name, []).append(test)
        for key, rule in keyed_rules(rules).items():
            cases = tuple((file, test, rules) for test in by_name.get(rule.name, ()))
            known = found.get(key)
            if known is None:
                found[key] = _Subject(rule, groups[id(rule)], cases)
            elif cases:
                found[key] = replace(known, cases=known.cases + cases)
    return list(found.values())


def _try_all(subject: _Subject) -> list[str]:
    """For each mutant of a rule the name of the test that noticed it, or ""."""
    trials = [_Trial(subject, *case) for case in subject.cases]
    return [_noticed_by(mutant, trials) for mutant in subject.mutants]


def _noticed_by(mutant: Mutant, trials: list[_Trial]) -> str:
    for index, trial in enumerate(trials):
        if trial.notices(mutant):
            # What notices one change notices others.
            trials.insert(0, trials.pop(index))
            return trial.test.name
    return ""


class _Trial:
    """One test, reduced to what it says about one rule, with its lines loaded once."""

    def __init__(self, subject: _Subject, file: TestFile, test: TestCase, rules: RuleSet) -> None:
        self.file, self.rules, self.rule = file, rules, subject.rule
        name = subject.rule.name
        self.test = replace(
            test,
            alerts=tuple(item for item in test.alerts if item.alertname == name),
            recordings=tuple(item for item in test.recordings if item.record == name),
            queries=(),
        )
        self._backend: Backend | None = None

    @property
    def backend(self) -> Backend:
        if self._backend is None:
            self._backend = EmbeddedBackend()
            self._backend.push(log_streams(self.test))
        return self._backend

    def notices(self, mutant: Mutant) -> bool:
        groups = [
            replace(
                group, rules=tuple(mutant.changed if _same(rule, self.rule) else rule for rule in group.rules)
            )
            for group in self.rules.only({self.rule.name})
        ]
        run = evaluate(self.test, groups, self.backend, evaluation_interval=self.file.evaluation_interval)
        comparison = Comparison(run, self.rules, fuzzy=self.file.fuzzy_compare)
        return next(comparison.failures(), None) is not None


def _same(rule: Rule, other: Rule) -> bool:
    return rule is other or (rule == other and rule.origin == other.origin)


def _reason(mutant: Mutant, exceptions: list[MutationException], used: set[int]) -> str:
    for index, item in enumerate(exceptions):
        if excuses(item, mutant.rule, mutant.change):
            used.add(index)
            return item.reason
    return ""


def _unused(item: MutationException) -> Problem:
    position = item.place.position() if item.place is not None else Position()
    return Problem(
        "test/unused-exception",
        f"no surviving change of {item.rule} is {item.change!r}",
        severity=Severity.WARNING,
        position=position,
        hint="remove the exception: a test notices the change, or there is no such change any more",
    )
