"""Two metric queries over an hour at a 15 s step: growth with lines and steps, time against a plain loop, memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import orjson

from benchmarks.common import note, show, side_by_side
from benchmarks.logs import HOUR, START, json_lines
from lokictl.engine import Engine, LogStore

COUNT = 200_000
STEP = 15_000_000_000
TARGETS = {"rate": 3, "quantile": 4}
QUERIES = {
    "rate": 'sum by (level) (rate({a="b"} | json | duration_ms > 100 [5m]))',
    "quantile": 'quantile_over_time(0.99, {a="b"} | json | unwrap duration_ms [5m]) by (module)',
}


def asked(store: LogStore, query: str, step: int) -> Callable[[], object]:
    return lambda: Engine(store).query_range(query, start=START, end=START + HOUR, step=step)


def store_of(entries: list[tuple[int, str]]) -> LogStore:
    store = LogStore()
    store.push({"a": "b"}, entries)
    return store


def decoded(lines: list[bytes]) -> int:
    return sum(orjson.loads(line)["duration_ms"] > 100 for line in lines)


def main() -> bool:
    entries = json_lines(COUNT)
    raw = [line.encode() for _, line in entries]
    whole, half = store_of(entries), store_of(entries[::2])
    met = True
    for name, query in QUERIES.items():
        against = side_by_side(asked(whole, query, STEP), lambda: decoded(raw), rounds=3)
        target = TARGETS[name]
        title = f"{name}, {COUNT:,} lines, 240 steps"
        met &= show(title, against, against="orjson.loads and one test", target=target)
        lines = side_by_side(asked(whole, query, STEP), asked(half, query, STEP), rounds=3)
        met &= show(f"{name}, twice the lines", lines, against=f"{COUNT // 2:,} lines", target=2.2)
        steps = side_by_side(asked(whole, query, STEP // 2), asked(whole, query, STEP), rounds=3)
        met &= show(f"{name}, twice the steps", steps, against="240 steps", target=2.2)
        tracemalloc.start()
        engine = Engine(whole)
        engine.query_range(query, start=START, end=START + HOUR, step=STEP)
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        note(
            f"{name}: memory",
            f"{held / COUNT:.0f} bytes a line held by the query, {peak / COUNT:.0f} at most",
        )
    tracemalloc.start()
    kept = store_of(entries)
    note("the store: memory", f"{tracemalloc.get_traced_memory()[0] / len(kept):.0f} bytes a line")
    tracemalloc.stop()
    return met


if __name__ == "__main__":
    main()
