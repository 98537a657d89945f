"""``lokictl rollback``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lokictl.cli.common import debug_option, format_option, project_option, quiet_option, write_json
from lokictl.cli.sync import FAILED, NOTHING, Printer, server_errors, server_options

if TYPE_CHECKING:
    from lokictl.sync.interface import Outcome, Plan
    from lokictl.sync.rollback import Rollback


@click.command(
    "rollback",
    epilog="""\b
Examples:
  lokictl rollback --list
  lokictl rollback --dry-run
  lokictl rollback 20260314T091500Z --yes
""",
)
@click.argument("time", required=False, default="", metavar="[TIME]")
@click.option("--list", "only_list", is_flag=True, help="Show the backups that there are.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be put back.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-v", "--verbose", is_flag=True, help="Show what is unchanged, and every difference.")
@click.option(
    "--on-conflict",
    type=click.Choice(["fail", "overwrite", "skip"]),
    default="fail",
    show_default=True,
    help="What to do with what was changed since.",
)
@server_options
@project_option
@format_option("text", "json")
@quiet_option
@debug_option
def command(
    time: str,
    only_list: bool,
    dry_run: bool,
    yes: bool,
    verbose: bool,
    on_conflict: str,
    target_name: str,
    only: str | None,
    jobs: int,
    timeout: float,
    project_root: Path | None,
    output_format: str,
    quiet: bool,
) -> int:
    """Put back what a run of `lokictl sync` changed: the last one, or the one of TIME (its first digits do).

    What was changed since that run is a conflict and left alone, unless --on-conflict says otherwise.
    """
    from lokictl.project import find_configuration

    if only_list:
        return _list(find_configuration(project_root).root, output_format)
    with server_errors():
        rollback = _rollback(project_root, time, target_name, only, jobs, timeout, on_conflict, dry_run)
        plan = rollback.plan()
        printer = Printer(rollback.target, output_format, quiet, verbose)
        if dry_run:
            return printer.only_plan(plan)
        printer.plan(plan)
        return _apply(rollback, plan, yes, printer)


def _list(root: Path, output_format: str) -> int:
    from lokictl.sync.backup import backup_names, read_backup

    backups = [read_backup(root, name) for name in backup_names(root)]
    if output_format == "json":
        write_json(
            [
                {"time": b.name, "target": b.target, "command": b.command, "resources": len(b.saved)}
                for b in backups
            ]
        )
        return NOTHING
    for backup in backups:
        done = sum(saved.done for saved in backup.saved)
        click.echo(
            f"{backup.name}  {backup.target}  {backup.command}: {done} of {len(backup.saved)} changes done"
        )
    if not backups:
        click.echo("there are no backups")
    return NOTHING


def _rollback(
    project_root: Path | None,
    time: str,
    target_name: str,
    only: str | None,
    jobs: int,
    timeout: float,
    on_conflict: str,
    dry_run: bool,
) -> Rollback:
    from lokictl.project import load
    from lokictl.sync.backup import backup_target, read_backup
    from lokictl.sync.configuration import load_target
    from lokictl.sync.desired import Desired, desired_state
    from lokictl.sync.planner import OnConflict
    from lokictl.sync.rollback import Rollback
    from lokictl.sync.session import Servers, only_server

    # A project that is broken just now must not stand in the way of an undo.
    project = load(project_root, strict=False)
    name = backup_target(project.root, time)
    if target_name and target_name != name:
        raise click.UsageError(f'that backup is of the target "{name}", not "{target_name}"')
    target = only_server(load_target(project.config, name), only)
    desired = Desired() if project.problems else desired_state(project, target)
    secrets = {key: resource.secrets for key, resource in desired.resources.items() if resource.secrets}
    backup = read_backup(project.root, time, target)
    servers = Servers(target, jobs, timeout, dry_run)
    return Rollback(project.root, target, servers, backup, OnConflict(on_conflict), secrets)


def _apply(rollback: Rollback, plan: Plan, yes: bool, printer: Printer) -> int:
    from lokictl.sync.interface import Action
    from lokictl.sync.report import applied_data, outcome_line, plan_data, result_lines

    conflicts = plan.of(Action.CONFLICT)
    if conflicts:
        printer.say(
            f"{len(conflicts)} in conflict, so nothing is put back; --on-conflict skip or overwrite decides."
        )
        return FAILED
    if plan.writes and not yes:
        if not sys.stdin.isatty() or printer.as_json:
            raise click.UsageError("this is no terminal to ask on: use --yes, or --dry-run to see the plan")
        if not click.confirm("Put this back?", default=False, err=True):
            return FAILED

    def show(outcome: Outcome) -> None:
        printer.number += 1
        if not printer.as_json and (not printer.quiet or outcome.message):
            printer.lines([outcome_line(outcome, printer.number, len(plan.writes))])

    applied = rollback.apply(plan, show)
    if printer.as_json:
        write_json(printer.target.redactor.data({**plan_data(plan), **applied_data(applied)}))
    elif plan.writes and (not printer.quiet or not applied.complete):
        again = f"lokictl rollback {rollback.backup.name}"
        undo = f"lokictl rollback {rollback.written.name if rollback.written else ''}".strip()
        printer.lines(result_lines(applied, again, undo))
    return NOTHING if applied.complete else FAILED
