"""Provisioning of Grafana's own alerting."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.diagnostics import LokictlError
from lokictl.lint import lint_text
from lokictl.model.notifications import ContactPoint, Integration, Matcher, MuteTiming, Notifications, Route
from lokictl.project import Project, load
from lokictl.render.rendering import rendering
from stack import alertmanager
from tests.stack.servers import program

ROOT = Path(__file__).resolve().parents[2]
TEAMS = Integration("teams", {}, {"url": "teams_url"})


@pytest.fixture(scope="module")
def project() -> Project:
    return load(ROOT)


def test_every_alert_moves_and_none_is_left(project: Project) -> None:
    result = rendering(project, what=["grafana", "rules"], alerting="grafana")
    files = {
        path: yaml.safe_load(text) for path, text in result.files["grafana"].items() if "/alerting/" in path
    }
    titles = [
        rule["title"]
        for file in files.values()
        for group in file.get("groups", ())
        for rule in group["rules"]
    ]
    alerts = [rule.name for rule in project.rules if hasattr(rule, "alert")]
    assert sorted(titles) == sorted(alerts)
    assert "alert:" not in "".join(result.files["rules"].values())
    assert any("stays on the ruler" in note for note in result.notes)


def test_what_is_made_passes_the_linter(project: Project) -> None:
    result = rendering(project, what=["grafana"], alerting="grafana")
    text = "---\n".join(text for path, text in result.files["grafana"].items() if "/alerting/" in path)
    report = lint_text(text, "alerting.yaml")
    assert report.managed_rules == 29
    assert [item for item in report.findings if item.name.startswith(("managed/", "yaml/"))] == []


def test_both_homes_route_alike(project: Project) -> None:
    assert project.notifications is not None
    policy = project.notifications.to_provisioning(str)["policies"][0]
    tree = alertmanager.route()
    assert [route["receiver"] for route in policy["routes"]] == [
        route["receiver"] for route in tree["routes"]
    ]
    for ours, theirs in zip(policy["routes"], tree["routes"], strict=True):
        assert [f'{a}{operator}"{b}"' for a, operator, b in ours["object_matchers"]] == theirs["matchers"]
        assert ours.get("continue") == theirs.get("continue")


AMTOOL = program("amtool")
HOOK = Integration("webhook", {"url": "http://hook"})
NIGHTS = MuteTiming(
    "nights", ({"times": [{"start_time": "22:00", "end_time": "24:00"}], "weekdays": ["monday"]},)
)
DESCRIBED = Notifications(
    Route(
        "core",
        group_by=("alertname",),
        group_wait="30s",
        repeat_interval="4h",
        routes=(
            Route(
                "pager",
                (Matcher("severity", "=~", "page|ticket"), Matcher("note", "!=", 'say "no" \\ never')),
                go_on=True,
                mute_timings=("nights",),
                routes=(Route("core", (Matcher("team", "=", ""),), active_timings=("nights",)),),
            ),
        ),
    ),
    (ContactPoint("core", (HOOK,)), ContactPoint("pager", (HOOK, Integration("email")))),
    mute_timings=(NIGHTS,),
)


@pytest.mark.skipif(AMTOOL is None, reason="amtool is not on PATH")
@pytest.mark.parametrize(
    "labels, receivers",
    [
        ({"severity": "page", "team": "a"}, "pager"),
        ({"severity": "page"}, "core"),
        ({"severity": "info"}, "core"),
        ({"severity": "page", "note": 'say "no" \\ never'}, "core"),
    ],
)
def test_alertmanager_takes_what_is_described(tmp_path: Path, labels: dict[str, str], receivers: str) -> None:
    """Routes, times and receivers are Alertmanager's own words for what Grafana gets; a name occurs once."""
    assert AMTOOL
    names = [point.name for point in DESCRIBED.contact_points]
    config = {
        "route": DESCRIBED.to_alertmanager_route(),
        "receivers": [{"name": name} for name in names],
        "time_intervals": DESCRIBED.to_alertmanager_times(),
    }
    file = tmp_path / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(config))
    check = subprocess.run([AMTOOL, "check-config", str(file)], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout + check.stderr
    pairs = [f"{name}={json.dumps(value)}" for name, value in labels.items()]
    command = [AMTOOL, "config", "routes", "test", f"--config.file={file}", *pairs]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert found.strip() == receivers


def test_several_ways_to_reach_somebody_are_one_receiver_of_alertmanager() -> None:
    email = Integration("email", {"addresses": "a@example.com"})
    point = ContactPoint("both", (email, Integration("email", {"addresses": "b@example.com"}), TEAMS))
    found = alertmanager.receiver(point, (0, 28))
    assert [item["to"] for item in found["email_configs"]] == ["a@example.com", "b@example.com"]
    assert list(found) == ["name", "email_configs", "msteamsv2_configs"]


@pytest.mark.parametrize(
    "parts, message",
    [
        ({"route": Route("core", (Matcher("a", "=", "b"),))}, "the root of the routes takes every alert"),
        ({"route": Route("core", mute_timings=("nights",))}, "the root of the routes takes every alert"),
        ({"route": Route("core", routes=(Route("core", mute_timings=("days",)),))}, "names the time days"),
        ({"contact_points": (ContactPoint("core", (HOOK,)),) * 2}, "two contact points are called core"),
        ({"mute_timings": (NIGHTS, NIGHTS)}, "two mute timings are called nights"),
    ],
)
def test_notifications_that_cannot_be(parts: dict[str, Any], message: str) -> None:
    known = {
        "route": Route("core"),
        "contact_points": (ContactPoint("core", (HOOK,)),),
        "mute_timings": (NIGHTS,),
    }
    found = {**known, **parts}
    with pytest.raises(ValueError, match=message):
        Notifications(found.pop("route"), found.pop("contact_points"), **found)


def test_a_route_to_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="not a contact point"):
        Notifications(Route("nobody"), (ContactPoint("team", (Integration("email"),)),))
    with pytest.raises(ValueError, match="not a matcher operator"):
        Matcher("a", "==", "b")


HOME = 'alerting = "grafana"\n'
RULES = {
    "rules/a.py": "from lokictl.model import AlertingRule, RecordingRule, RuleGroup\n"
    "GROUPS = [\n"
    "    RuleGroup('here', (AlertingRule('A', 'count_over_time({a=\"b\"}[5m]) > 1'),)),\n"
    "    RuleGroup('there', (AlertingRule('B', 'count_over_time({a=\"b\"}[5m]) > 1'),), alerting='loki'),\n"
    "]\n",
}
MakeProject = Callable[..., Project]


def test_groups_choose_their_home(make_project: MakeProject) -> None:
    result = rendering(make_project(RULES, HOME), what=["grafana", "rules"])
    alerting = "".join(text for path, text in result.files["grafana"].items() if "/alerting/" in path)
    (rules,) = result.files["rules"].values()
    assert ("title: A" in alerting, "title: B" in alerting) == (True, False)
    assert ("alert: A" in rules, "alert: B" in rules) == (False, True)


def test_what_cannot_be_translated_stops_the_rendering(make_project: MakeProject) -> None:
    limited = RULES["rules/a.py"].replace("'here', (", "'here', limit=3, rules=(")
    with pytest.raises(LokictlError, match="`limit` cannot be translated"):
        rendering(make_project({"rules/a.py": limited}, HOME), what=["grafana"])


def test_an_unknown_home_is_an_error(make_project: MakeProject) -> None:
    with pytest.raises(LokictlError, match='"loki" or "grafana"'):
        rendering(make_project(RULES, 'alerting = "mimir"\n'), what=["rules"])
