"""Options and plan output of the commands that talk to servers."""

from __future__ import annotations

import contextlib
import functools
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lokictl.cli.common import loki_version_option, print_problems, project_option, wants_color, write_json
from lokictl.records import dataclass
from lokictl.sync.configuration import load_target
from lokictl.sync.errors import SyncError
from lokictl.sync.report import legend, plan_data, plan_lines, problem_lines, redacted, summary_line
from lokictl.sync.session import Servers, only_named, only_server

if TYPE_CHECKING:
    from lokictl.project import Project
    from lokictl.sync.configuration import Target
    from lokictl.sync.plan import Plan

Command = TypeVar("Command", bound=Callable[..., Any])

NOTHING, FAILED, USAGE_ERROR, PENDING = 0, 1, 2, 3
COLORS = {"+": "green", "-": "red", "~": "yellow", "!": "magenta", "<": "cyan", "?": "bright_black"}


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Which servers to talk to, and how; ``timeout`` is in seconds."""

    target_name: str = ""
    only: str | None = None
    jobs: int = 8
    timeout: float = 30.0
    project_root: Path | None = None
    verbose: bool = False

    def open(
        self, project: Project, *, read_only: bool, needs_name: bool = True, names: Iterable[str] = ()
    ) -> tuple[Target, Servers]:
        """The target and its servers.  Raises `LokictlError`."""
        target = only_server(load_target(project.config, self.target_name, needs_name=needs_name), self.only)
        target = only_named(target, names)
        return target, Servers(target, self.jobs, self.timeout, read_only)


def server_options(function: Command) -> Command:
    """What every command needs that talks to servers; the command gets it as ``servers``."""

    @functools.wraps(function)
    def command(
        target_name: str,
        only: str | None,
        jobs: int,
        timeout: float,
        project_root: Path | None,
        verbose: bool,
        **others: Any,
    ) -> Any:
        servers = ServerOptions(target_name, only, jobs, timeout, project_root, verbose)
        return function(servers=servers, **others)

    decorated: Any = loki_version_option(project_option(command))
    for option in (
        click.option("-v", "--verbose", is_flag=True,
                     help="Show unchanged resources and every difference, and every request on stderr."),
        click.option("--timeout", type=click.FloatRange(0.001), default=30.0, show_default=True, metavar="SECONDS",
                     help="Time to wait for an answer."),
        click.option("-j", "--jobs", type=click.IntRange(1, 64), default=8, show_default=True, metavar="N",
                     help="Number of parallel requests."),
        click.option("--only", type=click.Choice(["grafana", "loki"]), help="Sync only Grafana or only Loki."),
        click.option("-t", "--target", "target_name", default="", metavar="NAME",
                     help="Target from the configuration; default: the only one."),
    ):  # fmt: skip
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


@contextlib.contextmanager
def server_errors() -> Iterator[None]:
    """A server that fails is a problem found (1), not a usage error (2)."""
    try:
        yield
    except SyncError as error:
        print_problems(error.problems, err=True)
        raise click.exceptions.Exit(FAILED) from None


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Handles SIGTERM like Ctrl-C: running requests finish, and the summary shows what was done."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Printer:
    """Prints plans and outcomes; nothing that it prints holds a secret."""

    def __init__(self, target: Target, output_format: str, quiet: bool, verbose: bool) -> None:
        self.target, self.as_json, self.quiet, self.verbose = target, output_format == "json", quiet, verbose
        self.number = 0

    def only_plan(self, plan: Plan) -> int:
        """Prints a plan that will not be applied; returns the exit status."""
        if self.as_json:
            self.data(plan_data(plan))
        else:
            self.plan(plan)
        return PENDING if plan.pending else FAILED if plan.unreadable else NOTHING

    def plan(self, plan: Plan) -> None:
        """Prints a plan as text."""
        if self.as_json:
            return
        if self.quiet:
            self.lines(problem_lines(plan), err=True)
            return
        self.lines(plan_lines(plan, verbose=self.verbose))
        self.lines([summary_line(plan)])
        self.lines(legend(plan))

    def data(self, data: Any) -> None:
        """Prints JSON data."""
        write_json(self.target.redactor.content_data(data))

    def lines(self, lines: Iterable[str], *, err: bool = False) -> None:
        """Prints lines in the color of their sign."""
        for line in redacted(lines, self.target):
            sign = line.strip()[:1]
            styled = click.style(line, fg=COLORS[sign]) if wants_color(err=err) and sign in COLORS else line
            click.echo(styled, err=err)

    def say(self, text: str) -> None:
        """A remark that is not part of the result."""
        self.lines([text], err=True)
