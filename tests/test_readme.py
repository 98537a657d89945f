"""Every output that the README and the tutorial show is what the command prints.

``UPDATE_README=1 pytest tests/test_readme.py`` updates the outputs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"^```console\n\$ (?P<command>[^\n]+)\n(?P<output>.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = re.compile(r"\d+\.\d+ s\b")


def run(command: str, folder: Path) -> str:
    """What a command of the README prints, on both streams."""
    program, *arguments = shlex.split(command)
    assert program == "lokictl"
    done = subprocess.run(
        [sys.executable, "-m", "lokictl", *arguments],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100"},
    )
    return done.stdout.rstrip("\n") + "\n"


def test_outputs_are_what_is_printed(tmp_path: Path) -> None:
    folder = tmp_path / "plain-rules"
    shutil.copytree(ROOT / "examples" / "plain-rules", folder)
    text = README.read_text(encoding="utf-8")
    printed = BLOCK.sub(
        lambda block: f"```console\n$ {block['command']}\n{run(block['command'], folder)}```", text
    )
    if os.environ.get("UPDATE_README"):
        README.write_text(printed, encoding="utf-8")
        pytest.skip("updated")
    assert SECONDS.sub("… s", printed) == SECONDS.sub("… s", text)


TUTORIAL = ROOT / "docs/tutorial.md"
STEP = re.compile(
    r"^```\w+ title=\"(?P<file>[^\"]+)\"(?P<append> append)?\n(?P<content>.*?)^```$"
    r"|^```console\n\$ (?P<command>[^\n]+)\n(?P<output>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def test_the_tutorial_works(tmp_path: Path) -> None:
    """Writes its files and runs its commands, from the top down."""

    def step(found: re.Match[str]) -> str:
        if found["command"]:
            return f"```console\n$ {found['command']}\n{run(found['command'], tmp_path)}```"
        file = tmp_path / found["file"]
        before = file.read_text(encoding="utf-8") if found["append"] else ""
        file.write_text(before + found["content"], encoding="utf-8")
        return found[0]

    text = TUTORIAL.read_text(encoding="utf-8")
    printed = STEP.sub(step, text)
    if os.environ.get("UPDATE_README"):
        TUTORIAL.write_text(printed, encoding="utf-8")
        pytest.skip("updated")
    assert "no problems" in printed
    assert SECONDS.sub("… s", printed) == SECONDS.sub("… s", text)


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
