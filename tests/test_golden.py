"""The whole text of reports: each folder of tests/golden has a command, its files, and what is printed.

``UPDATE_GOLDEN=1 pytest tests/test_golden.py`` writes what is printed anew; read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lokictl.cli.main import main

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())
SECONDS = re.compile(r"\d+\.\d+ s\b")


@pytest.fixture
def printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[Path], str]:
    """A function that runs the command of a folder in a copy of it; gives both streams and the exit status."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")

    def run(folder: Path) -> str:
        shutil.copytree(folder, tmp_path / "case")
        monkeypatch.chdir(tmp_path / "case")
        command = (folder / "command").read_text(encoding="utf-8").strip()
        with pytest.raises(SystemExit) as stop:
            main(shlex.split(command))
        captured = capsys.readouterr()
        text = f"$ lokictl {command}\n{captured.out}{captured.err}exit status {stop.value.code or 0}\n"
        return SECONDS.sub("… s", text)

    return run


def test_there_are_cases() -> None:
    assert len(CASES) >= 20


@pytest.mark.parametrize("name", CASES)
def test_the_report_is_as_it_was(name: str, printed: Callable[[Path], str]) -> None:
    folder = GOLDEN / name
    text = printed(folder)
    expected = folder / "printed.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")
