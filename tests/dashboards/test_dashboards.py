"""The dashboards of the content, as their final JSON."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lokictl.grafana import validate
from lokictl.logql import parse
from lokictl.logql.ast import LogExpr
from lokictl.model import AlertingRule
from lokictl.project import load
from tests.dashboards.run import (
    END,
    ROOT,
    START,
    Values,
    all_values,
    dashboards,
    filled,
    frames,
    loki_queries,
    panels,
    project,
    run,
    store,
)

GOLDEN = Path(__file__).parent / "frames.json"
DASHBOARDS = dashboards()
SAYS_ITS_OWN = ("logs", "heatmap", "nodeGraph", "traces", "alertlist", "state-timeline")
"""Panels that never show a no-data text but their own."""
WITH_LOKI = [uid for uid, data in DASHBOARDS.items() if any(loki_queries(data))]


@pytest.fixture(scope="module")
def trace_id() -> str:
    """A trace that several services took part in."""
    from lokictl.engine import Engine

    lines = '{namespace="neurectomy"} | json | __error__="" | trace_id!=""'
    result = Engine(store()).query(f"topk(1, count by (trace_id) (count_over_time({lines} [30m])))", time=END)
    return result.vector[0][0]["trace_id"]


def values(uid: str, selection: str, trace_id: str) -> Values:
    """What the variables stand for: everything, one value each, or nothing."""
    every: Mapping[str, Any] = all_values(DASHBOARDS[uid])
    one = {"service": ["ryot"], "pod": ["ryot-7d9f8b6c5d-abc12"], "level": ["error"], "actor": ["svc-ryot"]}
    chosen: dict[str, Any] = {}
    for name, value in every.items():
        text = not isinstance(value, str) or value == "..*"
        chosen[name] = (
            value if selection == "all" or not text else one.get(name, value) if selection == "one" else ""
        )
    return {**chosen, "trace_id": trace_id, "traceId": trace_id}


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_the_schema_finds_nothing(uid: str) -> None:
    assert validate(DASHBOARDS[uid]) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("uid", DASHBOARDS)
def test_an_independent_model_reads_it(uid: str) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    model = Dashboard.from_json(DASHBOARDS[uid])
    again = json.loads(JSONEncoder(sort_keys=True).encode(model))
    assert again["uid"] == uid
    assert [panel.get("id") for panel in again["panels"]] == [
        panel.get("id") for panel in DASHBOARDS[uid]["panels"]
    ]


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_every_panel_says_what_it_shows(uid: str) -> None:
    described = [panel for panel in panels(DASHBOARDS[uid]) if panel["type"] != "text"]
    assert described
    for panel in described:
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"], panel
        assert len(panel["description"]) > 10, panel["title"]
        assert defaults["unit"], panel["title"]
        if panel["type"] not in SAYS_ITS_OWN:
            assert defaults.get("noValue"), panel["title"]


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_ids_are_unique_and_nothing_overlaps(uid: str) -> None:
    every = [panel for outer in DASHBOARDS[uid]["panels"] for panel in (outer, *outer.get("panels", []))]
    assert len({panel["id"] for panel in every}) == len(every)
    cells: set[tuple[int, int]] = set()
    assert DASHBOARDS[uid]["panels"]
    for panel in DASHBOARDS[uid]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        own = {(x, y) for x in columns for y in rows}
        assert not own & cells, panel["title"]
        cells |= own
    lines = {y for _, y in cells}
    assert len(cells) == 24 * len(lines) == 24 * (max(lines) + 1), "there is a hole"


TALL = 63
"""Grid lines of the tallest dashboard: about 2,400 pixels."""


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_no_dashboard_is_endless(uid: str) -> None:
    assert max(item["gridPos"]["y"] + item["gridPos"]["h"] for item in DASHBOARDS[uid]["panels"]) <= TALL


@pytest.mark.parametrize("selection", ["all", "one", "none"])
@pytest.mark.parametrize("uid", DASHBOARDS)
def test_every_query_parses_and_runs(uid: str, selection: str, trace_id: str) -> None:
    import promql_parser

    chosen = values(uid, selection, trace_id)
    queries = list(loki_queries(DASHBOARDS[uid]))
    assert bool(queries) == (uid in WITH_LOKI)
    for query in queries:
        run(query, chosen)  # raises for a query that Loki would refuse
    for panel in panels(DASHBOARDS[uid]):
        for target in panel["targets"]:
            if target["datasource"]["type"] == "prometheus":
                promql_parser.parse(filled(target["expr"], chosen))


@pytest.mark.parametrize("uid", WITH_LOKI)
def test_every_loki_panel_shows_data(uid: str, trace_id: str) -> None:
    chosen = values(uid, "all", trace_id)
    found = {query.key: frames(run(query, chosen)) for query in loki_queries(DASHBOARDS[uid])}
    golden: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    if os.environ.get("UPDATE_GOLDEN"):
        golden[uid] = found
        text = json.dumps(golden, indent=1, ensure_ascii=False, sort_keys=True)
        GOLDEN.write_text(text + "\n", encoding="utf-8")
    assert [name for name, count in found.items() if not count] == []
    assert golden.get(uid, {}) == found, "UPDATE_GOLDEN=1 writes the numbers anew"


def asked_of_loki(uid: str) -> list[dict[str, Any]]:
    """The variables whose values Loki gives."""
    return [
        variable
        for variable in DASHBOARDS[uid]["templating"]["list"]
        if variable["type"] == "query" and variable["datasource"]["type"] == "loki"
    ]


@pytest.mark.parametrize("uid", [uid for uid in DASHBOARDS if asked_of_loki(uid)])
def test_variables_have_values(uid: str) -> None:
    cases = list(asked_of_loki(uid))
    assert cases
    for variable in cases:
        asked = re.fullmatch(r"label_values\((?:(\{.*\}), )?(\w+)\)", variable["query"])
        assert asked, variable["query"]
        assert {stream.label_map.get(asked[2]) for stream in store()} - {None}, variable["name"]
        if variable["includeAll"]:
            assert variable["allValue"] == "..*"


def test_most_dashboards_ask_loki_for_values() -> None:
    assert sum(bool(asked_of_loki(uid)) for uid in DASHBOARDS) > len(DASHBOARDS) // 2


def test_the_same_code_gives_the_same_bytes() -> None:
    again = {item.uid: item.to_json() for item in load(ROOT).dashboards}
    assert json.dumps(again, sort_keys=True) == json.dumps(DASHBOARDS, sort_keys=True)


ALERTS = {rule.alert: rule for rule in project().rules if isinstance(rule, AlertingRule)}


@pytest.mark.parametrize("name", ALERTS)
def test_alerts_lead_to_their_panel_and_their_lines(name: str) -> None:
    """By a URL for people, by uid and id for Grafana; the lines are those that the alert's query reads."""
    rule = ALERTS[name]
    uid, panel = rule.annotations["__dashboardUid__"], rule.annotations["__panelId__"]
    url = urlsplit(rule.annotations["dashboard_url"])
    assert url.path == f"/d/{uid}"
    assert parse_qs(url.query) == {"from": ["now-1h"], "to": ["now"], "viewPanel": [panel]}
    (shown,) = [item for item in panels(DASHBOARDS[uid]) if str(item["id"]) == panel]
    assert shown["targets"]
    (query,) = json.loads(parse_qs(urlsplit(rule.annotations["lines_url"]).query)["panes"][0])["a"]["queries"]
    lines = parse(query["expr"])
    assert isinstance(lines, LogExpr)
    assert str(lines) in str(rule.expression)


def test_the_logs_are_of_the_time_that_is_asked_for() -> None:
    times = [entry.timestamp for stream in store() for entry in stream.entries]
    assert min(times) >= START
    assert max(times) < END
