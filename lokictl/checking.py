"""The main job: lint, test and render a content project, and say what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lokictl.diagnostics import LokictlError, Problem, Severity
from lokictl.lint import lint, settings_from
from lokictl.lint.baseline import read_baseline, without_baseline
from lokictl.logql.versions import configured_target
from lokictl.model import AlertingRule
from lokictl.project import Project, load
from lokictl.records import dataclass
from lokictl.render import rendering, write
from lokictl.testing import discover, run_tests

if TYPE_CHECKING:
    from lokictl.lint.runner import Report as LintReport
    from lokictl.testing.outcome import Report as TestReport


@dataclass
class CheckReport:
    """What one run found and made.

    ``problems`` are those of loading and rendering; ``untested`` names the alerting rules that no test expects to
    fire; ``files`` are those written; ``seconds`` is the duration of each part by its name.
    """

    project: Project
    problems: list[Problem] = field(default_factory=list)
    lint: LintReport | None = None
    tests: TestReport | None = None
    untested: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def lint_failed(self) -> bool:
        """Whether the linter found errors or warnings."""
        found = self.lint.findings if self.lint else ()
        return any(finding.severity.rank <= Severity.WARNING.rank for finding in found)

    @property
    def passed(self) -> bool:
        """Whether all of it holds."""
        tested = self.tests is not None and self.tests.passed and not (self.untested and self.requires_tests)
        return not self.problems and not self.project.problems and not self.lint_failed and tested

    @property
    def requires_tests(self) -> bool:
        """Whether an alert without a test is a failure (key ``require_tests`` of the table ``check``)."""
        return bool(self.project.config.table("check").get("require_tests", True))


Progress = Callable[[str], None]
"""Told the name of each part as it begins."""


def check(
    root: Path | None = None, output: Path | None = None, *, progress: Progress | None = None
) -> CheckReport:
    """Lints, tests and renders the content project at or above ``root``.

    Everything that is wrong is in the report.  Nothing is tested or rendered unless the whole project loads.
    Raises `LokictlError` only if there is no project.
    """
    tell = progress or (lambda part: None)
    seconds: dict[str, float] = {}
    report = CheckReport(_timed("load", lambda: load(root, strict=False), seconds), seconds=seconds)
    tell("lint")
    report.lint = _timed("lint", lambda: _lint(report), seconds)
    if not report.project.problems:
        tell("test")
        report.tests = _timed("test", lambda: _test(report), seconds)
        tell("render")
        _timed("render", lambda: _render(report, output), seconds)
    return report


Result = TypeVar("Result")


def _timed(name: str, part: Callable[[], Result], seconds: dict[str, float]) -> Result:
    began = time.perf_counter()
    try:
        return part()
    finally:
        seconds[name] = time.perf_counter() - began


def _lint(report: CheckReport) -> LintReport | None:
    try:
        settings = settings_from(report.project.config)
        wanted = configured_target()
        if wanted is not None:
            settings = replace(settings, loki_version=wanted[:2], names_a_version=True)
        found = lint(report.project, settings)
        return _without_accepted(found, report.project)
    except LokictlError as error:
        report.problems += error.problems
        return None


def _without_accepted(found: LintReport, project: Project) -> LintReport:
    settings = settings_from(project.config)
    if not settings.baseline:
        return found
    path = project.root / settings.baseline
    kept, _ = without_baseline(found.findings, read_baseline(path), path.resolve().parent)
    return replace(found, findings=tuple(kept))


def _test(report: CheckReport) -> TestReport | None:
    try:
        suite = discover(project=report.project)
        result = run_tests(suite)
    except LokictlError as error:
        report.problems += error.problems
        return None
    tested = {
        expectation.alertname
        for test_file, test, _ in suite.cases()
        for expectation in test.alerts
        if expectation.alerts
    }
    alerts = {rule.name for rule in report.project.rules if isinstance(rule, AlertingRule)}
    report.untested = sorted(alerts - tested)
    return result


def _render(report: CheckReport, output: Path | None) -> None:
    try:
        result = rendering(report.project)
        report.files = write(report.project, result, output)
        report.notes = tuple(result.notes)
    except LokictlError as error:
        report.problems += error.problems
