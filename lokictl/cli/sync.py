"""``lokictl sync``"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lokictl.cli.common import debug_option, format_option, quiet_option
from lokictl.cli.servers import (
    FAILED,
    NOTHING,
    Printer,
    ServerOptions,
    server_errors,
    server_options,
    stoppable,
)

if TYPE_CHECKING:
    from lokictl.sync.apply import Applied
    from lokictl.sync.plan import Plan
    from lokictl.sync.session import Session

Command = TypeVar("Command", bound=Callable[..., Any])


def plan_options(function: Command) -> Command:
    """What `sync` and `diff` have in common."""
    for option in (
        click.option("--strict", is_flag=True,
                     help="Stop when a single resource cannot be read or written; default: skip it."),
        click.option("--no-check", is_flag=True, help="Do not check LogQL and templates of rules first."),
        click.option("--on-conflict", type=click.Choice(["fail", "overwrite", "skip", "pull"]), default="fail",
                     show_default=True, help="What to do with resources that somebody else changed or made."),
        click.option("--allow-empty", is_flag=True,
                     help="Let --prune delete even if the project has nothing of that kind left."),
        click.option("--prune", is_flag=True,
                     help="Delete resources created by this project that are no longer in it."),
    ):  # fmt: skip
        function = option(function)
    return function


@click.command(
    "sync",
    epilog="""\b
Examples:
  lokictl sync --dry-run
  lokictl sync --target staging
  lokictl sync --target production --prune --yes
""",
)
@click.option("-n", "--dry-run", is_flag=True, help="Only show the plan; write nothing (as `lokictl diff`).")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--prune-limit",
    type=click.IntRange(0),
    metavar="N",
    help="Delete up to N resources without asking again.",
)
@plan_options
@server_options
@format_option("text", "json")
@quiet_option
@debug_option
def command(
    dry_run: bool,
    yes: bool,
    prune_limit: int | None,
    prune: bool,
    allow_empty: bool,
    on_conflict: str,
    no_check: bool,
    strict: bool,
    servers: ServerOptions,
    output_format: str,
    quiet: bool,
) -> int:
    """Upload folders, data sources and dashboards to Grafana, and rules to the Loki ruler.

    Shows the plan, asks, and applies it: only what differs, only what this project made, after a backup.
    Exit status: 0 done or nothing to do, 1 failed; with --dry-run 3 if changes are pending.
    """
    with server_errors(), stoppable():
        session = open_session(servers, prune, allow_empty, on_conflict, strict=strict, read_only=dry_run)
        if not no_check:
            session.check()
        plan = session.plan()
        printer = Printer(session.target, output_format, quiet, servers.verbose)
        if dry_run:
            return printer.only_plan(plan)
        printer.plan(plan)
        if not _may_apply(session, plan, yes, prune_limit, printer):
            return FAILED
        return _apply(session, plan, printer)


def open_session(
    servers: ServerOptions, prune: bool, allow_empty: bool, on_conflict: str, *, strict: bool, read_only: bool
) -> Session:
    """The session that the options of a command describe."""
    from lokictl.project import load
    from lokictl.sync.planner import OnConflict, Options
    from lokictl.sync.session import Session

    project = load(servers.project_root)
    target, connections = servers.open(project, read_only=read_only)
    options = Options(prune, allow_empty, OnConflict(on_conflict))
    return Session(project, target, connections, options, strict)


def _may_apply(session: Session, plan: Plan, yes: bool, prune_limit: int | None, printer: Printer) -> bool:
    from lokictl.sync.plan import Action

    conflicts = plan.of(Action.CONFLICT)
    if conflicts:
        _advise(plan, printer)
        return False
    if not plan.writes:
        return True
    interactive = sys.stdin.isatty() and not printer.as_json
    if not yes and not interactive:
        raise click.UsageError(
            "cannot prompt: not a terminal; pass --yes to apply, or --dry-run for the plan"
        )
    if not yes and not click.confirm("Apply this plan?", default=False, err=True):
        printer.say("nothing was changed")
        return False
    return _may_delete(session, plan, yes, prune_limit, printer)


def _advise(plan: Plan, printer: Printer) -> None:
    from lokictl.sync.plan import Action

    conflicts = plan.of(Action.CONFLICT)
    count = len(conflicts)
    settled = sum(change.settled for change in conflicts)
    printer.say(f"conflicts: {count}; nothing applied")
    if settled < count:
        some = f" (not for {settled} of them)" if settled else ""
        printer.say(
            f"--on-conflict overwrite uploads the project's version{some}, pull downloads the server's{some}, "
            "skip leaves them and applies the rest"
        )
    else:
        printer.say("--on-conflict skip leaves them as they are and applies the rest")


def _may_delete(session: Session, plan: Plan, yes: bool, prune_limit: int | None, printer: Printer) -> bool:
    limit = session.target.prune_limit if prune_limit is None else prune_limit
    count = session.deletions(plan)
    if count <= limit:
        return True
    if yes:
        printer.say(
            f"deletions: {count}, more than {limit}; nothing applied; --prune-limit {count} allows them"
        )
        return False
    return click.confirm(f"Delete {count} resources (more than {limit})?", default=False, err=True)


def _apply(session: Session, plan: Plan, printer: Printer) -> int:
    from lokictl.sync.plan import Action, Outcome
    from lokictl.sync.report import applied_data, outcome_line, plan_data

    pulled = _pull(session, plan, printer) if plan.of(Action.PULL) else []
    total = len(plan.writes)

    def show(outcome: Outcome) -> None:
        printer.number += 1
        if not printer.as_json and (not printer.quiet or outcome.message):
            printer.lines([outcome_line(outcome, printer.number, total)])

    applied = session.apply(plan, show)
    for note in session.notes:
        printer.say(note)
    if printer.as_json:
        data = {
            **plan_data(plan),
            **applied_data(applied),
            "backup": _shown(session.backup),
            "pulled": pulled,
        }
        printer.data(data)
    elif plan.writes:
        _print_end(session, applied, printer)
    return NOTHING if applied.complete and not plan.unreadable else FAILED


def _print_end(session: Session, applied: Applied, printer: Printer) -> None:
    from lokictl.sync.report import result_lines

    again = " ".join(["lokictl", *(shlex.quote(word) for word in sys.argv[1:])])
    undo = f"lokictl rollback {session.backup.name if session.backup else ''}".strip()
    if not printer.quiet or not applied.complete:
        printer.lines(result_lines(applied, again, undo))
    if session.backup is not None and not printer.quiet:
        printer.lines([f"backup: {_shown(session.backup)} (`{undo}` puts it back)"])


def _pull(session: Session, plan: Plan, printer: Printer) -> list[str]:
    from lokictl.sync.pull import pull_conflicts

    written = []
    for path, note in pull_conflicts(session.project, session.target, plan):
        written.append(_shown(path))
        if not printer.as_json:
            printer.lines([f"< {_shown(path)}: {note}"])
    return written


def _shown(path: Path | None) -> str:
    from lokictl.project.configuration import shown

    return shown(path) if path is not None else ""
