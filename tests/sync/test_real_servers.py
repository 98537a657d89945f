"""The whole way on real servers: first sync, nothing to do, a change, rollback, pruning."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from lokictl.cli.main import cli
from lokictl.project import load
from lokictl.starter import start
from lokictl.sync.configuration import load_target
from lokictl.sync.plan import Outcome, Plan, Status
from lokictl.sync.session import Servers, Session, only_server
from tests.stack.grafana_server import NEEDS_GRAFANA, grafana
from tests.stack.servers import needs, wait_for
from tests.sync.lab import SOURCE, Lab, Urls

pytestmark = [
    pytest.mark.real_loki,
    pytest.mark.real_grafana,
    pytest.mark.slow,
    needs("loki"),
    *NEEDS_GRAFANA,
]

TARGET = """
[targets.test.grafana]
url = "{grafana}"
basic = {{ user = "admin", password = {{ env = "TEST_GRAFANA_PASSWORD" }} }}

[targets.test.loki]
url = "{loki}"
tenants = ["demo"]
namespaces = ["shop"]
"""


@pytest.fixture(scope="module")
def project(urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new content project whose target is a real Loki and a real Grafana."""
    root = tmp_path_factory.mktemp("project") / "mine"
    start(root)
    file = root / "lokictl.toml"
    target = TARGET.format(grafana=urls.grafana, loki=urls.loki)
    file.write_text(file.read_text(encoding="utf-8") + target, encoding="utf-8")
    return root


def rule(name: str, expr: str = "vector(0) > 1") -> dict[str, Any]:
    return {"alert": name, "expr": expr}


def run(project: Path, command: str, *arguments: str) -> tuple[int, str]:
    runner = CliRunner(env={"TEST_GRAFANA_PASSWORD": "admin", "NO_COLOR": "1"})
    result = runner.invoke(cli, [command, "--project", str(project), *arguments], standalone_mode=False)
    assert result.exception is None, result.exception
    return int(result.return_value or 0), result.output


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_whole_way(project: Path) -> None:
    status, output = run(project, "diff")
    assert (status, "4 to create" in output) == (3, True), output
    status, output = run(project, "sync", "--yes")
    assert (status, "done: 4 changes" in output) == (0, True), output
    status, output = run(project, "diff")
    assert (status, output.strip()) == (0, "test: 4 unchanged")

    replace(project / "rules" / "shop.py", "> 10", "> 20")
    replace(project / "dashboards" / "shop.py", 'title="Errors"', 'title="Failures"')
    status, output = run(project, "diff")
    assert status == 3
    assert "title: Errors → Failures" in output
    assert "2 to update, 2 unchanged" in output
    status, output = run(project, "sync", "--yes")
    assert (status, "done: 2 changes" in output) == (0, True), output

    status, output = run(project, "rollback", "--yes")
    assert (status, "done: 2 changes" in output) == (0, True), output
    replace(project / "rules" / "shop.py", "> 20", "> 10")
    replace(project / "dashboards" / "shop.py", 'title="Failures"', 'title="Errors"')
    status, output = run(project, "diff")
    assert (status, output.strip()) == (0, "test: 4 unchanged")

    (project / "dashboards" / "shop.py").unlink()
    status, output = run(project, "diff")
    assert (status, "1 kept, 3 unchanged" in output) == (0, True), output
    status, output = run(project, "sync", "--yes", "--prune", "--allow-empty")
    assert (status, 'deleted dashboard "Shop"' in output) == (0, True), output


def test_rollback_puts_back_what_equals_a_secret(lab: Lab) -> None:
    lab.environment["SECRET"] = "checkout"
    lab.source("s1", "${SECRET}")
    lab.dashboards(d1="Errors of checkout")
    lab.run("sync", "--yes")
    lab.dashboards(d1="Failures of checkout")
    lab.run("sync", "--yes")
    lab.environment["SECRET"] = "payments"
    lab.run("rollback", "--yes")
    assert lab.title("d1") == "Errors of checkout"


