"""An existing Loki as a backend: a tenant of its own for each run, and lines that can be queried at once."""

from __future__ import annotations

import logging
import secrets
import time as clock
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from lokictl.backends.acceptance import check_stream
from lokictl.backends.http import LokiClient, refusal, to_result
from lokictl.backends.interface import Backend, BackendError, LogStream, Result, storable
from lokictl.durations import HOUR, MILLISECOND, SECOND, Duration, Time, epoch_nanoseconds, nanoseconds
from lokictl.logql.ast import Expr
from lokictl.logql.units import quote
from lokictl.logql.versions import configured_target
from lokictl.loki_api import disagreement

LOGGER = logging.getLogger(__name__)

EARLY = 946_684_800 * SECOND
"""Lines from before 2000 (tests that start at 0) are moved: Loki does not find lines near the epoch."""
BATCH_BYTES = 1_000_000
RECENT = 2 * HOUR
"""Queriers ask the ingesters for the last 3 hours (querier.query_ingesters_within); older lines must be flushed."""

WITHOUT_TENANTS = (
    "this Loki has no multi-tenancy: test logs would mix with real logs",
    "start it with auth_enabled: true, or pass --allow-push to push anyway",
)

Labels = tuple[tuple[str, str], ...]
Line = tuple[int, str, tuple[tuple[str, str], ...]]


