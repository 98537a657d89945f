"""Library panels: before the dashboards that show them, and never taken from others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lokictl.lint import lint
from lokictl.model.library_panel import LibraryPanel, library_references, with_library_panels
from lokictl.project import load
from lokictl.render.grafana import dashboard_files
from lokictl.render.settings import settings_of
from lokictl.sync.configuration import load_target
from lokictl.sync.pull import Selection, pull, write_modules
from lokictl.sync.session import Servers
from tests.sync.world import World, actions, lines

MODEL = {
    "type": "logs",
    "title": "Errors",
    "datasource": {"type": "loki", "uid": "loki"},
    "targets": [{"refId": "A", "expr": '{job="x"} |= "error"'}],
}


def shows(uid: str) -> dict[str, Any]:
    place = {"x": 0, "y": 0, "w": 12, "h": 8}
    return {"id": 3, "gridPos": place, "libraryPanel": {"uid": uid, "name": "Errors"}}


@pytest.fixture
def library(world: World) -> World:
    world.panels = {"lp": LibraryPanel("lp", "Errors", MODEL)}
    world.dashboards["errors"]["panels"] = [{"type": "row", "id": 9, "panels": [shows("lp")]}]
    return world


def test_a_panel_comes_before_the_dashboard_that_shows_it(library: World) -> None:
    library.jobs = 1
    assert library.sync().complete
    order = [path.split("/")[-1] for _, path in library.grafana_server.writes()]
    assert order.index("library-elements") < order.index(
        "dashboards", order.index("lokictl-shop") if False else 2
    )
    assert library.grafana.library["lp"]["folderUid"] == "shop"
    assert not library.plan(prune=True).pending
    library.panels = {"lp": LibraryPanel("lp", "Errors", {**MODEL, "title": "Lines"})}
    assert lines(library.plan()) == [
        '~ library panel "Errors" (lp): update',
        "    ~ title: Errors → Lines",
    ]
    assert library.sync().complete
    assert not library.plan().pending
    library.rollback()
    assert library.grafana.library["lp"]["model"]["title"] == "Errors"


def test_an_edit_by_hand_is_a_conflict(library: World) -> None:
    library.sync()
    library.grafana.library["lp"]["model"]["title"] = "By hand"
    library.grafana.library["lp"]["version"] += 1
    assert actions(library.plan()) == {"library panel lp": "conflict"}
    assert library.sync(on_conflict="overwrite").complete
    assert not library.plan().pending


def test_pruning_leaves_what_others_show(library: World) -> None:
    library.panels["more"] = LibraryPanel("more", "More", MODEL)
    library.sync()
    library.grafana.add_dashboard("theirs", panels=[shows("lp")])
    library.panels = {"more": library.panels["more"]}
    library.dashboards["errors"]["panels"] = []
    plan = library.plan(prune=True)
    assert actions(plan) == {"dashboard errors": "update", "library panel lp": "keep"}
    assert "but 1 other dashboards show it" in " ".join(lines(plan))
    assert library.sync(prune=True).complete
    del library.grafana.dashboards["theirs"]
    assert library.sync(prune=True).complete
    assert set(library.grafana.library) == {"more"}


def test_a_panel_that_does_not_exist_is_named_before_anything_is_sent(library: World) -> None:
    library.panels = {}
    plan = library.plan()
    assert actions(plan)["dashboard errors"] == "conflict"
    assert "shows library panels that do not exist: lp" in " ".join(lines(plan))
    library.grafana.library["lp"] = {"name": "Errors", "model": MODEL, "folderUid": "", "version": 1, "id": 1}
    assert actions(library.plan())["dashboard errors"] == "create"


def on_disk(root: Path, **models: dict[str, Any]) -> None:
    for folder in ("dashboards", "library-panels", "rules"):
        (root / folder).mkdir()
    (root / "lokictl.toml").write_text('name = "shop"\n[targets.test.grafana]\nurl = "http://grafana"\n')
    for uid, model in models.items():
        text = json.dumps({"uid": uid, "name": "Errors", "model": model})
        (root / "library-panels" / f"{uid}.json").write_text(text)
    board = {"uid": "b", "title": "B", "schemaVersion": 42, "panels": [shows("lp")]}
    (root / "dashboards" / "b.json").write_text(json.dumps(board))


def test_files_have_the_panel_written_out(tmp_path: Path) -> None:
    on_disk(tmp_path, lp=MODEL)
    project = load(tmp_path)
    (file,) = dashboard_files(project, settings_of(project))
    (panel,) = file.model["panels"]
    assert panel == {**MODEL, "id": 3, "gridPos": shows("lp")["gridPos"]}
    assert with_library_panels({"panels": [shows("other")]}, {})["panels"] == [shows("other")]
    assert list(library_references({"panels": [shows("a"), {"panels": [shows("b")]}]})) == [
        ("a", "Errors"),
        ("b", "Errors"),
    ]


def test_queries_of_panels_are_checked_in_their_file(tmp_path: Path) -> None:
    broken = {**MODEL, "targets": [{"refId": "A", "expr": '{job="x"} |= '}]}
    on_disk(tmp_path, lp=broken)
    report = lint(load(tmp_path))
    found = [finding for finding in report.findings if finding.name == "logql/syntax"]
    assert [finding.position.file.rpartition("/")[2] for finding in found] == ["lp.json"]


BAD = {"[]": "needs uid and name", '{"uid": "a", "name": "A"}': 'needs a "model"', "{": "valid"}


@pytest.mark.parametrize("text", BAD)
def test_what_is_not_a_panel(tmp_path: Path, text: str) -> None:
    on_disk(tmp_path)
    (tmp_path / "library-panels" / "a.json").write_text(text)
    problems = load(tmp_path, strict=False).problems
    assert any(BAD[text] in problem.message for problem in problems), problems


def test_panels_are_pulled(world: World, tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "lokictl.toml").write_text('name = "shop"\n[targets.test.grafana]\nurl = "http://grafana"\n')
    world.grafana.library["lp"] = {
        "name": "Errors",
        "model": MODEL,
        "folderUid": "shop",
        "version": 1,
        "id": 1,
    }
    project = load(root)
    target = load_target(project.config)
    servers = Servers(target, 4, new_client=world.client(target, read_only=True))
    pulled = pull(project, target, servers, Selection(frozenset(["library-panels"])))
    write_modules(root, pulled.modules)
    (panel,) = load(root).library_panels
    assert (panel.uid, panel.name, panel.model) == ("lp", "Errors", MODEL)
