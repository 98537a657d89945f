"""500 dashboards and 200 rule groups: the first sync, one that has nothing to do, and one with one change.

Both servers are the fakes of the tests, in this process, with 5 ms of waiting per request in place of a network.
The reference is the same work with one request at a time.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import requests

from benchmarks.common import Ratio, note, show
from tests.sync.fakes.http import Adapter
from tests.sync.world import World, alert, rule_group

DASHBOARDS, NAMESPACES, GROUPS = 500, 20, 10
WAIT = 0.005
LIMIT_SECONDS = 1.0


class SlowAdapter(Adapter):
    """Waits before it answers, as a network does."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        time.sleep(WAIT)
        return super().send(request, **options)


def world(folder: Path, jobs: int, count: int = DASHBOARDS) -> World:
    panel = {"type": "timeseries", "title": "Lines", "gridPos": {"h": 8, "w": 12, "x": 0, "y": 0}, "id": 1}
    made = World(folder, jobs=jobs)
    made.adapter = SlowAdapter({"grafana": made.grafana_server, "loki": made.loki_server})
    made.dashboards = {f"d{n}": {"title": f"Dashboard {n}", "panels": [panel]} for n in range(count)}
    made.groups = {
        f"own-{space}": [rule_group(f"g{n}", alert(f"A{n}"), interval="1m") for n in range(GROUPS)]
        for space in range(NAMESPACES)
    }
    return made


class Timed(NamedTuple):
    """Seconds by the clock and of processors (the fakes' work among them), requests, and writes of one run."""

    clock: float
    processors: float
    requests: int
    writes: int


def timed(made: World) -> Timed:
    """One synchronisation."""
    made.forget_requests()
    began, used = time.perf_counter(), time.process_time()
    made.sync()
    clock, processors = time.perf_counter() - began, time.process_time() - used
    return Timed(clock, processors, len(made.requests()), len(made.requests(writes=True)))


def rounds(jobs: int, count: int = DASHBOARDS) -> list[Timed]:
    with tempfile.TemporaryDirectory() as folder:
        made = world(Path(folder), jobs, count)
        first, again = timed(made), timed(made)
        made.dashboards["d7"]["title"] = "Another title"
        return [first, again, timed(made)]


def main() -> bool:
    many, one = rounds(8), rounds(1)
    for name, fast, slow in zip(("the first sync", "nothing to do", "one change"), many, one, strict=True):
        title = f"{name}, 8 requests at once: {fast.requests} requests, {fast.writes} writes"
        show(title, Ratio(fast.clock, slow.clock), against="one at a time")
    idle, more = many[1], rounds(8, DASHBOARDS * 4)[1]
    growth = f"{more.processors / idle.processors:.1f} × and {more.requests} requests for 4 × the dashboards"
    title = f"{DASHBOARDS} dashboards, nothing to do, CPU (target: {LIMIT_SECONDS:g} s)"
    note(title, f"{idle.processors:.2f} s, {idle.requests} requests", growth=growth)
    return idle.writes == 0 and idle.processors < LIMIT_SECONDS


if __name__ == "__main__":
    main()
