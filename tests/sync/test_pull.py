"""What is pulled renders back to the same."""

from __future__ import annotations

import ast
import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.project import Configuration, load
from lokictl.sync.configuration import load_target
from lokictl.sync.plan import Key, Kind, Live
from lokictl.sync.pull import Selection, data_source_module, made_dashboard, pull, rules_module, write_modules
from lokictl.sync.python_source import duration, identifier, literal
from lokictl.sync.session import Servers
from tests.sync.world import TENANT, World, actions, alert, rule_group

CONFIGURATION = """
name = "shop"
[targets.test.grafana]
url = "http://grafana"
[targets.test.loki]
url = "http://loki"
tenants = ["team-a"]
"""


class Pulling:
    """A project on disk, and servers with things in them."""

    def __init__(self, world: World) -> None:
        self.world, self.root = world, world.root
        for folder in ("dashboards", "rules", "datasources"):
            (self.root / folder).mkdir()
        (self.root / "lokictl.toml").write_text(CONFIGURATION)

    def pull(self, selection: Selection | None = None, **options: Any) -> Any:
        project = load(self.root)
        target = load_target(project.config)
        servers = Servers(target, 4, new_client=self.world.client(target, read_only=True))
        pulled = pull(project, target, servers, selection or Selection(), **options)
        write_modules(self.root, pulled.modules)
        return pulled

    def configure(self, texts: list[str]) -> None:
        text = CONFIGURATION.replace("[targets.test.loki]\n", "")
        loki = "[targets.test.loki]\n"
        for part in texts:
            if part.startswith(loki):
                loki = part + "\n"
            else:
                text = f"{text.rstrip()}\n{part}\n"
        before, url, after = text.partition('url = "http://loki"')
        (self.root / "lokictl.toml").write_text(f"{before}{loki}{url}{after}")


@pytest.fixture
def pulling(tmp_path: Path) -> Pulling:
    world = World(tmp_path)
    world.grafana.add_folder("team", "The team")
    world.grafana.add_dashboard(
        "errors",
        "team",
        title='Errors "now" \\ $x',
        tags=["b", "a"],
        panels=[
            {"id": 1, "type": "logs", "title": "ü☃\nline\n", "x": None, "f": 0.5, "b": True, "e": 'a"b\\d'}
        ],
    )
    world.grafana.add_dashboard("root", title="class")
    world.grafana.add_data_source(
        "loki",
        "Loki $1",
        url="http://loki:3100",
        basicAuth=True,
        basicAuthUser="me",
        isDefault=True,
        database="db",
        jsonData={"derivedFields": [{"name": "T", "matcherRegex": r"id=(\w+)$", "url": "${__value.raw}"}]},
        secureJsonData={"basicAuthPassword": "secret"},
    )
    world.ruler.put(
        TENANT, "own", rule_group("g", alert("A", "a\n  > 1\n", labels={"x": "1"}, **{"for": "90s"}))
    )
    world.ruler.put(
        TENANT, "own", rule_group("h-i", {"record": "a:b", "expr": "vector(1)"}, interval="2m", limit=5)
    )
    world.ruler.put(
        TENANT, "a b", rule_group("g", alert("B", annotations={"s": '{{ $value }} "x" \\n\ttab'}))
    )
    return Pulling(world)


def test_a_sync_after_a_pull_changes_nothing_but_the_record(pulling: Pulling) -> None:
    pulled = pulling.pull()
    assert sorted(str(module.path) for module in pulled.modules) == [
        "dashboards/class_.py",
        "dashboards/errors_now_x.py",
        "datasources/loki_1.py",
        "rules/a_b.py",
        "rules/own.py",
    ]
    assert pulling.world.requests(writes=True) == []
    pulling.configure(pulled.configuration)
    project = load(pulling.root)
    world = pulling.world
    from lokictl.sync.session import Session

    target = load_target(project.config)
    servers = Servers(target, 4, new_client=world.client(target))
    session = Session(project, target, servers)
    plan = session.plan()
    assert actions(plan) == {"record lokictl-shop": "create"}
    assert not plan.pending
    before = copy.deepcopy({uid: found.body for uid, found in world.grafana.dashboards.items()})
    assert session.apply(plan).complete
    assert {uid: world.grafana.dashboards[uid].body for uid in before} == before
    assert [path for method, path in world.requests(writes=True) if "lokictl-shop" not in path] == [
        "/apis/dashboard.grafana.app/v0alpha1/namespaces/default/dashboards"
    ]


