"""``lokictl test``"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

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
from lokictl.cli.progress import ProgressBar
from lokictl.diagnostics import LokictlError, Problem, suggestion
from lokictl.lazy import lazy

if TYPE_CHECKING:
    from lokictl import testing
    from lokictl.project import Project
    from lokictl.testing import reports, runner
    from lokictl.testing.coverage import CoverageReport
    from lokictl.testing.mutation import MutationReport
    from lokictl.testing.outcome import Report, TestResult
    from lokictl.testing.runner import Suite
else:
    testing = lazy("lokictl.testing")
    reports = lazy("lokictl.testing.reports")
    runner = lazy("lokictl.testing.runner")

__test__ = False

FILE_NAMES = ("*_test.yaml", "*_test.yml", "test_*.yaml", "test_*.yml")


@click.command(
    "test",
    epilog="""\b
Examples:
  lokictl test                                    # the content project's tests
  lokictl test my_test.yaml                       # plain Loki rules: the file names them
  lokictl test --run DatabaseTimeouts --watch
  lokictl test --coverage --fail-under 90 --junit results.xml
  lokictl test --mutate -j 2
  lokictl test --compare embedded,binary          # does a real Loki agree?
  lokictl test --engine http://localhost:3100
  lokictl test --as grafana                       # would Grafana-managed rules do the same?
  lokictl test --update && git diff               # write what happens as expectations
