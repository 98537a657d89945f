"""Every output that the README shows is what the command prints.

``UPDATE_README=1 pytest tests/test_readme.py`` writes the outputs anew.
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
        pytest.skip("written anew")
    assert SECONDS.sub("… s", printed) == SECONDS.sub("… s", text)


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
