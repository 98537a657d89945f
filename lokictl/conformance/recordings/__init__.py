"""The recordings: one JSON file per topic (README.md says what is in them)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parent


def topics(folder: Path = RECORDINGS) -> list[Path]:
    """The files of recordings in a folder, by name."""
    return sorted(folder.glob("*.json"))


def load(file: Path) -> list[dict[str, Any]]:
    """The suites of a file: ``name``, ``streams`` (the logs) and ``queries`` with the recorded answers."""
    suites: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["suites"]
    return suites
