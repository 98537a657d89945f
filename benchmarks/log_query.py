"""200,000 JSON lines through a log query, against a loop that only decodes each line and tests the two fields.

With ``logcli`` on PATH also against ``logcli --stdin`` on the same lines.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import orjson

from benchmarks.common import Ratio, show, side_by_side
from benchmarks.logs import HOUR, START, json_lines
from lokictl.engine import Engine, LogStore

COUNT = 200_000
QUERY = '{a="b"} | json | duration_ms > 1500 | level="error"'


def floor(lines: list[bytes]) -> int:
    """The lines that match, by decoding every one."""
    found = 0
    for line in lines:
        fields = orjson.loads(line)
        if fields["duration_ms"] > 1500 and fields["level"] == "error":
            found += 1
    return found


def main() -> bool:
    entries = json_lines(COUNT)
    raw = [line.encode() for _, line in entries]
    store = LogStore()
    store.push({"a": "b"}, entries)

    def answer() -> int:
        result = Engine(store).query_range(QUERY, start=START, end=START + HOUR, limit=5000)
        return sum(len(lines) for _, lines in result.streams)

    assert 0 < answer() == floor(raw)
    ratio = side_by_side(answer, lambda: floor(raw))
    met = show(f"{COUNT:,} lines, {answer():,} found", ratio, against="orjson.loads and two tests", target=3)
    return against_logcli(raw) and met


def against_logcli(lines: list[bytes]) -> bool:
    """Both from the file to the printed lines, the start of the program included."""
    program = shutil.which("logcli")
    if program is None:
        print("  logcli is not on PATH: not compared")
        return True
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lines.json"
        file.write_bytes(b"\n".join(lines) + b"\n")
        limit = ["--limit=5000", "--quiet"]
        ours = Path(shutil.which("lokictl") or ".venv/bin/lokictl")
        times = []
        for _ in range(3):
            began = time.perf_counter()
            subprocess.run(
                [ours, "query", QUERY, str(file), "--labels", "a=b", "--limit", "5000"],
                stdout=subprocess.DEVNULL,
                check=True,
            )
            middle = time.perf_counter()
            with file.open("rb") as source:
                subprocess.run(
                    [program, "query", QUERY, "--stdin", *limit],
                    stdin=source,
                    capture_output=True,
                    check=True,
                )
            times.append((middle - began, time.perf_counter() - middle))
    ratio = Ratio(min(first for first, _ in times), min(second for _, second in times))
    return show("lokictl query, start to finish", ratio, against="logcli --stdin", target=1)


if __name__ == "__main__":
    main()
