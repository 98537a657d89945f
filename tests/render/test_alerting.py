"""Provisioning of Grafana's own alerting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lokictl.diagnostics import LokictlError
from lokictl.lint import lint_text
from lokictl.model.notifications import ContactPoint, Integration, Matcher, Notifications, Route
from lokictl.project import Project, load
from lokictl.render.rendering import rendering
from stack import alertmanager

ROOT = Path(__file__).resolve().parents[2]


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
