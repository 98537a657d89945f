"""``lokictl capacity``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lokictl.capacity import project_capacity, svg_plot
from lokictl.cli.common import debug_option, format_option, project_option, quiet_option, write_json
from lokictl.model.files import write_text
from lokictl.project import load

if TYPE_CHECKING:
    from lokictl.capacity import Capacity


@click.command(
    "capacity",
    epilog="""\b
Examples:
  lokictl capacity
  lokictl capacity --grow 10 --plot capacity.svg
  lokictl capacity --rate ryot=500 --line-bytes 300 --format json
""",
)
@click.option(
    "--grow", default=1.0, show_default=True, metavar="FACTOR", help="Multiply every service's volume."
)
@click.option(
    "--rate", "rates", multiple=True, metavar="SERVICE=LINES", help="Log lines per second of a service."
)
@click.option("--line-bytes", type=float, help="Average line size in bytes, uncompressed.")
@click.option("--compression", type=float, help="Compression ratio: uncompressed bytes per stored byte.")
@click.option("--pods", type=click.IntRange(1), help="Number of pods per service.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write a chart of the limits as an SVG file.",
)
@project_option
@format_option("text", "json")
@quiet_option
@debug_option
def command(
    grow: float,
    rates: tuple[str, ...],
    line_bytes: float | None,
    compression: float | None,
    pods: int | None,
    plot: Path | None,
    project_root: Path | None,
    output_format: str,
    quiet: bool,
) -> None:
    """Compute storage, cost and streams from volume and retention, and show which limit is reached first.

    Default rate: what fills the documented monthly storage of the service.
    """
    changes = {"line_bytes": line_bytes, "compression": compression, "pods": pods}
    capacity = project_capacity(
        load(project_root),
        rates=_rates(rates),
        grow=grow,
        **{k: v for k, v in changes.items() if v is not None},
    )
    if plot:
        write_text(plot, svg_plot(capacity))
    if output_format == "json":
        write_json(capacity.to_json())
    elif not quiet:
        _print(capacity)
        if plot:
            click.echo(f"\nplot: {plot}")


def _rates(pairs: tuple[str, ...]) -> dict[str, float]:
    rates = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        try:
            rates[name] = float(number)
        except ValueError:
            raise click.BadParameter(f'"{pair}" is not SERVICE=LINES', param_hint="--rate") from None
    return rates


def _print(capacity: Capacity) -> None:
    data = capacity.to_json()
    _table(
        ["service", "lines/s", "retention", "GB/month", "documented", "stored GB", "streams"],
        [
            [
                row["service"],
                f"{row['lines_per_second']:.0f}",
                f"{row['retention_days']:.0f} d",
                f"{row['monthly_gigabytes']:.1f}",
                f"{row['documented_gigabytes']:.1f}",
                f"{row['stored_gigabytes']:.1f}",
                f"{row['streams']}",
            ]
            for row in [*data["services"], data["total"]]
        ],
    )
    click.echo()
    _table(
        ["tier", "days", "GB", "$/month", "documented"],
        [
            [
                row["tier"],
                f"{row['from_day']:.0f}-{row['to_day']:.0f}",
                f"{row['gigabytes']:.1f}",
                f"{row['dollars']:.2f}",
                f"{row['documented_dollars']:.2f}",
            ]
            for row in data["tiers"]
        ],
    )
    click.echo()
    _table(
        ["limit", "used", "of", "reached at"],
        [
            [
                row["limit"],
                f"{row['used']:,.0f}",
                f"{row['of']:,.0f} {row['unit']}",
                "never" if row["growth"] is None else f"{row['growth']:,.1f} x the volume",
            ]
            for row in data["limits"]
        ],
    )


def _table(head: list[str], rows: list[list[Any]]) -> None:
    widths = [max(len(str(row[column])) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        cells = [
            f"{row[0]:<{widths[0]}}",
            *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        click.echo("  ".join(cells).rstrip())
