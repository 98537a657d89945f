"""docker-compose.test.yml runs the rendered files, not copies of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lokictl.project import load
from lokictl.render import rendering
from stack import compose

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_file_is_up_to_date() -> None:
    assert (ROOT / compose.FILE).read_text() == compose.text(), "run: python -m stack.compose"


def test_it_mounts_only_what_is_rendered() -> None:
    paths = [path for path, _ in rendering(load(ROOT))]
    folders = {str(parent) for path in paths for parent in Path(path).parents}
    for name, service in compose.configuration()["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("./build/"), f"{name} mounts {source}"
            inside = source.removeprefix("./build/")
            # The rules of the tenant that the stack uses, whatever the project calls its own.
            inside = str(Path(inside).parent) if inside.startswith("rules/") else inside
            assert inside in folders, f"{name}: {source} is not rendered"


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
