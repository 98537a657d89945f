"""A backtest as Markdown, short enough for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lokictl.backtest.comparison import Comparison
from lokictl.backtest.incidents import Score
from lokictl.backtest.outputs.report import (
    Report,
    cost,
    count,
    duration,
    headroom_text,
    labels_text,
    moment,
    percent,
    ranked,
    summary,
    time_text,
)
from lokictl.backtest.outputs.terminal import comparison_text, pages_text, sweep_headings, sweep_row
from lokictl.backtest.sweep import Sweep

SHOWN_ALERTS = 15
SHOWN_CHANGES = 12


def markdown(report: Report, *, picture: str = "") -> str:
    """The report; ``picture`` is the address of an image to show."""
    backtest = report.backtest
    lines = [
        f"### Backtest: {summary(backtest)}",
        "",
        f"{time_text(backtest)}, {escaped(backtest.source)}",
        "",
    ]
    lines += [f"> **Warning:** {escaped(warning)}" for warning in backtest.warnings]
    lines += [""] if backtest.warnings else []
    failed = [one for one in report.conditions if one.failed]
    lines += [f"> **Failed:** `{one.text}` ({one.value:g})" for one in failed if one.value is not None]
    lines += [""] if failed else []
    if report.comparison is not None:
        lines += [*_comparison(report.comparison), ""]
    if picture:
        lines += [f"![All alerts over time]({picture})", ""]
    lines += [*_alerts(report), ""]
    if report.score is not None:
        lines += [*_score(report.score), ""]
    if report.sweep is not None:
        lines += [*_sweep(report.sweep), ""]
    lines += [*_trouble(report), f"<sub>{cost(backtest)}</sub>"]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown and tables take as it is."""
    text = " ".join(text.split())
    for letter in "\\`*_{}[]<>|#":
        text = text.replace(letter, "\\" + letter)
    return text


def table(heads: Iterable[str], rows: Iterable[Iterable[str]], *, right: int = 99) -> Iterator[str]:
    """A table; columns from number ``right`` on are aligned right."""
    titles = list(heads)
    yield "| " + " | ".join(titles) + " |"
    yield "|" + "|".join("---:" if place >= right else "---" for place in range(len(titles))) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _alerts(report: Report) -> Iterator[str]:
    alerts = [one for one in ranked(report.backtest) if one.episodes or one.near_misses]
    quiet = len(report.backtest.alerts) - len(alerts)
    if alerts:
        rows = [
            [
                f"`{one.name}`",
                str(len(one.pages)),
                duration(one.time_firing),
                duration(one.longest),
                str(len(one.near_misses)),
                escaped(headroom_text(one.headroom[0])) if one.headroom else "",
            ]
            for one in alerts[:SHOWN_ALERTS]
        ]
        yield from table(["alert", "pages", "firing", "longest", "near misses", "value"], rows, right=1)
        yield ""
    more = max(len(alerts) - SHOWN_ALERTS, 0)
    rest = [f"{count(more, 'more alert')} fired or nearly did"] if more else []
    rest += [f"{count(quiet, 'alert')} stayed quiet"] if quiet else []
    if rest:
        yield "; ".join(rest) + "."


def _comparison(comparison: Comparison) -> Iterator[str]:
    yield f"**Compared with `{comparison.label}`:** {comparison_text(comparison)}."
    rows: list[list[str]] = []
    for change in comparison.changed:
        kinds = [("no longer fires", one, "") for one in change.removed]
        kinds += [("newly fires", one, "") for one in change.added]
        kinds += [
            ("earlier", new, f" by {duration(old.fired_at - new.fired_at)}") for old, new in change.earlier
        ]
        kinds += [("later", new, f" by {duration(new.fired_at - old.fired_at)}") for old, new in change.later]
        rows += [
            [
                f"`{change.name}`",
                words + extra,
                moment(one.fired_at),
                escaped(labels_text(one.labels.items())),
            ]
            for words, one, extra in kinds
        ]
    if rows:
        yield ""
        yield from table(["alert", "change", "at (UTC)", "labels"], rows[:SHOWN_CHANGES])
    if len(rows) > SHOWN_CHANGES:
        yield ""
        yield f"… and {count(len(rows) - SHOWN_CHANGES, 'more change')}: " + "; ".join(
            f"`{change.name}` {pages_text(change)}" for change in comparison.changed[:SHOWN_ALERTS]
        )


def _score(score: Score) -> Iterator[str]:
    precision = "–" if score.precision is None else percent(score.precision)
    recall = "–" if score.recall is None else percent(score.recall)
    detect = "–" if score.time_to_detect is None else duration(score.time_to_detect)
    yield (
        f"**Incidents:** recall {recall} ({len(score.caught)} of {len(score.incidents)}), "
        f"precision {precision}, median time to detect {detect}."
    )
    yield ""
    caught = {id(one.incident): one for one in score.caught}
    rows = [
        [
            escaped(one.name),
            moment(one.start),
            f"after {duration(caught[id(one)].after)} by `{caught[id(one)].alert}`"
            if id(one) in caught
            else "**missed**",
        ]
        for one in score.incidents
    ]
    yield from table(["incident", "start (UTC)", "caught"], rows)


def _sweep(sweep: Sweep) -> Iterator[str]:
    for alert in sweep.alerts:
        if not alert.matters and len(sweep.alerts) > 1:
            continue
        best = alert.best
        yield f"**`{alert.rule.name}`**"
        yield ""
        rows = []
        for one in alert.settings:
            mark = " (best)" if one is best else " (now)" if one.is_current else ""
            row = sweep_row(one)
            rows.append([f"**{row[0]}**{mark}" if mark else row[0], *row[1:]])
        yield from table(sweep_headings(sweep, alert), rows, right=0)
        yield ""


def _trouble(report: Report) -> Iterator[str]:
    for history in report.backtest.histories:
        if history.refusal:
            yield f"- `{history.name}` is never evaluated: {escaped(history.refusal.splitlines()[0])}"
        elif history.failures:
            message = escaped(history.failures[0].message.splitlines()[0])
            yield f"- `{history.name}`: {count(history.failed_evaluations, 'failed evaluation')}: {message}"
        for gap in history.missing[:1]:
            yield f"- `{history.name}` is not judged from {moment(gap.start)}: {escaped(gap.reason)}"
