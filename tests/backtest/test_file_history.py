"""Log files as a history: any order, any number, in little memory."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from lokictl.backtest import FileHistory, Session
from lokictl.backtest.history import LinesRequest, RangeRequest, no_progress
from lokictl.backtest.series import Answers, Grid
from lokictl.diagnostics import LokictlError
from lokictl.model import AlertingRule, RuleGroup

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND
MINUTE = 60 * SECOND
QUERY = 'sum by (level) (count_over_time({app="x"} | json [5m]))'
GRID = Grid.between(START, START + 600 * MINUTE, MINUTE)


def lines(count: int, seconds: int = 6) -> list[str]:
    return [
        json.dumps(
            {
                "timestamp": str(START + n * seconds * SECOND),
                "labels": {"app": "x"},
                "line": json.dumps({"level": "error" if n % 7 == 0 else "info", "n": n}),
            }
        )
        for n in range(count)
    ]


def written(folder: Path, name: str, rows: list[str]) -> str:
    text = "\n".join(rows) + "\n"
    file = folder / name
    if name.endswith(".gz"):
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text)
    return str(file)


def answered(history: FileHistory) -> dict[object, object]:
    (answer,) = history.answer([RangeRequest(QUERY, GRID, 5 * MINUTE)], no_progress)
    return plain(answer.answers)


def plain(answers: Answers) -> dict[object, object]:
    return {
        labels: list(zip(column.indexes, column.values, strict=True))
        for labels, column in answers.series.items()
    }


def shuffled(rows: list[str]) -> list[str]:
    found = list(rows)
    random.Random(1).shuffle(found)
    return found


ROWS = lines(6_000)
SHAPES: dict[str, Callable[[Path], list[str]]] = {
    "one file": lambda folder: [written(folder, "a.ndjson", ROWS)],
    "newest first": lambda folder: [written(folder, "a.ndjson", ROWS[::-1])],
    "shuffled": lambda folder: [written(folder, "a.ndjson", shuffled(ROWS))],
    "rotated, named against the time": lambda folder: [
        written(folder, "app.log.2", ROWS[:2_000]),
        written(folder, "app.log.1", ROWS[2_000:4_000]),
        written(folder, "app.log", ROWS[4_000:]),
    ][::-1],
    "side by side": lambda folder: [
        written(folder, "a.ndjson", ROWS[0::2]),
        written(folder, "b.ndjson.gz", ROWS[1::2]),
    ],
    "overlapping at the edges": lambda folder: [
        written(folder, "a.ndjson", ROWS[:3_500]),
        written(folder, "b.ndjson", ROWS[3_000:]),
    ],
}


@pytest.mark.parametrize("memory", [1, 50_000, 10**9])
@pytest.mark.parametrize("shape", SHAPES)
def test_order_files_and_memory_do_not_matter(
    tmp_path: Path, shape: str, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lokictl.backtest.file_history.REORDER", 100)
    monkeypatch.setattr("lokictl.backtest.file_history.BATCH", 200)
    monkeypatch.setattr("lokictl.backtest.file_history.RUN", 700)
    reference = FileHistory([written(tmp_path, "whole.ndjson", ROWS)], {"app": "x"})
    found = FileHistory(SHAPES[shape](tmp_path), {"app": "x"}, segment_bytes=memory)
    expected = answered(reference)
    assert answered(found) == expected
    assert sum(len(samples) for samples in expected.values()) > 1_000  # type: ignore[misc, arg-type]


def test_the_extent_and_the_volumes_are_read_once(tmp_path: Path) -> None:
    history = FileHistory([written(tmp_path, "a.ndjson", ROWS)])
    kept: dict[str, object] = {}
    history.prepare(kept.get, kept.__setitem__)
    assert history.extent() == (START, START + 5_999 * 6 * SECOND)
    again = FileHistory([str(tmp_path / "a.ndjson")], open_entries=lambda path: pytest.fail("read again"))
    again.prepare(kept.get, kept.__setitem__)
    first, last = history.extent() or (0, 0)
    assert again.extent() == (first, last)
    assert again.volume('{app="x"}', first, last) == sum(len(json.loads(row)["line"]) for row in ROWS)
    assert again.volume('{app="other"}', first, last) == 0


def test_another_content_is_another_history(tmp_path: Path) -> None:
    first = FileHistory([written(tmp_path, "a.ndjson", ROWS)])
    second = FileHistory([written(tmp_path, "a.ndjson", ROWS[:-1])])
    assert first.identity != second.identity
    assert FileHistory(first.paths, {"app": "y"}).identity != second.identity


def test_lines_come_newest_last_and_bounded(tmp_path: Path) -> None:
    history = FileHistory([written(tmp_path, "a.ndjson", ROWS)])
    request = LinesRequest('{app="x"} | json | level="error"', START, START + 5 * MINUTE, 3)
    (found,) = history.lines([request])
    assert [json.loads(one.line)["n"] for one in found] == [35, 42, 49]
    assert [dict(one.labels) for one in found] == [{"app": "x"}] * 3


WRONG_TIMES = {
    "before the logs": (START - 100 * MINUTE, START - 50 * MINUTE, "the logs go from"),
    "after the logs": (START + 9_000 * MINUTE, START + 9_100 * MINUTE, "the logs go from"),
}


@pytest.mark.parametrize("case", WRONG_TIMES)
def test_a_time_without_logs(tmp_path: Path, case: str) -> None:
    start, end, message = WRONG_TIMES[case]
    session = Session(FileHistory([written(tmp_path, "a.ndjson", ROWS)]), start, end)
    with pytest.raises(LokictlError, match=message):
        session.open([])


def test_the_time_before_the_logs_is_not_judged(tmp_path: Path) -> None:
    history = FileHistory([written(tmp_path, "a.ndjson", ROWS)])
    rule = AlertingRule(alert="Silent", expr='absent_over_time({app="x"}[10m])')
    session = Session(history, START - 100 * MINUTE, START + 60 * MINUTE)
    groups = [RuleGroup("g", (rule,))]
    session.open(groups)
    (found,) = session.run(groups).histories
    assert found.episodes == []
    assert [(gap.start, gap.end) for gap in found.missing] == [(START - 100 * MINUTE, START)]
    assert session.run(groups).is_partial
