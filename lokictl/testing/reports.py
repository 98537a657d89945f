"""Prints runs: text for people, JSON, GitHub annotations, JUnit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lokictl.diagnostics import Position, Problem
from lokictl.testing.coverage import CoverageReport
from lokictl.testing.mutation import MutantResult, MutationReport
from lokictl.testing.outcome import Failure, Report, TestResult

Paint = Callable[[str, str], str]
CODES = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}


def painter(color: bool) -> Paint:
    """A function that colours a text (name of the colour, text)."""
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
        f"{head} ({coverage.covered} of {coverage.total} behaviours and parts of {len(coverage.rules)} rules)"
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
        yield _command("error", problem.position, problem.name, f"{problem.message}\n{problem.hint}".strip())
    for problem in report.warnings:
        yield _command(
            "warning", problem.position, problem.name, f"{problem.message}\n{problem.hint}".strip()
        )
    for result in report.failed:
        for failure in result.failures:
            text = "\n".join([failure.message, *failure.details])
            yield _command("error", failure.position, f"rule test: {result.test.name}", text)
    for rule in coverage.rules if coverage is not None else ():
        for text, position in rule.missing():
            yield _command("notice", position, f"coverage: {rule.rule.name}", text)
    for found in mutation.survivors if mutation is not None else ():
        text = f"no test notices: {found.mutant.change}"
        yield _command("warning", found.mutant.position, f"mutation: {found.mutant.rule.name}", text)


def _command(level: str, position: Position, title: str, message: str) -> str:
    properties = {
        "file": position.file,
        "line": position.line or "",
        "col": position.column or "",
        "title": title,
    }
    shown = ",".join(
        f"{key}={_escaped(str(value), property_value=True)}" for key, value in properties.items() if value
    )
    return f"::{level} {shown}::{_escaped(message)}"


def _escaped(text: str, *, property_value: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if property_value else text


# --- JUnit -------------------------------------------------------------------------------------------------


def junit_xml(report: Report) -> str:
    """A JUnit file: a suite for each test file; files that cannot be read are errors."""
    suites: dict[str, list[TestResult]] = {}
    for result in report.results:
        suites.setdefault(result.file.path, []).append(result)
    total = len(report.results) + len(report.problems)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="lokictl test" tests="{total}" failures="{len(report.failed)}" '
        f'errors="{len(report.problems)}" skipped="{report.count("skipped")}" time="{report.seconds:.3f}">',
    ]
    for path, results in suites.items():
        lines += _junit_suite(path, results)
    if report.problems:
        lines += _junit_problems(report.problems)
    return "\n".join([*lines, "</testsuites>", ""])


def _junit_suite(path: str, results: list[TestResult]) -> Iterable[str]:
    failed = sum(bool(result.failures) for result in results)
    seconds = sum(result.seconds for result in results)
    yield (
        f'  <testsuite name={quoteattr(path)} tests="{len(results)}" failures="{failed}" errors="0" '
        f'skipped="{sum(bool(r.skipped) for r in results)}" time="{seconds:.3f}">'
    )
    for result in results:
        name = result.test.name if result.engine == "embedded" else f"{result.test.name} [{result.engine}]"
        attributes = (
            f"classname={quoteattr(path)} name={quoteattr(_printable(name))} file={quoteattr(path)} "
            f'time="{result.seconds:.3f}"'
        )
        yield f"    <testcase {attributes}>"
        if result.skipped:
            yield f"      <skipped message={quoteattr(_printable(result.skipped))}/>"
        for failure in result.failures:
            text = _printable("\n".join([f"{failure.position}: {failure.message}", *failure.details]))
            yield f"      <failure message={quoteattr(_printable(failure.message))}>{escape(text)}</failure>"
        yield "    </testcase>"
    yield "  </testsuite>"


def _junit_problems(problems: list[Problem]) -> Iterable[str]:
    yield f'  <testsuite name="files" tests="{len(problems)}" failures="0" errors="{len(problems)}">'
    for problem in problems:
        message = quoteattr(_printable(problem.message))
        yield f"    <testcase classname={quoteattr(problem.position.file)} name={quoteattr(str(problem.position))}>"
        yield f"      <error message={message}>{escape(_printable(problem.hint))}</error>"
        yield "    </testcase>"
    yield "  </testsuite>"


def _printable(text: str) -> str:
    """The text without characters that XML cannot hold."""
    return (
        "".join(
            c if c in "\t\n\r" or (c >= " " and c.isprintable()) or c > "\x9f" else "\ufffd" for c in text
        )
        .encode("utf-8", "replace")
        .decode()
    )
