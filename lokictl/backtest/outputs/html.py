"""A backtest as one page: no network, opens from disk, light and dark, prints, and speaks to screen readers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files

from lokictl import __version__
from lokictl.backtest.comparison import AlertChange, Comparison
from lokictl.backtest.incidents import Score
from lokictl.backtest.outputs import charts
from lokictl.backtest.outputs.report import (
    Report,
    cells,
    cost,
    count,
    duration,
    headroom_text,
    labels_text,
    moment,
    number,
    percent,
    ranked,
    setting,
    summary,
    ticks,
    time_text,
)
from lokictl.backtest.outputs.terminal import comparison_text, pages_text, sweep_headings, sweep_row
from lokictl.backtest.results import Backtest, Episode, RuleHistory
from lokictl.backtest.sweep import Sweep, SweptAlert
from lokictl.logql.units import format_bytes
from lokictl.model.rules import AlertingRule

STRIP_CELLS = 600
SHOWN_EPISODES = 100
SHOWN_NEAR_MISSES = 10
SHOWN_SETTINGS = 12
CLASSES = {"no data": "no-data", "not judged": "missing"}


def html_page(report: Report) -> str:
    """The whole page."""
    backtest = report.backtest
    title = f"Backtest of {count(len(backtest.histories), 'rule')}"
    parts = [*_head(report, title), *_overview(report)]
    if report.comparison is not None:
        parts += _comparison(report, report.comparison)
    if report.score is not None:
        parts += _incidents(report.score)
    if report.sweep is not None:
        parts += _sweep(report.sweep)
    parts += [part for history in ranked(backtest) for part in _alert(report, history)]
    parts += _recordings(backtest)
    style = files("lokictl.backtest.outputs").joinpath("page.css").read_text(encoding="utf-8")
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#alerts">Skip to the alerts</a>\n{body}\n'
        f"<footer>Made by lokictl {escape(__version__)}. {escape(cost(backtest))}. All times are UTC.</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


# --- the top of the page -----------------------------------------------------------------------------------


def _head(report: Report, title: str) -> Iterator[str]:
    backtest = report.backtest
    yield (
        f"<header><h1>{escape(title)}</h1>"
        f'<p class="quiet">{escape(time_text(backtest))}<br>{escape(backtest.source)}</p></header>'
    )
    yield "<main>"
    yield _tiles(report)
    notes = [("warning", warning) for warning in backtest.warnings]
    notes += [
        ("failed", f"{one.text}: it is {one.value:g}")
        for one in report.conditions
        if one.failed and one.value is not None
    ]
    if backtest.is_partial:
        notes.insert(0, ("warning", "Partial: part of the time was not judged. See the alerts concerned."))
    for kind, text in notes:
        yield f'<p class="note {kind}" role="note">{escape(text)}</p>'


def _tiles(report: Report) -> str:
    backtest = report.backtest
    near = sum(len(history.near_misses) for history in backtest.alerts)
    fired = sum(bool(history.episodes) for history in backtest.alerts)
    tiles = [
        (
            f"{backtest.pages:,}",
            "page" if backtest.pages == 1 else "pages",
            "firing" if backtest.pages else "",
        ),
        (number(backtest.pages / backtest.weeks if backtest.weeks else 0), "pages per week", ""),
        (f"{fired} of {len(backtest.alerts)}", "alerts fired", ""),
        (f"{near:,}", "near miss" if near == 1 else "near misses", "pending" if near else ""),
    ]
    failed = sum(history.failed_evaluations for history in backtest.histories)
    if failed:
        tiles.append((f"{failed:,}", "failed evaluations", "failed"))
    score = report.score
    if score is not None and score.recall is not None:
        tiles.append((f"{len(score.caught)} of {len(score.incidents)}", "incidents caught", ""))
        if score.precision is not None:
            tiles.append((percent(score.precision), "of pages in an incident", ""))
    comparison = report.comparison
    if comparison is not None:
        text = f"−{comparison.count('removed')} +{comparison.count('added')}"
        tiles.append((text, f"pages against {comparison.label}", ""))
    inner = "".join(
        f'<li class="{tone}"><strong>{escape(value)}</strong> {escape(words)}</li>'
        for value, words, tone in tiles
    )
    return f'<ul class="tiles" aria-label="{escape(summary(backtest))}">{inner}</ul>'


def _overview(report: Report) -> Iterator[str]:
    backtest = report.backtest
    if not backtest.alerts:
        return
    yield '<section aria-labelledby="alerts"><h2 id="alerts" tabindex="-1">All alerts over time</h2>'
    yield _legend(backtest)
    yield (
        '<div class="scroll"><table class="overview"><thead><tr><th scope="col">Alert</th>'
        f'<th scope="col" class="time">{_ticks(backtest)}</th><th scope="col" class="n">Pages</th>'
        '<th scope="col" class="n">Firing</th><th scope="col" class="n">Longest</th>'
        '<th scope="col" class="n">Near misses</th></tr></thead><tbody>'
    )
    if report.score is not None:
        yield (
            '<tr><th scope="row"><a href="#incidents">Known incidents</a></th>'
            f'<td class="time">{_incident_strip(report.score, backtest)}</td><td colspan="4"></td></tr>'
        )
    for history in ranked(backtest):
        share = history.time_firing / max(history.end - history.start, 1)
        firing = (
            f"{duration(history.time_firing)} <small>{percent(share)}</small>" if history.time_firing else "–"
        )
        yield (
            f'<tr><th scope="row"><a href="#{anchor(history)}">{_breakable(history.name)}</a></th>'
            f'<td class="time">{strip(history, backtest)}</td>'
            f'<td class="n{" firing" if history.pages else ""}">{len(history.pages) or "–"}</td>'
            f'<td class="n">{firing}</td>'
            f'<td class="n">{duration(history.longest) if history.episodes else "–"}</td>'
            f'<td class="n">{len(history.near_misses) or "–"}</td></tr>'
        )
    yield "</tbody></table></div></section>"


def _legend(backtest: Backtest) -> str:
    states = [("firing", "firing"), ("pending", "pending")]
    if any(history.failures for history in backtest.alerts):
        states.append(("failed", "evaluation failed"))
    if backtest.is_partial:
        states.append(("missing", "not judged"))
    if any(history.no_data for history in backtest.alerts):
        states.append(("no-data", "no data"))
    items = "".join(f'<li><i class="{name}"></i> {words}</li>' for name, words in states)
    return f'<ul class="legend" aria-hidden="true">{items}</ul>'


def _ticks(backtest: Backtest) -> str:
    """Round times along the line of time."""
    length = max(backtest.end - backtest.start, 1)
    found = [
        f'<span style="left:{100 * (time - backtest.start) / length:.2f}%">{label}</span>'
        for time, label in ticks(backtest.start, backtest.end, 7)
        if (time - backtest.start) / length < 0.95
    ]
    return f'<span class="ticks" aria-hidden="true">{"".join(found)}</span>'


def strip(history: RuleHistory, backtest: Backtest) -> str:
    """The states of an alert as a narrow picture."""
    found = cells(history, backtest.start, backtest.end, STRIP_CELLS)
    parts = []
    first = 0
    while first < len(found):
        last = first
        while last < len(found) and found[last] == found[first]:
            last += 1
        if found[first] != "quiet":
            name = CLASSES.get(found[first], found[first])
            # Even the shortest episode should be seen.
            width = max(last - first, 2)
            parts.append(f'<rect class="{name}" x="{first}" width="{width}" height="20"/>')
        first = last
    words = f"{count(len(history.pages), 'page')}, {duration(history.time_firing)} firing"
    return (
        f'<svg class="strip" viewBox="0 0 {STRIP_CELLS} 20" preserveAspectRatio="none" role="img" '
        f'aria-label="{words}"><rect class="track" y="9" width="{STRIP_CELLS}" height="2"/>{"".join(parts)}</svg>'
    )


def _incident_strip(score: Score, backtest: Backtest) -> str:
    length = max(backtest.end - backtest.start, 1)
    parts = []
    for one in score.incidents:
        first = max((one.start - backtest.start) * STRIP_CELLS / length, 0)
        width = max((min(one.end, backtest.end) - max(one.start, backtest.start)) * STRIP_CELLS / length, 2)
        parts.append(
            f'<rect class="incident" x="{first:.1f}" width="{width:.1f}" height="20">'
            f"<title>{escape(one.name)}</title></rect>"
        )
    return (
        f'<svg class="strip" viewBox="0 0 {STRIP_CELLS} 20" preserveAspectRatio="none" role="img" '
        f'aria-label="{count(len(score.incidents), "incident")}"><rect class="track" y="9" width="{STRIP_CELLS}" '
        f'height="2"/>{"".join(parts)}</svg>'
    )


def anchor(history: RuleHistory) -> str:
    """The place of an alert on the page."""
    return "alert-" + re.sub(r"[^A-Za-z0-9_-]+", "-", f"{history.group.name}-{history.name}")


def _breakable(name: str) -> str:
    """A long name that may be broken between its words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "<wbr>", escape(name))


