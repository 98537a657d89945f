"""Long work shows a bar on a terminal, and nothing where nobody looks."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from lokictl.cli.progress import ProgressBar

PROGRAM = """
from lokictl.cli.progress import ProgressBar
with ProgressBar() as bar:
    for done in range(5):
        bar("changing rules", done, 4)
print("done")
"""


def test_a_terminal_sees_the_bar_and_then_nothing_of_it() -> None:
    master, slave = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=slave,
        check=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(slave)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert "changing rules" in shown
    assert "100%" in shown
    assert shown.rstrip().endswith("\x1b[2K"), "the last line is erased"
    assert done.stdout == b"done\n"


def test_no_terminal_sees_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar() as bar:
        bar("changing rules", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_it_imports_rich_only_on_a_terminal(tmp_path: Path) -> None:
    code = PROGRAM + "import sys; print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "done\nFalse\n"
    assert done.stderr == ""
