"""One world, one browser and one tab for all tests of the pages, which take minutes: they run when asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="the package playwright is not installed")

from tests.browser import given
from tests.browser.page import Tab, browser
from tests.browser.world import RUNNING, World, running_world, world

NOT_ASKED_FOR = (
    "takes minutes with a real Grafana and a browser: run it with `pytest -m browser tests/browser`"
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips what was not asked for with ``-m browser``."""
    if "browser" in str(config.option.markexpr):
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=NOT_ASKED_FOR), append=False)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A Grafana with everything behind it, filled with sample data."""
    if RUNNING:
        yield running_world()
        return
    with world(tmp_path_factory.mktemp("world")) as found:
        yield found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Tab]:
    """The tab of a headless Chromium."""
    with browser(given.headers() if given.URL else None) as tab:
        yield tab


@pytest.fixture
def page(chromium: Tab) -> Tab:
    """The tab, in its usual size."""
    chromium.resize(1500, 1300)
    return chromium
