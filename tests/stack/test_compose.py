"""docker-compose.test.yml runs the rendered files, not copies of them."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

from lokictl.project import load
from lokictl.render import rendering
from stack import compose
from stack.figures import TENANT
from tests.stack.servers import needs

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_file_is_up_to_date() -> None:
    assert (ROOT / compose.FILE).read_text() == compose.text(), "run: python -m stack.compose"


def test_it_mounts_only_what_is_rendered() -> None:
    project = load(ROOT)
    written = {**project.config.written, "tenant": TENANT}
    project = dataclasses.replace(project, config=dataclasses.replace(project.config, written=written))
    rendered = {str(parent) for path, _ in rendering(project) for parent in Path(path).parents}
    services = compose.configuration()["services"]
    mounts = [(name, volume) for name, service in services.items() for volume in service.get("volumes", [])]
    assert mounts
    for name, volume in mounts:
        source = volume.split(":")[0]
        assert source.removeprefix("./build/") in rendered, f"{name}: {source} is not rendered"


def test_everything_listens_on_loopback_only() -> None:
    services = compose.configuration()["services"].values()
    ports = [port for service in services for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_both_versions_of_compose_know_every_key() -> None:
    """Version 1 (docker-compose 1.27 to 1.29) refuses a file with a `name`."""
    assert set(compose.configuration()) == {"services"}


def test_no_service_finds_a_name_outside() -> None:
    services = compose.configuration()["services"]
    assert all(service["dns"] == ["127.0.0.1"] for service in services.values())
    assert not any("network_mode" in service or "extra_hosts" in service for service in services.values())


def test_the_services_are_called_what_the_rendered_files_call_them() -> None:
    services = compose.configuration()["services"]
    files = dict(rendering(load(ROOT), what=["stack"]))
    for name in ("loki/loki.yaml", "prometheus/prometheus.yaml", "grafana/grafana.env"):
        hosts = r"\b(loki|alertmanager|prometheus|jaeger|memcached-service|grafana):\d"
        named = set(re.findall(hosts, files[f"stack/{name}"]))
        assert named
        assert named <= set(services)


def test_images_are_pinned() -> None:
    services = compose.configuration()["services"].values()
    assert services
    for service in services:
        assert ":" in service["image"]
        assert not service["image"].endswith(":latest")


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not on PATH")
def test_docker_accepts_the_file() -> None:
    version = subprocess.run(["docker", "compose", "version"], capture_output=True)
    if version.returncode != 0:
        pytest.skip("docker has no compose command")
    subprocess.run(["docker", "compose", "-f", compose.FILE, "config", "-q"], cwd=ROOT, check=True)


def test_version_2_accepts_every_key_and_value() -> None:
    """Version 2 reads the Compose Specification."""
    schema = json.loads((ROOT / "tests/data/schemas/compose-spec.json").read_text())
    check = jsonschema.Draft7Validator(schema).iter_errors
    assert [error.message for error in check(compose.configuration())] == []
    broken = compose.configuration()
    broken["services"]["loki"]["port"] = broken["services"]["loki"].pop("ports")
    assert list(check(broken))


@needs("docker-compose")
def test_version_1_accepts_the_file() -> None:
    subprocess.run(["docker-compose", "-f", compose.FILE, "config", "-q"], cwd=ROOT, check=True)
