"""Rolling back: exactly what was there, whatever it looked like."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.model import DataSource
from lokictl.sync.backup import backup_names, read_backup
from tests.sync.world import TENANT, World, actions, alert, rule_group


def secret_source(value: str) -> DataSource:
    return DataSource(
        name="Loki",
        type="loki",
        uid="loki",
        url="http://loki:3100",
        json_data={"httpHeaderName1": "X-Scope-OrgID"},
        secure_json_data={"httpHeaderValue1": "$__env{TENANT}"},
        environment={"TENANT": value},
    )


@pytest.mark.parametrize("then", ["checkout", "payments", ""], ids=["same", "rotated", "gone"])
def test_what_equals_a_secret_comes_back_as_it_was(world: World, then: str) -> None:
    world.sources = {"loki": secret_source("checkout")}
    world.dashboards["errors"]["title"] = "Errors of checkout"
    world.groups["own"][0]["rules"][0]["annotations"] = {"summary": "checkout fails"}
    world.sync()
    world.dashboards["errors"]["title"] = "Failures of checkout"
    world.groups["own"][0]["rules"][0]["annotations"] = {"summary": "it fails"}
    world.sync()
    world.sources = {"loki": secret_source(then)}
    _, applied = world.rollback()
    assert applied is not None
    assert applied.complete
    assert world.grafana.dashboards["errors"].body["title"] == "Errors of checkout"
    rules = world.ruler.rules[TENANT]["own"]["g"]["rules"]
    assert rules[0]["annotations"] == {"summary": "checkout fails"}


def test_a_backup_that_an_older_lokictl_has_damaged_is_refused(world: World) -> None:
    world.sync()
    world.dashboards["errors"]["title"] = "Other"
    world.sync()
    backup = read_backup(world.root, "")
    (file,) = (backup.path / "dashboard").glob("*.json")
    data = json.loads(file.read_text())
    data["body"]["title"] = "Errors of <lokictl secret env:TENANT>"
    file.write_text(json.dumps(data))
    world.forget_requests()
    with pytest.raises(LokictlError, match="no exact copy of dashboard errors"):
        world.rollback()
    assert not world.requests(writes=True)


def state(world: World) -> dict[str, Any]:
    found: dict[str, Any] = {
        uid: (d.body, d.folder) for uid, d in world.grafana.dashboards.items() if uid != "lokictl-shop"
    }
    found |= {f"source {uid}": {**source.body} for uid, source in world.grafana.data_sources.items()}
    found |= {f"rules {name}": groups for name, groups in world.ruler.rules.get(TENANT, {}).items() if groups}
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def steps(world: World) -> list[Any]:
    """Edits of a project, one per run."""

    def retitle(title: str) -> None:
        world.dashboards["errors"]["title"] = title

    def add() -> None:
        world.dashboards["new"] = {"title": "New"}
        world.groups["own-b"] = [rule_group("h", alert("H"))]

    def change_rule() -> None:
        world.groups["own"][0]["rules"][1]["expr"] = "vector(5)"

    def remove() -> None:
        world.dashboards.pop("load")
        world.groups.pop("own-b")

    def rename_source() -> None:
        world.sources = {"loki2": dataclasses.replace(world.sources["loki"], uid="loki2")}

    return [lambda: retitle("Second"), add, change_rule, remove, rename_source, lambda: retitle("Third")]


@pytest.mark.parametrize("back", range(1, 7))
def test_back_to_the_state_before_a_time(world: World, back: int) -> None:
    """All later runs are undone with it, also where several have changed the same resource."""
    world.sync()
    states = [state(world)]
    for step in steps(world):
        step()
        assert world.sync(prune=True).complete
        states.append(state(world))
    name = backup_names(world.root)[back - 1]
    plan, applied = world.rollback(name)
    assert applied is not None
    assert "conflict" not in actions(plan).values()
    assert applied.complete
    assert state(world) == states[-1 - back]
    _, applied = world.rollback()
    assert applied is not None
    assert applied.complete
    assert state(world) == states[-1]


def test_what_was_edited_since_is_a_conflict(world: World) -> None:
    world.sync()
    for title in ("Second", "Third"):
        world.dashboards["errors"]["title"] = title
        world.sync()
    world.grafana.edit_dashboard("errors", title="By hand")
    plan, _ = world.rollback(backup_names(world.root)[1])
    assert actions(plan) == {"dashboard errors": "conflict"}
    assert world.grafana.dashboards["errors"].body["title"] == "By hand"


def test_a_folder_that_was_deleted_since_comes_back(world: World) -> None:
    world.tables["sync"] = {"folders": {"extra": {"title": "Extra", "dashboards": ["load"]}}}
    world.sync()
    world.dashboards["load"]["title"] = "Second"
    world.sync()
    world.grafana._delete_folder("extra")
    plan, applied = world.rollback()
    assert actions(plan) == {"folder extra": "create", "dashboard load": "create"}
    assert applied is not None
    assert applied.complete
    assert world.grafana.folders["extra"].title == "Extra"
    assert world.grafana.dashboards["load"].body["title"] == "Load"
