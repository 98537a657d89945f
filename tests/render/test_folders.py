"""Folders in folders: every output agrees with `lokictl sync`, or says that it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lokictl.diagnostics import LokictlError
from lokictl.http import Access
from lokictl.project import Project
from lokictl.render import render, rendering
from lokictl.render.names import folder_uid
from lokictl.render.rendering import Rendering
from lokictl.sync.configuration import GrafanaTarget, Target
from lokictl.sync.desired import desired_state
from lokictl.sync.plan import Key, Kind
from tests.render.samples import CONFIGURATION, dashboard
from tests.render.test_operator import SCHEMAS, strict
from tests.stack.grafana_server import ADMIN, NEEDS_GRAFANA, grafana
from tests.stack.servers import get_json, wait_for

MakeProject = Callable[..., Project]
PROVIDERS = "grafana/provisioning/dashboards/shop.yaml"

BOARDS = """\
class Board:
    def __init__(self, uid, folder):
        self.uid, self.title, self.folder = uid, uid.upper(), folder
    def to_json(self):
        return {"uid": self.uid, "title": self.title, "panels": []}
"""


def boards(**folders: str) -> dict[str, str]:
    """A module with one dashboard for each folder."""
    listed = "".join(f"{uid.upper()} = Board({uid!r}, {folder!r})\n" for uid, folder in folders.items())
    return {"dashboards/boards.py": BOARDS + listed}


def operator_path(result: Rendering, uid: str) -> str:
    """The titles of the folders that a dashboard of the operator is in."""
    objects = [yaml.safe_load(text) for text in result.files["operator"].values()]
    specs = {(item["kind"], item["metadata"]["name"]): item["spec"] for item in objects}
    (board,) = [
        spec for (kind, _), spec in specs.items() if kind == "GrafanaDashboard" and spec["uid"] == uid
    ]
    titles: list[str] = []
    name = board.get("folderRef")
    while name:
        spec = specs["GrafanaFolder", name]
        titles.insert(0, spec["title"])
        name = spec.get("parentFolderRef")
    return "/".join(titles)


def sync_path(project: Project, uid: str) -> str:
    """The titles of the folders that `lokictl sync` puts a dashboard in."""
    grafana = GrafanaTarget(Access("http://grafana:1"))
    target = Target("t", project.name, "shop", "shop", grafana)
    resources = desired_state(project, target).resources
    titles: list[str] = []
    folder = resources[Key(Kind.DASHBOARD, uid)].folder
    while folder:
        resource = resources[Key(Kind.FOLDER, folder)]
        titles.insert(0, resource.title)
        folder = resource.folder
    return "/".join(titles)


PATHS = [
    ("", "shop"),
    ("Platform", "Platform"),
    ("Platform/Loki", "Platform/Loki"),
    (" Platform / Loki /", "Platform/Loki"),
    ("Platform//Loki/Ruler", "Platform/Loki/Ruler"),
    ("General", ""),
    ("general", ""),
    ("Team/General", "Team/General"),
]


@pytest.mark.parametrize("written, path", PATHS)
def test_every_form_has_the_folder_that_sync_has(make_project: MakeProject, written: str, path: str) -> None:
    project = make_project(boards(a=written))
    result = rendering(project, what=["grafana", "kubernetes", "operator", "git-sync"])
    assert sync_path(project, "a") == path
    assert operator_path(result, "a") == path
    (provider,) = yaml.safe_load(result.files["grafana"][PROVIDERS])["providers"]
    assert (provider["folder"], bool(provider["folderUid"])) == (path, bool(path))
    (board,) = [
        yaml.safe_load(text) for name, text in result.files["kubernetes"].items() if "/dashboards/" in name
    ]
    assert board["metadata"]["annotations"] == {"grafana_folder": path}
    assert [*result.files["git-sync"]] == ["/".join(filter(None, ("git-sync", path.lower(), "a.json")))]


def test_a_directory_is_a_folder_for_every_form(make_project: MakeProject) -> None:
    files = {
        "dashboards/top.json": json.dumps(dashboard(uid="top", title="Top")),
        "dashboards/Team/Logs/x.json": json.dumps(dashboard(uid="x", title="X")),
    }
    project = make_project(files, configuration=CONFIGURATION + "[sync]\nfolders_from_directories = true\n")
    result = rendering(project, what=["grafana", "operator"])
    for uid, path in (("top", "shop"), ("x", "shop/Team/Logs")):
        assert sync_path(project, uid) == operator_path(result, uid) == path
    providers = yaml.safe_load(result.files["grafana"][PROVIDERS])["providers"]
    assert [item["folder"] for item in providers] == ["shop", "shop/Team/Logs"]


def test_forms_that_cannot_nest_say_so(make_project: MakeProject) -> None:
    project = make_project(boards(a="Platform/Loki", b="Shop"))
    grafana_note, sidecar_note = rendering(project, what=["grafana", "kubernetes", "helm", "operator"]).notes
    assert grafana_note.startswith('Grafana\'s files cannot nest folders: "Platform/Loki" will')
    assert '"Platform/Loki" will be shown as "Loki"' in sidecar_note
    assert not rendering(make_project(boards(a="Platform", b="Shop"))).notes


def test_sidecar_folders_that_end_alike(make_project: MakeProject) -> None:
    class_ = BOARDS.replace("uid.upper()", '"Overview"')
    module = class_ + "A = Board('a', 'X/Loki')\nB = Board('b', 'Y/Loki')\n"
    project = make_project({"dashboards/boards.py": module})
    assert rendering(project, what=["grafana", "operator"])
    for what in ("kubernetes", "helm"):
        with pytest.raises(LokictlError, match='"X/Loki", "Y/Loki" will be one folder "Loki"'):
            rendering(project, what=[what])


def test_the_operator_has_one_object_for_each_folder(make_project: MakeProject) -> None:
    project = make_project(boards(one="A/B", two="A/C", three="A"))
    objects = [
        yaml.safe_load(text) for text in rendering(project, what=["operator"]).files["operator"].values()
    ]
    folders = [item for item in objects if item["kind"] == "GrafanaFolder"]
    for item in folders:
        jsonschema.validate(item, strict(SCHEMAS["GrafanaFolder"][1]))
    assert [(item["spec"]["title"], item["spec"]["uid"]) for item in folders] == [
        ("A", "a"),
        ("B", "a-b"),
        ("C", "a-c"),
    ]


def test_two_folders_with_one_uid(make_project: MakeProject) -> None:
    with pytest.raises(LokictlError, match='the folders "A/B" and "A B" would both be written as'):
        rendering(make_project(boards(one="A/B", two="A B")), what=["operator"])


def test_uids_of_long_paths() -> None:
    start = "Observability/Platform team/Logs and traces/"
    uids = {folder_uid(start + end) for end in ("Loki", "Tempo")}
    assert len(uids) == 2
    assert all(len(uid) <= 40 for uid in uids)
    assert folder_uid("Platform/Loki") == "platform-loki"


@pytest.mark.real_grafana
@pytest.mark.slow
class TestReal:
    """What a Grafana makes of it."""

    pytestmark = NEEDS_GRAFANA

    def test_provisioned_folders(self, make_project: MakeProject, tmp_path: Path) -> None:
        project = make_project(boards(a="Platform/Loki", b="General", c="Shop"))
        render(project, tmp_path / "out", what=["grafana"])
        with grafana(tmp_path / "out/grafana/provisioning", tmp_path) as url:
            wait_for(lambda: len(found(url, "dash-db")) == 3)
            boards_found = found(url, "dash-db")
            assert {uid: item.get("folderTitle", "") for uid, item in boards_found.items()} == {
                "a": "Platform/Loki",
                "b": "",
                "c": "Shop",
            }
            assert set(found(url, "dash-folder")) == {"platform-loki", "shop"}

    def test_the_directories_of_the_sidecar(self, make_project: MakeProject, tmp_path: Path) -> None:
        project = make_project(boards(a="Platform/Loki", b="General", c="Shop"))
        files = rendering(project, what=["kubernetes"]).files["kubernetes"]
        place = tmp_path / "sidecar"
        for text in files.values():
            manifest = yaml.safe_load(text)
            folder = manifest["metadata"].get("annotations", {}).get("grafana_folder")
            if folder is not None:
                for name, data in manifest["data"].items():
                    (place / folder).mkdir(parents=True, exist_ok=True)
                    (place / folder / name).write_text(data)
        provisioning = tmp_path / "provisioning"
        for kind in ("dashboards", "datasources", "plugins", "alerting"):
            (provisioning / kind).mkdir(parents=True)
        provider = {
            "name": "sidecar",
            "type": "file",
            "options": {"path": str(place), "foldersFromFilesStructure": True},
        }
        text = yaml.safe_dump({"apiVersion": 1, "providers": [provider]})
        (provisioning / "dashboards/sidecar.yaml").write_text(text)
        with grafana(provisioning, tmp_path) as url:
            wait_for(lambda: len(found(url, "dash-db")) == 3)
            assert {uid: item.get("folderTitle", "") for uid, item in found(url, "dash-db").items()} == {
                "a": "Loki",
                "b": "",
                "c": "Shop",
            }


def found(url: str, kind: str) -> dict[str, Any]:
    """What Grafana has of a kind, by uid."""
    return {item["uid"]: item for item in get_json(f"{url}/api/search?type={kind}", auth=ADMIN)}
