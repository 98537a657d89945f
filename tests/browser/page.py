"""A browser on Grafana: opens pages, waits until they are drawn, and says what went wrong on them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from tests.stack.servers import program

CHROMIUM = program("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]

NOISE = (
    # Grafana asks whether a data source has rules of its own; Loki and Prometheus have no such file.
    "/rules/test/test",
    "deprecated",
    # Chunks of the front end that some builds leave out.
    "Failed to load resource",
)

BUSY = """() => {
  const loading = '[aria-label="Panel loading bar"],[data-testid*="Loading"],[data-testid*="Spinner"]';
  const empty = [...document.querySelectorAll('[data-testid="data-testid panel content"]')].filter(
    content => !content.innerText.trim() && !content.querySelector('canvas,svg,img'));
  const running = [...document.querySelectorAll('[data-testid*="RefreshPicker run button"]')].filter(
    button => button.innerText.trim() === 'Cancel');
  const drawn = document.querySelectorAll('[data-viz-panel-key],main').length;
  return document.querySelectorAll(loading).length + empty.length + running.length + (drawn ? 0 : 1);
}"""
"""How many things on the page are not drawn yet."""

PANELS = """() => [...document.querySelectorAll('section[data-testid*="Panel header"]')].map(section => {
  const status = section.querySelector('[data-testid*="Panel status"]');
  return {
    title: section.getAttribute('data-testid').replace('data-testid Panel header ', ''),
    status: status ? (status.getAttribute('data-testid') + ' ' + (status.getAttribute('aria-label') || '')) : '',
    text: (section.innerText || '').replace(/\\s+/g, ' ').trim(),
    canvases: section.querySelectorAll('canvas').length,
    loading: section.querySelectorAll('[aria-label="Panel loading bar"]').length,
  };
})"""


@dataclass
class Log:
    """What a page complains about."""

    console: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)

    def everything(self) -> list[str]:
        return [*self.console, *self.failed, *self.rule_and_panel_queries]


@dataclass(frozen=True)
class Shown:
    """A panel as it is drawn."""

    title: str
    status: str
    text: str
    canvases: int


class Tab:
    """A page of Grafana with what it complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.log = Log()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.log.console.append(f"page error: {error}"))
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(words in message.text for words in NOISE):
            self.log.console.append(message.text[:300])

    def _response(self, response: Response) -> None:
        if response.status >= 400 and not any(words in response.url for words in NOISE):
            self.log.failed.append(f"{response.status} {response.url[:200]}")
        if "/api/ds/query" in response.url:
            with contextlib.suppress(Exception):
                asked = json.loads(response.request.post_data or "{}").get("queries", [])
                for ref, result in response.json().get("results", {}).items():
                    query = next((item for item in asked if item.get("refId") == ref), {})
                    text = query.get("expr") or query.get("query") or ""
                    if result.get("error"):
                        self.log.queries.append(f"{result['error'][:300]}: {text[:300]}")

    def open(self, url: str, *, wait: float = 90) -> None:
        """Opens a URL and waits until every panel is drawn."""
        self.page.goto(url, timeout=120_000)
        self.settle(wait=wait)

    def settle(self, *, wait: float = 90) -> None:
        """Waits until nothing loads any more."""
        quiet = 0
        for _ in range(int(wait * 2)):
            self.page.wait_for_timeout(500)
            busy = self.page.evaluate(BUSY)
            quiet = 0 if busy else quiet + 1
            if quiet > 4:
                return

    def panels(self) -> list[Shown]:
        """The panels that are drawn."""
        return [
            Shown(item["title"], item["status"], item["text"], item["canvases"])
            for item in self.page.evaluate(PANELS)
        ]

    def picture(self, path: Path) -> None:
        """Takes a picture of the whole window."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(path), timeout=120_000)

    def links(self, words: str) -> list[tuple[str, str]]:
        """(text, URL) of the links on the page whose URL has ``words``."""
        found: list[list[Any]] = self.page.evaluate(
            "() => [...document.querySelectorAll('a')].filter(a => !a.closest('nav'))"
            ".map(a => [a.innerText.trim(), a.href])"
        )
        return [(text, url) for text, url in found if words in url]


@contextlib.contextmanager
def browser() -> Iterator[BrowserContext]:
    """A headless Chromium with an empty profile, which then remembers Grafana's scripts."""
    assert CHROMIUM
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        try:
            yield started.new_context(timezone_id="UTC")
        finally:
            started.close()


@contextlib.contextmanager
def tab(context: BrowserContext, *, width: int = 1500, height: int = 1300) -> Iterator[Tab]:
    """A tab of its own."""
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": height})
    try:
        yield Tab(page)
    finally:
        page.close()


def height_of(dashboard: dict[str, Any]) -> int:
    """The height in pixels that shows a dashboard whole."""
    lines = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    return int(lines) * 38 + 140
