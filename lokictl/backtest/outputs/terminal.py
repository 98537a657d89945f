"""A backtest on a terminal: a line of the time for each alert, the details on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lokictl.backtest.comparison import AlertChange, Comparison
from lokictl.backtest.incidents import Score
from lokictl.backtest.outputs.report import (
    FAILED,
    FIRING,
    MISSING,
    NO_DATA,
    PENDING,
    QUIET,
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
from lokictl.backtest.results import Backtest, Episode, RuleHistory
from lokictl.backtest.sweep import Setting, Sweep, SweptAlert
from lokictl.logql.units import format_bytes

CODES = {"red": "31", "green": "32", "yellow": "33", "magenta": "35", "cyan": "36", "bold": "1", "dim": "2"}
MARKS = {FIRING: "█", PENDING: "▒", FAILED: "×", MISSING: "?", NO_DATA: " ", QUIET: "·"}
PLAIN_MARKS = {FIRING: "#", PENDING: "~", FAILED: "x", MISSING: "?", NO_DATA: " ", QUIET: "."}
TONES = {FIRING: "red", PENDING: "yellow", FAILED: "magenta", MISSING: "cyan", NO_DATA: "dim", QUIET: "dim"}
NAME_WIDTH = 44
SHOWN_EPISODES = 20
LINE_WIDTH = 140

Paint = Callable[[str, str], str]


def terminal_text(report: Report, *, width: int, color: bool, verbose: bool, unicode: bool = True) -> str:
    """The whole report for a terminal of ``width`` columns."""
    printer = _Printer(report, width, color, unicode)
    return "\n".join(printer.lines(verbose=verbose))


class _Printer:
    def __init__(self, report: Report, width: int, color: bool, unicode: bool) -> None:
        self.report, self.backtest = report, report.backtest
        self.marks = MARKS if unicode else PLAIN_MARKS
        self.color = color
        longest = max((len(history.name) for history in self.backtest.histories), default=10)
        self.name_width = min(longest, NAME_WIDTH)
        # What is behind the line of time: pages, firing, near misses.
        self.strip = max(min(width - self.name_width - 46, 96), 20)

    def paint(self, tone: str, text: str) -> str:
        return f"\x1b[{CODES[tone]}m{text}\x1b[0m" if self.color and text else text

    def lines(self, *, verbose: bool) -> Iterator[str]:
        backtest = self.backtest
        yield self.paint("bold", f"{time_text(backtest)}, {backtest.source}")
        for warning in backtest.warnings:
            yield self.paint("yellow", f"warning: {warning}")
        if backtest.alerts:
            yield ""
            yield from self._alerts()
        if backtest.recordings:
            yield ""
            yield from self._recordings()
        if verbose:
            for history in ranked(backtest):
                yield ""
                yield from self._details(history)
        else:
            yield from self._failures()
        if self.report.score is not None:
            yield ""
            yield from self._score(self.report.score)
        if self.report.comparison is not None:
            yield ""
            yield from self._comparison(self.report.comparison)
        if self.report.sweep is not None:
            yield from self._sweep(self.report.sweep)
        yield ""
        yield self.paint("bold", summary(backtest))
        yield self.paint("dim", cost(backtest))

    # --- the overview ------------------------------------------------------------------------------------------

    def _alerts(self) -> Iterator[str]:
        yield self.paint(
            "dim",
            f"{'':<{self.name_width}}  {self._axis()}  {'pages':>5}  {'firing':>14}  near misses",
        )
        for history in ranked(self.backtest):
            yield self._alert(history)
        used = {state for history in self.backtest.alerts for state in self._cells(history)}
        legend = "   ".join(
            f"{self.paint(TONES[state], self.marks[state])} {state if state != MISSING else 'not judged'}"
            for state in self.marks
            if state in used and state != NO_DATA
        )
        if NO_DATA in used:
            legend += "   (blank) no data"
        yield f"{'':<{self.name_width}}  {legend}"

    def _axis(self) -> str:
        """Round times above the line of time."""
        start, end, width = self.backtest.start, self.backtest.end, self.strip
        text = [" "] * width
        free = 0
        for time, label in ticks(start, end, max(width // 9, 2)):
            place = round((time - start) * width / max(end - start, 1))
            if place >= free and place + len(label) <= width:
                text[place : place + len(label)] = label
                free = place + len(label) + 2
        return "".join(text)

    def _cells(self, history: RuleHistory) -> list[str]:
        return cells(history, self.backtest.start, self.backtest.end, self.strip)

    def _alert(self, history: RuleHistory) -> str:
        strip = []
        found = self._cells(history)
        place = 0
        while place < len(found):
            stop = place
            while stop < len(found) and found[stop] == found[place]:
                stop += 1
            strip.append(self.paint(TONES[found[place]], self.marks[found[place]] * (stop - place)))
            place = stop
        pages = len(history.pages)
        length = history.time_firing
        share = length / max(history.end - history.start, 1)
        firing = f"{duration(length)} {percent(share):>6}" if length else "–"
        shown_pages = self.paint("red" if pages else "dim", f"{pages or '–':>5}")
        near = self._near(history)
        name = (
            history.name
            if len(history.name) <= self.name_width
            else history.name[: self.name_width - 1] + "…"
        )
        return f"{name:<{self.name_width}}  {''.join(strip)}  {shown_pages}  {firing:>14}  {near}"

    def _near(self, history: RuleHistory) -> str:
        if not history.near_misses:
            return self.paint("dim", "–")
        closest = min(one.missing for one in history.near_misses)
        return f"{len(history.near_misses)} (closest {duration(closest)} short)"

    def _recordings(self) -> Iterator[str]:
        width = max(len(history.name) for history in self.backtest.recordings)
        for history in self.backtest.recordings:
            failed = f", {count(history.failed_evaluations, 'failed evaluation')}" if history.failures else ""
            yield f"{history.name:<{width}}  {count(history.samples, 'sample')} in {history.series:,} series{failed}"

    def _failures(self) -> Iterator[str]:
        failing = [history for history in self.backtest.histories if history.failures or history.missing]
        if failing:
            yield ""
        for history in failing:
            yield from self._trouble(history, indent="")

    def _trouble(self, history: RuleHistory, indent: str) -> Iterator[str]:
        name = "" if indent else f"{history.name}: "
        if history.refusal:
            yield indent + self.paint("magenta", f"{name}never evaluated: ") + _first_line(history.refusal)
            return
        by_message: dict[str, int] = {}
        for failure in history.failures:
            by_message[failure.message] = by_message.get(failure.message, 0) + failure.count
        for message, times in by_message.items():
            when = moment(next(one.first for one in history.failures if one.message == message))
            head = f"{name}{count(times, 'failed evaluation')}, first at {when}: "
            yield indent + self.paint("magenta", head) + _first_line(message)
        for gap in history.missing:
            head = f"{name}not judged from {moment(gap.start)} to {moment(gap.end)}: "
            yield indent + self.paint("cyan", head) + _first_line(gap.reason)

    # --- one alert ---------------------------------------------------------------------------------------------

    def _details(self, history: RuleHistory) -> Iterator[str]:
        yield self.paint("bold", history.name) + self.paint("dim", f"  {_expression(history)}")
        if history.episodes:
            yield (
                f"  fired {count(len(history.pages), 'time')}: {duration(history.time_firing)} in total, "
                f"longest {duration(history.longest)}, median {duration(history.median)}"
            )
        for episode in history.episodes[:SHOWN_EPISODES]:
            yield from self._episode(history, episode)
        if len(history.episodes) > SHOWN_EPISODES:
            yield f"  … {len(history.episodes) - SHOWN_EPISODES} more"
        for near in sorted(history.near_misses, key=lambda one: one.missing)[:5]:
            yield (
                f"  {self.paint('yellow', 'near miss')} {moment(near.start)}: held for {duration(near.held)} of "
                f"{setting(near.needed)} {labels_text(near.labels.items())}"
            )
        states = [one for one in history.states if one.state != "Normal"]
        for one in states[:SHOWN_EPISODES]:
            until = f"{moment(one.start)} for {duration(one.end - one.start)}"
            yield f"  {self.paint('cyan', one.state)} {until} {labels_text(one.labels.items())}".rstrip()
        if len(states) > SHOWN_EPISODES:
            yield f"  … {len(states) - SHOWN_EPISODES} more states"
        for headroom in history.headroom:
            typical = f"; p99 {number(headroom.p99)}, typical {number(headroom.typical)}"
            yield f"  value: {headroom_text(headroom)}" + (typical if headroom.worst is not None else "")
        if history.bytes_per_evaluation is not None:
            yield f"  cost: about {format_bytes(history.bytes_per_evaluation)} per evaluation"
        for note in history.notes:
            yield f"  note: {note}"
        yield from self._trouble(history, indent="  ")

    def _episode(self, history: RuleHistory, episode: Episode) -> Iterator[str]:
        end = f"for {duration(episode.end(history.end) - episode.fired_at)}"
        if episode.resolved_at is None or episode.resolved_at > history.end:
            end += ", still firing"
        if episode.fired_at < history.start:
            end += ", since before"
        peak = f", peak {number(episode.peak)}" if episode.peak is not None else ""
        labels = labels_text(_own(history, episode))
        head = self.paint("red", moment(episode.fired_at))
        yield f"  {head} {end}, value {number(episode.value)}{peak} {labels}".rstrip()
        summary_ = episode.annotations.get("summary")
        if summary_:
            yield self.paint("dim", f"      {_first_line(summary_)}")
        for line in self.report.lines.get(id(episode), ()):
            yield self.paint("dim", f"      {moment(line.timestamp, seconds=True)[11:]}  {_cut(line.line)}")
        link = self.report.links.get(id(episode))
        if link:
            yield self.paint("dim", f"      {link}")

    # --- incidents ---------------------------------------------------------------------------------------------

    def _score(self, score: Score) -> Iterator[str]:
        yield self.paint("bold", "incidents")
        caught = {id(one.incident): one for one in score.caught}
        width = max((len(one.name) for one in score.incidents), default=0)
        for incident in score.incidents:
            found = caught.get(id(incident))
            if found is None:
                words = self.paint("red", "missed")
                if incident.alerts:
                    words += f" (expected: {', '.join(incident.alerts)})"
            else:
                words = self.paint("green", "caught") + f" after {duration(found.after)} by {found.alert}"
            yield f"  {moment(incident.start)}  {incident.name:<{width}}  {words}"
        precision = "–" if score.precision is None else percent(score.precision)
        recall = "–" if score.recall is None else percent(score.recall)
        detect = "–" if score.time_to_detect is None else duration(score.time_to_detect)
        yield (
            f"  recall {recall} ({len(score.caught)} of {len(score.incidents)}), precision {precision} "
            f"({score.pages - score.other_pages} of {count(score.pages, 'page')}), median time to detect {detect}"
        )
        if score.left_out:
            names = ", ".join(one.name for one in score.left_out)
            yield self.paint("dim", f"  left out (other alerts, or another time): {names}")
        for rule in score.rules:
            if rule.other_pages:
                when = ", ".join(moment(one.fired_at) for one in rule.other_pages[:3])
                more = " …" if len(rule.other_pages) > 3 else ""
                yield f"  {rule.history.name}: {count(len(rule.other_pages), 'page')} outside incidents: {when}{more}"

    # --- comparison --------------------------------------------------------------------------------------------

    def _comparison(self, comparison: Comparison) -> Iterator[str]:
        yield self.paint("bold", f"compared with {comparison.label}")
        yield "  " + comparison_text(comparison)
        for change in comparison.changed:
            yield f"  {change.name}: {pages_text(change)}"
            for episode in change.removed:
                yield self._changed("red", "-", "no longer fires", episode, comparison.before.end)
            for episode in change.added:
                yield self._changed("green", "+", "newly fires", episode, comparison.after.end)
            for old, new in change.earlier:
                words = f"fires {duration(old.fired_at - new.fired_at)} earlier"
                yield self._changed("yellow", "~", words, new, comparison.after.end)
            for old, new in change.later:
                words = f"fires {duration(new.fired_at - old.fired_at)} later"
                yield self._changed("yellow", "~", words, new, comparison.after.end)

    def _changed(self, tone: str, mark: str, words: str, episode: Episode, end: int) -> str:
        length = duration(episode.end(end) - episode.fired_at)
        head = self.paint(tone, f"{mark} {moment(episode.fired_at)}")
        text = f"    {head} {words}, {length}, {labels_text(episode.labels.items())}".rstrip(", ")
        lines = [
            self.paint("dim", f"\n          {moment(one.timestamp, seconds=True)[11:]}  {_cut(one.line)}")
            for one in self.report.lines.get(id(episode), ())
        ]
        return text + "".join(lines)

    # --- sweep -------------------------------------------------------------------------------------------------

    def _sweep(self, sweep: Sweep) -> Iterator[str]:
        for alert in sweep.alerts:
            if alert.matters or len(sweep.alerts) == 1:
                yield ""
                yield from self._swept(sweep, alert)
        same = [alert.rule.name for alert in sweep.alerts if not alert.matters]
        if sweep.skipped or same:
            yield ""
        if same and len(sweep.alerts) > 1:
            yield self.paint("dim", f"the same at every setting: {', '.join(same)}")
        for name, reason in sweep.skipped.items():
            yield self.paint("dim", f"{name}: not varied: {reason}")

    def _swept(self, sweep: Sweep, alert: SweptAlert) -> Iterator[str]:
        yield self.paint("bold", f"{alert.rule.name}: {' × '.join(axis.name for axis in sweep.axes)}")
        rows = [sweep_headings(sweep, alert), *(sweep_row(one) for one in alert.settings)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        best = alert.best
        for place, row in enumerate(rows):
            cells_ = [f"{text:>{width}}" for text, width in zip(row, widths, strict=True)]
            text = "  " + "  ".join(cells_)
            if place == 0:
                yield self.paint("dim", text)
                continue
            one = alert.settings[place - 1]
            marks = [*(["now"] if one.is_current else []), *(["best"] if one is best else [])]
            text += "  " + bar(one, alert.settings, 20) + ("  ← " + ", ".join(marks) if marks else "")
            yield self.paint("green", text) if one is best else text


def bar(setting_: Setting, settings: Sequence[Setting], width: int) -> str:
    """The pages of a setting as a bar, in parts of those of the setting with most."""
    most = max(one.history.pages_per_week for one in settings)
    length = 0 if not most else setting_.history.pages_per_week / most * width
    whole = int(length)
    return "█" * whole + ("▌" if length - whole >= 0.5 else "▏" if length and not whole else "")


def sweep_headings(sweep: Sweep, alert: SweptAlert) -> list[str]:
    """The heads of the columns of a sweep's table."""
    heads = [axis.name for axis in sweep.axes] + ["pages", "pages/week", "firing", "near misses"]
    if any(one.score is not None for one in alert.settings):
        heads += ["caught", "other pages", "time to detect"]
    return heads


