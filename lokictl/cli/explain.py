"""``lokictl explain``: prints the page of a check."""

from __future__ import annotations

import click

from lokictl.cli.common import debug_option
from lokictl.lint.pages import listing, page

EPILOG = """\b
Examples:
  lokictl explain                                   every check, in a list
  lokictl explain logql/unwrap-without-error-filter
  lokictl explain rule                              the checks of a family"""


@click.command("explain", epilog=EPILOG)
@click.argument("name", required=False)
@debug_option
def command(name: str | None) -> int:
    """Explain a lint check: why it exists, a bad and a good example, how to configure and silence it."""
    click.echo(listing(name) if name is None or "/" not in name else page(name))
    return 0
