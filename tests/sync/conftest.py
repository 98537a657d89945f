from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.grafana_server import grafana
from tests.stack.servers import free_ports, program, server
from tests.sync.lab import Lab, Urls, loki_configuration
from tests.sync.world import World, alert, rule_group


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A project that was never synced: two dashboards, a data source's worth of rules."""
    from lokictl.model import DataSource

    made = World(tmp_path)
    made.dashboards = {
        "errors": {"title": "Errors", "panels": [{"id": 1, "type": "logs", "title": "Lines", "targets": []}]},
        "load": {"title": "Load", "panels": []},
    }
    made.sources = {"loki": DataSource(name="Loki", type="loki", uid="loki", url="http://loki:3100")}
    made.groups = {"own": [rule_group("g", alert("A"), alert("B", "vector(2)"))]}
    return made


LOKI = program("loki")
NUMBERS = itertools.count(1)
# Grafana sets the alerting of a new organization up when it looks at them all, once a minute by default.
SETTINGS = "[unified_alerting]\nalertmanager_config_poll_interval = 1s\n"


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Urls]:
    """A real Loki and a real Grafana."""
    assert LOKI
    folder = tmp_path_factory.mktemp("servers")
    (folder / "provisioning").mkdir()
    http, grpc = free_ports(2)
    (folder / "loki.yaml").write_text(loki_configuration(folder, http, grpc), encoding="utf-8")
    loki_url = f"http://127.0.0.1:{http}"
    command: list[str | Path] = [LOKI, f"-config.file={folder / 'loki.yaml'}"]
    with (
        server(command, f"{loki_url}/ready", folder / "loki.log", cwd=folder),
        grafana(folder / "provisioning", folder, settings=SETTINGS) as grafana_url,
    ):
        yield Urls(grafana_url, loki_url)


@pytest.fixture
def lab(urls: Urls, tmp_path: Path, request: pytest.FixtureRequest) -> Lab:
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    return Lab(tmp_path / "lab", urls, f"{words[:24].strip('-')}-{next(NUMBERS)}")