# --- one alert ---------------------------------------------------------------------------------------------


def _alert(report: Report, history: RuleHistory) -> Iterator[str]:
    rule = history.rule
    assert isinstance(rule, AlertingRule)
    place = anchor(history)
    yield f'<section class="alert" aria-labelledby="{place}"><h2 id="{place}">{_breakable(history.name)}</h2>'
    yield f'<p class="quiet">{_facts(history, rule)}</p>'
    yield f'<pre class="expr" tabindex="0" aria-label="Expression"><code>{escape(rule.expr.strip())}</code></pre>'
    yield from _trouble(history)
    for headroom in history.headroom:
        if headroom.worst is None:
            continue
        words = f"{headroom_text(headroom)}; p99 {number(headroom.p99)}, typical {number(headroom.typical)}"
        picture = charts.svg(
            charts.value_chart(history, headroom, report.backtest),
            f"{history.name}: value over time. {words}",
        )
        caption = f"Value: {escape(words)}. The dashed line is the threshold."
        yield f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"
    if history.episodes:
        yield from _episodes(report, history)
    if history.near_misses:
        yield from _near_misses(history)
    if not history.episodes and not history.near_misses and not history.failures:
        yield '<p class="quiet">It neither fired nor was pending.</p>'
    yield "</section>"


