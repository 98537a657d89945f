"""One world and one browser for all tests of the pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="the package playwright is not installed")

from playwright.sync_api import BrowserContext

from tests.browser.page import browser
from tests.browser.world import RUNNING, World, running_world, world


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A Grafana with everything behind it, filled with sample data."""
    if RUNNING:
        yield running_world()
        return
    with world(tmp_path_factory.mktemp("world")) as found:
        yield found


@pytest.fixture(scope="session")
def chromium() -> Iterator[BrowserContext]:
    """A headless Chromium."""
    with browser() as started:
        yield started
