"""The log lines that the engine's benchmarks share."""

from __future__ import annotations

import json
import random
from typing import Any

from lokictl.durations import HOUR

START = 1_767_225_600_000_000_000
MODULES = ("api", "auth", "cache", "database", "scheduler")
LEVELS = ("info",) * 12 + ("debug",) * 4 + ("warn",) * 2 + ("error",) * 2
MESSAGES = ("request served", "cache miss, read through", "token renewed for session", "row locked, waiting")


def json_lines(count: int, *, seed: int = 7) -> list[tuple[int, str]]:
    """``(time ns, line)`` of an hour: JSON of seven fields, about 190 bytes each."""
    chance = random.Random(seed)
    lines = []
    for number in range(count):
        at = START + number * HOUR // count
        past = (at - START) // 1_000_000_000
        fields: dict[str, Any] = {
            "ts": f"2026-01-01T00:{past // 60:02d}:{past % 60:02d}.{at // 1_000_000 % 1000:03d}Z",
            "level": chance.choice(LEVELS),
            "module": chance.choice(MODULES),
            "msg": chance.choice(MESSAGES),
            "trace_id": f"{chance.getrandbits(128):032x}",
            "duration_ms": int(chance.expovariate(1 / 600)),
            "path": f"/api/v1/items/{chance.randrange(10_000)}",
        }
        lines.append((at, json.dumps(fields, separators=(",", ":"))))
    return lines
