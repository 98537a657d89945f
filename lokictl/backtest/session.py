"""Runs rules over a history: what should be asked, the guard on its cost, the answers, the evaluations."""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field

from lokictl.backtest.cache import Cache
from lokictl.backtest.evaluation import Settings, evaluate_rule, shared_lead
from lokictl.backtest.fetch import Fetch, Query, log_ranges
from lokictl.backtest.history import FoundLine, History, LinesRequest, Progress, RangeRequest, no_progress
from lokictl.backtest.managed import evaluate_managed
from lokictl.backtest.plan import queries
from lokictl.backtest.results import Backtest, Missing, RuleHistory
from lokictl.backtest.series import Grid
from lokictl.diagnostics import LokictlError, Problem
from lokictl.durations import DAY, SECOND
from lokictl.logql import LogQLError, ast, parse
from lokictl.logql.units import format_bytes, format_prometheus_duration
from lokictl.model.rules import Rule, RuleGroup
from lokictl.model.times import format_time
from lokictl.records import dataclass
from lokictl.ruler.groups import never_runs

TOO_MANY_SERIES = "maximum number of series"


@dataclass
class Session:
    """One history, one range of time, and everything that was learnt of it.

    ``home`` is who evaluates the rules, "loki" (its ruler) or "grafana". ``start`` and ``end`` are what was asked
    for (ns); `open` narrows them to where there are logs. ``max_bytes`` is how much a run may have to read (0: any
    amount).
    """

    history: History
    start: int
    end: int
    settings: Settings = field(default_factory=Settings)
    cache: Cache = field(default_factory=lambda: Cache(None))
    max_bytes: int = 0
    progress: Progress = no_progress
    now: int = field(default_factory=clock.time_ns)
    warnings: list[str] = field(default_factory=list)
    lead: int = 0
    first_log: int | None = None
    asked_start: int = 0
    missing_reason: str = ""
    home: str = "loki"

    def __post_init__(self) -> None:
        self.cache.identity = self.history.identity
        self.fetch = Fetch(self.history, self.cache, self.now)
        self.asked_start = self.start
        self._began = clock.monotonic()
        self._volumes: dict[str, int | None] = {}
        self._presence: dict[tuple[str, int, int], bool | None] = {}
        self._whole: set[str] = set()

    # --- running -----------------------------------------------------------------------------------------------

    def prepare(self, groups: Iterable[RuleGroup]) -> None:
        """Gets the answers that rules need, all at once.

        Raises `LokictlError` where that would read more than ``max_bytes``, and `BackendError` where the history
        cannot be used.
        """
        wanted = [query for group, rule in _rules(groups) for query in self.queries(group, rule)]
        self._guard(wanted)
        self.fetch.fetch(wanted, self.progress)
        again = [
            (group, rule)
            for group, rule in _rules(groups)
            if str(rule.expr) not in self._whole and self._has_too_many_series(group, rule)
        ]
        for _, rule in again:
            self._whole.add(rule.expr)
        if again:
            more = [query for group, rule in again for query in self.queries(group, rule)]
            self.fetch.fetch(more, self.progress)

    def run(self, groups: Sequence[RuleGroup], *, details: bool = True) -> Backtest:
        """The histories of all rules; gets the answers that are not there yet."""
        self.prepare(groups)
        backtest = Backtest(self.asked_start, self.end, self.history.description)
        for group, rule in _rules(groups):
            backtest.histories.append(self.evaluate(group, rule, details=details))
        backtest.warnings = list(self.warnings)
        backtest.requests, backtest.from_cache = self.history.requests, self.cache.hits
        backtest.bytes = self.history.bytes_read
        backtest.seconds = clock.monotonic() - self._began
        return backtest

    def evaluate(self, group: RuleGroup, rule: Rule, *, details: bool = True) -> RuleHistory:
        """The history of one rule whose answers are there."""
        grid = self.grid(group, rule)
        whole = rule.expr in self._whole
        found = evaluate_rule(
            group,
            rule,
            grid,
            lambda text: self.fetch.answers(text, grid),
            start=self.start,
            end=self.end,
            settings=self.settings,
            query=self.history.instant,
            details=details,
            whole=whole,
        )
        if self.home == "grafana":
            found = evaluate_managed(
                found, lambda text: self.fetch.answers(text, grid), self.settings, whole=whole
            )
        found.start = self.asked_start
        if self.start > self.asked_start:
            found.missing.insert(0, Missing(self.asked_start, self.start, self.missing_reason))
        if whole:
            found.notes.append(
                "too many series without its comparison: asked as it is, thresholds cannot be varied"
            )
        if details and not found.refusal:
            found.bytes_per_evaluation = self._cost(rule)
            if self._has_no_logs(rule):
                found.no_data = [(self.start, self.end)]
                found.notes.append("no logs in this time have the labels that it selects")
        return found

    def grid(self, group: RuleGroup, rule: Rule) -> Grid:
        """The evaluations of a rule, with a lead in which alerts become active.

        What is absent cannot be told before the logs reach back far enough.
        """
        interval = group.interval or self.settings.evaluation_interval
        first = self.start - -(-self.lead // interval) * interval
        if self.first_log is not None:
            first = min(max(first, self.first_log), self.start)
            absent = (node.log_range.range for node in _absences(rule.expression))
            first = max(first, self.first_log + max(absent, default=0))
        return Grid.between(first, self.end, interval)

    def queries(self, group: RuleGroup, rule: Rule) -> list[Query]:
        """What a rule needs answers to."""
        if never_runs(rule):
            return []
        grid = self.grid(group, rule)
        return [Query(text, grid) for text in queries(rule.expression, whole=rule.expr in self._whole)]

    def _has_too_many_series(self, group: RuleGroup, rule: Rule) -> bool:
        for query in self.queries(group, rule):
            answers = self.fetch.found[query]
            if query.text != str(rule.expression) and any(
                TOO_MANY_SERIES in text for text in answers.failures.values()
            ):
                return True
        return False

    def lines(self, requests: Sequence[LinesRequest]) -> list[list[FoundLine]]:
        """The lines of each request, from the cache where they are known."""
        found = {request: self.cache.lines(request) for request in requests}
        unknown = [request for request in dict.fromkeys(requests) if found[request] is None]
        if unknown:
            self.progress("reading lines", 0, len(unknown))
            for request, lines in zip(unknown, self.history.lines(unknown), strict=True):
                found[request] = lines
                if request.end <= self.now - DAY // 24:
                    self.cache.keep_lines(request, lines)
            self.progress("reading lines", len(unknown), len(unknown))
        return [found[request] or [] for request in requests]

    # --- where there are logs ----------------------------------------------------------------------------------

    def open(self, groups: Sequence[RuleGroup]) -> None:
        """Narrows the time to where there are logs, and says so.

        Raises `LokictlError` if there are none at all.
        """
        self.history.prepare(self.cache.value, self.cache.keep_value)
        self.lead = shared_lead([rule for _, rule in _rules(groups)])
        extent = self._extent()
        if extent is not None:
            self._narrow(*extent)
            return
        selectors = _selectors(groups)
        found = [self.has_logs(selector) for selector in selectors]
        if not selectors or any(one is None for one in found):
            return
        if not any(found):
            shown = " or ".join(selectors[:3]) + (" …" if len(selectors) > 3 else "")
            raise no_logs(self.history.description, self.start, self.end, f"nothing matches {shown}")
        self._narrow_to_first_day([selector for selector, one in zip(selectors, found, strict=True) if one])

    def _extent(self) -> tuple[int, int] | None:
        return self.history.extent()

    def _narrow(self, first: int, last: int) -> None:
        if self.end < first or self.start > last:
            reason = f"the logs go from {format_time(first)} to {format_time(last)}"
            raise no_logs(self.history.description, self.start, self.end, reason)
        self.first_log = first
        if self.start < first - self.settings.evaluation_interval:
            self._begin_at(first, f"the logs begin at {format_time(first)}")
        if self.end > last + DAY // 24:
            self.warnings.append(f"the logs end at {format_time(last)}; nothing was written after that")

    def _narrow_to_first_day(self, selectors: Sequence[str]) -> None:
        day = self.start
        while day < self.end:
            until = min((day // DAY + 1) * DAY, self.end)
            if any(self.has_logs(selector, day, until) is not False for selector in selectors):
                break
            day = until
        if day > self.start:
            self.first_log = day
            self._begin_at(day, f"there are no logs before {format_time(day)} (retention?)")

    def begin_at(self, time: int, reason: str) -> None:
        """Leaves out what lies before ``time``."""
        if time > self.start:
            self.first_log = time
            self._begin_at(time, reason)

    def _begin_at(self, time: int, reason: str) -> None:
        self.start, self.missing_reason = time, reason
        self.warnings.append(f"{reason}: the time before is not judged")

    def has_logs(self, selector: str, start: int | None = None, end: int | None = None) -> bool | None:
        """Whether a stream selector has any lines in a range of time (default: the whole)."""
        first, last = self.start if start is None else start, self.end if end is None else end
        if self.volume(selector, first, last):
            return True
        key = (selector, first, last)
        if key not in self._presence:
            name = f"logs {selector} {first} {last}"
            known = self.cache.value(name) or self.history.has_logs(selector, first, last)
            self._presence[key] = known
            if known:
                self.cache.keep_value(name, True)
        return self._presence[key]

    # --- what it costs -----------------------------------------------------------------------------------------

    def volume(self, selector: str, start: int | None = None, end: int | None = None) -> int | None:
        """How many bytes a stream selector has in a range of time (default: the whole)."""
        first, last = self.start if start is None else start, self.end if end is None else end
        key = f"volume {selector} {first} {last}"
        if key not in self._volumes:
            known = self.cache.value(key)
            if known is None:
                known = self.history.volume(selector, first, last)
                # Zero may only mean that the lines are not in the index yet.
                if known and last <= self.now - DAY // 24:
                    self.cache.keep_value(key, known)
            self._volumes[key] = known
        return self._volumes[key]

    def _cost(self, rule: Rule) -> int | None:
        """Bytes that one evaluation of a rule reads, on average."""
        total = 0.0
        for node in log_ranges(rule.expression):
            volume = self.volume(str(node.log.selector))
            if volume is None:
                return None
            total += volume * node.range / max(self.end - self.start, 1)
        return round(total)

    def _has_no_logs(self, rule: Rule) -> bool:
        found = [self.has_logs(selector) for selector in _of_expression(rule.expression)]
        return bool(found) and all(one is False for one in found) and not any(_absences(rule.expression))

    def estimate(self, wanted: Iterable[Query]) -> int | None:
        """About how many bytes have to be read to answer what is not in the cache; None where not known."""
        total = 0.0
        for request in self.fetch.missing(wanted):
            part = _part(request, self.start, self.end)
            for selector in _selectors_of(request.query):
                volume = self.volume(selector)
                if volume is None:
                    return None
                total += volume * part
        return round(total)

    def _guard(self, wanted: Sequence[Query]) -> None:
        if not self.max_bytes:
            return
        bytes_ = self.estimate(wanted)
        if bytes_ is None:
            self.warnings.append("--max-bytes has no effect: the amount cannot be told beforehand")
        elif bytes_ > self.max_bytes:
            message = (
                f"the backtest would read about {format_bytes(bytes_)}; "
                f"{format_bytes(self.max_bytes)} are allowed (--max-bytes)"
            )
            hint = "shorten the range, name fewer alerts (--alert), or allow more"
            raise LokictlError(Problem("backtest/max-bytes", message, hint=hint))


def _part(request: RangeRequest, start: int, end: int) -> float:
    """Which part of the whole time a request reads."""
    length = request.grid.end - request.grid.start + request.lookback
    return length / max(end - start, 1)


def _rules(groups: Iterable[RuleGroup]) -> Iterator[tuple[RuleGroup, Rule]]:
    return ((group, rule) for group in groups for rule in group.rules)


def _selectors(groups: Iterable[RuleGroup]) -> list[str]:
    found: dict[str, None] = {}
    for _, rule in _rules(groups):
        try:
            found.update(dict.fromkeys(_of_expression(rule.expression)))
        except LogQLError:
            continue
    return list(found)


def _selectors_of(query: str) -> list[str]:
    return list(_of_expression(parse(query)))


def _of_expression(expression: ast.Expr) -> Iterator[str]:
    return (str(node) for node in expression.find_all(ast.StreamSelector))


def _absences(expression: ast.Expr) -> list[ast.RangeAggregation]:
    return [
        node for node in expression.find_all(ast.RangeAggregation) if node.operation == "absent_over_time"
    ]


def no_logs(where: str, start: int, end: int, reason: str) -> LokictlError:
    """There is nothing to run rules over."""
    message = f"no logs in {where} from {format_time(start)} to {format_time(end)}: {reason}"
    hint = "check the range (--since, --from, --to), the tenant, and the labels (-l NAME=VALUE for files)"
    return LokictlError(Problem("backtest/no-logs", message, hint=hint))


def span(duration: int) -> str:
    """A duration in whole seconds, as rules write it."""
    return format_prometheus_duration(duration // SECOND * SECOND) if duration >= SECOND else "0s"
