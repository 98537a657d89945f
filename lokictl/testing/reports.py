"""Prints runs: text for people, JSON, GitHub annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import Position, Problem, Severity
from lokictl.reporting.github import annotation, problem_annotation
from lokictl.testing.outcome import Failure, Report, TestResult

if TYPE_CHECKING:
    from lokictl.testing.coverage import CoverageReport
    from lokictl.testing.mutation import MutantResult, MutationReport

Paint = Callable[[str, str], str]
CODES = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}


def painter(color: bool) -> Paint:
    """A function that colors a string (name of the color, text)."""
    if not color:
        return lambda name, text: text
    return lambda name, text: f"\x1b[{CODES[name]}m{text}\x1b[0m"


def count(number: int, noun: str) -> str:
    """``1 test``, ``2 tests``."""
    return f"{number} {noun}{'s' * (number != 1)}"


# --- text --------------------------------------------------------------------------------------------------


def failure_text(result: TestResult, *, color: bool = False) -> str:
    """A failed test: each expectation with its place and details."""
    paint = painter(color)
    engine = f" [{result.engine}]" if result.engine != "embedded" else ""
    lines = [paint("red", "FAIL ") + paint("bold", result.name) + engine]
    for failure in result.failures:
        place = f"{failure.position}: " if failure.position.file else ""
        lines.append(f"  {place}{failure.message}")
        lines += [f"      {_painted(line, paint)}" if line else "" for line in failure.details]
    return "\n".join(lines)


def differences_text(result: TestResult, *, color: bool = False) -> str:
    """Where a test's rules behave differently in Grafana, with both sides."""
    paint = painter(color)
    lines = [paint("yellow", "DIFFERS ") + paint("bold", result.name)]
    for difference in result.differences:
        place = f"{difference.position}: " if difference.position.file else ""
        lines.append(f"  {place}{difference.message}")
        lines += [f"      {_painted(line, paint)}" if line else "" for line in difference.details]
    return "\n".join(lines)


def _painted(line: str, paint: Paint) -> str:
    mark = line[51:52] if len(line) > 51 and line[50:51] == " " and line[52:53] == " " else ""
    return paint("yellow", line) if mark in ("|", "<", ">") and mark else line


def summary_text(report: Report, *, color: bool = False, filtered: int = 0) -> str:
    """The last line of a run."""
    paint = painter(color)
    parts = [f"{report.count('passed')} passed"]
    if report.failed:
        parts.append(paint("red", f"{len(report.failed)} failed"))
    if report.count("skipped"):
        parts.append(f"{report.count('skipped')} skipped")
    if report.problems:
        parts.append(paint("red", count(len(report.problems), "problem")))
    if report.warnings:
        parts.append(paint("yellow", count(len(report.warnings), "warning")))
    if filtered:
        parts.append(f"{filtered} not selected")
    return f"{count(len(report.results), 'test')} in {report.seconds:.2f} s: {', '.join(parts)}"


def coverage_text(coverage: CoverageReport, *, color: bool = False) -> str:
    """What no test shows, and the share that is shown."""
    paint = painter(color)
    lines = []
    for rule in coverage.rules:
        missing = list(rule.missing())
        if missing:
            lines.append(f"  {rule.rule.name}: {rule.covered} of {rule.total}")
            lines += [f"      {position}: {text}" for text, position in missing]
    tone = "green" if coverage.covered == coverage.total else "yellow"
    head = paint(tone, f"coverage: {coverage.percent:.1f} %")
    shown = (
        f"{head} ({coverage.covered} of {coverage.total} behaviors and parts of {len(coverage.rules)} rules)"
    )
    return "\n".join([*(["not covered:", *lines] if lines else []), shown])


