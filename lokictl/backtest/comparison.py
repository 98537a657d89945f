"""The same history under two sets of rules: what fires now that did not, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from lokictl.backtest.results import Backtest, Episode, RuleHistory
from lokictl.records import dataclass

Pair = tuple[Episode, Episode]
"""An episode under the old rules, and the same one under the new rules."""


@dataclass
class AlertChange:
    """One alert under the old and the new rules; a side is None where the alert is not defined there."""

    name: str
    before: RuleHistory | None
    after: RuleHistory | None
    added: list[Episode] = field(default_factory=list)
    removed: list[Episode] = field(default_factory=list)
    earlier: list[Pair] = field(default_factory=list)
    later: list[Pair] = field(default_factory=list)
    same: list[Pair] = field(default_factory=list)

    @property
    def is_changed(self) -> bool:
        """Whether the alert would have behaved otherwise."""
        return bool(self.added or self.removed or self.earlier or self.later)


@dataclass
class Comparison:
    """All alerts under both sets of rules."""

    label: str
    before: Backtest
    after: Backtest
    alerts: list[AlertChange] = field(default_factory=list)

    @property
    def changed(self) -> list[AlertChange]:
        """The alerts that would have behaved otherwise."""
        return [alert for alert in self.alerts if alert.is_changed]

    def count(self, kind: str) -> int:
        """How many episodes are "added", "removed", "earlier", "later" or "same"."""
        return sum(len(getattr(alert, kind)) for alert in self.alerts)


def compare(before: Backtest, after: Backtest, label: str) -> Comparison:
    """The differences between the old and the new rules over the same time."""
    comparison = Comparison(label, before, after)
    old, new = _by_name(before), _by_name(after)
    for name in dict.fromkeys([*new, *old]):
        for position in range(max(len(old.get(name, ())), len(new.get(name, ())))):
            first = _at(old.get(name, ()), position)
            second = _at(new.get(name, ()), position)
            comparison.alerts.append(_change(name, first, second, after.end))
    return comparison


def _by_name(backtest: Backtest) -> dict[str, list[RuleHistory]]:
    found: dict[str, list[RuleHistory]] = {}
    for history in backtest.alerts:
        found.setdefault(history.name, []).append(history)
    return found


def _at(histories: Sequence[RuleHistory], position: int) -> RuleHistory | None:
    return histories[position] if position < len(histories) else None


def _change(name: str, before: RuleHistory | None, after: RuleHistory | None, end: int) -> AlertChange:
    change = AlertChange(name, before, after)
    old = list(before.episodes) if before else []
    new = list(after.episodes) if after else []
    # Equal labels first; a changed label of the rule does not make another episode of it.
    for same_labels in (True, False):
        for episode in list(old):
            partner = next((one for one in new if _fit(episode, one, end, same_labels)), None)
            if partner is None:
                continue
            old.remove(episode)
            new.remove(partner)
            if partner.fired_at < episode.fired_at:
                change.earlier.append((episode, partner))
            elif partner.fired_at > episode.fired_at:
                change.later.append((episode, partner))
            else:
                change.same.append((episode, partner))
    change.removed, change.added = old, new
    return change


def _fit(first: Episode, second: Episode, end: int, same_labels: bool) -> bool:
    if same_labels and dict(first.labels) != dict(second.labels):
        return False
    if not same_labels and dict(first.source) != dict(second.source):
        return False
    return max(first.active_at, second.active_at) <= min(first.end(end), second.end(end))