@pytest.mark.parametrize("option", ["fail", "skip", "overwrite"])
def test_a_data_source_of_another_uid(lab: Lab, option: str) -> None:
    lab.source("one", "secret")
    lab.run("sync", "--yes")
    lab.source("two", "secret")
    assert "takes the place of one" in lab.run("diff", "--prune", status=3)
    lab.run("sync", "--yes", "--prune", "--on-conflict", option)
    assert lab.sources() == {"two": "Source"}
    lab.run("diff", "--prune")
    lab.run("rollback", "--yes")
    assert lab.sources() == {"one": "Source"}


def test_dashboards_of_another_uid(lab: Lab) -> None:
    lab.dashboards(a="A", b="B")
    lab.run("sync", "--yes")
    (lab.root / "dashboards" / "a.json").unlink()
    lab.dashboards(c="A")
    lab.run("sync", "--yes", "--prune")
    assert [lab.title(uid) for uid in "abc"] == ["", "B", "A"]
    lab.run("diff", "--prune")


V2 = {"title": "By hand", "elements": {}, "layout": {"kind": "GridLayout", "spec": {"items": []}}}


@pytest.mark.parametrize("count", [2, 9])
def test_a_dashboard_that_is_stored_in_the_new_schema(lab: Lab, count: int) -> None:
    lab.dashboards(**{f"d{number}": f"D {number}" for number in range(count)})
    lab.run("sync", "--yes")
    path = f"/apis/dashboard.grafana.app/v2beta1/namespaces/org-{lab.org}/dashboards"
    spec = new_spec("By hand")
    item = {"apiVersion": "dashboard.grafana.app/v2beta1", "kind": "Dashboard", "metadata": {"name": "d1"}}
    lab.call("PUT", f"{path}/d1", {**item, "spec": spec})
    output = lab.run("diff", status=3)
    assert f"1 in conflict, {count} unchanged" in output
    assert "schema: v2beta1 → classic" in output
    lab.dashboards(d0="Other")
    lab.run("sync", "--yes", "--on-conflict", "skip")
    assert lab.title("d0") == "Other"
    before = (lab.root / "dashboards" / "d1.json").read_text()
    lab.run("sync", "--yes", "--on-conflict", "overwrite")
    assert lab.title("d1") == "D 1"
    lab.run("diff")
    lab.run("rollback", "--yes")
    stored = lab.call("GET", f"{path}/d1")
    assert stored["spec"]["title"] == "By hand"
    assert "status" not in stored or not stored["status"].get("conversion")
    assert (lab.root / "dashboards" / "d1.json").read_text() == before


def test_two_projects_of_one_name(lab: Lab, urls: Urls, tmp_path: Path) -> None:
    lab.dashboards(a="A", b="B")
    lab.run("sync", "--yes")
    assert "id = " in (lab.root / "lokictl.toml").read_text()
    other = Lab(tmp_path / "other", urls, f"{lab.name}-b")
    other.org = lab.org
    other.configure(name=lab.name)
    other.dashboards(c="C")
    for command in (("diff", "--prune"), ("sync", "--yes", "--prune")):
        output = other.run(*command, status=1)
        assert "another project named" in output
        assert "this one has no id" in output
    assert [lab.title(uid) for uid in "abc"] == ["A", "B", ""]
    moved = tmp_path / "elsewhere"
    lab.root.rename(moved)
    lab.root = moved
    lab.dashboards(a="Other")
    lab.run("sync", "--yes", "--prune")
    assert lab.title("a") == "Other"


