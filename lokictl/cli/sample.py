"""``lokictl sample``"""

from __future__ import annotations

import time
from pathlib import Path

import click

from lokictl.cli.common import debug_option, project_option
from lokictl.model.times import parse_time
from lokictl.project import load
from lokictl.sample import choose_sources
from lokictl.sample.generate import generate_all
from lokictl.sample.output import push_entries, to_ndjson, to_text, write_metrics, write_traces
from lokictl.sample.schedule import check_incidents, generate_schedule, incidents_yaml, parse_incident


@click.command(
    epilog="""\b
Examples:
  lokictl sample --service ryot --since 15m
  lokictl sample --since 1h --incident database-timeouts > logs.ndjson
  lokictl sample --since 1h --push http://localhost:3100 --tenant demo
  lokictl sample --since 14d --incident database-timeouts@9d/40m --incident ryot:errors@3d --incidents-file known.yaml
  lokictl sample --since 1h --push http://localhost:3100 --metrics http://localhost:9090 --traces http://localhost:4318
  lokictl sample --list
""",
)
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME",
    help="Generate logs of this service only; repeatable.",
)
@click.option("--since", default="1h", show_default=True, help="How far back the logs start.")
@click.option(
    "--until", default="now", show_default=True, help="End of the logs: RFC 3339, or a duration like --since."
)
@click.option("--rate", default=1.0, show_default=True, help="Number of requests per second.")
@click.option(
    "--incident",
    "incidents",
    multiple=True,
    metavar="NAME[@TIME[/LENGTH]]",
    help="Simulate this incident (see --list): in the second half, or at TIME for LENGTH (1h; repeatable).",
)
@click.option(
    "--incidents-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the incidents with their times, for `lokictl backtest --incidents`.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    help="Seed of the random generator: the same seed gives the same logs.",
)
@click.option(
    "--output",
    type=click.Choice(["ndjson", "text"]),
    default="ndjson",
    show_default=True,
    help="ndjson: time, labels, metadata and line, as `lokictl query` reads them; text: only the lines.",
)
@click.option("--push", metavar="URL", help="Push to this Loki instead of printing.")
@click.option("--tenant", default="", help="Tenant ID to push to (X-Scope-OrgID).")
@click.option(
    "--metrics",
    metavar="URL|FILE",
    help="Also write the metrics that collectors derive from the lines: to a Prometheus (remote write), or as "
    "OpenMetrics.",
)
@click.option(
    "--traces",
    metavar="URL|FILE",
    help="Also write the traces of the lines: to an OTLP/HTTP receiver, or as OTLP JSON, one per line.",
)
@click.option(
    "--list", "list_incidents", is_flag=True, help="List the incidents and the alerts that they trigger."
)
@project_option
@debug_option
def command(
    services: tuple[str, ...],
    since: str,
    until: str,
    rate: float,
    incidents: tuple[str, ...],
    incidents_file: Path | None,
    seed: int,
    output: str,
    push: str | None,
    tenant: str,
    metrics: str | None,
    traces: str | None,
    list_incidents: bool,
    project_root: Path | None,
) -> None:
    """Generate realistic logs of the project's services, healthy or with incidents."""
    timed = any("@" in incident for incident in incidents)
    if len(incidents) > 1 and not all("@" in incident for incident in incidents):
        raise click.UsageError("several incidents need times: --incident NAME@TIME")
    if incidents_file is not None and not timed:
        raise click.UsageError("--incidents-file needs incidents with times: --incident NAME@TIME")
    incident = "" if timed or not incidents else incidents[0]
    sources = choose_sources(load(project_root), services, incident)
    if list_incidents:
        for source in sources:
            click.echo(source.service.name)
            for known in source.incidents:
                click.echo(f"  {known.name:<20} {known.description}")
                click.echo(f"  {'':<20} -> {', '.join(known.alerts) or 'no alert'}")
        return
    now = time.time_ns()
    try:
        end = parse_time(until, now=now)
        start = parse_time(since, now=end)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if start >= end:
        raise click.BadParameter("--since must be before --until")
    if timed:
        scheduled = [parse_incident(text, now=end) for text in incidents]
        check_incidents(scheduled, sources)
        entries = generate_schedule(sources, start, end, scheduled, rate=rate, seed=seed)
        if incidents_file is not None:
            incidents_file.write_text(incidents_yaml(scheduled, sources), encoding="utf-8")
    else:
        entries = generate_all(sources, start, end, rate=rate, incident=incident, seed=seed)
    if metrics or traces:
        lines = list(entries)
        if metrics:
            click.echo(write_metrics(metrics, sources, lines, start, end), err=True)
        if traces:
            click.echo(write_traces(traces, lines), err=True)
        entries = iter(lines)
    if push:
        count = push_entries(push, entries, tenant=tenant)
        click.echo(f"pushed {count} lines to {push}", err=True)
        return
    for text in to_ndjson(entries) if output == "ndjson" else to_text(entries):
        click.echo(text)
