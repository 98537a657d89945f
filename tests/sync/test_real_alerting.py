"""Alerts that a real Grafana evaluates, and whom it tells: sync, rollback, pruning."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.stack.grafana_server import NEEDS_GRAFANA
from tests.stack.servers import needs
from tests.sync.lab import Lab

pytestmark = [
    pytest.mark.real_loki,
    pytest.mark.real_grafana,
    pytest.mark.slow,
    needs("loki"),
    *NEEDS_GRAFANA,
]

API = "/api/v1/provisioning"
URL = "https://hooks.slack.example/T000/B000/abcdefghijklmnop"
NOTIFICATIONS = """
from lokictl.model.notifications import (
    ContactPoint, Integration, Matcher, MessageTemplate, MuteTiming, Notifications, Route,
)

SLACK = Integration("slack", {"recipient": "#core"}, {"url": "slack_url"})
HOOK = Integration("webhook", {"url": "http://pager"}, {"hmacConfig.secret": "hmac", "password": "hmac"})
TEAMS = Integration("teams", {}, {"url": "teams_url"})
NOTIFICATIONS = Notifications(
    Route(
        "core / main",
        group_by=("service", "alertname"),
        group_wait="90s",
        repeat_interval="4h",
        routes=(
            Route("pager", (Matcher("severity", "=~", "page|ticket"), Matcher("a", "=", "b")),
                  mute_timings=("nights / off",), go_on=True),
            Route("pager", (Matcher("severity", "!=", "info"),), active_timings=("nights / off",)),
        ),
    ),
    (
        ContactPoint("core / main", (SLACK, TEAMS)),
        ContactPoint("pager", (HOOK, Integration("email", {"addresses": "a@example.com"}, send_resolved=False))),
    ),
    mute_timings=(
        MuteTiming("nights / off", (
            {"times": [{"start_time": "22:00", "end_time": "24:00"}], "weekdays": ["Monday:friday", "sunday"],
             "location": "Europe/Berlin"},
            {"months": ["january:march", "december"], "days_of_month": ["1:5", "-3:-1"], "years": ["2026:2028"]},
        )),
    ),
    templates=(
        MessageTemplate("plain text", "{{ len .Alerts }} alerts\\\\n\\\\n  now\\\\n"),
        MessageTemplate("defined", '\\\\n{{ define "x" }}\\\\n a{{ end }}{{ define "y" }}b{{ end }}\\\\n'),
    ),
)
"""
TABLE = """
[targets.test.secrets]
slack_url = { env = "SLACK_URL" }
hmac = { env = "HMAC" }
teams_url = { env = "TEAMS_URL" }
"""
ALL = "2 message templates, 2 contact points, 1 mute timing, the tree"


def configure(
    lab: Lab, keys: str = 'notifications = true\npolicies = "tree"', alerting: str = "loki"
) -> None:
    lab.configure()
    text = (lab.root / "lokictl.toml").read_text(encoding="utf-8")
    head, _, targets = text.partition("[targets.test.grafana]")
    head += f'alerting = "{alerting}"\n[targets.test]\n{keys}\n[targets.test.grafana]'
    (lab.root / "lokictl.toml").write_text(head + targets + TABLE, encoding="utf-8")


def write(lab: Lab, text: str) -> None:
    (lab.root / "stack").mkdir(exist_ok=True)
    (lab.root / "stack" / "notifications.py").write_text(text, encoding="utf-8")


@pytest.fixture
def told(lab: Lab) -> Lab:
    lab.environment.update(
        SLACK_URL=URL, HMAC="quite-a-secret-0123", TEAMS_URL="https://teams.example/0123456789"
    )
    configure(lab)
    write(lab, NOTIFICATIONS.replace("\\\\n", "\\n"))
    end = time.monotonic() + 60
    while lab.call("GET", f"{API}/policies") is None and time.monotonic() < end:
        time.sleep(0.2)
    return lab


def everything(lab: Lab) -> list[Any]:
    """All that Grafana has, with the secrets (an admin may export them)."""
    exported = lab.call("GET", f"{API}/contact-points/export?decrypt=true&format=json")
    paths = ("policies", "mute-timings", "templates")
    return [exported["contactPoints"], *(lab.call("GET", f"{API}/{path}") for path in paths)]


def test_the_whole_way_of_notifications(told: Lab) -> None:
    before = everything(told)
    assert "6 to create" in told.run("diff", status=3)
    output = told.run("sync", "--yes")
    assert URL not in output
    made = everything(told)
    assert {point["name"] for point in made[0]} == {"core / main", "pager", "email receiver"}
    assert URL in json.dumps(made[0])
    assert "quite-a-secret-0123" in json.dumps(made[0])
    assert (made[1]["provenance"], made[1]["group_wait"], len(made[1]["routes"])) == ("api", "1m30s", 2)
    # Nothing to do, with and without the secrets.
    told.run("diff")
    told.environment.clear()
    assert "not set, so Grafana keeps the secret that it has" in told.run("diff")
    # A change that leaves the secrets as they are.
    write(
        told,
        NOTIFICATIONS.replace("\\\\n", "\\n").replace("#core", "#other").replace("go_on=True", "go_on=False"),
    )
    output = told.run("sync", "--yes")
    assert "2 changes" in output
    changed = everything(told)
    assert "#other" in json.dumps(changed[0])
    assert URL in json.dumps(changed[0])
    told.run("diff")
    told.run("rollback", "--yes")
    assert everything(told) == made
    # A new secret.
    write(told, NOTIFICATIONS.replace("\\\\n", "\\n"))
    told.environment.update(
        SLACK_URL=URL + "-new", HMAC="quite-a-secret-0123", TEAMS_URL="https://t.example/99999"
    )
    output = told.run("sync", "--yes")
    assert "t.example" not in output
    assert URL + "-new" in json.dumps(everything(told)[0])
    told.run("diff")
    # Everything goes again, policies before what they lead to.
    (told.root / "stack" / "notifications.py").unlink()
    assert "6 kept" in told.run("diff", "--prune")
    told.run("sync", "--yes", "--prune", "--allow-empty")
    assert everything(told) == before
    # Without the secrets nothing is put back half; with them, all.
    told.environment.clear()
    output = told.run("rollback", "--yes", status=1)
    assert "does not give out secrets" in output
    assert everything(told) == before


def test_rollback_of_a_deletion_with_the_secrets_at_hand(told: Lab) -> None:
    told.run("sync", "--yes")
    made = everything(told)
    text = NOTIFICATIONS.replace("\\\\n", "\\n")
    write(
        told,
        text.replace('Route(\n        "core / main"', 'Route(\n        "pager"').replace(
            'ContactPoint("core / main", (SLACK, TEAMS)),', ""
        ),
    )
    told.run("sync", "--yes", "--prune")
    assert URL not in json.dumps(everything(told)[0])
    write(told, text)
    told.run("rollback", "--yes")
    assert everything(told) == made
    told.run("diff")


def test_branches_beside_those_of_others(told: Lab) -> None:
    theirs = {"receiver": "theirs", "object_matchers": [["team", "=", "b"]]}
    point = {
        "uid": f"t-{told.org}",
        "name": "theirs",
        "type": "email",
        "settings": {"addresses": "b@example.com"},
    }
    told.call("POST", f"{API}/contact-points", point)
    told.call("PUT", f"{API}/policies", {"receiver": "theirs", "routes": [theirs]})
    output = told.run("diff", status=3)
    assert "what leads to theirs goes with it" in output
    configure(told, 'notifications = true\npolicies = "branches"')
    told.run("sync", "--yes")
    tree = told.call("GET", f"{API}/policies")
    assert tree["receiver"] == "theirs"
    assert [route["receiver"] for route in tree["routes"]] == ["theirs", "pager", "pager"]
    told.run("diff")
    told.run("rollback", "--yes")
    tree = told.call("GET", f"{API}/policies")
    assert tree["routes"] == [theirs]


def test_locked_for_people_or_not(told: Lab) -> None:
    keys = 'notifications = true\npolicies = "tree"\neditable_alerts = true'
    told.rules("shop", {"name": "g", "rules": [{"alert": "A", "expr": "vector(0) > 1"}]})
    configure(told, keys, "grafana")
    told.run("sync", "--yes")
    path = f"{API}/folder/{told.name}/rule-groups/g"
    assert '"provenance": "api"' not in json.dumps(
        [*everything(told), told.call("GET", f"{API}/alert-rules")]
    )
    told.run("diff")
    configure(told, alerting="grafana")
    told.run("diff")
    configure(
        told,
        keys.replace("true", "false").replace("notifications = false", "notifications = true"),
        "grafana",
    )
    assert "7 to update" in told.run("diff", status=3)
    told.run("sync", "--yes")
    told.run("diff")
    (rule,) = told.call("GET", path)["rules"]
    assert told.call("GET", f"{API}/alert-rules/{rule['uid']}")["provenance"] == "api"
    configure(told, keys, "grafana")
    assert "stays locked in Grafana's pages" in told.run("diff")
    (told.root / "stack" / "notifications.py").unlink()
    (told.root / "rules" / "shop.yaml").unlink()
    told.run("sync", "--yes", "--prune", "--allow-empty")
    assert told.call("GET", path) is None


def test_a_contact_point_that_grafana_refuses_stops_no_other(told: Lab) -> None:
    write(
        told, NOTIFICATIONS.replace("\\\\n", "\\n").replace('Integration("webhook"', 'Integration("nonsense"')
    )
    output = told.run("sync", "--yes", status=1)
    assert "notifier nonsense is not supported" in output
    assert "created mute timing nights / off" in output
    write(told, NOTIFICATIONS.replace("\\\\n", "\\n"))
    told.run("sync", "--yes")
    told.run("diff")


def test_what_somebody_changed_is_a_conflict(told: Lab) -> None:
    told.run("sync", "--yes")
    timing = {"name": "nights / off", "time_intervals": [{"months": ["1"]}]}
    told.call("PUT", f"{API}/mute-timings/nights%20%2F%20off", timing)
    output = told.run("sync", "--yes", status=1)
    assert "mute timing nights / off: conflict: was edited on the server since the last sync" in output
    told.run("sync", "--yes", "--on-conflict", "overwrite")
    told.run("diff")


def test_named_and_planned(told: Lab) -> None:
    plan = str(told.root / "plan.json")
    told.run("diff", "mute-timings", "message-templates/plain*", "--out", plan, status=3)
    told.run("sync", "--plan", plan)
    assert told.call("GET", f"{API}/mute-timings")[0]["name"] == "nights / off"
    assert [row["name"] for row in told.call("GET", f"{API}/templates")] == ["plain text"]
    told.run("diff", "--out", plan, status=3)
    assert URL not in (told.root / "plan.json").read_text()
    told.environment["SLACK_URL"] = URL + "-new"
    assert "was changed in the project since the plan was made" in told.run(
        "sync", "--plan", plan, status=None
    )
    told.environment["SLACK_URL"] = URL
    told.run("sync", "--plan", plan)
    told.run("diff")


def test_groups_in_folders_and_their_moves(lab: Lab) -> None:
    group = {"rules": [{"alert": "A", "expr": "vector(0) > 1"}]}
    lab.rules("shop", {"name": "one", **group}, {"name": "two", **group})

    def folders(further: str = "") -> None:
        configure(lab, "", "grafana")
        file = lab.root / "lokictl.toml"
        file.write_text(file.read_text().replace("alerting =", f"{further}\nalerting =") + TABLES)

    TABLES = '[sync.folders.pages]\ntitle = "Pages"\nparent = "PARENT"\nalerts = ["shop/one"]\n'.replace(
        "PARENT", lab.name
    )
    folders('alert_folders = "namespace"')
    lab.run("sync", "--yes")

    def places() -> dict[str, str]:
        rules = lab.call("GET", f"{API}/alert-rules")
        paths = {}
        for rule in rules:
            found = lab.call("GET", f"/api/folders/{rule['folderUID']}")
            titles = [*(item["title"] for item in found.get("parents") or []), found["title"]]
            paths[rule["ruleGroup"]] = "/".join(titles)
        return paths

    assert places() == {"one": f"{lab.name}/Pages", "two": f"{lab.name}/shop"}
    lab.run("diff", "--prune")
    TABLES = TABLES.replace("shop/one", "shop/two")
    folders()
    assert "takes the rules of alert group" in lab.run("diff", status=3)
    lab.run("sync", "--yes")
    assert places() == {"one": lab.name, "two": f"{lab.name}/Pages"}
    lab.run("diff")
    lab.run("rollback", "--yes")
    assert places() == {"one": f"{lab.name}/Pages", "two": f"{lab.name}/shop"}


def test_what_is_pulled_is_adopted_without_a_write(told: Lab) -> None:
    """Rules, contact points and the rest as people make them in Grafana's pages."""
    open_to_people = {"X-Disable-Provenance": "true"}
    told.call("POST", "/api/folders", {"uid": f"a-{told.org}", "title": "Team / one"})
    told.call(
        "POST", "/api/folders", {"uid": f"b-{told.org}", "title": "Inner", "parentUid": f"a-{told.org}"}
    )

    def query(ref: str, source: str, **model: Any) -> dict[str, Any]:
        times = {"from": 600, "to": 0}
        return {
            "refId": ref,
            "datasourceUid": source,
            "relativeTimeRange": times,
            "model": {"refId": ref, **model},
        }

    data = [
        query("A", "loki", expr='sum(rate({app=~"$x.+"}[5m]))', queryType="range"),
        query("B", "__expr__", type="reduce", expression="A", reducer="last", settings={"mode": "dropNN"}),
        query("C", "__expr__", type="math", expression="$B > 1 || $B < 0.5"),
    ]
    rule = {
        "uid": f"r-{told.org}",
        "title": "Rate of $shop",
        "condition": "C",
        "data": data,
        "for": "1d2h",
        "orgID": told.org,
        "noDataState": "Alerting",
        "execErrState": "KeepLast",
        "isPaused": True,
        "keep_firing_for": "90s",
        "labels": {"team": "a", "cost": "$5"},
        "annotations": {"summary": "{{ $values.B }} costs $5", "__panelId__": "3", "__dashboardUid__": "d"},
        "notification_settings": {
            "receiver": "hook",
            "group_by": ["alertname", "grafana_folder"],
            "group_wait": "10s",
        },
    }
    made = told.call
    point = {
        "name": "hook",
        "type": "webhook",
        "settings": {"url": "http://x", "maxAlerts": 5, "password": "pw-0123456789"},
    }
    made("POST", f"{API}/contact-points", {**point, "uid": f"h-{told.org}"}, headers=open_to_people)
    point = {"name": "hook", "type": "email", "settings": {"addresses": "a@x;b@x", "singleEmail": False}}
    made("POST", f"{API}/contact-points", {**point, "uid": f"e-{told.org}", "disableResolveMessage": True})
    for folder, name in ((f"a-{told.org}", "one"), (f"b-{told.org}", "two / three")):
        place = {"folderUID": folder, "ruleGroup": name, "uid": f"r-{folder}"}
        path = f"{API}/folder/{folder}/rule-groups/{name.replace(' ', '%20').replace('/', '%2F')}"
        body = {"title": name, "folderUid": folder, "interval": 90 if name == "one" else 60}
        made(
            "PUT",
            path,
            {**body, "rules": [{**rule, **place}]},
            headers=open_to_people if name == "one" else {},
        )
    intervals = [{"times": [{"start_time": "00:00", "end_time": "06:00"}], "weekdays": ["monday:friday"]}]
    made(
        "POST", f"{API}/mute-timings", {"name": "Nights", "time_intervals": intervals}, headers=open_to_people
    )
    made("PUT", f"{API}/templates/My%20text", {"template": "{{ .Alerts }}"}, headers=open_to_people)
    routes = [
        {
            "receiver": "hook",
            "matchers": ['a="b \\"c"', "d=~e.*"],
            "match": {"f": "g"},
            "mute_time_intervals": ["Nights"],
        },
        {
            "object_matchers": [["x", "!=", "1"]],
            "continue": True,
            "routes": [{"receiver": "hook", "group_by": ["..."]}],
        },
    ]
    tree = {
        "receiver": "grafana-default-email",
        "group_by": ["alertname"],
        "group_wait": "45s",
        "routes": routes,
    }
    made("PUT", f"{API}/policies", tree)
    before = everything(told)
    (told.root / "stack" / "notifications.py").unlink()
    configure(told, "")
    output = told.run("pull")
    assert "not the same" not in output
    assert "pw-0123456789" not in output + "".join(file.read_text() for file in told.root.rglob("*.py"))
    table = output.partition("so that sync keeps it:")[2]
    assert "[targets.test.secrets]" in table
    configure(told, table.partition("[targets.test]")[2].partition("[")[0])
    output = told.run("diff", "--prune")
    assert "7 unchanged" in output
    told.run("sync", "--yes", "--prune")
    assert everything(told) == before
    told.run("diff")
    # And again as files of a Grafana that reads them.
    told.run("lint", status=None)
    told.run("render", "-o", str(told.root / "out"))
    text = (told.root / "out/grafana/provisioning/alerting").rglob("*.yaml")
    assert "Rate of $$shop" in "".join(file.read_text() for file in text)