def test_the_modules_give_back_the_same_json(pulling: Pulling) -> None:
    pulling.pull()
    project = load(pulling.root)
    made = {dashboard.uid: dashboard.to_json() for dashboard in project.dashboards}
    assert made == {uid: found.body for uid, found in pulling.world.grafana.dashboards.items()}
    groups = {(f.namespace, g.name): g.to_dict() for f in project.rule_files for g in f.groups}
    live = pulling.world.ruler.rules[TENANT]
    assert json.loads(json.dumps(groups[("own", "h-i")])) == live["own"]["h-i"]
    assert groups[("a b", "g")]["rules"][0]["annotations"] == live["a b"]["g"]["rules"][0]["annotations"]
    assert groups[("own", "g")]["rules"][0] == {**live["own"]["g"]["rules"][0], "for": "1m30s"}


def test_no_secret_is_written(pulling: Pulling) -> None:
    pulling.pull()
    text = (pulling.root / "datasources" / "loki_1.py").read_text()
    assert "$__env{LOKI_BASICAUTHPASSWORD}" in text
    assert '"secret"' not in text


def test_what_the_project_has_is_left_alone(pulling: Pulling) -> None:
    pulling.pull()
    again = pulling.pull()
    assert again.modules == []
    assert ("dashboard errors", "the project has it already") in again.skipped
    (pulling.root / "dashboards" / "class_.py").write_text("# mine\n")
    again = pulling.pull(force=True)
    assert ("dashboards/class_.py", "exists and was not written by a pull") in again.skipped
    assert len(again.modules) == 4


def test_only_what_was_asked_for(pulling: Pulling) -> None:
    pulled = pulling.pull(Selection(frozenset(["rules"]), frozenset(["own"])))
    assert [str(module.path) for module in pulled.modules] == ["rules/own.py"]
    pulled = pulling.pull(Selection(names=frozenset(["errors"])))
    assert [str(module.path) for module in pulled.modules] == ["dashboards/errors_now_x.py"]


def test_a_conflict_can_be_pulled(world: World) -> None:
    """A JSON file is replaced by the server's side; code is left alone, and the server's side put beside it."""
    from lokictl.sync.pull import pull_conflicts

    world.sync()
    world.grafana.edit_dashboard("errors", title="By hand")
    world.grafana.edit_dashboard("load", title="By hand, too")
    session = world.session(on_conflict="pull")
    file = world.root / "errors.json"
    file.write_text("{}")
    object.__setattr__(
        session.project, "dashboard_files", {"errors": str(file), "load": str(world.root / "load.py")}
    )
    plan = session.plan()
    written = [path for path, _ in pull_conflicts(session.project, session.target, plan)]
    assert written == [file, world.root / ".lokictl" / "pulled" / "dashboard-load.py"]
    assert json.loads(file.read_text())["title"] == "By hand"
    assert session.apply(plan).complete
    world.dashboards["errors"] = json.loads(file.read_text())
    assert actions(world.plan())["dashboard load"] == "conflict"
    assert world.sync(on_conflict="skip").complete