def test_rules_of_ours_and_of_others(lab: Lab) -> None:
    """Without ``namespaces``: ours are known, changed and pruned; what was made or edited by hand is not."""
    lab.rules("mini", {"name": "g", "rules": [rule("A")]}, {"name": "h", "rules": [rule("H")]})
    lab.rules("more", {"name": "m", "rules": [rule("M")]})
    lab.run("sync", "--yes")
    lab.run("diff")
    lab.put_rules("mini", {"name": "byhand", "rules": [rule("X")]})
    lab.put_rules("mini", {"name": "g", "rules": [rule("A", "vector(0) > 5")]})
    lab.rules(
        "mini", {"name": "g", "rules": [rule("A", "vector(0) > 9")]}, {"name": "h", "rules": [rule("I")]}
    )
    (lab.root / "rules" / "more.yaml").unlink()
    output = lab.run("diff", "--prune", status=3)
    assert "rule group mini/g" in output
    assert "1 in conflict" in output
    assert "byhand" not in output
    lab.run("sync", "--yes", "--prune", "--on-conflict", "skip")
    found = lab.ruler()
    assert set(found) == {"mini"}
    assert set(found["mini"]) == {"g", "h", "byhand"}
    assert found["mini"]["g"]["rules"][0]["expr"] == "vector(0) > 5"
    assert found["mini"]["h"]["rules"][0]["alert"] == "I"
    lab.run("sync", "--yes", "--prune", "--on-conflict", "overwrite")
    assert lab.ruler()["mini"]["g"]["rules"][0]["expr"] == "vector(0) > 9"


def test_rules_without_a_grafana(lab: Lab) -> None:
    text = (lab.root / "lokictl.toml").read_text()
    start_of_loki = text.index("[targets.test.loki]")
    (lab.root / "lokictl.toml").write_text(f'name = "{lab.name}"\n\n{text[start_of_loki:]}')
    lab.rules("mini", {"name": "g", "rules": [rule("A")]}, {"name": "h", "rules": [rule("H")]})
    lab.run("sync", "--yes")
    lab.run("diff")
    lab.rules("mini", {"name": "g", "rules": [rule("B")]})
    lab.run("sync", "--yes", "--prune")
    assert lab.ruler()["mini"]["g"]["rules"][0]["alert"] == "B"
    assert set(lab.ruler()["mini"]) == {"g"}
    lab.run("diff")


@pytest.mark.parametrize("text", ["$SECRET", "${SECRET}", "$__env{SECRET}"])
def test_a_secret_is_what_grafana_would_make_of_it(lab: Lab, text: str) -> None:
    """Seen from behind Grafana's proxy."""
    seen: list[str] = []

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("X-Scope-OrgID", ""))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Echo) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        lab.environment["SECRET"] = "tenant-of-the-test"
        lab.source("s1", text)
        file = lab.root / "datasources" / "sources.yaml"
        file.write_text(file.read_text().replace("127.0.0.1:1", f"127.0.0.1:{listener.server_port}"))
        lab.run("sync", "--yes")
        requests.get(
            f"{lab.urls.grafana}/api/datasources/proxy/uid/s1/loki/api/v1/labels",
            headers={"X-Grafana-Org-Id": str(lab.org)},
            auth=("admin", "admin"),
            timeout=30,
        )
        listener.shutdown()
    assert seen == ["tenant-of-the-test"]


def test_nothing_unresolved_is_uploaded(lab: Lab) -> None:
    lab.source("s1", "$SECRET_THAT_IS_NOT_SET")
    assert "SECRET_THAT_IS_NOT_SET not set" in lab.run("sync", "--yes")
    assert lab.call("GET", "/api/datasources/uid/s1")["secureJsonFields"] == {}


def test_many_dashboards_of_an_old_version(lab: Lab) -> None:
    lab.dashboards(**{f"d{number}": f"D {number}" for number in range(10)})
    lab.run("sync", "--yes")
    lab.run("diff")
    lab.dashboards(d3="Other")
    assert lab.run("diff", status=3).splitlines()[:2] == [
        '~ dashboard "Other" (d3): update',
        "    ~ title: D 3 → Other",
    ]
    lab.run("sync", "--yes")
    assert lab.title("d3") == "Other"
    (lab.root / "dashboards" / "d4.json").unlink()
    lab.run("sync", "--yes", "--prune")
    assert lab.title("d4") == ""
    lab.run("diff", "--prune")


