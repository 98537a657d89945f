"""``lokictl rollback``"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lokictl.cli.common import debug_option, format_option, quiet_option, write_json
from lokictl.cli.servers import (
    FAILED,
    NOTHING,
    Printer,
    ServerOptions,
    server_errors,
    server_options,
    stoppable,
)
from lokictl.project import find_configuration, load
from lokictl.sync.backup import backup_names, backup_target, read_backup, read_backups
from lokictl.sync.desired import Desired, desired_state
from lokictl.sync.plan import Action
from lokictl.sync.planner import OnConflict
from lokictl.sync.report import applied_data, outcome_line, plan_data, result_lines
from lokictl.sync.rollback import Rollback

if TYPE_CHECKING:
    from lokictl.sync.plan import Outcome, Plan


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
@click.option("--list", "only_list", is_flag=True, help="List available backups.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be restored, without writing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--on-conflict",
    type=click.Choice(["fail", "overwrite", "skip"]),
    default="fail",
    show_default=True,
    help="What to do with resources that were changed since.",
)
@server_options
@format_option("text", "json")
@quiet_option
@debug_option
def command(
    time: str,
    only_list: bool,
    dry_run: bool,
    yes: bool,
    on_conflict: str,
    servers: ServerOptions,
    output_format: str,
    quiet: bool,
) -> int:
    """Restore the state before the last `lokictl sync`, or before the run at TIME and all later ones.

    TIME is the name of a backup; its first digits are enough. Resources that somebody else has changed since are
    conflicts and are skipped, unless --on-conflict says otherwise.
    """
    if only_list:
        return _list(find_configuration(servers.project_root).root, output_format)
    with server_errors(), stoppable():
        rollback = _rollback(servers, time, on_conflict, dry_run)
        plan = rollback.plan()
        printer = Printer(rollback.target, output_format, quiet, servers.verbose)
        if dry_run:
            return printer.only_plan(plan)
        printer.plan(plan)
        return _apply(rollback, plan, yes, printer)


def _list(root: Path, output_format: str) -> int:
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
        click.echo("no backups found")
    return NOTHING


def _rollback(servers: ServerOptions, time: str, on_conflict: str, dry_run: bool) -> Rollback:
    # A project that is broken just now must not stand in the way of an undo.
    project = load(servers.project_root, strict=False)
    name = backup_target(project.root, time)
    if servers.target_name and servers.target_name != name:
        raise click.UsageError(f'that backup is of the target "{name}", not "{servers.target_name}"')
    target, connections = dataclasses.replace(servers, target_name=name).open(project, read_only=dry_run)
    desired = Desired() if project.problems else desired_state(project, target)
    secrets = {key: resource.secrets for key, resource in desired.resources.items() if resource.secrets}
    backups = read_backups(project.root, time)
    return Rollback(
        project.root, target, connections, backups, OnConflict(on_conflict), secrets, project.config
    )


def _apply(rollback: Rollback, plan: Plan, yes: bool, printer: Printer) -> int:
    conflicts = plan.of(Action.CONFLICT)
    if conflicts:
        printer.say(
            f"conflicts: {len(conflicts)}; nothing applied; --on-conflict overwrite restores the old state, "
            "skip keeps them and applies the rest"
        )
        return FAILED
    if plan.writes and not yes:
        if not sys.stdin.isatty() or printer.as_json:
            raise click.UsageError(
                "cannot prompt: not a terminal; pass --yes to apply, or --dry-run for the plan"
            )
        if not click.confirm("Restore this?", default=False, err=True):
            return FAILED

    def show(outcome: Outcome) -> None:
        printer.number += 1
        if not printer.as_json and (not printer.quiet or outcome.message):
            printer.lines([outcome_line(outcome, printer.number, len(plan.writes))])

    applied = rollback.apply(plan, show)
    if printer.as_json:
        printer.data({**plan_data(plan), **applied_data(applied)})
    elif plan.writes and (not printer.quiet or not applied.complete):
        again = f"lokictl rollback {rollback.backups[-1].name}"
        undo = f"lokictl rollback {rollback.written.name if rollback.written else ''}".strip()
        printer.lines(result_lines(applied, again, undo))
    return NOTHING if applied.complete else FAILED