VALUES = [
    None, True, 0, -1.5, "", "a", "'", '"', "'\"", "\\", "\\d+\"'", "a\nb", "a\nb\n", "\n", "\t", "a \nb", "\r\n",
    '"""', 'a\n"""', 'x\n"', "☃\u2028\x00", "a\\\nb", [], {}, (), [1, "a"], ("a",), {"a": {"b": [1, 2, {"c": None}]}},
    {"long": ["x" * 60, "y" * 60]}, ["line\n" * 40],
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_values_as_python(value: Any) -> None:
    assert ast.literal_eval(literal(value)) == value
    assert ast.literal_eval(literal({"key": value}))["key"] == value


@pytest.mark.parametrize(
    "text, name",
    [("A b", "a_b"), ("1st", "n_1st"), ("class", "class_"), ("☃", "unnamed"), ("", "unnamed"), ("_x_", "x")],
)
def test_module_names(text: str, name: str) -> None:
    assert identifier(text).isidentifier()
    assert identifier(text).strip("n_") == name.strip("n_")


@pytest.mark.parametrize(
    "seconds, text",
    [(60, "MINUTE"), (300, "5 * MINUTE"), (90, "90 * SECOND"), (3600, "HOUR"), (172800, "2 * DAY")],
)
def test_durations(seconds: int, text: str) -> None:
    assert duration(seconds * 1_000_000_000) == text


def test_odd_names_in_one_module() -> None:
    groups = [rule_group("a b", alert("A")), rule_group("a-b", alert("A")), rule_group("file")]
    lives = [
        Live(Key(Kind.RULE_GROUP, g["name"], "n", ""), g["name"], yaml.safe_load(json.dumps(g)))
        for g in groups
    ]
    assert "_A_B_2 = RuleGroup(" in rules_module("n", "", lives)


def test_a_data_source_with_odd_texts() -> None:
    body = {"type": "x", "url": "http://$a/${b}/$$", "jsonData": {"k": ["$__env{X}", {"n": 1.5}]}}
    text = data_source_module(Live(Key(Kind.DATA_SOURCE, "u"), 'A "b"', {"name": 'A "b"', **body}))
    assert "$$" in text


def test_a_dashboard_of_the_new_schema_is_pulled_as_it_is_stored(pulling: Pulling) -> None:
    found = pulling.world.grafana.dashboards["errors"]
    found.schema, found.body = "v2beta1", {"title": "Errors", "elements": {}, "uid": "errors"}
    pulled = pulling.pull(Selection(frozenset(["dashboards"]), frozenset(["errors"])))
    assert [str(module.path) for module in pulled.modules] == ["dashboards/errors.json"]
    data = json.loads(pulled.modules[0].text)
    assert (data["apiVersion"], data["metadata"]) == ("dashboard.grafana.app/v2beta1", {"name": "errors"})
    assert data["spec"]["title"] == "Errors"


def test_what_sync_will_leave_alone_is_reported(pulling: Pulling) -> None:
    pulling.world.grafana.dashboards["root"].provisioned = True
    pulling.world.grafana.data_sources["loki"].read_only = True
    notes = pulling.pull().notes
    assert [note.partition(":")[0] for note in notes] == ["dashboard root", "data source loki"]
    assert all("sync will leave it alone" in note for note in notes)


def test_one_that_cannot_be_read_is_left_out(pulling: Pulling) -> None:
    pulling.world.grafana.dashboards["root"].schema = "v2beta1"
    pulling.world.grafana.served = ["v0alpha1"]
    pulled = pulling.pull(Selection(frozenset(["dashboards"])))
    assert [str(module.path) for module in pulled.modules] == ["dashboards/errors_now_x.py"]
    assert [name for name, _ in pulled.skipped] == ["dashboard root"]


def test_what_does_not_come_back_the_same_is_named() -> None:
    """A number that JSON has and Python has not."""
    live = Live(Key(Kind.DASHBOARD, "u"), "T", {"title": "T", "panels": [], "n": float("inf")})
    made = made_dashboard(live, load_target(Configuration(Path(), None, {"name": "x", "targets": TARGETS})))
    assert "cannot be loaded" in made.differences[0]


TARGETS = {"t": {"grafana": {"url": "http://grafana"}}}


def test_a_large_dashboard_is_written_once() -> None:
    """Every part is rendered a bounded number of times, however deep it is."""
    deep: Any = "x"
    for _ in range(40):
        deep = {"key": [deep, "y" * 30]}
    assert ast.literal_eval(literal(deep)) == deep
