"""The embedded engine as a backend: no process, no network, no waiting."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict

from lokictl.backends.acceptance import check_stream
from lokictl.backends.interface import Backend, LogEntry, LogStream, QueryError, Result, storable
from lokictl.backends.repetition import Repetition, parts_of
from lokictl.durations import Duration, Time, epoch_nanoseconds
from lokictl.engine.errors import EngineError
from lokictl.engine.evaluator import Engine
from lokictl.engine.limits import Limits
from lokictl.engine.store import LogStore
from lokictl.logql.ast import Expr
from lokictl.logql.errors import LogQLError
from lokictl.logql.versions import LokiVersion

AT_ONCE = 256
"""So many planned instants are answered in one go: what is computed ahead stays small."""


class _Options(TypedDict):
    discover_service_name: bool
    discover_log_levels: bool
    version: LokiVersion | None


class EmbeddedBackend(Backend):
    """Runs queries in this process, as the Loki ``version`` (3.7 by default) does.

    Late lines are put into the store when a query first asks for their time or a later one; a query for an
    earlier time after that gets a store without them.
    """

    name = "embedded"

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        discover_service_name: bool = False,
        discover_log_levels: bool = False,
        version: LokiVersion | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._options: _Options = {
            "discover_service_name": discover_service_name,
            "discover_log_levels": discover_log_levels,
            "version": version,
        }
        self._punctual: list[LogStream] = []
        self._late: list[tuple[int, int, dict[str, str], LogEntry]] = []
        self._arrived = 0
        self._expected: dict[str, tuple[int, int]] = {}
        self._planned: dict[str, range] = {}
        self._answers: dict[str, tuple[int, dict[int, Result]]] = {}
        self._ready: dict[str, int] = {}
        self._engine = Engine(LogStore(**self._options), self._limits)

    def fresh(self, *, discover_service_name: bool = False, discover_log_levels: bool = False) -> Backend:
        """A backend with the same settings and no lines."""
        return EmbeddedBackend(limits=self._limits, **self._options)

    @property
    def store(self) -> LogStore:
        """The lines that the last query could see."""
        return self._engine.store

    def push(self, streams: Iterable[LogStream]) -> None:
        """Adds lines.  Raises `BackendError` for labels that Loki refuses."""
        for stream in streams:
            check_stream(stream)
            for part in parts_of(stream.entries):
                punctual = LogStream(stream.labels, self._without_late(stream.labels, part))
                if punctual.entries:
                    self._punctual.append(punctual)
                    self._put(punctual)
        if self._arrived and self._late:
            self._rebuild()
        self._late.sort(key=lambda item: item[:2])

    def _without_late(self, labels: Mapping[str, str], entries: Sequence[LogEntry]) -> Sequence[LogEntry]:
        """The lines that are in time; the late ones are noted."""
        if isinstance(entries, Repetition) and entries.is_regular:
            return entries
        late = [entry for entry in entries if _is_late(entry)]
        if not late:
            return entries
        for entry in late:
            self._late.append((entry.arrives_at or 0, len(self._late), dict(labels), entry))
        return [entry for entry in entries if not _is_late(entry)]

    def query(self, expression: Expr | str, *, time: Time) -> Result:
        """The answer of an instant query at ``time``.  Raises `QueryError`."""
        moment = epoch_nanoseconds(time)
        self._advance(moment)
        text = expression if isinstance(expression, str) else str(expression)
        if text in self._planned and not self._late:
            answer = self._planned_answer(text, moment)
            if answer is not None:
                return answer
        if text in self._expected:
            self._prepare(text)
        return _answer(lambda: self._engine.query(text, time=moment))

    def expect(self, expression: str, start: int, end: int, step: int = 0) -> None:
        """Reads the lines of this time once for all instants, and answers many that ``step`` names at once."""
        known = self._expected.get(expression, (start, end))
        self._expected[expression] = (min(start, known[0]), max(end, known[1]))
        self._ready.pop(expression, None)
        if step > 0 and start <= end:
            self._planned[expression] = range(start, end + 1, step)

    def _planned_answer(self, text: str, time: int) -> Result | None:
        """The answer at one of the planned instants, found with those that follow; None where one of them fails."""
        version, answers = self._answers.get(text, (-1, {}))
        if version == self._engine.store.version and time in answers:
            return answers.pop(time)
        planned = self._planned[text]
        if time not in planned:
            return None
        first = planned.index(time)
        times = list(planned[first : first + AT_ONCE])
        try:
            found = self._engine.compile(text).queries(times)
        except (LogQLError, EngineError):
            # Each one by itself says which fails, and how.
            del self._planned[text]
            return None
        answers = dict(zip(times, found, strict=True))
        self._answers[text] = (self._engine.store.version, answers)
        return answers.pop(time)

    def _prepare(self, text: str) -> None:
        version = self._engine.store.version
        if self._ready.get(text) == version:
            return
        self._ready[text] = version
        for time in self._expected[text]:
            with contextlib.suppress(LogQLError, EngineError):
                self._engine.query(text, time=time)

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
        """The answer of a range query, with the lines that have arrived by ``end``.  Raises `QueryError`."""
        self._advance(epoch_nanoseconds(end))
        return _answer(
            lambda: self._engine.query_range(
                expression, start=start, end=end, step=step, limit=limit, direction=direction
            )
        )

    def _advance(self, time: int) -> None:
        if not self._late:
            return
        if self._arrived and self._late[self._arrived - 1][0] > time:
            self._rebuild()
        while self._arrived < len(self._late) and self._late[self._arrived][0] <= time:
            _, _, labels, entry = self._late[self._arrived]
            self._put(LogStream(labels, (entry,)))
            self._arrived += 1

    def _rebuild(self) -> None:
        self._engine = Engine(LogStore(**self._options), self._limits)
        self._arrived = 0
        self._ready = {}
        for stream in self._punctual:
            self._put(stream)

    def _put(self, stream: LogStream) -> None:
        lines = stream.entries
        if isinstance(lines, Repetition) and lines.is_regular and isinstance(lines.metadata, Mapping):
            texts = lines.text.first(lines.total)
            if not all(map(str.isascii, texts)):
                texts = list(map(storable, texts))
            self._engine.store.push_regular(
                _storable(stream.labels), lines.times, texts, _storable(lines.metadata)
            )
            return
        entries: list[Any] = [
            entry
            if entry.line.isascii() and not entry.metadata
            else (entry.timestamp, storable(entry.line), _storable(entry.metadata))
            for entry in stream.entries
        ]
        self._engine.store.push(_storable(stream.labels), entries)


def _storable(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: storable(value) for name, value in labels.items()}


def _is_late(entry: LogEntry) -> bool:
    return entry.arrives_at is not None and entry.arrives_at > entry.timestamp


def _answer(run: Callable[[], Result]) -> Result:
    try:
        return run()
    except LogQLError as error:
        raise QueryError(str(error)) from None
    except EngineError as error:
        raise QueryError(str(error), status=error.status) from None
