"""A real Loki's ruler loads the rendered rules from its local storage, for every tenant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.project import Project, load
from lokictl.render import render, settings_of
from tests.render.samples import RULES
from tests.stack.servers import free_ports, get_json, needs, program, server

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.real_loki, needs("loki")]

OTHER_TENANT = """\
from lokictl.model import AlertingRule, RuleFile, RuleGroup

_RULE = AlertingRule(
    "Braces",
    'count_over_time({app="x"} |= `"{{.}}"` [5m]) > 0',
    annotations={"summary": "{{ $labels.app }}: 100% — “ΣLANG”\\nsecond line\\n"},
)
FILE = RuleFile("team b", (RuleGroup("braces", (_RULE,)),), tenant="team-b")
"""


def configuration(folder: Path, rules: Path, port: int, grpc: int) -> dict[str, Any]:
    """The least that a Loki needs for its ruler."""
    memory = {"kvstore": {"store": "inmemory"}}
    return {
        "auth_enabled": True,
        "server": {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": port,
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": grpc,
            "log_level": "warn",
        },
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": str(folder / "data"),
            "replication_factor": 1,
            "ring": memory,
            "storage": {"filesystem": {"chunks_directory": str(folder / "data/chunks")}},
        },
        "ingester": {"lifecycler": {"min_ready_duration": "0s"}},
        "schema_config": {
            "configs": [
                {
                    "from": "2024-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "storage_config": {"use_thanos_objstore": False},
        "ruler": {
            "storage": {"type": "local", "local": {"directory": str(rules)}},
            "rule_path": str(folder / "data/scratch"),
            "ring": memory,
            "enable_api": True,
        },
        "analytics": {"reporting_enabled": False},
    }


def loaded(folder: Path, rules: Path, *tenants: str) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """What the ruler has of each tenant: file -> rules."""
    http, grpc = free_ports(2)
    file = folder / "loki.yaml"
    file.write_text(yaml.safe_dump(configuration(folder, rules, http, grpc)))
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    url = f"http://127.0.0.1:{http}"
    command: list[str | Path] = [program("loki") or "", f"-config.file={file}", "-target=all"]
    with server(command, f"{url}/ready", folder / "loki.log"):
        for tenant in tenants:
            answer = get_json(f"{url}/prometheus/api/v1/rules", headers={"X-Scope-OrgID": tenant})
            for group in answer["data"]["groups"]:
                found.setdefault(tenant, {}).setdefault(group["file"], []).extend(group["rules"])
    return found


def test_rules_of_two_tenants(make_project: Callable[..., Project], tmp_path: Path) -> None:
    project = make_project({"rules/shop.yaml": RULES, "rules/other.py": OTHER_TENANT})
    render(project, tmp_path / "out", what=["rules"])
    found = loaded(tmp_path, tmp_path / "out/rules", "demo", "team-b")
    names = {
        tenant: {file: [rule["name"] for rule in rules] for file, rules in files.items()}
        for tenant, files in found.items()
    }
    assert names == {"demo": {"shop.yaml": ["ShopErrors"]}, "team-b": {"team-b.yaml": ["Braces"]}}
    (braces,) = found["team-b"]["team-b.yaml"]
    assert braces["query"] == '(count_over_time({app="x"} |= "\\"{{.}}\\""[5m]) > 0)'
    assert braces["annotations"] == {"summary": "{{ $labels.app }}: 100% — “ΣLANG”\nsecond line\n"}


def test_rules_of_this_project(tmp_path: Path) -> None:
    project = load(ROOT)
    render(project, tmp_path / "out", what=["rules"])
    found = loaded(tmp_path, tmp_path / "out/rules", settings_of(project).tenant)
    names = [rule["name"] for files in found.values() for rules in files.values() for rule in rules]
    assert sorted(names) == sorted(rule.name for rule in project.rules)


def test_the_folder_that_kubernetes_makes(make_project: Callable[..., Project], tmp_path: Path) -> None:
    """A mounted ConfigMap: a hidden folder, and symbolic links into it."""
    render(make_project({"rules/shop.yaml": RULES}), tmp_path / "out", what=["rules"])
    place = tmp_path / "rules/demo"
    hidden = place / "..2026_01_01"
    hidden.mkdir(parents=True)
    for file in (tmp_path / "out/rules/demo").iterdir():
        (hidden / file.name).write_bytes(file.read_bytes())
        (place / file.name).symlink_to(Path("..data") / file.name)
    (place / "..data").symlink_to(hidden.name)
    assert {
        file: len(rules) for file, rules in loaded(tmp_path, tmp_path / "rules", "demo")["demo"].items()
    } == {"shop.yaml": 1}