@pytest.mark.parametrize("count", [2, 9])
def test_an_editor_makes_the_first_sync(lab: Lab, count: int) -> None:
    lab.dashboards(**{f"d{number}": f"D {number}" for number in range(count)})
    file = lab.root / "lokictl.toml"
    text = file.read_text().replace(
        'basic = { user = "admin", password = { env = "TEST_GRAFANA_PASSWORD" } }',
        'token = { env = "TOKEN" }',
    )
    file.write_text(text.replace(f"org = {lab.org}\n", ""))
    lab.environment["TOKEN"] = lab.token("Editor")
    lab.run("sync", "--yes")
    lab.run("diff")
    viewer = lab.token("Viewer")
    lab.environment["TOKEN"] = viewer
    lab.run("diff")
    lab.dashboards(d1="Other")
    assert "403" in lab.run("sync", "--yes", status=1)
    file.write_text(text.replace(f"org = {lab.org}\n", "org = 1\n"))
    assert "belongs to another organization than org = 1" in lab.run("diff", status=1)


def test_folders_that_change(lab: Lab) -> None:
    lab.dashboards(a="A", b="B")
    lab.run("sync", "--yes")
    for folder in ('"Other title"', '{ uid = "second", title = "Second" }', '"General"', '"Again"'):
        text = (lab.root / "lokictl.toml").read_text()
        table = f"\n[targets.test]\nfolder = {folder}\n"
        text = re.sub(r"\n\[targets\.test\]\nfolder = .*\n", "", text) + table
        (lab.root / "lokictl.toml").write_text(text)
        lab.run("sync", "--yes", "--prune", "--on-conflict", "overwrite")
        lab.run("diff", "--prune")
        titles = {row["title"] for row in lab.call("GET", "/api/folders")}
        assert (
            titles
            == {"Other title": {"Other title"}, "Second": {"Second"}, "General": set(), "Again": {"Again"}}[
                re.sub(r'.*"(.*)".*', r"\1", folder)
            ]
        )
    lab.call("DELETE", f"/api/folders/{lab.call('GET', '/api/folders')[0]['uid']}")
    lab.run("sync", "--yes", "--prune")
    assert lab.title("a") == "A"
    lab.run("diff", "--prune")


def test_a_folder_with_things_of_others_is_kept(lab: Lab) -> None:
    lab.dashboards(a="A", b="B")
    folders = '\n[sync.folders.extra]\ntitle = "Extra"\ndashboards = ["b"]\n'
    lab.configure(folders)
    lab.run("sync", "--yes")
    lab.call("POST", "/api/dashboards/db", {"dashboard": {"uid": "x", "title": "X"}, "folderUid": "extra"})
    text = (lab.root / "lokictl.toml").read_text()
    (lab.root / "lokictl.toml").write_text(text.replace(folders, ""))
    assert 'contains dashboard "X"' in lab.run("sync", "--yes", "--prune")
    lab.run("diff", "--prune")
    assert lab.title("x") == "X"


def test_a_secret_that_was_changed_by_hand(lab: Lab) -> None:
    lab.source("s1", "ours")
    lab.run("sync", "--yes")
    lab.run("diff")
    live = lab.call("GET", "/api/datasources/uid/s1")
    lab.call("PUT", "/api/datasources/uid/s1", {**live, "secureJsonData": {"httpHeaderValue1": "theirs"}})
    assert "perhaps with other secrets" in lab.run("diff", status=3)
    lab.run("sync", "--yes", "--on-conflict", "overwrite")
    lab.run("diff")


def test_a_folder_that_was_deleted_by_hand(lab: Lab) -> None:
    lab.source("s1", "ours")
    lab.dashboards(a="A")
    lab.run("sync", "--yes")
    lab.call("DELETE", f"/api/folders/{lab.call('GET', '/api/folders')[0]['uid']}")
    lab.run("sync", "--yes", "--prune")
    assert lab.title("a") == "A"
    lab.run("diff", "--prune")


