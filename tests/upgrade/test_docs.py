"""The page about upgrades shows what the command prints for the files that it shows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parent.parent.parent / "docs" / "upgrade.md"
FILE = re.compile(r"^```yaml\n# (?P<name>\S+)\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(
    r"^```console\n\$ lokictl (?P<command>[^\n]+)\n(?P<output>.*?)^```$", re.MULTILINE | re.DOTALL
)


def test_outputs_are_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lokictl: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    for file in FILE.finditer(text):
        (tmp_path / file["name"]).write_text(file["content"])
    blocks = list(COMMAND.finditer(text))
    assert len(blocks) == 2
    for block in blocks:
        assert lokictl(*shlex.split(block["command"])).output == block["output"]
