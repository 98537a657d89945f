"""Lines that are made many at once are those that are made one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokictl.backends import EmbeddedBackend, LogEntry, LogStream
from lokictl.backends.repetition import Joined, Repetition, log_entry, metadata_of, parts_of
from lokictl.testing.lines import line_maker

VALUES = st.sampled_from(
    ["same", "", "n ${index}", "${index} and ${index * 2}", "\\", "ä", "\ud800", "${index % 2}", "a\nb"]
)
METADATA = st.sampled_from([{}, {"a": "b"}, {"a..b": "\ud800", "empty": ""}])


def varying(metadata: Mapping[str, str]) -> Callable[[int], Mapping[str, str]]:
    return lambda index: {**metadata, "number": str(index % 3)}


REPETITIONS = st.builds(
    lambda first, every, total, late, kind, value, metadata, varies: Repetition(
        first,
        every,
        total,
        None if late is None else first + late,
        line_maker(kind, {"x": value} if kind != "line" else value),
        varying(metadata) if varies else metadata,
    ),
    st.integers(0, 30),
    st.integers(0, 3),
    st.integers(0, 6),
    st.sampled_from([None, None, 0, 4]),
    st.sampled_from(["line", "json", "logfmt"]),
    VALUES,
    METADATA,
    st.booleans(),
)


def one_by_one(lines: Repetition) -> list[LogEntry]:
    found = []
    for index in range(lines.total):
        metadata = lines.metadata if isinstance(lines.metadata, Mapping) else lines.metadata(index)
        found.append(log_entry(lines.first + index * lines.every, lines.text(index), metadata, lines.arrival))
    return found


@given(REPETITIONS)
def test_lines(lines: Repetition) -> None:
    expected = one_by_one(lines)
    assert list(lines) == expected
    assert [lines[index] for index in range(len(lines))] == expected
    assert lines[1:3] == expected[1:3]


@given(st.lists(REPETITIONS, max_size=4), st.integers(-10, 10))
def test_joined_lines(parts: list[Repetition], index: int) -> None:
    joined = Joined(tuple(parts))
    expected = [entry for part in parts for entry in one_by_one(part)]
    assert list(joined) == expected
    assert len(joined) == len(expected)
    assert joined[1:5] == expected[1:5]
    assert parts_of(joined) == tuple(parts)
    if -len(expected) <= index < len(expected):
        assert joined[index] == expected[index]
    names = {name for metadata in metadata_of(joined) for name in metadata}
    assert names >= {name for entry in expected for name in entry.metadata}


@given(
    st.lists(st.tuples(st.sampled_from(["web", "db"]), st.lists(REPETITIONS, max_size=3)), max_size=4),
    st.booleans(),
)
def test_the_store_holds_what_it_holds_line_by_line(
    streams: list[tuple[str, list[Repetition]]], discover: bool
) -> None:
    stores = []
    for at_once in (True, False):
        backend = EmbeddedBackend(discover_log_levels=discover)
        backend.push(
            LogStream(
                {"app": app},
                Joined(tuple(parts)) if at_once else [entry for part in parts for entry in one_by_one(part)],
            )
            for app, parts in streams
        )
        answer = backend.query('count_over_time({app=~".+"}[1h])', time=1_000_000_000)
        held = [
            (
                stream.labels,
                [(entry.timestamp, entry.line, entry.metadata) for entry in stream.entries],
                (stream.blank, stream.escapes, stream.has_metadata),
            )
            for stream in backend.store
        ]
        stores.append((held, answer.vector))
    assert stores[0] == stores[1]


@pytest.mark.parametrize(
    "first, every, total, arrival, is_regular",
    [
        (5, 1, 3, None, True),
        (5, 0, 3, None, False),
        (5, 0, 1, None, True),
        (5, 1, 3, 5, True),
        (5, 1, 3, 6, False),
        (5, 1, 0, None, True),
    ],
)
def test_regular_lines(first: int, every: int, total: int, arrival: int | None, is_regular: bool) -> None:
    lines = Repetition(first, every, total, arrival, line_maker("line", "x"), {})
    assert lines.is_regular is is_regular
    assert not is_regular or list(lines.times) == [entry.timestamp for entry in lines]
