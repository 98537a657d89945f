"""docker-compose.test.yml runs the rendered files, not copies of them."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from lokictl.project import load
from lokictl.render import rendering
from stack import compose
from stack.figures import TENANT

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_file_is_up_to_date() -> None:
    assert (ROOT / compose.FILE).read_text() == compose.text(), "run: python -m stack.compose"


def test_it_mounts_only_what_is_rendered() -> None:
    project = load(ROOT)
    written = {**project.config.written, "tenant": TENANT}
    project = dataclasses.replace(project, config=dataclasses.replace(project.config, written=written))
    rendered = {str(parent) for path, _ in rendering(project) for parent in Path(path).parents}
    for name, service in compose.configuration()["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.removeprefix("./build/") in rendered, f"{name}: {source} is not rendered"


def test_everything_listens_on_loopback_only() -> None:
    for service in compose.configuration()["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_images_are_pinned() -> None:
    for service in compose.configuration()["services"].values():
        assert ":" in service["image"]
        assert not service["image"].endswith(":latest")


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not on PATH")
def test_docker_accepts_the_file() -> None:
    version = subprocess.run(["docker", "compose", "version"], capture_output=True)
    if version.returncode != 0:
        pytest.skip("docker has no compose command")
    subprocess.run(["docker", "compose", "-f", compose.FILE, "config", "-q"], cwd=ROOT, check=True)
