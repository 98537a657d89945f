"""Linting 1,000 rules and 100 dashboards, each with 10 panels; and the rules alone against the tools people have.

The target is 2 seconds on one core, the start of the command included.  ``lokitool rules lint`` (which prints every
expression anew) and ``promtool check rules`` (on as many rules in PromQL) are run side by side where they are on
PATH; neither looks at anything but syntax.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import show, side_by_side

RULES, GROUPS, DASHBOARDS, PANELS = 1_000, 50, 100, 10
TARGET_SECONDS = 2.0

EXPRESSIONS = (
    'sum by (service) (rate({{service="s{0}", level="error"}} |= "failed {0}" [5m])) > 0.{0}1',
    'sum by (service, module) (count_over_time({{service="s{0}"}} | json | status >= 500 | __error__="" [10m])) > {0}',
    'avg_over_time({{service="s{0}"}} | json | unwrap duration_ms | __error__="" [5m]) by (service) > {0}000',
    'sum(rate({{service="s{0}", level="error"}}[5m])) / sum(rate({{service="s{0}"}}[5m])) > 0.{0}5',
    'absent_over_time({{service="s{0}", namespace="shop"}} |~ "heartbeat|ping{0}" [15m])',
)
PROMQL = 'sum by (service) (rate(log_lines_total{{service="s{0}", level="error"}}[5m])) > 0.{0}1'


def rule_file(*, promql: bool = False) -> str:
    """A rule file with all the rules."""
    groups: list[dict[str, Any]] = []
    for group in range(GROUPS):
        rules = []
        for number in range(group * RULES // GROUPS, (group + 1) * RULES // GROUPS):
            text = PROMQL if promql else EXPRESSIONS[number % len(EXPRESSIONS)]
            rules.append(
                {
                    "alert": f"Alert{number}",
                    "expr": text.format(number),
                    "for": "5m",
                    "labels": {"severity": "warning", "team": "shop"},
                    "annotations": {
                        "summary": f"Trouble {number}",
                        "description": f"{{{{ $value | humanize }}}}, more than {number}, which is too much",
                    },
                }
            )
        groups.append({"name": f"group{group}", "interval": "1m", "rules": rules})
    from lokictl.model.yaml_writer import dump_yaml

    return dump_yaml({"groups": groups})


def dashboard(number: int) -> dict[str, Any]:
    """A dashboard with log and metric panels."""
    panels = []
    for index in range(PANELS):
        logs = index % 5 == 4
        name = f"s{number * PANELS + index}"
        expr = f'{{service="{name}", level=~"$level"}} |= "$search" | json'
        if not logs:
            expr = f'sum by (level) (count_over_time({{service="{name}"}} | json | __error__="" [$__auto]))'
        panels.append(
            {
                "id": index + 1,
                "type": "logs" if logs else "timeseries",
                "title": f"Panel {index}",
                "description": "What it shows",
                "datasource": {"type": "loki", "uid": "loki"},
                "gridPos": {"h": 8, "w": 12, "x": 12 * (index % 2), "y": 8 * (index // 2)},
                "fieldConfig": {"defaults": {"unit": "short"}, "overrides": []},
                "options": {"legend": {"displayMode": "list"}},
                "targets": [{"refId": "A", "expr": expr, "queryType": "range"}],
            }
        )
    variables = [{"name": name, "type": "textbox", "query": ""} for name in ("level", "search")]
    return {
        "uid": f"dashboard-{number}",
        "title": f"Dashboard {number}",
        "schemaVersion": 39,
        "panels": panels,
        "templating": {"list": variables},
        "time": {"from": "now-6h", "to": "now"},
    }


def run(*command: str) -> None:
    """Runs a command; what it finds does not matter here.  Modules are compiled once, as in an installation."""
    environment = {
        **os.environ,
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "lokictl-benchmark"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    ended = subprocess.run(command, capture_output=True, check=False, env=environment)
    if ended.returncode > 1:
        raise SystemExit(f"{' '.join(command)} failed: {ended.stderr.decode(errors='replace')}")


def main() -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rules, promql = folder / "all" / "rules.yaml", folder / "promql.yaml"
        rules.parent.mkdir()
        rules.write_text(rule_file(), encoding="utf-8")
        promql.write_text(rule_file(promql=True), encoding="utf-8")
        for number in range(DASHBOARDS):
            text = json.dumps(dashboard(number), indent=2)
            (rules.parent / f"dashboard{number}.json").write_text(text, encoding="utf-8")
        lint = (sys.executable, "-m", "lokictl", "lint")
        everything = side_by_side(
            lambda: run(*lint, str(rules.parent)), lambda: run(sys.executable, "-c", "pass"), rounds=5
        )
        seconds = everything.measured
        show(f"{RULES} rules, {DASHBOARDS} dashboards", everything, against="an empty Python")
        for program, arguments, file in (
            ("lokitool", ("rules", "lint", "--dry-run"), rules),
            ("promtool", ("check", "rules"), promql),
        ):
            if shutil.which(program):
                against = side_by_side(
                    lambda: run(*lint, str(rules)),
                    lambda command=(program, *arguments, str(file)): run(*command),  # type: ignore[misc]
                    rounds=5,
                )
                show(f"{RULES} rules", against, against=f"{program} {' '.join(arguments)}")
    print(f"target: {TARGET_SECONDS} s; measured: {seconds:.2f} s")
    return seconds <= TARGET_SECONDS
