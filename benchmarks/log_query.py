"""200,000 JSON lines through a log query, against a loop that only decodes each line and tests the two fields.

With ``logcli`` on PATH also against ``logcli --stdin`` on the same lines.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from pathlib import Path

import orjson

from benchmarks.common import Ratio, Used, in_turn, lokictl, show, side_by_side
from benchmarks.logs import HOUR, START, json_lines
from lokictl.engine import Engine, LogStore

COUNT = 200_000
TIMES = 10
"""The large files have so many times the lines."""
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
    """Both from the file to the printed lines, the start of the program included; then ten times the lines."""
    program = shutil.which("logcli")
    if program is None:
        print("  logcli is not on PATH: not compared")
        return True
    with tempfile.TemporaryDirectory() as folder:
        plain, large, packed = (Path(folder) / name for name in ("lines.json", "large.json", "large.json.gz"))
        block = b"\n".join(lines) + b"\n"
        plain.write_bytes(block)
        large.write_bytes(block * TIMES)
        with gzip.open(packed, "wb", compresslevel=1) as output:
            output.write(block * TIMES)
        small = pair(program, plain, rounds=3)
        title = f"`lokictl query`, {len(block) / 1e6:.0f} MB, whole process, CPU"
        against = "logcli --stdin"
        met = show(
            title,
            Ratio(small[0].seconds, small[1].seconds),
            against=against,
            target=1,
            memory=small[0].memory,
        )
        for file, what in ((large, ""), (packed, " as .gz")):
            ours, theirs = pair(program, file, rounds=1)
            size = f"{len(block) * TIMES / 1e6:.0f} MB{what}"
            growth = f"{ours.seconds / small[0].seconds:.1f} × for {TIMES} × the lines"
            ratio = Ratio(ours.seconds, theirs.seconds)
            met &= show(f"{size}, CPU", ratio, against=against, target=1, growth=growth, memory=ours.memory)
            show(f"{size}, by the clock", Ratio(ours.clock, theirs.clock), against=against)
    return met


def pair(program: str, file: Path, *, rounds: int) -> tuple[Used, Used]:
    """What lokictl and logcli take for the query over a file."""
    ours = lokictl("query", QUERY, file, "--labels", "a=b", "--limit", 5000)
    reader = "zcat" if file.suffix == ".gz" else "cat"
    command = f"{reader} {file} | {program} query '{QUERY}' --stdin --limit=5000 --quiet"
    return in_turn(ours, ["bash", "-c", command], rounds=rounds)


if __name__ == "__main__":
    main()
