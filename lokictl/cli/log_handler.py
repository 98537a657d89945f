"""Writes what lokictl logs to stderr."""

from __future__ import annotations

import logging

import click


class _Echo(logging.Handler):
    """Writes log records to the current stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)


def install(verbose: bool) -> None:
    """Shows warnings; with ``verbose`` everything."""
    logger = logging.getLogger("lokictl")
    if not any(isinstance(handler, _Echo) for handler in logger.handlers):
        logger.addHandler(_Echo())
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