def _facts(history: RuleHistory, rule: AlertingRule) -> str:
    parts = [
        f"group {escape(history.group.name)}",
        f"every {setting(history.grid.step)}",
        f"for {setting(rule.for_)}",
    ]
    if history.episodes:
        parts.append(
            f"fired {count(len(history.pages), 'time')}, {duration(history.time_firing)} in total, "
            f"median {duration(history.median)}"
        )
    if history.bytes_per_evaluation is not None:
        parts.append(f"about {format_bytes(history.bytes_per_evaluation)} read per evaluation")
    return " · ".join([*parts, *map(escape, history.notes)])


def _trouble(history: RuleHistory) -> Iterator[str]:
    if history.refusal:
        yield f'<p class="note failed">Never evaluated: {escape(history.refusal)}</p>'
        return
    by_message: dict[str, list[int]] = {}
    for failure in history.failures:
        known = by_message.setdefault(failure.message, [0, failure.first])
        known[0] += failure.count
    for message, (times, first) in by_message.items():
        yield (
            f'<p class="note failed">{count(times, "failed evaluation")}, first at {moment(first)}: '
            f"{escape(message.splitlines()[0])}</p>"
        )
    for gap in history.missing:
        yield (
            f'<p class="note warning">Not judged from {moment(gap.start)} to {moment(gap.end)}: '
            f"{escape(gap.reason)}</p>"
        )


