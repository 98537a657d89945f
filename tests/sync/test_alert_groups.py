"""Rules that Grafana manages: in its folder, and not on the ruler; a real 12.2 answers as the fake does."""

from __future__ import annotations

from typing import Any

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.sync.configuration import load_target
from lokictl.sync.pull import Selection, pull
from lokictl.sync.session import Servers
from tests.sync.world import World, actions, alert, lines, rule_group

COUNT = 'sum by (app) (count_over_time({job="x"}[5m]))'


@pytest.fixture
def managed(world: World) -> World:
    world.tables["target"] = {"alerting": "grafana"}
    rule = alert("Errors", f"{COUNT} > 5", labels={"severity": "page"}, annotations={"s": "{{ $value }}"})
    world.groups = {"own": [rule_group("shop", rule, interval="2m")]}
    return world


def group(world: World) -> dict[str, Any]:
    ((_, name),) = world.grafana.alert_groups
    assert name == "shop"
    return next(iter(world.grafana.alert_groups.values()))


def test_rules_go_to_grafana_and_not_to_the_ruler(managed: World) -> None:
    assert managed.sync().complete
    made = group(managed)
    (rule,) = made["rules"]
    assert (made["interval"], rule["title"], rule["execErrState"]) == (120, "Errors", "Error")
    assert rule["annotations"] == {"s": "{{ $values.A.Value }}"}
    assert rule["provenance"] == "api"
    managed.tables["target"]["editable_alerts"] = True
    assert any("stays locked in Grafana's pages" in text for text in managed.plan().warnings)
    managed.tables["target"]["editable_alerts"] = False
    assert not any("Errors" in str(groups) for groups in vars(managed.ruler).values())
    assert not managed.plan().pending


def test_changes_deletions_and_rollback(managed: World) -> None:
    managed.sync()
    managed.groups["own"] = [rule_group("shop", alert("Errors", f"{COUNT} > 7"))]
    assert any("params: [5] → [7]" in line for line in lines(managed.plan()))
    assert managed.sync().complete
    managed.rollback()
    assert "[5]" in str(group(managed))
    managed.groups = {}
    assert actions(managed.plan(prune=True)) == {"alert group shop/shop": "keep"}
    assert managed.sync(prune=True, allow_empty=True).complete
    assert managed.grafana.alert_groups == {}


def test_moving_from_the_ruler_to_grafana(managed: World) -> None:
    managed.tables["target"] = {}
    managed.sync()
    assert managed.grafana.alert_groups == {}
    managed.tables["target"] = {"alerting": "grafana"}
    assert managed.sync(prune=True).complete
    assert group(managed)
    assert not managed.plan(prune=True).pending


def test_editable_alerts_have_no_provenance(managed: World) -> None:
    managed.tables["target"] = {"alerting": "grafana", "editable_alerts": True}
    managed.sync()
    assert "provenance" not in group(managed)["rules"][0]
    assert not managed.plan().pending
    managed.tables["target"]["editable_alerts"] = False
    assert managed.sync().complete
    assert group(managed)["rules"][0]["provenance"] == "api"
    assert not managed.plan().pending
    managed.groups = {}
    assert managed.sync(prune=True, allow_empty=True).complete
    assert managed.grafana.alert_groups == {}


def test_what_cannot_be_translated_is_reported_before_anything_is_written(managed: World) -> None:
    managed.groups["own"] = [rule_group("shop", alert("Errors", f"{COUNT} > 5"), limit=3)]
    with pytest.raises(LokictlError, match="`limit` cannot be translated"):
        managed.plan()


def test_a_wrong_home_is_refused(managed: World) -> None:
    managed.tables["target"] = {"alerting": "mimir"}
    with pytest.raises(LokictlError, match='must be "loki" or "grafana"'):
        managed.plan()


