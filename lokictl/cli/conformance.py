"""``lokictl conformance``: how much of what a real Loki answered another endpoint answers alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lokictl.cli.common import debug_option, format_option, write_json
from lokictl.conformance.endpoint import Endpoint
from lokictl.conformance.recordings import RECORDINGS
from lokictl.conformance.recordings import topics as files_of
from lokictl.conformance.runner import ask_all

if TYPE_CHECKING:
    from lokictl.conformance.runner import Topic


@click.command(
    "conformance",
    epilog="""\b
Examples:
  lokictl conformance http://localhost:3100
  lokictl conformance http://localhost:3100 --topic json --topic logfmt --show 20
  lokictl conformance http://localhost:3100 --fail-under 99.5 --format json
""",
)
@click.argument("url")
@click.option("--topic", "topics", multiple=True, metavar="NAME", help="Only this topic; repeatable.")
@click.option(
    "--recordings",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Recordings to ask instead of those that come along.",
)
@click.option("--texts", is_flag=True, help="Compare the words of errors, too.")
@click.option(
    "--show", default=5, show_default=True, metavar="N", help="Print so many differences of a topic."
)
@click.option("--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT", help="Fail below this share.")
@click.option(
    "--timeout", type=click.FloatRange(0.1), default=30.0, show_default=True, metavar="SECONDS",
    help="How long one answer may take.",
)  # fmt: skip
@format_option("text", "json")
@debug_option
def command(
    url: str,
    topics: tuple[str, ...],
    recordings: Path | None,
    texts: bool,
    show: int,
    fail_under: float | None,
    timeout: float,
    output_format: str,
) -> int:
    """Push the recorded logs to URL, ask the recorded queries, and compare with what a real Loki answered.

    Every suite of logs gets a tenant of its own (header X-Scope-OrgID): the endpoint must keep tenants apart, and take
    lines of January 2026.
    """
    files = files_of(recordings or RECORDINGS)
    known = {file.stem for file in files}
    unknown = [name for name in topics if name not in known]
    if unknown:
        raise click.UsageError(f"there is no topic {unknown[0]}; there are {', '.join(sorted(known))}")
    chosen = [file for file in files if not topics or file.stem in topics]
    found = []
    for topic in ask_all(Endpoint(url, timeout=timeout), chosen, texts=texts):
        found.append(topic)
        if output_format == "text":
            _print(topic, show)
    asked, agreed = sum(topic.asked for topic in found), sum(topic.agreed for topic in found)
    share = 100 * agreed / asked if asked else 100.0
    if output_format == "json":
        write_json({"asked": asked, "agreed": agreed, "topics": [_json(topic) for topic in found]})
    else:
        click.echo(f"{'all':<40} {agreed:>5} of {asked:>5}  {share:6.2f} %")
    return 1 if fail_under is not None and share < fail_under else 0


def _print(topic: Topic, show: int) -> None:
    share = 100 * topic.agreed / topic.asked if topic.asked else 100.0
    click.echo(f"{topic.name:<40} {topic.agreed:>5} of {topic.asked:>5}  {share:6.2f} %")
    for difference in topic.differences[:show]:
        what = difference.what.replace("\n", "\n  ")
        click.echo(f"  [{difference.suite}] {difference.query['expr']}\n  {what}\n")


def _json(topic: Topic) -> dict[str, Any]:
    return {
        "topic": topic.name,
        "asked": topic.asked,
        "agreed": topic.agreed,
        "differences": [
            {"suite": item.suite, "query": item.query["expr"], "what": item.what}
            for item in topic.differences
        ],
    }
