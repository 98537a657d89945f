"""``lokictl schema``"""

from __future__ import annotations

import click

from lokictl.cli.common import debug_option
from lokictl.testing.schema import schema_text

FORMATS = ("test",)


@click.command(
    "schema",
    epilog="""\b
Examples:
  lokictl schema test > test.schema.json
  # First line of a test file, for completion in editors:
  # yaml-language-server: $schema=./test.schema.json
""",
)
@click.argument("name", type=click.Choice(FORMATS), metavar="FORMAT")
@debug_option
def command(name: str) -> None:
    """Print the JSON Schema of a file FORMAT: "test" (rule tests)."""
    click.echo(schema_text(name), nl=False)
