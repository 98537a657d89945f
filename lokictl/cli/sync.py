"""``lokictl sync``"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lokictl.cli.common import (
    debug_option,
    format_option,
    project_option,
    quiet_option,
    wants_color,
    write_json,
)

if TYPE_CHECKING:
    from lokictl.sync.apply import Applied
    from lokictl.sync.configuration import Target
    from lokictl.sync.interface import Plan
    from lokictl.sync.session import Session

Command = TypeVar("Command", bound=Callable[..., Any])

NOTHING, FAILED, WRONG_USE, PENDING = 0, 1, 2, 3
COLORS = {"+": "green", "-": "red", "~": "yellow", "!": "magenta", "<": "cyan", "?": "bright_black"}


def server_options(function: Command) -> Command:
    """What every command needs that talks to servers."""
    for option in (
        click.option("--timeout", type=click.FloatRange(0.001), default=30.0, show_default=True, metavar="SECONDS",
                     help="How long to wait for an answer."),
        click.option("-j", "--jobs", type=click.IntRange(1, 64), default=8, show_default=True, metavar="N",
                     help="How many requests to send at once."),
        click.option("--only", type=click.Choice(["grafana", "loki"]), help="Leave the other server alone."),
        click.option("-t", "--target", "target_name", default="", metavar="NAME",
                     help="The target in the configuration; default: the only one."),
    ):  # fmt: skip
        function = option(function)
    return function


def plan_options(function: Command) -> Command:
    """What `sync` and `diff` have in common."""
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Show what is unchanged, and every difference."),
        click.option("--on-conflict", type=click.Choice(["fail", "overwrite", "skip", "pull"]), default="fail",
                     show_default=True, help="What to do where somebody else has changed something."),
        click.option("--allow-empty", is_flag=True,
                     help="Let --prune delete even if the project has nothing of that kind left."),
        click.option("--prune", is_flag=True, help="Delete what this project made and does not have any more."),
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
@project_option
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
    verbose: bool,
    target_name: str,
    only: str | None,
    jobs: int,
    timeout: float,
    project_root: Path | None,
    output_format: str,
    quiet: bool,
) -> int:
    """Upload folders, data sources and dashboards to Grafana, and rules to the Loki ruler.

    Shows the plan, asks, and applies it: only what differs, only what this project made, after a backup.
    Exit status: 0 done or nothing to do, 1 failed; with --dry-run 3 if changes are pending.
    """
    with server_errors():
        session = open_session(
            project_root, target_name, only, jobs, timeout, prune, allow_empty, on_conflict, read_only=dry_run
        )
        plan = session.plan()
        printer = Printer(session.target, output_format, quiet, verbose)
        if dry_run:
            return printer.only_plan(plan)
        printer.plan(plan)
        if not _may_apply(session, plan, yes, prune_limit, printer):
            return FAILED
        return _apply(session, plan, printer)


def open_session(
    project_root: Path | None,
    target_name: str,
    only: str | None,
    jobs: int,
    timeout: float,
    prune: bool,
    allow_empty: bool,
    on_conflict: str,
    *,
    read_only: bool,
) -> Session:
    """The session that the options of a command describe."""
    from lokictl.project import load
    from lokictl.sync.configuration import load_target
    from lokictl.sync.planner import OnConflict, Options
    from lokictl.sync.session import Servers, Session, only_server

    project = load(project_root)
    target = only_server(load_target(project.config, target_name), only)
    servers = Servers(target, jobs, timeout, read_only)
    return Session(project, target, servers, Options(prune, allow_empty, OnConflict(on_conflict)))


class server_errors:  # noqa: N801 - used as a context manager
    """A server that fails is a problem found (1), not wrong use (2)."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from lokictl.cli.common import print_problems
        from lokictl.sync.session import SyncError

        if isinstance(error, SyncError):
            print_problems(error.problems, err=True)
            raise click.exceptions.Exit(FAILED) from None


