"""Schema v2 and the classic schema say the same; ``tests/data/dashboards_v2`` is what a Grafana 12.2 made of ours."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lokictl.model.dashboard_schema import lost_in_classic, to_classic, to_v2

RECORDED = sorted((Path(__file__).resolve().parents[1] / "data" / "dashboards_v2").glob("*.gz"))


def test_there_are_recordings() -> None:
    assert len(RECORDED) == 11


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.name.partition(".")[0])
def test_recorded_dashboards_survive_the_classic_schema(file: Path) -> None:
    spec = json.loads(gzip.decompress(file.read_bytes()))
    made = to_classic(spec, "x")
    assert to_v2(made.model) == spec
    assert lost_in_classic(spec) == []
    for panel in (item for row in made.model["panels"] for item in (row, *row.get("panels", []))):
        assert panel["gridPos"]["w"] > 0


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.name.partition(".")[0])
def test_places_lead_to_what_was_there(file: Path) -> None:
    spec = json.loads(gzip.decompress(file.read_bytes()))
    made = to_classic(spec, "x")
    assert made.places
    assert made.model["panels"]
    for path, place in made.places.items():
        if path[-1] in ("expr", "refId", "title", "url") or path[-2:-1] == ("queryOptions",):
            assert at(made.model, path) == at(spec, place)
    for index, panel in enumerate(made.model["panels"]):
        for number, target in enumerate(panel.get("targets", [])):
            place = made.places[("panels", index, "targets", number)]
            assert at(spec, (*place, "expr")) == target.get("expr")


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        value = value[part] if isinstance(value, list) else value.get(part)
        if value is None:
            return None
    return value


def panel(number: int, **more: Any) -> dict[str, Any]:
    return {"kind": "Panel", "spec": {"id": number, "title": f"P{number}", **more}}


def item(kind: str, number: int, **more: Any) -> dict[str, Any]:
    element = {"kind": "ElementReference", "name": f"panel-{number}"}
    return {"kind": kind, "spec": {"element": element, **more}}


def layout(kind: str, key: str, items: list[Any], **more: Any) -> dict[str, Any]:
    return {"kind": kind, "spec": {key: items, **more}}


ELEMENTS = {f"panel-{number}": panel(number) for number in (1, 2, 3, 4)}
SHOW = {"kind": "ConditionalRenderingGroup", "spec": {"visibility": "show", "condition": "and", "items": []}}
TABS = layout("TabsLayout", "tabs", [
    {"kind": "TabsLayoutTab", "spec": {"title": "One", "layout": layout("AutoGridLayout", "items", [
        item("AutoGridLayoutItem", number) for number in (1, 2, 3)], maxColumnCount=2, rowHeightMode="short")}},
    {"kind": "TabsLayoutTab", "spec": {"title": "Two", "conditionalRendering": SHOW, "layout":
        layout("RowsLayout", "rows", [{"kind": "RowsLayoutRow", "spec": {
            "title": "Inner", "collapse": True, "repeat": {"mode": "variable", "value": "app"},
            "layout": layout("GridLayout", "items", [
                item("GridLayoutItem", 4, x=0, y=7, width=24, height=8)])}}])}},
])  # fmt: skip


def test_tabs_and_automatic_grids_become_rows() -> None:
    spec = {"title": "T", "elements": ELEMENTS, "layout": TABS}
    panels = to_classic(spec).model["panels"]
    shown = [(it["type"], it["title"], *it["gridPos"].values()) for it in panels]
    assert shown == [
        ("row", "One", 1, 24, 0, 0),
        ("", "P1", 5, 12, 0, 1),
        ("", "P2", 5, 12, 12, 1),
        ("", "P3", 5, 12, 0, 6),
        ("row", "Two", 1, 24, 0, 11),
        ("row", "Inner", 1, 24, 0, 12),
    ]
    inner = panels[-1]
    assert (inner["collapsed"], inner["repeat"]) == (True, "app")
    assert [(it["title"], it["gridPos"]["y"]) for it in inner["panels"]] == [("P4", 13)]
    assert lost_in_classic(spec) == [
        "tabs become rows",
        "automatic grids become fixed positions",
        "conditions on which rows and panels are shown are left out",
    ]


def test_version_2alpha1_is_read() -> None:
    query = {
        "kind": "PanelQuery",
        "spec": {
            "refId": "A",
            "datasource": {"type": "loki", "uid": "l"},
            "query": {"kind": "loki", "spec": {"expr": "x"}},
        },
    }
    data = {"kind": "QueryGroup", "spec": {"queries": [query]}}
    visual = {"kind": "logs", "spec": {"pluginVersion": "12.0", "options": {}}}
    spec = {"elements": {"panel-1": panel(1, data=data, vizConfig=visual)}, "layout": {"kind": "GridLayout"}}
    (made,) = to_classic(spec).model["panels"]
    assert (made["type"], made["pluginVersion"]) == ("logs", "12.0")
    assert made["datasource"] == {"type": "loki", "uid": "l"}
    assert made["targets"] == [{"expr": "x", "refId": "A", "datasource": {"type": "loki", "uid": "l"}}]


VARIABLES: list[dict[str, Any]] = [
    {"name": "a", "type": "query", "query": "label_values(app)", "datasource": {"type": "loki", "uid": "l"},
     "refresh": 2, "sort": 1, "hide": 2, "multi": True, "includeAll": True, "allValue": ".+", "regex": ""},
    {"name": "b", "type": "query", "query": {"type": 1, "label": "x", "stream": "{}"},
     "datasource": {"type": "loki", "uid": "l"}},
    {"name": "c", "type": "datasource", "query": "loki", "regex": "/x/"},
    {"name": "d", "type": "custom", "query": "1,2"},
    {"name": "e", "type": "interval", "query": "1m,5m", "auto": True, "auto_min": "10s", "auto_count": 30},
    {"name": "f", "type": "textbox", "query": "x"},
    {"name": "g", "type": "constant", "query": "y"},
    {"name": "h", "type": "adhoc", "datasource": {"type": "loki", "uid": "l"}},
]  # fmt: skip


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable["type"] + variable["name"])
def test_variables_survive(variable: dict[str, Any]) -> None:
    spec = to_v2({"title": "T", "templating": {"list": [variable]}, "panels": []})
    (back,) = to_classic(spec).model["templating"]["list"]
    assert {key: back.get(key) for key in variable} == variable
    assert to_v2(to_classic(spec).model) == spec


def test_annotations_survive() -> None:
    entries = [
        {"name": "A", "enable": True, "hide": False, "iconColor": "red", "expr": '{a="b"}',
         "datasource": {"type": "loki", "uid": "l"}},
        {"name": "B", "enable": True, "hide": False, "iconColor": "red", "target": {"expr": '{a="b"}'},
         "datasource": {"type": "loki", "uid": "l"}},
    ]  # fmt: skip
    spec = to_v2({"title": "T", "annotations": {"list": entries}, "panels": []})
    assert to_classic(spec).model["annotations"]["list"] == entries


@pytest.mark.parametrize(
    "spec",
    [{}, {"elements": [], "layout": []},
     {"elements": {"a": 1}, "layout": {"kind": "RowsLayout", "spec": {"rows": [1]}}},
     {"variables": [1], "annotations": {}, "timeSettings": []},
     {"elements": {"a": {"spec": {"data": {"spec": {"queries": {}}}}}}, "layout": {"spec": {"items": [{}]}}}],
)  # fmt: skip
def test_hostile_specs_are_read_as_far_as_they_go(spec: dict[str, Any]) -> None:
    made = to_classic(spec)
    assert isinstance(to_v2(made.model)["elements"], dict)
