"""Everything that a change of Loki's version does to files, and how that is shown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lokictl.diagnostics import Position
from lokictl.lint.loading import load_paths
from lokictl.lint.runner import files_workspace
from lokictl.logql.versions import LokiVersion
from lokictl.upgrade.changes import Change, Kind, Place, changes_in_queries
from lokictl.upgrade.configuration import changes_in_configuration
from lokictl.upgrade.examples import example_answers

SHOWN_PLACES = 12


@dataclass(slots=True)
class Report:
    """The changes between two versions, and what was looked at."""

    old: LokiVersion
    new: LokiVersion
    changes: list[Change] = field(default_factory=list)
    queries: int = 0
    tests: int = 0

    @property
    def changes_something(self) -> bool:
        """Whether anything is refused, removed or answered differently."""
        return any(change.kind not in (Kind.DEPRECATED, Kind.NEW) for change in self.changes)


def upgrade(paths: Iterable[str], old: LokiVersion, new: LokiVersion, *, run_tests: bool = True) -> Report:
    """Reads files and folders and says what changes in them.  Raises `LokictlError` for paths that do not exist."""
    paths = list(paths)
    workspace = files_workspace(load_paths(paths))
    files = list(_files(paths))
    report = Report(old, new, queries=len(workspace.rule_and_panel_queries))
    report.changes += changes_in_queries(workspace.rule_and_panel_queries, old, new)
    report.changes += changes_in_configuration(files, old, new)
    tests = [file for file in files if file.name.endswith(("_test.yaml", "_test.yml"))]
    report.tests = len(tests)
    if run_tests and tests:
        report.changes += _changes_in_tests(tests, old, new)
    return report


def _files(paths: Iterable[str]) -> Iterable[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(
                file
                for file in path.rglob("*.y*ml")
                if not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
        elif path.is_file():
            yield path


# --- tests -----------------------------------------------------------------------------------------------------------


def _changes_in_tests(files: list[Path], old: LokiVersion, new: LokiVersion) -> list[Change]:
    before, after = _outcomes(files, old), _outcomes(files, new)
    changes = []
    for (file, name), passed in after.items():
        was = before.get((file, name))
        if was is None or was == passed:
            continue
        words = {True: "passes", False: "fails"}
        message = f"the test {words[was]} on Loki {old.minor_text} and {words[passed]} on {new.minor_text}"
        changes.append(Change(Kind.TEST, message, places=[Place(Position(file), item=name)]))
    return changes


def _outcomes(files: list[Path], version: LokiVersion) -> dict[tuple[str, str], bool]:
    """(file, name of the test) -> whether it passes."""
    command = [sys.executable, "-m", "lokictl", "test", "--format", "json", "--loki-version", str(version)]
    ran = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)
    try:
        found = json.loads(ran.stdout)
    except ValueError:
        return {}
    return {
        (str(item.get("file", "")), str(item.get("name", ""))): item.get("outcome") == "passed"
        for item in found.get("tests", [])
    }


# --- text ------------------------------------------------------------------------------------------------------------


def as_text(report: Report) -> str:
    """The report for people."""
    old, new = report.old.minor_text, report.new.minor_text
    lines: list[str] = []
    for kind in Kind:
        found = [change for change in report.changes if change.kind == kind]
        if not found:
            continue
        lines.append(f"{kind} ({len(found)})")
        for change in found:
            lines += _change_lines(change, report)
        lines.append("")
    looked = f"{report.queries} queries" + (f", {report.tests} test files" if report.tests else "")
    count = len(report.changes)
    verdict = f"{count} change{'s' if count != 1 else ''}" if count else "nothing changes"
    verdict += f" from Loki {old} to {new}"
    return "\n".join([*lines, f"{verdict} ({looked})"])


def _change_lines(change: Change, report: Report) -> list[str]:
    lines = [f"  {change.message}"]
    if change.before:
        lines.append(f"    Loki {report.old.minor_text}: {change.before}")
    behavior = change.behavior
    if behavior is not None and behavior.example is not None:
        shown = " / ".join(behavior.example.lines)
        metadata = "".join(f" {name}={value}" for name, value in behavior.example.metadata)
        lines.append(
            f"    for example {behavior.example.query} over: {shown}"
            + (f" (metadata{metadata})" if metadata else "")
        )
        for version in (report.old, report.new):
            lines.append(f"      {version.minor_text}: {example_answers(behavior, version)}")
    for place in change.places[:SHOWN_PLACES]:
        where = (
            f"{place.position.file}:{place.position.line}:{place.position.column}"
            if place.position.line
            else place.position.file
        )
        lines.append(f"    {where}" + (f"  {place.item}" if place.item else ""))
    if len(change.places) > SHOWN_PLACES:
        lines.append(f"    and {len(change.places) - SHOWN_PLACES} more")
    return lines


def as_json(report: Report) -> dict[str, Any]:
    """The report for programs."""
    return {
        "from": str(report.old),
        "to": str(report.new),
        "queries": report.queries,
        "tests": report.tests,
        "changes": [_change_json(change, report) for change in report.changes],
    }


def _change_json(change: Change, report: Report) -> dict[str, Any]:
    behavior = change.behavior
    shown: dict[str, Any] = {"kind": str(change.kind), "message": change.message}
    if change.before:
        shown["before"] = change.before
    if behavior is not None:
        shown["behavior"] = behavior.name
        if behavior.example is not None:
            shown["example"] = {
                "query": behavior.example.query,
                "lines": list(behavior.example.lines),
                "answers": {
                    str(version): example_answers(behavior, version) for version in (report.old, report.new)
                },
            }
    shown["places"] = [
        {
            "file": place.position.file,
            "line": place.position.line,
            "column": place.position.column,
            "item": place.item,
        }
        for place in change.places
    ]
    return shown


__all__ = ["Report", "as_json", "as_text", "upgrade"]
