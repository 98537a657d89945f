"""The states of one alerting rule: pending, firing, resolved, as Loki's ruler keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from lokictl.durations import MINUTE, Duration, Time, epoch_nanoseconds, nanoseconds
from lokictl.model.rules import AlertingRule
from lokictl.records import dataclass
from lokictl.ruler.expansion import ExpansionError, Vector, expand

RESOLVED_RETENTION = 15 * MINUTE
DUPLICATE_ALERTS = "vector contains metrics with the same labelset after applying alert labels"

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert after an evaluation; times in ns.

    ``state`` is "pending", "firing" or "inactive" (resolved, and still remembered); ``fired_at`` and
    ``resolved_at`` are None before that has happened.
    """

    state: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    value: float
    active_at: int
    fired_at: int | None = None
    resolved_at: int | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """What the ruler sends to the Alertmanager for one alert; times in ns."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: int
    ends_at: int
    resolved: bool


@dataclass(frozen=True, slots=True)
class AlertSample:
    """A sample of the series ``ALERTS`` or ``ALERTS_FOR_STATE``; ``value`` None ends the series (stale)."""

    labels: Mapping[str, str]
    time: int
    value: float | None


class AlertState:
    """The state that Loki's ruler keeps for one alerting rule between evaluations.

    After each `step` or `fail`: ``alerts`` (ordered by labels), ``health`` ("ok", "err", "unknown" before the
    first), ``error`` (of the last evaluation, "" if it succeeded), ``state`` (the highest of the alerts),
    ``notifications`` and ``samples`` of that evaluation.

    ``limit``, ``interval`` and ``resend_delay`` are the group's and the ruler's settings; ``query`` implements the
    template function of that name: it is called with LogQL and the time of the evaluation.  ``lazy``: annotations are
    mappings that expand their templates when they are first read.
    """

    def __init__(
        self,
        rule: AlertingRule,
        *,
        limit: int = 0,
        external_labels: Mapping[str, str] | None = None,
        external_url: str = "",
        interval: Duration = MINUTE,
        resend_delay: Duration = MINUTE,
        query: Callable[[str, int], Vector] | None = None,
        lazy: bool = False,
    ) -> None:
        self.rule = rule
        self.limit = limit
        self.external_labels = dict(external_labels or {})
        self.external_url = external_url
        self.interval = nanoseconds(interval)
        self.resend_delay = nanoseconds(resend_delay)
        self.health = "unknown"
        self.error = ""
        self.notifications: list[Notification] = []
        self._query = query
        # A query in a template must be asked at once: its answer is that of now.
        self._lazy = lazy and not any("query" in text for text in rule.annotations.values())
        self._alerts: dict[Key, Alert] = {}
        self._last_sent: dict[Key, int] = {}
        self._sampled: tuple[Alert, ...] = ()
        self._sampled_before: tuple[Alert, ...] = ()
        self._samples: list[AlertSample] | None = []
        self._time = 0

    @property
    def alerts(self) -> list[Alert]:
        """All alerts of the rule, ordered by labels."""
        return [self._alerts[key] for key in sorted(self._alerts)]

    @property
    def state(self) -> str:
        """The highest state of the rule's alerts."""
        states = {alert.state for alert in self._alerts.values()}
        return "firing" if "firing" in states else "pending" if "pending" in states else "inactive"

    @property
    def samples(self) -> list[AlertSample]:
        """The samples of the last evaluation; the others' are lost."""
        if self._samples is None:
            self._samples = self._make_samples(self._time)
        return self._samples

    def step(self, time_ns: Time, vector: Iterable[tuple[Mapping[str, str], float]]) -> list[Alert]:
        """Evaluates the rule at ``time_ns`` with the query result ``vector``; returns the alerts.

        The value of an element does not matter: NaN, 0 and negative values also fire.
        """
        time = epoch_nanoseconds(time_ns)
        self.notifications, self._samples = [], []
        vector = list(vector)
        if not vector and not self._alerts:
            return self._succeeded(time)
        current: dict[Key, Alert] = {}
        for labels, value in vector:
            alert = self.new_alert(time, labels, value)
            key = _key(alert.labels)
            if key in current:
                return self._failed(DUPLICATE_ALERTS)
            current[key] = alert
        for key, alert in current.items():
            self._note(key, alert)
        for key in list(self._alerts):
            self._advance(key, time, present=key in current)
        active = sum(alert.state != "inactive" for alert in self._alerts.values())
        if 0 < self.limit < active:
            self._alerts, self._last_sent = {}, {}
            return self._failed(f"exceeded limit of {self.limit} with {active} alerts")
        self.notifications = self._make_notifications(time)
        return self._succeeded(time)

    def _succeeded(self, time: int) -> list[Alert]:
        self.health, self.error = "ok", ""
        self._sampled_before, self._time, self._samples = self._sampled, time, None
        self._sampled = tuple(alert for alert in self._alerts.values() if alert.state != "inactive")
        return self.alerts

    def fail(self, time_ns: Time, message: str) -> list[Alert]:
        """Evaluates the rule when its query failed with ``message``: the alerts do not change."""
        self.notifications, self._samples = [], []
        return self._failed(f"rule evaluation failed: {message}")

    def _failed(self, message: str) -> list[Alert]:
        self.health, self.error = "err", message
        return self.alerts

    # --- the current set ---------------------------------------------------------------------------------------

    def new_alert(self, time: int, result_labels: Mapping[str, str], value: float) -> Alert:
        """A pending alert for an element of the result, with labels and annotations expanded."""
        labels = {name: text for name, text in result_labels.items() if name != "__name__" and text != ""}
        for name in sorted(self.rule.labels):
            labels[name] = self.expand(self.rule.labels[name], time, result_labels, value)
        labels["alertname"] = self.rule.alert
        annotations: Mapping[str, str] = _Annotations(self, time, result_labels, value)
        if not self._lazy:
            annotations = dict(annotations)
        kept = {name: labels[name] for name in sorted(labels) if labels[name] != ""}
        return Alert("pending", kept, annotations, value, time)

    def expand(self, text: str, time: int, labels: Mapping[str, str], value: float) -> str:
        """A string of the rule with its template executed, or the ruler's words for why that fails."""
        if "{{" not in text:
            return text
        query = self._query
        try:
            return expand(
                text,
                labels=labels,
                value=value,
                external_labels=self.external_labels,
                external_url=self.external_url,
                time_ns=time,
                query=None if query is None else lambda expression: query(expression, time),
                name=self.rule.alert,
            )
        except ExpansionError as error:
            return f"<error expanding template: {error}>"

    # --- transitions -------------------------------------------------------------------------------------------

    def _note(self, key: Key, alert: Alert) -> None:
        known = self._alerts.get(key)
        if known is None or known.state == "inactive":
            self._alerts[key] = alert
            self._last_sent.pop(key, None)
        else:
            self._alerts[key] = Alert(
                known.state,
                known.labels,
                alert.annotations,
                alert.value,
                known.active_at,
                known.fired_at,
                known.resolved_at,
            )

    def _advance(self, key: Key, time: int, *, present: bool) -> None:
        alert = self._alerts[key]
        if not present:
            self._without_result(key, alert, time)
        elif alert.state == "pending" and time - alert.active_at >= self.rule.for_:
            self._alerts[key] = replace(alert, state="firing", fired_at=time)
            self._last_sent.pop(key, None)
        elif alert.state == "firing" and time - alert.active_at < self.rule.for_:
            self._alerts[key] = replace(alert, state="pending", fired_at=None)

    def _without_result(self, key: Key, alert: Alert, time: int) -> None:
        if alert.state == "firing":
            self._alerts[key] = replace(alert, state="inactive", resolved_at=time)
        elif alert.state == "pending" or time - (alert.resolved_at or 0) > RESOLVED_RETENTION:
            del self._alerts[key]
            self._last_sent.pop(key, None)

    # --- what leaves the ruler ---------------------------------------------------------------------------------

    def _make_samples(self, time: int) -> list[AlertSample]:
        found = self._series(self._sampled, time)
        ended = [
            AlertSample(dict(key), time, None)
            for key in self._series(self._sampled_before, time)
            if key not in found
        ]
        return sorted([*found.values(), *ended], key=lambda sample: _key(sample.labels))

    def _series(self, alerts: Iterable[Alert], time: int) -> dict[Key, AlertSample]:
        """The two series of each of ``alerts``."""
        found: dict[Key, AlertSample] = {}
        for alert in alerts:
            labels = {**self.rule.labels, **alert.labels}
            state = {**labels, "__name__": "ALERTS", "alertstate": alert.state}
            active = {**labels, "__name__": "ALERTS_FOR_STATE"}
            for series, value in ((state, 1.0), (active, float(alert.active_at // 1_000_000_000))):
                key = _key({name: text for name, text in series.items() if text != ""})
                found[key] = AlertSample(dict(key), time, value)
        return found

    def _make_notifications(self, time: int) -> list[Notification]:
        sent = []
        for key in sorted(self._alerts):
            alert = self._alerts[key]
            if alert.fired_at is None or not self._is_due(key, alert, time):
                continue
            self._last_sent[key] = time
            ends_at = alert.resolved_at
            if ends_at is None:
                ends_at = time + 4 * max(self.interval, self.resend_delay)
            resolved = alert.resolved_at is not None
            sent.append(Notification(alert.labels, alert.annotations, alert.fired_at, ends_at, resolved))
        return sent

    def _is_due(self, key: Key, alert: Alert, time: int) -> bool:
        last = self._last_sent.get(key)
        if last is None or (alert.resolved_at is not None and alert.resolved_at > last):
            return True
        return last + self.resend_delay < time


class _Annotations(Mapping[str, str]):
    """The annotations of one alert at one evaluation, expanded when they are first read."""

    __slots__ = ("_expanded", "_made_of")

    def __init__(self, state: AlertState, time: int, labels: Mapping[str, str], value: float) -> None:
        self._made_of = (state, time, labels, value)
        self._expanded: dict[str, str] | None = None

    def _texts(self) -> dict[str, str]:
        if self._expanded is None:
            state, time, labels, value = self._made_of
            texts = state.rule.annotations.items()
            self._expanded = {name: state.expand(text, time, labels, value) for name, text in texts}
        return self._expanded

    def __getitem__(self, name: str) -> str:
        return self._texts()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts())

    def __len__(self) -> int:
        return len(self._made_of[0].rule.annotations)

    def __repr__(self) -> str:
        return repr(self._texts())


def _key(labels: Mapping[str, str]) -> Key:
    return tuple(sorted(labels.items()))
