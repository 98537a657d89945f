"""A small world around a real Grafana: Loki with its ruler, Prometheus, Alertmanager and a trace API, all with data.

The data is that of `lokictl sample`: half an hour for every incident (the first half of it healthy) and one that is
healthy throughout, up to the last window, which goes on while the tests run.  ``python -m tests.browser.world``
starts it for people to look at; with BROWSER_WORLD=FILE it writes where everything is, and tests with the same variable
use it instead of a world of their own.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from lokictl.diagnostics import LokictlError
from lokictl.model.sample import SampleEntry
from lokictl.render import render
from lokictl.sample import project_sources
from lokictl.sample.generate import generate, generate_all
from lokictl.sample.metrics import SECOND, Collector, Labels, Scrape, scrapes
from lokictl.sample.output import push_entries
from lokictl.sample.remote_write import push_metrics
from stack.figures import TENANT
from tests.browser import given
from tests.browser.jaeger import TraceStore, trace_store
from tests.browser.platform_metrics import platform_metrics, series
from tests.stack.grafana_server import grafana
from tests.stack.road import PROJECT, Road, running, write_rules

MINUTE = 60 * SECOND
WINDOW = 24 * MINUTE
AHEAD = 90 * MINUTE
HEALTHY = "healthy"
LIVE = "database-timeouts"
"""The incident of the last window: its alerts are evaluated by the ruler while the tests run."""

SOURCES = project_sources(PROJECT)
INCIDENTS = tuple(
    dict.fromkeys(
        incident.name for source in SOURCES for incident in source.incidents if incident.name != LIVE
    )
)


@dataclass(frozen=True)
class Window:
    """A time in the data (ns) and what goes wrong from half-way on."""

    name: str
    start: int
    end: int

    @property
    def middle(self) -> int:
        return (self.start + self.end) // 2

    def url(self, *, last: bool = False) -> str:
        """The time as parameters of a dashboard's URL; ``last``: the second half, in which the incident is on."""
        start = self.middle if last else self.start
        return f"from={start // 1_000_000}&to={self.end // 1_000_000}&timezone=utc"


@dataclass(frozen=True)
class World:
    """Grafana's URL and what is behind it."""

    grafana: str
    road: Road
    windows: dict[str, Window]


def windows_until(now: int) -> dict[str, Window]:
    """A window for each incident, one after the other, the last up to half of it ahead of ``now``."""
    names = [HEALTHY, *INCIDENTS, LIVE]
    # The live one's incident has been on for ten minutes, and stays.  No window ends when a regular line is written:
    # it would be the only one of the next window.
    end = (now + 2 * MINUTE) // MINUTE * MINUTE + 17 * SECOND
    start = end - len(names) * WINDOW
    return {
        name: Window(name, start + number * WINDOW, start + (number + 1) * WINDOW)
        for number, name in enumerate(names)
    }


def lines_of(window: Window) -> Iterator[SampleEntry]:
    """The lines of all services in a window."""
    incident = "" if window.name == HEALTHY else window.name
    if window.name != LIVE:
        return generate_all(SOURCES, window.start, window.end, incident=incident)
    streams = (
        generate(source, window.start, window.end + AHEAD, incident=incident, incident_start=window.middle)
        for source in SOURCES
    )
    return heapq.merge(*streams, key=attrgetter("timestamp"))


def alerts_at(windows: dict[str, Window], moment: int, until: int) -> dict[Labels, float]:
    """The alerts that fired at a moment before ``until``, as the ruler would write them: it evaluates the present."""
    rules = {rule.name: rule for rule in PROJECT.rules}
    fired = {
        name
        for window in windows.values()
        if window.middle + 2 * MINUTE <= moment < min(window.end, until)
        for source in SOURCES
        for incident in source.incidents
        if incident.name == window.name
        for name in incident.alerts
    }
    return {
        series(
            "ALERTS", {"alertname": name, "alertstate": "firing", **getattr(rules[name], "labels", {})}
        ): 1.0
        for name in fired
    }