def test_back_to_a_time(lab: Lab) -> None:
    lab.dashboards(a="First", b="B")
    lab.rules("mini", {"name": "g", "rules": [rule("A")]})
    lab.run("sync", "--yes")
    for title in ("Second", "Third", "Fourth"):
        lab.dashboards(a=title, **({"b": title} if title == "Third" else {}))
        if title == "Third":
            lab.rules("mini", {"name": "g", "rules": [rule("B")]})
        lab.run("sync", "--yes")
    names = [line.split()[0] for line in lab.run("rollback", "--list").splitlines()]
    lab.run("rollback", names[2], "--yes")
    assert (lab.title("a"), lab.title("b")) == ("First", "B")
    assert lab.ruler()["mini"]["g"]["rules"][0]["alert"] == "A"


def test_wrong_rules_are_found_before_anything_is_sent(lab: Lab) -> None:
    lab.dashboards(a="A")
    lab.rules("mini", {"name": "g", "rules": [rule("A"), rule("B", "sum(rate({a=}[5m]))")]})
    assert "parse error" in lab.run("sync", "--yes", status=1)
    assert lab.title("a") == ""
    output = lab.run("sync", "--yes", "--no-check", status=1)
    assert "400" in output


def test_a_target_of_schema_v2(lab: Lab) -> None:
    lab.dashboards(a="A", b="B")
    lab.run("sync", "--yes")
    file = lab.root / "lokictl.toml"
    text = file.read_text()
    file.write_text(
        text.replace("[targets.test.loki]", '[targets.test]\nschema = "v2"\n\n[targets.test.loki]')
    )
    assert "schema: classic → v2" in lab.run("diff", status=3)
    lab.run("sync", "--yes")
    lab.run("diff")
    path = f"/apis/dashboard.grafana.app/v2beta1/namespaces/org-{lab.org}/dashboards/a"
    assert lab.call("GET", path)["spec"]["layout"]["kind"] == "GridLayout"
    lab.dashboards(a="Other")
    lab.run("sync", "--yes")
    assert lab.call("GET", path)["spec"]["title"] == "Other"
    lab.run("rollback", "--yes")
    assert lab.call("GET", path)["spec"]["title"] == "A"
    lab.dashboards(a="A")
    file.write_text(text)
    lab.run("sync", "--yes")
    assert lab.title("a") == "A"
    lab.run("diff")


def test_what_is_pulled_is_adopted_without_a_write(lab: Lab) -> None:
    """A classic dashboard of an old schemaVersion, one in the new schema, a data source with a secret, rules."""
    body = {"uid": "old", "title": "Old", "schemaVersion": 14, "rows": [{"title": "R", "panels": []}]}
    lab.call("POST", "/api/dashboards/db", {"dashboard": body})
    for number in range(9):
        lab.call("POST", "/api/dashboards/db", {"dashboard": {"uid": f"d{number}", "title": f"D {number}"}})
    item = {"apiVersion": "dashboard.grafana.app/v2beta1", "kind": "Dashboard", "metadata": {"name": "new"}}
    path = f"/apis/dashboard.grafana.app/v2beta1/namespaces/org-{lab.org}/dashboards"
    lab.call("POST", path, {**item, "spec": new_spec("New")})
    lab.put_rules("mini", {"name": "g", "rules": [rule("A")]})
    before = {uid: lab.call("GET", f"/api/dashboards/uid/{uid}") for uid in ("old", "d1")}
    output = lab.run("pull", "--force")
    assert "not the same as on the server" not in output
    further = output.partition("so that sync keeps it:")[2]
    with (lab.root / "lokictl.toml").open("a") as file:
        file.write(further)
    plan = lab.run("diff")
    assert "lokictl's record to bring up to date" in plan, plan
    lab.run("sync", "--yes")
    assert before == {uid: lab.call("GET", f"/api/dashboards/uid/{uid}") for uid in ("old", "d1")}
    assert lab.call("GET", f"{path}/new")["metadata"]["generation"] == 1
    lab.run("diff", "--prune")


