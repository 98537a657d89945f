"""``lokictl upgrade``: reports what another version of Loki changes."""

from __future__ import annotations

from pathlib import Path

import click

from lokictl.cli.common import debug_option, format_option, print_problems, write_json
from lokictl.diagnostics import LokictlError
from lokictl.logql.versions import LokiVersion
from lokictl.project import Project, load
from lokictl.upgrade.fixes import fix_files
from lokictl.upgrade.report import upgrade
from lokictl.upgrade.text import as_json, as_text

CHANGES = 3
"""The exit status when something changes."""


@click.command(
    "upgrade",
    epilog="""\b
Examples:
  lokictl upgrade --from 3.0 --to 3.8
  lokictl upgrade --from 2.9 --to 3.7 rules/ dashboards/ loki.yaml
  lokictl upgrade --from 2.9 --to 3.7 --fix rules/
""",
)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "--from", "old_text", required=True, metavar="VERSION", help="Loki version that you run now: 3.0, 3.4.2."
)
@click.option(
    "--to", "new_text", required=True, metavar="VERSION", help="Loki version that you will run: 3.8, main."
)
@click.option(
    "--fix",
    is_flag=True,
    help="Rewrite queries to keep their results, where the rewrite is exact in both versions.",
)
@click.option("--no-tests", is_flag=True, help="Do not run the rule tests with both versions.")
@click.option("--all", "everything", is_flag=True, help="List also the changes that concern every query.")
@format_option("text", "json")
@debug_option
def command(
    paths: tuple[str, ...],
    old_text: str,
    new_text: str,
    fix: bool,
    no_tests: bool,
    everything: bool,
    output_format: str,
) -> int:
    """Report what another version of Loki changes in PATHS, or in the content project.

    Reads rules, dashboards, data sources, rule tests and Loki's configuration (also in Helm values and ConfigMaps).
    Without PATHS and outside of a project, reads everything below the current directory.

    Exit status: 0 no changes, 3 changes, 1 something could not be read.
    """
    old, new = _version("--from", old_text), _version("--to", new_text)
    if new < old:
        click.echo(
            f"note: {new.minor_text} is older than {old.minor_text}: these are the changes of a downgrade",
            err=True,
        )
    project = None if paths else _project()
    asked = paths or (".",)
    if fix:
        _fix(project, asked, old, new)
    report = upgrade(asked, old, new, project=project, run_tests=not no_tests)
    if report.problems:
        print_problems(report.problems, err=True)
    if output_format == "json":
        write_json(as_json(report))
    else:
        click.echo(as_text(report, everything=everything))
    if report.changes_something:
        return CHANGES
    return 0 if report.is_complete else 1


def _version(option: str, text: str) -> LokiVersion:
    try:
        return LokiVersion.parse(text)
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from None


def _project() -> Project | None:
    """The content project around the current folder."""
    try:
        return load(strict=False)
    except LokictlError as error:
        if all(problem.name == "project/missing" for problem in error.problems):
            return None
        raise


def _fix(project: Project | None, paths: tuple[str, ...], old: LokiVersion, new: LokiVersion) -> None:
    where = paths if project is None else (str(project.root),)
    for fixed in fix_files(where, old, new):
        Path(fixed.file).write_text(fixed.after, encoding="utf-8")
        click.echo(f"{fixed.file}: rewrote {fixed.count} {'part' if fixed.count == 1 else 'parts'}", err=True)
