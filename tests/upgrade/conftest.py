"""Running the command line as a user does, without starting an interpreter each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lokictl.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What a run of the command line left behind."""

    status: int
    output: str
    error: str


@pytest.fixture
def lokictl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """A function that runs ``lokictl`` with the given arguments."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("LOKICTL_DEBUG", raising=False)

    def run(*arguments: str) -> Answer:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        code = stop.value.code
        return Answer(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run
