"""Grafana's provisioning files: what each version understands, and what Grafana would choke on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.diagnostics import LokictlError
from lokictl.project import Project
from lokictl.render import parse_grafana_version, render, rendering
from lokictl.render.grafana import escape_dollars
from tests.render.samples import dashboard

MakeProject = Callable[..., Project]
PROVISIONING = "grafana/provisioning"

DOLLARS = [
    ("$__env{LOKI_URL}", "$__env{LOKI_URL}"),
    ("$__file{/run/secrets/loki}", "$__file{/run/secrets/loki}"),
    ("${LOKI_URL}/x", "${LOKI_URL}/x"),
    ("$LOKI_URL", "$LOKI_URL"),
    ("${my_url}", "${my_url}"),
    ("${__value.raw}", "$${__value.raw}"),
    ("$${__value.raw}", "$${__value.raw}"),
    ("$__interval", "$$__interval"),
    ("{$__tags}", "{$$__tags}"),
    ("${traceID}", "$${traceID}"),
    ("^trace_id$", "^trace_id$$"),
    ("^trace_id$$", "^trace_id$$"),
    ("Pa$$word", "Pa$$word"),
    ("$1", "$$1"),
    ('${__span.tags["http.path"]}', '$${__span.tags["http.path"]}'),
    ("no dollars", "no dollars"),
]


@pytest.mark.parametrize("written, expected", DOLLARS)
def test_dollars(written: str, expected: str) -> None:
    assert escape_dollars(written, frozenset({"my_url"})) == expected
    assert escape_dollars(expected, frozenset({"my_url"})) == expected, "once is enough"


@pytest.mark.parametrize(
    "text, version", [("12", (12, 0)), ("12.3", (12, 3)), ("v9.5.1", (9, 5)), ("13.0.0-beta1", (13, 0))]
)
def test_versions(text: str, version: tuple[int, int]) -> None:
    assert parse_grafana_version(text) == version


def sources(project: Project, version: str = "12.3") -> dict[str, dict[str, Any]]:
    files = dict(rendering(project, what=["grafana"], grafana_version=version))
    return {
        item["uid"]: item
        for item in yaml.safe_load(files[f"{PROVISIONING}/datasources/shop.yaml"])["datasources"]
    }


def test_an_entry(shop: Project) -> None:
    loki = sources(shop)["loki"]
    assert loki["url"] == "${LOKI_URL}"
    assert loki["secureJsonData"] == {"httpHeaderValue1": "$__env{LOKI_TENANT}"}
    assert "version" not in loki, "a version that does not grow makes Grafana ignore changes"
    by_line, by_label = loki["jsonData"]["derivedFields"]
    assert by_line["url"] == by_label["url"] == "$${__value.raw}"
    assert (by_line["matcherRegex"], by_label["matcherRegex"]) == ("id=(\\w+)$$", "^trace_id$$")


def test_label_matchers_begin_with_10_3(shop: Project) -> None:
    assert len(sources(shop, "10.3")["loki"]["jsonData"]["derivedFields"]) == 2
    (only,) = sources(shop, "10.2")["loki"]["jsonData"]["derivedFields"]
    assert only["matcherRegex"] == "id=(\\w+)$$"
    assert "matcherType" not in only


TREND: dict[str, Any] = {
    "id": 1,
    "type": "table",
    "title": "Services",
    "transformations": [
        {"id": "timeSeriesTable", "options": {"B": {"stat": "lastNotNull"}}},
        {"id": "merge", "options": {}},
    ],
    "targets": [{"refId": "A", "expr": "1"}, {"refId": "B", "expr": "2"}],
}


@pytest.mark.parametrize("version, queries", [("10.2", ["A"]), ("10.3", ["A", "B"]), ("13.0", ["A", "B"])])
@pytest.mark.parametrize("inside", [False, True], ids=["loose", "in a row"])
def test_trends_in_tables_begin_with_10_3(
    make_project: MakeProject, version: str, queries: list[str], inside: bool
) -> None:
    model = dashboard(
        panels=[{"id": 2, "type": "row", "title": "R", "panels": [TREND]}] if inside else [TREND]
    )
    project = make_project({"dashboards/orders.json": json.dumps(model)})
    files = dict(rendering(project, what=["grafana"], grafana_version=version))
    (panel,) = json.loads(files[f"{PROVISIONING}/dashboards/shop/orders.json"])["panels"]
    panel = panel["panels"][0] if inside else panel
    assert [target["refId"] for target in panel["targets"]] == queries
    steps = [step["id"] for step in panel["transformations"]]
    assert steps == (["merge"] if queries == ["A"] else ["timeSeriesTable", "merge"])
    assert len(TREND["transformations"]) == 2


def test_traces_to_logs_before_9_5(shop: Project) -> None:
    assert "tracesToLogs" not in sources(shop, "9.5")["jaeger"]["jsonData"]
    data = sources(shop, "9.0")["jaeger"]["jsonData"]
    assert data["tracesToLogs"]["mappedTags"] == [{"key": "service.name", "value": "service"}]
    assert data["tracesToLogs"]["spanStartTimeShift"] == "-5m"
    assert data["tracesToLogsV2"]["query"] == '{$${__tags}} |= "$${__trace.traceId}"'


PLAIN_FILE = """\
apiVersion: 1
datasources:
  - name: Logs
    type: loki
    uid: logs
    url: http://loki:3100
    orgId: 2
    withCredentials: true
    version: 3
    jsonData: { timeout: 30, maxLines: 500 }
    correlations:
      - targetUID: traces
        config: { type: query, field: Line, target: { query: "$${traceID}" } }
