"""Log queries over files without a store give the answers of the store."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lokictl.cli.query import _load, _run
from lokictl.diagnostics import LokictlError
from lokictl.engine import Result
from lokictl.log_search import search, shares
from lokictl.logql import parse
from lokictl.model.log_files import opening

QUERIES = (
    '{a="b"}',
    '{a="b"} |= "error"',
    '{a="b"} |= "error" or "warn"',
    '{a="b"} |~ "timeout|refused"',
    '{a="b"} |~ "(?i)ERROR"',
    '{a="b"} != "error" |= "x"',
    '{a="b"} | json',
    '{a="b"} | json | level="error"',
    '{a="b"} | json | level=~"error|warn" | n > 5',
    '{a="b"} | json | n > 5 | level="error"',
    '{a="b"} | json | level="error" or n > 8',
    '{a="b"} | json | a_extracted="x"',
    '{a="b"} | json | a="b"',
    '{a="b"} | json | __error__=""',
    '{a="b"} | json | nested_level="error"',
    '{a="b"} | logfmt | level="error"',
    '{a="b"} | logfmt | level="error" |= "x"',
    '{a="b"} | json | level="error" | line_format "{{.level}}"',
    '{a="b"} | json | line_format "same" | level="error"',
    '{a="b"} | line_format "error" |= "error"',
    '{a="b"} | json | label_format level="error" | level="error"',
    '{a="b"} | drop a | json | level="error"',
    '{a="b"} | decolorize |= "error"',
    '{a="b"} | pattern "<_> level=<level> <_>" | level="error"',
    '{a="b"} | regexp "level=(?P<level>\\\\w+)" | level="error"',
    '{a="b"} | unpack | level="error"',
    '{a!="b", filename=~".+"} |= "error"',
    '{filename=~".+"} |= "error"',
)


def made(chance: random.Random) -> str:
    """The text of a log file of some kind."""
    kind = chance.choice(("json", "json", "text", "logfmt", "mixed", "access", "none", "cri"))
    lines = []
    for number in range(chance.randrange(1, 60)):
        second = chance.choice((number, number // 3, chance.randrange(60)))
        stamp = f"2026-01-01T00:00:{second:02d}Z"
        level = chance.choice(("error", "warn", "info", 'e"rror', "err\\u006fr", "error x"))
        word = chance.choice(("x", "timeout", "ERROR", "refused", "é", ""))
        form = chance.choice(("json", "text", "logfmt", "odd", "trace")) if kind == "mixed" else kind
        lines.append(
            {
                "json": chance.choice(
                    (
                        f'{{"ts":"{stamp}","level":"{level}","n":{number % 12},"msg":"{word}"}}',
                        f'{{"level": "{level}", "time": "{stamp}", "a": "x", "n": "{number}"}}',
                        f'{{"ts":"{stamp}","nested":{{"level":"{level}"}},"level":"info"}}',
                        f'{{"ts":"{stamp}","level":"info","level":"{level}"}}',
                        f'{{"ts":"{stamp}","level":"{level}","n":',
                    )
                ),
                "text": f"{stamp} {chance.choice(('ERROR', 'error', 'ok'))} {word} level={level} y",
                "logfmt": f'ts={stamp} level={level} msg="{word}"',
                "access": f'1.1.1.1 - - [01/Jan/2026:00:00:{second:02d} +0000] "GET /{word} error" 200',
                "none": f"{word} error {number % 3}",
                "cri": f"{stamp} stdout {chance.choice('FFFP')} {level} {word}",
                "odd": chance.choice(
                    ("", "error", '{"":"x","level":"error"}', '["error"]', "\x1b[31merr\x1b[0mor")
                ),
                "trace": "  at error x",
            }[form]
        )
    end = chance.choice(("\n", "\r\n"))
    return end.join(lines) + chance.choice(("", end))


def by_store(
    query: str, files: tuple[str, ...], labels: dict[str, str], limit: int, direction: str
) -> Result:
    store, first, last = _load(files, labels, "", True)
    assert first is not None
    assert last is not None
    return _run(parse(query), store, (first, last), (None,) * 5, limit, direction)


@pytest.mark.parametrize("seed", [*range(60), 4282])
def test_the_store_agrees(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(opening, "BLOCK_BYTES", chance.choice((200, 1000, 1 << 20)))
    if seed % 6 == 5:
        monkeypatch.setenv("LOKICTL_LOKI_VERSION", chance.choice(("3.2", "3.6")))
    files = []
    for number in range(chance.choice((1, 1, 2, 3))):
        file = tmp_path / f"{number}.log"
        data = (
            made(chance)
            .encode("utf-8", "surrogateescape")
            .replace(b"\xc3\xa9", chance.choice((b"\xc3\xa9", b"\xff")))
        )
        file.write_bytes(gzip.compress(data) if chance.random() < 0.2 else data)
        files.append(str(file))
    answered = 0
    for query in QUERIES:
        labels = chance.choice(({"a": "b"}, {"a": "b"}, {}))
        limit, direction = chance.choice((1, 3, 100)), chance.choice(("forward", "backward"))
        found = search(query, files, labels, limit=limit, backward=direction == "backward")
        if found is None:
            continue
        answered += 1
        wanted = by_store(query, tuple(files), labels, limit, direction)
        assert found.to_loki(categorize=True) == wanted.to_loki(categorize=True), query


@pytest.mark.parametrize("seed", range(30))
def test_several_processes_agree_with_one(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr("lokictl.log_search.WORTH_A_PROCESS", 1)
    files = []
    # Many lines are alike, and have the same times in several files.
    texts = [made(chance) for _ in range(2)]
    for number in range(chance.randrange(2, 6)):
        file = tmp_path / f"{number}.log"
        data = (chance.choice(texts) if chance.random() < 0.5 else made(chance)).encode()
        file.write_bytes(gzip.compress(data) if chance.random() < 0.3 else data)
        files.append(str(file))
    queries = chance.sample(QUERIES, 6)
    assert queries
    for query in queries:
        labels = chance.choice(({"a": "b"}, {"a": "b"}, {}))
        limit, backward = chance.choice((1, 3, 10, 100)), chance.random() < 0.5
        one = search(query, files, labels, limit=limit, backward=backward)
        several = search(query, files, labels, limit=limit, backward=backward, jobs=chance.choice((2, 3)))
        assert (one is None) == (several is None), query
        if one is not None and several is not None:
            assert several.to_loki(categorize=True) == one.to_loki(categorize=True), query


@pytest.mark.parametrize(
    "sizes, jobs, expected",
    [
        ([5, 5], 2, [range(1), range(1, 2)]),
        ([5, 5], 1, [range(2)]),
        ([10], 2, [range(1)]),
        ([1, 1, 8], 2, [range(2), range(2, 3)]),
        ([8, 1, 1], 2, [range(1), range(1, 3)]),
        ([2, 2, 2, 2, 2], 3, [range(2), range(2, 3), range(3, 5)]),
        ([0, 0], 2, [range(2)]),
    ],
)
def test_shares(sizes: list[int], jobs: int, expected: list[range], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lokictl.log_search.WORTH_A_PROCESS", 1)
    found = shares(sizes, jobs)
    assert [number for run in found for number in run] == list(range(len(sizes)))
    assert found == expected


def test_a_file_that_cannot_be_read_is_one_problem_in_several_processes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lokictl.log_search.WORTH_A_PROCESS", 1)
    good, bad = tmp_path / "good.log", tmp_path / "bad.log.gz"
    good.write_text("2026-01-01T00:00:00Z error\n" * 50)
    bad.write_bytes(gzip.compress(b"2026-01-01T00:00:00Z error\n" * 50)[:-20])
    with pytest.raises(LokictlError):
        search('{a="b"} |= "error"', [str(good), str(bad)], {"a": "b"}, limit=9, backward=False)
    with pytest.raises(LokictlError):
        search('{a="b"} |= "error"', [str(good), str(bad)], {"a": "b"}, limit=9, backward=False, jobs=2)


def test_most_files_need_no_store(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    file.write_text('{"ts":"2026-01-01T00:00:00Z","level":"error"}\n' * 3)
    assert (
        search('{a="b"} | json | level="error"', [str(file)], {"a": "b"}, limit=9, backward=True) is not None
    )


INPUTS = {
    "plain": '{"ts":"2026-01-01T00:00:00Z","level":"error"}\n' * 2
    + '{"ts":"2026-01-01T00:00:01Z","level":"info"}\n',
    "for the store": '2026-01-01T00:00:00Z stdout F {"level":"error"}\n',
    "no times": '{"level":"error"}\n',
}


@pytest.mark.parametrize("text", INPUTS.values(), ids=INPUTS.keys())
@pytest.mark.parametrize("piped", [True, False], ids=["pipe", "file"])
def test_standard_input(text: str, piped: bool, tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    file.write_text(text)
    command = [sys.executable, "-m", "lokictl", "query", '{a="b"} | json | level="error"', "-l", "a=b", "-"]
    with file.open() as opened:
        given: Any = {"input": text} if piped else {"stdin": opened}
        done = subprocess.run(command, capture_output=True, text=True, check=True, **given)
    assert done.stdout.count('"level":"error"') == 1
