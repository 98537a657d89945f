"""Whose is what: replaced uids, projects of one name, rules made by hand, secrets, lost records."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lokictl.model import DataSource
from lokictl.project import find_configuration
from lokictl.sync.errors import SyncError
from lokictl.sync.origin import Origin, origin_of, repository_name, write_id
from lokictl.sync.plan import Action, Status
from tests.sync.test_sync import VERSIONS, set_version
from tests.sync.world import TENANT, World, actions, alert, lines, rule_group

OPTIONS = ("fail", "overwrite", "skip", "pull")


def secret_source(value: str, uid: str = "loki") -> DataSource:
    return DataSource(
        name="Loki",
        type="loki",
        uid=uid,
        url="http://loki:3100",
        secure_json_data={"basicAuthPassword": "$__env{PASSWORD}"},
        environment={"PASSWORD": value},
    )


# --- another uid ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_data_source_of_another_uid_takes_its_place(
    world: World, version: str, option: str, prune: bool
) -> None:
    set_version(world, version)
    world.sources = {"loki": secret_source("old")}
    world.sync()
    world.sources = {"loki2": secret_source("new", "loki2")}
    plan = world.plan(prune=prune, on_conflict=option)
    assert actions(plan) == {"data source loki2": "replace"}
    assert "takes the place of loki" in lines(plan)[0]
    assert world.sync(prune=prune, on_conflict=option).complete
    assert {uid: source.secrets for uid, source in world.grafana.data_sources.items()} == {
        "loki2": {"basicAuthPassword": "new"}
    }
    assert not world.plan(prune=True).pending


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("prune", [False, True])
def test_no_option_deletes_a_data_source_that_was_edited_by_hand(
    world: World, option: str, prune: bool
) -> None:
    world.sync()
    world.grafana.data_sources["loki"].body["url"] = "http://by-hand"
    world.grafana.data_sources["loki"].version += 1
    world.sources = {"loki2": dataclasses.replace(world.sources["loki"], uid="loki2")}
    plan = world.plan(prune=prune, on_conflict=option)
    expected = {"fail": "conflict", "overwrite": "replace", "skip": "skip", "pull": "pull"}[option]
    assert actions(plan) == {"data source loki2": expected}
    if option != "fail":
        world.sync(prune=prune, on_conflict=option)
        assert list(world.grafana.data_sources) == ["loki2" if option == "overwrite" else "loki"]


@pytest.mark.parametrize("option", OPTIONS)
def test_a_name_that_a_foreign_data_source_has_deletes_nothing(world: World, option: str) -> None:
    world.sync()
    world.grafana.add_data_source("theirs", "Other")
    world.sources = {"new": DataSource(name="Other", type="loki", uid="new", url="http://loki")}
    plan = world.plan(prune=True, on_conflict=option)
    assert actions(plan)["data source new"] == ("skip" if option == "skip" else "conflict")
    assert "theirs" in world.grafana.data_sources


def test_the_name_of_a_deleted_one_is_given_to_another_in_one_run(world: World) -> None:
    other = DataSource(name="Other", type="loki", uid="other", url="http://other")
    world.sources["other"] = other
    world.sync()
    world.sources = {"other": dataclasses.replace(other, name="Loki")}
    assert "--prune deletes it" in " ".join(lines(world.plan()))
    assert actions(world.plan(prune=True)) == {"data source other": "update", "data source loki": "delete"}
    assert world.sync(prune=True).complete
    assert {u: d.body["name"] for u, d in world.grafana.data_sources.items()} == {"other": "Loki"}


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_a_dashboard_of_another_uid_takes_its_place(world: World, version: str) -> None:
    set_version(world, version)
    world.sync()
    world.dashboards["errors-new"] = world.dashboards.pop("errors")
    assert actions(world.plan(prune=True)) == {"dashboard errors-new": "replace"}
    assert world.sync(prune=True).complete
    assert set(world.grafana.dashboards) == {"errors-new", "load", "lokictl-shop"}
    assert not world.plan(prune=True).pending
    assert world.rollback()[1]
    assert world.grafana.dashboards["errors"].body["title"] == "Errors"


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_without_prune_the_old_dashboard_stays(world: World, version: str) -> None:
    set_version(world, version)
    world.sync()
    world.dashboards["errors-new"] = world.dashboards.pop("errors")
    plan = world.plan()
    if world.grafana.major < 11:
        # A folder holds a title once there.
        assert actions(plan) == {"dashboard errors-new": "conflict"}
        assert "--prune replaces it" in lines(plan)[0]
        assert world.sync(on_conflict="skip", prune=False).complete
    else:
        assert actions(plan) == {"dashboard errors-new": "create", "dashboard errors": "keep"}
        assert world.sync().complete
        assert "errors-new" in world.grafana.dashboards
    assert "errors" in world.grafana.dashboards


def test_a_secret_that_only_grafana_knows_is_not_lost(world: World) -> None:
    world.sources = {"loki": secret_source("old")}
    world.sync()
    world.sources = {"loki2": secret_source("", "loki2")}
    plan = world.plan(prune=True)
    assert actions(plan) == {"data source loki2": "conflict"}
    assert "does not know its secrets: basicAuthPassword" in lines(plan)[0]
    assert world.sync(prune=True, on_conflict="skip").complete
    assert list(world.grafana.data_sources) == ["loki"]


@pytest.mark.parametrize("stop", range(1, 7))
@pytest.mark.parametrize("prune", [False, True])
def test_a_replaced_data_source_is_there_at_every_moment(world: World, stop: int, prune: bool) -> None:
    world.sources = {"loki": secret_source("secret")}
    world.sync()
    world.sources = {"loki2": secret_source("secret", "loki2")}
    sent = 0

    def choose(request: Any) -> str:
        nonlocal sent
        sent += request.method != "GET"
        return "refuse" if sent >= stop else ""

    world.grafana_server.choose = choose
    world.sync(prune=prune)
    world.grafana_server.choose = lambda request: ""
    assert {"loki", "loki2"} & set(world.grafana.data_sources)
    assert world.sync(prune=prune).complete
    assert [d.body["name"] for d in world.grafana.data_sources.values()] == ["Loki"]
    assert world.grafana.data_sources["loki2"].secrets == {"basicAuthPassword": "secret"}
    assert not world.plan(prune=prune).pending


@pytest.mark.parametrize("stop", range(1, 9))
@pytest.mark.parametrize("version", ["10.4.0", "12.2.0"])
def test_a_replacement_that_breaks_off_loses_nothing_and_a_rerun_finishes(
    world: World, version: str, stop: int
) -> None:
    set_version(world, version)
    world.sync()
    world.dashboards["errors-new"] = world.dashboards.pop("errors")
    sent = 0

    def choose(request: Any) -> str:
        nonlocal sent
        sent += request.method != "GET"
        return "refuse" if sent >= stop else ""

    world.grafana_server.choose = choose
    world.sync(prune=True)
    world.grafana_server.choose = lambda request: ""
    assert {"errors", "errors-new"} & set(world.grafana.dashboards)
    assert world.sync(prune=True).complete
    assert set(world.grafana.dashboards) == {"errors-new", "load", "lokictl-shop"}
    assert world.grafana.dashboards["errors-new"].body["title"] == "Errors"


def two_sources(first: str, second: str) -> dict[str, DataSource]:
    return {
        uid: DataSource(name=name, type="loki", uid=uid, url=f"http://{uid}")
        for uid, name in (("one", first), ("two", second))
    }


NAMES = [("B", "A"), ("B", "C"), ("C", "A")]


@pytest.mark.parametrize("names", NAMES, ids="".join)
@pytest.mark.parametrize("stop", [0, 1, 2, 3, 4, 5])
def test_names_can_be_exchanged(world: World, names: tuple[str, str], stop: int) -> None:
    world.sources = two_sources("A", "B")
    world.sync()
    world.sources = two_sources(*names)
    if stop:
        broken_off(world, stop)
    assert world.sync().complete
    assert tuple(found.body["name"] for found in world.grafana.data_sources.values()) == names
    assert not world.plan(prune=True).pending


@pytest.mark.parametrize("version", ["9.4.0", "10.4.0", "12.2.0"])
@pytest.mark.parametrize("stop", [0, 2, 3, 4])
def test_titles_can_be_exchanged(world: World, version: str, stop: int) -> None:
    set_version(world, version)
    world.sync()
    world.dashboards["errors"]["title"], world.dashboards["load"]["title"] = "Load", "Errors"
    if stop:
        broken_off(world, stop)
    assert world.sync().complete
    titles = {uid: found.body["title"] for uid, found in world.grafana.dashboards.items()}
    assert (titles["errors"], titles["load"]) == ("Load", "Errors")
    assert not world.plan(prune=True).pending


def broken_off(world: World, stop: int) -> None:
    """A run whose server goes away before its ``stop``th write."""
    sent = 0

    def choose(request: Any) -> str:
        nonlocal sent
        sent += request.method != "GET"
        return "refuse" if sent >= stop else ""

    world.grafana_server.choose = choose
    world.sync()
    world.grafana_server.choose = lambda request: ""


# --- projects of one name ------------------------------------------------------------------------------------

PROJECT = '# a project\nname = "monitoring"  # its name\n\n[targets.test.grafana]\nurl = "http://grafana"\n'


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@example.com", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def test_an_id_is_written_below_the_name(tmp_path: Path) -> None:
    file = tmp_path / "lokictl.toml"
    file.write_text(PROJECT)
    assert write_id(find_configuration(tmp_path), "0123456789abcdef")
    assert file.read_text() == PROJECT.replace("name\n", 'name\nid = "0123456789abcdef"\n')
    assert origin_of(find_configuration(tmp_path)) == Origin("0123456789abcdef")
    pyproject = tmp_path / "other"
    pyproject.mkdir()
    text = '[project]\nname = "x"\n\n[tool.lokictl]\nname = "y"\n\n[tool.lokictl.sync]\ntarget = "t"\n'
    (pyproject / "pyproject.toml").write_text(text)
    assert write_id(find_configuration(pyproject), "0123456789abcdef")
    assert origin_of(find_configuration(pyproject)).id == "0123456789abcdef"


@pytest.mark.parametrize("text", ['name = """\nx"""\n', "[sync]\n", 'tenant = "x"\n'])
def test_an_id_is_never_written_where_that_is_not_safe(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lokictl.toml"
    file.write_text(text)
    assert not write_id(find_configuration(tmp_path), "0123456789abcdef")
    assert file.read_text() == text


def test_a_checkout_elsewhere_is_the_same_project(tmp_path: Path) -> None:
    first = tmp_path / "first"
    (first / "content").mkdir(parents=True)
    (first / "content" / "lokictl.toml").write_text(PROJECT)
    git(first, "init", "-q")
    git(first, "add", ".")
    git(first, "commit", "-q", "-m", "x")
    git(tmp_path, "clone", "-q", str(first), str(tmp_path / "second"))
    here = origin_of(find_configuration(first / "content"))
    there = origin_of(find_configuration(tmp_path / "second" / "content"))
    assert here.folder == there.folder == "content"
    assert here.is_same(there)
    assert here.is_same(dataclasses.replace(there, commit="", id="a", repository="")) is False
    assert not here.is_same(dataclasses.replace(here, folder="other"))


REPOSITORIES = {
    "https://user:secret@Example.com/team/shop.git": "example.com/team/shop",
    "git@example.com:team/shop.git": "example.com/team/shop",
    "ssh://git@example.com:22/team/shop": "example.com/team/shop",
    "https://example.com:8443/team/shop/": "example.com:8443/team/shop",
    "/srv/git/shop.git": "/srv/git/shop",
    "": "",
}


@pytest.mark.parametrize("url", REPOSITORIES)
def test_one_name_for_all_ways_to_a_repository(url: str) -> None:
    assert repository_name(url) == REPOSITORIES[url]


def with_id(world: World, project_id: str) -> None:
    world.project_id = project_id


def test_the_checkout_of_the_first_sync_is_known_without_the_id(world: World, tmp_path: Path) -> None:
    world.sync()
    world.dashboards["errors"]["title"] = "Other"
    assert world.sync().complete
    other = World(tmp_path / "other")
    other.grafana, other.adapter = world.grafana, world.adapter
    other.dashboards = {"mine": {"title": "Mine"}}
    with pytest.raises(SyncError, match=r'another project named "shop"'):
        other.plan(prune=True)


@pytest.mark.parametrize("other", ["fedcba9876543210", ""])
def test_another_project_of_the_same_name_is_refused_with_both_named(world: World, other: str) -> None:
    with_id(world, "0123456789abcdef")
    world.sync()
    with_id(world, other)
    (world.root / ".lokictl" / "id").unlink(missing_ok=True)
    world.dashboards = {"mine": {"title": "Mine"}}
    world.forget_requests()
    with pytest.raises(SyncError) as caught:
        world.sync(prune=True)
    text = str(caught.value.problems[0].message) + caught.value.problems[0].hint
    assert 'another project named "shop" is synced there: id 0123456789abcdef' in text
    assert f"this one has {f'id {other}' if other else 'no id'}" in text
    assert not world.requests(writes=True)
    with_id(world, "0123456789abcdef")
    assert world.sync(prune=True).complete


def test_a_record_without_origin_is_given_one(world: World) -> None:
    world.sync()
    record = world.grafana.dashboards["lokictl-shop"].body["templating"]["list"][0]
    record["query"] = json.dumps({**json.loads(record["query"]), "origin": {}})
    with_id(world, "0123456789abcdef")
    world.dashboards["errors"]["title"] = "Other"
    assert world.sync().complete
    with_id(world, "fedcba9876543210")
    with pytest.raises(SyncError):
        world.plan()


def test_a_project_that_is_renamed_keeps_what_it_made(world: World) -> None:
    world.sync()
    del world.dashboards["load"]
    world.name = "store"
    plan = world.plan(prune=True)
    assert any('the project was called "shop"' in warning for warning in plan.warnings)
    assert actions(plan) == {
        "folder shop": "update",
        "dashboard errors": "update",
        "dashboard load": "delete",
    }
    assert world.sync(prune=True).complete
    assert set(world.grafana.dashboards) == {"errors", "lokictl-store"}
    assert {uid: folder.title for uid, folder in world.grafana.folders.items()} == {"shop": "store"}
    assert world.grafana.dashboards["errors"].body["tags"] == ["lokictl:store"]
    assert not world.plan(prune=True).pending


# --- rules ---------------------------------------------------------------------------------------------------


def test_a_group_made_by_hand_is_not_pruned(world: World) -> None:
    world.sync()
    world.ruler.put(TENANT, "own", rule_group("byhand", alert("X")))
    assert not world.plan(prune=True).pending
    assert world.sync(prune=True, allow_empty=True).complete
    assert set(world.ruler.rules[TENANT]["own"]) == {"g", "byhand"}


@pytest.mark.parametrize("removed", [False, True])
def test_a_group_edited_by_hand_is_a_conflict(world: World, removed: bool) -> None:
    world.groups["own"].append(rule_group("h", alert("H")))
    world.sync()
    world.ruler.put(TENANT, "own", rule_group("g", alert("A", "vector(9)"), alert("B", "vector(2)")))
    if removed:
        world.groups["own"].pop(0)
    plan = world.plan(prune=True)
    assert actions(plan) == {"rule group own/g of tenant team-a": "conflict"}
    assert "since the last sync" in lines(plan)[0]
    assert world.sync(prune=True, on_conflict="skip").complete
    assert world.ruler.rules[TENANT]["own"]["g"]["rules"][0]["expr"] == "vector(9)"
    assert world.sync(prune=True, on_conflict="overwrite").complete
    assert not world.plan(prune=True).pending
    assert ("g" in world.ruler.rules[TENANT]["own"]) is not removed


@pytest.mark.parametrize("with_grafana", [True, False])
def test_without_namespaces_a_second_sync_knows_its_own(world: World, with_grafana: bool) -> None:
    world.namespaces = None
    if not with_grafana:
        world.without_grafana()
    world.groups["other"] = [rule_group("k", alert("K"))]
    assert world.sync().complete
    assert not world.plan().pending
    world.groups["own"][0]["limit"] = 5
    del world.groups["other"]
    assert actions(world.plan()) == {
        "rule group own/g of tenant team-a": "update",
        "rule group other/k of tenant team-a": "keep",
    }
    assert world.sync(prune=True).complete
    assert not world.plan(prune=True).pending
    assert world.ruler.rules[TENANT]["own"]["g"]["limit"] == 5
    assert not world.ruler.rules[TENANT]["other"]


def test_the_record_in_the_ruler_moves_to_grafana(world: World) -> None:
    world.without_grafana()
    world.sync()
    assert set(world.ruler.rules[TENANT]) == {"own", "lokictl-shop"}
    world.tables.pop("target")
    world.groups["own"][0]["limit"] = 5
    assert actions(world.plan())["rule group own/g of tenant team-a"] == "update"
    assert world.sync().complete
    assert {name for name, groups in world.ruler.rules[TENANT].items() if groups} == {"own"}
    assert not world.plan().pending


def test_rules_alone_keep_the_record_in_grafana(world: World) -> None:
    world.sync()
    world.groups["own"][0]["limit"] = 5
    world.dashboards["errors"]["title"] = "Other"
    assert actions(world.plan(only="loki")) == {"rule group own/g of tenant team-a": "update"}
    assert world.sync(only="loki").complete
    assert world.grafana.dashboards["errors"].body["title"] == "Errors"
    world.groups["own"][0]["limit"] = 6
    assert actions(world.plan()) == {
        "dashboard errors": "update",
        "rule group own/g of tenant team-a": "update",
    }
    assert world.sync(only="grafana").complete
    assert actions(world.plan()) == {"rule group own/g of tenant team-a": "update"}


def test_rules_alone_while_grafana_is_away(world: World) -> None:
    world.sync()
    world.groups["own"].append(rule_group("new", alert("N")))
    world.grafana_server.choose = lambda request: "refuse"
    plan = world.plan(only="loki")
    assert actions(plan) == {"rule group own/new of tenant team-a": "create"}
    assert any("cannot read lokictl's record in Grafana" in warning for warning in plan.warnings)


# --- secrets and lost records --------------------------------------------------------------------------------


def test_a_secret_that_may_have_been_changed_by_hand_is_a_conflict(world: World) -> None:
    world.sources = {"loki": secret_source("ours")}
    world.sync()
    assert not world.plan().pending
    world.grafana.data_sources["loki"].secrets["basicAuthPassword"] = "theirs"
    world.grafana.data_sources["loki"].version += 1
    plan = world.plan()
    assert [c.action for c in plan.changes if str(c.key) == "data source loki"] == [Action.CONFLICT]
    assert "perhaps with other secrets" in lines(plan)[0]
    assert world.sync(on_conflict="overwrite").complete
    assert world.grafana.data_sources["loki"].secrets == {"basicAuthPassword": "ours"}
    assert not world.plan().pending


def test_a_folder_that_was_deleted_by_hand_comes_back_with_everything(world: World) -> None:
    world.sources = {"loki": secret_source("ours")}
    world.sync()
    world.grafana._delete_folder("shop")
    plan = world.plan(prune=True)
    assert "conflict" not in actions(plan).values()
    assert world.sync(prune=True).complete
    assert not world.plan(prune=True).pending
    assert world.grafana.dashboards["errors"].folder == "shop"


def test_a_data_source_that_was_to_be_pruned_is_not_forgotten_with_the_record(world: World) -> None:
    world.sources["other"] = DataSource(name="Other", type="loki", uid="other", url="http://other")
    world.sync()
    world.grafana._delete_folder("shop")
    del world.sources["other"]
    assert actions(world.plan(prune=True))["data source other"] == "delete"


def test_one_refused_dashboard_does_not_stop_the_others(world: World) -> None:
    world.grafana.refused.add("errors")
    applied = world.sync()
    assert [(str(o.change.key), o.status) for o in applied.outcomes if o.status is not Status.DONE] == [
        ("dashboard errors", Status.FAILED)
    ]
    assert not applied.complete
    assert not applied.can_be_finished
    assert world.ruler.rules[TENANT]["own"]
