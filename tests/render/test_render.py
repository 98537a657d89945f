"""What is written, and what is taken away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lokictl.diagnostics import LokictlError
from lokictl.project import Project
from lokictl.render import OUTPUTS, render, rendering
from lokictl.render.writing import RECORD

MakeProject = Callable[..., Project]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_everything_a_project_has_is_written(shop: Project, tmp_path: Path) -> None:
    written = render(shop, tmp_path / "out")
    assert set(tree(tmp_path / "out")) == {str(path.relative_to(tmp_path / "out")) for path in written} | {
        RECORD
    }
    assert {path.relative_to(tmp_path / "out").parts[0] for path in written} == {
        *("grafana", "rules", "kubernetes", "helm")
    }


def test_the_build_folder_is_the_default(shop: Project) -> None:
    assert all(path.is_relative_to(shop.root / "build") for path in render(shop))


def test_rendering_twice_gives_the_same_bytes(shop: Project, tmp_path: Path) -> None:
    render(shop, tmp_path / "one")
    render(shop, tmp_path / "two")
    first = tree(tmp_path / "one")
    assert tree(tmp_path / "two") == first
    render(shop, tmp_path / "one")
    assert tree(tmp_path / "one") == first


@pytest.mark.parametrize("name", [name for name in OUTPUTS if name != "stack"])
def test_one_output_alone(shop: Project, tmp_path: Path, name: str) -> None:
    written = render(shop, tmp_path, what=[name])
    assert {path.relative_to(tmp_path).parts[0] for path in written} == {name}


def test_names_that_do_not_exist_and_outputs_without_content(shop: Project) -> None:
    with pytest.raises(LokictlError, match='unknown output "grafna"'):
        rendering(shop, what=["grafna"])
    with pytest.raises(LokictlError, match='nothing for "stack"'):
        rendering(shop, what=["stack"])


def test_a_project_of_rules_only_gets_rules(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project(
        {"rules/a.yaml": "groups:\n  - name: g\n    rules:\n      - {record: a, expr: '1'}\n"}
    )
    render(project, tmp_path / "out")
    paths = set(tree(tmp_path / "out"))
    assert "rules/demo/a.yaml" in paths
    assert not any(path.startswith("grafana/") for path in paths)
    assert not any("datasources" in path or "dashboards" in path for path in paths)


def test_files_of_an_earlier_render_go(shop: Project, make_project: MakeProject, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(shop, out)
    (shop.root / "dashboards/orders.json").unlink()
    render(make_project(), out)
    left = set(tree(out))
    assert not any("orders" in path for path in left)
    assert any("stock" in path for path in left)
    assert not (out / "kubernetes/shop/dashboards/orders.yaml").exists()


def test_what_somebody_else_made_or_changed_stays(
    shop: Project, make_project: MakeProject, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    render(shop, out)
    mine = out / "grafana/provisioning/dashboards/shop/mine.json"
    mine.write_text("{}")
    changed = out / "kubernetes/shop/dashboards/orders.yaml"
    changed.write_text(changed.read_text() + "# kept\n")
    (shop.root / "dashboards/orders.json").unlink()
    render(make_project(), out)
    assert mine.read_text() == "{}"
    assert changed.read_text().endswith("# kept\n")


def test_another_output_is_left_alone(shop: Project, tmp_path: Path) -> None:
    render(shop, tmp_path)
    before = tree(tmp_path)
    render(shop, tmp_path, what=["rules"])
    assert tree(tmp_path) == before


def test_empty_folders_go_with_their_files(shop: Project, make_project: MakeProject, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(shop, out)
    (shop.root / "rules/shop.yaml").rename(shop.root / "rules/other.yaml")
    (shop.root / "lokictl.toml").write_text('name = "shop"\ntenant = "else"\n')
    from lokictl.project import load

    render(load(shop.root), out)
    assert [path.name for path in (out / "rules").iterdir()] == ["else"]


def test_a_dashboard_is_made_once(make_project: MakeProject, tmp_path: Path) -> None:
    board = (
        "class Board:\n    uid, title, made = 'a', 'A', 0\n"
        "    def to_json(self):\n        type(self).made += 1\n"
        "        return {'uid': 'a', 'title': 'A', 'panels': []}\n"
        "BOARD = Board()\n"
    )
    project = make_project({"dashboards/board.py": board})
    render(project, tmp_path / "out")
    assert type(project.dashboards[0]).made == 1


def test_no_temporary_file_is_left(shop: Project, tmp_path: Path) -> None:
    render(shop, tmp_path)
    assert [path for path in tree(tmp_path) if ".tmp" in path] == []


def test_a_record_that_cannot_be_read(shop: Project, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text("{")
    with pytest.raises(LokictlError, match="cannot read what was rendered before"):
        render(shop, tmp_path)


def test_a_record_cannot_point_outside(shop: Project, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("x")
    out = tmp_path / "out"
    out.mkdir()
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    (out / RECORD).write_text(json.dumps({"rules": {"../victim": digest, str(victim): digest}}))
    render(shop, out)
    assert victim.read_text() == "x"


@pytest.mark.parametrize("place", [".", "rules", "dashboards/sub"])
def test_content_folders_are_not_for_files(shop: Project, place: str) -> None:
    with pytest.raises(LokictlError, match="would mix files with the project's content"):
        render(shop, shop.root / place)


def test_the_table_in_the_configuration(shop: Project, tmp_path: Path) -> None:
    from lokictl.project import load

    table = (
        '[render]\nfolder = "My shop"\nnamespace = "observability"\ndashboards_path = "/srv/dashboards"\n'
        'grafana_version = "9.0"\nwhat = ["grafana", "kubernetes"]\ndelete_datasources = ["Old Loki"]\n'
    )
    (shop.root / "lokictl.toml").write_text('name = "shop"\n' + table)
    files = dict(rendering(load(shop.root)))
    (provider,) = yaml.safe_load(files["grafana/provisioning/dashboards/shop.yaml"])["providers"]
    assert (provider["folder"], provider["folderUid"]) == ("My shop", "my-shop-7cde64")
    assert provider["options"]["path"] == "/srv/dashboards/my-shop-7cde64"
    sources = yaml.safe_load(files["grafana/provisioning/datasources/shop.yaml"])
    assert "prune" not in sources
    assert sources["deleteDatasources"] == [{"name": "Old Loki", "orgId": 1}]
    manifest = yaml.safe_load(files["kubernetes/shop/dashboards/orders.yaml"])
    assert manifest["metadata"]["namespace"] == "observability"
    assert {path.split("/")[0] for path in files} == {"grafana", "kubernetes"}


@pytest.mark.parametrize(
    "table, message",
    [
        ('[render]\nfoldr = "x"', 'unknown key "foldr"'),
        ("[render]\nfolder = 1", '"folder" must be a string'),
        ('[render]\nwhat = "rules"', '"what" must be a list of strings'),
        ('[render]\ngrafana_version = "new"', '"new" is not a version of Grafana'),
    ],
)
def test_wrong_configuration(make_project: MakeProject, table: str, message: str) -> None:
    project = make_project({"rules/a.yaml": "groups: []\n"}, table + "\n")
    with pytest.raises(LokictlError, match=message):
        rendering(project)
