"""A Loki as a history: range queries, several at once, cut into smaller ones where a limit refuses them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import field
from typing import Any, Protocol

from lokictl.backends.interface import BackendError, QueryError
from lokictl.backtest.history import (
    FoundLine,
    History,
    LinesRequest,
    Progress,
    RangeAnswer,
    RangeRequest,
    no_progress,
)
from lokictl.backtest.series import Answers, Gap, Grid, Labels
from lokictl.backtest.sharding import safe
from lokictl.durations import SECOND
from lokictl.lazy import lazy_pattern
from lokictl.logql.units import parse_float, parse_prometheus_duration
from lokictl.logql.versions import configured_target
from lokictl.loki_api import BUILDINFO_PATH, disagreement
from lokictl.records import dataclass
from lokictl.ruler.expansion import Vector

JOBS = 4
MAX_LINES = 5_000
LOGGER = logging.getLogger(__name__)
CATEGORIZED = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
"""Asks for structured metadata and parsed labels apart from those of the stream."""

# Errors of single evaluations: a range query that meets one fails as a whole, so it is cut until they are alone.
OF_SOME_STEPS = (
    "pipeline error",
    "many-to-many",
    "multiple matches for labels",
    "maximum number of series",
    "maximum of series",
)
# The range was too much at once; a smaller one may do.
TOO_MUCH = (
    "query time range exceeds the limit",
    "exceeded maximum resolution",
    "the query would read too many bytes",
    "query too large",
    "context deadline exceeded",
    "context canceled",
    "too many outstanding requests",
    "maximum number of split",
    "timeout",
    "trying to send message larger than max",
    "received message larger than max",
    "max_query_bytes_read",
)


@dataclass(frozen=True, slots=True)
class RefusedError(Exception):
    """An answer that is an error: ``status`` is 0 where there was no answer at all."""

    status: int
    message: str


class LokiApi(Protocol):
    """GET requests to one Loki, for one tenant, from any number of threads; retries are its own affair."""

    url: str

    def get(self, path: str, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Any:
        """The JSON that was answered.  Raises `RefusedError`."""


@dataclass
class LokiHistory(History):
    """The logs of one tenant of a Loki; ``jobs`` requests at a time."""

    api: LokiApi
    tenant: str = ""
    jobs: int = JOBS
    limits: dict[str, Any] = field(default_factory=dict)
    requests: int = 0
    bytes_read: int | None = 0
    down: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _stopped: bool = False
    _instants: dict[tuple[str, int], Vector] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.identity = f"{self.api.url} {self.tenant}"
        self.description = f"{self.api.url}" + (f" (tenant {self.tenant})" if self.tenant else "")

    def connect(self) -> None:
        """Asks for what every Loki knows, and for its limits.  Raises `BackendError` where it cannot be used."""
        try:
            self._get("/loki/api/v1/labels", {})
        except RefusedError as error:
            raise self._unusable(error) from None
        self._check_version()
        try:
            found = self._get("/loki/api/v1/drilldown-limits", {})
            self.limits = dict(found.get("limits") or {})
        except (RefusedError, AttributeError, TypeError, ValueError):
            self.limits = {}
        known = self.limits.get("max_query_series")
        if isinstance(known, int):
            self.max_series = known

    def _check_version(self) -> None:
        """Warns of a Loki that is not of the version that this run is for."""
        wanted = configured_target()
        if wanted is None:
            return
        try:
            running = str(self._get(BUILDINFO_PATH, {}).get("version", ""))
        except (RefusedError, AttributeError, ValueError):
            return
        warning = disagreement(running, wanted)
        if warning:
            LOGGER.warning("%s: %s", self.description, warning)

    @property
    def retention(self) -> int:
        """How long this Loki keeps logs (ns), as far as it says; 0 where it does not."""
        spans = [self._limit("retention_period"), self._limit("max_query_lookback")]
        return min((span for span in spans if span), default=0)

    def _limit(self, name: str) -> int:
        value = self.limits.get(name)
        if isinstance(value, int):
            return value
        try:
            return parse_prometheus_duration(value) if isinstance(value, str) else 0
        except ValueError:
            return 0

    def extent(self) -> tuple[int, int] | None:
        return None

    def close(self) -> None:
        self._stopped = True

    # --- range queries -----------------------------------------------------------------------------------------

    def answer(
        self, requests: Sequence[RangeRequest], progress: Progress = no_progress
    ) -> Iterator[RangeAnswer]:
        """The answers, as they come; a part that Loki does not answer is a gap."""
        total = sum(request.grid.count for request in requests)
        done = 0
        progress("asking Loki", done, total)
        pool = ThreadPoolExecutor(self.jobs, thread_name_prefix="backtest")
        try:
            pending: set[Future[RangeAnswer]] = {pool.submit(self._answered, request) for request in requests}
            while pending:
                ready, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in ready:
                    answer = future.result()
                    done += answer.request.grid.count
                    progress("asking Loki", done, total)
                    yield answer
        finally:
            self._stopped = True
            pool.shutdown(cancel_futures=True)
            self._stopped = False

    def _answered(self, request: RangeRequest) -> RangeAnswer:
        answers = Answers()
        for grid in self._allowed(request):
            found = self._asked(request.query, grid)
            answers.extend(found.shifted((grid.start - request.grid.start) // grid.step))
            if answers.refusal:
                break
        return RangeAnswer(request, answers)

    def _allowed(self, request: RangeRequest) -> Iterator[Grid]:
        """The request in parts that are no longer than Loki's longest query."""
        grid = request.grid
        longest = self._limit("max_query_length")
        count = max(longest // grid.step, 1) if longest else grid.count
        for first in range(0, grid.count, count):
            yield Grid(grid.time(first), grid.step, min(count, grid.count - first))

    def _asked(self, query: str, grid: Grid) -> Answers:
        """The answers on one grid, halved as often as errors ask for it."""
        if self.down or self._stopped:
            return Answers(gaps=[Gap(0, grid.count - 1, self.down or "interrupted")])
        try:
            return self._range(query, grid)
        except RefusedError as error:
            return self._after(error, query, grid)

    def _after(self, error: RefusedError, query: str, grid: Grid) -> Answers:
        of_some, too_much = _is_any(OF_SOME_STEPS, error), error.status == 504 or _is_any(TOO_MUCH, error)
        if error.status == 0 and "no answer in" not in error.message:
            self.down = error.message
        if (of_some or too_much or "no answer in" in error.message) and grid.count > 1:
            return self._halved(query, grid)
        if of_some:
            return Answers(failures=dict.fromkeys(range(grid.count), error.message))
        if error.status in (400, 422) and not too_much:
            return Answers(refusal=error.message)
        return Answers(gaps=[Gap(0, grid.count - 1, _reason(error))])

    def _halved(self, query: str, grid: Grid) -> Answers:
        half = grid.count // 2
        answers = self._asked(query, Grid(grid.start, grid.step, half))
        if not answers.refusal:
            rest = self._asked(query, Grid(grid.time(half), grid.step, grid.count - half))
            answers.extend(rest.shifted(half))
        return answers

    def _range(self, query: str, grid: Grid) -> Answers:
        parameters = {
            "query": safe(query),
            "start": str(grid.start),
            "end": str(grid.end),
            "step": _seconds(grid.step),
        }
        data = self._get("/loki/api/v1/query_range", parameters)
        try:
            self._count_bytes(data)
            return _answers(data["data"], grid)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            raise RefusedError(502, "the answer is not one of Loki's") from None

    def _count_bytes(self, data: Any) -> None:
        summary = (data["data"].get("stats") or {}).get("summary") or {}
        read = summary.get("totalBytesProcessed")
        with self._lock:
            if isinstance(read, int) and self.bytes_read is not None:
                self.bytes_read += read

    def _get(self, path: str, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Any:
        with self._lock:
            self.requests += 1
        return self.api.get(path, parameters, headers)

    # --- the rest ----------------------------------------------------------------------------------------------

    def instant(self, query: str, time: int) -> Vector:
        key = (query, time)
        if key not in self._instants:
            try:
                data = self._get("/loki/api/v1/query", {"query": query, "time": str(time)})["data"]
            except RefusedError as error:
                raise QueryError(error.message, status=error.status) from None
            if data["resultType"] == "scalar":
                self._instants[key] = [({}, parse_float(str(data["result"][1])))]
            else:
                self._instants[key] = [
                    (dict(item["metric"]), parse_float(item["value"][1])) for item in data["result"]
                ]
        return self._instants[key]

    def lines(self, requests: Sequence[LinesRequest]) -> list[list[FoundLine]]:
        with ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(self._lines, requests))

    def _lines(self, request: LinesRequest) -> list[FoundLine]:
        found: list[FoundLine] = []
        end = request.end
        while len(found) < request.limit:
            size = min(request.limit - len(found), MAX_LINES)
            parameters = {
                "query": request.query,
                "start": str(request.start + 1),
                "end": str(end + 1),
                "limit": str(size),
                "direction": "backward",
            }
            try:
                data = self._get("/loki/api/v1/query_range", parameters, CATEGORIZED)["data"]
            except RefusedError as error:
                raise QueryError(error.message, status=error.status) from None
            page = sorted(_found_lines(data), key=lambda one: one.timestamp, reverse=True)
            found += page
            if len(page) < size or page[-1].timestamp <= request.start + 1:
                break
            # Lines of one instant that a page cuts apart are the price of asking for the next one.
            end = page[-1].timestamp - 1
        return sorted(found[: request.limit], key=lambda one: one.timestamp)

    def volume(self, selector: str, start: int, end: int) -> int | None:
        parameters = {"query": selector, "start": str(start), "end": str(end)}
        try:
            return int(self._get("/loki/api/v1/index/stats", parameters)["bytes"])
        except (RefusedError, KeyError, TypeError, ValueError):
            return None

    def has_logs(self, selector: str, start: int, end: int) -> bool | None:
        """Whether there is a line.  The index does not know lines that are still in memory, so zero proves nothing."""
        if self.volume(selector, start, end):
            return True
        try:
            return bool(self._lines(LinesRequest(selector, start - 1, end, 1)))
        except QueryError:
            return None

    def _unusable(self, error: RefusedError) -> BackendError:
        text, hint = error.message, "is this a Loki, and is it healthy?"
        if error.status == 0:
            hint = "is Loki running there?"
        elif "no org id" in text:
            return BackendError(f"{self.api.url} wants a tenant", hint="name it: --tenant NAME")
        elif error.status == 401:
            hint = "credentials go into a target (lokictl.toml) or into the URL: https://user:password@host"
        elif error.status == 403:
            hint = "the credentials lack the right to do this"
        elif error.status == 404:
            hint = "is this the base URL of a Loki (without /loki/api/v1)?"
        words = f"{self.api.url} answered {error.status}: {text}" if error.status else text
        if error.status == 0 and self.api.url not in words:
            words = f"cannot reach {self.api.url}: {words}"
        return BackendError(words, hint=hint)


def _is_any(words: Sequence[str], error: RefusedError) -> bool:
    return any(word in error.message for word in words)


def _reason(error: RefusedError) -> str:
    return f"Loki answered {error.status}: {error.message}" if error.status else error.message


_SERIES_SECONDS = lazy_pattern(r"\.?0+$")


def _seconds(nanoseconds: int) -> str:
    text = f"{nanoseconds / SECOND:.9f}"
    return _SERIES_SECONDS.sub("", text) if "." in text else text


def _answers(data: Mapping[str, Any], grid: Grid) -> Answers:
    if data["resultType"] != "matrix":
        raise ValueError(data["resultType"])
    answers = Answers()
    start, step = grid.start / SECOND, grid.step / SECOND
    for item in data["result"]:
        labels: Labels = tuple(sorted((str(name), str(value)) for name, value in item["metric"].items()))
        samples = []
        for moment, value in item["values"]:
            index = round((float(moment) - start) / step)
            # A Loki that aligns ranges may answer a step more than it was asked for.
            if 0 <= index < grid.count:
                samples.append((index, _number(value)))
        if samples:
            answers.add(labels, samples)
    return answers


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return parse_float(text)


def _found_lines(data: Mapping[str, Any]) -> Iterator[FoundLine]:
    for item in data["result"]:
        labels = {str(name): str(value) for name, value in item["stream"].items()}
        for entry in item["values"]:
            extra = entry[2] if len(entry) > 2 and isinstance(entry[2], dict) else {}
            metadata = extra.get("structuredMetadata") or {}
            yield FoundLine(int(entry[0]), str(entry[1]), labels, dict(metadata))
