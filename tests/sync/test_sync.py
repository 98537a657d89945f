"""Plan and apply against a Grafana and a ruler that behave as their contracts say."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.model import DataSource
from lokictl.sync.plan import Action, Status
from tests.sync.world import TENANT, World, actions, alert, lines, rule_group

VERSIONS = ("7.5.17", "9.4.0", "10.4.0", "12.2.0", "13.1.0")
CREATED = {
    "folder shop": "create",
    "data source loki": "create",
    "dashboard errors": "create",
    "dashboard load": "create",
    "rule group own/g of tenant team-a": "create",
}


def set_version(world: World, version: str) -> None:
    world.grafana.version, world.grafana.major = version, int(version.partition(".")[0])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_first_sync_creates_and_a_second_writes_nothing(world: World, version: str) -> None:
    set_version(world, version)
    assert actions(world.plan()) == CREATED
    assert world.sync().complete
    assert set(world.grafana.dashboards) == {"errors", "load", "lokictl-shop"}
    assert {d.folder for d in world.grafana.dashboards.values()} == {"shop"}
    assert "lokictl:shop" in world.grafana.dashboards["errors"].body["tags"]
    assert list(world.ruler.rules[TENANT]["own"]) == ["g"]
    world.forget_requests()
    applied = world.sync()
    assert (applied.complete, applied.outcomes, world.requests(writes=True)) == (True, [], [])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_change_is_one_update_and_says_what_it_is(world: World, version: str) -> None:
    set_version(world, version)
    world.sync()
    world.dashboards["errors"]["panels"][0]["title"] = "Log lines"
    world.groups["own"][0]["rules"][1]["expr"] = "vector(3)"
    plan = world.plan()
    assert lines(plan) == [
        '~ dashboard "Errors" (errors): update',
        '    ~ panel "Log lines" (id 1) › title: Lines → Log lines',
        "~ rule group own/g (tenant team-a): update",
        '    ~ rule "B" › expr: vector(2) → vector(3)',
    ]
    assert world.sync().complete
    assert actions(world.plan()) == {}


def test_a_dry_run_sends_only_get(world: World) -> None:
    world.sync()
    world.dashboards["errors"]["title"] = "Other"
    del world.dashboards["load"]
    world.grafana.edit_dashboard("errors", title="By hand")
    world.groups["own"].append(rule_group("h", alert("C")))
    world.sources["more"] = DataSource(name="More", type="loki", uid="more", url="")
    world.forget_requests()
    for options in (
        {},
        {"prune": True},
        {"on_conflict": "overwrite", "prune": True},
        {"on_conflict": "skip"},
    ):
        assert world.plan(**options).pending
    assert {method for method, _ in world.requests()} == {"GET"}


def test_a_client_that_may_only_read_refuses_anything_else(world: World) -> None:
    world.dashboards["errors"]["title"] = "Other"
    session = world.session(read_only=True)
    plan = session.plan()
    with pytest.raises(AssertionError, match="must not write"):
        session.apply(plan)
    assert not world.requests(writes=True)


# --- what the servers add, drop and reorder ------------------------------------------------------------------

SAME_DASHBOARDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "null is absent": ({"panels": [{"id": 1, "thing": None}]}, {"panels": [{"id": 1}]}),
    "numbers": ({"panels": [{"id": 1, "a": 1.0, "b": 0.5}]}, {"panels": [{"id": 1, "a": 1, "b": 0.5}]}),
    "server keys": ({"panels": []}, {"panels": [], "iteration": 5}),
    "tags": ({"tags": ["b", "a"]}, {"tags": ["a", "b", "lokictl:shop"]}),
}


@pytest.mark.parametrize("name", SAME_DASHBOARDS)
def test_what_grafana_adds_or_reorders_is_not_a_change(world: World, name: str) -> None:
    ours, stored = SAME_DASHBOARDS[name]
    world.dashboards = {"errors": {"title": "Errors", **ours}}
    world.sync()
    body = world.grafana.dashboards["errors"].body
    world.grafana.dashboards["errors"].body = {**body, **stored}
    assert not world.plan().pending


def test_unknown_changes_are_detected_by_the_version(world: World) -> None:
    """A Grafana that migrates what it stores: nobody has written since, so nothing has changed."""
    world.grafana.store = lambda body: {**body, "schemaVersion": 42, "migrated": True}
    world.sync()
    world.forget_requests()
    assert world.sync().complete
    assert not world.requests(writes=True)
    world.grafana.edit_dashboard("errors", title="By hand")
    assert actions(world.plan()) == {"dashboard errors": "conflict"}


SAME_GROUPS: dict[str, dict[str, Any]] = {
    "dropped keys": rule_group("g", alert("A", keep_firing_for="5m"), query_offset="1m", labels={"a": "b"}),
    "durations": rule_group("g", alert("A", **{"for": "300s"}), interval="60s"),
    "empty": rule_group("g", alert("A", labels={}, annotations={}, **{"for": "0s"}), limit=0),
    "values": rule_group("g", alert("A", labels={"severity": 1, "on": "on"}, annotations={"n": "1_000"})),
    "texts": rule_group("g", alert("A", "vector(1)\n  > 0\n", annotations={"t": "a\tb ☃ {{ $value }}: #\n"})),
}


@pytest.mark.parametrize("name", SAME_GROUPS)
def test_what_the_ruler_drops_or_rewrites_is_not_a_change(world: World, name: str) -> None:
    world.groups = {"own": [SAME_GROUPS[name]]}
    world.sync()
    assert world.ruler.rules[TENANT]["own"]["g"]["rules"]
    assert not world.plan().pending


def test_a_changed_limit_is_noticed(world: World) -> None:
    world.sync()
    world.groups["own"][0]["limit"] = 5
    assert "    + limit: 5" in lines(world.plan())


NAMES = ("plain", "with space", "a/b", "a%b", "a%2Fb", "a+b", "ü☃", "a?b#c", "..x", "a:b")


@pytest.mark.parametrize("name", NAMES)
def test_names_of_namespaces_and_groups_are_escaped(world: World, name: str) -> None:
    world.namespaces = ("own*",)
    world.groups = {f"own{name}": [rule_group(name, alert("A"))]}
    assert world.sync().complete
    assert list(world.ruler.rules[TENANT]) == [f"own{name}"]
    assert list(world.ruler.rules[TENANT][f"own{name}"]) == [name]
    world.groups[f"own{name}"] = [rule_group("other", alert("A"))]
    assert world.sync(prune=True).complete
    assert list(world.ruler.rules[TENANT][f"own{name}"]) == ["other"]


# --- ownership -----------------------------------------------------------------------------------------------


def test_nothing_foreign_is_touched_by_prune(world: World) -> None:
    world.grafana.add_dashboard("foreign", "shop", tags=["lokictl:shop"])
    world.grafana.add_dashboard("other")
    world.grafana.add_data_source("theirs", "Theirs")
    world.ruler.put(TENANT, "foreign", rule_group("x", alert("X")))
    world.sync()
    world.dashboards.pop("load")
    world.groups = {"own": [rule_group("h", alert("A"))]}
    assert actions(world.plan()) == {
        "dashboard load": "keep",
        "rule group own/g of tenant team-a": "keep",
        "rule group own/h of tenant team-a": "create",
    }
    assert world.sync(prune=True).complete
    assert {"foreign", "other", "errors"} <= set(world.grafana.dashboards)
    assert "load" not in world.grafana.dashboards
    assert "theirs" in world.grafana.data_sources
    assert world.ruler.rules[TENANT]["foreign"]
    assert list(world.ruler.rules[TENANT]["own"]) == ["h"]


def test_an_empty_project_deletes_nothing(world: World) -> None:
    world.sync()
    world.dashboards, world.sources, world.groups = {}, {}, {}
    plan = world.plan(prune=True)
    assert set(actions(plan).values()) == {"keep"}
    assert world.sync(prune=True).complete
    assert "errors" in world.grafana.dashboards
    assert world.sync(prune=True, allow_empty=True).complete
    assert set(world.grafana.dashboards) == {"lokictl-shop"}
    assert not world.grafana.data_sources
    assert not world.ruler.rules[TENANT]["own"]


CONFLICTS = {
    "edited": lambda world: world.grafana.edit_dashboard("errors", title="By hand"),
    "moved": lambda world: setattr(world.grafana.dashboards["errors"], "folder", ""),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_an_edit_by_hand_is_a_conflict(world: World, name: str) -> None:
    world.sync()
    CONFLICTS[name](world)
    world.grafana.dashboards["errors"].version += 1
    before = world.grafana.dashboards["errors"].body
    plan = world.plan()
    assert actions(plan) == {"dashboard errors": "conflict"}
    assert "edited on the server since the last sync" in lines(plan)[0]
    assert world.sync(on_conflict="skip").complete
    assert world.grafana.dashboards["errors"].body == before
    assert world.sync(on_conflict="overwrite").complete
    assert actions(world.plan()) == {}
    world.rollback()
    assert world.grafana.dashboards["errors"].body["title"] == before["title"]
    assert actions(world.plan()) == {"dashboard errors": "conflict"}


def test_a_foreign_dashboard_of_the_same_uid_is_a_conflict(world: World) -> None:
    world.grafana.add_dashboard("errors", title="Theirs")
    plan = world.plan()
    assert actions(plan)["dashboard errors"] == "conflict"
    assert "this project did not make it" in " ".join(lines(plan))


def test_one_that_differs_by_the_mark_only_is_taken_over(world: World) -> None:
    world.sync()
    live = world.grafana.dashboards["errors"]
    world.grafana.dashboards = {"errors": live}
    live.body = {**live.body, "tags": []}
    version = live.version
    assert "dashboard errors" not in actions(world.plan())
    assert world.sync().complete
    assert (live.version, live.body["tags"]) == (version, [])
    assert actions(world.plan()) == {}
    world.dashboards["errors"]["title"] = "Other"
    assert actions(world.plan()) == {"dashboard errors": "update"}


def test_what_was_deleted_by_hand_comes_back(world: World) -> None:
    world.sync()
    del world.grafana.dashboards["errors"]
    assert "was deleted on the server since the last sync" in lines(world.plan())[0]
    assert world.sync().complete
    assert "errors" in world.grafana.dashboards


def test_provisioned_things_cannot_be_saved_which_is_reported_first(world: World) -> None:
    world.grafana.add_dashboard("errors", title="Theirs").provisioned = True
    world.grafana.add_data_source("loki", "Loki", url="http://other").read_only = True
    plan = world.plan(on_conflict="overwrite")
    assert actions(plan)["dashboard errors"] == actions(plan)["data source loki"] == "conflict"
    assert world.sync(on_conflict="skip").complete


@pytest.mark.parametrize(
    "manager, name",
    [
        ("terraform", "Terraform"),
        ("repo", "Git Sync"),
        ("kubectl", "kubectl"),
        ("grafana-operator", "the Grafana operator"),
        ("plugin", "a plugin"),
    ],
)
def test_managed_by_somebody_else_is_left_alone(world: World, manager: str, name: str) -> None:
    for number in range(10):
        world.dashboards[f"d{number}"] = {"title": f"D{number}", "panels": []}
    world.grafana.add_dashboard("errors", title="Theirs").manager = manager
    plan = world.plan(on_conflict="overwrite")
    assert [c.reason for c in plan.of(Action.CONFLICT)] == [f"managed by {name}"]


def test_a_data_source_of_the_same_name_is_a_conflict_before_grafana_says_so(world: World) -> None:
    world.grafana.add_data_source("P8E80", "Loki")
    plan = world.plan(on_conflict="overwrite")
    assert [c.reason for c in plan.of(Action.CONFLICT)] == [
        'a data source called "Loki" exists with the uid "P8E80"'
    ]


def test_the_default_data_source_is_not_taken_away(world: World) -> None:
    world.grafana.add_data_source("theirs", "Theirs", isDefault=True)
    world.sources["loki"] = dataclasses.replace(world.sources["loki"], is_default=True)
    assert any("does not become the default" in warning for warning in world.plan().warnings)
    assert world.sync().complete
    assert world.grafana.data_sources["theirs"].body["isDefault"]
    assert not world.plan().pending
    world.tables["target"] = {"grafana": {"url": "http://grafana", "take_default": True}}
    assert world.sync().complete
    assert not world.grafana.data_sources["theirs"].body["isDefault"]
    assert not world.plan().pending


@pytest.mark.parametrize("namespaces", [None, ("own",)])
def test_rules_of_others_are_not_overwritten(world: World, namespaces: tuple[str, ...] | None) -> None:
    world.namespaces = namespaces
    world.ruler.put(TENANT, "own", rule_group("g", alert("Theirs")))
    world.ruler.put(TENANT, "own", rule_group("k", alert("Theirs")))
    plan = world.plan(prune=True)
    assert actions(plan)["rule group own/g of tenant team-a"] == "conflict"
    assert "rule group own/k of tenant team-a" not in actions(plan)
    assert world.sync(prune=True, on_conflict="overwrite").complete
    assert world.ruler.rules[TENANT]["own"]["k"]["rules"][0]["alert"] == "Theirs"
    world.namespaces = ("else",)
    world.groups["own"] = [rule_group("g", alert("Other"))]
    assert "does not own" in " ".join(lines(world.plan(on_conflict="overwrite")))


# --- the order, and what goes wrong --------------------------------------------------------------------------


def test_the_order_keeps_every_state_valid(world: World) -> None:
    world.jobs = 1
    world.sync()
    order = [path.strip("/").split("/")[-1] for _, path in world.grafana_server.writes()]
    assert order == ["folders", "dashboards", "datasources", "dashboards", "dashboards", "lokictl-shop"]
    world.dashboards = {"new": {"title": "New"}}
    world.groups = {"own": [rule_group("n", alert("A"))]}
    world.forget_requests()
    world.sync(prune=True)
    methods = [method for method, _ in world.grafana_server.writes()]
    # The record, the new one, two deletions, the record.
    assert methods == ["PUT", "POST", "DELETE", "DELETE", "PUT"]


def test_folders_in_folders(world: World) -> None:
    world.tables["sync"] = {
        "folders": {
            "inner": {"title": "Inner", "parent": "outer", "dashboards": ["load"]},
            "outer": {"title": "Outer", "dashboards": []},
            "general": {"dashboards": ["err*"]},
        }
    }
    assert world.sync().complete
    assert world.grafana.folders["inner"].parent == "outer"
    assert world.grafana.dashboards["load"].folder == "inner"
    assert world.grafana.dashboards["errors"].folder == ""
    assert not world.plan().pending
    world.tables["sync"] = {}
    assert world.sync(prune=True).complete
    assert set(world.grafana.folders) == {"shop"}


def test_a_folder_with_foreign_things_in_it_is_kept(world: World) -> None:
    world.tables["sync"] = {"folders": {"extra": {"title": "Extra", "dashboards": ["load"]}}}
    world.sync()
    world.grafana.add_dashboard("foreign", "extra")
    world.grafana.alert_rules.add("extra")
    world.tables["sync"] = {}
    plan = world.plan(prune=True)
    assert [c.reason for c in plan.of(Action.KEEP)] == [
        'is no longer in the project, but contains dashboard "foreign", 1 alert rule'
    ]
    assert world.sync(prune=True).complete
    assert not world.plan(prune=True).pending
    assert world.grafana.dashboards["foreign"].folder == "extra"
    del world.grafana.dashboards["foreign"]
    world.grafana.alert_rules.clear()
    assert actions(world.plan(prune=True)) == {"folder extra": "delete"}
    assert world.sync(prune=True).complete
    assert set(world.grafana.folders) == {"shop"}


def test_a_failure_halfway_says_what_was_done_and_a_rerun_finishes(world: World) -> None:
    def choose(request: Any) -> str:
        return "broken" if request.method == "POST" and b'"load"' in request.body else ""

    world.grafana_server.choose = choose
    applied = world.sync()
    by_status = {str(o.change.key): o.status for o in applied.outcomes}
    assert not applied.complete
    assert by_status["dashboard errors"] is Status.DONE
    assert by_status["dashboard load"] in (Status.FAILED, Status.UNKNOWN)
    assert by_status["rule group own/g of tenant team-a"] is Status.NOT_DONE
    world.grafana_server.choose = lambda request: ""
    assert set(actions(world.plan())) == {"dashboard load", "rule group own/g of tenant team-a"}
    assert world.sync().complete
    assert actions(world.plan()) == {}


@pytest.mark.parametrize("fault", ["late", "cut", "twice"])
def test_what_was_done_without_an_answer_is_done(world: World, fault: str) -> None:
    def choose(request: Any) -> str:
        return fault if request.method != "GET" else ""

    for server in world.servers:
        server.choose = choose
    assert world.sync().complete
    for server in world.servers:
        server.choose = lambda request: ""
    assert not world.plan().pending
    assert world.grafana.dashboards["errors"].version == 1


def test_somebody_edits_between_plan_and_apply(world: World) -> None:
    world.sync()
    world.dashboards["errors"]["title"] = "Ours"
    world.groups["own"][0]["limit"] = 3
    session = world.session()
    plan = session.plan()
    world.grafana.edit_dashboard("errors", title="Theirs")
    applied = session.apply(plan)
    assert [o.message for o in applied.of(Status.FAILED)] == [
        "was changed on the server after the plan was made; run it again"
    ]
    assert world.grafana.dashboards["errors"].body["title"] == "Theirs"
    assert actions(world.plan())["dashboard errors"] == "conflict"


def test_another_sync_at_the_same_time_is_noticed(world: World) -> None:
    world.sync()
    world.dashboards["errors"]["title"] = "First"
    first = world.session()
    plan = first.plan()
    world.dashboards["load"]["title"] = "Second"
    assert world.sync().complete
    applied = first.apply(plan)
    assert "another sync" in applied.record_problem
    assert not applied.complete
    assert {o.status for o in applied.outcomes} == {Status.NOT_DONE}


def test_a_damaged_record_makes_nothing_ours(world: World) -> None:
    world.sync()
    world.grafana.dashboards["lokictl-shop"].body["templating"] = {}
    world.dashboards["errors"]["title"] = "Other"
    plan = world.plan()
    assert actions(plan)["dashboard errors"] == "conflict"
    assert any("cannot read" in warning for warning in plan.warnings)


BAD_DASHBOARDS = {
    "uid": ({"x" * 41: {"title": "T"}}, "cannot be the uid of a dashboard"),
    "title": ({"a": {"title": " "}}, "has no title"),
    "record": ({"lokictl-shop": {"title": "T"}}, "lokictl's own record"),
}


@pytest.mark.parametrize("name", BAD_DASHBOARDS)
def test_what_grafana_would_refuse_is_refused_before(world: World, name: str) -> None:
    world.dashboards, words = BAD_DASHBOARDS[name]
    with pytest.raises(LokictlError, match=words):
        world.plan()
    assert not world.requests()


# --- the ruler -----------------------------------------------------------------------------------------------


def test_a_read_only_ruler_is_named_before_anything_is_written(world: World) -> None:
    world.ruler.storage = "local"
    with pytest.raises(LokictlError, match=r"reads its rules from files.*lokictl render"):
        world.sync()
    assert not world.requests(writes=True)


def test_a_loki_without_the_ruler_api(world: World) -> None:
    world.ruler.api = False
    with pytest.raises(LokictlError, match=r"has no ruler API.*lokictl render"):
        world.plan()


def test_rules_go_to_their_tenants(world: World) -> None:
    world.tables["target"] = {
        "loki": {
            "url": "http://loki",
            "tenants": {"a": ["own"], "b": ["own", "own-b*"]},
            "namespaces": ["own*"],
        }
    }
    world.groups["own-b1"] = [rule_group("h", alert("B"))]
    world.groups["nowhere"] = [rule_group("i", alert("I"))]
    assert world.sync().complete
    assert {tenant: sorted(found) for tenant, found in world.ruler.rules.items()} == {
        "a": ["own"],
        "b": ["own", "own-b1"],
    }
    assert any('rules "nowhere"' in warning for warning in world.plan().warnings)


def test_the_noop_reads_as_little_as_the_apis_permit(world: World) -> None:
    world.dashboards = {f"d{number}": {"title": f"D{number}"} for number in range(30)}
    world.groups = {f"own-{number}": [rule_group("g", alert("A"))] for number in range(20)}
    world.sync()
    world.forget_requests()
    world.sync()
    # Health, settings, discovery, one list of dashboards, the folder, the data source; one listing of rules.
    assert (len(world.grafana_server.log), len(world.loki_server.log)) == (6, 1)
    set_version(world, "10.4.0")
    world.forget_requests()
    world.sync()
    # Health, folder, data source, 30 dashboards, the record.
    assert len(world.grafana_server.log) == 34


def test_the_record_can_be_read_by_people(world: World) -> None:
    world.sync()
    body = world.grafana.dashboards["lokictl-shop"].body
    assert "lokictl:shop" in body["panels"][0]["options"]["content"]
    data = json.loads(body["templating"]["list"][0]["query"])
    assert sorted(data["resources"]) == [
        "dashboard///errors",
        "dashboard///load",
        "data source///loki",
        "folder///shop",
        "rule group/team-a/own/g",
    ]
