"""``--verbose``: what lokictl does while it does it, on stderr."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class _Echo(logging.Handler):
    """Log records on stderr, wherever that goes when they come."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)


def log_to_stderr(verbose: bool) -> None:
    """Shows warnings; with ``verbose`` also requests with their status and time, servers started, modules loaded."""
    logger = logging.getLogger("lokictl")
    if not any(isinstance(handler, _Echo) for handler in logger.handlers):
        logger.addHandler(_Echo())
    logger.setLevel(logging.INFO if verbose else logging.WARNING)


def verbose_option(function: Command) -> Command:
    """``--verbose`` after the command's name, too."""

    def switch_on(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            log_to_stderr(True)

    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=switch_on,
        help="Show on stderr which modules are loaded, which servers start, and every request.",
    )(function)
