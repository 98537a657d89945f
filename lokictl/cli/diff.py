"""``lokictl diff``"""

from __future__ import annotations

from pathlib import Path

import click

from lokictl.cli.common import debug_option, format_option, project_option, quiet_option
from lokictl.cli.sync import Printer, open_session, plan_options, server_errors, server_options


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
@project_option
@format_option("text", "json")
@quiet_option
@debug_option
def command(
    prune: bool,
    allow_empty: bool,
    on_conflict: str,
    verbose: bool,
    target_name: str,
    only: str | None,
    jobs: int,
    timeout: float,
    project_root: Path | None,
    output_format: str,
    quiet: bool,
) -> int:
    """Show what `lokictl sync` would change, and write nothing.

    Exit status: 0 nothing to do, 3 changes pending (drift), 1 failed.
    """
    with server_errors():
        session = open_session(
            project_root, target_name, only, jobs, timeout, prune, allow_empty, on_conflict, read_only=True
        )
        plan = session.plan()
        return Printer(session.target, output_format, quiet, verbose).only_plan(plan)
