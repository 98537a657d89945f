"""Contact points, mute timings, templates and the tree of policies; a real Grafana 12.2 answers as the fake does."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.model.notifications import (
    ContactPoint,
    Integration,
    Matcher,
    MessageTemplate,
    MuteTiming,
    Notifications,
    Route,
)
from lokictl.sync.configuration import load_target
from lokictl.sync.pull import Selection, pull
from lokictl.sync.session import Servers
from tests.sync.world import World, actions, lines

URL = "https://hooks.slack.example/T000/B000/abcdefghijklmnop"
TEAMS = "https://teams.example/hook/0123456789abcdefghij"
CORE = ContactPoint("core", (Integration("slack", {"recipient": "#core"}, {"url": "slack_url"}),))
PAGER = ContactPoint(
    "pager",
    (
        Integration("webhook", {"url": "http://pager"}, {"hmacConfig.secret": "hmac"}),
        Integration("email", {"addresses": "a@example.com"}, send_resolved=False),
    ),
)
TEAMS_POINT = ContactPoint("teams", (Integration("teams", {}, {"url": "teams_url"}),))
NIGHTS = MuteTiming(
    "nights", ({"times": [{"start_time": "22:00", "end_time": "24:00"}], "weekdays": ["Monday"]},)
)
TEXT = MessageTemplate("short", "{{ len .Alerts }} alerts\nnow")
PAGE = Route("pager", (Matcher("severity", "=", "page"),), mute_timings=("nights",))
ROUTE = Route("core", group_by=("service",), group_wait="90s", routes=(PAGE,))


def notifications(route: Route = ROUTE, *points: ContactPoint, **parts: Any) -> Notifications:
    known = {"mute_timings": (NIGHTS,), "templates": (TEXT,), **parts}
    return Notifications(route, points or (CORE, PAGER), **known)


@pytest.fixture
def told(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("SLACK_URL", URL)
    monkeypatch.setenv("HMAC", "quite-a-secret-0123")
    monkeypatch.setenv("TEAMS_URL", TEAMS)
    world.dashboards, world.sources, world.groups = {}, {}, {}
    world.notifications = notifications()
    configure(world)
    return world


def configure(world: World, **keys: Any) -> None:
    secrets = {name: {"env": name.upper()} for name in ("slack_url", "hmac", "teams_url")}
    known = {"notifications": True, "policies": "tree", "secrets": secrets, "loki": None}
    world.tables["target"] = {**known, **keys}


def everything(world: World) -> str:
    found = world.grafana.notifications
    return json.dumps([found.integrations, found.timings, found.templates, found.tree], sort_keys=True)


def test_nothing_is_touched_unless_it_is_declared(told: World) -> None:
    before = everything(told)
    configure(told, notifications=False, policies="")
    assert told.sync().complete
    assert everything(told) == before
    configure(told, policies="")
    assert told.sync().complete
    assert set(told.grafana.notifications.integrations) == {"core-0", "pager-0", "pager-1"}
    assert told.grafana.notifications.tree == json.loads(before)[3]


def test_first_sync_nothing_to_do_and_a_change(told: World) -> None:
    assert actions(told.plan()) == {
        "message template short": "create",
        "contact point core": "create",
        "contact point pager": "create",
        "mute timing nights": "create",
        "notification policy tree": "create",
    }
    assert told.sync().complete
    made = told.grafana.notifications
    assert made.integrations["core-0"]["settings"] == {"recipient": "#core", "url": URL}
    assert made.integrations["pager-0"]["settings"]["hmacConfig"] == {"secret": "quite-a-secret-0123"}
    assert made.integrations["pager-1"]["disableResolveMessage"] is True
    assert made.tree["routes"][0]["mute_time_intervals"] == ["nights"]
    assert {item["provenance"] for item in (*made.integrations.values(), made.tree)} == {"api"}
    told.forget_requests()
    assert not told.plan().pending
    assert told.sync().complete
    assert told.requests(writes=True) == []
    quiet = dataclasses.replace(PAGE, mute_timings=())
    told.notifications = notifications(dataclasses.replace(ROUTE, routes=(quiet,)))
    assert actions(told.plan()) == {"notification policy tree": "update"}
    assert any("mute_time_intervals" in line for line in lines(told.plan()))
    assert told.sync().complete
    assert not told.plan().pending


def test_a_secret_is_never_shown_and_never_a_permanent_difference(
    told: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.sync()
    told.forget_requests()
    assert not told.plan().pending
    monkeypatch.setenv("SLACK_URL", URL + "-new")
    plan = told.plan()
    assert actions(plan) == {"contact point core": "update"}
    assert URL not in "\n".join(lines(plan))
    assert told.sync().complete
    assert told.grafana.notifications.integrations["core-0"]["settings"]["url"] == URL + "-new"
    assert not told.plan().pending
    assert URL not in "".join(path.read_text() for path in told.root.rglob("*.json"))


def test_a_secret_that_is_not_set_stays_as_grafana_has_it(
    told: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.sync()
    monkeypatch.delenv("SLACK_URL")
    plan = told.plan()
    assert not plan.pending
    assert 'contact point "core": slack_url not set, so Grafana keeps the secret that it has' in plan.warnings
    other = dataclasses.replace(CORE.integrations[0], settings={"recipient": "#new"})
    told.notifications = notifications(ROUTE, ContactPoint("core", (other,)), PAGER)
    assert told.sync().complete
    assert told.grafana.notifications.integrations["core-0"]["settings"] == {"recipient": "#new", "url": URL}


def test_a_new_contact_point_needs_its_secrets(told: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLACK_URL")
    plan = told.plan()
    assert actions(plan)["contact point core"] == "conflict"
    assert any("it is not set here ([targets.test.secrets]): core-0.url" in line for line in lines(plan))


def test_what_grafana_does_not_keep_secret_is_compared_but_not_shown(
    told: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.notifications = notifications(Route("teams"), TEAMS_POINT, mute_timings=(), templates=())
    assert told.sync().complete
    assert not told.plan().pending
    monkeypatch.setenv("TEAMS_URL", TEAMS + "-new")
    plan = told.plan()
    assert actions(plan) == {"contact point teams": "update"}
    assert "settings › url: *** → ***" in "\n".join(lines(plan))
    assert TEAMS not in "\n".join(lines(plan))
    assert told.sync().complete
    assert told.grafana.notifications.integrations["teams-0"]["settings"]["url"] == TEAMS + "-new"
    monkeypatch.delenv("TEAMS_URL")
    assert not told.plan().pending


def test_a_setting_that_is_a_secret_is_refused_in_plain_text() -> None:
    with pytest.raises(ValueError, match="`url` of a slack contact point is a secret"):
        Integration("slack", {"url": URL})


def test_deleting_takes_policies_before_what_they_lead_to(told: World) -> None:
    told.sync()
    told.notifications = notifications(Route("core"), CORE, mute_timings=(), templates=())
    assert actions(told.plan()) == {
        "notification policy tree": "update",
        "mute timing nights": "keep",
        "contact point pager": "keep",
        "message template short": "keep",
    }
    # Without --allow-empty the last of a kind stays.
    assert told.sync(prune=True, allow_empty=True).complete
    assert set(told.grafana.notifications.integrations) == {"core-0"}
    assert told.grafana.notifications.timings == {}
    told.notifications = None
    configure(told)
    assert told.sync(prune=True, allow_empty=True).complete
    assert told.grafana.notifications.integrations == {}
    assert "routes" not in told.grafana.notifications.tree


def test_what_is_not_declared_any_more_is_never_pruned(told: World) -> None:
    told.sync()
    before = everything(told)
    configure(told, notifications=False, policies="")
    assert told.sync(prune=True, allow_empty=True).complete
    assert everything(told) == before


def test_rollback_of_changes_and_creations(told: World) -> None:
    told.sync()
    before = everything(told)
    other = dataclasses.replace(PAGER.integrations[0], settings={"url": "http://other"})
    told.notifications = notifications(
        Route("core"), CORE, ContactPoint("pager", (other,)), mute_timings=(), templates=(TEXT,)
    )
    assert told.sync(prune=True, allow_empty=True).complete
    assert everything(told) != before
    told.notifications = notifications()
    told.rollback()
    assert everything(told) == before


def test_a_rollback_without_the_secret_says_so_before_anything_is_sent(
    told: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.sync()
    told.notifications = notifications(Route("pager"), PAGER, mute_timings=(), templates=())
    assert told.sync(prune=True, allow_empty=True).complete
    monkeypatch.delenv("SLACK_URL")
    told.forget_requests()
    plan, _ = told.rollback(on_conflict="skip")
    assert actions(plan)["contact point core"] == "skip"
    assert any("does not give out secrets" in line and "core-0.url" in line for line in lines(plan))


def test_a_rollback_to_another_secret_says_that_it_is_not_put_back(
    told: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.sync()
    monkeypatch.setenv("SLACK_URL", URL + "-new")
    told.sync()
    plan, _ = told.rollback()
    words = 'contact point "core": Grafana does not return secrets, so set these again: core-0.url'
    assert words in plan.warnings


def test_a_rollback_brings_the_old_secret_back_where_the_project_knows_it(
    told: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.sync()
    monkeypatch.setenv("SLACK_URL", URL + "-new")
    told.sync()
    monkeypatch.setenv("SLACK_URL", URL)
    plan, _ = told.rollback()
    assert actions(plan) == {"contact point core": "update"}
    assert plan.warnings == ()
    assert told.grafana.notifications.integrations["core-0"]["settings"]["url"] == URL
    assert not told.plan().pending


def test_the_tree_of_others_is_a_conflict_that_names_what_would_go(told: World) -> None:
    theirs = {"receiver": "theirs", "object_matchers": [["team", "=", "b"]]}
    found = told.grafana.notifications
    found.integrations["t"] = {
        "uid": "t",
        "name": "theirs",
        "type": "email",
        "settings": {"addresses": "b@x"},
    }
    found.tree = {"receiver": "theirs", "routes": [theirs]}
    tree = copy.deepcopy(found.tree)
    plan = told.plan()
    assert actions(plan)["notification policy tree"] == "conflict"
    assert any("what leads to theirs goes with it" in line for line in lines(plan))
    told.sync(on_conflict="skip")
    assert found.tree == tree
    assert told.sync(on_conflict="overwrite").complete
    assert found.tree["receiver"] == "core"
    told.rollback()
    assert {key: found.tree[key] for key in tree} == tree


def test_branches_leave_the_routes_of_others_and_the_root(told: World) -> None:
    theirs = {"receiver": "theirs", "object_matchers": [["team", "=", "b"]]}
    found = told.grafana.notifications
    found.integrations["t"] = {
        "uid": "t",
        "name": "theirs",
        "type": "email",
        "settings": {"addresses": "b@x"},
    }
    found.tree = {"receiver": "theirs", "group_wait": "5s", "routes": [theirs]}
    configure(told, policies="branches")
    assert told.sync().complete
    assert found.tree["receiver"] == "theirs"
    assert found.tree["group_wait"] == "5s"
    assert "provenance" not in found.tree
    assert found.tree["routes"][0] == theirs
    ours = found.tree["routes"][1]
    # What the project's root says for all its branches is written in each.
    assert (ours["receiver"], ours["group_by"], ours["group_wait"]) == ("pager", ["service"], "1m30s")
    told.forget_requests()
    assert not told.plan().pending
    last = {"receiver": "theirs", "object_matchers": [["team", "=", "c"]]}
    found.tree["routes"].append(last)
    assert not told.plan().pending
    told.notifications = notifications(dataclasses.replace(ROUTE, group_by=("team",)))
    assert told.sync().complete
    assert [route["receiver"] for route in found.tree["routes"]] == ["theirs", "pager", "theirs"]
    told.rollback()
    assert found.tree["routes"][1]["group_by"] == ["service"]
    told.notifications = None
    assert told.sync(prune=True, allow_empty=True).complete
    assert found.tree["routes"] == [theirs, last]


def test_branches_need_matchers(told: World) -> None:
    configure(told, policies="branches")
    told.notifications = notifications(Route("core", routes=(Route("pager"),)))
    with pytest.raises(LokictlError, match="would take the alerts of everybody"):
        told.plan()


def test_a_route_of_others_that_takes_everything_is_reported(told: World) -> None:
    found = told.grafana.notifications
    found.integrations["t"] = {
        "uid": "t",
        "name": "theirs",
        "type": "email",
        "settings": {"addresses": "b@x"},
    }
    found.tree = {"receiver": "theirs", "routes": [{"receiver": "theirs"}]}
    configure(told, policies="branches")
    assert any("takes every alert before the routes of this project" in text for text in told.plan().warnings)


@pytest.mark.parametrize("policies", ["tree", "branches"])
def test_what_files_provide_is_left_alone(told: World, policies: str) -> None:
    found = told.grafana.notifications
    found.tree["provenance"] = "file"
    found.timings["nights"] = {"name": "nights", "time_intervals": [], "provenance": "file"}
    configure(told, policies=policies)
    plan = told.plan()
    assert actions(plan)["mute timing nights"] == "conflict"
    assert actions(plan)["notification policy tree"] == "conflict"
    assert sum("provisioned from a file" in line for line in lines(plan)) == 2


def test_people_may_edit_what_is_uploaded_open(told: World) -> None:
    configure(told, editable_alerts=True)
    assert told.sync().complete
    assert "api" not in everything(told)
    assert not told.plan().pending
    # Without the key everything stays as it is.
    configure(told)
    assert not told.plan().pending
    # Locking it is possible, and a change.
    configure(told, editable_alerts=False)
    assert set(actions(told.plan()).values()) == {"update"}
    assert told.sync().complete
    assert not told.plan().pending
    # Unlocking is not.
    configure(told, editable_alerts=True)
    plan = told.plan()
    assert not plan.pending
    assert any("stays locked in Grafana's pages" in text for text in plan.warnings)


def test_an_edit_in_grafana_is_a_conflict(told: World) -> None:
    told.sync()
    told.grafana.notifications.timings["nights"]["time_intervals"] = []
    told.grafana.notifications.integrations["core-0"]["settings"]["recipient"] = "#other"
    assert actions(told.plan()) == {"contact point core": "conflict", "mute timing nights": "conflict"}
    assert told.sync(on_conflict="overwrite").complete
    assert not told.plan().pending


def test_an_organization_whose_alerting_is_not_set_up_yet(told: World) -> None:
    told.grafana.notifications.is_set_up = False
    with pytest.raises(LokictlError, match="has not set up the alerting of this organization yet"):
        told.plan()


@pytest.mark.parametrize(
    "names, expected",
    [
        (("contact-points/core",), {"contact point core": "create"}),
        (("mute-timings",), {"mute timing nights": "create"}),
        (("message-templates/sh*",), {"message template short": "create"}),
        (("policies",), {"notification policy tree": "create"}),
    ],
)
def test_single_ones_are_named(told: World, names: tuple[str, ...], expected: dict[str, str]) -> None:
    assert actions(told.plan(names=names)) == expected


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"policies": "mine"}, '"policies" must be "tree"'),
        ({"notifications": False}, '"policies" needs notifications = true'),
        ({"secrets": {"slack_url": URL}}, "a secret must not be written in the configuration"),
        ({"secrets": "SLACK_URL"}, '"secrets" must be a table'),
    ],
)
def test_wrong_configuration(told: World, keys: dict[str, Any], message: str) -> None:
    configure(told, **keys)
    with pytest.raises(LokictlError, match=message):
        told.plan()


def test_what_is_pulled_is_adopted_without_a_write(told: World) -> None:
    told.sync()
    found = told.grafana.notifications
    for item in (
        *found.integrations.values(),
        *found.timings.values(),
        *found.templates.values(),
        found.tree,
    ):
        del item["provenance"]  # As people make them.
    before = everything(told)
    told.grafana.dashboards.clear()
    told.notifications = None
    configure(told, notifications=False, policies="")
    project = told.project()
    target = load_target(project.config)
    servers = Servers(target, 4, new_client=told.client(target, read_only=True))
    pulled = pull(project, target, servers, Selection())
    assert pulled.notes == pulled.skipped == []
    (module,) = pulled.modules
    assert module.path.as_posix() == "stack/notifications.py"
    assert URL not in module.text
    names: dict[str, Any] = {}
    exec(module.text, names)
    told.notifications = names["NOTIFICATIONS"]
    assert pulled.configuration[0] == '[targets.test]\nnotifications = true\npolicies = "tree"'
    assert 'core_0_url = { env = "CORE_0_URL" }' in pulled.configuration[1]
    configure(told, secrets={})
    assert not told.plan().pending
    told.forget_requests()
    assert told.sync().complete
    assert everything(told) == before