""",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@project_option
@click.option(
    "--run",
    "pattern",
    default="",
    metavar="PATTERN",
    help="Run only tests whose name or rule matches PATTERN.",
)
@click.option(
    "--engine",
    default="embedded",
    show_default=True,
    metavar="ENGINE",
    help="Engine: embedded, docker, binary, the URL of a Loki, or all (run on each available one and compare).",
)
@click.option("--compare", default="", metavar="A,B", help="Run on several engines and fail if they differ.")
@click.option(
    "--as",
    "home",
    type=click.Choice(["loki", "grafana"]),
    default="loki",
    show_default=True,
    help="Evaluate the rules like Loki's ruler, or like Grafana (translated) and show where the two differ.",
)
@click.option("--allow-push", is_flag=True, help="Allow pushing test logs to a Loki without multi-tenancy.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first failing test.")
@click.option("--watch", is_flag=True, help="Rerun when tests or rules change.")
@click.option(
    "-j", "--jobs", type=click.IntRange(0), metavar="N", help="Number of processes; 0: one per CPU."
)
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="FILE", help="Also write a JUnit XML report."
)
@click.option("--coverage", "with_coverage", is_flag=True, help="Report rule behavior that no test covers.")
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Fail below this coverage percentage.",
)
@click.option("--mutate", is_flag=True, help="Run mutation testing and list surviving mutants.")
@click.option(
    "--update",
    "update_files",
    is_flag=True,
    help="Update expected values in the test files with actual results.",
)
@format_option("text", "json", "github")
@loki_version_option
@quiet_option
@debug_option
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[Path, ...],
    project_root: Path | None,
    pattern: str,
    engine: str,
    compare: str,
    home: str,
    allow_push: bool,
    fail_fast: bool,
    watch: bool,
    jobs: int | None,
    junit: Path | None,
    with_coverage: bool,
    fail_under: float | None,
    mutate: bool,
    update_files: bool,
    output_format: str,
    quiet: bool,
) -> None:
    """Run unit tests for Loki rules: those in PATHS, or those of the content project.

    Outside of a project, files matching *_test.yaml or test_*.yaml under the current directory are used. A test file
    without `rule_files` tests the rules of the content project around it.
    """
    if watch:
        _watch(context, paths, project_root)
        return
    engines = _engines(engine, compare)
    if update_files and engines != ("embedded",):
        raise click.UsageError("--update uses the embedded engine; remove --engine and --compare")
    if home == "grafana" and (engines != ("embedded",) or mutate or update_files):
        raise click.UsageError("--as grafana only runs tests, on the embedded engine")
    with without_collection():
        # All else looks at the tests again.
        once = engines == ("embedded",) and home == "loki" and not (mutate or update_files)
        opened = once and not with_coverage and fail_under is None
        suite = _suite(paths, project_root, pattern, opened=opened)
    text = output_format == "text" and not quiet
    jobs_wanted = 1 if update_files else _jobs(jobs, 1)
    report = _run(suite, engines, allow_push, fail_fast, jobs_wanted, text, home)
    coverage = _coverage(suite, jobs) if with_coverage or fail_under is not None else None
    mutation = _mutation(suite, report, jobs, text) if mutate else None
    if output_format == "json":
        write_json(reports.as_json(report, coverage, mutation))
    elif output_format == "github":
        for line in reports.github_lines(report, coverage, mutation):
            click.echo(line)
    if output_format != "json":
        _print(report, suite, coverage, mutation, output_format, quiet)
    if junit is not None:
        _write_junit(report, junit)
    if update_files:
        _update(report)
    context.exit(2 if report.unreadable else _status(report, coverage, fail_under, mutation))


def _engines(engine: str, compare: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (compare or engine).split(",") if name.strip())
    if compare and len(names) < 2:
        raise click.BadParameter("pass at least two engines: embedded,binary", param_hint="--compare")
    known = ("embedded", "docker", "binary", "all")
    for name in names:
        if name not in known and "://" not in name:
            hint = suggestion(name, known, "embedded, docker, binary, all or http://…")
            raise click.BadParameter(f'unknown engine "{name}": {hint}', param_hint="--engine")
    return names or ("embedded",)


def _suite(paths: tuple[Path, ...], project_root: Path | None, pattern: str, *, opened: bool) -> Suite:
    project: Project | None = None
    if project_root is not None:
        project = runner.load_rules(project_root)
    elif not paths:
        project, paths = _project_or_files()
    suite = runner.discover(paths, project=project, pattern=pattern, opened=opened)
    if not len(suite) and not suite.problems:
        if suite.filtered:
            names = ", ".join(_names(paths, project)[:5])
            problem = Problem(
                "test/none", f'no test matches "{pattern}"', hint=f"available tests: {names}, …"
            )
        else:
            where = ", ".join(map(str, paths)) or "the project's test folder"
            hint = "a test file has `tests:`; `lokictl schema test` prints the format"
            problem = Problem("test/none", f"no tests found in {where}", hint=hint)
        raise LokictlError(problem)
    return suite


def _project_or_files() -> tuple[Project | None, tuple[Path, ...]]:
    """The project around the current folder; without one, the test files below it, by name or by what they hold."""
    if runner.project_root(Path.cwd()) is None:
        files = sorted(path for pattern in FILE_NAMES for path in Path().rglob(pattern))
        files = files or runner.find_test_files([Path()])
        if not files:
            message = "no tests found below the current directory, and it is not in a content project"
            hint = "a test file has `tests:`; `lokictl schema test` prints the format"
            raise LokictlError(Problem("test/none", message, hint=hint))
        return None, tuple(files)
    return runner.load_rules(), ()


def _names(paths: tuple[Path, ...], project: Project | None) -> list[str]:
    return [test.name for _, test, _ in runner.discover(paths, project=project).cases()]


def _jobs(jobs: int | None, default: int) -> int:
    if jobs is None:
        return default
    return jobs or os.cpu_count() or 1


def _run(
    suite: Suite,
    engines: tuple[str, ...],
    allow_push: bool,
    fail_fast: bool,
    jobs: int,
    text: bool,
    home: str = "loki",
) -> Report:
    progress = _Progress() if text else None
    starting = ProgressBar(text and engines != ("embedded",))
    starting(f"starting {', '.join(engines)}", 0, None)
    options = testing.RunOptions(engines, fail_fast=fail_fast, jobs=jobs, allow_push=allow_push, home=home)
    try:
        return runner.run_tests(suite, options, progress=_ending(starting, progress))
    finally:
        starting.end()
        if progress is not None:
            progress.end()


def _ending(bar: ProgressBar, progress: _Progress | None) -> Callable[[TestResult], None] | None:
    """Shows results, the first of which takes the bar away."""
    if progress is None:
        return None

    def show(result: TestResult) -> None:
        bar.end()
        progress(result)

    return show


class _Progress:
    """A line for each file, a mark for each test."""

    MARKS = {"passed": ".", "failed": "F", "skipped": "s"}

    def __init__(self) -> None:
        self.file = ""
        self.paint = reports.painter(wants_color())

    def __call__(self, result: TestResult) -> None:
        path = result.file.path
        if path != self.file:
            click.echo(f"{chr(10) if self.file else ''}{path} ", nl=False)
            self.file = path
        tone = {"passed": "green", "failed": "red", "skipped": "yellow"}[result.outcome]
        click.echo(self.paint(tone, self.MARKS[result.outcome]), nl=False)

    def end(self) -> None:
        if self.file:
            click.echo()


def _coverage(suite: Suite, jobs: int | None) -> CoverageReport:
    return testing.measure_coverage(suite, jobs=_jobs(jobs, 0) or _jobs(0, 0))


def _mutation(suite: Suite, report: Report, jobs: int | None, text: bool) -> MutationReport | None:
    if not report.passed:
        click.echo("mutation: skipped, because tests fail without any mutation", err=True)
        return None
    with ProgressBar(text) as bar:
        found = testing.run_mutations(
            suite,
            jobs=_jobs(jobs, 0) or _jobs(0, 0),
            tick=lambda done, total: bar("changing rules", done, total),
        )
    if text and found.warnings:
        print_problems(found.warnings)
    return found


def _print(
    report: Report,
    suite: Suite,
    coverage: CoverageReport | None,
    mutation: MutationReport | None,
    output_format: str,
    quiet: bool,
) -> None:
    color = wants_color() and output_format == "text"
    if output_format == "text":
        for result in report.failed:
            click.echo("\n" + reports.failure_text(result, color=color))
        for result in report.results if not quiet else []:
            if result.differences:
                click.echo("\n" + reports.differences_text(result, color=color))
        skipped = dict.fromkeys(result.skipped for result in report.results if result.skipped)
        for reason in skipped:
            click.echo(f"skipped: {reason}")
        shown = [*report.problems, *(report.warnings if not quiet else [])]
        if shown:
            click.echo()
            print_problems(shown)
    if quiet:
        for found in mutation.survivors if mutation is not None else ():
            click.echo(f"survived: {reports.survivor_text(found)}")
        return
    if report.failed or report.problems or report.warnings:
        click.echo()
    if coverage is not None:
        click.echo(reports.coverage_text(coverage, color=color))
    if mutation is not None:
        click.echo(reports.mutation_text(mutation, color=color))
    click.echo(reports.summary_text(report, color=color, filtered=suite.filtered))


def _write_junit(report: Report, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(testing.junit_xml(report), encoding="utf-8")


def _update(report: Report) -> None:
    files = testing.update_expectations(report)
    testing.write_files(files)
    for file in files:
        if file.changed:
            click.echo(
                f"updated {file.path}: {file.changed} expectations; review them with `git diff`", err=True
            )
        for line in file.left:
            click.echo(f"not updated: {line}", err=True)


def _status(
    report: Report, coverage: CoverageReport | None, fail_under: float | None, mutation: MutationReport | None
) -> int:
    if coverage is not None and fail_under is not None and coverage.percent < fail_under:
        click.echo(f"coverage {coverage.percent:.1f} % is below {fail_under:g} %", err=True)
        return 1
    survived = mutation is not None and bool(mutation.survivors)
    return int(not report.passed or survived)


def _watch(context: click.Context, paths: tuple[Path, ...], project_root: Path | None) -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--watch"]
    testing.run_again([sys.executable, "-m", "lokictl", *arguments], paths, project_root)
