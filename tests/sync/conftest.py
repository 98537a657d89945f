from __future__ import annotations

from pathlib import Path

import pytest

from tests.sync.world import World, alert, rule_group


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A project that was never synced: two dashboards, a data source's worth of rules."""
    from lokictl.model import DataSource

    made = World(tmp_path)
    made.dashboards = {
        "errors": {"title": "Errors", "panels": [{"id": 1, "type": "logs", "title": "Lines", "targets": []}]},
        "load": {"title": "Load", "panels": []},
    }
    made.sources = {"loki": DataSource(name="Loki", type="loki", uid="loki", url="http://loki:3100")}
    made.groups = {"own": [rule_group("g", alert("A"), alert("B", "vector(2)"))]}
    return made