def test_groups_in_folders_of_their_own_and_their_moves(managed: World) -> None:
    managed.groups["own"].append(rule_group("other", alert("B", f"{COUNT} > 5")))
    managed.tables["sync"] = {
        "folders": {"pages": {"title": "Pages", "parent": "shop", "alerts": ["own/shop"]}}
    }
    assert managed.sync().complete
    assert set(managed.grafana.alert_groups) == {("pages", "shop"), ("shop", "other")}
    assert not managed.plan(prune=True).pending
    # A group that moves takes its rules along: nothing is pruned, nothing is there twice.
    managed.tables["sync"]["folders"]["pages"]["alerts"] = ["own/other"]
    assert actions(managed.plan()) == {
        "alert group shop/shop": "replace",
        "alert group pages/other": "replace",
    }
    assert managed.sync().complete
    assert set(managed.grafana.alert_groups) == {("shop", "shop"), ("pages", "other")}
    assert not managed.plan(prune=True).pending
    managed.rollback()
    assert set(managed.grafana.alert_groups) == {("pages", "shop"), ("shop", "other")}


def test_a_group_that_was_edited_is_not_moved(managed: World) -> None:
    managed.sync()
    managed.grafana.alert_groups["shop", "shop"]["interval"] = 300
    managed.tables["sync"] = {"folders": {"pages": {"title": "Pages", "alerts": ["own"]}}}
    assert "alert group pages/shop" in actions(managed.plan())
    assert actions(managed.plan())["alert group pages/shop"] == "conflict"
    assert managed.sync(on_conflict="overwrite").complete
    assert set(managed.grafana.alert_groups) == {("pages", "shop")}
    managed.rollback()
    assert managed.grafana.alert_groups["shop", "shop"]["interval"] == 300


@pytest.mark.parametrize("name", ["alerts/shop", "alerts/shop/shop", "alerts/shop/*", "alerts"])
def test_one_group_is_named(managed: World, name: str) -> None:
    plan = managed.plan(names=(name,))
    assert actions(plan) == {"folder shop": "create", "alert group shop/shop": "create"}


def test_groups_in_grafanas_own_form(world: World) -> None:
    """What is pulled from a folder, with queries that no rule of the ruler has, syncs with nothing to do."""
    world.dashboards, world.sources, world.groups = {}, {}, {}
    world.grafana.add_folder("team", "Team / one")
    world.grafana.add_folder("inner", "Inner", "team")
    query = {"refId": "A", "datasourceUid": "loki", "relativeTimeRange": {"from": 600, "to": 0}}
    reduce = {"refId": "B", "type": "reduce", "expression": "A", "reducer": "last"}
    rule = {
        "folderUID": "inner",
        "ruleGroup": "a / b",
        "uid": "r1",
        "title": "Rate of $shop",
        "condition": "B",
        "for": "1d",
        "noDataState": "Alerting",
        "labels": {"cost": "$5"},
        "annotations": {"s": "{{ $values.B }} $5"},
        "execErrState": "KeepLast",
        "data": [
            {**query, "model": {"refId": "A", "expr": 'rate({a=~"$x.+"}[5m])', "queryType": "range"}},
            {**query, "refId": "B", "datasourceUid": "__expr__", "model": reduce},
        ],
    }
    group = {"title": "a / b", "folderUid": "inner", "interval": 90, "rules": [rule]}
    world.grafana.alert_groups["inner", "a / b"] = group
    project = world.project()
    target = load_target(project.config)
    servers = Servers(target, 4, new_client=world.client(target, read_only=True))
    pulled = pull(project, target, servers, Selection())
    assert pulled.notes == pulled.skipped == []
    (module,) = pulled.modules
    assert module.path.as_posix() == "alerts/team_one_inner.yaml"
    assert "folder: Team \\/ one/Inner" in module.text
    assert "title: Rate of $$shop" in module.text
    world.alerts = module.text
    assert not world.plan().pending
    assert world.sync().complete
    assert world.grafana.alert_groups["inner", "a / b"] == group
    world.alerts = module.text.replace("1d", "2d")
    assert any("for: 1d → 2d" in line for line in lines(world.plan()))
    assert world.sync().complete
    assert not world.plan().pending
