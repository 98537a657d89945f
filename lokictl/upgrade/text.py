"""The report of an upgrade, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from os.path import normpath
from typing import Any

from lokictl.logql.versions import Behavior, LokiVersion
from lokictl.upgrade.changes import Change, Kind, Place, name_of
from lokictl.upgrade.examples import example_answers, example_of
from lokictl.upgrade.report import Report

SHOWN_PLACES = 12
FEW_PLACES = 1
"""Places that are shown of a change that concerns nearly every query."""


def as_text(report: Report, *, everything: bool = False) -> str:
    """The report for people; ``everything`` lists also what changes whatever the files hold."""
    lines: list[str] = []
    for kind in Kind:
        found = [change for change in report.changes if change.kind == kind]
        if found:
            lines.append(f"{kind} ({len(found)})")
            for change in found:
                lines += _change_lines(change, report)
            lines.append("")
    if report.everywhere and not everything:
        count = _plural(len(report.everywhere), "change")
        lines += [
            f"and {count} in how Loki takes lines in and answers, whatever you ask (--all lists them)",
            "",
        ]
    elif report.everywhere:
        lines.append("whatever you ask (not counted)")
        for change in report.everywhere:
            lines.append(f"  {change.message}")
            lines.append(f"    before: {_lower(change.before)}")
        lines.append("")
    return "\n".join([*lines, _verdict(report)])


def _verdict(report: Report) -> str:
    counted = [change for change in report.changes if change.kind not in (Kind.UNREAD, Kind.BROKEN)]
    old, new = name_of(report.old, report.new), name_of(report.new, report.old)
    looked = [
        _plural(count, one, many)
        for count, one, many in (
            (report.queries, "query", "queries"),
            (report.tests, "rule test", "rule tests"),
            (report.configurations, "Loki configuration", "Loki configurations"),
        )
        if count
    ]
    if not looked:
        return "found no queries, no rule tests and no configuration of a Loki"
    if report.changes_something:
        verdict = f"{_plural(len(counted), 'change')} from Loki {old} to {new}"
    else:
        verdict = "nothing changes" + ("" if report.is_complete else " in what could be read")
        verdict += f" from Loki {old} to {new}"
        if counted:
            verdict += f"; {_plural(len(counted), 'note')}"
    return f"{verdict} (looked at {', '.join(looked)})"


def _plural(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _lower(text: str) -> str:
    return text if text.startswith("`") else text[:1].lower() + text[1:]


def _change_lines(change: Change, report: Report) -> Iterator[str]:
    yield f"  {change.message}"
    if change.before:
        yield f"    before: {_lower(change.before)}"
    if change.hint:
        yield f"    {change.hint}"
    if change.behavior is not None:
        yield from _example_lines(change.behavior, (report.old, report.new))
    few = change.kind == Kind.LINES
    for place in change.places[: FEW_PLACES if few else SHOWN_PLACES]:
        yield f"    {_where(place)}"
        if place.note:
            yield f"      {place.note}"
    more = len(change.places) - (FEW_PLACES if few else SHOWN_PLACES)
    if more > 0:
        what = _plural(more, "more query", "more queries") if few else f"{more} more"
        yield f"    and {what}" + (": their lines decide" if few else "")


def _where(place: Place) -> str:
    position = replace(place.position, file=normpath(place.position.file))
    return str(position) + (f"  {place.item}" if place.item else "")


def _example_lines(behavior: Behavior, versions: tuple[LokiVersion, LokiVersion]) -> Iterator[str]:
    example = example_of(behavior)
    if example is None:
        return
    yield f"    for example {example.query}" + (" at the time of the last line" if not example.later else "")
    for index, line in enumerate(example.lines):
        metadata = ", ".join(f"{name}={value}" for name, value in example.metadata_of(index).items())
        yield f"      line: {line}" + (f"   (structured metadata: {metadata})" if metadata else "")
    for version, other in (versions, versions[::-1]):
        yield f"      {name_of(version, other)} answers: {example_answers(behavior, version)}"


# --- programs --------------------------------------------------------------------------------------------------------


def as_json(report: Report) -> dict[str, Any]:
    """The report for programs."""
    return {
        "from": str(report.old),
        "to": str(report.new),
        "changed": report.changes_something,
        "queries": report.queries,
        "tests": report.tests,
        "configurations": report.configurations,
        "changes": [_change_json(change, report) for change in report.changes],
        "everywhere": [_change_json(change, report) for change in report.everywhere],
        "problems": [
            {"name": problem.name, "message": problem.message, **_position(problem.position)}
            for problem in report.problems
        ],
    }


def _change_json(change: Change, report: Report) -> dict[str, Any]:
    behavior = change.behavior
    shown: dict[str, Any] = {"kind": str(change.kind), "message": change.message}
    if change.before:
        shown["before"] = change.before
    if change.hint:
        shown["hint"] = change.hint
    if behavior is not None:
        shown["behavior"] = behavior.name
        example = example_of(behavior)
        if example is not None:
            shown["example"] = {
                "query": example.query,
                "lines": list(example.lines),
                "metadata": [example.metadata_of(index) for index in range(len(example.lines))],
                "answers": {
                    str(version): example_answers(behavior, version) for version in (report.old, report.new)
                },
            }
    shown["places"] = [
        {**_position(place.position), "item": place.item, **({"note": place.note} if place.note else {})}
        for place in change.places
    ]
    return shown


def _position(position: Any) -> dict[str, Any]:
    return {"file": normpath(position.file), "line": position.line, "column": position.column}


__all__ = ["as_json", "as_text"]
