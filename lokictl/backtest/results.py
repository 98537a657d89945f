"""What a backtest found: the history of each rule.  Times are ns since the epoch, durations ns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from statistics import median

from lokictl.backtest.series import Answers, Grid
from lokictl.durations import WEEK
from lokictl.logql.ast import BinaryOperation
from lokictl.model.rules import AlertingRule, Rule, RuleGroup
from lokictl.records import dataclass

Stretch = tuple[int, int]
"""From a time up to another (ns)."""


@dataclass(frozen=True)
class Episode:
    """One alert from the evaluation that fired it to the one that resolved it.

    ``active_at`` is where its condition began to hold; ``resolved_at`` is None where it fires beyond the end.
    ``value`` is the one it fired with, ``peak`` the one farthest beyond the threshold (of the whole episode).
    ``source`` are the labels of the result, before those of the rule.
    """

    labels: Mapping[str, str]
    source: Mapping[str, str]
    active_at: int
    fired_at: int
    resolved_at: int | None
    value: float
    peak: float | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    def end(self, until: int) -> int:
        """Where it ends, ``until`` at the latest."""
        return until if self.resolved_at is None else min(self.resolved_at, until)


@dataclass(frozen=True)
class NearMiss:
    """An alert that was pending and did not fire: ``held`` of the ``for`` that was needed, ``missing`` the rest."""

    labels: Mapping[str, str]
    start: int
    end: int
    needed: int

    @property
    def held(self) -> int:
        """How long the condition held, from its first evaluation to its last (ns)."""
        return self.end - self.start

    @property
    def missing(self) -> int:
        """How much longer it would have had to hold (ns)."""
        return max(self.needed - self.held, 0)


@dataclass(frozen=True)
class Headroom:
    """The value of one comparison with a number over time.

    ``worst`` is the largest value (the smallest where the alert fires below its threshold), ``p99`` the one that
    99 % of the values stay within, ``typical`` the median; None where the comparison had no value at all.
    """

    comparison: BinaryOperation
    operator: str
    threshold: float
    worst: float | None
    p99: float | None
    typical: float | None
    values: Answers = field(repr=False, default_factory=Answers)

    @property
    def share(self) -> float | None:
        """The worst value in parts of the threshold; None where that says nothing."""
        if self.worst is None or not self.threshold or self.operator not in (">", ">="):
            return None
        return self.worst / self.threshold


@dataclass(frozen=True)
class Failure:
    """Evaluations that failed for one reason: the first, the last, how many, and the ruler's text."""

    first: int
    last: int
    count: int
    message: str


@dataclass(frozen=True)
class StateStretch:
    """A series of a Grafana-managed rule in one state, from a time up to another (ns).

    ``state`` is as Grafana shows it: "Alerting", "Normal (NoData)"; what stands for the whole rule has no labels.
    """

    labels: Mapping[str, str]
    state: str
    start: int
    end: int


@dataclass(frozen=True)
class Missing:
    """A stretch of time (ns) that nobody answered, and why."""

    start: int
    end: int
    reason: str


@dataclass
class RuleHistory:
    """One rule over the time of a backtest.

    ``grid`` are its evaluations, beginning with a lead before ``start`` in which alerts become active; episodes and
    near misses that end before ``start`` are left out.  ``samples`` and ``series`` count what a recording rule wrote;
    ``states`` are those of Grafana, where it evaluates the rule.
    """

    group: RuleGroup
    rule: Rule
    grid: Grid
    start: int
    end: int
    episodes: list[Episode] = field(default_factory=list)
    near_misses: list[NearMiss] = field(default_factory=list)
    pending: list[Stretch] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    no_data: list[Stretch] = field(default_factory=list)
    headroom: list[Headroom] = field(default_factory=list)
    states: list[StateStretch] = field(default_factory=list)
    samples: int = 0
    series: int = 0
    bytes_per_evaluation: int | None = None
    refusal: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the alert or of the recorded series."""
        return self.rule.name

    @property
    def is_alert(self) -> bool:
        """Whether the rule is an alerting rule."""
        return isinstance(self.rule, AlertingRule)

    @property
    def pages(self) -> list[Episode]:
        """The episodes that began to fire within the time of the backtest."""
        return [episode for episode in self.episodes if episode.fired_at >= self.start]

    @property
    def firing(self) -> list[Stretch]:
        """Where some alert of the rule fired."""
        return union((max(episode.fired_at, self.start), episode.end(self.end)) for episode in self.episodes)

    @property
    def time_firing(self) -> int:
        """How long some alert of the rule fired (ns)."""
        return sum(end - start for start, end in self.firing)

    @property
    def durations(self) -> list[int]:
        """How long each episode fired within the backtest (ns)."""
        return [episode.end(self.end) - max(episode.fired_at, self.start) for episode in self.episodes]

    @property
    def longest(self) -> int:
        """The longest episode (ns)."""
        return max(self.durations, default=0)

    @property
    def median(self) -> int:
        """The episode in the middle (ns)."""
        return int(median(self.durations)) if self.episodes else 0

    @property
    def failed_evaluations(self) -> int:
        """How many evaluations failed."""
        return sum(failure.count for failure in self.failures)

    @property
    def pages_per_week(self) -> float:
        """Episodes per week."""
        return len(self.pages) * WEEK / max(self.end - self.start, 1)

    @property
    def is_partial(self) -> bool:
        """Whether part of the time was not answered."""
        return bool(self.missing)


@dataclass
class Backtest:
    """The histories of all rules from ``start`` to ``end`` (ns), and where they come from.

    ``warnings`` say what limits the result; ``requests`` and ``bytes`` what it cost (bytes None where not known).
    """

    start: int
    end: int
    source: str
    histories: list[RuleHistory] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    requests: int = 0
    from_cache: int = 0
    bytes: int | None = None
    seconds: float = 0.0

    @property
    def alerts(self) -> list[RuleHistory]:
        """The histories of alerting rules."""
        return [history for history in self.histories if history.is_alert]

    @property
    def recordings(self) -> list[RuleHistory]:
        """The histories of recording rules."""
        return [history for history in self.histories if not history.is_alert]

    @property
    def pages(self) -> int:
        """How often any alert fired."""
        return sum(len(history.pages) for history in self.alerts)

    @property
    def is_partial(self) -> bool:
        """Whether part of the time was not answered for some rule."""
        return any(history.is_partial for history in self.histories)

    @property
    def weeks(self) -> float:
        """The length of the time in weeks."""
        return (self.end - self.start) / WEEK


def union(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Stretches of time joined where they touch or overlap; empty ones are left out."""
    found: list[Stretch] = []
    for start, end in sorted(stretches):
        if end <= start:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that ``share`` of the ordered values do not exceed (nearest rank)."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
