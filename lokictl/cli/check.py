"""``lokictl check``"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lokictl.cli.common import (
    debug_option,
    format_option,
    print_problems,
    project_option,
    quiet_option,
    wants_color,
    write_json,
)
from lokictl.diagnostics import Severity
from lokictl.lazy import lazy

if TYPE_CHECKING:
    from lokictl import checking, model
    from lokictl.checking import CheckReport
    from lokictl.lint.outputs import text
    from lokictl.testing import reports
else:
    checking = lazy("lokictl.checking")
    model = lazy("lokictl.model")
    text = lazy("lokictl.lint.outputs.text")
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
@format_option("text", "json")
@quiet_option
@debug_option
def command(output: Path | None, project_root: Path | None, output_format: str, quiet: bool) -> int:
    """Lint, test and render the whole content project.

    Exits with 0 only if the linter reports no errors or warnings, every test passes, every alert fires in some test
    (unless `require_tests = false` in the table `check`), and everything renders.
    """
    report = checking.check(project_root, output)
    if output_format == "json":
        write_json(_as_json(report))
        return 0 if report.passed else 1
    _print_details(report, quiet)
    if not quiet:
        _print_summary(report)
    if report.project.problems:
        return 2
    return 0 if report.passed else 1


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


def _print_summary(report: CheckReport) -> None:
    project, seconds = report.project, report.seconds
    alerts, recordings = _rule_kinds(report)
    _row(
        "project",
        f"{project.name}: {_count(len(project.services), 'service')}",
        seconds["load"],
        not project.problems,
    )
    what = f"{_count(alerts, 'alert rule')}, {_count(recordings, 'recording rule')}, "
    what += (
        f"{_count(len(project.dashboards), 'dashboard')}, {_count(len(project.datasources), 'data source')}"
    )
    _row("", what)
    _row("lint", _lint_text(report), seconds["lint"], not report.lint_failed and report.lint is not None)
    untested = bool(report.untested) and report.requires_tests
    tested = report.tests is not None and report.tests.passed and not untested
    _row("test", _test_text(report), seconds.get("test"), tested)
    if report.untested:
        _row("", f"fires in no test: {', '.join(report.untested)}")
    if "render" in seconds:
        _row("render", _render_text(report), seconds["render"], bool(report.files))
    else:
        _row("render", "skipped: the project does not load", None, False)
    for note in report.notes:
        _row("", f"note: {note}")
    verdict = "all good" if report.passed else "failed"
    click.secho(
        f"{verdict} ({sum(seconds.values()):.2f} s)", fg="green" if report.passed else "red", bold=True
    )


def _row(name: str, text: str, seconds: float | None = None, good: bool | None = None) -> None:
    mark = "" if good is None else click.style("ok", fg="green") if good else click.style("no", fg="red")
    time = "" if seconds is None else f" ({seconds:.2f} s)"
    click.echo(f"{mark or '  '} {name:<8} {text}{time}")


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
