"""Options and output helpers that the commands share."""

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
    """``--project DIR``: the content project; default: the one around the current directory."""
    return click.option(
        "--project",
        "project_root",
        type=click.Path(file_okay=False, path_type=Path),
        default=None,
        metavar="DIR",
        help="Content project; default: the one around the current directory.",
    )(function)


def format_option(*choices: str, default: str = "text") -> Callable[[Command], Command]:
    """``--format``: the output format."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(choices or ("text", "json")),
        default=default,
        show_default=True,
        help="Output format.",
    )


def loki_version_option(function: Command) -> Command:
    """``--loki-version``: the Loki version to target; default: the project's ``loki_version``."""
    return click.option(
        "--loki-version",
        metavar="3.4",
        expose_value=False,
        callback=_set_loki_version,
        help="Loki version to target; default: the project's loki_version, or 3.7.",
    )(function)


def _set_loki_version(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    text = (
        value
        or os.environ.get("LOKICTL_LOKI_VERSION")
        or configured_version(context.params.get("project_root"))
    )
    if not text:
        return
    try:
        context.with_resource(versions.targeting(versions.LokiVersion.parse(text)))
    except ValueError as error:
        raise click.UsageError(f"{'--loki-version' if value else 'loki_version'}: {error}", context) from None


def configured_version(root: Path | None = None) -> str:
    """The ``loki_version`` of the project in ``root``, or around the current directory; "" without one."""
    try:
        return str(configuration.find_configuration(root)["loki_version"])
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
    """Whether to use colors: on a terminal unless NO_COLOR is set, and anywhere with FORCE_COLOR."""
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
