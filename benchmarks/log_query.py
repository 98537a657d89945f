"""200,000 JSON lines through a log query, against a loop that only decodes each line and tests the two fields.

With ``logcli`` on PATH also against ``logcli --stdin`` on the same lines, and on 2 GB of them: `LOG_QUERY_TIMES` is how
many times more that is (default: 53).
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson

from benchmarks.common import Ratio, Used, in_turn, lokictl, show, side_by_side
from benchmarks.logs import HOUR, START, json_lines
from lokictl.engine import Engine, LogStore

COUNT = 200_000
TIMES = int(os.environ.get("LOG_QUERY_TIMES", "53"))
"""The large file has so many times the lines, of so many hours."""
FILES = 4
"""The large file is also tried in so many compressed parts."""
MEMORY_MB = 200
AGAINST = "logcli --stdin"
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
    """Both from the file to the printed lines, the start of the program included; then many times the lines."""
    program = shutil.which("logcli")
    if program is None:
        print("  logcli is not on PATH: not compared")
        return True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        block = b"\n".join(lines) + b"\n"
        plain = folder / "lines.json"
        plain.write_bytes(block)
        small = pair(program, [plain], rounds=5)
        title = f"`lokictl query`, {len(block) / 1e6:.0f} MB, whole process, CPU"
        ratio = Ratio(small[0].seconds, small[1].seconds)
        met = show(title, ratio, against=AGAINST, target=1, memory=small[0].memory)
        size = f"{len(block) * TIMES / 1e9:.1f} GB"
        for files, what in large_files(folder, block):
            ours, theirs = pair(program, files, rounds=1)
            growth = f"{ours.seconds / small[0].seconds:.1f} × for {TIMES} × the lines"
            for one, other, way in (
                (ours.seconds, theirs.seconds, "CPU"),
                (ours.clock, theirs.clock, "by the clock"),
            ):
                title = f"{size}{what}, {way}"
                ratio = Ratio(one, other)
                met &= show(title, ratio, against=AGAINST, target=1, growth=growth, memory=ours.memory)
                growth = ""
            met &= ours.memory <= MEMORY_MB
    return met


def large_files(folder: Path, block: bytes) -> Iterator[tuple[list[Path], str]]:
    """The lines of many hours: as one file, compressed, and compressed in several parts."""
    plain, packed = folder / "large.json", folder / "large.json.gz"
    parts = [folder / f"part{number}.json.gz" for number in range(FILES)]
    with plain.open("wb") as output:
        for hour in range(TIMES):
            output.write(of_hour(block, hour))
    yield [plain], ""
    plain.unlink()
    with gzip.open(packed, "wb", compresslevel=1) as output:
        for hour in range(TIMES):
            output.write(of_hour(block, hour))
    yield [packed], " as .gz"
    packed.unlink()
    for number, part in enumerate(parts):
        with gzip.open(part, "wb", compresslevel=1) as output:
            for hour in range(TIMES * number // FILES, TIMES * (number + 1) // FILES):
                output.write(of_hour(block, hour))
    yield parts, f" as {FILES} .gz"


def of_hour(block: bytes, hour: int) -> bytes:
    """The lines of the first hour moved to another one."""
    return block.replace(
        b'"ts":"2026-01-01T00:', f'"ts":"2026-01-{hour // 24 + 1:02d}T{hour % 24:02d}:'.encode()
    )


def pair(program: str, files: list[Path], *, rounds: int) -> tuple[Used, Used]:
    """What lokictl and logcli take for the query over some files."""
    ours = lokictl("query", QUERY, *files, "--labels", "a=b", "--limit", 5000)
    reader = "zcat" if files[0].suffix == ".gz" else "cat"
    command = f"{reader} {' '.join(map(str, files))} | {program} query '{QUERY}' --stdin --limit=5000 --quiet"
    return in_turn(ours, ["bash", "-c", command], rounds=rounds)


if __name__ == "__main__":
    main()
