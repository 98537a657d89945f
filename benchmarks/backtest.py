"""30 days of 30 rules at 1 m: the embedded engine over log files, and a real Loki where ``loki`` is on PATH.

``BACKTEST_LINES`` is how many lines there are (default: 200,000, a fiftieth of the 10 million of a busy service, so
that `make bench` stays short).  Measured are the first run, the second one from the cache, and a sweep of 20 thresholds
from the cache, each with the memory at its peak, in a process of its own.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common import note

LINES = int(os.environ.get("BACKTEST_LINES", "200000"))
DAYS, RULES = 30, 30
SECOND = 1_000_000_000
DAY = 86_400 * SECOND
SWEEP_SECONDS = 2.0
TENANT = "bench"
SHAPES = (
    'sum by (module) (count_over_time({{app="shop", pod="p{n}"}} | json | level="error" [5m])) > 40',
    'sum(count_over_time({{app="shop", pod="p{n}"}} |= "timeout" [5m]))'
    ' / sum(count_over_time({{app="shop", pod="p{n}"}}[5m])) > 0.2',
    'quantile_over_time(0.99, {{app="shop", pod="p{n}"}} | json | unwrap took | __error__="" [10m]) by (module) > 4000',
    'sum(rate({{app="shop", pod="p{n}"}}[5m])) * 60 > 500',
    'absent_over_time({{app="shop", pod="p{n}"}}[30m])',
)


def rules() -> str:
    groups: list[dict[str, Any]] = [{"name": "bench", "interval": "1m", "rules": []}]
    for number in range(RULES):
        expr = SHAPES[number % len(SHAPES)].format(n=number // len(SHAPES))
        groups[0]["rules"].append({"alert": f"Alert{number:02d}", "expr": expr, "for": f"{number % 3}m"})
    return json.dumps({"groups": groups})


def log_lines(end: int) -> Iterator[tuple[int, str, str]]:
    """Time (ns), pod and line: JSON of about 150 bytes, six pods, with an incident every fifth day."""
    chance = random.Random(3)
    step = DAYS * DAY // LINES
    start = end - DAYS * DAY
    for number in range(LINES):
        at = start + number * step
        bad = (at - start) % (5 * DAY) > 5 * DAY - 3600 * SECOND
        fields = {
            "level": "error" if chance.random() < (0.5 if bad else 0.03) else "info",
            "module": chance.choice(("cart", "search", "payment")),
            "msg": "upstream timeout" if bad and chance.random() < 0.3 else "request served",
            "took": int(chance.expovariate(1 / (2000 if bad else 300))),
            "trace_id": f"{chance.getrandbits(128):032x}",
        }
        yield at, f"p{number % 6}", json.dumps(fields, separators=(",", ":"))


def backtest(folder: Path, *arguments: str) -> tuple[float, float, float, dict[str, Any]]:
    """Seconds, seconds of processors, peak memory (MB), and the result of one run in a process of its own."""
    command = [sys.executable, "-m", "lokictl", "backtest", str(folder / "rules.yaml"), *arguments]
    began = time.perf_counter()
    with (folder / "out.json").open("w") as output:
        process = subprocess.Popen(
            [*command, "--cache", str(folder / "cache"), "--format", "json"], stdout=output
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    assert status == 0, f"{command} ended with {status}"
    result = json.loads((folder / "out.json").read_text())
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, result


def show_run(title: str, run: tuple[float, float, float, dict[str, Any]]) -> None:
    seconds, used, memory, result = run
    read = f", {result['bytes_read'] / 1e6:,.0f} MB processed" if result["bytes_read"] else ""
    text = f"{used:.1f} s of processors, {seconds:.1f} s by the clock, {result['requests']:,} queries{read}"
    note(title, text, memory=memory)


def on_files(folder: Path, end: int) -> bool:
    file = folder / "shop.ndjson"
    with file.open("w") as output:
        for at, pod, line in log_lines(end):
            row = {"timestamp": str(at), "labels": {"app": "shop", "pod": pod}, "line": line}
            output.write(json.dumps(row, separators=(",", ":")) + "\n")
    where = ("--logs", str(file))
    print(f"  {LINES:,} lines, {file.stat().st_size / 1e6:,.0f} MB, {DAYS} days, {RULES} rules at 1 m")
    show_run(f"{DAYS} days of {RULES} rules over {LINES:,} lines of files", backtest(folder, *where))
    show_run("the same from the cache", backtest(folder, *where))
    swept = backtest(folder, *where, "--alert", "Alert00", "--sweep", "threshold=2:40:2")
    show_run("a sweep of 20 thresholds from the cache", swept)
    # What the processors did, since others may use them, too.
    return swept[1] <= SWEEP_SECONDS


def on_loki(folder: Path, end: int) -> None:
    from lokictl.model.sample import SampleEntry
    from lokictl.sample.output import push_entries
    from tests.backtest.test_real_loki import configuration
    from tests.stack.servers import free_ports, server

    http, grpc = free_ports(2)
    (folder / "loki.yaml").write_text(json.dumps(configuration(folder / "loki", http, grpc)))
    (folder / "loki").mkdir()
    url = f"http://127.0.0.1:{http}"
    program = shutil.which("loki") or "loki"
    with server(
        [program, f"-config.file={folder / 'loki.yaml'}"], f"{url}/ready", folder / "log", cwd=folder
    ):
        entries = (SampleEntry({"app": "shop", "pod": pod}, at, line) for at, pod, line in log_lines(end))
        push_entries(url, entries, tenant=TENANT)
        span = ("--from", str((end - DAYS * DAY) // SECOND), "--to", str(end // SECOND))
        where = ("--loki", url, "--tenant", TENANT, *span)
        show_run("the same rules and lines on a real Loki", backtest(folder, *where))
        show_run("the same on a real Loki, from the cache", backtest(folder, *where))


def main() -> bool:
    """False where the sweep takes longer than `SWEEP_SECONDS`."""
    end = (time.time_ns() - 2 * 3600 * SECOND) // (3600 * SECOND) * 3600 * SECOND
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rules.yaml").write_text(rules())
        met = on_files(folder, end)
        if shutil.which("loki"):
            on_loki(folder, end)
        else:
            print("  no loki on PATH: not measured on a real one")
    print(f"  the sweep: {'met' if met else 'MISSED'} (target: {SWEEP_SECONDS:g} s of processors)")
    return met
