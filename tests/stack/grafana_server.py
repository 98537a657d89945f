"""A Grafana started from rendered provisioning: the program on PATH, or a container."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
import yaml

from lokictl.backends import BackendError, container_watcher
from lokictl.backends.container import connect
from tests.stack.servers import free_ports, program, server, wait_for

if TYPE_CHECKING:
    from docker.models.containers import Container

PROGRAM = program("grafana", "grafana-server")
HOMES = (os.environ.get("GRAFANA_HOME", ""), "/usr/share/grafana")
HOME = next((home for home in HOMES if home and (Path(home) / "conf/defaults.ini").is_file()), None)


def local_image() -> str:
    """The image of Grafana that the Docker daemon has: ``GRAFANA_IMAGE``, or the newest official one; "" for none."""
    try:
        with contextlib.closing(connect()) as docker:
            tags = [tag for image in docker.images.list() for tag in image.tags]
    except BackendError:
        return ""
    wanted = os.environ.get("GRAFANA_IMAGE", "")
    if wanted:
        return wanted if wanted in tags else ""
    official = [tag for tag in tags if tag.partition(":")[0] in ("grafana/grafana", "grafana/grafana-oss")]
    return max(official, key=lambda tag: [int(part) for part in re.findall(r"\d+", tag)], default="")


IMAGE = "" if PROGRAM and HOME else local_image()
NO_GRAFANA = (
    "no Grafana: no program grafana on PATH with its home (GRAFANA_HOME), and no image of it (GRAFANA_IMAGE) "
    "in a Docker daemon"
)
NEEDS_GRAFANA = [pytest.mark.skipif(not (PROGRAM and HOME) and not IMAGE, reason=NO_GRAFANA)]
ADMIN = ("admin", "admin")
SEARCH = "search?type=dash-db&limit=5000"

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


NAMES = ("LOKI", "PROMETHEUS", "JAEGER", "ALERTMANAGER")
NOWHERE = {f"{name}_URL": f"http://{name.lower()}:1" for name in NAMES}


@contextlib.contextmanager
def grafana(
    provisioning: Path, folder: Path, environment: Mapping[str, str] | None = None, settings: str = ""
) -> Iterator[str]:
    """Grafana started with that provisioning folder, once it has read it: its URL.  Its log is ``folder/grafana.log``.

    Without ``environment`` the data sources point nowhere; ``settings`` are added to ``grafana.ini``.
    """
    (port,) = free_ports(1)
    (folder / "grafana.ini").write_text(SETTINGS.format(port=port, folder=folder) + settings)
    (folder / "plugins").mkdir()
    url = f"http://127.0.0.1:{port}"
    variables = {
        **NOWHERE,
        "LOKI_TENANT": "demo",
        "GF_PATHS_PROVISIONING": str(provisioning),
        **(environment or {}),
    }
    start = _program if PROGRAM and HOME else _container
    with start(folder, url, variables):
        wait_for(lambda: provisioned(url, provisioning))
        yield url


def _program(folder: Path, url: str, environment: Mapping[str, str]) -> AbstractContextManager[None]:
    assert PROGRAM
    assert HOME
    command = [PROGRAM, *(["server"] if Path(PROGRAM).name == "grafana" else [])]
    return server(
        [*command, "--homepath", HOME, "--config", folder / "grafana.ini"],
        f"{url}/api/health",
        folder / "grafana.log",
        env=environment,
    )


@contextlib.contextmanager
def _container(folder: Path, url: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Grafana in a container that shares this machine's network and the test's folders."""
    name = f"lokictl-test-grafana-{secrets.token_hex(4)}"
    paths = {"CONFIG": folder / "grafana.ini", "DATA": folder / "data", "LOGS": folder / "logs"}
    paths["PLUGINS"] = folder / "plugins"
    provisioning = environment["GF_PATHS_PROVISIONING"]
    variables = {**{f"GF_PATHS_{key}": str(path) for key, path in paths.items()}, **environment}
    # Removes the container when this process is killed.
    watcher = subprocess.Popen(
        [sys.executable, "-P", container_watcher.__file__, name, str(folder / "scratch")],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    with contextlib.closing(connect()) as docker:
        try:
            running = docker.containers.run(
                IMAGE,
                name=name,
                environment=variables,
                network_mode="host",
                user=f"{os.getuid()}:{os.getgid()}",
                volumes=[f"{place}:{place}" for place in {str(folder), provisioning}],
                detach=True,
            )
            writer = threading.Thread(target=_copy_log, args=(running, folder / "grafana.log"), daemon=True)
            writer.start()
            try:
                wait_for(lambda: _answers(url, running))
                yield
            finally:
                running.remove(force=True, v=True)
                writer.join(10)
        finally:
            watcher.communicate()


def _copy_log(container: Container, file: Path) -> None:
    with file.open("wb", buffering=0) as output:
        for part in container.logs(stream=True, follow=True):
            output.write(part)


def _answers(url: str, container: Container) -> bool:
    container.reload()
    if container.status == "exited":
        pytest.fail(f"the container of {IMAGE} ended:\n{container.logs(tail=40).decode()}")
    try:
        return requests.get(f"{url}/api/health", timeout=2).ok
    except requests.RequestException:
        return False


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
    try:
        answers = [
            requests.get(f"{url}/api/{path}", auth=ADMIN, timeout=30) for path in ("datasources", SEARCH)
        ]
    except requests.RequestException:
        return False
    # On a busy machine Grafana's database is locked now and then.
    if not all(answer.ok for answer in answers):
        return False
    there, shown = ({item["uid"] for item in answer.json()} for answer in answers)
    return set(sources) - {None} <= there and set(dashboards) - {None} <= shown
