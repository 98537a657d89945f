"""200,000 JSON lines through a log query, against a loop that only decodes each line and tests the two fields.

With ``logcli`` on PATH also against ``logcli --stdin`` on the same lines.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

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
        runs = []
        for _ in range(3):
            command = [str(ours), "query", QUERY, str(file), "--labels", "a=b", "--limit", "5000"]
            with file.open("rb") as source:
                runs.append((used(command), used([program, "query", QUERY, "--stdin", *limit], source)))
    first, second = ([pair[side] for pair in runs] for side in (0, 1))
    ratio = Ratio(min(seconds for seconds, _ in first), min(seconds for seconds, _ in second))
    memory = [max(size for _, size in side) >> 10 for side in (first, second)]
    print(f"  peak memory: {memory[0]} MB, logcli {memory[1]} MB")
    return show("lokictl query, start to finish, CPU", ratio, against="logcli --stdin", target=1)


def used(command: list[str], source: IO[bytes] | None = None) -> tuple[float, int]:
    """CPU seconds and peak memory (KiB) of a program that ends well."""
    with subprocess.Popen(
        command, stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


if __name__ == "__main__":
    main()
