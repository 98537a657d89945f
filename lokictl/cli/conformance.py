"""``lokictl conformance``: how much of what a real Loki answered another endpoint answers alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lokictl.cli.common import debug_option, format_option, write_json
from lokictl.conformance.endpoint import Endpoint
from lokictl.conformance.recordings import RECORDINGS
from lokictl.conformance.recordings import topics as files_of
from lokictl.conformance.runner import Options, ask_all
from lokictl.diagnostics import suggestion

if TYPE_CHECKING:
    from lokictl.conformance.runner import Topic


@click.command(
    "conformance",
    epilog="""\b
Examples:
  lokictl conformance http://localhost:3100
  lokictl conformance http://localhost:3100 --topic json --topic logfmt --show 20
  lokictl conformance http://localhost:3100 --fail-under 99.5 --format json
  lokictl conformance http://localhost:9428 --push-url http://localhost:9428/insert
""",
)
@click.argument("url")
@click.option("--topic", "topics", multiple=True, metavar="NAME", help="Only this topic; repeatable.")
@click.option(
    "--tenant",
    metavar="NAME",
    help="Put everything into this tenant; default: a tenant for each suite of logs, if the endpoint has tenants.",
)
@click.option(
    "--push-url", metavar="URL", default="", help="Push the logs to this endpoint, and ask the other."
)
@click.option(
    "--no-push", is_flag=True, help="Push nothing: the logs are there from an earlier run; needs --run."
)
@click.option(
    "--run", metavar="NAME", default="", help="Name of this run, part of every tenant or label it uses."
)
@click.option(
    "--recent",
    is_flag=True,
    help="Move the logs to the last hours; automatic where the endpoint refuses old lines.",
)
@click.option(
    "--detect-levels",
    is_flag=True,
    help="Ask only what was recorded with discover_log_levels on: the endpoint adds detected_level.",
)
@click.option(
    "--recordings",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Ask the recordings in this folder instead of the ones that come with lokictl.",
)
@click.option("--texts", is_flag=True, help="Compare the words of errors, too.")
@click.option(
    "--show",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    metavar="N",
    help="Differences to print for each topic.",
)
@click.option(
    "--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT", help="Exit with 1 below this share."
)
@click.option(
    "--timeout", type=click.FloatRange(0.1), default=30.0, show_default=True, metavar="SECONDS",
    help="How long one answer may take.",
)  # fmt: skip
@click.option(
    "--wait", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
    help="How long to wait for logs to become visible, and for an endpoint that is busy.",
)  # fmt: skip
@click.option("-j", "--jobs", type=click.IntRange(1), default=4, show_default=True, help="Queries at a time.")
@format_option("text", "json")
@debug_option
def command(
    url: str,
    topics: tuple[str, ...],
    tenant: str | None,
    push_url: str,
    no_push: bool,
    run: str,
    recent: bool,
    detect_levels: bool,
    recordings: Path | None,
    texts: bool,
    show: int,
    fail_under: float | None,
    timeout: float,
    wait: float,
    jobs: int,
    output_format: str,
) -> int:
    """Compare the LogQL endpoint at URL with recorded answers of a real Loki.

    Pushes the recorded logs, asks the recorded queries, and prints how many answers agree, by topic, with the
    differences.  Each suite of logs is kept apart: in a tenant of its own (header X-Scope-OrgID), or by a label where
    the endpoint has no tenants or --tenant names one.

    Exit status: 0; 1 below --fail-under; 2 where the endpoint cannot be asked.
    """
    if no_push and not run:
        raise click.UsageError("--no-push needs --run: the name of the run that pushed the logs")
    chosen = _chosen(recordings or RECORDINGS, topics)
    endpoint = Endpoint(
        url,
        push_url=push_url,
        tenant=tenant,
        run=run,
        push=not no_push,
        recent=recent,
        timeout=timeout,
        wait_seconds=wait,
    )
    click.echo(endpoint.connect(), err=True)
    found = []
    options = Options(texts=texts, levels=detect_levels, jobs=jobs)
    for topic in ask_all(endpoint, chosen, options, note=lambda text: click.echo(f"note: {text}", err=True)):
        found.append(topic)
        if output_format == "text":
            _print(topic, show)
    asked, agreed = sum(topic.asked for topic in found), sum(topic.agreed for topic in found)
    if not asked:
        reasons = dict.fromkeys(reason for topic in found for reason in topic.left_out)
        raise click.ClickException(
            f"nothing could be asked: {'; '.join(reasons) or 'there are no recordings'}"
        )
    share = 100 * agreed / asked
    if output_format == "json":
        write_json(
            {
                "url": endpoint.client.shown,
                "run": endpoint.run,
                "asked": asked,
                "agreed": agreed,
                "share": round(share, 2),
                "topics": [_json(topic) for topic in found],
            }
        )
    else:
        click.echo(_line("all", agreed, asked))
    return 1 if fail_under is not None and share < fail_under else 0


def _chosen(folder: Path, topics: tuple[str, ...]) -> list[Path]:
    """The files of recordings to ask, by topic."""
    files = files_of(folder)
    known = [file.stem for file in files]
    if not known:
        raise click.UsageError(f"there are no recordings in {folder}")
    for name in topics:
        if name not in known:
            raise click.UsageError(f'unknown topic "{name}": {suggestion(name, known, ", ".join(known))}')
    return [file for file in files if not topics or file.stem in topics]


def _line(name: str, agreed: int, asked: int) -> str:
    return f"{name:<40} {agreed:>5} of {asked:>5}  {_percent(agreed, asked)}"


def _percent(agreed: int, asked: int) -> str:
    """The share, which is 100 % only where all agree."""
    share = 100 * agreed / asked
    return f"{min(share, 99.99) if agreed < asked else share:6.2f} %"


def _print(topic: Topic, show: int) -> None:
    if topic.asked:
        click.echo(_line(topic.name, topic.agreed, topic.asked))
    for reason, count in topic.left_out.items():
        name = "" if topic.asked else topic.name
        click.echo(f"{name:<40} {count:>5} left out: {reason}")
    for difference in topic.differences[:show]:
        what = difference.what.replace("\n", "\n  ")
        click.echo(f"  [{difference.suite}] {difference.query['expr']}\n  {what}\n")
    more = len(topic.differences) - show
    if show and more > 0:
        click.echo(f"  and {more} more (--show {len(topic.differences)})\n")


def _json(topic: Topic) -> dict[str, Any]:
    return {
        "topic": topic.name,
        "asked": topic.asked,
        "agreed": topic.agreed,
        "left_out": topic.left_out,
        "differences": [
            {"suite": item.suite, "query": item.query["expr"], "what": item.what}
            for item in topic.differences
        ],
    }
