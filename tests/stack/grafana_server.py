"""A Grafana that is on PATH, started from rendered provisioning."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from tests.stack.servers import free_ports, get_json, program, server, wait_for

GRAFANA = program("grafana", "grafana-server")
HOMES = (os.environ.get("GRAFANA_HOME", ""), "/usr/share/grafana")
HOME = next((home for home in HOMES if home and (Path(home) / "conf/defaults.ini").is_file()), None)

NEEDS_GRAFANA = [
    pytest.mark.skipif(GRAFANA is None, reason="neither grafana nor grafana-server is on PATH"),
    pytest.mark.skipif(
        HOME is None, reason="Grafana's home is not known: set GRAFANA_HOME to the folder with its conf/"
    ),
]
ADMIN = ("admin", "admin")

SETTINGS = """\
[server]
http_addr = 127.0.0.1
http_port = {port}
[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false
[plugins]
preinstall_disabled = true
# A machine without a network has no keys of plugins to get; Grafana would log that as an error.
public_key_retrieval_disabled = true
[log]
mode = console
[paths]
data = {folder}/data
logs = {folder}/logs
plugins = {folder}/plugins
"""


@contextlib.contextmanager
def grafana(
    provisioning: Path, folder: Path, environment: Mapping[str, str] | None = None, settings: str = ""
) -> Iterator[str]:
    """Grafana started with that provisioning folder, once it has read it: its URL.  Its log is ``folder/grafana.log``.

    Without ``environment`` the data sources point nowhere; ``settings`` are added to ``grafana.ini``.
    """
    assert GRAFANA
    assert HOME
    (port,) = free_ports(1)
    (folder / "grafana.ini").write_text(SETTINGS.format(port=port, folder=folder) + settings)
    (folder / "plugins").mkdir()
    command = [GRAFANA, *(["server"] if Path(GRAFANA).name == "grafana" else [])]
    names = ("LOKI", "PROMETHEUS", "JAEGER", "ALERTMANAGER")
    nowhere = {f"{name}_URL": f"http://{name.lower()}:1" for name in names}
    url = f"http://127.0.0.1:{port}"
    with server(
        [*command, "--homepath", HOME, "--config", folder / "grafana.ini"],
        f"{url}/api/health",
        folder / "grafana.log",
        env={
            **nowhere,
            "LOKI_TENANT": "demo",
            "GF_PATHS_PROVISIONING": str(provisioning),
            **(environment or {}),
        },
    ):
        wait_for(lambda: provisioned(url, provisioning))
        yield url


def provisioned(url: str, folder: Path) -> bool:
    """Whether Grafana has what the provisioning folder describes: it answers before it has read everything."""
    sources = [
        item.get("uid")
        for file in sorted((folder / "datasources").glob("*.yaml"))
        for item in yaml.safe_load(file.read_text()).get("datasources") or []
    ]
    models = [json.loads(file.read_text()) for file in sorted((folder / "dashboards").rglob("*.json"))]
    # Grafana never takes one without a title.
    dashboards = [model.get("uid") for model in models if model.get("title")]
    there = {item["uid"] for item in get_json(f"{url}/api/datasources", auth=ADMIN)}
    shown = {item["uid"] for item in get_json(f"{url}/api/search?type=dash-db", auth=ADMIN)}
    return set(sources) - {None} <= there and set(dashboards) - {None} <= shown
