"""Random histories of alert groups and notifications: edits, edits by hand, faults, reruns, rollbacks.

What others made stays as it is, a rerun converges, an untouched project sends no write, and a rollback puts back what
was there.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lokictl.model.notifications import (
    ContactPoint,
    Integration,
    Matcher,
    MessageTemplate,
    MuteTiming,
    Notifications,
    Route,
)
from lokictl.sync.backup import backup_names
from lokictl.sync.session import SyncError
from tests.sync.fakes.http import FAULTS, Request
from tests.sync.world import World, alert, rule_group

HISTORIES = int(os.environ.get("LOKICTL_HISTORIES", "25"))
SECRETS = {"one": "the-first-secret-0123456789", "two": "the-second-secret-0123456789"}
THEIRS = {"uid": "t", "name": "theirs", "type": "email", "settings": {"addresses": "b@example.com"}}
ROUTE_OF_OTHERS = {"receiver": "theirs", "object_matchers": [["team", "=", "b"]]}


def slack(channel: int, secret: str) -> Integration:
    return Integration("slack", {"recipient": f"#{channel}"}, {"url": secret})


integrations = st.lists(
    st.one_of(
        st.builds(slack, st.integers(0, 2), st.sampled_from(sorted(SECRETS))),
        st.builds(lambda n: Integration("email", {"addresses": f"{n}@example.com"}), st.integers(0, 2)),
    ),
    min_size=1,
    max_size=3,
).map(tuple)


@st.composite
def described(draw: Any, policies: str) -> Notifications:
    names = draw(st.sampled_from([("core",), ("core", "pager"), ("pager", "chat", "core")]))
    points = tuple(ContactPoint(name, draw(integrations)) for name in names)
    timings = tuple(
        MuteTiming(name, ({"months": [str(draw(st.integers(1, 3)))]},))
        for name in draw(st.sampled_from([(), ("nights",), ("nights", "days")]))
    )
    templates = draw(st.sampled_from([(), (MessageTemplate("text", "a"),), (MessageTemplate("text", "b"),)]))
    muted = tuple(timing.name for timing in timings)[:1]
    routes = tuple(
        Route(name, (Matcher("severity", "=", severity),), mute_timings=muted)
        for name, severity in zip(names, ("page", "ticket", "info"), strict=False)
    )
    return Notifications(
        Route(names[0], group_by=draw(st.sampled_from([(), ("service",)])), routes=routes),
        points,
        mute_timings=timings,
        templates=templates,
    )


edits = st.one_of(
    st.tuples(st.just("describe"), st.integers(0, 10**6)),
    st.tuples(st.just("rules"), st.integers(0, 5)),
    st.tuples(st.just("move"), st.sampled_from(("project", "namespace"))),
    st.tuples(st.just("hand"), st.sampled_from(("core", "nights", "text", "tree", "group"))),
)
faults = st.lists(st.sampled_from(("", "", "", *FAULTS)), max_size=20)
runs = st.tuples(st.just("sync"), st.tuples(faults, st.sampled_from(("skip", "overwrite")), st.booleans()))
stories = st.lists(st.one_of(edits, edits, runs), min_size=2, max_size=9)
relaxed = settings(
    max_examples=HISTORIES,
    deadline=None,
    derandomize="LOKICTL_HISTORIES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)


class History:
    def __init__(self, root: Path, policies: str, data: st.DataObject) -> None:
        self.data, self.policies = data, policies
        self.world = World(root)
        self.world.dashboards, self.world.sources, self.world.groups = {}, {}, {}
        for name, value in SECRETS.items():
            os.environ[f"TEST_{name.upper()}"] = value
        secrets = {name: {"env": f"TEST_{name.upper()}"} for name in SECRETS}
        keys = {"notifications": True, "policies": policies, "secrets": secrets, "alerting": "grafana"}
        self.world.tables["target"] = {**keys, "loki": None}
        found = self.world.grafana.notifications
        found.integrations["t"] = copy.deepcopy(THEIRS)
        if policies == "branches":
            found.tree = {"receiver": "theirs", "routes": [copy.deepcopy(ROUTE_OF_OTHERS)]}
        self.describe(0)
        self.rules(1)

    def describe(self, number: int) -> None:
        self.world.notifications = self.data.draw(described(self.policies))

    def rules(self, number: int) -> None:
        names = [("g",), ("g", "h"), ("h",)][number % 3]
        self.world.groups = {"own": [rule_group(n, alert(f"A{n}", f"vector({number}) > 1")) for n in names]}

    def move(self, folders: str) -> None:
        self.world.tables["alert_folders"] = folders

    def hand(self, what: str) -> None:
        found = self.world.grafana.notifications
        if what == "core" and "core-0" in found.integrations:
            found.integrations["core-0"]["disableResolveMessage"] = True
        elif what == "nights" and "nights" in found.timings:
            found.timings["nights"]["time_intervals"] = []
        elif what == "text" and "text" in found.templates:
            found.templates["text"]["template"] = '{{ define "x" }}{{ end }}'
        elif what == "tree" and found.tree.get("routes"):
            found.tree["routes"][-1]["group_wait"] = "7s"
        elif what == "group":
            for group in list(self.world.grafana.alert_groups.values())[:1]:
                group["interval"] = 300

    def sync(self, arguments: tuple[list[str], str, bool]) -> None:
        wrong, on_conflict, prune = arguments
        left = list(wrong)

        def choose(request: Request) -> str:
            return left.pop(0) if left else ""

        server = self.world.grafana_server
        server.choose = choose
        with contextlib.suppress(SyncError):
            self.world.sync(prune=prune, allow_empty=prune, on_conflict=on_conflict)
        server.choose = lambda request: ""
        server.settle()
        self.check_others()

    def check_others(self) -> None:
        found = self.world.grafana.notifications
        assert found.integrations["t"] == THEIRS
        if self.policies == "branches":
            assert found.tree["receiver"] == "theirs"
            routes = [{**route, "group_wait": ""} for route in found.tree["routes"]]
            assert {**ROUTE_OF_OTHERS, "group_wait": ""} in routes

    def state(self) -> str:
        found = self.world.grafana.notifications
        groups = {
            str(key): [group["interval"], [(rule["uid"], rule["title"]) for rule in group["rules"]]]
            for key, group in sorted(self.world.grafana.alert_groups.items())
        }
        return json.dumps(
            [found.integrations, found.timings, found.templates, found.tree, groups], sort_keys=True
        )

    def check_convergence(self) -> None:
        options = {"prune": True, "allow_empty": True, "on_conflict": "overwrite"}
        assert self.world.sync(**options).complete
        assert not self.world.plan(**options).pending
        self.world.forget_requests()
        assert self.world.sync(**options).complete
        assert self.world.requests(writes=True) == []
        self.check_others()
        notifications = self.world.notifications
        assert notifications is not None
        found = self.world.grafana.notifications
        names = {item["name"] for item in found.integrations.values()}
        assert names == {"theirs", *(point.name for point in notifications.contact_points)}
        urls = {item["settings"]["url"] for item in found.integrations.values() if item["type"] == "slack"}
        assert urls <= set(SECRETS.values())
        assert set(found.timings) == {timing.name for timing in notifications.mute_timings}
        wanted = {group["name"] for group in self.world.groups["own"]}
        assert {name for _, name in self.world.grafana.alert_groups} == wanted


@pytest.mark.slow
@relaxed
@given(st.sampled_from(("tree", "branches")), stories, st.data())
def test_any_history(policies: str, story: list[tuple[str, Any]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder), policies, data)
        for step, argument in story:
            getattr(history, step)(argument)
        history.check_convergence()


@pytest.mark.slow
@relaxed
@given(
    st.sampled_from(("tree", "branches")), st.lists(edits, max_size=4), st.lists(edits, max_size=4), st.data()
)
def test_a_rollback_puts_back_what_was_there(
    policies: str, first: list[tuple[str, Any]], second: list[tuple[str, Any]], data: st.DataObject
) -> None:
    options = {"prune": True, "allow_empty": True, "on_conflict": "overwrite"}
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder), policies, data)
        for step, argument in first:
            getattr(history, step)(argument)
        assert history.world.sync(**options).complete
        known = history.world.notifications
        for step, argument in second:
            getattr(history, step)(argument)
        before = history.state()
        backups = len(backup_names(history.world.root))
        assert history.world.sync(**options).complete
        if len(backup_names(history.world.root)) == backups:
            return
        after = history.world.notifications
        # Secrets come from the project: as it was, it knows those of what has to come back.
        history.world.notifications = known
        plan, applied = history.world.rollback(on_conflict="skip")
        if all(change.action.value != "skip" for change in plan.changes) and not plan.warnings:
            assert applied is not None
            assert applied.complete
            assert history.state() == before
        history.world.notifications = after
        history.check_convergence()