class UrlBackend(Backend):
    """A Loki at ``url``.

    Lines go to ``tenant`` (a new name for each run by default) and never to a Loki without tenants, unless
    ``allow_push``.  Lines older than Loki accepts are moved to recent times by whole hours, as are the queries;
    results show the original times.  ``wait_seconds`` bounds how long `push` waits until lines can be queried,
    ``timeout`` (seconds) how long one request may take: Loki tries some failing queries again for 20 s.
    """

    name = "url"
    flushes = True
    """Whether old lines can be queried only after a flush."""

    def __init__(
        self,
        url: str,
        *,
        tenant: str = "",
        allow_push: bool = False,
        wait_seconds: float = 90.0,
        timeout: float = 60.0,
    ) -> None:
        self._own_tenant = not tenant
        self.client = LokiClient(url, tenant or new_tenant(), timeout=timeout)
        self.allow_push = allow_push
        self.wait_seconds = wait_seconds
        self._checked = False
        self._shift: int | None = None
        # The next to arrive comes last.
        self._late: list[tuple[int, Labels, Line]] = []
        self._arrived_until: int | None = None
        self._flush_failure = ""

    def push(self, streams: Iterable[LogStream]) -> None:
        """Pushes the lines and waits until they can be queried; late ones are kept until their time."""
        self.check()
        lines: dict[Labels, list[Line]] = {}
        for stream in streams:
            check_stream(stream)
            labels = _known_to_loki(stream.labels)
            for entry in stream.entries:
                line = (entry.timestamp, _utf8(entry.line), _known_to_loki(entry.metadata))
                if entry.arrives_at is not None and entry.arrives_at > entry.timestamp:
                    self._late.append((entry.arrives_at, labels, line))
                else:
                    lines.setdefault(labels, []).append(line)
        self._late.sort(reverse=True)
        if lines:
            self._push_all(lines)

    def query(self, expression: Expr | str, *, time: Time) -> Result:
        """The answer of an instant query at ``time``.  Raises `QueryError`, `BackendError`."""
        moment = epoch_nanoseconds(time)
        self._advance(moment)
        shift = self._shift_at(moment)
        parameters = {"query": str(expression), "time": str(moment + shift)}
        return self._ask("/loki/api/v1/query", parameters, moment)

    def query_range(
        self,
        expression: Expr | str,
        *,
        start: Time,
        end: Time,
        step: Duration = 0,
        limit: int = 100,
        direction: str = "backward",
    ) -> Result:
        """The answer of a range query, with the lines that have arrived by ``end``."""
        first, last, every = epoch_nanoseconds(start), epoch_nanoseconds(end), nanoseconds(step)
        self._advance(last)
        shift = self._shift_at(first)
        parameters = {
            "query": str(expression),
            "start": str(first + shift),
            "end": str(last + shift),
            "limit": str(limit),
            "direction": direction,
        }
        if every:
            parameters["step"] = f"{every / SECOND:.9f}".rstrip("0").rstrip(".")
        return self._ask("/loki/api/v1/query_range", parameters, first)

    def fresh(self, *, discover_service_name: bool = False, discover_log_levels: bool = False) -> Backend:
        """The same Loki with another new tenant; stays usable only as long as this one.

        A Loki without tenants still has the lines of this one.
        """
        other = UrlBackend(
            self.client.url,
            allow_push=self.allow_push,
            wait_seconds=self.wait_seconds,
            timeout=self.client.timeout,
        )
        other.name, other.flushes = self.name, self.flushes
        return other

    def use_tenant(self, tenant: str) -> None:
        """Pushes and asks as ``tenant`` from now on."""
        self.client.tenant, self._own_tenant = tenant, False

    def close(self) -> None:
        """Closes the connection; the tenant's lines stay until Loki's retention removes them."""
        self.client.close()

    # --- pushing ------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Asks Loki once whether it is there and keeps tenants apart.  Raises `BackendError`."""
        if self._checked:
            return
        if not self.client.has_tenants():
            if not self.allow_push:
                message, hint = WITHOUT_TENANTS
                raise BackendError(f"{self.client.shown}: {message}", hint=hint)
            self.client.tenant, self._own_tenant = "", False
        self._checked = True
        wanted = configured_target()
        warning = disagreement(self.client.version(), wanted) if wanted is not None else ""
        if warning:
            _warn_once(f"{self.client.shown}: {warning}")

    def _advance(self, time: int) -> None:
        due: dict[Labels, list[Line]] = {}
        while self._late and self._late[-1][0] <= time:
            arrival, labels, line = self._late.pop()
            due.setdefault(labels, []).append(line)
            self._arrived_until = arrival
        if due:
            self._push_all(due)
        if self._arrived_until is not None and time < self._arrived_until:
            raise BackendError(
                "a late line has arrived already, and a real Loki cannot forget it",
                hint="run queries in time order",
            )

    def _push_all(self, lines: dict[Labels, list[Line]]) -> None:
        decided = self._shift is not None
        times = [line[0] for found in lines.values() for line in found]
        times += [line[0] for _, _, line in self._late]
        if not decided:
            self._shift = whole_hours_to_now(max(times)) if min(times) < EARLY else 0
        try:
            self._send(lines, self._shift or 0)
        except _TooOldError as error:
            if decided:
                raise error.explained from None
            self._shift = whole_hours_to_now(max(times))
            if self._own_tenant:
                # What the first attempt left behind must not be counted twice.
                self.client.tenant = new_tenant()
            try:
                self._send(lines, self._shift)
            except _TooOldError as again:
                raise again.explained from None
        self._wait(lines)

    def _send(self, lines: dict[Labels, list[Line]], shift: int) -> None:
        for batch in _batches(lines, shift):
            answer = self.client.push(batch)
            if answer.ok:
                continue
            text = answer.text()
            if answer.status == 400 and any(word in text for word in ("too old", "greater than max")):
                raise _TooOldError(refusal(self.client, answer))
            raise refusal(self.client, answer)

    # --- waiting ------------------------------------------------------------------------------------------------

    def _wait(self, lines: dict[Labels, list[Line]]) -> None:
        """Waits until every stream answers with at least as many lines as were pushed."""
        shift = self._shift or 0
        oldest = min(line[0] for found in lines.values() for line in found) + shift
        if oldest < clock.time_ns() - RECENT and self.flushes:
            self._flush_failure = self.client.flush()
        deadline = clock.monotonic() + self.wait_seconds
        pause = 0.02
        missing = {labels: len(set(found)) for labels, found in lines.items()}
        while True:
            missing = {
                labels: wanted
                for labels, wanted in missing.items()
                if self._count(labels, lines[labels], shift) < wanted
            }
            if not missing:
                return
            if clock.monotonic() > deadline:
                raise self._invisible(missing, lines, shift)
            clock.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _ask(self, path: str, parameters: dict[str, str], time: int) -> Result:
        data = self.client.query(path, parameters)
        try:
            return to_result(data, time, self._shift or 0)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            message = f"{self.client.shown} returned an answer that is not from Loki: {str(data)[:200]}"
            raise BackendError(message, hint="is this a Loki?") from None

    def _shift_at(self, time: int) -> int:
        if self._shift is None and time < EARLY:
            self._shift = whole_hours_to_now(time)
        return self._shift or 0

    def _count(self, labels: Labels, lines: list[Line], shift: int) -> int:
        first, last = min(line[0] for line in lines) + shift, max(line[0] for line in lines) + shift
        seconds = (last - first) // SECOND + 2
        selector = "{" + ", ".join(f"{name}={quote(value)}" for name, value in labels) + "}"
        query = f"sum(count_over_time({selector} [{seconds}s]))"
        # Before Loki 3.2 a line at the very time of a query does not count.
        time = last + MILLISECOND
        result = self._ask("/loki/api/v1/query", {"query": query, "time": str(time)}, time)
        return int(result.vector[0][1]) if result.vector else 0

    def _invisible(
        self, missing: dict[Labels, int], lines: dict[Labels, list[Line]], shift: int
    ) -> BackendError:
        labels = next(iter(missing))
        seen = self._count(labels, lines[labels], shift)
        selector = "{" + ", ".join(f"{name}={quote(value)}" for name, value in labels) + "}"
        message = (
            f"{self.client.shown} took the lines of {selector}, but after {self.wait_seconds:g} s "
            f"{seen} of {missing[labels]} can be queried"
        )
        hint = "lines of the past can be queried once they are flushed to the store"
        if self._flush_failure:
            hint += f", and {self._flush_failure}: give the URL of Loki itself, not of a gateway"
        else:
            hint += "; querier.query_ingesters_within: 0 makes them visible at once"
        return BackendError(message, hint=hint)