class Printer:
    """Prints plans and outcomes; nothing that it prints holds a secret."""

    def __init__(self, target: Target, output_format: str, quiet: bool, verbose: bool) -> None:
        self.target, self.as_json, self.quiet, self.verbose = target, output_format == "json", quiet, verbose
        self.number = 0

    def only_plan(self, plan: Plan) -> int:
        """Prints a plan that will not be applied; returns the exit status."""
        from lokictl.sync.report import plan_data

        if self.as_json:
            write_json(self.target.redactor.data(plan_data(plan)))
        else:
            self.plan(plan)
        return PENDING if plan.pending else NOTHING

    def plan(self, plan: Plan) -> None:
        from lokictl.sync.report import plan_lines, summary_line

        if self.as_json:
            return
        if not self.quiet or plan.pending:
            self.lines(plan_lines(plan, verbose=self.verbose))
        if not self.quiet:
            self.lines([summary_line(plan)])

    def lines(self, lines: Iterable[str], *, err: bool = False) -> None:
        from lokictl.sync.report import redacted

        for line in redacted(lines, self.target):
            sign = line.strip()[:1]
            styled = click.style(line, fg=COLORS[sign]) if wants_color(err=err) and sign in COLORS else line
            click.echo(styled, err=err)

    def say(self, text: str) -> None:
        """A remark that is not part of the result."""
        self.lines([text], err=True)


def _may_apply(session: Session, plan: Plan, yes: bool, prune_limit: int | None, printer: Printer) -> bool:
    from lokictl.sync.interface import Action

    conflicts = plan.of(Action.CONFLICT)
    if conflicts:
        settled = sum(change.settled for change in conflicts)
        printer.say(f"{len(conflicts)} in conflict, so nothing is changed.")
        if settled < len(conflicts):
            printer.say("--on-conflict overwrite takes the project's side, pull the server's, skip neither.")
        elif settled:
            printer.say("--on-conflict skip does the rest.")
        return False
    if not plan.writes:
        return True
    interactive = sys.stdin.isatty() and not printer.as_json
    if not yes and not interactive:
        raise click.UsageError("this is no terminal to ask on: use --yes, or --dry-run to see the plan")
    if not yes and not click.confirm("Apply this plan?", default=False, err=True):
        printer.say("nothing was changed")
        return False
    return _may_delete(session, plan, yes, prune_limit, printer)


def _may_delete(session: Session, plan: Plan, yes: bool, prune_limit: int | None, printer: Printer) -> bool:
    limit = session.target.prune_limit if prune_limit is None else prune_limit
    count = session.deletions(plan)
    if count <= limit:
        return True
    if yes:
        printer.say(
            f"{count} deletions are more than {limit}, so nothing is changed; --prune-limit {count} allows them"
        )
        return False
    return click.confirm(
        f"It deletes {count} resources (more than {limit}). Really?", default=False, err=True
    )


def _apply(session: Session, plan: Plan, printer: Printer) -> int:
    from lokictl.sync.interface import Action, Outcome
    from lokictl.sync.report import applied_data, outcome_line, plan_data

    pulled = _pull(session, plan, printer) if plan.of(Action.PULL) else []
    total = len(plan.writes)

    def show(outcome: Outcome) -> None:
        printer.number += 1
        if not printer.as_json and (not printer.quiet or outcome.message):
            printer.lines([outcome_line(outcome, printer.number, total)])

    applied = session.apply(plan, show)
    if printer.as_json:
        data = {
            **plan_data(plan),
            **applied_data(applied),
            "backup": _shown(session.backup),
            "pulled": pulled,
        }
        write_json(printer.target.redactor.data(data))
    elif plan.writes:
        _print_end(session, applied, printer)
    return NOTHING if applied.complete else FAILED


def _print_end(session: Session, applied: Applied, printer: Printer) -> None:
    from lokictl.sync.report import result_lines

    arguments = [f"'{word}'" if " " in word else word for word in sys.argv[1:]]
    again = " ".join(["lokictl", *arguments])
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
