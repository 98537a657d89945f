"""``lokictl sync``"""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lokictl.cli.common import debug_option, format_option, quiet_option, without_collection
from lokictl.cli.servers import (
    FAILED,
    NOTHING,
    Printer,
    ServerOptions,
    server_errors,
    server_options,
    stoppable,
)
from lokictl.lazy import lazy
from lokictl.project import load
from lokictl.project.configuration import display_path
from lokictl.records import dataclass
from lokictl.sync.plan import WRITES, Action, Kind, Outcome
from lokictl.sync.planner import OnConflict, Options
from lokictl.sync.report import applied_data, outcome_line, plan_data, result_lines
from lokictl.sync.saved_plan import check_plan, read_plan, save_plan
from lokictl.sync.session import Session

if TYPE_CHECKING:
    from lokictl import lint
    from lokictl.sync import pull
    from lokictl.sync.apply import Applied
    from lokictl.sync.plan import Plan
else:
    # Where nothing differs there is nothing to check, and few conflicts are settled by a pull.
    lint, pull = lazy("lokictl.lint"), lazy("lokictl.sync.pull")

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What to plan, and what to do with the plan."""

    prune: bool
    allow_empty: bool
    on_conflict: str
    no_check: bool
    strict: bool
    validate: bool
    plan_out: Path | None
    names: tuple[str, ...]

    def session(self, servers: ServerOptions, *, read_only: bool) -> Session:
        """The session that these options describe; its rules are checked."""
        with without_collection():
            project = load(servers.project_root)
        target, connections = servers.open(project, read_only=read_only, names=self.names)
        options = Options(self.prune, self.allow_empty, OnConflict(self.on_conflict))
        session = Session(project, target, connections, options, self.strict)
        if not self.no_check:
            session.check()
        return session

    def plan(self, session: Session) -> Plan:
        """The plan, checked by Grafana where that was asked for."""
        with without_collection():
            plan = session.plan()
        if self.validate:
            session.validate(plan)
        if not self.no_check:
            plan = dataclasses.replace(plan, warnings=(*plan.warnings, *_broken_queries(session, plan)))
        return plan

    def only_plan(self, session: Session, plan: Plan, printer: Printer) -> int:
        """Prints a plan, and writes it where it was asked to be; returns the exit status."""
        status = printer.only_plan(plan)
        if self.plan_out is not None:
            save_plan(self.plan_out, session.target, plan, session.options)
            printer.say(
                f"wrote the plan to {self.plan_out}; `lokictl sync --plan {self.plan_out}` applies it"
            )
        return status


def _broken_queries(session: Session, plan: Plan) -> Iterator[str]:
    """Queries of dashboards about to be written that do not parse: Grafana takes them, and shows an error there."""
    uids = {
        c.key.name for c in plan.of(*WRITES) if c.key.kind is Kind.DASHBOARD and c.action is not Action.DELETE
    }
    if not uids:
        return
    boards = tuple(board for board in session.project.dashboards if board.uid in uids)
    project = dataclasses.replace(
        session.project, rule_files=(), dashboards=boards, components=(), samples=()
    )
    for finding in lint.lint(project, lint.Settings()).findings:
        if finding.name == "logql/syntax":
            yield f"{finding.position}: {finding.message} ({finding.item})"


def plan_options(function: Command) -> Command:
    """What `sync` and `diff` have in common."""
    for option in (
        click.option("--strict", is_flag=True,
                     help="Stop when a resource cannot be read or written; default: skip it."),
        click.option("--validate", is_flag=True,
                     help="Validate every dashboard in Grafana (12 and later) first, without writing it."),
        click.option("--no-check", is_flag=True, help="Skip the LogQL and template checks."),
        click.option("--on-conflict", type=click.Choice(["fail", "overwrite", "skip", "pull"]), default="fail",
                     show_default=True, help="What to do with resources that somebody else changed or created."),
        click.option("--allow-empty", is_flag=True,
                     help="Let --prune delete the last resources of a kind."),
        click.option("--prune", is_flag=True,
                     help="Delete resources created by this project that are no longer in it."),
        click.option("--out", "plan_out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                     help="Write the plan to FILE and apply nothing; `lokictl sync --plan FILE` applies it."),
        click.argument("names", nargs=-1, metavar="[KIND/NAME]..."),
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
  lokictl sync dashboards/shop rules/shop
  lokictl sync --prune --out plan.json
  lokictl sync --plan plan.json
""",
)
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Apply the plan in FILE without confirmation, if it is still valid.",
)
@click.option(
    "-n", "--dry-run", is_flag=True, help="Show the plan without writing anything (like `lokictl diff`)."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--prune-limit",
    type=click.IntRange(0),
    metavar="N",
    help="Delete up to N resources without a second confirmation.",
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
    plan_file: Path | None,
    servers: ServerOptions,
    output_format: str,
    quiet: bool,
    **planned: Any,
) -> int:
    """Upload folders, data sources, dashboards and alerts to Grafana, and rules to the Loki ruler.

    Shows the plan, asks for confirmation, makes a backup, and applies the plan: only differences, and only to resources
    that this project created. NAMES limit the sync: a kind (dashboards, datasources, folders, library-panels, alerts,
    contact-points, mute-timings, message-templates, policies, rules) and a uid or name, or a namespace and optionally a
    group.

    Exit status: 0 done or nothing to do, 1 failed; with --dry-run or --out 3 if changes are pending.
    """
    options = PlanOptions(**planned)
    with server_errors(), stoppable():
        if plan_file is not None:
            return _apply_saved(plan_file, servers, options, output_format, quiet)
        session = options.session(servers, read_only=dry_run or options.plan_out is not None)
        plan = options.plan(session)
        printer = Printer(session.target, output_format, quiet, servers.verbose)
        if dry_run or options.plan_out is not None:
            return options.only_plan(session, plan, printer)
        printer.plan(plan)
        if not _may_apply(session, plan, yes, prune_limit, printer):
            return FAILED
        return _apply(session, plan, printer)


