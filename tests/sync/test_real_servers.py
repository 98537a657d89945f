"""The whole way on real servers: first sync, nothing to do, a change, rollback, pruning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from lokictl.cli.main import cli
from lokictl.starter import start
from tests.stack.grafana_server import NEEDS_GRAFANA, grafana
from tests.stack.servers import free_ports, needs, program, server

LOKI = program("loki")
pytestmark = [
    pytest.mark.real_loki,
    pytest.mark.real_grafana,
    pytest.mark.slow,
    needs("loki"),
    *NEEDS_GRAFANA,
]

TARGET = """
[targets.test.grafana]
url = "{grafana}"
basic = {{ user = "admin", password = {{ env = "TEST_GRAFANA_PASSWORD" }} }}

[targets.test.loki]
url = "{loki}"
tenants = ["demo"]
namespaces = ["shop"]
"""


def loki_configuration(folder: Path, http: int, grpc: int) -> str:
    """A Loki with tenants whose ruler stores rules where its API can write them."""
    data = str(folder / "data")
    config = {
        "auth_enabled": True,
        "server": {"http_listen_address": "127.0.0.1", "http_listen_port": http, "grpc_listen_port": grpc},
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": data,
            "replication_factor": 1,
            "storage": {"filesystem": {"chunks_directory": f"{data}/chunks", "rules_directory": f"{data}/r"}},
            "ring": {"kvstore": {"store": "inmemory"}},
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
        "storage_config": {
            "use_thanos_objstore": True,
            "object_store": {"filesystem": {"dir": f"{data}/objects"}},
        },
        "ruler_storage": {"backend": "filesystem", "filesystem": {"dir": f"{data}/rules"}},
        "analytics": {"reporting_enabled": False},
    }
    return yaml.safe_dump(config)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new content project whose target is a real Loki and a real Grafana."""
    assert LOKI
    folder = tmp_path_factory.mktemp("servers")
    (folder / "provisioning").mkdir()
    http, grpc = free_ports(2)
    (folder / "loki.yaml").write_text(loki_configuration(folder, http, grpc), encoding="utf-8")
    loki_url = f"http://127.0.0.1:{http}"
    command: list[str | Path] = [LOKI, f"-config.file={folder / 'loki.yaml'}"]
    with (
        server(command, f"{loki_url}/ready", folder / "loki.log", cwd=folder),
        grafana(folder / "provisioning", folder) as grafana_url,
    ):
        start(folder / "mine")
        file = folder / "mine" / "lokictl.toml"
        target = TARGET.format(grafana=grafana_url, loki=loki_url)
        file.write_text(file.read_text(encoding="utf-8") + target, encoding="utf-8")
        yield folder / "mine"


def run(project: Path, command: str, *arguments: str) -> tuple[int, str]:
    runner = CliRunner(env={"TEST_GRAFANA_PASSWORD": "admin", "NO_COLOR": "1"})
    result = runner.invoke(cli, [command, "--project", str(project), *arguments], standalone_mode=False)
    assert result.exception is None, result.exception
    return int(result.return_value or 0), result.output


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_whole_way(project: Path) -> None:
    status, output = run(project, "diff")
    assert (status, "4 to create" in output) == (3, True), output
    status, output = run(project, "sync", "--yes")
    assert (status, "done: 4 changes" in output) == (0, True), output
    status, output = run(project, "diff")
    assert (status, output.strip()) == (0, "test: 4 unchanged")

    replace(project / "rules" / "shop.py", "> 10", "> 20")
    replace(project / "dashboards" / "shop.py", 'title="Errors"', 'title="Failures"')
    status, output = run(project, "diff")
    assert status == 3
    assert "title: Errors → Failures" in output
    assert "2 to update, 2 unchanged" in output
    status, output = run(project, "sync", "--yes")
    assert (status, "done: 2 changes" in output) == (0, True), output

    status, output = run(project, "rollback", "--yes")
    assert (status, "done: 2 changes" in output) == (0, True), output
    replace(project / "rules" / "shop.py", "> 20", "> 10")
    replace(project / "dashboards" / "shop.py", 'title="Failures"', 'title="Errors"')
    status, output = run(project, "diff")
    assert (status, output.strip()) == (0, "test: 4 unchanged")

    (project / "dashboards" / "shop.py").unlink()
    status, output = run(project, "diff")
    assert (status, "1 kept, 3 unchanged" in output) == (0, True), output
    status, output = run(project, "sync", "--yes", "--prune", "--allow-empty")
    assert (status, 'deleted dashboard "Shop"' in output) == (0, True), output
