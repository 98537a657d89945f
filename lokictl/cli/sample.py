"""``lokictl sample``"""

from __future__ import annotations

from pathlib import Path

import click

from lokictl.cli.common import debug_option, project_option


@click.command(
    epilog="""\b
Examples:
  lokictl sample --service ryot --since 15m
  lokictl sample --since 1h --incident database-timeouts > logs.ndjson
  lokictl sample --since 1h --push http://localhost:3100 --tenant demo
  lokictl sample --list
""",
)
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only this service; repeatable.")
@click.option("--since", default="1h", show_default=True, help="How far back the logs begin.")
@click.option("--until", default="now", show_default=True, help="When they end: RFC 3339, or as --since.")
@click.option("--rate", default=1.0, show_default=True, help="Requests per second.")
@click.option("--incident", default="", metavar="NAME", help="What goes wrong, from half-way on; see --list.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same logs.")
@click.option(
    "--output",
    type=click.Choice(["ndjson", "text"]),
    default="ndjson",
    show_default=True,
    help="ndjson: time, labels, metadata and line, as `lokictl query` reads it; text: the bare lines.",
)
@click.option("--push", metavar="URL", help="Push to this Loki instead of printing.")
@click.option("--tenant", default="", help="The tenant to push to (X-Scope-OrgID).")
@click.option("--list", "list_incidents", is_flag=True, help="Show the incidents and the alerts they trip.")
@project_option
@debug_option
def command(
    services: tuple[str, ...],
    since: str,
    until: str,
    rate: float,
    incident: str,
    seed: int,
    output: str,
    push: str | None,
    tenant: str,
    list_incidents: bool,
    project_root: Path | None,
) -> None:
    """Write realistic logs of the project's services, healthy or with an incident."""
    import time

    from lokictl.model.times import parse_time
    from lokictl.project import load
    from lokictl.sample import choose_sources
    from lokictl.sample.generate import generate_all
    from lokictl.sample.output import push_entries, to_ndjson, to_text

    sources = choose_sources(load(project_root), services, incident)
    if list_incidents:
        for source in sources:
            click.echo(source.service.name)
            for known in source.incidents:
                click.echo(f"  {known.name:<20} {known.description}")
                click.echo(f"  {'':<20} -> {', '.join(known.alerts) or 'no alert of its own'}")
        return
    now = time.time_ns()
    try:
        end = parse_time(until, now=now)
        start = parse_time(since, now=end)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if start >= end:
        raise click.BadParameter("--since must lie before --until")
    entries = generate_all(sources, start, end, rate=rate, incident=incident, seed=seed)
    if push:
        count = push_entries(push, entries, tenant=tenant)
        click.echo(f"pushed {count} lines to {push}", err=True)
        return
    for text in to_ndjson(entries) if output == "ndjson" else to_text(entries):
        click.echo(text)
