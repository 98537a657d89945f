"""500 dashboards and 200 rule groups: the first sync, one that has nothing to do, and one with one change.

The requests are counted with the fakes of the tests in this process, with 5 ms of waiting per request in place of a
network; the reference is the same work with one request at a time.  What `lokictl sync` itself takes is measured as a
whole process on a project of JSON files of 10 and of 25 panels, against the same fake behind a socket.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import requests

from benchmarks.common import Ratio, Used, best, lokictl, show, used
from benchmarks.lint import LARGE, READ, dashboard
from tests.sync.fakes.http import Adapter, Server, serving
from tests.sync.world import World, alert, rule_group

DASHBOARDS, NAMESPACES, GROUPS = 500, 20, 10
MORE = 2_000
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
    """Seconds by the clock, requests, and writes of one run."""

    clock: float
    requests: int
    writes: int


def timed(made: World) -> Timed:
    """One synchronisation."""
    made.forget_requests()
    began = time.perf_counter()
    made.sync()
    clock = time.perf_counter() - began
    return Timed(clock, len(made.requests()), len(made.requests(writes=True)))


def rounds(jobs: int, count: int = DASHBOARDS) -> list[Timed]:
    with tempfile.TemporaryDirectory() as folder:
        made = world(Path(folder), jobs, count)
        first, again = timed(made), timed(made)
        made.dashboards["d7"]["title"] = "Another title"
        return [first, again, timed(made)]


class Idle(NamedTuple):
    """A sync of a whole project with nothing to do: what the process took, its requests, the size of the files (MB)."""

    used: Used
    requests: int
    size: float
    folder: Path


def nothing_to_do(folder: Path, count: int, panels: int, server: Server, url: str) -> Idle:
    """Writes a project of ``count`` dashboards, uploads it, and uploads it again."""
    (folder / "dashboards").mkdir(parents=True)
    for name in ("rules", "datasources"):
        (folder / name).mkdir()
    configuration = f'name = "many"\n\n[targets.grafana.grafana]\nurl = "{url}"\n'
    (folder / "lokictl.toml").write_text(configuration, encoding="utf-8")
    for number in range(count):
        text = json.dumps(dashboard(number, panels, full=True), indent=2)
        (folder / "dashboards" / f"d{number}.json").write_text(text, encoding="utf-8")
    command = lokictl("sync", "--yes", "--quiet", "--project", folder)
    used(command)
    server.log.clear()
    server.seen.clear()
    took = best(command, rounds=2)
    assert not server.writes()
    size = sum(file.stat().st_size for file in (folder / "dashboards").iterdir()) / 1e6
    return Idle(took, len(server.log) // 2, size, folder / "dashboards")


def whole_process(count: int, panels: int, more: int | None = None) -> bool:
    """Shows the row of ``count`` dashboards, with the growth to ``more``."""
    with tempfile.TemporaryDirectory() as name:
        growth = ""
        with serving(server := World(Path(name) / "few").grafana_server) as url:
            few = nothing_to_do(Path(name) / "few", count, panels, server, url)
        if more is not None:
            with serving(server := World(Path(name) / "many").grafana_server) as url:
                many = nothing_to_do(Path(name) / "many", more, panels, server, url)
            factor = many.used.seconds / few.used.seconds
            growth = f"{factor:.1f} × and {many.requests} requests for {more // count} × the dashboards"
        read = best([sys.executable, "-c", READ, str(few.folder)])
    what = f"{count} dashboards of {panels} panels ({few.size:.0f} MB)"
    title = (
        f"`lokictl sync`, {what}, nothing to do, {few.requests} requests, CPU (target: {LIMIT_SECONDS:g} s)"
    )
    ratio = Ratio(few.used.seconds, read.seconds)
    show(title, ratio, against="json.load of all", growth=growth, memory=few.used.memory)
    return few.used.seconds <= LIMIT_SECONDS


def main() -> bool:
    many, one = rounds(8), rounds(1)
    for name, fast, slow in zip(("the first sync", "nothing to do", "one change"), many, one, strict=True):
        title = f"{name}, 8 requests at once: {fast.requests} requests, {fast.writes} writes"
        show(title, Ratio(fast.clock, slow.clock), against="one at a time")
    met = many[1].writes == 0
    met &= whole_process(DASHBOARDS, 10, MORE)
    return whole_process(DASHBOARDS, LARGE) and met


if __name__ == "__main__":
    main()
