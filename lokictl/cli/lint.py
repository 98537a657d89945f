"""``lokictl lint``: checks rules, dashboards and data sources, and cross-checks them."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lokictl.cli.common import (
    debug_option,
    format_option,
    project_option,
    quiet_option,
    wants_color,
)
from lokictl.diagnostics import LokictlError, Severity
from lokictl.lazy import lazy
from lokictl.lint import LokiOptions, Settings, lint, settings_from
from lokictl.lint.baseline import read_baseline, without_baseline, write_baseline
from lokictl.lint.configuration import check_patterns, parse_version
from lokictl.lint.loading import STDIN, load_paths
from lokictl.lint.loki_client import LiveLoki
from lokictl.lint.outputs import text as output
from lokictl.lint.runner import lint_text
from lokictl.logql.units import parse_prometheus_duration
from lokictl.model.files import write_text
from lokictl.project.configuration import find_configuration

if TYPE_CHECKING:
    from lokictl.lint import Finding, Report, fixes
    from lokictl.project import Project, loader
else:
    # Files alone need no project, and most runs repair nothing.
    fixes, loader = lazy("lokictl.lint.fixes"), lazy("lokictl.project.loader")

EPILOG = """\b
Examples:
  lokictl lint                                  the content project, or the files below the current directory
  lokictl lint rules.yaml dashboards/           plain files and directories
  helm template my-chart | lokictl lint -       standard input
  lokictl lint --select rule --format github    one family, as annotations
  lokictl lint rules.yaml --fix                 show the repairs, then write them
  lokictl lint --loki http://localhost:3100     also ask a running Loki

