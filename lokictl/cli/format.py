"""``lokictl format``"""

from __future__ import annotations

import sys

import click

from lokictl.cli.common import debug_option


@click.command(
    "format",
    epilog="""\b
Examples:
  lokictl format 'sum by(level)(rate({app="api"}|json[5m]))'
  lokictl format --canonical < query.logql
""",
)
@click.argument("expression", required=False)
@click.option("--canonical", is_flag=True, help="Loki's canonical text, on one line.")
@debug_option
def command(expression: str | None, canonical: bool) -> None:
    """Pretty-print a LogQL EXPRESSION (default: standard input)."""
    from lokictl import logql
    from lokictl.cli.query import _parse

    text = expression if expression is not None else sys.stdin.read()
    parsed = _parse(text)
    click.echo(str(parsed) if canonical else logql.format(text))