def _episodes(report: Report, history: RuleHistory) -> Iterator[str]:
    linked = any(id(episode) in report.links for episode in history.episodes)
    yield (
        f'<div class="scroll"><table><caption>{count(len(history.episodes), "episode")}</caption><thead><tr>'
        '<th scope="col">Fired at</th><th scope="col" class="n">For</th><th scope="col" class="n">Value</th>'
        '<th scope="col" class="n">Peak</th><th scope="col">Labels and lines</th>'
        + ('<th scope="col">Grafana</th>' if linked else "")
        + "</tr></thead><tbody>"
    )
    for episode in history.episodes[:SHOWN_EPISODES]:
        link = report.links.get(id(episode), "")
        explore = f'<td><a href="{escape(link)}">Explore</a></td>' if link else "<td></td>" if linked else ""
        yield (
            f"<tr><td><time>{moment(episode.fired_at)}</time>{_since(history, episode)}</td>"
            f'<td class="n">{duration(episode.end(history.end) - episode.fired_at)}{_open(history, episode)}</td>'
            f'<td class="n">{number(episode.value)}</td><td class="n">{number(episode.peak)}</td>'
            f"<td>{_described(report, episode)}</td>{explore}</tr>"
        )
    yield "</tbody></table></div>"
    if len(history.episodes) > SHOWN_EPISODES:
        yield f'<p class="quiet">… and {len(history.episodes) - SHOWN_EPISODES} more.</p>'


def _since(history: RuleHistory, episode: Episode) -> str:
    return " <small>before the start</small>" if episode.fired_at < history.start else ""


def _open(history: RuleHistory, episode: Episode) -> str:
    is_open = episode.resolved_at is None or episode.resolved_at > history.end
    return " <small>still firing</small>" if is_open else ""


def _described(report: Report, episode: Episode) -> str:
    parts = [f"<code>{escape(labels_text(episode.labels.items()))}</code>"]
    text = episode.annotations.get("summary") or next(iter(episode.annotations.values()), "")
    if text:
        parts.append(f"<p>{escape(text)}</p>")
    lines = report.lines.get(id(episode), [])
    if lines:
        rows = "\n".join(f"{moment(one.timestamp, seconds=True)[11:]}  {escape(one.line)}" for one in lines)
        parts.append(
            f"<details><summary>{count(len(lines), 'line')} that counted</summary>"
            f'<pre tabindex="0">{rows}</pre></details>'
        )
    return "".join(parts)


def _near_misses(history: RuleHistory) -> Iterator[str]:
    closest = sorted(history.near_misses, key=lambda one: (one.missing, one.start))
    yield (
        f'<div class="scroll"><table><caption>{count(len(closest), "near miss")}: pending, but not for long '
        "enough</caption><thead><tr>"
        '<th scope="col">Pending from</th><th scope="col" class="n">Held for</th>'
        '<th scope="col" class="n">Short of firing by</th><th scope="col">Labels</th></tr></thead><tbody>'
    )
    for one in closest[:SHOWN_NEAR_MISSES]:
        yield (
            f'<tr><td><time>{moment(one.start)}</time></td><td class="n">{duration(one.held)}</td>'
            f'<td class="n">{duration(one.missing)}</td>'
            f"<td><code>{escape(labels_text(one.labels.items()))}</code></td></tr>"
        )
    yield "</tbody></table></div>"
    if len(closest) > SHOWN_NEAR_MISSES:
        yield f'<p class="quiet">The {SHOWN_NEAR_MISSES} closest of {len(closest)}.</p>'


# --- comparison, incidents, sweep --------------------------------------------------------------------------


