"""Seeded rule files with unit tests for every rule: the input of the benchmarks of `lokictl test`.

A rule is one of the shapes that alerts on logs have: a count or a share of errors, a quantile of a field, silence,
a text that appears.  Its test has two or three streams of JSON lines over 20 minutes (about 150 lines), some of them
of other services, and looks at three or four points in time, once at labels and annotations.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from lokictl.model.yaml_writer import dump_yaml

SHAPES = (
    'sum by (service) (count_over_time({{service="{name}", level="error"}} |= "failed" [5m])) > 4',
    'sum by (service) (rate({{service="{name}"}} | json | status >= 500 | __error__="" [5m])) > 0.012',
    'max by (service) (quantile_over_time(0.95, {{service="{name}"}} | json | unwrap duration_ms | __error__="" [5m]))'
    " > 1000",
    'sum by (service) (count_over_time({{service="{name}", level="error"}}[5m]))'
    ' / sum by (service) (count_over_time({{service="{name}"}}[5m])) > 0.05',
    'sum by (service, code) (count_over_time({{service="{name}"}} | json | code=~"E1.*" [10m])) > 4',
)
ANNOTATIONS = {
    "summary": "{{ $labels.service }} is in trouble: {{ $value | humanize }}",
    "description": "The value of {{ $labels.service }} is {{ $value }}; look at its errors.",
}
WORDS = ("request served", "cache miss, read through", "token renewed for session", "row locked, waiting")


def rule(number: int) -> dict[str, Any]:
    """One alerting rule of a service of its own."""
    return {
        "alert": f"Service{number:05d}Trouble",
        "expr": SHAPES[number % len(SHAPES)].format(name=f"service-{number:05d}"),
        "for": "2m",
        "labels": {"severity": "warning", "team": f"team-{number % 7}"},
        "annotations": ANNOTATIONS,
    }


def rule_file(count: int, per_group: int = 20) -> dict[str, Any]:
    """``count`` rules in groups of ``per_group``."""
    groups = []
    for first in range(0, count, per_group):
        rules = [rule(number) for number in range(first, min(first + per_group, count))]
        groups.append({"name": f"group-{first:05d}", "interval": "1m", "rules": rules})
    return {"groups": groups}


def rule_test(number: int, rules: int, chance: random.Random) -> dict[str, Any]:
    """A test of one rule: quiet, then ten minutes of trouble, then quiet again."""
    which = number % rules
    name, alert = f"service-{which:05d}", f"Service{which:05d}Trouble"
    labels = {"service": name, "namespace": "shop", "pod": f"{name}-{chance.randrange(3)}"}
    other = {"service": f"other-{chance.randrange(50)}", "namespace": "shop"}
    good = {
        "level": "info",
        "msg": chance.choice(WORDS),
        "status": 200,
        "duration_ms": chance.randrange(20, 200),
        "n": "${index}",
    }
    bad = {
        "level": "error",
        "msg": "request failed",
        "status": 503,
        "code": f"E1{chance.randrange(10, 99)}",
        "duration_ms": chance.randrange(2000, 9000),
        "trace_id": f"{chance.getrandbits(64):016x}",
        "n": "${index}",
    }
    fired = {"severity": "warning", "service": name, "team": f"team-{which % 7}"}
    if "code" in SHAPES[which % len(SHAPES)]:
        fired["code"] = str(bad["code"])
    every = chance.choice((10, 12, 15))
    return {
        "name": f"{number}: trouble of {name} fires after two minutes, and resolves",
        "input_streams": [
            stream({**labels, "level": "info"}, "0s", every, 1200 // every, good),
            stream({**labels, "level": "error"}, "5m1s", 20, 30, bad),
            stream({**other, "level": "error"}, "0s", 60, 20, bad),
        ],
        "alert_rule_test": [
            {"eval_time": "4m", "alertname": alert, "exp_alerts": []},
            {"eval_time": "12m", "alertname": alert, "exp_alerts": [{"exp_labels": fired}]},
            {"eval_time": ["13m", "14m"], "alertname": alert, "exp_state": "firing"},
            {"eval_time": "30m", "alertname": alert, "exp_state": "inactive"},
        ],
    }


def stream(labels: dict[str, str], at: str, every: int, count: int, line: dict[str, Any]) -> dict[str, Any]:
    """Lines that come every so many seconds."""
    return {"labels": labels, "entries": [{"at": at, "every": f"{every}s", "count": count, "json": line}]}


def write_suite(folder: Path, tests: int, rules: int, *, seed: int = 5) -> Path:
    """Writes ``rules.yaml`` and ``rules_test.yaml`` with that many tests into ``folder``; returns the test file."""
    chance = random.Random(seed)
    (folder / "rules.yaml").write_text(dump_yaml(rule_file(rules)), encoding="utf-8")
    file = folder / "rules_test.yaml"
    content = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [rule_test(n, rules, chance) for n in range(tests)],
    }
    file.write_text(dump_yaml(content), encoding="utf-8")
    return file
