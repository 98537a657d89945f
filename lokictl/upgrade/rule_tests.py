"""Rule tests under two versions of Loki: which ones pass on one only, or see other alerts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lokictl.diagnostics import Position, Problem
from lokictl.logql.versions import LokiVersion, targeting
from lokictl.project import Project
from lokictl.records import dataclass
from lokictl.testing.outcome import Observation, TestResult
from lokictl.testing.runner import discover, run_tests
from lokictl.upgrade.changes import Change, Kind, Place, name_of


@dataclass(frozen=True, slots=True)
class Comparison:
    """The changes that tests show, how many ran, and what could not be read."""

    changes: tuple[Change, ...] = ()
    tests: int = 0
    problems: tuple[Problem, ...] = ()


def compare_tests(
    files: Sequence[Path], old: LokiVersion, new: LokiVersion, *, project: Project | None = None
) -> Comparison:
    """Runs the tests of files (or of a project) on the embedded engine under both versions."""
    if not files and project is None:
        return Comparison()
    before, _ = _run(files, old, project)
    after, problems = _run(files, new, project)
    changes: dict[str, Change] = {}
    for key, result in after.items():
        was = before.get(key)
        message = _difference(was, result, old, new) if was is not None else ""
        if was is not None and message:
            change = changes.setdefault(message, Change(Kind.TEST, message))
            change.places.append(_place(was, result))
    return Comparison(tuple(changes.values()), len(after), tuple(problems))


def _run(
    files: Sequence[Path], version: LokiVersion, project: Project | None
) -> tuple[dict[tuple[str, str], TestResult], list[Problem]]:
    """(file, name of the test) -> its result; and the files that could not be read."""
    with targeting(version):
        report = run_tests(discover(files, project=project))
    return {(result.file.path, result.test.name): result for result in report.results}, report.problems


def _difference(before: TestResult, after: TestResult, old: LokiVersion, new: LokiVersion) -> str:
    if before.passed != after.passed:
        words = {True: "passes", False: "fails"}
        return (
            f"the test {words[before.passed]} on Loki {name_of(old, new)} and {words[after.passed]} on "
            f"{name_of(new, old)}"
        )
    if _seen(before) == _seen(after):
        return ""
    how = "passes" if after.passed else "fails"
    return f"the test {how} on both, but sees other alerts or values"


def _seen(result: TestResult) -> list[tuple[int, str, str, str]]:
    """What every expectation of a test found, and what it said."""
    return [(item.time, item.state, repr(item.actual), _said(item)) for item in result.observations]


def _said(observation: Observation) -> str:
    return observation.failure.message if observation.failure is not None else ""


def _place(before: TestResult, after: TestResult) -> Place:
    """Where the first failure is, or else the test."""
    failure = next(iter(after.failures or before.failures), None)
    if failure is not None:
        position = failure.position if failure.position.file else Position(after.file.path)
        return Place(position, failure.source_line, after.test.name, note=failure.message)
    one, other = next(
        (pair for pair in zip(before.observations, after.observations, strict=False) if pair[0] != pair[1]),
        (None, None),
    )
    note = f"{one.actual}  →  {other.actual}" if one is not None and other is not None else ""
    return Place(Position(after.file.path), item=after.test.name, note=note)


__all__ = ["Comparison", "compare_tests"]