def mutation_text(report: MutationReport, *, color: bool = False) -> str:
    """The changes that no test noticed."""
    paint = painter(color)
    lines = []
    if report.survivors:
        lines.append("changes that no test notices:")
        lines += [f"  {survivor_text(result)}" for result in report.survivors]
    if report.untested:
        names = ", ".join(rule.name for rule in report.untested)
        lines.append(f"rules without any test (not changed): {names}")
    noticed = sum(bool(result.noticed_by) for result in report.results)
    tone = "yellow" if report.survivors else "green"
    lines.append(
        paint(tone, f"mutation: {count(len(report.results), 'change')}")
        + f", {noticed} noticed, {len(report.excused)} excused with a reason, "
        f"{len(report.survivors)} survived, in {report.seconds:.1f} s"
    )
    return "\n".join(lines)


def survivor_text(result: MutantResult) -> str:
    """One surviving change with its place."""
    return f"{result.mutant.position}: {result.mutant.rule.name}: {result.mutant.change}"


# --- JSON --------------------------------------------------------------------------------------------------


def as_json(
    report: Report, coverage: CoverageReport | None = None, mutation: MutationReport | None = None
) -> dict[str, Any]:
    """A run as plain data."""
    value: dict[str, Any] = {
        "passed": report.passed,
        "seconds": round(report.seconds, 3),
        "counts": {name: report.count(name) for name in ("passed", "failed", "skipped")},
        "tests": [_result_json(result) for result in report.results],
        "problems": [_problem_json(problem) for problem in report.problems],
        "warnings": [_problem_json(problem) for problem in report.warnings],
    }
    if coverage is not None:
        value["coverage"] = _coverage_json(coverage)
    if mutation is not None:
        value["mutation"] = {
            "changes": len(mutation.results),
            "survivors": [_mutant_json(result) for result in mutation.survivors],
            "excused": [_mutant_json(result) for result in mutation.excused],
            "untested": [rule.name for rule in mutation.untested],
            "warnings": [_problem_json(problem) for problem in mutation.warnings],
        }
    return value


def _result_json(result: TestResult) -> dict[str, Any]:
    return {
        "file": result.file.path,
        "name": result.test.name,
        "engine": result.engine,
        "outcome": result.outcome,
        "seconds": round(result.seconds, 4),
        **({"skipped": result.skipped} if result.skipped else {}),
        "failures": [_failure_json(failure) for failure in result.failures],
    }


def _failure_json(failure: Failure) -> dict[str, Any]:
    return {
        "message": failure.message,
        **_place(failure.position),
        "details": list(failure.details),
        "expected": failure.expected,
        "actual": failure.actual,
    }


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {
        "name": problem.name,
        "severity": problem.severity.value,
        "message": problem.message,
        "hint": problem.hint,
        **_place(problem.position),
    }


def _place(position: Position) -> dict[str, Any]:
    return {"file": position.file, "line": position.line, "column": position.column}


def _coverage_json(coverage: CoverageReport) -> dict[str, Any]:
    return {
        "percent": round(coverage.percent, 2),
        "rules": [
            {
                "name": rule.rule.name,
                "behaviours": rule.behaviours,
                "parts": [{"kind": edit.kind, "part": edit.before, "test": by} for edit, by in rule.parts],
            }
            for rule in coverage.rules
        ],
    }


def _mutant_json(result: MutantResult) -> dict[str, Any]:
    return {
        "rule": result.mutant.rule.name,
        "change": result.mutant.change,
        "reason": result.reason,
        **_place(result.mutant.position),
    }


# --- GitHub ------------------------------------------------------------------------------------------------


def github_lines(
    report: Report, coverage: CoverageReport | None = None, mutation: MutationReport | None = None
) -> Iterator[str]:
    """Workflow commands that annotate the files."""
    for problem in report.problems:
        yield problem_annotation(problem)
    for problem in report.warnings:
        yield problem_annotation(replace(problem, severity=Severity.WARNING))
    for result in report.failed:
        for failure in result.failures:
            text = "\n".join([failure.message, *failure.details])
            yield annotation("error", failure.position, f"rule test: {result.test.name}", text)
    for rule in coverage.rules if coverage is not None else ():
        for text, position in rule.missing():
            yield annotation("notice", position, f"coverage: {rule.rule.name}", text)
    for found in mutation.survivors if mutation is not None else ():
        text = f"no test notices: {found.mutant.change}"
        yield annotation("warning", found.mutant.position, f"mutation: {found.mutant.rule.name}", text)
