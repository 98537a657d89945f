"""``--verbose``: logs on stderr what lokictl does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lokictl.lazy import lazy

if TYPE_CHECKING:
    from lokictl.cli import log_handler
else:
    log_handler = lazy("lokictl.cli.log_handler")


def log_to_stderr(verbose: bool) -> None:
    """Shows warnings; with ``verbose`` also requests with status and time, servers started and modules loaded."""
    # Python shows warnings by itself, as plain text on stderr; so most commands need no `logging`.
    if verbose or "logging" in sys.modules:
        log_handler.install(verbose)


def add_verbose_option(command: click.Command) -> None:
    """Lets ``command`` take ``--verbose`` after its name, too.

    A command with a ``--verbose`` of its own keeps it, and also logs.
    """
    own = next((option for option in command.params if "--verbose" in option.opts), None)
    if own is not None:
        own.callback = _log_if_set
        return
    option = click.Option(
        ["-v", "--verbose"],
        is_flag=True,
        expose_value=False,
        callback=_log_if_set,
        help="Log modules loaded, servers started and every request to stderr.",
    )
    command.params.append(option)


def _log_if_set(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    if value:
        log_to_stderr(True)
    return value
