"""Tabs, automatic grids and conditions: schema v2 as published, and what a classic model makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lokictl.grafana import (
    AutoGrid,
    Column,
    Dashboard,
    DataSourceRef,
    Logs,
    LokiTarget,
    Row,
    ShowWhen,
    Tab,
    Tabs,
    TimeSeries,
    validate,
)
from lokictl.model.dashboard_schema import spec_for, to_classic, to_v2
from lokictl.project import load

ROOT = Path(__file__).resolve().parents[2]


def relaxed(schema: Any) -> Any:
    """The schema with "anything" where its generator wrote "any object": Grafana's own dashboards have texts there."""
    if isinstance(schema, list):
        return [relaxed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "object" and schema.get("additionalProperties") == {}:
        return {}
    return {key: relaxed(value) for key, value in schema.items()}


def published(version: str) -> dict[str, Any]:
    schema = json.loads((ROOT / f"tests/data/schemas/dashboard-{version}.json").read_text())
    return {**relaxed(schema), "$ref": "#/definitions/Dashboard"}


SCHEMAS = {version: published(version) for version in ("v2beta1", "v2")}
LOKI = DataSourceRef("loki", "loki")


def graph(title: str) -> TimeSeries:
    target = LokiTarget(datasource=LOKI, expr='sum(rate({app="a"}[$__auto]))')
    return TimeSeries(title=title, unit="short", no_data="no lines", targets=[target])


def lines(title: str) -> Logs:
    return Logs(title=title, targets=[LokiTarget(datasource=LOKI, expr='{app="a"}')])


def dashboard(*content: Any) -> Dashboard:
    return Dashboard(uid="d", title="D", content=list(content))


TABS = Tabs(
    [
        Tab("Overview", [AutoGrid([graph("A"), graph("B"), graph("C")], columns=2, row_height="short")]),
        Tab(
            "Details",
            [
                lines("Loose"),
                Row("Slow", [graph("D"), Column([graph("E"), graph("F")])], when=ShowWhen(has_data=True)),
                Row("Each", [AutoGrid([graph("G")])], repeat="app"),
            ],
            when=ShowWhen([("env", "equals", "prod")], within="7d", any_of=True),
            repeat="app",
        ),
    ]
)
CONTENTS = {
    "tabs": dashboard(TABS),
    "rows": dashboard(graph("X"), Row("R", [lines("Y")], collapsed=True), Row("S", [graph("Z")])),
    "an automatic grid": dashboard(AutoGrid([graph("A"), graph("B")])),
    "a mixed grid": dashboard(graph("A"), AutoGrid([graph("B"), graph("C")]), Row("R", [graph("D")])),
}


@pytest.mark.parametrize("made", CONTENTS.values(), ids=CONTENTS.keys())
def test_both_schemas_are_valid(made: Dashboard) -> None:
    spec = made.to_v2()
    assert SCHEMAS
    for version, schema in SCHEMAS.items():
        jsonschema.validate(spec_for(spec, version), schema)
    assert validate(made.to_json()) == []
    placed = json.dumps(spec["layout"])
    assert all(f'"{name}"' in placed for name in spec["elements"])


def test_every_dashboard_of_this_project_is_valid() -> None:
    found = load(ROOT).dashboards
    assert found
    for made in found:
        spec = to_v2(made.to_json())
        for version, schema in SCHEMAS.items():
            jsonschema.validate(spec_for(spec, version), schema)
        assert spec_for(spec_for(spec, "v2"), "v2beta1") == spec


def shape(layout: Any, titles: dict[str, str]) -> Any:
    """A layout as nested lists of titles."""
    spec = layout["spec"]
    for key in ("tabs", "rows"):
        if key in spec:
            return [(item["spec"]["title"], shape(item["spec"]["layout"], titles)) for item in spec[key]]
    found = [titles[item["spec"]["element"]["name"]] for item in spec["items"]]
    return {"auto": found} if layout["kind"] == "AutoGridLayout" else found


def test_the_layout_is_what_was_asked_for() -> None:
    spec = CONTENTS["tabs"].to_v2()
    titles = {name: element["spec"]["title"] for name, element in spec["elements"].items()}
    assert shape(spec["layout"], titles) == [
        ("Overview", {"auto": ["A", "B", "C"]}),
        ("Details", [("", ["Loose"]), ("Slow", ["D", "E", "F"]), ("Each", {"auto": ["G"]})]),
    ]
    tab = spec["layout"]["spec"]["tabs"][1]["spec"]
    assert tab["conditionalRendering"]["spec"]["condition"] == "or"
    assert tab["repeat"] == {"mode": "variable", "value": "app"}


def test_the_classic_model_has_rows_and_says_so() -> None:
    made = CONTENTS["tabs"]
    panels = made.to_json()["panels"]
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == [
        "Overview",
        "Details",
        "Details / Slow",
        "Details / Each",
    ]
    assert [panel["gridPos"]["w"] for panel in panels[1:3]] == [12, 12]
    assert made.lost_in_classic() == [
        "tabs become rows",
        "automatic grids become fixed positions",
        "conditions on which rows and panels are shown are left out",
        "repeated tabs become repeated rows",
    ]
    assert CONTENTS["rows"].lost_in_classic() == []
    rows = [panel["title"] for panel in to_classic(made.to_v2()).model["panels"] if panel["type"] == "row"]
    assert rows == ["Overview", "Details", "Slow", "Each"]


def test_wrong_use() -> None:
    with pytest.raises(ValueError, match="all that a dashboard has"):
        dashboard(graph("A"), TABS).to_v2()
    with pytest.raises(ValueError, match="no condition"):
        ShowWhen().to_json_data()