def sweep_row(setting_: Setting) -> list[str]:
    """One setting as a row of that table."""
    history = setting_.history
    row = [
        *setting_.texts,
        str(len(history.pages)),
        f"{history.pages_per_week:.3g}",
        duration(history.time_firing),
        str(len(history.near_misses)),
    ]
    score = setting_.score
    if score is not None:
        detect = "–" if score.time_to_detect is None else duration(score.time_to_detect)
        row += [f"{len(score.caught)} of {len(score.incidents)}", str(score.other_pages), detect]
    return row


def comparison_text(comparison: Comparison) -> str:
    """``3 of 41 pages removed, 1 added; 38 stay``."""
    before, after = comparison.before.pages, comparison.after.pages
    removed, added = comparison.count("removed"), comparison.count("added")
    parts = [f"{count(before, 'page')} before, {after:,} now: {removed:,} removed, {added:,} added"]
    for kind in ("earlier", "later"):
        if comparison.count(kind):
            parts.append(f"{comparison.count(kind):,} {kind}")
    parts.append(f"{comparison.count('same'):,} unchanged")
    return ", ".join(parts)


def pages_text(change: AlertChange) -> str:
    """How many pages an alert had and has."""
    if change.before is None:
        assert change.after is not None
        return f"new, {count(len(change.after.pages), 'page')}"
    if change.after is None:
        return f"gone, {count(len(change.before.pages), 'page')} before"
    return f"{count(len(change.before.pages), 'page')} before, {len(change.after.pages)} now"


def _own(history: RuleHistory, episode: Episode) -> list[tuple[str, str]]:
    """The labels of an episode that are not those of every alert of the rule."""
    fixed = {name: text for name, text in history.rule.labels.items() if "{{" not in text}
    return [(name, value) for name, value in episode.labels.items() if fixed.get(name) != value]


def _expression(history: RuleHistory) -> str:
    return _cut(" ".join(history.rule.expr.split()))


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return _cut(lines[0]) if lines else ""


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LINE_WIDTH else text[: LINE_WIDTH - 1] + "…"


def totals(backtest: Backtest) -> str:
    """How much time alerts fired, over all of them."""
    return duration(sum(history.time_firing for history in backtest.alerts))
