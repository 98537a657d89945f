"""``lokictl pull``"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from lokictl.cli.common import debug_option, format_option, quiet_option, write_json
from lokictl.cli.servers import NOTHING, ServerOptions, server_errors, server_options
from lokictl.project import load
from lokictl.sync.pull import KINDS, Selection, pull, write_modules

if TYPE_CHECKING:
    from lokictl.sync.pull import Pulled


@click.command(
    "pull",
    epilog="""\b
Examples:
  lokictl pull --dry-run
  lokictl pull --target staging
  lokictl pull --kind rules team-a
  lokictl pull --kind dashboards 3aXy7Qzk
""",
)
@click.argument("names", nargs=-1, metavar="[UID|NAMESPACE]...")
@click.option(
    "--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Pull only these kinds; default: all."
)
@click.option("--force", is_flag=True, help="Replace files that an earlier pull wrote.")
@click.option(
    "-n", "--dry-run", is_flag=True, help="List the files that would be written, without writing them."
)
@server_options
@format_option("text", "json")
@quiet_option
@debug_option
def command(
    names: tuple[str, ...],
    kinds: tuple[str, ...],
    force: bool,
    dry_run: bool,
    servers: ServerOptions,
    output_format: str,
    quiet: bool,
) -> int:
    """Import dashboards, data sources, alerts and rules from a live Grafana and Loki into the project.

    The modules render back to the same JSON. Resources that the project already has are skipped.
    """
    with server_errors():
        project = load(servers.project_root)
        target, connections = servers.open(project, read_only=True, needs_name=False)
        selection = Selection(frozenset(kinds or KINDS), frozenset(names))
        pulled = pull(project, target, connections, selection, force=force)
    if not dry_run:
        write_modules(project.root, pulled.modules)
    if output_format == "json":
        write_json(
            target.redactor.content_data(
                {
                    "written": [str(module.path) for module in pulled.modules],
                    "skipped": [{"name": name, "reason": reason} for name, reason in pulled.skipped],
                    "configuration": pulled.configuration,
                    "notes": pulled.notes,
                }
            )
        )
    elif not quiet:
        _print(pulled, dry_run, target.redactor.content)
    return NOTHING


def _print(pulled: Pulled, dry_run: bool, clean: Callable[[str], str]) -> None:
    for module in pulled.modules:
        click.echo(clean(f"{'would write' if dry_run else 'wrote'} {module.path}"))
    for name, reason in pulled.skipped:
        click.echo(clean(f"skipped {name}: {reason}"))
    for note in pulled.notes:
        click.echo(clean(f"note: {note}"))
    if pulled.configuration:
        click.echo(f"\nAdd to {pulled.configuration_file} so that sync keeps it:")
        for text in pulled.configuration:
            click.echo(clean(f"\n{text}"))
    if not pulled.modules and not pulled.skipped:
        click.echo("nothing to pull")