def _comparison(report: Report, comparison: Comparison) -> Iterator[str]:
    yield '<section aria-labelledby="comparison"><h2 id="comparison">Compared with '
    yield f"{escape(comparison.label)}</h2><p>{escape(comparison_text(comparison))}.</p>"
    if comparison.changed:
        yield (
            '<div class="scroll"><table><thead><tr><th scope="col">Alert</th><th scope="col">Change</th>'
            '<th scope="col">Fires at</th><th scope="col" class="n">For</th><th scope="col">Labels and lines</th>'
            "</tr></thead><tbody>"
        )
        for change in comparison.changed:
            yield from _change(report, comparison, change)
        yield "</tbody></table></div>"
    yield "</section>"


def _change(report: Report, comparison: Comparison, change: AlertChange) -> Iterator[str]:
    rows: list[tuple[str, str, Episode]] = []
    rows += [("removed", "no longer fires", one) for one in change.removed]
    rows += [("added", "newly fires", one) for one in change.added]
    rows += [
        ("moved", f"{duration(old.fired_at - new.fired_at)} earlier", new) for old, new in change.earlier
    ]
    rows += [("moved", f"{duration(new.fired_at - old.fired_at)} later", new) for old, new in change.later]
    for place, (kind, words, episode) in enumerate(rows):
        head = (
            f'<th scope="rowgroup" rowspan="{len(rows)}">{_breakable(change.name)}'
            f"<br><small>{escape(pages_text(change))}</small></th>"
            if place == 0
            else ""
        )
        end = comparison.after.end
        yield (
            f'<tr>{head}<td class="{kind}">{words}</td><td><time>{moment(episode.fired_at)}</time></td>'
            f'<td class="n">{duration(episode.end(end) - episode.fired_at)}</td>'
            f"<td>{_described(report, episode)}</td></tr>"
        )


def _incidents(score: Score) -> Iterator[str]:
    yield '<section aria-labelledby="incidents"><h2 id="incidents">Incidents</h2>'
    precision = "–" if score.precision is None else percent(score.precision)
    recall = "–" if score.recall is None else percent(score.recall)
    detect = "–" if score.time_to_detect is None else duration(score.time_to_detect)
    yield (
        f"<p>Recall {recall} ({len(score.caught)} of {len(score.incidents)} incidents caught), "
        f"precision {precision} ({score.pages - score.other_pages} of {count(score.pages, 'page')} in an incident), "
        f"median time to detect {detect}.</p>"
    )
    yield (
        '<div class="scroll"><table><thead><tr><th scope="col">Incident</th><th scope="col">From</th>'
        '<th scope="col">To</th><th scope="col">Caught by</th><th scope="col" class="n">After</th></tr></thead><tbody>'
    )
    caught = {id(one.incident): one for one in score.caught}
    for incident in score.incidents:
        found = caught.get(id(incident))
        by = (
            f'<td>{_breakable(found.alert)}</td><td class="n">{duration(found.after)}</td>'
            if found
            else '<td class="removed">missed</td><td class="n">–</td>'
        )
        yield (
            f'<tr><th scope="row">{escape(incident.name)}</th><td><time>{moment(incident.start)}</time></td>'
            f"<td><time>{moment(incident.end)}</time></td>{by}</tr>"
        )
    yield "</tbody></table></div>"
    yield from _scores_by_alert(score)
    yield "</section>"


def _scores_by_alert(score: Score) -> Iterator[str]:
    rows = [rule for rule in score.rules if rule.caught or rule.missed or rule.other_pages]
    if not rows:
        return
    yield (
        '<div class="scroll"><table><caption>By alert</caption><thead><tr><th scope="col">Alert</th>'
        '<th scope="col">Caught</th><th scope="col">Missed</th>'
        '<th scope="col">Pages outside incidents</th></tr></thead><tbody>'
    )
    for rule in rows:
        caught = ", ".join(f"{one.incident.name} (after {duration(one.after)})" for one in rule.caught)
        missed = ", ".join(one.name for one in rule.missed)
        other = ", ".join(moment(one.fired_at) for one in rule.other_pages[:5])
        more = f" and {len(rule.other_pages) - 5} more" if len(rule.other_pages) > 5 else ""
        yield (
            f'<tr><th scope="row"><a href="#{anchor(rule.history)}">{_breakable(rule.history.name)}</a></th>'
            f"<td>{escape(caught) or '–'}</td><td>{escape(missed) or '–'}</td><td>{other or '–'}{more}</td></tr>"
        )
    yield "</tbody></table></div>"


