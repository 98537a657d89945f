"""Random histories: edits of the project, edits by hand, faults, interruptions, reruns, rollbacks.

After each step: nothing foreign was touched, and nothing was lost that a backup cannot restore.  At the end: a
rerun converges, and an untouched project sends no write.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lokictl.model import DataSource
from lokictl.sync.backup import backup_names, read_backup
from lokictl.sync.normal_form import digest
from lokictl.sync.plan import Action, Key, Kind, Live
from lokictl.sync.session import SyncError
from tests.sync.fakes.http import FAULTS, Request
from tests.sync.world import TENANT, World, alert, rule_group

UIDS = ("d0", "d1", "d2")
NAMESPACES = ("own", "own-b")
VERSIONS = ("7.5.17", "9.4.0", "12.2.0")

HISTORIES = int(os.environ.get("LOKICTL_HISTORIES", "200"))

OURS = ("d0", "d1")
edits = st.one_of(
    st.tuples(st.sampled_from(("edit", "remove")), st.sampled_from((*UIDS, "source", *NAMESPACES))),
    st.tuples(
        st.sampled_from(("hand edits", "hand edits", "hand deletes", "hand moves")), st.sampled_from(OURS)
    ),
    st.tuples(st.just("hand makes"), st.sampled_from((*UIDS, "f0"))),
    st.tuples(st.just("hand rules"), st.sampled_from((*NAMESPACES, "foreign"))),
    st.tuples(st.just("hand source"), st.sampled_from(("source", "theirs"))),
    st.tuples(st.just("renames uid"), st.sampled_from(("d0", "source"))),
    st.tuples(st.just("renames folder"), st.sampled_from(("Shop", "Other"))),
)
options = {
    "prune": st.booleans(),
    "allow_empty": st.booleans(),
    "on_conflict": st.sampled_from(("skip", "fail", "overwrite")),
}
calm = st.fixed_dictionaries(
    {**options, "faults": st.just([]), "stop": st.just(0), "interrupt": st.just(False)}
)
stormy = st.fixed_dictionaries(
    {
        **options,
        "faults": st.lists(st.sampled_from(("", "", "", *FAULTS)), min_size=5, max_size=25),
        "stop": st.sampled_from((0, 3, 5, 7, 9, 11, 13, 15)),
        "interrupt": st.booleans(),
    }
)
ends = st.one_of(
    st.tuples(st.just("sync"), calm),
    st.tuples(st.just("sync"), stormy),
    st.tuples(st.just("sync"), stormy),
    st.tuples(st.just("rollback"), st.sampled_from(("fail", "skip"))),
)
# A few edits, then a run of ours: so that every run has something to do, and something not to do.
chapters = st.tuples(st.lists(edits, max_size=3), ends).map(lambda chapter: [*chapter[0], chapter[1]])
stories = st.lists(chapters, min_size=2, max_size=4).map(
    lambda found: [step for part in found for step in part]
)


class History:
    """A world in which things happen; every edit is unlike all others."""

    def __init__(self, root: Path, version: str, jobs: int) -> None:
        self.world = World(root, version, jobs=jobs)
        self.count = 0
        self.world.dashboards = {uid: self._dashboard(uid) for uid in UIDS[:2]}
        self.world.sources = {"source": self._source()}
        self.world.groups = {"own": [rule_group("g", alert("A"))]}

    def _next(self) -> int:
        self.count += 1
        return self.count

    def _dashboard(self, uid: str) -> dict[str, Any]:
        return {"title": f"{uid} {self._next()}", "panels": [{"id": 1, "type": "logs", "title": "P"}]}

    def _source(self) -> DataSource:
        return DataSource(
            name="Source",
            type="loki",
            uid="source",
            url=f"http://loki/{self._next()}",
            secure_json_data={"basicAuthPassword": "$__env{PASSWORD}"},
            environment={"PASSWORD": "secret-of-the-source"},
        )

    # --- steps -------------------------------------------------------------------------------------------

    def edit(self, name: str) -> None:
        if name in UIDS:
            self.world.dashboards[name] = self._dashboard(name)
        elif name == "source":
            uid = next(iter(self.world.sources), name)
            self.world.sources[uid] = dataclasses.replace(self._source(), uid=uid)
        else:
            self.world.groups[name] = [
                rule_group("g", alert(f"A{self._next()}")),
                rule_group("h", alert("B")),
            ]

    def remove(self, name: str) -> None:
        if name == "source":
            self.world.sources.clear()
        for part in (self.world.dashboards, self.world.groups):
            part.pop(name, None)  # type: ignore[attr-defined]

    def renames_uid(self, name: str) -> None:
        """The same under another uid, and back again."""
        parts: tuple[dict[str, Any], str] = (self.world.dashboards, "d2")
        if name == "source":
            parts = (self.world.sources, "source-b")
        found, other = parts
        for old, new in ((name, other), (other, name)):
            if old in found and new not in found:
                item = found.pop(old)
                found[new] = dataclasses.replace(item, uid=new) if isinstance(item, DataSource) else item
                return

    def renames_folder(self, title: str) -> None:
        self.world.tables["target"] = {"folder": title}

    def hand_edits(self, uid: str) -> None:
        if uid in self.world.grafana.dashboards:
            self.world.grafana.edit_dashboard(uid, title=f"by hand {self._next()}")

    def hand_deletes(self, uid: str) -> None:
        self.world.grafana.dashboards.pop(uid, None)

    def hand_moves(self, uid: str) -> None:
        if uid in self.world.grafana.dashboards:
            self.hand_edits(uid)
            self.world.grafana.dashboards[uid].folder = ""

    def hand_makes(self, uid: str) -> None:
        if uid not in self.world.grafana.dashboards:
            self.world.grafana.add_dashboard(uid, title=f"made by hand {self._next()}", tags=["lokictl:shop"])

    def hand_rules(self, namespace: str) -> None:
        self.world.ruler.put(TENANT, namespace, rule_group("g", alert(f"H{self._next()}")))

    def hand_source(self, uid: str) -> None:
        found = self.world.grafana.data_sources.get(uid)
        if found is None:
            name = "By hand" if uid == "source" else "Theirs"
            self.world.grafana.add_data_source(uid, name, url=f"http://hand/{self._next()}")
        else:
            found.body = {**found.body, "url": f"http://hand/{self._next()}"}
            found.version += 1
            found.by = "alice"

    def sync(self, options: dict[str, Any]) -> None:
        before = self.snapshot()
        self._arm(options)
        chosen = {key: options[key] for key in ("prune", "allow_empty", "on_conflict")}
        try:
            session = self.world.session(**chosen)
            plan = session.plan()
            if plan.of(Action.CONFLICT) and options["on_conflict"] == "fail":
                assert_same(before, self.snapshot())
            else:
                session.apply(plan)
        except (SyncError, KeyboardInterrupt):
            pass
        self._disarm()
        self.check(before, overwrites=options["on_conflict"] == "overwrite")

    def rollback(self, on_conflict: str) -> None:
        if not backup_names(self.world.root):
            return
        before = self.snapshot()
        self.world.rollback(on_conflict=on_conflict)
        self.check(before, overwrites=False)

    def _arm(self, options: dict[str, Any]) -> None:
        faults, sent = list(options["faults"]), 0

        def choose(request: Request) -> str:
            nonlocal sent
            sent += 1
            if options["stop"] and sent > options["stop"]:
                if options["interrupt"] and sent == options["stop"] + 1:
                    raise KeyboardInterrupt
                return "" if options["interrupt"] else "refuse"
            return faults.pop(0) if faults else ""

        for server in self.world.servers:
            server.choose = choose

    def _disarm(self) -> None:
        for server in self.world.servers:
            server.choose = lambda request: ""
            server.settle()

    # --- what must hold ----------------------------------------------------------------------------------

    def snapshot(self) -> dict[Key, tuple[str, Live, bool]]:
        """Digest, content and "last written by hand" of everything that is not lokictl's own record."""
        return {live.key: (digest(live), copy.deepcopy(live), by_hand) for live, by_hand in self._lives()}

    def _lives(self) -> Iterator[tuple[Live, bool]]:
        for uid, found in self.world.grafana.dashboards.items():
            if uid != "lokictl-shop":
                key = Key(Kind.DASHBOARD, uid)
                yield (
                    Live(key, uid, found.body, found.folder, found.version, found.number),
                    found.by == "alice",
                )
        for uid, source in self.world.grafana.data_sources.items():
            key = Key(Kind.DATA_SOURCE, uid)
            body = {**source.body, "secureJsonFields": sorted(source.secrets)}
            yield Live(key, uid, body, "", source.version, source.number), source.by == "alice"
        for namespace, groups in self.world.ruler.rules.get(TENANT, {}).items():
            for name, group in groups.items():
                by_hand = self.world.ruler.by[TENANT, namespace, name] == "alice"
                yield Live(Key(Kind.RULE_GROUP, name, namespace, TENANT), name, group), by_hand

    def check(self, before: dict[Key, tuple[str, Live, bool]], *, overwrites: bool) -> None:
        after = self.snapshot()
        saved = self._saved()
        for key, (mark, live, by_hand) in before.items():
            now = after.get(key)
            same = now is not None and now[0] == mark
            if key.name in ("f0", "theirs") or key.namespace == "foreign":
                assert same, f"{key} is foreign and was touched"
                assert now is not None
                assert now[1].version == live.version
            if by_hand and not overwrites:
                assert same, f"{key} was edited by hand, and that was overwritten"
            if not same:
                assert mark in saved, f"{key} was changed without a backup"

    def _saved(self) -> set[str]:
        project = self.world.project()
        from lokictl.sync.configuration import load_target

        target = load_target(project.config)
        backups = [read_backup(self.world.root, name, target) for name in backup_names(self.world.root)]
        return {digest(item.before) for backup in backups for item in backup.saved if item.before is not None}

    def check_convergence(self) -> None:
        options = {"prune": True, "allow_empty": True, "on_conflict": "overwrite"}
        assert self.world.sync(**options).complete
        assert not self.world.plan(**options).pending
        self.world.forget_requests()
        assert self.world.sync(**options).complete
        assert self.world.requests(writes=True) == []
        live = self.world.grafana.dashboards
        assert set(self.world.dashboards) <= set(live)
        for uid in set(live) - set(self.world.dashboards) - {"lokictl-shop"}:
            assert live[uid].by == "alice", f"{uid} is of the project, and was left behind"
        wanted = {(n, group["name"]) for n, groups in self.world.groups.items() for group in groups}
        rules = self.world.ruler.rules.get(TENANT, {})
        live = {(n, name) for n in NAMESPACES for name in rules.get(n, {})}
        assert wanted <= live
        for namespace, name in live - wanted:
            by = self.world.ruler.by[TENANT, namespace, name]
            assert by == "alice", f"{namespace}/{name} is of the project, and was left behind"


