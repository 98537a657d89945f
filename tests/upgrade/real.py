"""The real Lokis of several versions that the tests find on PATH: ``loki-2.9.17``, ``loki-3.7.6``, ``loki-main``."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from lokictl.logql.versions import LokiVersion


@cache
def programs() -> dict[LokiVersion, str]:
    """The program of each version on PATH, by version."""
    found: dict[LokiVersion, str] = {}
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for file in sorted(Path(folder or ".").glob("loki-*")):
            try:
                version = LokiVersion.parse(file.name.removeprefix("loki-"))
            except ValueError:
                continue
            if os.access(file, os.X_OK):
                found.setdefault(version, str(file))
    return dict(sorted(found.items()))


def around(version: LokiVersion) -> tuple[LokiVersion, LokiVersion]:
    """The newest Loki on PATH that is older, and the oldest one that is not.  Skips the test where one is missing."""
    older = [other for other in programs() if other < version]
    newer = [other for other in programs() if other >= version]
    if not older or not newer:
        pytest.skip(
            f"needs a Loki before {version.minor_text} and one from it on PATH, named like loki-3.7.6"
        )
    return older[-1], newer[0]