Exit status: 0 no problems (or only notes), 1 problems found, 2 usage error."""


@click.command("lint", epilog=EPILOG)
@click.argument("paths", nargs=-1, metavar="[FILE|FOLDER|-]...")
@project_option
@click.option(
    "--select", multiple=True, metavar="NAME", help="Run only this check or family (rule); repeatable."
)
@click.option("--ignore", multiple=True, metavar="NAME", help="Skip this check or family; repeatable.")
@click.option("--enable", multiple=True, metavar="NAME", help="Also run this check, which is off by default.")
@click.option(
    "--fix", is_flag=True, help="Apply the repairs that cannot change results, and show them as a diff."
)
@click.option("--diff", "only_diff", is_flag=True, help="With --fix: show the diff without writing.")
@click.option(
    "--baseline", type=click.Path(path_type=Path), metavar="FILE", help="File of accepted findings to ignore."
)
@click.option(
    "--write-baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the current findings to a baseline file.",
)
@click.option("--fail-on", type=click.Choice(["error", "warning", "info"]), default="warning", show_default=True,
              help="Minimum severity that makes the command fail (exit 1).")  # fmt: skip
@click.option(
    "--severity",
    type=click.Choice(["error", "warning", "info"]),
    default="info",
    show_default=True,
    help="Minimum severity to show.",
)
@click.option("--loki-version", metavar="3.4", help="Loki version that must run the queries.")
@click.option("--stdin-filename", metavar="NAME", help="File name to use for standard input in messages.")
@click.option("--loki", "loki_url", metavar="URL", help="Also run the live/* checks against this Loki.")
@click.option("--since", default="7d", show_default=True, help="Time range of the live checks.")
@click.option("--tenant", metavar="NAME", help="Tenant ID for the live checks (X-Scope-OrgID).")
@format_option("text", "json", "sarif", "github", "junit", "checkstyle")
@quiet_option
@debug_option
def command(
    paths: tuple[str, ...],
    project_root: Path | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    enable: tuple[str, ...],
    fix: bool,
    only_diff: bool,
    baseline: Path | None,
    write_baseline: Path | None,
    fail_on: str,
    severity: str,
    loki_version: str | None,
    stdin_filename: str | None,
    loki_url: str | None,
    since: str,
    tenant: str | None,
    output_format: str,
    quiet: bool,
) -> int:
    """Lint rules, dashboards and data sources, and cross-check them.

    Default: the whole content project, or everything below the current directory outside of one. FILES may also be
    directories; docs/formats.md has an example of each kind of file.  `lokictl explain NAME`
    explains a check; `# lokictl: disable=NAME — reason` in a file silences it.
    """
    # The run is short and makes many small objects that all live to its end.
    gc.disable()
    if (only_diff or fix) and not paths:
        raise click.UsageError("--fix needs files; for Python content, repairs are shown as hints")
    paths = paths or _paths_without_project(project_root)
    project, settings = _project_and_settings(paths, project_root)
    settings = _with_options(settings, select, ignore, enable, loki_version)
    loki = _loki_options(loki_url, since, tenant)
    settings = _for_the_running(settings, loki)
    if fix or only_diff:
        _fix(paths, settings, project, write=fix and not only_diff)
    if paths == ("-",) and stdin_filename:
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
        report = lint_text(text, stdin_filename, settings, project=project)
    else:
        report = lint(
            paths or _required(project), settings, project=project, loki=loki, jobs=os.cpu_count() or 1
        )
    if write_baseline is not None:
        return _write_baseline(write_baseline, report)
    report = _apply_baseline(report, baseline, settings, quiet).down_to(Severity(severity))
    _print(report, output_format, quiet)
    limit = Severity(fail_on).rank
    return 1 if any(finding.severity.rank <= limit for finding in report.findings) else 0


def _paths_without_project(root: Path | None) -> tuple[str, ...]:
    """The current folder, where no content project is around it; else nothing."""
    if root is not None:
        return ()
    try:
        find_configuration()
    except LokictlError as error:
        if all(problem.name == "project/missing" for problem in error.problems):
            return (".",)
    return ()


def _project_and_settings(paths: tuple[str, ...], root: Path | None) -> tuple[Project | None, Settings]:
    """The content project (loaded when it is linted or asked for), and its settings, or the defaults."""
    if root is not None or not paths:
        project = loader.load(root, strict=False)
        return project, settings_from(project.config)
    try:
        return None, settings_from(find_configuration())
    except LokictlError as error:
        if all(problem.name == "project/missing" for problem in error.problems):
            return None, Settings()
        raise


def _required(project: Project | None) -> Project:
    assert project is not None
    return project


def _with_options(
    settings: Settings,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    enable: tuple[str, ...],
    loki_version: str | None,
) -> Settings:
    chosen = {"select": _names(select), "ignore": _names(ignore), "enable": _names(enable)}
    for option, names in chosen.items():
        check_patterns(f"--{option}", names)
    settings = replace(
        settings,
        select=chosen["select"] or settings.select,
        ignore=(*settings.ignore, *chosen["ignore"]),
        enable=(*settings.enable, *chosen["enable"]),
    )
    if loki_version:
        try:
            settings = replace(settings, loki_version=parse_version(loki_version), names_a_version=True)
        except ValueError as error:
            raise click.UsageError(f"--loki-version: {error}") from None
    return settings


def _for_the_running(settings: Settings, loki: LokiOptions | None) -> Settings:
    """The settings for the version that the running Loki says it has, where nobody names one."""
    if loki is None or settings.names_a_version:
        return settings
    try:
        return replace(settings, loki_version=parse_version(LiveLoki(loki).version().partition("-")[0]))
    except ValueError:
        return settings


def _names(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def _loki_options(url: str | None, since: str, tenant: str | None) -> LokiOptions | None:
    if url is None:
        return None
    try:
        nanoseconds = parse_prometheus_duration(since)
    except ValueError as error:
        raise click.UsageError(f"--since: {error}") from None
    return LokiOptions(url.rstrip("/"), nanoseconds, {"X-Scope-OrgID": tenant} if tenant else {})


def _fix(paths: tuple[str, ...], settings: Settings, project: Project | None, *, write: bool) -> None:
    """Shows the repairs of every file, and writes them."""
    if "-" in paths:
        raise click.UsageError("--fix cannot write to standard input")
    loaded = load_paths(paths, excluded=settings.excluded)
    total = 0
    for file, text in loaded.texts.items():

        def findings(current: str, file: str = file) -> tuple[Finding, ...]:
            return lint_text(current, file, settings, project=project).findings

        fixed = fixes.fix_text(file, text, findings)
        if fixed.count and file != STDIN:
            click.echo(fixed.diff(), nl=False)
            total += fixed.count
            if write:
                write_text(Path(file), fixed.after)
    repairs = "1 repair" if total == 1 else f"{total} repairs"
    click.echo(f"{repairs} {'made' if write else 'possible'}", err=True)


def _write_baseline(path: Path, report: Report) -> int:
    count = write_baseline(path, report.findings)
    click.echo(f"{path}: accepted {count} findings", err=True)
    return 0


def _apply_baseline(report: Report, option: Path | None, settings: Settings, quiet: bool) -> Report:
    path = option
    if path is None and settings.baseline:
        path = (settings.root or Path.cwd()) / settings.baseline
    if path is None:
        return report
    kept, stale = without_baseline(report.findings, read_baseline(path), path.resolve().parent)
    if stale and not quiet:
        click.echo(f"{path}: {stale} of its findings are gone; regenerate it with --write-baseline", err=True)
    return replace(report, findings=tuple(kept))


def _print(report: Report, output_format: str, quiet: bool) -> None:
    if output_format != "text":
        module: Any = importlib.import_module(f"lokictl.lint.outputs.{output_format}")
        text = module.render(report)
        if text:
            click.echo(text)
        return
    if report.findings:
        click.echo(output.render(report, color=wants_color()))
    if not quiet:
        if report.findings:
            click.echo()
        click.echo(output.summary(report))