"""


def test_a_provisioning_file_keeps_what_it_says(make_project: MakeProject) -> None:
    project = make_project({"datasources/logs.yaml": PLAIN_FILE})
    logs = sources(project)["logs"]
    assert (logs["orgId"], logs["withCredentials"], logs["jsonData"]) == (
        2,
        True,
        {"timeout": 30, "maxLines": 500},
    )
    assert "version" not in logs
    assert logs["correlations"] == [
        {
            "label": "",
            "description": "",
            "targetUID": "traces",
            "config": {"type": "query", "field": "Line", "target": {"query": "$${traceID}"}},
        }
    ]
    assert "correlations" not in sources(project, "9.5")["logs"]
    assert "correlations" not in project.datasources[0].with_environment()


def test_pruning_begins_with_12(shop: Project) -> None:
    for version, expected in (("11.6", None), ("12.0", True), ("13", True)):
        text = dict(rendering(shop, what=["grafana"], grafana_version=version))
        assert yaml.safe_load(text[f"{PROVISIONING}/datasources/shop.yaml"]).get("prune") is expected


SOURCE = 'from lokictl.model import DataSource\nA = DataSource(name="A", type="loki", uid="a", url="http://a", {})\n'


@pytest.mark.parametrize(
    "fields, message",
    [
        (
            'secure_json_data={"basicAuthPassword": "hunter2"}',
            "`basicAuthPassword` of the data source A is a secret",
        ),
        (
            'secure_json_data={"httpHeaderValue1": "Bearer x"}, json_data={"httpHeaderName1": "Authorization"}',
            "secret",
        ),
        ('secure_json_data={"password": "x$__env{A}"}', "`password` of the data source A is a secret"),
    ],
)
def test_secrets_in_plain_text(make_project: MakeProject, fields: str, message: str) -> None:
    project = make_project({"datasources/a.py": SOURCE.format(fields)})
    with pytest.raises(LokictlError, match=message) as caught:
        rendering(project)
    assert "hunter2" not in str(caught.value.problems)
    assert "$__env{NAME}" in caught.value.problems[0].hint


@pytest.mark.parametrize(
    "value",
    ["$__env{A}", "$__file{/a/b}", "${A}", ""],
)
def test_secrets_by_reference(make_project: MakeProject, value: str) -> None:
    project = make_project({"datasources/a.py": SOURCE.format(f'secure_json_data={{"password": "{value}"}}')})
    text = dict(rendering(project))[f"{PROVISIONING}/datasources/shop.yaml"]
    expected = "$__env{A}" if value == "${A}" else value
    assert yaml.safe_load(text)["datasources"][0]["secureJsonData"]["password"] == expected


def test_a_tenant_is_not_a_secret(make_project: MakeProject) -> None:
    fields = 'json_data={"httpHeaderName1": "X-Scope-OrgID"}, secure_json_data={"httpHeaderValue1": "demo"}'
    text = dict(rendering(make_project({"datasources/a.py": SOURCE.format(fields)})))
    assert "httpHeaderValue1: demo" in text[f"{PROVISIONING}/datasources/shop.yaml"]


def test_a_password_in_a_url(make_project: MakeProject) -> None:
    project = make_project({"datasources/a.py": SOURCE.format("").replace("http://a", "http://me:secret@a")})
    with pytest.raises(LokictlError, match="the password in the URL") as caught:
        rendering(project)
    assert "me:secret" not in str(caught.value.problems)


def test_two_defaults(make_project: MakeProject) -> None:
    text = SOURCE.format("is_default=True")
    other = text.replace('"A"', '"B"').replace('"a"', '"b"').replace("A =", "B =")
    project = make_project({"datasources/a.py": text + other})
    with pytest.raises(LokictlError, match="several default data sources: A, B"):
        rendering(project)


# --- dashboards ----------------------------------------------------------------------------------------------


def test_dashboards_are_bare_objects_without_id(shop: Project) -> None:
    files = dict(rendering(shop, what=["grafana"]))
    model = json.loads(files[f"{PROVISIONING}/dashboards/shop/orders.json"])
    assert model == dashboard()


def test_half_a_character_stays_an_escape(make_project: MakeProject, tmp_path: Path) -> None:
    text = json.dumps(dashboard(description="half: \ud83d"))
    project = make_project({"dashboards/orders.json": text})
    render(project, tmp_path / "out")
    written = (tmp_path / f"out/{PROVISIONING}/dashboards/shop/orders.json").read_text()
    assert json.loads(written) == json.loads(text)
    assert "\\ud83d" in written


def test_each_folder_has_a_provider_with_a_uid_of_ours(make_project: MakeProject) -> None:
    board = (
        "class Board:\n    def __init__(self, uid, folder):\n"
        "        self.uid, self.title, self.folder = uid, uid.upper(), folder\n"
        "    def to_json(self):\n        return {'uid': self.uid, 'title': self.title, 'panels': []}\n"
        "ALL = [Board('a', 'The team'), Board('b', ''), Board('c', 'The team')]\n"
    )
    files = dict(rendering(make_project({"dashboards/boards.py": board})))
    providers = yaml.safe_load(files[f"{PROVISIONING}/dashboards/shop.yaml"])["providers"]
    assert [(item["name"], item["folder"], item["folderUid"]) for item in providers] == [
        ("shop", "shop", "shop"),
        ("shop-the-team-012a28", "The team", "the-team-012a28"),
    ]
    assert f"{PROVISIONING}/dashboards/the-team-012a28/c.json" in files
    assert f"{PROVISIONING}/dashboards/shop/b.json" in files


@pytest.mark.parametrize(
    "boards, message",
    [
        ([dashboard(title="")], "a dashboard without title"),
        ([dashboard(title="Shop")], "shares title or uid with a folder"),
        ([dashboard(uid="shop")], "shares title or uid with a folder"),
        ([dashboard(), dashboard(uid="two")], 'two dashboards with the title "Orders"'),
        ([dashboard(uid="a"), dashboard(uid="A", title="Other")], "would both be written as a.json"),
        ([dashboard(__inputs=[{"name": "DS_LOKI"}])], "provisioning never fills DS_LOKI"),
    ],
)
def test_what_grafana_would_not_load(
    make_project: MakeProject, boards: list[dict[str, Any]], message: str
) -> None:
    files = {f"dashboards/{number}.json": json.dumps(board) for number, board in enumerate(boards)}
    with pytest.raises(LokictlError, match=message):
        rendering(make_project(files))


def test_a_dashboard_without_uid(make_project: MakeProject) -> None:
    board = {key: value for key, value in dashboard().items() if key != "uid"}
    with pytest.raises(LokictlError, match="has no uid"):
        rendering(make_project({"dashboards/a.json": json.dumps(board)}))
