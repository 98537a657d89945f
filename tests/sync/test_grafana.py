"""What the Grafanas of today answer: versions of resources, namespaces, roles, folders."""

from __future__ import annotations

from typing import Any

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.sync.plan import Action, Kind
from lokictl.sync.session import SyncError
from tests.sync.test_sync import set_version
from tests.sync.world import World, actions, lines


@pytest.fixture
def many(world: World) -> World:
    """So many dashboards that they are listed, not read one by one; all with an old schemaVersion."""
    world.dashboards = {f"d{n}": {"title": f"D {n}", "schemaVersion": 36} for n in range(9)}
    world.sources = {}
    return world


SERVED = {
    "12": ["v1beta1", "v0alpha1", "v2alpha1", "v2beta1"],
    "12 without v0alpha1": ["v1beta1", "v2beta1"],
    "13": ["v1", "v1beta1", "v2"],
    "no dashboards": [],
}


@pytest.mark.parametrize("name", SERVED)
def test_an_old_schema_version_can_be_changed_and_deleted(many: World, name: str) -> None:
    many.grafana.served = SERVED[name]
    many.sync()
    assert not many.plan().pending
    many.dashboards["d3"]["title"] = "Other"
    assert actions(many.plan()) == {"dashboard d3": "update"}
    assert many.sync().complete
    assert not many.plan().pending
    del many.dashboards["d4"]
    assert many.sync(prune=True).complete
    assert "d4" not in many.grafana.dashboards


def test_the_change_is_shown_and_nothing_else(many: World) -> None:
    many.sync()
    many.dashboards["d3"]["title"] = "Other"
    assert lines(many.plan()) == ['~ dashboard "Other" (d3): update', "    ~ title: D 3 → Other"]


@pytest.mark.parametrize("namespace", ["stacks-1234", "org-2", "default"])
def test_the_namespace_is_the_one_that_grafana_names(many: World, namespace: str) -> None:
    many.grafana.namespace = namespace
    assert many.sync().complete
    assert not many.plan().pending


def test_a_token_of_another_organization_is_named(many: World) -> None:
    many.grafana.organization = 2
    many.tables["target"] = {"grafana": {"url": "http://grafana", "org": 1}}
    with pytest.raises(
        SyncError, match=r"belongs to another organization than org = 1 in \[targets.test.grafana\]"
    ):
        many.plan()


@pytest.mark.parametrize("role", ["Editor", "Viewer"])
def test_what_a_role_does_not_see_is_not_there(world: World, role: str) -> None:
    world.grafana.role = role
    assert set(actions(world.plan()).values()) == {"create"}


def test_an_editor_can_make_the_first_sync(world: World) -> None:
    world.grafana.role = "Editor"
    world.sources = {}
    assert world.sync().complete
    assert not world.plan().pending


# --- dashboards of the new schema ----------------------------------------------------------------------------

SPEC: dict[str, Any] = {
    "title": "By hand",
    "elements": {},
    "layout": {"kind": "TabsLayout", "spec": {"tabs": []}},
}


def store_as_v2(world: World, uid: str) -> None:
    found = world.grafana.dashboards[uid]
    found.schema, found.body = "v2beta1", {**SPEC, "uid": uid}
    found.version += 1
    found.by = "alice"


@pytest.mark.parametrize("count", [2, 9])
@pytest.mark.parametrize("served", ["v0alpha1", "v1beta1"])
def test_one_of_the_new_schema_is_one_conflict(world: World, count: int, served: str) -> None:
    world.grafana.served = [served, "v2beta1"]
    world.dashboards |= {f"d{n}": {"title": f"D {n}"} for n in range(count - 2)}
    world.sync()
    store_as_v2(world, "errors")
    plan = world.plan()
    assert actions(plan) == {"dashboard errors": "conflict"}
    assert lines(plan)[1:4] == [
        "    (- on the server, + in the project)",
        "    ~ title: By hand → Errors",
        "    ~ schema: v2beta1 → classic",
    ]
    world.dashboards["load"]["title"] = "Other"
    assert world.sync(on_conflict="skip").complete
    assert world.grafana.dashboards["load"].body["title"] == "Other"


@pytest.mark.parametrize("count", [2, 9])
def test_what_cannot_be_read_is_skipped(world: World, count: int) -> None:
    """A Grafana that stores a dashboard in a version that it does not serve."""
    world.dashboards |= {f"d{n}": {"title": f"D {n}"} for n in range(count - 2)}
    world.sync()
    store_as_v2(world, "errors")
    world.grafana.served = ["v0alpha1"]
    plan = world.plan()
    assert actions(plan) == {"dashboard errors": "skip"}
    assert [str(change.key) for change in plan.unreadable] == ["dashboard errors"]
    world.dashboards["load"]["title"] = "Other"
    world.sync()
    assert world.grafana.dashboards["load"].body["title"] == "Other"
    with pytest.raises(SyncError, match="dashboard errors"):
        world.plan(strict=True)


def panel(title: str) -> dict[str, Any]:
    target = {"refId": "A", "expr": '{job="x"}', "datasource": {"type": "loki", "uid": "loki"}}
    place = {"x": 0, "y": 0, "w": 12, "h": 8}
    return {"id": 1, "type": "logs", "title": title, "gridPos": place, "targets": [target]}


