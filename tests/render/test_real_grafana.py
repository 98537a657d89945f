"""A stock Grafana starts from what is rendered: no error in its log, every data source and dashboard there."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lokictl.project import Project, load
from lokictl.render import render, settings_of
from lokictl.render.stack import filled_components
from tests.stack.servers import free_ports, get_json, program, server

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = program("grafana", "grafana-server")
HOMES = (os.environ.get("GRAFANA_HOME", ""), "/usr/share/grafana")
HOME = next((home for home in HOMES if home and (Path(home) / "conf/defaults.ini").is_file()), None)

pytestmark = [
    pytest.mark.real_grafana,
    pytest.mark.slow,
    pytest.mark.skipif(GRAFANA is None, reason="neither grafana nor grafana-server is on PATH"),
    pytest.mark.skipif(
        HOME is None, reason="Grafana's home is not known: set GRAFANA_HOME to the folder with its conf/"
    ),
]

ERROR = re.compile(r"\blvl=(eror|crit)\b|\blevel=(error|crit|critical)\b")
ADMIN = ("admin", "admin")


@contextlib.contextmanager
def grafana(provisioning: Path, folder: Path) -> Iterator[str]:
    """Grafana started with that provisioning folder: its URL.  Its log is ``folder/grafana.log``."""
    assert GRAFANA
    assert HOME
    (port,) = free_ports(1)
    settings = (
        f"[server]\nhttp_addr = 127.0.0.1\nhttp_port = {port}\n[analytics]\nreporting_enabled = false\n"
    )
    settings += "check_for_updates = false\ncheck_for_plugin_updates = false\n[log]\nmode = console\n"
    settings += f"[paths]\ndata = {folder}/data\nlogs = {folder}/logs\nplugins = {folder}/plugins\n"
    (folder / "grafana.ini").write_text(settings)
    (folder / "plugins").mkdir()
    command = [GRAFANA, *(["server"] if Path(GRAFANA).name == "grafana" else [])]
    environment = {
        f"{name}_URL": f"http://{name.lower()}:1" for name in ("LOKI", "PROMETHEUS", "JAEGER", "ALERTMANAGER")
    }
    environment |= {"GF_PATHS_PROVISIONING": str(provisioning), "LOKI_TENANT": "demo"}
    url = f"http://127.0.0.1:{port}"
    with server(
        [*command, "--homepath", HOME, "--config", folder / "grafana.ini"],
        f"{url}/api/health",
        folder / "grafana.log",
        env=environment,
    ):
        yield url


def check(project: Project, url: str, log: Path) -> None:
    """Every data source and dashboard is there, and nothing went wrong on the way."""
    found = {item["uid"]: item for item in get_json(f"{url}/api/datasources", auth=ADMIN)}
    assert set(found) == {source.uid for source in project.datasources}
    assert all(item["readOnly"] for item in found.values())
    folder = settings_of(project).folder
    for dashboard in project.dashboards:
        answer = get_json(f"{url}/api/dashboards/uid/{dashboard.uid}", auth=ADMIN)
        assert answer["dashboard"]["title"] == dashboard.title
        assert answer["meta"]["folderTitle"] == folder
        assert answer["meta"]["provisioned"] is True
    errors = [line for line in log.read_text().splitlines() if ERROR.search(line)]
    assert errors == []


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
    """The Deployment's projected volume, laid out as the kubelet does it: a hidden folder and symbolic links."""
    project = load(ROOT)
    manifests = [
        manifest
        for component in filled_components(project, settings_of(project))
        for manifest in component.manifests
    ]
    config_maps = {
        item["metadata"]["name"]: item["data"] for item in manifests if item["kind"] == "ConfigMap"
    }
    (deployment,) = [
        item for item in manifests if (item["kind"], item["metadata"]["name"]) == ("Deployment", "grafana")
    ]
    (volume,) = [item for item in deployment["spec"]["template"]["spec"]["volumes"] if "projected" in item]
    place, hidden = tmp_path / "provisioning", tmp_path / "provisioning/..2026_01_01"
    for source in volume["projected"]["sources"]:
        for item in source["configMap"]["items"]:
            file = hidden / item["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(config_maps[source["configMap"]["name"]][item["key"]])
    (place / "..data").symlink_to(hidden.name)
    for entry in sorted(hidden.iterdir()):
        (place / entry.name).symlink_to(Path("..data") / entry.name)
    with grafana(place, tmp_path) as url:
        check(project, url, tmp_path / "grafana.log")


def test_the_error_of_a_broken_file_would_be_seen(shop: Project, tmp_path: Path) -> None:
    render(shop, tmp_path / "out", what=["grafana"])
    file = tmp_path / "out/grafana/provisioning/dashboards/shop/orders.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "title": ""}))
    assert yaml.safe_load((tmp_path / "out/grafana/provisioning/dashboards/shop.yaml").read_text())
    with grafana(tmp_path / "out/grafana/provisioning", tmp_path):
        pass
    assert any(ERROR.search(line) for line in (tmp_path / "grafana.log").read_text().splitlines())
