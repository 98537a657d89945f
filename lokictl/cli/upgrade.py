"""``lokictl upgrade``: what another version of Loki changes."""

from __future__ import annotations

from pathlib import Path

import click

from lokictl.cli.common import debug_option, format_option, write_json
from lokictl.logql.versions import LokiVersion
from lokictl.upgrade.fixes import fix_files
from lokictl.upgrade.report import as_json, as_text, upgrade

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
@click.option("--from", "old_text", required=True, metavar="VERSION", help="The Loki that runs now.")
@click.option("--to", "new_text", required=True, metavar="VERSION", help="The Loki that shall run.")
@click.option("--fix", is_flag=True, help="Spell queries so that the answer stays, where that is exact.")
@click.option("--no-tests", is_flag=True, help="Do not run rule tests under both versions.")
@format_option("text", "json")
@debug_option
def command(
    paths: tuple[str, ...], old_text: str, new_text: str, fix: bool, no_tests: bool, output_format: str
) -> int:
    """Say what changes with another version of Loki: in rules, dashboards, tests and Loki's own configuration.

    Exit status: 0 nothing changes, 3 something does.
    """
    try:
        old, new = LokiVersion.parse(old_text), LokiVersion.parse(new_text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    asked = paths or (".",)
    if fix:
        _fix(asked, old, new)
    report = upgrade(asked, old, new, run_tests=not no_tests)
    if output_format == "json":
        write_json(as_json(report))
    else:
        click.echo(as_text(report))
    return CHANGES if report.changes_something else 0


def _fix(paths: tuple[str, ...], old: object, new: object) -> None:
    for fixed in fix_files(paths, old, new):  # type: ignore[arg-type]
        Path(fixed.file).write_text(fixed.after, encoding="utf-8")
        click.echo(f"{fixed.file}: {fixed.count} fixed", err=True)