@pytest.mark.parametrize("served", [["v0alpha1", "v2beta1"], ["v1", "v2beta1", "v2"]])
def test_a_target_of_schema_v2(world: World, served: list[str]) -> None:
    world.grafana.served = served
    world.dashboards = {"errors": {"title": "Errors", "schemaVersion": 42, "panels": [panel("Lines")]}}
    world.sync()
    world.tables["target"] = {"schema": "v2"}
    assert lines(world.plan()) == [
        '~ dashboard "Errors" (errors): update',
        "    ~ schema: classic → v2",
    ]
    assert world.sync().complete
    assert world.grafana.dashboards["errors"].schema == served[-1]
    assert "panel-1" in world.grafana.dashboards["errors"].body["elements"]
    assert not world.plan().pending
    world.dashboards["errors"]["panels"] = [panel("Log lines")]
    assert lines(world.plan())[1:] == ['    ~ panel "Log lines" (panel-1) › title: Lines → Log lines']
    assert world.sync().complete
    world.rollback()
    spec = world.grafana.dashboards["errors"].body["elements"]["panel-1"]["spec"]
    assert spec["title"] == "Lines"
    world.tables.pop("target")
    world.dashboards["errors"]["panels"] = [panel("Lines")]
    assert world.sync().complete
    assert world.grafana.dashboards["errors"].schema == ""
    assert not world.plan().pending


def test_schema_v2_on_a_grafana_that_does_not_serve_it(world: World) -> None:
    world.tables["target"] = {"schema": "v2"}
    set_version(world, "11.2.0")
    with pytest.raises(SyncError, match=r"Grafana 11.2.0 does not serve it"):
        world.plan()
    world.tables["target"] = {"schema": "v3"}
    with pytest.raises(LokictlError, match='must be "v1" or "v2"'):
        world.plan()


# --- folders -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["General", "general", "GENERAL"])
def test_general_is_the_root(world: World, title: str) -> None:
    world.tables["target"] = {"folder": title}
    assert world.sync().complete
    assert not world.grafana.folders
    assert {dashboard.folder for dashboard in world.grafana.dashboards.values()} == {""}
    assert not world.plan(prune=True).pending


def test_another_title_renames_the_folder(world: World) -> None:
    world.sync()
    world.tables["target"] = {"folder": "Shop two"}
    assert lines(world.plan()) == ['~ folder "Shop two" (shop): update', "    ~ title: shop → Shop two"]
    assert world.sync(prune=True).complete
    assert {uid: folder.title for uid, folder in world.grafana.folders.items()} == {"shop": "Shop two"}
    assert not world.plan(prune=True).pending


def test_another_folder_uid_moves_everything(world: World) -> None:
    world.sync()
    world.tables["target"] = {"folder": {"uid": "second", "title": "Second"}}
    assert world.sync(prune=True).complete
    assert set(world.grafana.folders) == {"second"}
    assert {dashboard.folder for dashboard in world.grafana.dashboards.values()} == {"second"}
    assert not world.plan(prune=True).pending


def test_from_a_folder_to_the_root_and_back(world: World) -> None:
    world.sync()
    world.tables["target"] = {"folder": "General"}
    assert world.sync(prune=True).complete
    assert not world.grafana.folders
    world.tables.pop("target")
    assert world.sync(prune=True).complete
    assert not world.plan(prune=True).pending
    assert {dashboard.folder for dashboard in world.grafana.dashboards.values()} == {"shop"}


def test_a_folder_that_was_renamed_by_hand_stops_nothing_for_ever(world: World) -> None:
    world.sync()
    world.grafana.folders["shop"].title = "By hand"
    world.grafana.folders["shop"].version += 1
    assert actions(world.plan()) == {"folder shop": "conflict"}
    world.dashboards.pop("load")
    assert world.sync(prune=True, on_conflict="skip").complete
    assert "load" not in world.grafana.dashboards
    assert world.sync(prune=True, on_conflict="overwrite").complete
    assert not world.plan().pending


def test_a_folder_that_cannot_be_read_is_skipped_with_the_reason(world: World) -> None:
    world.grafana_server.choose = lambda request: ""
    world.sync()
    handle = world.grafana.handle

    def refuse(request: Any) -> Any:
        from tests.sync.fakes.http import json_answer

        if request.path == "/api/datasources/uid/loki":
            return json_answer(403, {"message": "Permissions needed: datasources:read"})
        return handle(request)

    world.grafana.handle = refuse  # type: ignore[method-assign]
    plan = world.plan()
    (change,) = plan.unreadable
    assert (change.action, change.key.kind) == (Action.SKIP, Kind.DATA_SOURCE)
    assert "datasources:read" in change.reason
    del world.grafana.handle
    assert not world.plan().pending


def test_grafana_checks_dashboards_before_anything_is_written(world: World) -> None:
    world.grafana.refused.add("errors")
    session = world.session(read_only=True)
    plan = session.plan()
    with pytest.raises(SyncError, match=r"dashboard errors: POST .*: 400: Dashboard refresh interval"):
        session.validate(plan)
    assert not world.grafana.dashboards
    world.grafana.refused.clear()
    session.validate(plan)
    assert not world.grafana.dashboards
    assert not session.notes
    set_version(world, "11.2.0")
    session = world.session(read_only=True)
    session.validate(session.plan())
    assert "cannot check dashboards" in session.notes[0]
