"""``lokictl render``"""

from __future__ import annotations

from pathlib import Path

import click

from lokictl.cli.common import debug_option, format_option, project_option, quiet_option, write_json
from lokictl.project import load
from lokictl.render import rendering, write

OUTPUT_NAMES = "grafana, rules, kubernetes, helm, stack"


@click.command(
    "render",
    epilog="""\b
Examples:
  lokictl render
  lokictl render -o build --what grafana,rules --grafana-version 11.6
  lokictl render -o build && GF_PATHS_PROVISIONING=$PWD/build/grafana/provisioning grafana server
  helm upgrade --install content build/helm/my-project --set tenant=demo
""",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Output directory; default: the project's build directory.",
)
@click.option(
    "--what",
    multiple=True,
    metavar="NAMES",
    help=f"Render only these, separated by commas: {OUTPUT_NAMES}; default: everything in the project.",
)
@click.option(
    "--alerting",
    type=click.Choice(["loki", "grafana"]),
    help="Override which system evaluates the rules.",
)
@click.option("--grafana-version", metavar="V", help="Grafana version to target: 9 to 13; default: 12.3.")
@project_option
@format_option("text", "json")
@quiet_option
@debug_option
def command(
    output: Path | None,
    what: tuple[str, ...],
    alerting: str | None,
    grafana_version: str | None,
    project_root: Path | None,
    output_format: str,
    quiet: bool,
) -> None:
    """Write deployment files: provisioning, rules, Kubernetes, Helm.

    Files that an earlier render wrote and that are no longer needed are removed, unless they were changed since.
    """
    project = load(project_root)
    names = [name.strip() for part in what for name in part.split(",") if name.strip()]
    result = rendering(project, what=names or None, grafana_version=grafana_version, alerting=alerting)
    place = output or project.build_folder
    written = write(project, result, place)
    if output_format == "json":
        write_json({"output": str(place), "files": [str(path) for path in written], "notes": result.notes})
        return
    for note in result.notes:
        click.echo(f"note: {note}", err=True)
    if quiet:
        return
    for name, files in result.files.items():
        click.echo(f"{name:<12}{len(files):>4} file{'s' if len(files) != 1 else ''}")
    click.echo(f"wrote {len(written)} files to {place}")
