"""Every dashboard in a real Grafana: nothing failed, nothing is empty, and no data has no color of health."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.needs import NEEDS_EVERYTHING
from tests.browser.page import Shown, Tab, height_of, variables_of
from tests.browser.world import HEALTHY, LIVE, SOURCES, World
from tests.dashboards.run import dashboards, panels

pytestmark = NEEDS_EVERYTHING

PICTURES = os.environ.get("BROWSER_PICTURES", "")
"""A folder for pictures of every page that is opened."""

DASHBOARDS = dashboards()
PLATFORM = [uid for uid in DASHBOARDS if "platform" in uid]
SERVICES = {f"neurectomy-{source.service.name}": source for source in SOURCES}
TOGETHER = ("neurectomy-overview", "neurectomy-correlation")
MAIN_INCIDENTS = (LIVE, "brute-force", "broken-library", "failing-tasks", "silence", "garbage")


def cases() -> Iterator[tuple[str, str]]:
    """(dashboard, window): each service healthy and in each of its incidents; what shows all, in the main ones."""
    for uid, source in SERVICES.items():
        yield uid, HEALTHY
        for incident in source.incidents:
            yield uid, incident.name
    for uid in TOGETHER:
        for window in (HEALTHY, *MAIN_INCIDENTS):
            yield uid, window


EMPTY = re.compile(
    r"\bNo data\b|No alerts found|does not have a time field|Failed to load|Plugin not found|Value #|\bNaN\b|undefined"
)
"""What a panel without data, or with names and values that nobody should see, says."""

NOTHING = ("Slow requests", "Slow and failed", "Errors of all services", "Diagnostics")
"""Panels of lines that are only there when something is wrong; their type has no text of its own."""


def open_dashboard(page: Tab, world: World, uid: str, time: str, **chosen: str) -> list[Shown]:
    """Opens a dashboard, in full height, with everything selected but for the ``chosen`` variables."""
    page.resize(1500, height_of(DASHBOARDS[uid]))
    page.open(f"{world.grafana}/d/{uid}?{time}&{variables_of(DASHBOARDS[uid], **chosen)}&kiosk")
    return page.panels()


def problems(uid: str, shown: list[Shown], page: Tab) -> list[str]:
    """What is wrong with a page: panels with an error, empty ones, missing ones, and what the page complains about."""
    found = [f"{panel.title}: {panel.status}" for panel in shown if "error" in panel.status.lower()]
    found += [
        f"{panel.title}: {panel.text[:100]}"
        for panel in shown
        if EMPTY.search(panel.text) and panel.title not in NOTHING
    ]
    found += [
        f"{panel.title}: not drawn"
        for panel in shown
        if panel.text.removeprefix(panel.title).strip() == "" and not panel.canvases
    ]
    titles = {panel.title for panel in shown}
    for panel_json in DASHBOARDS[uid]["panels"]:
        if panel_json["type"] != "row" and panel_json["title"] not in titles:
            found.append(f"{panel_json['title']}: not there")
    return found + page.log.everything()


def picture(page: Tab, name: str) -> None:
    if PICTURES:
        page.picture(Path(PICTURES) / f"{name}.png")


@pytest.mark.parametrize("uid, window", tuple(cases()), ids=lambda value: value.removeprefix("neurectomy-"))
def test_the_page_is_whole(page: Tab, filled: World, uid: str, window: str) -> None:
    shown = open_dashboard(page, filled, uid, filled.windows[window].url())
    picture(page, f"{uid}-{window}")
    assert problems(uid, shown, page) == []


ONE = {
    "neurectomy-overview": {"service": "ryot"},
    "neurectomy-correlation": {"service": "agents"},
    "neurectomy-ryot": {"pod": "ryot-7d9f8b6c5d-abc12", "level": "error"},
    "neurectomy-sigmalang": {"pod": "sigmalang-7d9f8b6c5d-abc12", "level": "info"},
    "neurectomy-sigmavault": {
        "pod": "sigmavault-7d9f8b6c5d-abc12",
        "level": "info",
        "actor": "svc-ryot",
    },
    "neurectomy-agents": {"level": "info", "agent": "agent-01"},
}


@pytest.mark.parametrize("uid", ONE)
def test_the_page_with_one_value_of_each_variable(page: Tab, filled: World, uid: str) -> None:
    shown = open_dashboard(page, filled, uid, filled.windows[LIVE].url(), **ONE[uid])
    picture(page, f"{uid}-one")
    assert problems(uid, shown, page) == []
    if uid == "neurectomy-overview":
        (services,) = [panel for panel in shown if panel.title == "Services"]
        assert "ryot" in services.text
        assert "agents" not in services.text


@pytest.mark.parametrize("uid", PLATFORM)
def test_the_platform(page: Tab, filled: World, uid: str) -> None:
    shown = open_dashboard(page, filled, uid, "from=now-10m&to=now&timezone=utc")
    picture(page, uid)
    assert problems(uid, shown, page) == []


@pytest.mark.parametrize("uid", [*SERVICES, *TOGETHER])
def test_what_is_closed_at_first(page: Tab, filled: World, uid: str) -> None:
    """Rows that are closed, opened one after the other."""
    open_dashboard(page, filled, uid, filled.windows[LIVE].url())
    page.resize(1500, 4500)
    for row in (item for item in DASHBOARDS[uid]["panels"] if item["type"] == "row" and item["collapsed"]):
        page.page.get_by_text(row["title"], exact=True).last.click()
    page.settle()
    shown = page.panels()
    picture(page, f"{uid}-open")
    titles = " ".join(panel.title for panel in shown)
    for item in panels(DASHBOARDS[uid]):
        assert item["title"].replace("$service", "ryot") in titles
    assert problems(uid, shown, page) == []


def test_one_trace(page: Tab, filled: World) -> None:
    from tests.browser.test_correlations import some_trace

    uid = "neurectomy-trace"
    shown = open_dashboard(page, filled, uid, filled.windows[LIVE].url(), trace_id=some_trace(filled))
    picture(page, f"{uid}-one")
    assert problems(uid, shown, page) == []
    (story,) = [panel for panel in shown if panel.title == "The story, in order"]
    assert "Database connection timeout" in story.text


GRAY = "rgb(128, 128, 128)"
PALE = "rgba(204, 204, 220, 0.65)"
"""Grafana's own color for the text of an empty panel."""

