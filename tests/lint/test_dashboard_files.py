"""Dashboards of JSON files are let go, and read again: nothing is found otherwise than in those that are kept."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path
from typing import Any

import pytest

from benchmarks.lint import dashboard
from lokictl.diagnostics import LokictlError
from lokictl.lint import dashboard_files, lint, runner
from lokictl.lint.items import DashboardItem
from lokictl.lint.loading import load_paths
from lokictl.lint.runner import files_workspace

SOURCES = {"apiVersion": 1, "datasources": [{"name": "Logs", "type": "loki", "url": "http://x", "uid": "l"}]}
RULES = """
groups:
  - name: a
    rules:
      - {record: 'shop:errors:rate5m', expr: 'sum(rate({a="b"} |= "x" [5m]))'}
"""


def wrong(number: int, **changes: Any) -> dict[str, Any]:
    """A dashboard in which much is to be found, with the name of a data source that another file defines."""
    made = dashboard(number)
    made["panels"][0]["targets"][0] |= {"datasource": "Logs", "expr": '{a="b"} |'}
    made["panels"][1]["gridPos"]["x"] = 20
    made["panels"][2]["targets"][0]["expr"] = '{a="b"} |= "x" # lokictl: disable=dashboard/* - it is a test'
    made["panels"][3]["targets"] = [{"expr": "sum(shop:errors:rate1m)"}, True]
    made["panels"][5]["targets"] = True
    return {**made, **changes}


def config_map(value: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a.json": json.dumps(value)}}


def resource(value: dict[str, Any]) -> dict[str, Any]:
    kind = {"apiVersion": "dashboard.grafana.app/v1beta1", "kind": "Dashboard"}
    return {**kind, "metadata": {"name": "named"}, "spec": {**value, "uid": ""}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "one.json": wrong(1),
        "same.json": wrong(1),
        "other.json": wrong(1, title="Other"),
        "two.json": wrong(2),
        "listed.json": [wrong(3), {"dashboard": wrong(2, title="Third")}],
        "map.json": config_map(wrong(4)),
        "map.yaml": config_map(wrong(5)),
        "resource.json": resource(wrong(6)),
        "sources.json": SOURCES,
    }
    for name, value in files.items():
        (tmp_path / name).write_text(json.dumps(value, indent=1))
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "broken.json").write_text(json.dumps(wrong(7))[:-9])
    return tmp_path


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_same_is_found(folder: Path, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = lint([str(folder)])
    assert {"dashboard/duplicate-uid", "logql/syntax", "rule/unknown-recording", "json/syntax"} < {
        finding.name for finding in found.findings
    }
    assert found.suppressed
    monkeypatch.setattr(runner, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(runner, "load_paths", lambda given, **_: load_paths(given))
    assert lint([str(folder)], jobs=jobs) == found


def test_dashboards_of_json_files_are_let_go(folder: Path) -> None:
    loaded = load_paths([str(folder)], keeps_dashboards=False)
    kept = {Path(item.file).name for item in loaded.dashboards if isinstance(item, DashboardItem)}
    assert kept == {"map.json", "map.yaml"}
    assert loaded.texts[str(folder / "map.yaml")]
    workspace = files_workspace(loaded)
    listed = [Path(item.file).name for item in workspace.dashboards]
    assert listed == [Path(item.file).name for item in loaded.dashboards]
    assert [item.uid for item in workspace.dashboards] == list(workspace.dashboard_uids)


def test_memory_holds_one_file_at_a_time(folder: Path) -> None:
    workspace = files_workspace(load_paths([str(folder)], keeps_dashboards=False))
    numbers = [number for number, item in enumerate(workspace.dashboards) if item.file.endswith("o.json")]
    gc.disable()
    try:
        item = workspace.dashboards[numbers[0]]
        assert item.queries[0].dashboard is item
        gone = weakref.ref(item)
        del item
        assert gone() is not None
        assert workspace.dashboards[numbers[0] - 1].queries
        assert gone() is None
    finally:
        gc.enable()


def test_large_files_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard_files, "LARGEST", 10)
    loaded = load_paths([str(folder)], keeps_dashboards=False)
    assert all(isinstance(item, DashboardItem) for item in loaded.dashboards)
    assert all(loaded.texts.values())


@pytest.mark.parametrize("content", [None, "[]", "{", b"\xff"])
def test_a_file_that_changes(folder: Path, content: str | bytes | None) -> None:
    workspace = files_workspace(load_paths([str(folder / "one.json")], keeps_dashboards=False))
    if content is None:
        (folder / "one.json").unlink()
    else:
        (folder / "one.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LokictlError) as caught:
        list(workspace.dashboards)
    assert caught.value.problems[0].message == "the file changed while it was checked"
    assert caught.value.problems[0].position.file == str(folder / "one.json")
