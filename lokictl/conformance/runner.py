"""Asks an endpoint everything that was recorded, and counts what agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from pathlib import Path
from typing import Any

from lokictl.conformance.answers import Query, difference
from lokictl.conformance.endpoint import Endpoint, OldLinesError
from lokictl.conformance.placement import Placement, Suite
from lokictl.conformance.recordings import load
from lokictl.records import dataclass

BATCH = 20
"""Suites whose logs are pushed together."""
WITH_LEVELS = "was recorded with discover_log_levels (--detect-levels asks it)"
WITHOUT_LEVELS = "was recorded without discover_log_levels"
OTHER_SERVICE_NAMES = "was recorded with discover_service_name"


@dataclass(frozen=True, slots=True)
class Difference:
    """A query that was answered differently."""

    suite: str
    query: Query
    what: str


@dataclass(slots=True)
class Topic:
    """The outcome of one file of recordings.

    ``left_out`` counts the queries that were not asked by the reason.
    """

    name: str
    asked: int = 0
    differences: list[Difference] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def agreed(self) -> int:
        return self.asked - len(self.differences)

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Counts queries that are not asked."""
        if count:
            self.left_out[reason] = self.left_out.get(reason, 0) + count


@dataclass(frozen=True, slots=True)
class Options:
    """How to ask: ``texts``: the words of errors count, too; ``levels``: the endpoint adds ``detected_level``."""

    texts: bool = False
    levels: bool = False
    jobs: int = 4


def ask_all(
    endpoint: Endpoint,
    files: Sequence[Path],
    options: Options | None = None,
    *,
    note: Callable[[str], None] = lambda text: None,
) -> Iterator[Topic]:
    """The outcome of each file; ``note`` is called with progress messages.  Raises `BackendError`."""
    options = options or Options()
    number = 0
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        for file in files:
            topic = Topic(file.stem)
            suites = list(_askable(load(file), topic, options))
            for first in range(0, len(suites), BATCH):
                batch = suites[first : first + BATCH]
                placed, refused = _push(endpoint, batch, number, note)
                if number == 0:
                    _note_added_labels(endpoint, placed, refused, note)
                number += len(batch)
                asked = []
                for index, (placement, suite) in enumerate(placed):
                    if index in refused:
                        topic.leave_out(f"the endpoint {refused[index]}", len(suite["queries"]))
                    else:
                        asked.append(pool.submit(_ask, endpoint, placement, suite, options))
                for part in asked:
                    _add(topic, part.result())
            yield topic


def _askable(suites: list[Suite], topic: Topic, options: Options) -> Iterator[Suite]:
    """The suites whose recordings fit the endpoint's settings."""
    for suite in suites:
        count = len(suite["queries"])
        if suite.get("discover_service_name"):
            topic.leave_out(OTHER_SERVICE_NAMES, count)
        elif bool(suite.get("discover_log_levels")) != options.levels:
            topic.leave_out(WITHOUT_LEVELS if options.levels else WITH_LEVELS, count)
        else:
            yield suite


def _push(
    endpoint: Endpoint, suites: list[Suite], number: int, note: Callable[[str], None]
) -> tuple[list[tuple[Placement, Suite]], dict[int, str]]:
    """The suites with their places, and why some cannot be asked about, by index."""

    def placed() -> list[tuple[Placement, Suite]]:
        return [(endpoint.placement(number + index, suite), suite) for index, suite in enumerate(suites)]

    try:
        places = placed()
        return places, endpoint.push(places)
    except OldLinesError as error:
        note(f"it refuses old lines ({str(error)[:100]}): the logs are moved to the last hours")
        endpoint.recent = True
        places = placed()
        return places, endpoint.push(places)


def _note_added_labels(
    endpoint: Endpoint,
    placed: list[tuple[Placement, Suite]],
    refused: dict[int, str],
    note: Callable[[str], None],
) -> None:
    """Says what a Loki with default limits adds, which makes most answers differ."""
    for index, (placement, suite) in enumerate(placed):
        if index not in refused and suite["streams"] and not suite.get("discover_log_levels"):
            added = " and ".join(sorted(endpoint.added_labels(placement, suite)))
            if added:
                note(
                    f"it adds {added}, and the recordings were made without: set discover_log_levels: false and "
                    "discover_service_name: [] in limits_config"
                )
            return


def _ask(endpoint: Endpoint, placement: Placement, suite: dict[str, Any], options: Options) -> Topic:
    """The outcome of one suite."""
    found = Topic(suite["name"])
    for query in suite["queries"]:
        reason = placement.cannot_ask(suite, query)
        if reason:
            found.leave_out(reason)
            continue
        found.asked += 1
        status, answer = endpoint.ask(placement, query)
        what = difference(query, status, answer, texts=options.texts)
        if what:
            found.differences.append(Difference(suite["name"], query, what))
    return found


def _add(topic: Topic, part: Topic) -> None:
    topic.asked += part.asked
    topic.differences += part.differences
    for reason, count in part.left_out.items():
        topic.leave_out(reason, count)


__all__ = ["Difference", "Options", "Topic", "ask_all"]
