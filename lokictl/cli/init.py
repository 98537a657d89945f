"""``lokictl init``"""

from __future__ import annotations

from pathlib import Path

import click

from lokictl.cli.common import debug_option, format_option, quiet_option, write_json
from lokictl.starter import start


@click.command(
    "init",
    epilog="""\b
Examples:
  lokictl init my-project
  lokictl init my-project --service checkout && lokictl check --project my-project
""",
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.option(
    "--service", default="shop", show_default=True, metavar="NAME", help="Name of the service to monitor."
)
@format_option("text", "json")
@quiet_option
@debug_option
def command(folder: Path, service: str, output_format: str, quiet: bool) -> None:
    """Create a small content project in FOLDER (default: here) that passes `lokictl check`. Existing files are never
    overwritten.
    """
    written = start(folder, service=service)
    if output_format == "json":
        write_json({"folder": str(folder), "files": [str(file) for file in written]})
        return
    if quiet:
        return
    for file in written:
        click.echo(f"  {file.relative_to(folder)}")
    place = "" if folder == Path() else f" --project {folder}"
    click.echo(f"{len(written)} files. Next: lokictl check{place}")
