"""One test on one backend: how it is run, and what came of it."""

from __future__ import annotations

import time as clock
from typing import TYPE_CHECKING

from lokictl.diagnostics import LokictlError, Position
from lokictl.records import dataclass
from lokictl.testing.compare import Comparison
from lokictl.testing.execution import TestRun, run_test
from lokictl.testing.explain import Explainer
from lokictl.testing.model import TestCase, TestFile
from lokictl.testing.outcome import Failure, TestResult
from lokictl.testing.rule_set import RuleSet

if TYPE_CHECKING:
    from lokictl.backends import Backend

Case = tuple[TestFile, TestCase, RuleSet]


@dataclass(frozen=True)
class RunOptions:
    """How to run: ``engines`` are the names of backends, more than one compares them; ``jobs`` processes."""

    engines: tuple[str, ...] = ("embedded",)
    fail_fast: bool = False
    jobs: int = 1
    allow_push: bool = False
    home: str = "loki"


def run_case(file: TestFile, test: TestCase, rules: RuleSet, backend: Backend) -> TestResult:
    """Runs one test on an empty backend and compares."""
    return run_and_keep(file, test, rules, backend)[0]


def run_and_keep(
    file: TestFile, test: TestCase, rules: RuleSet, backend: Backend, *, home: str = "loki"
) -> tuple[TestResult, TestRun | None]:
    """As `run_case`; gives what happened, too (None where the backend could not be used)."""
    started = clock.perf_counter()
    result = TestResult(file, test, backend.name)
    happened: TestRun | None = None
    try:
        happened = run_test(test, rules, backend, evaluation_interval=file.evaluation_interval, home=home)
        comparison = Comparison(
            happened, rules, fuzzy=file.fuzzy_compare, explain=Explainer(test, backend).explain
        )
        result.observations = list(comparison.observations())
        result.failures = [item.failure for item in result.observations if item.failure is not None]
        result.failures += comparison.errors()
        if not result.failures:
            # They hold on to all that happened, and only failures are looked at again.
            result.observations = []
    except LokictlError as error:
        if error.problems[0].name == "backend/unreachable":
            raise
        position = test.place.position() if test.place is not None else Position()
        problem = error.problems[0]
        result.failures.append(
            Failure(f"{backend.name}: {problem.message}", position, details=(problem.hint,))
        )
    result.seconds = clock.perf_counter() - started
    return result, happened
