"""What the commands share: options and ways of printing."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lokictl.diagnostics import LokictlError
from lokictl.lazy import lazy

if TYPE_CHECKING:
    from lokictl import reporting
    from lokictl.diagnostics import Problem
    from lokictl.logql import versions
    from lokictl.project import configuration
else:
    versions = lazy("lokictl.logql.versions")
    configuration = lazy("lokictl.project.configuration")
    reporting = lazy("lokictl.reporting")

Command = TypeVar("Command", bound=Callable[..., Any])


def project_option(function: Command) -> Command:
    """``--project DIR``: where the content project is; default: found upwards from here."""
    return click.option(
        "--project",
        "project_root",
        type=click.Path(file_okay=False, path_type=Path),
        default=None,
        metavar="DIR",
        help="The content project; default: found upwards from the current folder.",
    )(function)


def format_option(*choices: str, default: str = "text") -> Callable[[Command], Command]:
    """``--format``: how results are printed."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(choices or ("text", "json")),
        default=default,
        show_default=True,
        help="How to print the result.",
    )


def loki_version_option(function: Command) -> Command:
    """``--loki-version``: the Loki that this run is for; the project's ``loki_version`` by default."""
    return click.option(
        "--loki-version",
        metavar="3.4",
        expose_value=False,
        is_eager=True,
        callback=_set_loki_version,
        help="The Loki to behave like; default: the project's loki_version, or 3.7.",
    )(function)


def _set_loki_version(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    text = value or os.environ.get("LOKICTL_LOKI_VERSION") or configured_version()
    if not text:
        return
    try:
        context.with_resource(versions.targeting(versions.LokiVersion.parse(text)))
    except ValueError as error:
        raise click.UsageError(f"{'--loki-version' if value else 'loki_version'}: {error}", context) from None


def configured_version() -> str:
    """The ``loki_version`` of the project around the current folder; "" where there is none."""

    try:
        return str(configuration.find_configuration()["loki_version"])
    except LokictlError:
        return ""


def quiet_option(function: Command) -> Command:
    """``--quiet``: only problems, no summary."""
    return click.option("-q", "--quiet", is_flag=True, help="Print only problems.")(function)


def debug_option(function: Command) -> Command:
    """``--debug`` after the command's name, too."""
    return click.option(
        "--debug", is_flag=True, expose_value=False, help="Show tracebacks of unexpected errors."
    )(function)


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """No search for garbage while things are read that live to the end, and none among them later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def wants_color(*, err: bool = False) -> bool:
    """Colours on a terminal, unless NO_COLOR is set; FORCE_COLOR asks for them anywhere."""
    if os.environ.get("NO_COLOR"):
        return False
    stream = sys.stderr if err else sys.stdout
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def print_problems(problems: Iterable[Problem], *, err: bool = False) -> None:
    """Prints problems with their source lines and carets."""
    click.echo(reporting.render_problems(list(problems), color=wants_color(err=err)), err=err)


def write_json(value: Any) -> None:
    """Prints a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
