"""``--verbose``: logs on stderr what lokictl does."""

from __future__ import annotations

import logging

import click


class _Echo(logging.Handler):
    """Writes log records to the current stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)


def log_to_stderr(verbose: bool) -> None:
    """Shows warnings; with ``verbose`` also requests with status and time, servers started and modules loaded."""
    logger = logging.getLogger("lokictl")
    if not any(isinstance(handler, _Echo) for handler in logger.handlers):
        logger.addHandler(_Echo())
    logger.setLevel(logging.INFO if verbose else logging.WARNING)


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
