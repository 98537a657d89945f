"""Known incidents, and how well alerts told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from statistics import median
from typing import Any

from lokictl.backtest.results import Backtest, Episode, RuleHistory
from lokictl.diagnostics import LokictlError, Position, Problem, suggestion
from lokictl.model.times import parse_time
from lokictl.model.yaml_source import YamlDocument, load_documents
from lokictl.records import dataclass

EARLY = 10 * 60 * 1_000_000_000
"""An alert may fire this long before an incident is said to begin; one that fired long before is unrelated."""
KEYS = ("name", "start", "end", "alerts")
EXAMPLE = """incidents:
  - name: database down
    start: 2026-01-03T10:00:00Z
    end: 2026-01-03T10:40:00Z
    alerts: [DatabaseTimeouts]        # optional: which should fire"""


@dataclass(frozen=True)
class Incident:
    """Something that went wrong from ``start`` to ``end`` (ns); ``alerts`` should fire (empty: any)."""

    name: str
    start: int
    end: int
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Caught:
    """An incident and the first alert that told of it; ``after`` (ns) is the time to detect."""

    incident: Incident
    alert: str
    episode: Episode
    after: int


@dataclass
class RuleScore:
    """What one alert has to do with the incidents: caught ones, ones it should have caught, pages without any."""

    history: RuleHistory
    caught: list[Caught] = field(default_factory=list)
    missed: list[Incident] = field(default_factory=list)
    other_pages: list[Episode] = field(default_factory=list)
    pages: int = 0


@dataclass
class Score:
    """How well all alerts together told of the incidents."""

    incidents: list[Incident]
    caught: list[Caught]
    missed: list[Incident]
    pages: int
    other_pages: int
    rules: list[RuleScore] = field(default_factory=list)
    left_out: list[Incident] = field(default_factory=list)

    @property
    def precision(self) -> float | None:
        """The share of pages that belong to an incident; None without pages."""
        return (self.pages - self.other_pages) / self.pages if self.pages else None

    @property
    def recall(self) -> float | None:
        """The share of incidents that an alert told of; None without incidents."""
        return len(self.caught) / len(self.incidents) if self.incidents else None

    @property
    def time_to_detect(self) -> int | None:
        """The median time from the start of an incident to the first alert (ns); None where none was caught."""
        return int(median(one.after for one in self.caught)) if self.caught else None


def judge(backtest: Backtest, incidents: Sequence[Incident]) -> Score:
    """How the alerts of a backtest did on incidents.

    Those outside its time are left out, and those that only alerts should tell of that are not in it.
    """
    names = {history.name for history in backtest.alerts}
    known = [
        one
        for one in incidents
        if one.start < backtest.end
        and one.end > backtest.start
        and (not one.alerts or names.intersection(one.alerts))
    ]
    caught: list[Caught] = []
    missed: list[Incident] = []
    for incident in known:
        found = [
            one
            for history in backtest.alerts
            if not incident.alerts or history.name in incident.alerts
            for one in _catches(history, incident, backtest.end)
        ]
        if found:
            caught.append(min(found, key=lambda one: one.episode.fired_at))
        else:
            missed.append(incident)
    rules = [_rule_score(history, known, backtest.end) for history in backtest.alerts]
    return Score(
        known,
        caught,
        missed,
        sum(rule.pages for rule in rules),
        sum(len(rule.other_pages) for rule in rules),
        rules,
        [one for one in incidents if one not in known],
    )


def _catches(history: RuleHistory, incident: Incident, until: int) -> list[Caught]:
    return [
        Caught(incident, history.name, episode, max(episode.fired_at - incident.start, 0))
        for episode in history.episodes
        if incident.start - EARLY <= episode.fired_at < incident.end and episode.end(until) > incident.start
    ]


def _rule_score(history: RuleHistory, incidents: Sequence[Incident], until: int) -> RuleScore:
    score = RuleScore(history, pages=len(history.pages))
    in_some: set[int] = set()
    for incident in incidents:
        found = _catches(history, incident, until)
        in_some.update(id(one.episode) for one in found)
        if found:
            score.caught.append(min(found, key=lambda one: one.episode.fired_at))
        elif history.name in incident.alerts:
            score.missed.append(incident)
    score.other_pages = [episode for episode in history.pages if id(episode) not in in_some]
    return score


# --- the file ----------------------------------------------------------------------------------------------


def load_incidents(path: Path, known_alerts: Sequence[str] = ()) -> list[Incident]:
    """The incidents of a file (YAML or JSON).  Raises `LokictlError` with every problem found."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problem = Problem("file/unreadable", f"cannot read the file: {reason}", position=Position(str(path)))
        raise LokictlError(problem) from None
    documents = load_documents(text, str(path))
    if not documents:
        raise LokictlError(_wrong_form(path))
    reader = _Reader(documents[0], str(path), known_alerts)
    incidents = reader.incidents()
    if reader.problems:
        raise LokictlError(reader.problems)
    return incidents


def _wrong_form(path: Path | str) -> Problem:
    message = "a file of incidents has a list `incidents:`"
    return Problem("backtest/incidents", message, position=Position(str(path)), hint=f"such as:\n{EXAMPLE}")


class _Reader:
    def __init__(self, document: YamlDocument, path: str, known_alerts: Sequence[str]) -> None:
        self.document, self.path, self.known = document, path, known_alerts
        self.problems: list[Problem] = []

    def incidents(self) -> list[Incident]:
        value = self.document.value
        prefix: tuple[str | int, ...] = ()
        if isinstance(value, dict) and isinstance(value.get("incidents"), list):
            value, prefix = value["incidents"], ("incidents",)
        if not isinstance(value, list):
            self.problems.append(_wrong_form(self.path))
            return []
        found = [self._incident(item, (*prefix, index), index) for index, item in enumerate(value)]
        return sorted((one for one in found if one is not None), key=lambda one: one.start)

    def _incident(self, item: Any, path: tuple[str | int, ...], index: int) -> Incident | None:
        if not isinstance(item, dict):
            self._problem("an incident is a mapping with start and end", *path)
            return None
        for key in item:
            if key not in KEYS:
                hint = suggestion(str(key), KEYS, f"known keys: {', '.join(KEYS)}")
                self._problem(f'unknown key "{key}"', *path, str(key), hint=hint)
        start, end = self._time(item, "start", path), self._time(item, "end", path)
        alerts = item.get("alerts") or []
        if isinstance(alerts, str):
            alerts = [alerts]
        if not isinstance(alerts, list) or not all(isinstance(name, str) for name in alerts):
            self._problem("`alerts` is a list of alert names", *path, "alerts")
            alerts = []
        for position, name in enumerate(alerts):
            if self.known and name not in self.known:
                hint = suggestion(name, self.known)
                self._problem(f'no alert is called "{name}"', *path, "alerts", position, hint=hint)
        if start is None or end is None:
            return None
        if end <= start:
            self._problem("the incident ends before it starts", *path, "end")
            return None
        return Incident(str(item.get("name") or f"incident {index + 1}"), start, end, tuple(alerts))

    def _time(self, item: dict[Any, Any], key: str, path: tuple[str | int, ...]) -> int | None:
        value = item.get(key)
        if value is None:
            self._problem(f"the incident has no `{key}`", *path)
            return None
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
        try:
            return parse_time(text)
        except ValueError as error:
            self._problem(str(error), *path, key)
            return None

    def _problem(self, message: str, *path: str | int, hint: str = "") -> None:
        self.problems.append(self.document.problem("backtest/incidents", message, *path, hint=hint))
