"""Asks an endpoint everything that was recorded, and counts what agrees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lokictl.conformance.answers import Query, difference
from lokictl.conformance.endpoint import Endpoint
from lokictl.conformance.recordings import load

BATCH = 20
"""Suites whose logs are pushed together."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A query that was answered differently."""

    suite: str
    query: Query
    what: str


@dataclass(slots=True)
class Topic:
    """The outcome of one file of recordings."""

    name: str
    asked: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def agreed(self) -> int:
        return self.asked - len(self.differences)


def ask_all(endpoint: Endpoint, files: Sequence[Path], *, texts: bool = False) -> Iterator[Topic]:
    """The outcome of each file.  With ``texts`` the words of errors count, too.  Raises `BackendError`."""
    number = 0
    for file in files:
        topic = Topic(file.stem)
        suites = [suite for suite in load(file) if not suite.get("discover_log_levels")]
        for first in range(0, len(suites), BATCH):
            part = [
                (endpoint.tenant(number + index), suite)
                for index, suite in enumerate(suites[first : first + BATCH])
            ]
            number += len(part)
            endpoint.push(part)
            for tenant, suite in part:
                _ask(endpoint, tenant, suite, topic, texts)
        yield topic


def _ask(endpoint: Endpoint, tenant: str, suite: dict[str, Any], topic: Topic, texts: bool) -> None:
    for query in suite["queries"]:
        topic.asked += 1
        status, answer = endpoint.ask(tenant, query)
        what = difference(query, status, answer, texts=texts)
        if what:
            topic.differences.append(Difference(suite["name"], query, what))