COLORS = """(words) => [...document.querySelectorAll('section[data-testid*="Panel header"]')]
  .flatMap(section => [...section.querySelectorAll('span,div')])
  .filter(item => !item.children.length && words.includes(item.textContent.trim()))
  .map(item => getComputedStyle(item).color)"""
"""The colors of these words in panels."""

ALL_COLORS = """(titles) => [...document.querySelectorAll('section[data-testid*="Panel header"]')]
  .filter(section => titles.some(title => section.dataset.testid.endsWith(' ' + title)))
  .flatMap(section => [...section.querySelectorAll('*')]).map(item => getComputedStyle(item))
  .flatMap(style => [style.color, style.backgroundColor])"""
"""All colors in the panels with these titles."""

LONG_AGO = "from=1577836800000&to=1577840400000&timezone=utc"
HEALTH = ("rgb(115, 191, 105)", "rgb(250, 222, 42)", "rgb(242, 73, 92)")


@pytest.mark.parametrize("uid", [*SERVICES, "neurectomy-overview", *PLATFORM])
def test_no_data_has_no_color_of_health(page: Tab, filled: World, uid: str) -> None:
    """At a time when there was nothing, numbers are gray, and nothing is green or red."""
    open_dashboard(page, filled, uid, LONG_AGO)
    picture(page, f"{uid}-nothing")
    stats = [item for item in panels(DASHBOARDS[uid]) if item["type"] == "stat"]
    words = sorted({item["fieldConfig"]["defaults"]["noValue"] for item in stats})
    colors = page.page.evaluate(COLORS, words)
    assert colors.count(GRAY) >= len(stats)
    assert set(colors) <= {GRAY, PALE}
    healthy = page.page.evaluate(ALL_COLORS, [item["title"] for item in stats])
    assert not set(healthy) & set(HEALTH)
    assert page.log.queries == []


def test_a_silent_service_says_so(page: Tab, filled: World) -> None:
    """Now it is silent, whatever it said before: gray beside the numbers of the whole time."""
    open_dashboard(page, filled, "neurectomy-ryot", filled.windows["silence"].url())
    colors = page.page.evaluate(COLORS, ["no lines", "no durations"])
    assert colors.count(GRAY) >= 6
    assert set(colors) <= {GRAY, PALE}
