"""``lokictl check``"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from lokictl.cli.common import (
    debug_option,
    format_option,
    loki_version_option,
    print_problems,
    project_option,
    quiet_option,
    wants_color,
    without_collection,
    write_json,
)
from lokictl.diagnostics import LokictlError, Severity
from lokictl.lazy import lazy

if TYPE_CHECKING:
    from lokictl import checking, model
    from lokictl.checking import CheckReport
    from lokictl.lint.outputs import text
    from lokictl.project import configuration, unchanged
    from lokictl.testing import reports
else:
    checking = lazy("lokictl.checking")
    model = lazy("lokictl.model")
    text = lazy("lokictl.lint.outputs.text")
    configuration = lazy("lokictl.project.configuration")
    unchanged = lazy("lokictl.project.unchanged")
    reports = lazy("lokictl.testing.reports")


@click.command(
    "check",
    epilog="""\b
Examples:
  lokictl check
  lokictl check --project my-project -o build
  lokictl check --format json | jq .tests
""",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Output directory; default: the project's build directory.",
)
@project_option
@loki_version_option
@format_option("text", "json")
@click.option(
    "--no-cache", is_flag=True, help="Run everything, even if nothing has changed since the last run."
)
@quiet_option
@debug_option
def command(
    output: Path | None, project_root: Path | None, output_format: str, no_cache: bool, quiet: bool
) -> int:
    """Lint, test and render the whole content project.

    If nothing has changed since the last run that found nothing wrong, shows its result again; --no-cache
    runs everything again.

    Exits with 0 only if the linter reports no errors or warnings, every test passes, every alert fires in some test
    (unless `require_tests = false` in the table `check`), and everything renders.
    """
    began = time.monotonic()
    last = None if no_cache or output_format != "text" else _last_run(project_root, output)
    rows = last.recall() if last is not None else None
    if rows is not None:
        _print_again(rows, time.monotonic() - began, quiet)
        return 0
    with without_collection(), unchanged.watched() as seen:
        report = checking.check(project_root, output)
    if last is not None and report.passed and not _has_details(report):
        last.remember([[row.name, row.text, row.good] for row in _rows(report)], seen)
    if output_format == "json":
        write_json(_as_json(report))
        return 0 if report.passed else 1
    _print_details(report, quiet)
    if not quiet:
        _print_summary(report)
    if report.project.problems:
        return 2
    return 0 if report.passed else 1


def _has_details(report: CheckReport) -> bool:
    """Whether there is more to show than the summary."""
    found = report.lint.findings if report.lint is not None else ()
    tests = report.tests
    return (
        any(item.severity != Severity.INFO for item in found)
        or bool(report.problems)
        or (tests is not None and bool(tests.failed or tests.problems or tests.warnings))
    )


def _print_details(report: CheckReport, quiet: bool) -> None:
    if report.lint is not None:
        wrong = [item for item in report.lint.findings if item.severity != Severity.INFO]
        if wrong:
            click.echo(text.render(replace(report.lint, findings=tuple(wrong)), color=wants_color()) + "\n")
    if report.problems:
        print_problems(report.problems)
        click.echo()
    if report.tests is None:
        return
    for result in report.tests.failed:
        click.echo(reports.failure_text(result, color=wants_color()) + "\n")
    shown = [*report.tests.problems, *([] if quiet else report.tests.warnings)]
    if shown:
        print_problems(shown)
        click.echo()


class Row(NamedTuple):
    """A line of the summary: a part, what came of it, how long it took, and whether it is good."""

    name: str
    text: str
    seconds: float | None = None
    good: bool | None = None

    def __str__(self) -> str:
        mark = "  "
        if self.good is not None:
            mark = click.style("ok", fg="green") if self.good else click.style("no", fg="red")
        time = "" if self.seconds is None else f" ({self.seconds:.2f} s)"
        return f"{mark} {self.name:<8} {self.text}{time}"


def _last_run(project_root: Path | None, output: Path | None) -> unchanged.LastRun | None:
    """The record of the last run of the project; None where there is no project, which the run itself says best."""
    try:
        return unchanged.LastRun(configuration.find_configuration(project_root), output)
    except LokictlError:
        return None


def _print_again(rows: unchanged.Rows, seconds: float, quiet: bool) -> None:
    if quiet:
        return
    for name, text, good in rows:
        click.echo(Row(name, text, good=good))
    click.secho(f"all good: nothing has changed since the last run ({seconds:.2f} s)", fg="green", bold=True)


def _print_summary(report: CheckReport) -> None:
    for row in _rows(report):
        click.echo(row)
    verdict = "all good" if report.passed else "failed"
    click.secho(
        f"{verdict} ({sum(report.seconds.values()):.2f} s)",
        fg="green" if report.passed else "red",
        bold=True,
    )


def _rows(report: CheckReport) -> Iterator[Row]:
    project, seconds = report.project, report.seconds
    alerts, recordings = _rule_kinds(report)
    services = _count(len(project.services), "service")
    yield Row("project", f"{project.name}: {services}", seconds["load"], not project.problems)
    what = f"{_count(alerts, 'alert rule')}, {_count(recordings, 'recording rule')}, "
    what += (
        f"{_count(len(project.dashboards), 'dashboard')}, {_count(len(project.datasources), 'data source')}"
    )
    yield Row("", what)
    linted = not report.lint_failed and report.lint is not None
    yield Row("lint", _lint_text(report), seconds["lint"], linted)
    untested = bool(report.untested) and report.requires_tests
    tested = report.tests is not None and report.tests.passed and not untested
    yield Row("test", _test_text(report), seconds.get("test"), tested)
    if report.untested:
        yield Row("", f"fires in no test: {', '.join(report.untested)}")
    if "render" in seconds:
        yield Row("render", _render_text(report), seconds["render"], bool(report.files))
    else:
        yield Row("render", "skipped: the project does not load", None, False)
    for note in report.notes:
        yield Row("", f"note: {note}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _rule_kinds(report: CheckReport) -> tuple[int, int]:
    rules = list(report.project.rules)
    alerts = sum(isinstance(rule, model.AlertingRule) for rule in rules)
    return alerts, len(rules) - alerts


def _lint_text(report: CheckReport) -> str:
    if report.lint is None:
        return "not done"
    counts = [
        _count(report.lint.count(severity), name)
        for severity, name in (
            (Severity.ERROR, "error"),
            (Severity.WARNING, "warning"),
            (Severity.INFO, "note"),
        )
        if report.lint.count(severity)
    ]
    return ", ".join(counts) or "no problems"


def _test_text(report: CheckReport) -> str:
    if report.tests is None:
        return "skipped: the project does not load"
    parts = [_count(len(report.tests.results), "test")]
    for outcome in ("passed", "failed", "skipped"):
        if report.tests.count(outcome):
            parts.append(f"{report.tests.count(outcome)} {outcome}")
    if report.tests.problems:
        parts.append(_count(len(report.tests.problems), "file") + " with problems")
    return ", ".join(parts)


def _render_text(report: CheckReport) -> str:
    if not report.files:
        return "nothing written"
    folder = Path(report.files[0]).parent
    while not all(file.is_relative_to(folder) for file in report.files):
        folder = folder.parent
    with contextlib.suppress(ValueError):
        folder = folder.relative_to(Path.cwd())
    return f"{_count(len(report.files), 'file')} in {folder}/"


def _as_json(report: CheckReport) -> dict[str, Any]:
    alerts, recordings = _rule_kinds(report)
    problems = [*report.project.problems, *report.problems]
    lint = report.lint.findings if report.lint is not None else ()
    return {
        "passed": report.passed,
        "project": report.project.name,
        "alerts": alerts,
        "recordings": recordings,
        "dashboards": len(report.project.dashboards),
        "datasources": len(report.project.datasources),
        "problems": [
            {"name": item.name, "at": str(item.position), "message": item.message} for item in problems
        ],
        "lint": [
            {"name": item.name, "severity": str(item.severity), "message": item.message} for item in lint
        ],
        "tests": reports.as_json(report.tests) if report.tests is not None else None,
        "untested": report.untested,
        "files": [str(file) for file in report.files],
        "seconds": {name: round(value, 3) for name, value in report.seconds.items()},
    }