def new_spec(title: str) -> dict[str, Any]:
    defaults = {
        "cursorSync": "Off",
        "preload": False,
        "links": [],
        "tags": [],
        "variables": [],
        "annotations": [],
    }
    times = {
        "from": "now-6h",
        "to": "now",
        "autoRefresh": "",
        "autoRefreshIntervals": [],
        "hideTimepicker": False,
    }
    return {**V2, **defaults, "title": title, "timeSettings": {**times, "fiscalYearStartMonth": 0}}


def test_single_resources_and_saved_plans(lab: Lab) -> None:
    lab.dashboards(a="A", b="B")
    lab.rules("mini", {"name": "g", "rules": [rule("A")]})
    lab.run("sync", "--yes", "dashboards/a")
    assert (lab.title("a"), lab.title("b"), lab.ruler()) == ("A", "", {})
    file = lab.root / "plan.json"
    lab.run("diff", "--out", str(file), status=3)
    lab.run("sync", "--plan", str(file))
    assert (lab.title("b"), set(lab.ruler())) == ("B", {"mini"})
    assert "is out of date" in lab.run("sync", "--plan", str(file), status=1)


def test_nested_folders_with_permissions(lab: Lab) -> None:
    lab.dashboards(a="A", b="B")
    lab.call("POST", "/api/teams", {"name": "Backend"})
    folders = """
[sync.folders.inner]
title = "Inner"
parent = "outer"
dashboards = ["a"]
permissions = { Viewer = "View", "team:Backend" = "Edit", "user:admin" = "Admin" }

[sync.folders.outer]
title = "Outer"
"""
    lab.configure(folders)
    lab.run("sync", "--yes")
    lab.run("diff", "--prune")
    assert lab.call("GET", "/api/folders/inner")["parentUid"] == "outer"
    rows = lab.call("GET", "/api/folders/inner/permissions")
    own = {(row.get("role") or row.get("team") or row["userLogin"], row["permissionName"]) for row in rows}
    assert {("Viewer", "View"), ("Backend", "Edit"), ("admin", "Admin")} <= own
    lab.configure(folders.replace('"Inner"', '"Renamed"').replace('parent = "outer"\n', ""))
    lab.run("sync", "--yes", "--prune")
    moved = lab.call("GET", "/api/folders/inner")
    assert (moved["title"], moved.get("parentUid")) == ("Renamed", None)
    assert lab.call("GET", "/api/dashboards/uid/a")["meta"]["folderUid"] == "inner"
    assert lab.call("GET", "/api/folders/outer") is None
    lab.run("diff", "--prune")
    lab.configure(folders.replace('"Edit"', '"Admin"'))
    lab.run("sync", "--yes")
    lab.run("diff")


def test_directories_become_folders(lab: Lab) -> None:
    lab.dashboards(a="A", b="B")
    lab.configure("\n[sync]\nfolders_from_directories = true\n")
    (lab.root / "dashboards" / "Team" / "Logs").mkdir(parents=True)
    (lab.root / "dashboards" / "a.json").rename(lab.root / "dashboards" / "Team" / "Logs" / "a.json")
    lab.run("sync", "--yes")
    found = lab.call("GET", "/api/dashboards/uid/a")["meta"]
    assert found["folderTitle"] == "Logs"
    uid = found["folderUid"]
    (lab.root / "dashboards" / "Team" / "Logs").rename(lab.root / "dashboards" / "Team" / "Log lines")
    lab.run("sync", "--yes", "--prune")
    found = lab.call("GET", "/api/dashboards/uid/a")["meta"]
    assert (found["folderTitle"], found["folderUid"]) == ("Log lines", uid)
    lab.run("diff", "--prune")


