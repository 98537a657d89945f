"""``lokictl diff``"""

from __future__ import annotations

import click

from lokictl.cli.common import debug_option, format_option, quiet_option
from lokictl.cli.servers import Printer, ServerOptions, server_errors, server_options
from lokictl.cli.sync import open_session, plan_options


@click.command(
    "diff",
    epilog="""\b
Examples:
  lokictl diff
  lokictl diff --target staging --prune
  lokictl diff --format json
""",
)
@plan_options
@server_options
@format_option("text", "json")
@quiet_option
@debug_option
def command(
    prune: bool,
    allow_empty: bool,
    on_conflict: str,
    no_check: bool,
    strict: bool,
    servers: ServerOptions,
    output_format: str,
    quiet: bool,
) -> int:
    """Show what `lokictl sync` would change, and write nothing.

    Exit status: 0 nothing to do, 3 changes pending (drift), 1 failed.
    """
    with server_errors():
        session = open_session(servers, prune, allow_empty, on_conflict, strict=strict, read_only=True)
        if not no_check:
            session.check()
        return Printer(session.target, output_format, quiet, servers.verbose).only_plan(session.plan())
