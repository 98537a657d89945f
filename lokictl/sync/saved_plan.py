"""Plans in files: made and looked at now, applied later, and only if they still hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.model.files import write_text
from lokictl.model.json_text import json_text
from lokictl.records import dataclass
from lokictl.secrets import fingerprint, matches_fingerprint
from lokictl.sync.configuration import Target
from lokictl.sync.errors import SyncError
from lokictl.sync.plan import Change, Key, Plan
from lokictl.sync.planner import OnConflict, Options, forms
from lokictl.sync.report import head_line, plan_data

FORMAT = 1
KEYS = ("format", "target", "project", "options", "changes")


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan that was read; ``changes`` has by resource what was to be done with what."""

    path: Path
    target: str
    project: str
    options: Options
    only: str
    names: tuple[str, ...]
    changes: Mapping[str, Mapping[str, Any]]


def save_plan(path: Path, target: Target, plan: Plan, options: Options) -> None:
    """Writes a plan with all that is needed to see later whether it still holds; no secret is in it."""
    data = {
        "format": FORMAT,
        "target": target.name,
        "project": target.project,
        "options": {
            "prune": options.prune,
            "allow_empty": options.allow_empty,
            "on_conflict": options.on_conflict.value,
            "only": target.only,
            "names": [name.text for name in target.selection.names],
        },
        "changes": {change.key.text: _state(change, fresh=True) for change in plan.writes},
        "plan": target.redactor.content_data(plan_data(plan)),
    }
    try:
        write_text(path, json_text(data) + "\n")
    except OSError as error:
        message = f"cannot write the plan: {error.strerror or error}"
        raise SyncError(Problem("sync/plan", message, position=Position(str(path)))) from None


def read_plan(path: Path) -> SavedPlan:
    """Reads what `save_plan` wrote.  Raises `LokictlError`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in KEYS if key not in data]
        if missing or data["format"] != FORMAT:
            raise ValueError("not a plan of this version of lokictl")
        options = data["options"]
        chosen = Options(options["prune"], options["allow_empty"], OnConflict(options["on_conflict"]))
        names = tuple(str(name) for name in options["names"])
        return SavedPlan(
            path, data["target"], data["project"], chosen, options["only"], names, dict(data["changes"])
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"cannot read the plan: {reason}"
        raise LokictlError(Problem("sync/plan", message, position=Position(str(path)))) from None


def check_plan(saved: SavedPlan, target: Target, plan: Plan) -> None:
    """Raises `SyncError` where ``plan``, made now, is not the saved one."""
    if (saved.target, saved.project) != (target.name, target.project):
        message = f'the plan is for target "{saved.target}" of project "{saved.project}"'
        raise SyncError(Problem("sync/plan", message, position=Position(str(saved.path))))
    lines = list(_deviations(saved, plan))
    if lines:
        problems = [Problem("sync/plan", line, position=Position(str(saved.path))) for line in lines]
        problems[-1] = Problem(
            "sync/plan",
            lines[-1],
            position=Position(str(saved.path)),
            hint="the plan is out of date; nothing applied; create a new one with --out",
        )
        raise SyncError(problems)


def _deviations(saved: SavedPlan, plan: Plan) -> Iterator[str]:
    now = {change.key.text: change for change in plan.writes}
    for text, state in saved.changes.items():
        change = now.get(text)
        if change is None:
            yield f"{Key.from_text(text)}: was to {state['action']}, and is not now"
        elif not _is_same(state, change):
            what = "on the server" if _state(change)["before"] != state["before"] else "in the project"
            yield f"{change.key}: was changed {what} since the plan was made"
    for text, change in now.items():
        if text not in saved.changes:
            yield f"not in the plan: {head_line(change)}"


def _state(change: Change, *, fresh: bool = False) -> dict[str, Any]:
    before, after = forms(change)
    state: dict[str, Any] = {"action": change.action.value, "before": before, "after": after}
    if change.replaced is not None:
        state["replaces"] = change.replaced.text
    if fresh and change.desired is not None and change.desired.secrets:
        state["secrets"] = fingerprint(change.desired.secrets)
    return state


def _is_same(state: Mapping[str, Any], change: Change) -> bool:
    plain = {key: value for key, value in state.items() if key != "secrets"}
    if plain != _state(change):
        return False
    secrets = change.desired.secrets if change.desired is not None else {}
    mark = str(state.get("secrets") or "")
    return matches_fingerprint(secrets, mark) if secrets or mark else True