@cache
def _warn_once(message: str) -> None:
    """Each test asks a tenant of its own; the Loki is the same."""
    LOGGER.warning("%s", message)


class _TooOldError(Exception):
    def __init__(self, explained: BackendError) -> None:
        self.explained = explained
        super().__init__(str(explained))


def whole_hours_to_now(time: int) -> int:
    """How far to move ``time`` (ns) so that it lies within the last hour, the time of the hour unchanged."""
    return (clock.time_ns() - time) // HOUR * HOUR


def new_tenant() -> str:
    """A tenant name that no other run has."""
    return f"lokictl-test-{secrets.token_hex(8)}"


def _known_to_loki(labels: Mapping[str, str]) -> Labels:
    """Labels or structured metadata as Loki keeps them: empty values are dropped."""
    return tuple(sorted((name, _utf8(value)) for name, value in labels.items() if value != ""))


def _utf8(text: str) -> str:
    """Text that can be sent as JSON: bytes that are not UTF-8 (kept as surrogates) become U+FFFD."""
    if text.isascii():
        return text
    return storable(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _batches(lines: dict[Labels, list[Line]], shift: int) -> Iterator[list[dict[str, Any]]]:
    """Push requests of about a megabyte; lines of a stream in the order of time."""
    batch: list[dict[str, Any]] = []
    size = 0
    for labels, found in lines.items():
        values: list[list[Any]] = []
        for timestamp, text, metadata in sorted(found, key=lambda line: line[0]):
            value: list[Any] = [str(timestamp + shift), text]
            if metadata:
                value.append(dict(metadata))
            values.append(value)
            size += len(text) + 60
            if size > BATCH_BYTES:
                batch.append({"stream": dict(labels), "values": values})
                yield batch
                batch, values, size = [], [], 0
        if values:
            batch.append({"stream": dict(labels), "values": values})
    if batch:
        yield batch