def test_library_panels(lab: Lab) -> None:
    model = {"type": "logs", "title": "Lines", "targets": [{"refId": "A", "expr": '{job="x"}'}]}
    place = {"x": 0, "y": 0, "w": 12, "h": 8}
    shown = {
        "id": 1,
        "gridPos": place,
        "title": "Lines",
        "libraryPanel": {"uid": f"lp-{lab.org}", "name": lab.name},
    }
    board = {"uid": "a", "title": "A", "schemaVersion": 42, "panels": [shown]}
    (lab.root / "dashboards" / "a.json").write_text(json.dumps(board))
    assert "shows library panels that do not exist" in lab.run("sync", "--yes", status=1)
    (lab.root / "library-panels").mkdir()
    file = lab.root / "library-panels" / "lines.json"
    file.write_text(json.dumps({"uid": f"lp-{lab.org}", "name": lab.name, "model": model}))
    lab.run("sync", "--yes")
    lab.run("diff")
    path = f"/api/library-elements/lp-{lab.org}"
    assert lab.call("GET", path)["result"]["meta"]["connectedDashboards"] == 1
    file.write_text(
        json.dumps({"uid": f"lp-{lab.org}", "name": lab.name, "model": {**model, "title": "Other"}})
    )
    assert "title: Lines → Other" in lab.run("diff", status=3)
    lab.run("sync", "--yes")
    assert lab.call("GET", path)["result"]["model"]["title"] == "Other"
    lab.run("rollback", "--yes")
    assert lab.call("GET", path)["result"]["model"]["title"] == "Lines"
    file.unlink()
    lab.run("pull", "--kind", "library-panels")
    lab.run("diff", "--prune")
    for gone in (lab.root / "library-panels").iterdir():
        gone.unlink()
    (lab.root / "dashboards" / "a.json").write_text(json.dumps({**board, "panels": []}))
    lab.run("sync", "--yes", "--prune", "--allow-empty")
    assert lab.call("GET", path) is None


def test_grafana_checks_dashboards_first(lab: Lab) -> None:
    lab.dashboards(a="A", b="B")
    lab.run("sync", "--validate", "--dry-run", status=3)
    assert lab.title("a") == ""
    board = {"uid": "b", "title": "B" * 6000, "panels": []}
    (lab.root / "dashboards" / "b.json").write_text(json.dumps(board))
    assert "dashboard b" in lab.run("sync", "--validate", "--yes", status=1)
    assert lab.title("a") == ""


def test_names_are_exchanged(lab: Lab) -> None:
    def sources(first: str, second: str) -> None:
        entries = [SOURCE.format(uid=u, secret="s", name=n) for u, n in (("one", first), ("two", second))]
        text = entries[0] + entries[1].partition("datasources:\n")[2]
        (lab.root / "datasources" / "sources.yaml").write_text(text)

    sources("A", "B")
    lab.run("sync", "--yes")
    sources("B", "A")
    lab.run("sync", "--yes")
    assert lab.sources() == {"one": "B", "two": "A"}
    lab.run("diff")


def test_what_is_not_managed_survives(lab: Lab) -> None:
    lab.dashboards(a="A", b="B")
    lab.run("sync", "--yes")
    lab.call("POST", "/api/annotations", {"dashboardUID": "a", "text": "by hand", "time": 1_700_000_000_000})
    public = lab.call("POST", "/api/dashboards/uid/a/public-dashboards", {"isEnabled": True})
    playlist = {"name": "P", "interval": "5m", "items": [{"type": "dashboard_by_uid", "value": "a"}]}
    lab.call("POST", "/api/playlists", playlist)
    lab.dashboards(a="Other")
    lab.run("sync", "--yes")
    assert lab.title("a") == "Other"
    assert [row["text"] for row in lab.call("GET", "/api/annotations?dashboardUID=a")] == ["by hand"]
    found = lab.call("GET", "/api/dashboards/uid/a/public-dashboards")
    assert found["accessToken"] == public["accessToken"]
    assert [row["name"] for row in lab.call("GET", "/api/playlists")] == ["P"]


PROVIDER = """
apiVersion: 1
providers:
  - name: files
    folder: Files
    options: {{ path: {folder} }}
"""


