"""Checks that compare a dashboard with the rest of its project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lokictl import project
from lokictl.lint import Settings
from lokictl.lint import lint as lint_paths
from tests.lint.dashboard.cases import dashboard, panel, target

SOURCES = """
apiVersion: 1
datasources:
  - {name: Logs, type: loki, uid: loki, url: http://loki:3100}
"""


@pytest.fixture
def lint_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lints dashboards as those of one project; gives the messages of one check."""

    def lint(check: str, *dashboards: dict[str, Any]) -> list[str]:
        for folder in ("dashboards", "datasources"):
            (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / "lokictl.toml").write_text("", encoding="utf-8")
        (tmp_path / "datasources" / "sources.yaml").write_text(SOURCES, encoding="utf-8")
        (tmp_path / "library-panels").mkdir(exist_ok=True)
        library = {"uid": "lines", "name": "Lines", "model": {"type": "logs"}}
        (tmp_path / "library-panels" / "lines.json").write_text(json.dumps(library), encoding="utf-8")
        for number, data in enumerate(dashboards):
            (tmp_path / "dashboards" / f"{number}.json").write_text(json.dumps(data), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        report = lint_paths(project.load(tmp_path, strict=False), Settings(select=(check,)))
        return [finding.message for finding in report.findings if finding.name == check]

    return lint


def linked(url: str) -> dict[str, Any]:
    return dashboard(panel(links=[{"title": "more", "url": url}]), uid="from")


OTHER = dashboard(
    panel(id=7),
    uid="other",
    title="Other",
    tags=["loki"],
    variables=[{"name": "app", "type": "textbox"}],
)

LINKS = [
    ("/d/other/some-slug?var-app=x&viewPanel=7", ""),
    ("d/other?viewPanel=panel-7&from=now-1h", ""),
    ("/d/${uid}?var-x=1", ""),
    ("https://elsewhere.example/d/nowhere", ""),
    ("/d/othr", 'the project has no dashboard with the uid "othr"'),
    ("/d/other?var-ap=x", 'has no variable "ap"'),
    ("/d/other?viewPanel=8", "has no panel 8"),
]


@pytest.mark.parametrize("url, expected", LINKS)
def test_links_between_dashboards(lint_project: Any, url: str, expected: str) -> None:
    messages = lint_project("dashboard/broken-link", linked(url), OTHER)
    assert len(messages) == bool(expected), messages
    assert expected in "".join(messages)


@pytest.mark.parametrize("tag, count", [("loki", 0), ("tempo", 1)])
def test_links_by_tag(lint_project: Any, tag: str, count: int) -> None:
    data = dashboard(uid="from", links=[{"type": "dashboards", "tags": [tag]}])
    assert len(lint_project("dashboard/broken-link", data, OTHER)) == count


def test_data_sources_of_the_project(lint_project: Any) -> None:
    data = dashboard(
        panel("stat", target(datasource={"type": "loki", "uid": "lokki"})),
        panel(datasource="Logs"),
        panel(datasource={"uid": "-- Mixed --"}),
        panel(datasource={"uid": "${ds}"}),
    )
    assert lint_project("dashboard/unknown-datasource", data) == ['the project has no data source "lokki"']


def test_placeholders_of_the_import_dialog(lint_project: Any) -> None:
    data = dashboard(panel(datasource="${DS_LOKI}"), __inputs=[{"name": "DS_LOKI", "type": "datasource"}])
    assert len(lint_project("dashboard/import-placeholder", data)) == 1
    assert lint_project("dashboard/import-placeholder", dashboard()) == []


def test_two_files_with_one_uid(tmp_path: Path) -> None:
    for name, data in {
        "a": dashboard(),
        "b": dashboard(title="B"),
        "c": dashboard(),
        "d": dashboard(uid="d"),
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(data), encoding="utf-8")
    report = lint_paths([str(tmp_path)], Settings(select=("dashboard/duplicate-uid",)))
    assert [Path(finding.position.file).name for finding in report.findings] == ["b.json"]
    assert 'the uid "test" is also that of the dashboard "Test"' in report.findings[0].message


NEW_SCHEMA = {
    "apiVersion": "dashboard.grafana.app/v2beta1",
    "kind": "Dashboard",
    "metadata": {"name": "new"},
    "spec": {
        "title": "New",
        "elements": {
            "p": {
                "kind": "LibraryPanel",
                "spec": {"id": 1, "title": "P", "libraryPanel": {"uid": "lost", "name": "Lost"}},
            }
        },
        "layout": {
            "kind": "GridLayout",
            "spec": {
                "items": [
                    {
                        "kind": "GridLayoutItem",
                        "spec": {
                            "x": 0,
                            "y": 0,
                            "width": 24,
                            "height": 8,
                            "element": {"kind": "ElementReference", "name": "p"},
                        },
                    }
                ]
            },
        },
    },
}
ROW = {
    "type": "row",
    "id": 9,
    "title": "R",
    "collapsed": True,
    "panels": [panel(libraryPanel={"uid": "gone"})],
}
LIBRARY = [
    (dashboard(panel(libraryPanel={"uid": "lines", "name": "Lines"})), ""),
    (dashboard(panel(libraryPanel={"uid": "line"})), 'no library panel "line"'),
    (dashboard(panel(libraryPanel={"uid": "x", "name": "Errors"})), 'no library panel "x" ("Errors")'),
    (dashboard(panel(libraryPanel={"name": "Lines"})), "its uid is missing"),
    (dashboard(panel(libraryPanel=None)), "its uid is missing"),
    (dashboard(ROW), 'no library panel "gone"'),
    (NEW_SCHEMA, 'no library panel "lost" ("Lost")'),
]


@pytest.mark.parametrize("data, expected", LIBRARY)
def test_panels_of_the_library(lint_project: Any, data: dict[str, Any], expected: str) -> None:
    messages = lint_project("dashboard/unknown-library-panel", data)
    assert len(messages) == bool(expected), messages
    assert expected in "".join(messages)
