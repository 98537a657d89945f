"""A small content project, of somebody who has neither services nor a platform here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lokictl.project import Project, load
from tests.render.samples import CONFIGURATION, DATASOURCES, RULES, dashboard

Files = dict[str, str]


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., Project]:
    """A function that writes files (path -> text) into a new project and loads it."""

    def make(files: Files | None = None, configuration: str = CONFIGURATION) -> Project:
        root = tmp_path / "project"
        for path, text in {"lokictl.toml": configuration, **(files or {})}.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return load(root)

    return make


@pytest.fixture
def shop(make_project: Callable[..., Project]) -> Project:
    """Two dashboards in two forms, two data sources, one rule file."""
    return make_project(
        {
            "dashboards/orders.json": json.dumps(dashboard(id=12)),
            "dashboards/stock.py": (
                "from grafanalib.core import Dashboard\n"
                'STOCK = Dashboard(title="Stock", uid="stock", panels=[])\n'
            ),
            "datasources/sources.py": DATASOURCES,
            "rules/shop.yaml": RULES,
        }
    )