def test_a_stack_of_grafana_cloud_with_provisioned_dashboards(tmp_path: Path) -> None:
    """Its namespace has the number of the stack; what comes from files is left alone, with the file named."""
    provisioning, files = tmp_path / "provisioning", tmp_path / "files"
    (provisioning / "dashboards").mkdir(parents=True)
    files.mkdir()
    (provisioning / "dashboards" / "files.yaml").write_text(PROVIDER.format(folder=files))
    (files / "d1.json").write_text(json.dumps({"uid": "d1", "title": "From a file", "panels": []}))
    with grafana(provisioning, tmp_path, settings="[environment]\nstack_id = 1234\n") as url:
        lab = Lab.__new__(Lab)
        lab.root, lab.urls, lab.name, lab.org, lab.environment = (
            tmp_path / "lab",
            Urls(url, "http://x"),
            "stack",
            1,
            {},
        )
        for folder in ("dashboards", "rules", "datasources"):
            (lab.root / folder).mkdir(parents=True)
        lab.configure()
        text = (lab.root / "lokictl.toml").read_text()
        (lab.root / "lokictl.toml").write_text(text.partition("[targets.test.loki]")[0])
        assert lab.call("GET", "/api/frontend/settings")["namespace"] == "stacks-1234"
        wait_for(lambda: lab.title("d1") == "From a file")
        for count in (3, 10):
            lab.dashboards(**{f"d{number}": f"D {number}" for number in range(count)})
            output = lab.run("sync", "--yes", "--on-conflict", "overwrite", status=1)
            assert "provisioned from a file of Grafana's (d1.json), so it cannot be saved" in output
            lab.run("sync", "--yes", "--on-conflict", "skip")
            assert "1 in conflict" in lab.run("diff", status=3)
        assert lab.title("d1") == "From a file"
        assert lab.title("d9") == "D 9"


def planned(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> tuple[Session, Plan]:
    """A run for the rules only that has read and planned."""
    monkeypatch.setenv("TEST_GRAFANA_PASSWORD", "admin")
    project = load(lab.root)
    target = only_server(load_target(project.config), "loki")
    session = Session(project, target, Servers(target))
    return session, session.plan()


def test_rules_only_runs_at_once_are_locked_by_the_record_in_grafana(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.dashboards(a="A")
    lab.rules("mini", {"name": "g", "rules": [rule("A")]})
    lab.run("sync", "--yes")
    lab.rules("mini", {"name": "g", "rules": [rule("B")]})
    first, first_plan = planned(lab, monkeypatch)
    lab.rules("mini", {"name": "g", "rules": [rule("C")]})
    second, second_plan = planned(lab, monkeypatch)
    assert first.apply(first_plan).complete
    applied = second.apply(second_plan)
    assert "another sync of this project has started or finished meanwhile" in applied.record_problem
    assert [outcome.status for outcome in applied.outcomes] == [Status.NOT_DONE]
    assert lab.ruler()["mini"]["g"]["rules"][0]["alert"] == "B"
    lab.run("sync", "--yes", "--only", "loki")
    assert lab.ruler()["mini"]["g"]["rules"][0]["alert"] == "C"


def test_rules_only_runs_at_once_are_locked_on_the_ruler_without_a_grafana(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (lab.root / "lokictl.toml").read_text()
    before, grafana_table, after = text.partition("[targets.test.grafana]")
    (lab.root / "lokictl.toml").write_text(
        before + "[targets.test.loki]" + after.partition("[targets.test.loki]")[2]
    )
    assert grafana_table
    lab.rules("mini", {"name": "g", "rules": [rule("A")]}, {"name": "h", "rules": [rule("A")]})
    session, plan = planned(lab, monkeypatch)
    seen: list[str] = []

    def meanwhile(outcome: Outcome) -> None:
        """Another run begins while this one writes: to note what is there, or to change it."""
        if not seen:
            seen.append(lab.run("sync", "--yes", status=1))
            lab.rules("mini", {"name": "g", "rules": [rule("B")]}, {"name": "h", "rules": [rule("A")]})
            seen.append(lab.run("sync", "--yes", status=1))

    assert session.apply(plan, meanwhile).complete
    assert [("another sync of this project is running" in text) for text in seen] == [True, True]
    assert lab.ruler()["mini"]["g"]["rules"][0]["alert"] == "A"
    lab.run("sync", "--yes")
    lab.run("diff")