def _sweep(sweep: Sweep) -> Iterator[str]:
    names = " × ".join(axis.name for axis in sweep.axes)
    yield f'<section aria-labelledby="sweep"><h2 id="sweep">Other settings: {escape(names)}</h2>'
    for alert in sweep.alerts:
        if alert.matters or len(sweep.alerts) == 1:
            yield from _swept(sweep, alert)
    same = [alert.rule.name for alert in sweep.alerts if not alert.matters]
    if same and len(sweep.alerts) > 1:
        yield f'<p class="quiet">The same at every setting: {escape(", ".join(same))}.</p>'
    if sweep.skipped:
        items = "".join(
            f"<li>{escape(name)}: {escape(reason)}</li>" for name, reason in sweep.skipped.items()
        )
        yield (
            f"<details><summary>{count(len(sweep.skipped), 'alert')} not varied</summary>"
            f"<ul>{items}</ul></details>"
        )
    yield "</section>"


def _swept(sweep: Sweep, alert: SweptAlert) -> Iterator[str]:
    yield f"<h3>{_breakable(alert.rule.name)}</h3>"
    picture = charts.svg(charts.sweep_chart(alert), f"{alert.rule.name}: pages per week by setting")
    yield f"<figure>{picture}<figcaption>The ring is the present setting.</figcaption></figure>"
    best = alert.best
    if best is not None and best.score is not None:
        curve = charts.svg(
            charts.trade_off_chart(alert), f"{alert.rule.name}: incidents caught against other pages"
        )
        yield (
            f"<figure>{curve}<figcaption>Best: <strong>{escape(best.label)}</strong>, which catches "
            f"{len(best.score.caught)} of {count(len(best.score.incidents), 'incident')} with "
            f"{count(best.score.other_pages, 'other page')}.</figcaption></figure>"
        )
    heads = "".join(f'<th scope="col" class="n">{escape(text)}</th>' for text in sweep_headings(sweep, alert))
    if len(alert.settings) > SHOWN_SETTINGS:
        yield f"<details><summary>All {len(alert.settings)} settings</summary>"
    yield f'<div class="scroll"><table><thead><tr>{heads}<th scope="col"></th></tr></thead><tbody>'
    for one in alert.settings:
        marks = [*(["now"] if one.is_current else []), *(["best"] if one is best else [])]
        tone = ' class="best"' if one is best else ""
        inner = "".join(f'<td class="n">{escape(text)}</td>' for text in sweep_row(one))
        yield f"<tr{tone}>{inner}<td>{', '.join(marks)}</td></tr>"
    yield "</tbody></table></div>"
    if len(alert.settings) > SHOWN_SETTINGS:
        yield "</details>"


def _recordings(backtest: Backtest) -> Iterable[str]:
    if not backtest.recordings:
        return
    yield (
        '<section aria-labelledby="recordings"><h2 id="recordings">Recording rules</h2><div class="scroll"><table>'
        '<thead><tr><th scope="col">Name</th><th scope="col" class="n">Samples</th>'
        '<th scope="col" class="n">Series</th><th scope="col" class="n">Failed</th>'
        '<th scope="col">Expression</th></tr></thead><tbody>'
    )
    for history in backtest.recordings:
        yield (
            f'<tr><th scope="row">{escape(history.name)}</th><td class="n">{history.samples:,}</td>'
            f'<td class="n">{history.series:,}</td><td class="n">{history.failed_evaluations or "–"}</td>'
            f"<td><code>{escape(history.rule.expr)}</code></td></tr>"
        )
    yield "</tbody></table></div></section>"
