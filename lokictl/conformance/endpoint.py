"""An HTTP endpoint that speaks Loki's query API: takes the logs of a suite, answers its queries."""

from __future__ import annotations

import json
import secrets
import threading
import time as clock
from collections.abc import Iterable, Sequence
from typing import Any

from lokictl.backends.http import LokiClient, refusal
from lokictl.backends.interface import BackendError, UnreachableError
from lokictl.conformance.placement import Placement, Query, Suite, counting, shift_to
from lokictl.durations import DAY, SECOND
from lokictl.http import Answer as HttpAnswer

Answer = tuple[Any, Any]
"""A status ("success" or an HTTP status) and the ``data`` object or the error's text."""

BUSY = (429, 502, 503, 504)
"""Statuses after which the same request may succeed."""
NOT_THERE = (401, 403, 404, 405)
"""Statuses of an endpoint that does not have what it is asked for."""
TOO_OLD = ("too old", "greater than max", "too far behind", "out of retention", "too early")
"""What endpoints say about lines of the past that they do not take."""


class Endpoint:
    """An endpoint at ``url``, and perhaps another one, ``push_url``, that takes its logs.

    With ``tenant`` (or on an endpoint without tenants) all suites share a tenant, and a label sets them apart; else
    every suite has a tenant of its own.  With ``recent`` the logs are moved to the last hours, which also happens once
    the endpoint refuses old lines.  ``push=False``: the logs of ``run`` are there already.
    """

    def __init__(
        self,
        url: str,
        *,
        push_url: str = "",
        tenant: str | None = None,
        run: str = "",
        push: bool = True,
        recent: bool = False,
        timeout: float = 60.0,
        wait_seconds: float = 60.0,
    ) -> None:
        self.url, self.push_url = url, push_url or url
        self.timeout, self.wait_seconds = timeout, wait_seconds
        self.run = run or secrets.token_hex(4)
        self.shared_tenant = tenant
        self.pushes = push
        self.recent = recent
        self.now = clock.time_ns()
        self.client = LokiClient(url, timeout=timeout)
        self._clients = threading.local()
        self._silent = 0

    # --- what it is ------------------------------------------------------------------------------------------------

    def connect(self) -> str:
        """Finds out what the endpoint is, and describes it.  Raises `BackendError` where nothing can be asked."""
        version = self.client.version()
        if self.shared_tenant is None and not self._has_tenants():
            self.shared_tenant = ""
        kept = (
            "a tenant for each suite" if self.shared_tenant is None else "one tenant, a label for each suite"
        )
        return f"{self.client.shown}: {f'Loki {version}' if version else 'no version given'}, {kept}"

    def _has_tenants(self) -> bool:
        """Whether the endpoint keeps tenants apart; an endpoint that lists no labels counts as one that does not."""
        try:
            return self.client.has_tenants()
        except UnreachableError:
            raise
        except BackendError:
            asked = {"query": "vector(1)", "time": str(self.now)}
            if self.client.request("GET", "/loki/api/v1/query", query=asked).status in NOT_THERE:
                raise
            return False

    def placement(self, number: int, suite: Suite) -> Placement:
        """Where suite number ``number`` of this run is."""
        name = f"conformance-{self.run}-{number}"
        shift = shift_to(self.now, suite) if self.recent else 0
        if self.shared_tenant is None:
            return Placement(tenant=name, shift=shift)
        return Placement(tenant=self.shared_tenant, label=name, shift=shift)

    def _client(self, url: str, tenant: str) -> LokiClient:
        """The client of this thread."""
        kept: dict[str, LokiClient] = self._clients.__dict__.setdefault("by_url", {})
        client = kept.get(url)
        if client is None:
            client = kept[url] = LokiClient(url, timeout=self.timeout)
        client.tenant = tenant
        return client

    # --- logs ------------------------------------------------------------------------------------------------------

    def push(self, suites: Sequence[tuple[Placement, Suite]]) -> dict[int, str]:
        """Pushes the logs of suites and waits until they can be queried.

        Returns why a suite cannot be asked about, by its index.  Raises `OldLinesError` where the endpoint does not
        take lines of the past, `BackendError` where it cannot be reached.
        """
        refused: dict[int, str] = {}
        if not self.pushes:
            return refused
        waiting: list[int] = []
        for index, (placement, suite) in enumerate(suites):
            streams = placement.streams(suite)
            if not streams:
                continue
            answer = self._push(placement.tenant, streams)
            if answer.ok:
                waiting.append(index)
                continue
            text = " ".join(answer.text().split())
            if not self.recent and any(words in text for words in TOO_OLD):
                raise OldLinesError(text)
            if answer.status in NOT_THERE:
                raise self._cannot_push(placement, answer)
            refused[index] = f"refused its logs ({answer.status}): {text[:200]}"
        self._client(self.push_url, "").flush()
        return refused | self._wait([(index, *suites[index]) for index in waiting])

    def _cannot_push(self, placement: Placement, answer: HttpAnswer) -> BackendError:
        """An error for an endpoint that takes no logs at all."""
        error = refusal(self._client(self.push_url, placement.tenant), answer)
        if answer.status in (404, 405):
            hint = (
                "if it takes logs elsewhere, use --push-url; if they are there already, --no-push with --run"
            )
            return BackendError(str(error), hint=hint)
        return error

    def _push(self, tenant: str, streams: list[dict[str, Any]]) -> HttpAnswer:
        """The answer to a push; an endpoint that is busy is asked again."""
        client = self._client(self.push_url, tenant)
        deadline = clock.monotonic() + self.wait_seconds
        while True:
            answer = client.push(streams)
            if answer.status not in BUSY or clock.monotonic() > deadline:
                return answer
            clock.sleep(1)

    def _wait(self, suites: Iterable[tuple[int, Placement, Suite]]) -> dict[int, str]:
        """Waits until the lines of suites can be queried; why not, by the suite's index."""
        deadline = clock.monotonic() + self.wait_seconds
        missing: dict[int, str] = {}
        for index, placement, suite in suites:
            query, time, wanted = counting(suite, placement)
            seen = self._count(placement, query, time)
            while seen < wanted and clock.monotonic() < deadline:
                clock.sleep(0.2)
                seen = self._count(placement, query, time)
            if wanted and not seen:
                missing[index] = (
                    f"took its {wanted} lines, but none can be queried within {self.wait_seconds:g} s"
                )
        return missing

    def _count(self, placement: Placement, query: str, time: int) -> int:
        client = self._client(self.url, placement.tenant)
        status, data = self._get(client, "/loki/api/v1/query", {"query": query, "time": str(time)})
        if status != "success" or not data["result"]:
            return 0
        return int(float(data["result"][0]["value"][1]))

    def added_labels(self, placement: Placement, suite: Suite) -> set[str]:
        """The labels that the endpoint adds to what it is given, as a Loki with default limits does."""
        query, last, _ = counting(suite, placement)
        selector = query[query.index("{") : query.index("}") + 1]
        parameters = {
            "query": selector,
            "start": str(last - DAY),
            "end": str(last + SECOND),
            "limit": "1",
            "direction": "backward",
        }
        client = self._client(self.url, placement.tenant)
        status, data = self._get(client, "/loki/api/v1/query_range", parameters)
        if status != "success" or data["resultType"] != "streams":
            return set()
        found = {name for item in data["result"] for name in item.get("stream", {})}
        return found & {"detected_level", "service_name"} - _names(suite)

    # --- queries ---------------------------------------------------------------------------------------------------

    def ask(self, placement: Placement, query: Query) -> Answer:
        """The endpoint's answer to a recorded query, as if the suite were all there is."""
        client = self._client(self.url, placement.tenant)
        headers = {"Cache-Control": "no-cache"}
        if query.get("categorize"):
            headers["X-Loki-Response-Encoding-Flags"] = "categorize-labels"
        parameters = {"query": placement.expression(query)}
        path = "/loki/api/v1/query"
        if "time" in query:
            parameters["time"] = str(query["time"] + placement.shift)
        else:
            path = "/loki/api/v1/query_range"
            parameters |= {
                "start": str(query["start"] + placement.shift),
                "end": str(query["end"] + placement.shift),
                "direction": query.get("direction", "forward"),
                "limit": str(query.get("limit", 5000)),
            }
            if "step" in query:
                parameters["step"] = str(query["step"] / SECOND)
        try:
            status, answer = self._get_again(client, path, parameters, headers)
            self._silent = 0
            return status, placement.answer(answer) if status == "success" else answer
        except UnreachableError:
            raise
        except BackendError as error:
            self._silent += 1
            if self._silent >= MOST_SILENT:
                raise
            return 0, str(error)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            return 0, f"not an answer of Loki's query API ({type(error).__name__}: {error})"

    def _get_again(
        self, client: LokiClient, path: str, parameters: dict[str, str], headers: dict[str, str]
    ) -> Answer:
        """As `_get`; an answer that does not come is asked for once more."""
        try:
            return self._get(client, path, parameters, headers)
        except UnreachableError:
            raise
        except BackendError:
            return self._get(client, path, parameters, headers)

    def _get(
        self,
        client: LokiClient,
        path: str,
        parameters: dict[str, str],
        headers: dict[str, str] | None = None,
    ) -> Answer:
        deadline = clock.monotonic() + self.wait_seconds
        while True:
            answer = client.request("GET", path, query=parameters, headers=headers)
            if answer.status not in BUSY or clock.monotonic() > deadline:
                break
            clock.sleep(1)
        if not answer.ok:
            return answer.status, answer.text().strip()
        try:
            data = _json(answer)["data"]
            return "success", {**data, "resultType": data["resultType"], "result": data["result"] or []}
        except (ValueError, KeyError, TypeError):
            return answer.status, f"not an answer of Loki's query API: {answer.text()[:200]}"


def _names(suite: Suite) -> set[str]:
    """The labels and structured metadata that a suite has itself."""
    return {name for stream in suite["streams"] for name in stream["labels"]} | {
        name
        for stream in suite["streams"]
        for entry in stream["entries"]
        for name in (entry[2] if len(entry) > 2 else ())
    }


def _json(answer: HttpAnswer) -> Any:
    """The JSON of an answer; bytes that are not UTF-8 (a template cut a character in two) become U+FFFD."""
    try:
        return answer.json()
    except ValueError:
        return json.loads(answer.body.decode("utf-8", "replace"))


MOST_SILENT = 10
"""Queries in a row that may go unanswered before the endpoint counts as out of order."""


class OldLinesError(BackendError):
    """The endpoint does not take lines of the past."""


__all__ = ["Answer", "Endpoint", "OldLinesError"]
