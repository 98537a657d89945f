"""Writes what really happened into test files as expectations, for review; comments and form stay.

Changes are as small as can be: a single value where only that differs, else a list.  Each is tried on its own: what
would leave a file that cannot be read (because the replaced text defines an anchor that others use) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import LokictlError
from lokictl.model.documents import Cursor
from lokictl.records import dataclass
from lokictl.testing.compare import logs_of, same_alerts, samples_of, since
from lokictl.testing.loading import parse_test_file
from lokictl.testing.model import (
    AlertExpectation,
    ExpectedAlert,
    QueryExpectation,
    RecordingExpectation,
    TestFile,
)
from lokictl.testing.outcome import Expectation, Observation, Report, TestResult
from lokictl.testing.yaml_edit import Replacement, YamlEditor

if TYPE_CHECKING:
    from lokictl.testing.execution import Answer

Samples = list[tuple[dict[str, str], tuple[float | None, ...]]]


@dataclass
class UpdatedFile:
    """A test file with new expectations: its text, how many changed, and what could not be changed."""

    path: str
    text: str
    changed: int = 0
    left: list[str] = field(default_factory=list)


def update(report: Report) -> list[UpdatedFile]:
    """The new content of all files with failures.  Nothing is written."""
    by_file: dict[str, list[TestResult]] = {}
    for result in report.failed:
        by_file.setdefault(result.file.path, []).append(result)
    return [_updated(path, results) for path, results in by_file.items()]


def write(files: list[UpdatedFile]) -> None:
    """Writes the files that changed, with the line ends that the files have."""
    for file in files:
        if file.changed:
            path = Path(file.path)
            newline = "\r\n" if b"\r\n" in path.read_bytes() else "\n"
            path.write_text(file.text, encoding="utf-8", newline=newline)


def _updated(path: str, results: list[TestResult]) -> UpdatedFile:
    file = results[0].file
    assert file.document is not None
    updated = UpdatedFile(path, file.document.source.text)
    editor = YamlEditor(file.document)
    changes: list[list[Replacement]] = []
    for result in results:
        for expectation, observations in _failed(result):
            found = _changes(editor, expectation, observations, result, updated)
            changes += [found] if found else []
    # From the end of the file on, so that the places of earlier changes stay right.
    for change in sorted(changes, key=lambda parts: parts[0].start, reverse=True):
        text = updated.text
        for part in sorted(change, key=lambda item: item.start, reverse=True):
            text = text[: part.start] + part.text + text[part.end :]
        if _is_readable(text, file):
            updated.text = text
            updated.changed += 1
        else:
            line = file.document.source.position(change[0].start).line
            updated.left.append(
                f"{path}:{line}: the text there is used elsewhere by an alias; change it by hand"
            )
    return updated


def _is_readable(text: str, file: TestFile) -> bool:
    try:
        parse_test_file(text, file.path)
    except LokictlError:
        return False
    return True


def _failed(result: TestResult) -> Iterator[tuple[Expectation, list[Observation]]]:
    found: dict[int, tuple[Expectation, list[Observation]]] = {}
    for observation in result.observations:
        key = id(observation.expectation)
        found.setdefault(key, (observation.expectation, []))[1].append(observation)
    for expectation, observations in found.values():
        if any(item.failure is not None for item in observations):
            yield expectation, observations


def _changes(
    editor: YamlEditor,
    expectation: Expectation,
    observations: list[Observation],
    result: TestResult,
    updated: UpdatedFile,
) -> list[Replacement]:
    place = expectation.place
    failure = next(item.failure for item in observations if item.failure is not None)
    by_hand = expectation.error or (
        isinstance(expectation, AlertExpectation)
        and (expectation.fires_within is not None or expectation.resolves_within is not None)
    )
    if place is None or by_hand or observations[0].actual is None:
        updated.left.append(f"{failure.position}: {failure.message}: change it by hand")
        return []
    groups = _groups(expectation, observations)
    changes = _entry(editor, place, expectation, groups[0][1])
    if len(groups) > 1:
        changes += _split(editor, place, expectation, groups, result)
    return changes


Value = tuple[str, Any]
"""The state (or ""), and the plain value of exp_alerts, exp_samples or exp_logs (None: not compared)."""


def _groups(expectation: Expectation, observations: list[Observation]) -> list[tuple[list[int], Value]]:
    """Runs of points in time with the same outcome."""
    groups: list[tuple[list[int], Value]] = []
    for observation in observations:
        value = _value(expectation, observation)
        if groups and groups[-1][1] == value:
            groups[-1][0].append(observation.time)
        else:
            groups.append(([observation.time], value))
    return groups


def _value(expectation: Expectation, observation: Observation) -> Value:
    if isinstance(expectation, AlertExpectation):
        state = observation.state if expectation.state else ""
        if expectation.alerts is None:
            return state, None
        if same_alerts(expectation.alerts, observation.actual) and any(
            alert.some_labels or alert.some_annotations for alert in expectation.alerts
        ):
            return state, [_written(alert) for alert in expectation.alerts]
        with_annotations = not expectation.alerts or any(
            alert.annotations is not None for alert in expectation.alerts
        )
        return state, [
            {"exp_labels": dict(labels), **({"exp_annotations": dict(notes)} if with_annotations else {})}
            for labels, notes in observation.actual
        ]
    if isinstance(expectation, RecordingExpectation):
        return "", _plain_samples(observation.actual)
    return "", _plain_answer(expectation, observation.actual)


def _written(alert: ExpectedAlert) -> dict[str, Any]:
    """An expected alert as it is in a file."""
    found: dict[str, Any] = {"exp_labels_include" if alert.some_labels else "exp_labels": dict(alert.labels)}
    if alert.annotations is not None:
        key = "exp_annotations_include" if alert.some_annotations else "exp_annotations"
        found[key] = dict(alert.annotations)
    return found


def _plain_answer(query: QueryExpectation, answer: Answer) -> Any:
    if answer.error:
        return None
    if query.logs is None:
        return _plain_samples(samples_of(answer), is_range=query.is_range)
    with_labels = any(item.labels is not None for item in query.logs)
    lines = logs_of(answer)
    return [{"line": line, "labels": labels} if with_labels else line for labels, _, line in lines]


def _plain_samples(samples: Samples, *, is_range: bool = False) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for labels, values in sorted(samples, key=lambda item: sorted(item[0].items())):
        if is_range:
            found.append({"labels": labels, "values": ["_" if item is None else item for item in values]})
        else:
            found.append({"labels": labels, "value": values[0]})
    return found


KEYS: dict[type, str] = {AlertExpectation: "exp_alerts", RecordingExpectation: "exp_samples"}


def _key(expectation: Expectation) -> str:
    if isinstance(expectation, QueryExpectation):
        return "exp_logs" if expectation.logs is not None else "exp_samples"
    return KEYS[type(expectation)]


def _entry(editor: YamlEditor, place: Cursor, expectation: Expectation, value: Value) -> list[Replacement]:
    """The changes of an entry, so that it says ``value``."""
    changes: list[Replacement] = []
    state, plain = value
    if state:
        changes += editor.set((*place.path, "exp_state"), state)
    if plain is not None:
        changes += editor.set((*place.path, _key(expectation)), plain)
    return changes


def _split(
    editor: YamlEditor,
    place: Cursor,
    expectation: Expectation,
    groups: list[tuple[list[int], Value]],
    result: TestResult,
) -> list[Replacement]:
    """Entries of their own for the points in time that differ from the first ones."""

    def times(group: list[int]) -> Any:
        shown = [since(result.test, time) for time in group]
        return shown[0] if len(shown) == 1 else shown

    entries = []
    for group, (state, plain) in groups[1:]:
        entry: dict[str, Any] = {"eval_time": times(group)}
        if isinstance(expectation, AlertExpectation):
            entry["alertname"] = expectation.alertname
        elif isinstance(expectation, RecordingExpectation):
            entry["record"] = expectation.record
        else:
            entry["expr"] = expectation.expr
        if state:
            entry["exp_state"] = state
        if plain is not None:
            entry[_key(expectation)] = plain
        entries.append(entry)
    changes = editor.set((*place.path, "eval_time"), times(groups[0][0]))
    return changes + editor.insert_after(place.path, entries)
