"""Plans and their outcomes, as text for people and as data for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lokictl.sync.apply import Applied
from lokictl.sync.configuration import Target
from lokictl.sync.plan import WRITES, Action, Change, Kind, Outcome, Plan, Status

SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.REPLACE: "~",
    Action.DELETE: "-",
    Action.CONFLICT: "!",
    Action.PULL: "<",
    Action.SKIP: "!",
    Action.KEEP: "?",
    Action.UNCHANGED: "=",
}
NAMES = {
    Kind.FOLDER: "folder",
    Kind.DATA_SOURCE: "data source",
    Kind.LIBRARY_PANEL: "library panel",
    Kind.DASHBOARD: "dashboard",
    Kind.TEMPLATE: "message template",
    Kind.CONTACT_POINT: "contact point",
    Kind.MUTE_TIMING: "mute timing",
    Kind.ALERT_GROUP: "alert group",
    Kind.POLICY: "notification policy",
    Kind.RULE_GROUP: "rule group",
    Kind.RECORD: "record",
}
MOST_DIFFERENCES = 40


def plan_lines(plan: Plan, *, verbose: bool = False) -> Iterator[str]:
    """The plan as people read it; with ``verbose`` also what is unchanged, and every difference."""
    for change in plan.changes:
        if change.action is Action.UNCHANGED and not verbose:
            continue
        yield head_line(change)
        if change.action is Action.CONFLICT and change.differences:
            yield "    (- on the server, + in the project)"
        yield from _difference_lines(change, verbose)
    for warning in plan.warnings:
        yield f"warning: {warning}"


def problem_lines(plan: Plan) -> Iterator[str]:
    """What is wrong in a plan: conflicts, what cannot be read, warnings."""
    for change in plan.changes:
        if change.action is Action.CONFLICT or change.unreadable:
            yield head_line(change)
    for warning in plan.warnings:
        yield f"warning: {warning}"


def legend(plan: Plan) -> Iterator[str]:
    """What the words mean that do not explain themselves, where they occur."""
    if plan.of(Action.KEEP) and plan.of(Action.SKIP):
        yield "(kept: not in the project, left on the server; skipped: in the project, not uploaded)"


def _difference_lines(change: Change, verbose: bool) -> Iterator[str]:
    lines = [f"    {line}" for found in change.differences for line in found.lines()]
    if len(lines) > MOST_DIFFERENCES and not verbose:
        yield from lines[:MOST_DIFFERENCES]
        yield f"    … {len(lines) - MOST_DIFFERENCES} more lines (--verbose shows all)"
        return
    yield from lines


def head_line(change: Change) -> str:
    """``~ dashboard "Errors" (errors): update``."""
    reason = f": {change.reason}" if change.reason else ""
    return f"{SIGNS[change.action]} {name_of(change)}: {change.action.value}{reason}"


def name_of(change: Change) -> str:
    """The resource as text: its kind, its title where it has one, and what tells it apart."""
    key = change.key
    kind = NAMES[key.kind]
    if key.kind is Kind.RULE_GROUP:
        tenant = f" (tenant {key.tenant})" if key.tenant else ""
        return f"{kind} {key.namespace}/{key.name}{tenant}"
    if key.kind is Kind.ALERT_GROUP:
        return str(key)
    if change.title and change.title != key.name:
        return f'{kind} "{change.title}" ({key.name})'
    return f"{kind} {key.name}"


def summary_line(plan: Plan) -> str:
    """``2 to create, 1 to update, 30 unchanged``."""
    words = {
        "create": "to create",
        "update": "to update",
        "replace": "to replace",
        "delete": "to delete",
        "conflict": "in conflict",
        "pull": "to pull",
        "skip": "skipped",
        "keep": "kept",
        "unchanged": "unchanged",
    }
    counts = plan.count()
    parts = [f"{counts[action]} {text}" for action, text in words.items() if counts[action]]
    if plan.of(*WRITES) and not any(counts[action.value] for action in WRITES):
        parts.insert(0, "lokictl's record to bring up to date")
    return f"{plan.target}: {', '.join(parts) or 'nothing to do'}"


def outcome_line(outcome: Outcome, number: int, total: int) -> str:
    """One line per result: ``[3/12] updated dashboard "Errors" (errors)``."""
    done = {
        Action.CREATE: "created",
        Action.UPDATE: "updated",
        Action.REPLACE: "replaced",
        Action.DELETE: "deleted",
    }
    words = {
        Status.DONE: done.get(outcome.change.action, "done"),
        Status.FAILED: f"FAILED to {outcome.change.action.value}",
        Status.UNKNOWN: f"UNCERTAIN: {outcome.change.action.value}",
        Status.NOT_DONE: f"not done: {outcome.change.action.value}",
    }
    message = f": {outcome.message}" if outcome.message else ""
    return f"[{number}/{total}] {words[outcome.status]} {name_of(outcome.change)}{message}"


def result_lines(applied: Applied, again: str, undo: str) -> Iterator[str]:
    """How the application ended; after a failure also which commands finish or undo it."""
    done = len(applied.of(Status.DONE))
    if applied.complete:
        yield f"done: {done} {'change' if done == 1 else 'changes'}"
        return
    failed, unknown = len(applied.of(Status.FAILED)), len(applied.of(Status.UNKNOWN))
    parts = [
        f"{done} done",
        *([f"{failed} failed"] if failed else []),
        *([f"{unknown} uncertain"] if unknown else []),
        f"{len(applied.of(Status.NOT_DONE))} not done",
    ]
    yield f"{'interrupted' if applied.interrupted else 'not finished'}: {', '.join(parts)}"
    if applied.record_problem and done == len(applied.outcomes):
        yield f"everything matches the project, but {applied.record_problem}"
    elif applied.record_problem:
        yield applied.record_problem
    if applied.can_be_finished:
        yield f"to finish it: {again}"
    if done or unknown:
        yield f"to undo it:   {undo}"


def plan_data(plan: Plan) -> dict[str, Any]:
    """The plan as JSON data."""
    return {
        "target": plan.target,
        "pending": plan.pending,
        "summary": plan.count(),
        "changes": [change_data(change) for change in plan.changes],
        "warnings": list(plan.warnings),
    }


def change_data(change: Change) -> dict[str, Any]:
    """One change as JSON data."""
    data: dict[str, Any] = {"kind": change.key.kind.value, "name": change.key.name}
    if change.key.kind is Kind.RULE_GROUP:
        data |= {"namespace": change.key.namespace, "tenant": change.key.tenant}
    data |= {"title": change.title, "action": change.action.value}
    if change.reason:
        data["reason"] = change.reason
    if change.differences:
        data["differences"] = [
            {"where": found.where, "before": found.before, "after": found.after}
            for found in change.differences
        ]
    return data


def applied_data(applied: Applied) -> dict[str, Any]:
    """The outcomes as JSON data."""
    return {
        "complete": applied.complete,
        "interrupted": applied.interrupted,
        "outcomes": [
            {
                **change_data(outcome.change),
                "status": outcome.status.value,
                **({"message": outcome.message} if outcome.message else {}),
            }
            for outcome in applied.outcomes
        ],
        **({"record": applied.record_problem} if applied.record_problem else {}),
    }


def redacted(lines: Iterable[str], target: Target) -> Iterator[str]:
    """The lines without what can only be a secret of the target."""
    return (target.redactor.content(line) for line in lines)
