"""Conditions that fail a run: ``pages>5``, ``removed>0``, ``recall<1``."""

from __future__ import annotations

from lokictl.backtest.comparison import Comparison
from lokictl.backtest.incidents import Score
from lokictl.backtest.results import Backtest
from lokictl.diagnostics import LokictlError, Problem, suggestion
from lokictl.durations import SECOND
from lokictl.lazy import lazy_pattern
from lokictl.logql.arithmetic import compare
from lokictl.logql.units import parse_prometheus_duration
from lokictl.records import dataclass

MEASURES = {
    "pages": "how often any alert fired",
    "pages_per_week": "the same, per week",
    "firing": "how long the alert that fired longest did (a duration)",
    "near_misses": "how often an alert was pending and did not fire",
    "failures": "evaluations that failed",
    "added": "episodes that --against did not have",
    "removed": "episodes that only --against had",
    "earlier": "episodes that fire earlier than with --against",
    "later": "episodes that fire later than with --against",
    "missed": "incidents that no alert told of",
    "other_pages": "pages that belong to no incident",
    "precision": "share of pages that belong to an incident",
    "recall": "share of incidents that an alert told of",
    "time_to_detect": "median time to the first alert (a duration)",
}
COMPARED = ("added", "removed", "earlier", "later")
SCORED = ("missed", "other_pages", "precision", "recall", "time_to_detect")
DURATIONS = ("firing", "time_to_detect")
_FORM = lazy_pattern(r"\s*(\w+)\s*(==|!=|>=|<=|>|<)\s*(\S+)\s*")


@dataclass
class Condition:
    """One condition; ``value`` is what was found (None: nothing to compare), ``failed`` whether it holds."""

    text: str
    measure: str
    operator: str
    limit: float
    value: float | None = None
    failed: bool = False


def parse_condition(text: str, *, with_comparison: bool, with_incidents: bool) -> Condition:
    """``pages>5``.  Raises `LokictlError`."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise _wrong(text, "write it as MEASURE>NUMBER: pages>5, removed>0, firing>1h")
    name, operator, limit = found.groups()
    if name not in MEASURES:
        raise _wrong(text, suggestion(name, MEASURES, f"measures: {', '.join(MEASURES)}"))
    if name in COMPARED and not with_comparison:
        raise _wrong(text, f"{name} needs --against")
    if name in SCORED and not with_incidents:
        raise _wrong(text, f"{name} needs --incidents")
    try:
        value = parse_prometheus_duration(limit) / SECOND if name in DURATIONS else _number(limit)
    except ValueError as error:
        raise _wrong(text, str(error)) from None
    return Condition(text.strip(), name, operator, value)


def _number(text: str) -> float:
    try:
        return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise ValueError(f'"{text}" is not a number') from None


def _wrong(text: str, hint: str) -> LokictlError:
    return LokictlError(Problem("backtest/fail-if", f'--fail-if "{text}" is not a condition', hint=hint))


def decide(
    condition: Condition, backtest: Backtest, comparison: Comparison | None, score: Score | None
) -> None:
    """Says whether a condition holds."""
    condition.value = _value(condition.measure, backtest, comparison, score)
    condition.failed = condition.value is not None and compare(
        condition.operator, condition.value, condition.limit
    )


def _value(name: str, backtest: Backtest, comparison: Comparison | None, score: Score | None) -> float | None:
    if name in COMPARED:
        return float(comparison.count(name)) if comparison is not None else None
    if name in SCORED:
        return _scored(name, score) if score is not None else None
    if name == "pages":
        return float(backtest.pages)
    if name == "pages_per_week":
        return backtest.pages / backtest.weeks if backtest.weeks else 0.0
    if name == "firing":
        return max((history.time_firing for history in backtest.alerts), default=0) / SECOND
    if name == "near_misses":
        return float(sum(len(history.near_misses) for history in backtest.alerts))
    return float(sum(history.failed_evaluations for history in backtest.histories))


def _scored(name: str, score: Score) -> float | None:
    if name == "missed":
        return float(len(score.missed))
    if name == "other_pages":
        return float(score.other_pages)
    if name == "precision":
        return score.precision
    if name == "recall":
        return score.recall
    return None if score.time_to_detect is None else score.time_to_detect / SECOND
