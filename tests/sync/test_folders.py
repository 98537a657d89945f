"""Folders: by pattern, by name, by directory; nested, renamed, moved; with permissions where they are declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.sync.plan import Status
from tests.sync.test_sync import set_version
from tests.sync.world import World, actions, lines


def tree(world: World) -> dict[str, str]:
    """Every folder by uid, as the path of titles that leads to it."""
    folders = world.grafana.folders

    def path(uid: str) -> str:
        folder = folders[uid]
        return f"{path(folder.parent)}/{folder.title}" if folder.parent else folder.title

    return {uid: path(uid) for uid in folders}


def where(world: World, dashboard: str) -> str:
    uid = world.grafana.dashboards[dashboard].folder
    return tree(world)[uid] if uid else ""


def test_folders_in_folders_in_folders(world: World) -> None:
    world.tables["sync"] = {
        "folders": {
            "c": {"title": "C", "parent": "b", "dashboards": ["errors"]},
            "b": {"title": "B", "parent": "a"},
            "a": {"title": "A", "parent": "shop"},
        }
    }
    assert world.sync().complete
    assert where(world, "errors") == "shop/A/B/C"
    assert not world.plan(prune=True).pending
    del world.tables["sync"]["folders"]["b"]["parent"]
    assert actions(world.plan(prune=True)) == {"folder b": "update", "folder a": "delete"}
    version = world.grafana.dashboards["errors"].version
    assert world.sync(prune=True).complete
    assert where(world, "errors") == "B/C"
    assert world.grafana.dashboards["errors"].version == version
    assert not world.plan(prune=True).pending


def test_a_dashboard_names_its_folder(world: World) -> None:
    world.folders = {"errors": "Platform/Loki", "load": "General"}
    assert world.sync().complete
    assert (where(world, "errors"), where(world, "load")) == ("Platform/Loki", "")
    assert not world.plan(prune=True).pending
    uid = world.grafana.dashboards["errors"].folder
    world.folders = {"errors": "Platform/Logs", "load": "General"}
    assert actions(world.plan(prune=True)) == {f"folder {uid}": "update"}
    assert world.sync(prune=True).complete
    assert (where(world, "errors"), world.grafana.dashboards["errors"].folder) == ("Platform/Logs", uid)
    assert not world.plan(prune=True).pending
    world.folders = {"errors": "Other", "load": "Platform/Logs"}
    assert world.sync(prune=True).complete
    assert (where(world, "errors"), where(world, "load")) == ("Other", "Platform/Logs")
    assert not world.plan(prune=True).pending


def test_directories_become_folders(world: World) -> None:
    world.tables["sync"] = {"folders_from_directories": True}
    world.files = {"errors": "dashboards/team a/x/errors.json", "load": "dashboards/load.json"}
    assert world.sync().complete
    assert (where(world, "errors"), where(world, "load")) == ("shop/team a/x", "shop")
    assert not world.plan(prune=True).pending


PERMISSIONS = {"Viewer": "View", "team:Backend": "Edit", "user:alice": "Admin"}


def declare(world: World, permissions: Any) -> None:
    world.tables["target"] = {"folder": {"title": "shop", "permissions": permissions}}


def test_permissions_are_left_alone_unless_they_are_declared(world: World) -> None:
    world.sync()
    assert not [path for _, path in world.requests() if "permissions" in path]
    declare(world, PERMISSIONS)
    plan = world.plan()
    assert actions(plan) == {"folder shop": "update"}
    assert "    ~ permissions › Editor: Edit" not in lines(plan)
    assert world.sync().complete
    assert world.grafana.permissions["shop"] == [
        {"role": "Viewer", "permission": 1},
        {"teamId": 7, "permission": 2},
        {"userId": 3, "permission": 4},
    ]
    assert not world.plan().pending
    world.grafana.permissions["shop"] = [{"role": "Viewer", "permission": 4}]
    assert actions(world.plan()) == {"folder shop": "conflict"}
    assert world.sync(on_conflict="overwrite").complete
    assert not world.plan().pending
    declare(world, {"Editor": "Edit"})
    assert world.sync().complete
    assert world.grafana.permissions["shop"] == [{"role": "Editor", "permission": 2}]
    world.tables.pop("target")
    assert not world.plan().pending


def test_a_new_folder_has_its_permissions_at_once(world: World) -> None:
    declare(world, PERMISSIONS)
    assert world.sync().complete
    assert len(world.grafana.permissions["shop"]) == 3
    assert not world.plan().pending
    world.rollback()


def test_a_team_that_does_not_exist_is_named(world: World) -> None:
    declare(world, {"team:Nobody": "View"})
    applied = world.sync()
    (failed,) = applied.of(Status.FAILED)
    assert 'unknown team "Nobody"' in failed.message


WRONG: dict[str, tuple[Any, str]] = {
    "role": ({"Boss": "View"}, "must be Viewer, Editor, team:NAME or user:LOGIN"),
    "admin": ({"Admin": "Admin"}, '"Admin" must be Viewer'),
    "permission": ({"Viewer": "Read"}, "must be one of View, Edit, Admin, not Read"),
    "list": (["Viewer"], "must be a table"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("place", ["target", "folders"])
def test_wrong_permissions(world: World, name: str, place: str) -> None:
    permissions, words = WRONG[name]
    if place == "target":
        declare(world, permissions)
    else:
        world.tables["sync"] = {"folders": {"x": {"title": "X", "permissions": permissions}}}
    with pytest.raises(LokictlError, match=words):
        world.plan()
    assert not world.requests()


def test_folders_of_an_old_grafana(world: World, tmp_path: Path) -> None:
    set_version(world, "9.4.0")
    world.folders = {"errors": "Other"}
    assert world.sync().complete
    assert where(world, "errors") == "Other"