class Feeder:
    """Fills the servers with everything up to now, and goes on with what is still to come."""

    def __init__(
        self, road: Road, traces: TraceStore, every: list[SampleEntry], windows: dict[str, Window], now: int
    ) -> None:
        self.road, self.traces, self.scraped = road, traces, now
        self.first = min(window.start for window in windows.values())
        self.coming = [entry for entry in every if entry.timestamp >= now]
        past = [entry for entry in every if entry.timestamp < now]
        self.collector = Collector({source.service.name: source.metrics for source in SOURCES})
        found = scrapes(SOURCES, past, self.first, now, collector=self.collector)
        push_metrics(
            road.prometheus,
            (
                Scrape(scrape.time, {**self._with_platform(scrape), **alerts_at(windows, scrape.time, now)})
                for scrape in found
            ),
        )
        self._push(past)

    def _with_platform(self, scrape: Scrape) -> dict[Labels, float]:
        return {**scrape.series, **platform_metrics(scrape.time, self.first)}

    def _push(self, entries: list[SampleEntry]) -> None:
        push_entries(self.road.loki, entries, tenant=TENANT)

    def step(self) -> None:
        """Pushes the lines whose time has come, and scrapes; what a busy server refuses comes with the next step."""
        now = time.time_ns()
        due = [entry for entry in self.coming if entry.timestamp <= now]
        with contextlib.suppress(LokictlError):
            self._push(due)
            self.traces.push(due)
            self.coming = self.coming[len(due) :]
            # Those that were missed while the servers started come first.
            missed = list(scrapes(SOURCES, due, self.scraped, now, collector=self.collector))
            found = [*missed, Scrape(now, self.collector.scrape(now).series)]
            self.scraped = now + 1
            push_metrics(
                self.road.prometheus, [Scrape(item.time, self._with_platform(item)) for item in found]
            )

    @contextlib.contextmanager
    def living(self) -> Iterator[None]:
        """Steps every few seconds, in a thread of its own."""
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(5):
                self.step()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(10)


def scrape_configuration(traces: TraceStore) -> dict[str, Any]:
    """What Prometheus scrapes itself: Loki, and the metrics that Jaeger makes of spans, with their exemplars."""
    jobs = [("loki", "LOKI", {"pod": "loki-0"})]
    if traces.metrics:
        jobs.append(("span-metrics", urlsplit(traces.metrics).netloc, {}))
    return {
        "global": {"scrape_interval": "5s"},
        # What is pushed is older than what is scraped.
        "storage": {"tsdb": {"out_of_order_time_window": "24h"}},
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [target], "labels": labels}]}
            for name, target, labels in jobs
        ],
    }


ANONYMOUS = {"GF_AUTH_ANONYMOUS_ENABLED": "true", "GF_AUTH_ANONYMOUS_ORG_ROLE": "Admin"}
"""Whoever opens a page may do everything."""


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """The world, filled; its files are in ``folder``."""
    now = time.time_ns()
    windows = windows_until(now)
    with contextlib.ExitStack() as stack:
        every = list(itertools.chain.from_iterable(lines_of(window) for window in windows.values()))
        traces = stack.enter_context(trace_store(every, now, folder))
        road = stack.enter_context(running(folder, scrape_configuration(traces), rules=False))
        feeder = Feeder(road, traces, every, windows, now)
        write_rules(folder)
        stack.enter_context(feeder.living())
        environment = {
            "LOKI_URL": road.loki,
            "LOKI_TENANT": TENANT,
            "PROMETHEUS_URL": road.prometheus,
            "ALERTMANAGER_URL": road.alertmanager,
            "JAEGER_URL": traces.url,
        }
        if given.URL:
            found = given.filled(environment)
        else:
            render(PROJECT, folder / "build", what=["grafana"])
            found = grafana(folder / "build/grafana/provisioning", folder, {**environment, **ANONYMOUS})
        yield World(stack.enter_context(found), road, windows)


RUNNING = os.environ.get("BROWSER_WORLD", "")
"""A file that a world started by hand has written: the tests then look at that one."""


def running_world() -> World:
    """The world that was started by hand."""
    found = json.loads(Path(RUNNING).read_text())
    windows = {item["name"]: Window(**item) for item in found["windows"]}
    return World(found["grafana"], Road(**found["road"]), windows)


def main() -> None:
    """Starts the world and tells where it is, until somebody interrupts or terminates it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with tempfile.TemporaryDirectory() as name, world(Path(name)) as found:
        if RUNNING:
            windows = [asdict(window) for window in found.windows.values()]
            data = {"grafana": found.grafana, "road": asdict(found.road), "windows": windows}
            Path(RUNNING).write_text(json.dumps(data))
        print(f"Grafana   {found.grafana}  {name}", flush=True)
        print(f"Loki      {found.road.loki}  Prometheus {found.road.prometheus}", flush=True)
        for window in found.windows.values():
            print(f"{window.name:<20} {found.grafana}/d/neurectomy-overview?{window.url()}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while requests.get(f"{found.grafana}/api/health", timeout=10).ok:
                time.sleep(5)


if __name__ == "__main__":
    main()
