"""A stock Grafana starts from what is rendered: no error in its log, every data source and dashboard there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.project import Project, load
from lokictl.render import render, settings_of
from tests.stack.grafana_server import ADMIN, NEEDS_GRAFANA, grafana
from tests.stack.platform import CONFIG_MAPS, PROJECT, workloads
from tests.stack.servers import get_json, wait_for

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.real_grafana, pytest.mark.slow, *NEEDS_GRAFANA]

ERROR = re.compile(r"\blvl=(eror|crit)\b|\blevel=(error|crit|critical)\b")


def check(project: Project, url: str, log: Path) -> None:
    """Every data source and dashboard is there, and nothing went wrong on the way."""
    # Grafana says it is healthy before its provisioning has ended.
    sources = {source.uid for source in project.datasources}
    wait_for(lambda: sources <= set(datasources(url)))
    found = datasources(url)
    assert set(found) == sources
    assert all(item["readOnly"] for item in found.values())
    folder = settings_of(project).folder
    uids = {dashboard.uid for dashboard in project.dashboards}
    wait_for(lambda: uids <= provisioned(url))
    for dashboard in project.dashboards:
        answer = get_json(f"{url}/api/dashboards/uid/{dashboard.uid}", auth=ADMIN)
        assert answer["dashboard"]["title"] == dashboard.title
        assert answer["meta"]["folderTitle"] == folder
        assert answer["meta"]["provisioned"] is True
    assert errors(log) == []


def errors(log: Path) -> list[str]:
    """What went wrong, by Grafana's log.

    On a busy machine its own SQLite is locked now and then while it starts; Grafana tries again.
    """
    lines = log.read_text().splitlines()
    return [line for line in lines if ERROR.search(line) and "database is locked" not in line]


def datasources(url: str) -> dict[str, dict[str, Any]]:
    """uid -> each data source that Grafana has."""
    return {item["uid"]: item for item in get_json(f"{url}/api/datasources", auth=ADMIN)}


def provisioned(url: str) -> set[str]:
    """The uids of the dashboards that Grafana has."""
    return {item["uid"] for item in get_json(f"{url}/api/search?type=dash-db", auth=ADMIN)}


def test_a_small_project(shop: Project, tmp_path: Path) -> None:
    render(shop, tmp_path / "out", what=["grafana"])
    with grafana(tmp_path / "out/grafana/provisioning", tmp_path) as url:
        check(shop, url, tmp_path / "grafana.log")
        loki = get_json(f"{url}/api/datasources/name/Loki", auth=ADMIN)
        assert loki["url"] == "http://loki:1"
        assert loki["jsonData"]["derivedFields"][0]["url"] == "${__value.raw}"
        assert loki["jsonData"]["derivedFields"][1]["matcherRegex"] == "^trace_id$"


@pytest.mark.parametrize("version", ["9.0", "12.3"])
def test_this_project(tmp_path: Path, version: str) -> None:
    project = load(ROOT)
    render(project, tmp_path / "out", what=["grafana"], grafana_version=version)
    with grafana(tmp_path / "out/grafana/provisioning", tmp_path) as url:
        check(project, url, tmp_path / "grafana.log")


def test_the_volume_that_kubernetes_makes(tmp_path: Path) -> None:
    """The pod's projected volume, laid out as the kubelet does it: a hidden folder and symbolic links."""
    (workload,) = [item for item in workloads() if item["metadata"]["name"] == "grafana"]
    (volume,) = [item for item in workload["spec"]["template"]["spec"]["volumes"] if "projected" in item]
    place, hidden = tmp_path / "provisioning", tmp_path / "provisioning/..2026_01_01"
    for source in volume["projected"]["sources"]:
        for item in source["configMap"]["items"]:
            file = hidden / item["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(CONFIG_MAPS[source["configMap"]["name"]][item["key"]])
    (place / "..data").symlink_to(hidden.name)
    for entry in sorted(hidden.iterdir()):
        (place / entry.name).symlink_to(Path("..data") / entry.name)
    with grafana(place, tmp_path) as url:
        check(PROJECT, url, tmp_path / "grafana.log")


def test_the_error_of_a_broken_file_would_be_seen(shop: Project, tmp_path: Path) -> None:
    render(shop, tmp_path / "out", what=["grafana"])
    file = tmp_path / "out/grafana/provisioning/dashboards/shop/orders.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "title": ""}))
    assert yaml.safe_load((tmp_path / "out/grafana/provisioning/dashboards/shop.yaml").read_text())
    log = tmp_path / "grafana.log"
    with grafana(tmp_path / "out/grafana/provisioning", tmp_path):
        wait_for(lambda: errors(log))
