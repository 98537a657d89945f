"""A browser on Grafana: opens pages, waits until they are drawn, and says what went wrong on them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request, Response, sync_playwright

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

POLL = 150
"""Milliseconds between two looks at a page."""

NOISE = (
    # Grafana asks whether a data source has rules of its own; Loki and Prometheus have no such file.
    "/rules/test/test",
    "deprecated",
    # Chunks of the front end that some builds leave out.
    "Failed to load resource",
)

BUSY = """() => {
  const loading = '[aria-label="Panel loading bar"],[data-testid*="Loading"],[data-testid*="Spinner"]';
  const busy = [...document.querySelectorAll(loading)].map(item => item.dataset.testid || 'a loading bar');
  for (const content of document.querySelectorAll('[data-testid="data-testid panel content"]'))
    if (!content.innerText.trim() && !content.querySelector('canvas,svg,img'))
      busy.push('an empty panel: ' + (content.closest('section')?.dataset.testid || ''));
  for (const button of document.querySelectorAll('[data-testid*="RefreshPicker run button"]'))
    if (button.innerText.trim() === 'Cancel') busy.push('queries');
  if (!document.querySelector('[data-viz-panel-key],main')) busy.push('no page');
  return busy;
}"""
"""What on the page is not drawn yet."""

CLICK = """url => {
  const link = document.createElement('a');
  link.href = url;
  document.body.appendChild(link);
  link.click();
  link.remove();
}"""
"""Follows a link inside of Grafana, which does not load its scripts again."""

LINKS = """() => [...document.querySelectorAll('a')].filter(a => !a.closest('nav'))
  .map(a => [a.innerText.trim(), a.href])"""

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
        return [*self.console, *self.failed, *self.queries]


@dataclass(frozen=True)
class Shown:
    """A panel as it is drawn."""

    title: str
    status: str
    text: str
    canvases: int


class Tab:
    """A page of Grafana with what it complained about since it was opened."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.log = Log()
        self.asked = 0
        self.open_requests: set[Request] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.log.console.append(f"page error: {error}"))
        page.on("request", self._request)
        for event in ("requestfinished", "requestfailed"):
            page.on(event, lambda request: self.open_requests.discard(request))
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(words in message.text for words in NOISE):
            self.log.console.append(message.text[:300])

    def _request(self, request: Request) -> None:
        if "/api" in request.url and "/api/live/" not in request.url:
            self.asked += 1
            self.open_requests.add(request)

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

    def resize(self, width: int, height: int) -> None:
        """Gives the window another size, in pixels."""
        self.page.set_viewport_size({"width": width, "height": height})

    def open(self, url: str) -> None:
        """Opens a URL and waits until everything is drawn; inside of Grafana as its own links do."""
        self.log = Log()
        before, asked = self.page.url, self.asked
        if urlsplit(before)[:2] == urlsplit(url)[:2] and before != url:
            self.page.evaluate(CLICK, url)
            self.wait(lambda: self.page.url != before, f"Grafana does not open {url}")
            self.wait(lambda: self.asked > asked, f"Grafana asks nothing for {url}")
        else:
            self.page.goto(url, timeout=120_000)
        self.settle()

    def wait(self, ready: Callable[[], Any], message: str, *, seconds: float = 60) -> Any:
        """Asks, while the page goes on, until the answer is true; the answer."""
        end = time.monotonic() + seconds
        while True:
            answer = ready()
            if answer:
                return answer
            assert time.monotonic() < end, message
            self.page.wait_for_timeout(POLL)

    def settle(self) -> None:
        """Waits until nothing loads any more: no request is open, and everything is drawn, three looks in a row."""
        quiet, busy, end = 0, [], time.monotonic() + 120
        while quiet < 3:
            assert time.monotonic() < end, f"the page does not come to rest: {busy}"
            self.page.wait_for_timeout(POLL)
            busy = [*self.page.evaluate(BUSY), *(request.url for request in self.open_requests)]
            quiet = 0 if busy else quiet + 1

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
        return [(text, url) for text, url in self.page.evaluate(LINKS) if words in url]


@contextlib.contextmanager
def browser(headers: Mapping[str, str] | None = None) -> Iterator[Tab]:
    """The one tab of a headless Chromium with an empty profile; ``headers`` go with every request to Grafana."""
    assert CHROMIUM
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        try:
            context = started.new_context(timezone_id="UTC", extra_http_headers=dict(headers or {}))
            yield Tab(context.new_page())
        finally:
            started.close()


def height_of(dashboard: dict[str, Any]) -> int:
    """The height in pixels that shows a dashboard whole."""
    lines = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    return int(lines) * 38 + 140


def variables_of(dashboard: dict[str, Any], **chosen: str) -> str:
    """The parameters of a URL that set every variable of a dashboard: to what is ``chosen``, else to all or nothing.

    Grafana keeps those of the last visit otherwise.
    """
    values = {
        item["name"]: "$__all" if item.get("includeAll") else "" for item in dashboard["templating"]["list"]
    }
    return urlencode({f"var-{name}": value for name, value in {**values, **chosen}.items()})
