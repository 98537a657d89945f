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
from lokictl.project.folders import FolderTree
from lokictl.render import render, rendering
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


def sync_folder(project: Project, uid: str) -> str:
    """The uid of the folder that `lokictl sync` puts a dashboard in."""
    target = Target("t", project.name, "shop", "shop", GrafanaTarget(Access("http://grafana:1")))
    return desired_state(project, target).resources[Key(Kind.DASHBOARD, uid)].folder


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
    uid = sync_folder(project, "a")
    assert (provider["folder"], provider["folderUid"]) == (path, uid)
    objects = [yaml.safe_load(text) for text in result.files["operator"].values()]
    uids = {item["spec"]["uid"] for item in objects if item["kind"] == "GrafanaFolder"}
    assert (uid in uids) == bool(uid)
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


TABLES = """
[sync.folders.plat]
title = "Platform team"
dashboards = ["a*"]
permissions = { Viewer = "View", "team:Backend" = "Edit" }

[sync.folders.deep]
title = "Logs"
parent = "plat"
dashboards = ["b"]

[sync.folders.away]
title = "Away"
parent = "somewhere-in-grafana"
dashboards = ["c"]

[sync.folders.general]
dashboards = ["d"]
"""


def test_folders_of_the_configuration_count_in_every_form(make_project: MakeProject) -> None:
    files = boards(a="", b="Other", c="", d="", e="Platform team/Logs")
    project = make_project(files, configuration=CONFIGURATION + TABLES)
    result = rendering(project, what=["grafana", "kubernetes", "operator", "git-sync"])
    expected = {"a": "plat", "b": "deep", "c": "away", "d": "", "e": "deep"}
    assert {uid: sync_folder(project, uid) for uid in expected} == expected
    providers = yaml.safe_load(result.files["grafana"][PROVIDERS])["providers"]
    assert {item["folderUid"]: item["folder"] for item in providers} == {
        "plat": "Platform team",
        "deep": "Platform team/Logs",
        "away": "somewhere-in-grafana/Away",
        "": "",
    }
    objects = [yaml.safe_load(text) for text in result.files["operator"].values()]
    folders = {item["spec"]["uid"]: item for item in objects if item["kind"] == "GrafanaFolder"}
    for item in folders.values():
        jsonschema.validate(item, strict(SCHEMAS["GrafanaFolder"][1]))
    assert set(folders) == {"plat", "deep", "away"}
    assert folders["deep"]["spec"]["parentFolderRef"] == folders["plat"]["metadata"]["name"]
    assert folders["away"]["spec"]["parentFolderUID"] == "somewhere-in-grafana"
    assert json.loads(folders["plat"]["spec"]["permissions"]) == {
        "items": [{"role": "Viewer", "permission": 1}]
    }
    assert any("cannot give permissions to team:Backend" in note for note in result.notes)
    assert "git-sync/platform-team/logs/b.json" in result.files["git-sync"]


RULES = """\
from lokictl.model import AlertingRule, RuleFile, RuleGroup

def group(name, **keys):
    return RuleGroup(name, (AlertingRule(name.title(), 'count_over_time({a="b"}[5m]) > 1'),), **keys)

SHOP = RuleFile("shop/eu", (group("own"), group("other", folder="Platform/Loki"), group("table"), group("both")))
GENERAL = RuleFile("General", (group("general"), group("both")))
"""


def alert_folders(project: Project, target: Target) -> dict[str, str]:
    """The uid of the folder of every alert group, by its name, as sync and the operator have it."""
    resources = desired_state(project, target).resources
    synced = {key.name: key.namespace for key in resources if key.kind is Kind.ALERT_GROUP}
    assert all(Key(Kind.FOLDER, uid) in resources for uid in synced.values())
    texts = rendering(project, what=["operator"]).files["operator"].values()
    objects = [yaml.safe_load(text) for text in texts]
    names = {i["metadata"]["name"]: i["spec"]["uid"] for i in objects if i["kind"] == "GrafanaFolder"}
    groups = [item["spec"] for item in objects if item["kind"] == "GrafanaAlertRuleGroup"]
    assert {item["name"]: names[item["folderRef"]] for item in groups} == synced
    return synced