def _apply_saved(
    path: Path, servers: ServerOptions, options: PlanOptions, output_format: str, quiet: bool
) -> int:
    saved = read_plan(path)
    if options.names or options.prune or options.allow_empty or options.plan_out is not None:
        raise click.UsageError("--plan uses the options saved in the plan; remove the others")
    servers = dataclasses.replace(servers, target_name=saved.target, only=saved.only or None)
    planned = dataclasses.replace(
        options,
        prune=saved.options.prune,
        allow_empty=saved.options.allow_empty,
        on_conflict=saved.options.on_conflict.value,
        names=saved.names,
    )
    session = planned.session(servers, read_only=False)
    plan = planned.plan(session)
    printer = Printer(session.target, output_format, quiet, servers.verbose)
    check_plan(saved, session.target, plan)
    printer.plan(plan)
    if plan.of(Action.CONFLICT):
        _advise(plan, printer)
        return FAILED
    return _apply(session, plan, printer)


def _may_apply(session: Session, plan: Plan, yes: bool, prune_limit: int | None, printer: Printer) -> bool:
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
        printer.say("no changes made")
        return False
    return _may_delete(session, plan, yes, prune_limit, printer)


def _advise(plan: Plan, printer: Printer) -> None:
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
    again = " ".join(["lokictl", *(shlex.quote(word) for word in sys.argv[1:])])
    undo = f"lokictl rollback {session.backup.name if session.backup else ''}".strip()
    if not printer.quiet or not applied.complete:
        printer.lines(result_lines(applied, again, undo))
    if session.backup is not None and not printer.quiet:
        printer.lines([f"backup: {_shown(session.backup)} (`{undo}` restores it)"])


def _pull(session: Session, plan: Plan, printer: Printer) -> list[str]:
    written = []
    for path, note in pull.pull_conflicts(session.project, session.target, plan):
        written.append(_shown(path))
        if not printer.as_json:
            printer.lines([f"< {_shown(path)}: {note}"])
    return written


def _shown(path: Path | None) -> str:
    return display_path(path) if path is not None else ""
