"""An HTTP endpoint that speaks Loki's query API: takes the logs of a suite, answers its queries."""

from __future__ import annotations

import secrets
import time as clock
from collections.abc import Iterable
from typing import Any

from lokictl.backends.http import LokiClient
from lokictl.backends.interface import BackendError
from lokictl.conformance.answers import Query
from lokictl.durations import SECOND

Suite = dict[str, Any]
Answer = tuple[Any, Any]
"""A status ("success" or an HTTP status) and the ``data`` object or the error's text."""


class Endpoint:
    """An endpoint at ``url``; every suite gets a tenant of its own (header ``X-Scope-OrgID``)."""

    def __init__(self, url: str, *, timeout: float = 60.0, wait_seconds: float = 60.0) -> None:
        self.client = LokiClient(url, timeout=timeout)
        self.wait_seconds = wait_seconds
        self._run = secrets.token_hex(4)

    def tenant(self, number: int) -> str:
        return f"conformance-{self._run}-{number}"

    def push(self, suites: Iterable[tuple[str, Suite]]) -> None:
        """Pushes the logs of suites to their tenants and waits until they can be queried.  Raises `BackendError`."""
        waiting: list[tuple[str, str, int, int]] = []
        for tenant, suite in suites:
            streams = [
                {"stream": stream["labels"], "values": [_value(entry) for entry in stream["entries"]]}
                for stream in suite["streams"]
            ]
            if not streams:
                continue
            self.client.tenant = tenant
            answer = self.client.push(streams)
            if not answer.ok:
                text = " ".join(answer.text().split())[:300]
                raise BackendError(f"{self.client.url} refused the logs of {suite['name']}: {text}")
            waiting.append((tenant, *_counting(suite)))
        self.client.flush()
        deadline = clock.monotonic() + self.wait_seconds
        for tenant, query, time, wanted in waiting:
            self.client.tenant = tenant
            while self._count(query, time) < wanted and clock.monotonic() < deadline:
                clock.sleep(0.2)

    def _count(self, query: str, time: int) -> int:
        status, data = self._get("/loki/api/v1/query", {"query": query, "time": str(time)})
        if status != "success" or not data["result"]:
            return 0
        return int(float(data["result"][0]["value"][1]))

    def ask(self, tenant: str, query: Query) -> Answer:
        """The endpoint's answer to a recorded query."""
        self.client.tenant = tenant
        headers = {"Cache-Control": "no-cache"}
        if query.get("categorize"):
            headers["X-Loki-Response-Encoding-Flags"] = "categorize-labels"
        parameters = {"query": query["expr"]}
        if "time" in query:
            parameters["time"] = str(query["time"])
            return self._get("/loki/api/v1/query", parameters, headers)
        parameters |= {
            "start": str(query["start"]),
            "end": str(query["end"]),
            "direction": query.get("direction", "forward"),
            "limit": str(query.get("limit", 5000)),
        }
        if "step" in query:
            parameters["step"] = str(query["step"] / SECOND)
        return self._get("/loki/api/v1/query_range", parameters, headers)

    def _get(self, path: str, parameters: dict[str, str], headers: dict[str, str] | None = None) -> Answer:
        answer = self.client.request("GET", path, query=parameters, headers=headers)
        if not answer.ok:
            return answer.status, answer.text().strip()
        try:
            return "success", answer.json()["data"]
        except (ValueError, KeyError, TypeError):
            raise self.client.unexpected(answer, "asked a query") from None


def _value(entry: list[Any]) -> list[Any]:
    return [str(entry[0]), entry[1], *([entry[2]] if len(entry) > 2 and entry[2] else [])]


def _counting(suite: Suite) -> tuple[str, int, int]:
    """A query that counts the lines of a suite, when to ask it, and how many there are at least."""
    labels = [stream["labels"] for stream in suite["streams"]]
    times = [entry[0] for stream in suite["streams"] for entry in stream["entries"]]
    name = next((name for name in sorted(labels[0]) if all(name in other for other in labels)), "")
    lines = {
        (tuple(sorted(stream["labels"].items())), entry[0], entry[1])
        for stream in suite["streams"]
        if any(entry[1] for entry in stream["entries"])
        for entry in stream["entries"]
    }
    seconds = (max(times) - min(times)) // SECOND + 2
    return (
        f'sum(count_over_time({{{name}=~".+"}}[{seconds}s]))',
        max(times) + SECOND - 1,
        len(lines) if name else 0,
    )
