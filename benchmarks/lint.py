"""Linting 1,000 and 10,000 rules, and 400 and 2,000 dashboards of 75 kB, whole processes.

The rules are also given to the tools people have, where they are on PATH: ``lokitool rules check``, and
``promtool check rules`` on as many rules in PromQL.  The dashboards are compared with a Python that only decodes them.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import Ratio, best, in_turn, lokictl, memory_of_all, note, show
from lokictl.model.yaml_writer import dump_yaml

RULES, PER_GROUP, PANELS, LARGE = 1_000, 20, 10, 25
DASHBOARD_GOALS = ((400, 1.5, 300), (2_000, 8.0, 300))
"""So many dashboards, in so many seconds and MB."""
READ = "import json, pathlib, sys; [json.loads(file.read_text()) for file in pathlib.Path(sys.argv[1]).iterdir()]"

LOOK: dict[str, Any] = {
    "color": {"mode": "palette-classic"},
    "custom": {
        **dict.fromkeys(("axisBorderShow", "axisCenteredZero", "spanNulls", "insertNulls"), False),
        **dict.fromkeys(("lineWidth", "pointSize", "barAlignment", "fillOpacity", "barWidthFactor"), 1),
        **dict.fromkeys(
            ("axisColorMode", "axisPlacement", "drawStyle", "gradientMode", "showPoints"), "auto"
        ),
        "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        "lineInterpolation": "linear",
        "scaleDistribution": {"type": "linear"},
        "stacking": {"group": "A", "mode": "none"},
        "thresholdsStyle": {"mode": "off"},
    },
    "mappings": [
        {"options": {str(n): {"color": "green", "index": n, "text": f"state {n}"}}, "type": "value"}
        for n in range(4)
    ],
    "thresholds": {
        "mode": "absolute",
        "steps": [{"color": "green", "value": None}, {"color": "red", "value": 80}],
    },
}

EXPRESSIONS = (
    'sum by (service) (rate({{service="s{0}", level="error"}} |= "failed {0}" [5m])) > 0.{0}1',
    'sum by (service, module) (count_over_time({{service="s{0}"}} | json | status >= 500 | __error__="" [10m])) > {0}',
    'avg_over_time({{service="s{0}"}} | json | unwrap duration_ms | __error__="" [5m]) by (service) > {0}000',
    'sum(rate({{service="s{0}", level="error"}}[5m])) / sum(rate({{service="s{0}"}}[5m])) > 0.{0}5',
    'absent_over_time({{service="s{0}", namespace="shop"}} |~ "heartbeat|ping{0}" [15m])',
)
PROMQL = 'sum by (service) (rate(log_lines_total{{service="s{0}", level="error"}}[5m])) > 0.{0}1'


def rule_file(count: int = RULES, *, promql: bool = False) -> str:
    """A rule file with that many rules, 20 in each group."""
    groups: list[dict[str, Any]] = []
    for group in range(count // PER_GROUP):
        rules = []
        for number in range(group * PER_GROUP, (group + 1) * PER_GROUP):
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
    return dump_yaml({"groups": groups})


def dashboard(number: int, count: int = PANELS, *, full: bool = False) -> dict[str, Any]:
    """A dashboard with log and metric panels; ``full``: with all that Grafana saves of a panel's look."""
    panels = []
    for index in range(count):
        logs = index % 5 == 4
        name = f"s{number * count + index}"
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
                "fieldConfig": {"defaults": {"unit": "short", **(LOOK if full else {})}, "overrides": []},
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


def write_dashboards(folder: Path, count: int) -> Path:
    """Writes that many dashboards, about 75 kB each, into ``folder``."""
    folder.mkdir()
    for number in range(count):
        text = json.dumps(dashboard(number, LARGE, full=True), indent=2)
        (folder / f"dashboard{number}.json").write_text(text, encoding="utf-8")
    return folder


def main() -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rules = of_rules(folder)
        return of_dashboards(folder) and rules


def of_rules(folder: Path) -> bool:
    """1,000 and 10,000 rules, against the tools that people have."""
    few, many, promql = (folder / f"{which}.yaml" for which in ("few", "many", "promql"))
    few.write_text(rule_file(), encoding="utf-8")
    many.write_text(rule_file(RULES * 10), encoding="utf-8")
    promql.write_text(rule_file(promql=True), encoding="utf-8")
    met = True
    before = None
    for file, count, program, theirs, target in (
        (few, RULES, "lokitool", few, 0.5),
        (many, RULES * 10, "lokitool", many, 0.5),
        (few, RULES, "promtool", promql, None),
    ):
        if not shutil.which(program):
            note(f"{count:,} rules against {program}", "not measured: it is not on PATH")
            continue
        order = ("rules", "check") if program == "lokitool" else ("check", "rules")
        command = [program, *order, str(theirs)]
        took, other = in_turn(lokictl("lint", "-q", file), command, rounds=5 if file is few else 2)
        growth = f"{took.seconds / before:.1f} × for 10 × the rules" if before and file is many else ""
        before = took.seconds
        ratio = Ratio(took.seconds, other.seconds)
        against = " ".join(command[:3])
        met &= show(
            f"{count:,} rules, CPU", ratio, against=against, target=target, growth=growth, memory=took.memory
        )
        if file is many:
            show(f"{count:,} rules, by the clock", Ratio(took.clock, other.clock), against=against)
    return met


def of_dashboards(folder: Path) -> bool:
    """400 and 2,000 dashboards of 75 kB."""
    met = True
    before = None
    for count, seconds, megabytes in DASHBOARD_GOALS:
        where = write_dashboards(folder / str(count), count)
        size = sum(file.stat().st_size for file in where.iterdir()) / 1e6
        command = lokictl("lint", "-q", where)
        took = best(command, allowed=(0, 1), rounds=3 if before is None else 1)
        read = best([sys.executable, "-c", READ, str(where)], rounds=1)
        memory = memory_of_all(command)
        growth = f"{took.seconds / before:.1f} × for 5 × the dashboards" if before else ""
        before = took.seconds
        title = f"{count:,} dashboards ({size:.0f} MB), CPU"
        show(
            title,
            Ratio(took.seconds, read.seconds),
            against="json.load of all",
            growth=growth,
            memory=took.memory,
        )
        goal = f"{count:,} dashboards by the clock, all processes (target: {seconds:g} s, {megabytes} MB)"
        note(goal, f"{took.clock:.2f} s", memory=memory)
        met &= took.clock <= seconds and memory <= megabytes
    return met


if __name__ == "__main__":
    main()
