"""Everything one run of `lokictl backtest` found, and the words that all outputs share.  Times and durations are ns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import field
from datetime import UTC, datetime

from lokictl.backtest.comparison import Comparison
from lokictl.backtest.conditions import Condition
from lokictl.backtest.history import FoundLine
from lokictl.backtest.incidents import Score
from lokictl.backtest.results import Backtest, Headroom, RuleHistory, Stretch
from lokictl.backtest.sweep import Sweep
from lokictl.durations import DAY, MINUTE, SECOND
from lokictl.logql.units import format_bytes, format_prometheus_duration, format_value
from lokictl.records import dataclass

FIRING, PENDING, FAILED, MISSING, NO_DATA, QUIET = (
    "firing",
    "pending",
    "failed",
    "missing",
    "no data",
    "quiet",
)
STATES = (FIRING, PENDING, FAILED, MISSING, NO_DATA, QUIET)
"""What a moment of an alert can be; the first one that occurs in a stretch of time names it."""


@dataclass
class Report:
    """A backtest and what was made of it; the parts that were not asked for are None.

    ``lines``: lines that counted, by the identity of their episode (`id`).  ``links``: addresses in Grafana, likewise.
    """

    backtest: Backtest
    comparison: Comparison | None = None
    sweep: Sweep | None = None
    score: Score | None = None
    conditions: list[Condition] = field(default_factory=list)
    lines: dict[int, list[FoundLine]] = field(default_factory=dict)
    links: dict[int, str] = field(default_factory=dict)


def duration(length: int) -> str:
    """A duration in its two largest units: ``2h10m``, ``3d4h``, ``0s``."""
    seconds = length // SECOND
    if seconds <= 0:
        return "0s" if length <= 0 else f"{length / 1_000_000:.3g}ms"
    units = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
    first = next(index for index, (size, _) in enumerate(units) if seconds >= size)
    size, unit = units[first]
    text = f"{seconds // size}{unit}"
    if first + 1 < len(units):
        smaller, name = units[first + 1]
        rest = seconds % size // smaller
        text += f"{rest}{name}" if rest else ""
    return text


def setting(length: int) -> str:
    """A duration as rules write it, exact."""
    return format_prometheus_duration(length) if length else "0s"


def moment(time: int, *, seconds: bool = False) -> str:
    """``2026-01-03 10:05``, UTC."""
    form = "%Y-%m-%d %H:%M:%S" if seconds or time // SECOND % 60 else "%Y-%m-%d %H:%M"
    return datetime.fromtimestamp(time / SECOND, UTC).strftime(form)


def day(time: int) -> str:
    """``3 Jan``."""
    found = datetime.fromtimestamp(time / SECOND, UTC)
    return f"{found.day} {found:%b}"


def number(value: float | None) -> str:
    """A value with four digits at most, as people read them."""
    if value is None:
        return "–"
    if math.isnan(value) or math.isinf(value):
        return format_value(value)
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def percent(share: float) -> str:
    """``0.6 %``, with as many digits as say something."""
    value = share * 100
    return "0 %" if value == 0 else f"{value:.2g} %" if value < 10 else f"{value:.0f} %"


def count(amount: int, noun: str) -> str:
    """``1 page``, ``2 pages``, ``2 near misses``."""
    plural = noun + ("es" if noun.endswith(("s", "x")) else "s")
    return f"{amount:,} {noun if amount == 1 else plural}"


def labels_text(labels: Iterable[tuple[str, str]], *, without: Sequence[str] = ("alertname",)) -> str:
    """``{pod="a", service="b"}``; "" where nothing is left."""
    parts = [f'{name}="{value}"' for name, value in labels if name not in without]
    return "{" + ", ".join(parts) + "}" if parts else ""


def headroom_text(headroom: Headroom) -> str:
    """The worst value against its threshold: ``max 0.12 of > 0.05``."""
    word = "min" if headroom.operator in ("<", "<=") else "max"
    share = headroom.share
    part = f" ({percent(share)})" if share is not None and 0 <= share < 1 else ""
    return f"{word} {number(headroom.worst)}{part}, fires at {headroom.operator} {number(headroom.threshold)}"


def time_text(backtest: Backtest) -> str:
    """The time of a backtest as text."""
    return (
        f"{moment(backtest.start)} – {moment(backtest.end)} UTC ({duration(backtest.end - backtest.start)})"
    )


TICKS = tuple(
    MINUTE * minutes
    for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 20_160, 43_200)
)


def ticks(start: int, end: int, most: int) -> list[tuple[int, str]]:
    """At most about ``most`` round times between two, with their labels: ``3 Jan``, or ``10:00`` within a day."""
    step = next((one for one in TICKS if (end - start) / one <= most), TICKS[-1])
    times = range(-(-start // step) * step, end + 1, step)
    return [(time, day(time) if step >= DAY or time % DAY == 0 else moment(time)[11:16]) for time in times]


def cells(history: RuleHistory, start: int, end: int, width: int) -> list[str]:
    """The state of an alert in ``width`` equal parts of a time: of each, the first of `STATES` that occurs."""
    found = [QUIET] * width
    length = max(end - start, 1)

    def paint(state: str, stretches: Iterable[Stretch], *, whole: bool = False) -> None:
        for first, last in stretches:
            low = max((first - start) * width, 0) / length
            high = min((last - start) * width / length, width)
            begin, stop = (math.ceil(low), math.floor(high)) if whole else (math.floor(low), math.ceil(high))
            for place in range(max(begin, 0), min(max(stop, begin + (not whole)), width)):
                found[place] = state

    paint(NO_DATA, history.no_data, whole=True)
    paint(MISSING, [(one.start, one.end) for one in history.missing])
    paint(FAILED, [(one.first, one.last + history.grid.step) for one in history.failures])
    paint(PENDING, history.pending)
    paint(FIRING, history.firing)
    return found


def ranked(backtest: Backtest) -> list[RuleHistory]:
    """The alerts, those that fired most first."""
    return sorted(
        backtest.alerts,
        key=lambda one: (-len(one.pages), -one.time_firing, -len(one.near_misses), one.name),
    )


def summary(backtest: Backtest) -> str:
    """What happened, in one line."""
    alerts = backtest.alerts
    fired = [history for history in alerts if history.episodes]
    near = sum(len(history.near_misses) for history in alerts)
    failing = [history for history in backtest.histories if history.failures]
    parts = [f"{count(backtest.pages, 'page')} by {len(fired)} of {count(len(alerts), 'alert')}"]
    if near:
        parts.append(count(near, "near miss"))
    if backtest.recordings:
        parts.append(count(len(backtest.recordings), "recording rule"))
    if failing:
        parts.append(f"{count(len(failing), 'rule')} with failed evaluations")
    if backtest.is_partial:
        parts.append("PARTIAL: part of the time is not judged")
    return ", ".join(parts)


def cost(backtest: Backtest) -> str:
    """What it took, in one line."""
    parts = [count(backtest.requests, "query").replace("querys", "queries")]
    if backtest.bytes:
        parts.append(f"{format_bytes(backtest.bytes)} read")
    if backtest.from_cache:
        parts.append(f"{backtest.from_cache:,} from the cache")
    return f"{', '.join(parts)}, {backtest.seconds:.1f} s"
