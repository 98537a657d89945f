"""A backtest as plain data.  Times are RFC 3339, durations seconds."""

from __future__ import annotations

import math
from typing import Any

from lokictl.backtest.comparison import Comparison
from lokictl.backtest.incidents import Score
from lokictl.backtest.outputs.report import Report
from lokictl.backtest.results import Episode, Headroom, RuleHistory, StateStretch
from lokictl.backtest.sweep import Setting, Sweep
from lokictl.durations import SECOND
from lokictl.model.rules import AlertingRule
from lokictl.model.times import format_time


def as_json(report: Report) -> dict[str, Any]:
    """The whole report."""
    backtest = report.backtest
    found: dict[str, Any] = {
        "start": format_time(backtest.start),
        "end": format_time(backtest.end),
        "source": backtest.source,
        "partial": backtest.is_partial,
        "warnings": backtest.warnings,
        "pages": backtest.pages,
        "requests": backtest.requests,
        "from_cache": backtest.from_cache,
        "bytes_read": backtest.bytes,
        "seconds": round(backtest.seconds, 3),
        "alerts": [_alert(history, report) for history in backtest.alerts],
        "recordings": [_recording(history) for history in backtest.recordings],
    }
    if report.score is not None:
        found["incidents"] = score_json(report.score)
    if report.comparison is not None:
        found["comparison"] = comparison_json(report.comparison)
    if report.sweep is not None:
        found["sweep"] = sweep_json(report.sweep)
    if report.conditions:
        found["conditions"] = [
            {"condition": one.text, "value": value(one.value), "failed": one.failed}
            for one in report.conditions
        ]
    return found


def value(number: float | None) -> float | str | None:
    """A number as JSON has it; NaN and infinities as text."""
    if number is None or math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"


def seconds(duration: int) -> float:
    """A duration (ns) in seconds."""
    return duration / SECOND


def _common(history: RuleHistory) -> dict[str, Any]:
    return {
        "group": history.group.name,
        "expr": history.rule.expr,
        "interval": seconds(history.grid.step),
        "bytes_per_evaluation": history.bytes_per_evaluation,
        "refusal": history.refusal,
        "partial": history.is_partial,
        "failures": [
            {
                "first": format_time(one.first),
                "last": format_time(one.last),
                "count": one.count,
                "message": one.message,
            }
            for one in history.failures
        ],
        "not_judged": [
            {"start": format_time(one.start), "end": format_time(one.end), "reason": one.reason}
            for one in history.missing
        ],
        "no_data": [[format_time(first), format_time(last)] for first, last in history.no_data],
        "notes": history.notes,
    }


def _alert(history: RuleHistory, report: Report) -> dict[str, Any]:
    assert isinstance(history.rule, AlertingRule)
    return {
        "alert": history.name,
        **_common(history),
        "for": seconds(history.rule.for_),
        "pages": len(history.pages),
        "pages_per_week": round(history.pages_per_week, 3),
        "firing_seconds": seconds(history.time_firing),
        "longest_seconds": seconds(history.longest),
        "median_seconds": seconds(history.median),
        "episodes": [_episode(history, one, report) for one in history.episodes],
        "near_misses": [
            {
                "labels": dict(one.labels),
                "start": format_time(one.start),
                "held_seconds": seconds(one.held),
                "missing_seconds": seconds(one.missing),
            }
            for one in history.near_misses
        ],
        "headroom": [_headroom(one) for one in history.headroom],
        **({"states": [_state(one) for one in history.states]} if history.states else {}),
    }


def _state(stretch: StateStretch) -> dict[str, Any]:
    return {
        "labels": dict(stretch.labels),
        "state": stretch.state,
        "start": format_time(stretch.start),
        "end": format_time(stretch.end),
    }


def _episode(history: RuleHistory, episode: Episode, report: Report) -> dict[str, Any]:
    found: dict[str, Any] = {
        "labels": dict(episode.labels),
        "annotations": dict(episode.annotations),
        "active_at": format_time(episode.active_at),
        "fired_at": format_time(episode.fired_at),
        "resolved_at": None if episode.resolved_at is None else format_time(episode.resolved_at),
        "seconds": seconds(episode.end(history.end) - episode.fired_at),
        "value": value(episode.value),
        "peak": value(episode.peak),
    }
    lines = report.lines.get(id(episode))
    if lines:
        found["lines"] = [
            {"time": format_time(one.timestamp), "labels": dict(one.labels), "line": one.line}
            for one in lines
        ]
    if id(episode) in report.links:
        found["explore"] = report.links[id(episode)]
    return found


