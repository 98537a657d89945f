"""``lokictl diff``"""

from __future__ import annotations

from typing import Any

import click

from lokictl.cli.common import debug_option, format_option, quiet_option
from lokictl.cli.servers import Printer, ServerOptions, server_errors, server_options
from lokictl.cli.sync import PlanOptions, plan_options


@click.command(
    "diff",
    epilog="""\b
Examples:
  lokictl diff
  lokictl diff --target staging --prune
  lokictl diff --format json
  lokictl diff dashboards/shop
""",
)
@plan_options
@server_options
@format_option("text", "json")
@quiet_option
@debug_option
def command(servers: ServerOptions, output_format: str, quiet: bool, **planned: Any) -> int:
    """Show what `lokictl sync` would change, without writing anything.

    Exit status: 0 nothing to do, 3 changes pending (drift), 1 failed.
    """
    options = PlanOptions(**planned)
    with server_errors():
        session = options.session(servers, read_only=True)
        printer = Printer(session.target, output_format, quiet, servers.verbose)
        return options.only_plan(session, options.plan(session), printer)
