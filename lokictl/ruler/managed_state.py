"""What Grafana remembers of a rule that it manages: the states of its instances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lokictl.records import dataclass

if TYPE_CHECKING:
    from lokictl.model.managed_alerts import ManagedRule

Key = tuple[tuple[str, str], ...]

NORMAL, PENDING, ALERTING, RECOVERING = "Normal", "Pending", "Alerting", "Recovering"
NO_DATA, ERROR = "NoData", "Error"
DEFAULT_MISSING = 2
"""Evaluations without a series until Grafana forgets its alert, where the rule does not say."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One series of a rule; ``since`` (ns) is when it came into its state.

    ``reason`` is why it is in it, where that is not the condition: "NoData", "Error, KeepLast".  The instance that
    stands for a whole rule (no data, an error) has no labels.
    """

    labels: Mapping[str, str]
    state: str
    since: int
    reason: str = ""
    missing: int = 0

    @property
    def shown(self) -> str:
        """The state as Grafana's API shows it: ``Normal (NoData)``."""
        return f"{self.state} ({self.reason})" if self.reason else self.state


class ManagedState:
    """What Grafana remembers of one rule from evaluation to evaluation."""

    def __init__(self, rule: ManagedRule) -> None:
        self.rule = rule
        self.known: dict[Key, Instance] = {}

    @property
    def instances(self) -> list[Instance]:
        """Every instance, ordered by labels."""
        return [self.known[key] for key in sorted(self.known)]

    def step(self, time: int, results: Iterable[tuple[Mapping[str, str], bool]]) -> list[Instance]:
        """An evaluation at ``time`` (ns) whose condition gave ``results``: labels, and whether it was true."""
        found = {key_of(labels): (labels, firing) for labels, firing in results}
        if not found:
            return self._without_answer(time, self.rule.no_data_state, NO_DATA, NO_DATA)
        for key, (labels, firing) in found.items():
            self._result(key, labels, time, firing=firing)
        self._forget(found)
        return self.instances

    def fail(self, time: int) -> list[Instance]:
        """An evaluation whose query failed."""
        return self._without_answer(time, self.rule.exec_err_state, ERROR, ERROR)

    def _without_answer(self, time: int, chosen: str, own: str, reason: str) -> list[Instance]:
        if chosen == own:
            key = key_of({})
            before = self.known.get(key)
            since = before.since if before is not None and before.state == own else time
            self.known[key] = Instance({}, own, since)
            self._forget({key: None})
            return self.instances
        if not self.known:
            self.known[key_of({})] = Instance({}, NORMAL, time)
        for key, instance in list(self.known.items()):
            if chosen == "KeepLast":
                kept = instance.state if instance.state not in (NO_DATA, ERROR) else NORMAL
                firing = kept in (PENDING, ALERTING)
                self._result(key, instance.labels, time, firing=firing, reason=f"{reason}, KeepLast")
            else:
                self._result(key, instance.labels, time, firing=chosen == "Alerting", reason=reason)
        return self.instances

    def _result(
        self, key: Key, labels: Mapping[str, str], time: int, *, firing: bool, reason: str = ""
    ) -> None:
        before = self.known.get(key)
        state, since = (before.state, before.since) if before is not None else (NORMAL, time)
        new = self._firing(state, since, time) if firing else self._normal(state, since, time)
        self.known[key] = Instance(labels, new, since if new == state else time, reason)

    def _firing(self, state: str, since: int, time: int) -> str:
        if state in (ALERTING, RECOVERING):
            return ALERTING
        if not self.rule.for_:
            return ALERTING
        return ALERTING if state == PENDING and time - since >= self.rule.for_ else PENDING

    def _normal(self, state: str, since: int, time: int) -> str:
        keep = self.rule.keep_firing_for
        if keep and state == ALERTING:
            return RECOVERING
        return RECOVERING if state == RECOVERING and time - since < keep else NORMAL

    def _forget(self, found: Mapping[Key, object]) -> None:
        """Instances whose series is gone stay as they are for some evaluations, and are resolved then."""
        for key, instance in list(self.known.items()):
            if key in found:
                continue
            missing = instance.missing + 1
            if missing >= (self.rule.missing_series or DEFAULT_MISSING):
                del self.known[key]
            else:
                self.known[key] = replace(instance, missing=missing)


def key_of(labels: Mapping[str, str]) -> Key:
    """Labels as a key of a dictionary."""
    return tuple(sorted(labels.items()))


def states_of(instances: Sequence[Instance]) -> dict[Key, str]:
    """Labels -> state as Grafana's API shows it."""
    return {key_of(instance.labels): instance.shown for instance in instances}
