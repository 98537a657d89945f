"""500 dashboards and 200 rule groups: the first sync, one that has nothing to do, and one with one change.

Both servers are the fakes of the tests, in this process, with 5 ms of waiting per request in place of a network.
The reference is the same work with one request at a time.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from benchmarks.common import Ratio, show
from tests.sync.fakes.http import Adapter
from tests.sync.world import World, alert, rule_group

DASHBOARDS, NAMESPACES, GROUPS = 500, 20, 10
WAIT = 0.005


class SlowAdapter(Adapter):
    """Waits before it answers, as a network does."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        time.sleep(WAIT)
        return super().send(request, **options)


def world(folder: Path, jobs: int) -> World:
    panel = {"type": "timeseries", "title": "Lines", "gridPos": {"h": 8, "w": 12, "x": 0, "y": 0}, "id": 1}
    made = World(folder, jobs=jobs)
    made.adapter = SlowAdapter({"grafana": made.grafana_server, "loki": made.loki_server})
    made.dashboards = {f"d{n}": {"title": f"Dashboard {n}", "panels": [panel]} for n in range(DASHBOARDS)}
    made.groups = {
        f"own-{space}": [rule_group(f"g{n}", alert(f"A{n}"), interval="1m") for n in range(GROUPS)]
        for space in range(NAMESPACES)
    }
    return made


def timed(made: World) -> tuple[float, int, int]:
    """Seconds, requests, and writes of one synchronisation."""
    made.forget_requests()
    began = time.perf_counter()
    made.sync()
    return time.perf_counter() - began, len(made.requests()), len(made.requests(writes=True))


def rounds(jobs: int) -> list[tuple[float, int, int]]:
    with tempfile.TemporaryDirectory() as folder:
        made = world(Path(folder), jobs)
        first, again = timed(made), timed(made)
        made.dashboards["d7"]["title"] = "Another title"
        return [first, again, timed(made)]


def main() -> bool:
    many, one = rounds(8), rounds(1)
    for name, fast, slow in zip(("the first sync", "nothing to do", "one change"), many, one, strict=True):
        show(f"{name}, 8 at once", Ratio(fast[0], slow[0]), against="one at a time")
        print(f"    {fast[1]} requests, {fast[2]} of them writes")
    return many[1][2] == 0


if __name__ == "__main__":
    main()
