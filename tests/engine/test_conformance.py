"""The engine's answers, compared with recordings of a real Loki's: one test per suite of logs.

``pytest -k early_stop`` runs the suites of one topic, ``-k "json and nested"`` those with a name.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lokictl.conformance.recordings import load, topics
from tests.engine.conformance import check_suite


@cache
def recorded(file: Path) -> dict[str, dict[str, Any]]:
    return {suite["name"]: suite for suite in load(file)}


CASES = [pytest.param(file, name, id=f"{file.stem}-{name}") for file in topics() for name in recorded(file)]


@pytest.mark.parametrize("file, suite", CASES)
def test_answers_are_lokis_own(file: Path, suite: str) -> None:
    total, wrong = check_suite(recorded(file)[suite])
    assert not wrong, f"{len(wrong)} of {total} differ\n\n" + "\n\n".join(wrong[:20])
