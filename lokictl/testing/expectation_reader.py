"""Reads what a test expects: alerts, recorded samples, answers of queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lokictl.diagnostics import Problem, suggestion
from lokictl.model.documents import Cursor
from lokictl.model.yaml_source import Path, YamlDocument
from lokictl.testing.model import (
    AlertExpectation,
    ExpectedAlert,
    ExpectedLog,
    ExpectedSample,
    QueryExpectation,
    RecordingExpectation,
)
from lokictl.testing.reader import Reader, ReadError

ALERT_KEYS = (
    "eval_time",
    "alertname",
    "exp_alerts",
    "exp_state",
    "fires_within",
    "resolves_within",
    "exp_error",
)
EXPECTED_ALERT_KEYS = ("exp_labels", "exp_annotations", "exp_labels_include", "exp_annotations_include")
RECORDING_KEYS = ("eval_time", "record", "exp_samples", "exp_error")
QUERY_KEYS = (
    "expr",
    "eval_time",
    "start",
    "end",
    "step",
    "limit",
    "direction",
    "exp_samples",
    "exp_logs",
    "exp_error",
)
SAMPLE_KEYS = ("labels", "value", "values")
LOG_KEYS = ("line", "labels", "at")
STATES = ("inactive", "pending", "firing")
DIRECTIONS = ("forward", "backward")
MAX_STEPS = 11_000
"""Loki answers no range query with more points in a series."""


class ExpectationReader(Reader):
    """Reads the expectations of a test that begins at ``start`` (ns)."""

    def __init__(self, document: YamlDocument, problems: list[Problem], start: int, interval: int) -> None:
        super().__init__(document, problems)
        self.start, self.interval = start, interval

    # --- alerts ------------------------------------------------------------------------------------------

    def alerts(self, value: Any, path: Path) -> Iterator[AlertExpectation]:
        for index, item in enumerate(self.list_of(value, path)):
            place = (*path, index)
            if self.mapping(item, place, "an alert test", ALERT_KEYS):
                try:
                    yield self.alert(item, place)
                except ReadError:
                    continue

    def alert(self, value: dict[str, Any], path: Path) -> AlertExpectation:
        name = self.required(value, "alertname", path)
        within = value.get("fires_within") is not None or value.get("resolves_within") is not None
        times = self.times(value, path, default=within)
        nothing = not any(key in value for key in ALERT_KEYS[2:])
        alerts = None
        # As in promtool, an entry that names no alerts expects none.
        if "exp_alerts" in value or nothing:
            alerts = tuple(self.expected_alerts(value.get("exp_alerts"), (*path, "exp_alerts")))
        return AlertExpectation(
            name,
            times,
            alerts,
            self.choice(value.get("exp_state"), (*path, "exp_state"), STATES),
            self.duration(value.get("fires_within"), (*path, "fires_within")),
            self.duration(value.get("resolves_within"), (*path, "resolves_within")),
            self.text(value.get("exp_error"), (*path, "exp_error")),
            Cursor(self.document, path),
        )

    def expected_alerts(self, value: Any, path: Path) -> Iterator[ExpectedAlert]:
        for index, item in enumerate(self.list_of(value, path)):
            place = (*path, index)
            if item is None:
                yield ExpectedAlert({})
            elif self.mapping(item, place, "an expected alert", EXPECTED_ALERT_KEYS):
                labels, some_labels = self._expected(item, place, "exp_labels")
                (labels or {}).pop("alertname", None)
                annotations, some_annotations = self._expected(item, place, "exp_annotations")
                yield ExpectedAlert(labels or {}, annotations, some_labels, some_annotations)

    def _expected(self, item: dict[str, Any], path: Path, key: str) -> tuple[dict[str, str] | None, bool]:
        """(labels or annotations, whether these are only some of them); None where neither key is there."""
        some = f"{key}_include"
        if key in item and some in item:
            hint = f"`{key}` is all of them, `{some}` those that must be among them"
            self.problem(f"`{key}` and `{some}` exclude each other", (*path, some), hint=hint)
        if some in item:
            return self.labels(item[some], (*path, some)), True
        return (self.labels(item[key], (*path, key)), False) if key in item else (None, False)

    # --- recorded samples --------------------------------------------------------------------------------

    def recordings(self, value: Any, path: Path) -> Iterator[RecordingExpectation]:
        for index, item in enumerate(self.list_of(value, path)):
            place = (*path, index)
            if not self.mapping(item, place, "a recording rule test", RECORDING_KEYS):
                continue
            try:
                yield RecordingExpectation(
                    self.required(item, "record", place),
                    self.times(item, place),
                    tuple(self.samples(item.get("exp_samples"), (*place, "exp_samples"), 1)),
                    self.text(item.get("exp_error"), (*place, "exp_error")),
                    Cursor(self.document, place),
                )
            except ReadError:
                continue

    def samples(self, value: Any, path: Path, count: int) -> Iterator[ExpectedSample]:
        """Expected samples; ``count`` is how many values a series has (1: an instant)."""
        for index, item in enumerate(self.list_of(value, path)):
            place = (*path, index)
            if not self.mapping(item, place, "an expected sample", SAMPLE_KEYS):
                continue
            labels = self.labels(item.get("labels"), (*place, "labels"))
            if "values" in item:
                values = tuple(self.values(item["values"], (*place, "values")))
                if len(values) > count:
                    self.problem(f"the query has {count} steps, not {len(values)}", (*place, "values"))
                yield ExpectedSample(labels, values + (None,) * (count - len(values)))
            elif "value" in item:
                yield ExpectedSample(labels, (self.number(item["value"], (*place, "value")),) * count)
            else:
                self.problem("an expected sample needs `value` (or `values`, one per step)", place)

    def values(self, value: Any, path: Path) -> Iterator[float | None]:
        items = value.split() if isinstance(value, str) else self.list_of(value, path)
        for index, item in enumerate(items):
            gap = item is None or item == "_"
            place = path if isinstance(value, str) else (*path, index)
            yield None if gap else self.number(item, place)

    # --- queries -----------------------------------------------------------------------------------------

    def queries(self, value: Any, path: Path) -> Iterator[QueryExpectation]:
        for index, item in enumerate(self.list_of(value, path)):
            place = (*path, index)
            if self.mapping(item, place, "a query test", QUERY_KEYS):
                try:
                    yield self.query(item, place)
                except ReadError:
                    continue

    def query(self, value: dict[str, Any], path: Path) -> QueryExpectation:
        expr = self.required(value, "expr", path)
        logs = self.logs(value, path)
        is_range = logs is not None or any(key in value for key in ("start", "end", "step"))
        if is_range and "eval_time" in value and any(key in value for key in ("start", "end", "step")):
            self.problem("`eval_time` asks for an instant, `start`, `end` and `step` for a range", path)
        times: tuple[int, ...] = ()
        start = end = step = 0
        if is_range:
            start, end = self._span(value, path)
            step = self.duration(value.get("step"), (*path, "step")) or self.interval or 1
        else:
            times = self.times(value, path)
        count = (end - start) // step + 1 if is_range else 1
        if count > MAX_STEPS and logs is None:
            hint = "ask for a shorter range or a longer `step`"
            self.problem(f"the range has {count:,} steps; Loki answers {MAX_STEPS:,}", path, hint=hint)
            raise ReadError
        samples = None
        if "exp_samples" in value or not any(key in value for key in ("exp_logs", "exp_error")):
            samples = tuple(self.samples(value.get("exp_samples"), (*path, "exp_samples"), count))
        return QueryExpectation(
            expr,
            times=times,
            start=start,
            end=end,
            step=step,
            limit=self.integer(value.get("limit"), (*path, "limit"), 1000),
            direction=self.choice(value.get("direction"), (*path, "direction"), DIRECTIONS) or "forward",
            samples=samples,
            logs=logs,
            error=self.text(value["exp_error"], (*path, "exp_error")) if "exp_error" in value else None,
            place=Cursor(self.document, path),
        )

    def _span(self, value: dict[str, Any], path: Path) -> tuple[int, int]:
        start = self.start
        if value.get("start") is not None:
            start = self.time(value["start"], (*path, "start"), self.start)
        key = "end" if value.get("end") is not None else "eval_time"
        if value.get(key) is None:
            self.problem("a range needs `end`", path, hint="end: 10m")
            raise ReadError
        end = self.time(value[key], (*path, key), self.start)
        if end < start:
            self.problem("the range ends before it starts", (*path, key))
            raise ReadError
        return start, end

    def logs(self, value: dict[str, Any], path: Path) -> tuple[ExpectedLog, ...] | None:
        if "exp_logs" not in value:
            return None
        found: list[ExpectedLog] = []
        for index, item in enumerate(self.list_of(value["exp_logs"], (*path, "exp_logs"))):
            place = (*path, "exp_logs", index)
            if isinstance(item, str):
                found.append(ExpectedLog(item))
            elif self.mapping(item, place, "an expected line", LOG_KEYS):
                at = item.get("at")
                found.append(
                    ExpectedLog(
                        self.required(item, "line", place),
                        self.labels(item["labels"], (*place, "labels")) if "labels" in item else None,
                        self.time(at, (*place, "at"), self.start) if at is not None else None,
                    )
                )
        return tuple(found)

    # --- what they share ---------------------------------------------------------------------------------

    def required(self, value: dict[str, Any], key: str, path: Path) -> str:
        text = self.text(value.get(key), (*path, key))
        if not text:
            self.problem(f"`{key}` is missing", path)
            raise ReadError
        return text

    def times(self, value: dict[str, Any], path: Path, *, default: bool = False) -> tuple[int, ...]:
        """``eval_time``: one point in time, or a list; with ``default`` the start where it is missing."""
        found = value.get("eval_time")
        place = (*path, "eval_time")
        if found is None:
            if not default:
                self.problem("`eval_time` is missing", path, hint="eval_time: 5m, or [5m, 10m]")
                raise ReadError
            return (self.start,)
        if isinstance(found, list):
            times = tuple(self.time(item, (*place, index), self.start) for index, item in enumerate(found))
        else:
            times = (self.time(found, place, self.start),)
        if not times or min(times) < self.start:
            self.problem(
                "`eval_time` lies before the start of the test" if times else "`eval_time` is empty", place
            )
            raise ReadError
        return times

    def choice(self, value: Any, path: Path, known: tuple[str, ...]) -> str:
        if value is None:
            return ""
        text = self.text(value, path)
        if text not in known:
            hint = suggestion(text, known, f"one of {', '.join(known)}")
            self.problem(f"`{path[-1]}` cannot be {text!r}", path, hint=hint)
            return ""
        return text
