"""The states that a backtest finds are those that a real Grafana was in, on the same Loki."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from lokictl.cli.main import cli
from lokictl.project import Project
from lokictl.render import render
from tests.render.test_real_alerting import CONFIGURATION, DATASOURCE, push
from tests.render.test_real_loki import configuration
from tests.stack.grafana_server import ADMIN, NEEDS_GRAFANA, grafana
from tests.stack.servers import free_ports, get_json, needs, program, server, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.real_loki,
    pytest.mark.real_grafana,
    needs("loki"),
    *NEEDS_GRAFANA,
]

RULES = """\
groups:
  - name: shop
    interval: 10s
    rules:
      - alert: Waits
        expr: sum by (app) (count_over_time({job="live"}[20s])) > 5
        for: 10s
      - alert: Keeps
        expr: sum by (app) (count_over_time({job="live"}[20s])) > 5
        keep_firing_for: 10s
"""
TOLERANCE = 15.0
"""Seconds between two looks at a rule, and some for the way; Grafana spreads the looks of its rules."""


def test_the_states_of_a_real_grafana(make_project: Callable[..., Project], tmp_path: Path) -> None:
    files = {"rules/shop.yaml": RULES, "datasources/loki.py": DATASOURCE}
    project = make_project(files, CONFIGURATION)
    render(project, tmp_path / "ruler", what=["rules"])
    render(project, tmp_path / "out", what=["grafana"], alerting="grafana")
    http, grpc = free_ports(2)
    loki, file = f"http://127.0.0.1:{http}", tmp_path / "loki.yaml"
    file.write_text(yaml.safe_dump(configuration(tmp_path, tmp_path / "ruler/rules", http, grpc)))
    command: list[str | Path] = [program("loki") or "", f"-config.file={file}", "-target=all"]
    provisioning = tmp_path / "out/grafana/provisioning"
    with server(command, f"{loki}/ready", tmp_path / "loki.log"):
        push(loki, "other", ["fine"])
        with grafana(provisioning, tmp_path, {"LOKI_URL": loki}) as url:
            path = f"{url}/api/prometheus/grafana/api/v1/rules"

            def evaluated() -> bool:
                groups = get_json(path, auth=ADMIN)["data"]["groups"]
                rules = [rule for group in groups for rule in group["rules"]]
                return len(rules) == 2 and all(rule["health"] == "ok" for rule in rules)

            wait_for(evaluated, seconds=60)
            push(loki, "shop", ["error"] * 9)

            def transitions() -> dict[str, list[tuple[str, float]]]:
                """Rule -> (state, Unix seconds) of every change of the series of the shop."""
                found: dict[str, list[tuple[str, float]]] = {}
                for item in get_json(f"{url}/api/annotations?type=alert&limit=100", auth=ADMIN)[::-1]:
                    if "app=shop" in item["text"]:
                        name = item["text"].partition(" ")[0]
                        found.setdefault(name, []).append(
                            (item["newState"].partition(" ")[0], item["time"] / 1000)
                        )
                return found

            def over() -> bool:
                now = transitions()
                return len(now) == 2 and all(
                    states[-1][0] == "Normal" and len(states) > 1 for states in now.values()
                )

            wait_for(over, seconds=150)
            seen = transitions()
            time.sleep(1)
        arguments = ["--loki", loki, "--tenant", "demo", "--since", "5m", "--as", "grafana", "--no-cache"]
        rules = str(project.root / "rules/shop.yaml")
        answer = CliRunner().invoke(
            cli, ["backtest", rules, *arguments, "--format", "json"], standalone_mode=False
        )
    assert answer.exception is None, answer.output
    for alert in json.loads(answer.stdout)["alerts"]:
        compare(alert, seen[alert["alert"]])


def compare(alert: dict[str, Any], seen: list[tuple[str, float]]) -> None:
    """The same states one after the other, each about when Grafana came into it."""
    states: list[tuple[str, float]] = []
    for one in alert["states"]:
        state = one["state"].partition(" ")[0]
        if one["labels"] != {"app": "shop"} or (states and states[-1][0] == state):
            continue
        states.append((state, datetime.fromisoformat(one["start"].replace("Z", "+00:00")).timestamp()))
    active = [state for state in states if state[0] != "Normal"]
    wanted = [state for state in seen if state[0] != "Normal"]
    assert [state for state, _ in active] == [state for state, _ in wanted], (alert["alert"], states, seen)
    for (state, found), (_, expected) in zip(active, wanted, strict=True):
        assert abs(found - expected) < TOLERANCE, (alert["alert"], state, found, expected)
