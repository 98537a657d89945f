"""Single resources by name, plans in files, and one run at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.model import DataSource
from lokictl.sync.errors import SyncError
from lokictl.sync.plan import Key, Kind, Status
from lokictl.sync.recorder import LOCK_SECONDS
from lokictl.sync.saved_plan import check_plan, read_plan, save_plan
from lokictl.sync.selection import Selection, parse_names
from tests.sync.world import TENANT, World, actions, alert, rule_group

DASHBOARD, RULES = Key(Kind.DASHBOARD, "shop"), Key(Kind.RULE_GROUP, "g", "shop", "t")
NAMES = {
    "dashboards": (True, False),
    "dashboards/shop": (True, False),
    "dashboards/sh*": (True, False),
    "dashboards/other": (False, False),
    "rules": (False, True),
    "rules/shop": (False, True),
    "rules/shop/g": (False, True),
    "rules/shop/h": (False, False),
    "rules/*/g": (False, True),
    "folders/shop": (False, False),
}


@pytest.mark.parametrize("text", NAMES)
def test_names(text: str) -> None:
    selection = Selection(names=parse_names([text]))
    assert (selection.covers(DASHBOARD), selection.covers(RULES)) == NAMES[text]


@pytest.mark.parametrize(
    "text, hint", [("dashboard/x", 'did you mean "dashboards"?'), ("x", "KIND/NAME"), ("rules/", "")]
)
def test_invalid_names(text: str, hint: str) -> None:
    with pytest.raises(LokictlError) as caught:
        parse_names([text])
    assert hint in caught.value.problems[0].hint


def test_only_what_was_named_is_synced(world: World) -> None:
    assert actions(world.plan(names=("dashboards/errors",))) == {
        "folder shop": "create",
        "dashboard errors": "create",
    }
    assert world.sync(names=("dashboards/errors",)).complete
    assert set(world.grafana.dashboards) == {"errors", "lokictl-shop"}
    assert world.sync(names=("rules/own", "datasources")).complete
    assert actions(world.plan()) == {"dashboard load": "create"}
    assert world.sync().complete
    world.dashboards["errors"]["title"] = "Other"
    world.groups["own"][0]["limit"] = 5
    assert world.sync(names=("rules",)).complete
    assert actions(world.plan()) == {"dashboard errors": "update"}
    del world.dashboards["load"]
    world.sources = {}
    assert world.sync(names=("dashboards/load",), prune=True).complete
    assert "load" not in world.grafana.dashboards
    assert "loki" in world.grafana.data_sources
    with pytest.raises(LokictlError) as caught:
        world.plan(names=("dashboards/erors",))
    assert caught.value.problems[0].hint == 'did you mean "errors"?'


def save(world: World, **options: Any) -> Path:
    session = world.session(read_only=True, **options)
    plan = session.plan()
    path = world.root / "plan.json"
    save_plan(path, session.target, plan, session.options)
    return path


def check(world: World, path: Path) -> None:
    saved = read_plan(path)
    session = world.session(prune=saved.options.prune, names=saved.names)
    check_plan(saved, session.target, session.plan())


def test_a_plan_that_holds(world: World) -> None:
    world.sync()
    world.dashboards["errors"]["title"] = "Other"
    del world.dashboards["load"]
    path = save(world, prune=True)
    check(world, path)
    assert json.loads(path.read_text())["options"]["prune"]


def secret(value: str) -> DataSource:
    return DataSource(
        name="Loki",
        type="loki",
        uid="loki",
        url="http://loki:3100",
        secure_json_data={"basicAuthPassword": "$__env{PASSWORD}"},
        environment={"PASSWORD": value},
    )


CHANGES: dict[str, tuple[Any, str]] = {
    "server": (lambda w: w.grafana.edit_dashboard("load", title="By hand"), "dashboard load"),
    "project": (lambda w: w.dashboards["errors"].update(title="Third"), "was changed in the project"),
    "done": (lambda w: w.sync(), "was to update, and is not now"),
    "more": (
        lambda w: w.groups["own"].append(rule_group("n", alert("N"))),
        "not in the plan: \\+ rule group own/n",
    ),
    "secret": (
        lambda w: w.sources.update(loki=secret("third")),
        "data source loki: was changed in the project",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_plan_that_is_out_of_date(world: World, name: str) -> None:
    change, words = CHANGES[name]
    world.sources = {"loki": secret("first")}
    world.sync()
    world.sources = {"loki": secret("second")}
    world.dashboards["errors"]["title"] = "Other"
    world.dashboards["load"]["title"] = "Other, too"
    path = save(world)
    assert "second" not in path.read_text()
    change(world)
    world.forget_requests()
    with pytest.raises(SyncError, match=words) as caught:
        check(world, path)
    assert "is out of date" in caught.value.problems[-1].hint
    assert not world.requests(writes=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 9}'])
def test_what_is_not_a_plan(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(LokictlError, match="cannot read the plan"):
        read_plan(path)


# --- rules alone: one run at a time ----------------------------------------------------------------------------


def test_a_run_that_is_under_way_keeps_others_out(world: World) -> None:
    world.without_grafana()
    world.sync()
    world.groups["own"][0]["limit"] = 5
    first = world.session()
    plan = first.plan()
    entered: list[Any] = []

    def choose(request: Any) -> str:
        if request.method == "POST" and b"limit: 5" in request.body and not entered:
            entered.append(world.sync())
        return ""

    world.loki_server.choose = choose
    assert first.apply(plan).complete
    (other,) = entered
    assert "another sync of this project is running" in other.record_problem
    assert {outcome.status for outcome in other.outcomes} == {Status.NOT_DONE}
    world.loki_server.choose = lambda request: ""
    assert world.sync().complete
    assert not world.plan().pending


def test_two_that_begin_at_the_same_moment(world: World) -> None:
    world.without_grafana()
    world.sync()
    world.groups["own"][0]["limit"] = 5
    first, second = world.session(), world.session()
    plans = first.plan(), second.plan()
    assert first.apply(plans[0]).complete
    applied = second.apply(plans[1])
    assert "started or finished meanwhile" in applied.record_problem


def test_a_run_that_died_does_not_lock_for_ever(world: World) -> None:
    world.without_grafana()
    world.sync()
    record = world.ruler.rules[TENANT]["lokictl-shop"]["lokictl-record"]
    annotations = record["rules"][0]["annotations"]
    data = json.loads(annotations["lokictl"])
    world.groups["own"][0]["limit"] = 5
    for until, complete in ((9_999_999_999, False), (1_700_000_000, True)):
        annotations["lokictl"] = json.dumps({**data, "lock": f"dead {until}"})
        assert world.sync().complete is complete
    assert LOCK_SECONDS < 3600