@pytest.mark.parametrize(
    "further, expected",
    [
        (
            "",
            {
                "shop/eu.both": "shop",
                "General.both": "shop",
                "own": "shop",
                "general": "shop",
                "table": "shop",
            },
        ),
        (
            'alert_folders = "namespace"\n',
            {"own": "shop-shop-eu-7087dc", "general": "shop-general-4d6e78", "table": "shop-shop-eu-7087dc"},
        ),
        (
            '[sync.folders.t]\ntitle = "T"\nparent = "shop"\nalerts = ["*/table", "General"]\n',
            {"own": "shop", "general": "t", "table": "t"},
        ),
    ],
)
def test_alerts_are_in_the_same_folders_everywhere(
    make_project: MakeProject, further: str, expected: dict[str, str]
) -> None:
    project = make_project(
        {"rules/a.py": RULES}, configuration=f'alerting = "grafana"\n{CONFIGURATION}{further}'
    )
    target = Target("t", project.name, "shop", "shop", GrafanaTarget(Access("http://grafana:1")))
    found = alert_folders(project, target)
    assert found.pop("other") == "platform-loki-d16150"
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("namespaces", [False, True])
def test_alerts_need_a_folder(make_project: MakeProject, namespaces: bool) -> None:
    keys = 'alerting = "grafana"\n' + 'alert_folders = "namespace"\n' * namespaces
    project = make_project(
        {"rules/a.py": RULES}, configuration=f'{keys}{CONFIGURATION}[render]\nfolder = "General"\n'
    )
    with pytest.raises(LokictlError, match='"general" needs a folder in Grafana'):
        rendering(project, what=["operator"])
    with pytest.raises(LokictlError, match='"general" needs a folder in Grafana'):
        desired_state(
            project, Target("t", project.name, "", "General", GrafanaTarget(Access("http://grafana:1")))
        )


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
        ("B", "a-b-f42815"),
        ("C", "a-c-86a709"),
    ]


def test_folders_whose_titles_are_nearly_one_have_uids_of_their_own(make_project: MakeProject) -> None:
    project = make_project(boards(one="A/B", two="A B", three="a-b"))
    texts = rendering(project, what=["operator"]).files["operator"].values()
    specs = [yaml.safe_load(text)["spec"] for text in texts]
    uids = {item["uid"] for item in specs if "title" in item}
    assert len(uids) == 4


def test_uids_of_long_paths(make_project: MakeProject) -> None:
    tree = FolderTree.of(make_project(boards(a="A")))
    start = ("Observability", "Platform team", "Logs and traces")
    uids = {tree.at((*start, end)) for end in ("Loki", "Tempo")}
    assert len(uids) == 2
    assert all(len(uid) <= 40 for uid in tree.folders)


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
            assert set(found(url, "dash-folder")) == {"platform-loki-d16150", "shop"}

    def test_alerts_and_dashboards_share_one_folder(self, make_project: MakeProject, tmp_path: Path) -> None:
        files = {**boards(a="", b="Platform"), "rules/a.py": RULES}
        project = make_project(files, configuration=f'alerting = "grafana"\n{CONFIGURATION}')
        assert any('"Platform" has alerts and dashboards' in note for note in rendering(project).notes)
        render(project, tmp_path / "out", what=["grafana"])
        with grafana(tmp_path / "out/grafana/provisioning", tmp_path) as url:
            wait_for(lambda: len(found(url, "dash-db")) == 2)
            folders = found(url, "dash-folder")
            titles = {uid: item["title"] for uid, item in folders.items()}
            assert sorted(titles.values()) == ["Loki", "Platform", "shop"]
            places = {uid: titles[item["folderUid"]] for uid, item in found(url, "dash-db").items()}
            assert places == {"a": "shop", "b": "Platform"}
            rules = get_json(f"{url}/api/v1/provisioning/alert-rules", auth=ADMIN)
            assert {rule["title"]: titles[rule["folderUID"]] for rule in rules} == {
                "Own": "shop",
                "Other": "Loki",
                "Table": "shop",
                "General": "shop",
                "Both": "shop",
            }
            parent = next(item["folderUid"] for item in folders.values() if item["title"] == "Loki")
            assert titles[parent] == "Platform"

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
