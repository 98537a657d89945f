"""Prints a run as a JUnit file."""

from __future__ import annotations

from lokictl.diagnostics import Problem
from lokictl.reporting.junit import Case, Outcome, Suite, junit_document
from lokictl.testing.outcome import Report, TestResult


def junit_xml(report: Report) -> str:
    """A JUnit file: a suite for each test file; files that cannot be read are errors."""
    files: dict[str, list[Case]] = {}
    for result in report.results:
        files.setdefault(result.file.path, []).append(_junit_case(result))
    suites = [Suite(path, tuple(cases)) for path, cases in files.items()]
    if report.problems:
        suites.append(Suite("files", tuple(map(_junit_problem, report.problems))))
    return junit_document("lokictl test", suites, seconds=report.seconds) + "\n"


def _junit_case(result: TestResult) -> Case:
    path = result.file.path
    name = result.test.name if result.engine == "embedded" else f"{result.test.name} [{result.engine}]"
    outcomes = [Outcome("skipped", result.skipped)] if result.skipped else []
    for failure in result.failures:
        text = "\n".join([f"{failure.position}: {failure.message}", *failure.details])
        outcomes.append(Outcome("failure", failure.message, text))
    return Case(name, path, tuple(outcomes), file=path, seconds=result.seconds)


def _junit_problem(problem: Problem) -> Case:
    outcome = Outcome("error", problem.message, problem.hint)
    return Case(str(problem.position), problem.position.file, (outcome,))