def assert_same(before: dict[Key, tuple[str, Live, bool]], after: dict[Key, tuple[str, Live, bool]]) -> None:
    assert {key: found[0] for key, found in before.items()} == {key: found[0] for key, found in after.items()}


def play(history: History, story: list[tuple[str, Any]]) -> None:
    for step, argument in story:
        getattr(history, step.replace(" ", "_"))(argument)


relaxed = settings(
    max_examples=HISTORIES,
    deadline=None,
    derandomize="LOKICTL_HISTORIES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
@relaxed
@given(st.sampled_from(VERSIONS), st.sampled_from((1, 3)), stories)
def test_any_history(version: str, jobs: int, story: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder), version, jobs)
        play(history, story)
        history.check_convergence()


@pytest.mark.slow
@settings(relaxed, max_examples=max(HISTORIES // 5, 1))
@given(st.sampled_from(VERSIONS), st.lists(edits, max_size=6), st.lists(edits, max_size=6))
@example("7.5.17", [], [("renames uid", "d0"), ("edit", "d0")])
def test_a_rollback_restores_what_was_there(
    version: str, first: list[tuple[str, Any]], second: list[tuple[str, Any]]
) -> None:
    options = {"prune": True, "allow_empty": True, "on_conflict": "overwrite"}
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder), version, 2)
        play(history, first)
        assert history.world.sync(**options).complete
        play(history, second)
        before = history.snapshot()
        backups = len(backup_names(history.world.root))
        assert history.world.sync(**options).complete
        if len(backup_names(history.world.root)) > backups:
            _, applied = history.world.rollback()
            assert applied is not None
            assert applied.complete
        assert_same(before, history.snapshot())
        history.check_convergence()
