"""`lokictl pull` of 9 and 36 dashboards: the Python that it writes, and loads again, against decoding the JSON."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from benchmarks.common import Ratio, show
from benchmarks.lint import LARGE, dashboard
from tests.sync.test_pull import Pulling
from tests.sync.world import World

SIZES = (9, 36)
LIMIT_SECONDS = 0.1
"""Of processors, for a dashboard."""


def pulled(count: int) -> float:
    """Seconds of processors for a pull (with the fake server's own)."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.grafana.add_folder("team", "The team")
        for number in range(count):
            made = dashboard(number, LARGE, full=True)
            made.pop("uid")
            world.grafana.add_dashboard(f"d{number}", "team", **made)
        pulling = Pulling(world)
        began = time.process_time()
        pulling.pull()
        return time.process_time() - began


def main() -> bool:
    few, many = (pulled(count) for count in SIZES)
    texts = [json.dumps(dashboard(number, LARGE, full=True)) for number in range(SIZES[0])]
    began = time.process_time()
    for text in texts * 10:
        json.loads(text)
    decoding = (time.process_time() - began) / 10
    growth = f"{many / few:.1f} × for {SIZES[1] // SIZES[0]} × the dashboards"
    size = sum(map(len, texts)) / len(texts) / 1000
    title = f"pull of {SIZES[0]} dashboards of {size:.0f} kB, CPU (target: {LIMIT_SECONDS:g} s each)"
    show(title, Ratio(few, decoding), against="json.loads of them", growth=growth)
    return few / SIZES[0] <= LIMIT_SECONDS


if __name__ == "__main__":
    main()