def _headroom(headroom: Headroom) -> dict[str, Any]:
    return {
        "comparison": str(headroom.comparison),
        "operator": headroom.operator,
        "threshold": value(headroom.threshold),
        "worst": value(headroom.worst),
        "p99": value(headroom.p99),
        "typical": value(headroom.typical),
    }


def _recording(history: RuleHistory) -> dict[str, Any]:
    return {
        "record": history.name,
        **_common(history),
        "samples": history.samples,
        "series": history.series,
    }


def score_json(score: Score) -> dict[str, Any]:
    """How alerts did on incidents."""
    caught = {id(one.incident): one for one in score.caught}
    return {
        "precision": score.precision,
        "recall": score.recall,
        "time_to_detect_seconds": None if score.time_to_detect is None else seconds(score.time_to_detect),
        "pages": score.pages,
        "other_pages": score.other_pages,
        "incidents": [
            {
                "name": one.name,
                "start": format_time(one.start),
                "end": format_time(one.end),
                "caught_by": caught[id(one)].alert if id(one) in caught else None,
                "after_seconds": seconds(caught[id(one)].after) if id(one) in caught else None,
            }
            for one in score.incidents
        ],
        "alerts": [
            {
                "alert": rule.history.name,
                "caught": [
                    {"incident": one.incident.name, "after_seconds": seconds(one.after)}
                    for one in rule.caught
                ],
                "missed": [one.name for one in rule.missed],
                "pages": rule.pages,
                "other_pages": [format_time(one.fired_at) for one in rule.other_pages],
            }
            for rule in score.rules
        ],
    }


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """What differs between two sets of rules."""

    def brief(episode: Episode) -> dict[str, Any]:
        return {"labels": dict(episode.labels), "fired_at": format_time(episode.fired_at)}

    return {
        "with": comparison.label,
        "pages_before": comparison.before.pages,
        "pages_now": comparison.after.pages,
        **{kind: comparison.count(kind) for kind in ("added", "removed", "earlier", "later", "same")},
        "alerts": [
            {
                "alert": one.name,
                "pages_before": None if one.before is None else len(one.before.pages),
                "pages_now": None if one.after is None else len(one.after.pages),
                "added": [brief(episode) for episode in one.added],
                "removed": [brief(episode) for episode in one.removed],
                "earlier": [
                    {**brief(new), "seconds": seconds(old.fired_at - new.fired_at)}
                    for old, new in one.earlier
                ],
                "later": [
                    {**brief(new), "seconds": seconds(new.fired_at - old.fired_at)} for old, new in one.later
                ],
            }
            for one in comparison.changed
        ],
    }


def sweep_json(sweep: Sweep) -> dict[str, Any]:
    """What other settings would do."""
    return {
        "axes": [{"name": axis.name, "values": list(axis.texts)} for axis in sweep.axes],
        "skipped": sweep.skipped,
        "alerts": [
            {
                "alert": alert.rule.name,
                "settings": [_setting(one, [axis.name for axis in sweep.axes]) for one in alert.settings],
                "best": list(alert.best.texts) if alert.best is not None else None,
            }
            for alert in sweep.alerts
        ],
    }


def _setting(setting: Setting, names: list[str]) -> dict[str, Any]:
    history = setting.history
    found: dict[str, Any] = {
        **dict(zip(names, setting.texts, strict=True)),
        "pages": len(history.pages),
        "pages_per_week": round(history.pages_per_week, 3),
        "firing_seconds": seconds(history.time_firing),
        "near_misses": len(history.near_misses),
        "current": setting.is_current,
    }
    if setting.score is not None:
        found["caught"] = len(setting.score.caught)
        found["incidents"] = len(setting.score.incidents)
        found["other_pages"] = setting.score.other_pages
    return found
