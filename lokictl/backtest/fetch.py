"""Gets the answers to queries over a long time: cut into parts that no limit refuses, from the cache where known."""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from itertools import pairwise

from lokictl.backtest.cache import Cache
from lokictl.backtest.history import History, Progress, RangeRequest, no_progress
from lokictl.backtest.series import Answers, Grid, merged_gaps
from lokictl.durations import DAY, HOUR
from lokictl.logql import ast, parse
from lokictl.records import dataclass

POINTS = 10_000
"""Steps of one request; Loki refuses more than 11,000."""
SETTLED = HOUR
"""Lines may arrive late: what is younger than this is asked again each time."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query and the grid on which its answers are wanted."""

    text: str
    grid: Grid

    @property
    def lookback(self) -> int:
        """How far before a step its lines begin (ns)."""
        return lookback(self.text)


def lookback(text: str) -> int:
    """How far before an evaluation the lines begin that a query reads (ns)."""
    return max((found.range + found.offset for found in log_ranges(parse(text))), default=0)


def log_ranges(expression: ast.Expr) -> Iterator[ast.LogRange]:
    """Every range of log lines that an expression reads."""
    return expression.find_all(ast.LogRange)


@dataclass
class Fetch:
    """Answers of one history, by query and grid; keeps what it has fetched."""

    history: History
    cache: Cache = field(default_factory=lambda: Cache(None))
    now: int = field(default_factory=clock.time_ns)
    found: dict[Query, Answers] = field(default_factory=dict)

    def missing(self, queries: Iterable[Query]) -> list[RangeRequest]:
        """The requests that would have to be asked."""
        wanted = [query for query in dict.fromkeys(queries) if query not in self.found]
        requests = dict.fromkeys(request for query in wanted for request in cut(query, self.now))
        return [request for request in requests if not self.cache.has(request)]

    def fetch(self, queries: Iterable[Query], progress: Progress = no_progress) -> None:
        """Gets the answers to all queries that are not there yet.  Raises `BackendError`."""
        wanted = [query for query in dict.fromkeys(queries) if query not in self.found]
        parts: dict[RangeRequest, Answers] = {}
        open_requests: list[RangeRequest] = []
        for query in wanted:
            for request in cut(query, self.now):
                known = self.cache.answers(request)
                if known is not None:
                    parts[request] = known
                elif request not in parts:
                    open_requests.append(request)
        if open_requests:
            for answer in self.history.answer(list(dict.fromkeys(open_requests)), progress):
                parts[answer.request] = answer.answers
                if answer.complete and answer.request.grid.end <= self.now - SETTLED:
                    self.cache.keep(answer.request, answer.answers)
        for query in wanted:
            self.found[query] = joined(query.grid, [(one, parts[one]) for one in cut(query, self.now)])

    def answers(self, text: str, grid: Grid) -> Answers:
        """The answers to a query that was fetched."""
        return self.found[Query(text, grid)]


def part_length(step: int) -> int:
    """How long one request is (ns): days, or a part of a day for short steps, but never more than `POINTS` steps."""
    length = DAY
    for divisor in (2, 4, 8, 24, 48, 96, 288, 1440):
        if length // step <= POINTS:
            return length
        length = DAY // divisor
    return max(step * POINTS, step)


def cut(query: Query, now: int) -> list[RangeRequest]:
    """The requests for one query: cut at whole days (UTC), whatever the range, and at the last settled hour."""
    grid, length = query.grid, part_length(query.grid.step)
    if not grid.count:
        return []
    settled = (now - SETTLED) // HOUR * HOUR
    bounds = {grid.start, grid.end + 1}
    bounds.update(range((grid.start // length + 1) * length, grid.end + 1, length))
    if grid.start < settled <= grid.end:
        bounds.add(settled)
    edges = sorted(bounds)
    reach = query.lookback
    parts = [Grid.between(low, high - 1, grid.step) for low, high in pairwise(edges)]
    return [RangeRequest(query.text, part, reach) for part in parts if part.count]


def joined(grid: Grid, parts: Sequence[tuple[RangeRequest, Answers]]) -> Answers:
    """The answers on the whole grid, made of those of its parts."""
    whole = Answers()
    for request, answers in parts:
        whole.extend(answers.shifted((request.grid.start - grid.start) // grid.step))
    whole.gaps = merged_gaps(whole)
    return whole
