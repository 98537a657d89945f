"""What every backend promises, asked of each: the embedded engine, a fake Loki, and real ones where there are any."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time as clock
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lokictl.backends import (
    Backend,
    BackendError,
    EmbeddedBackend,
    LogEntry,
    LogStream,
    QueryError,
    open_backend,
)
from lokictl.durations import MINUTE, SECOND
from lokictl.model import RuleGroup
from lokictl.ruler import GroupEvaluator

START = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z."""

REAL = [
    pytest.param("binary", marks=pytest.mark.real_loki),
    pytest.param("docker", marks=pytest.mark.real_loki),
    pytest.param("LOKI_URL", marks=pytest.mark.real_loki),
]


def open_real(kind: str) -> Backend:
    """A real Loki, or a skip that says why there is none."""
    if kind == "binary":
        if shutil.which("loki") is None:
            pytest.skip("no `loki` on PATH")
        from lokictl.backends.binary import BinaryBackend

        return BinaryBackend()
    if kind == "docker":
        from lokictl.backends.container import IMAGE, ContainerBackend, connect, ensure_image

        try:
            with contextlib.closing(connect()) as docker:
                ensure_image(docker, IMAGE, pull=False)
        except BackendError as error:
            pytest.skip(str(error))
        return ContainerBackend(pull=False)
    if not os.environ.get("LOKI_URL"):
        pytest.skip("LOKI_URL is not set")
    from lokictl.backends.url import UrlBackend

    return UrlBackend(os.environ["LOKI_URL"])


@pytest.fixture(scope="module")
def real_loki() -> Iterator[Callable[[str], Backend]]:
    """Starts each real Loki once; every test gets a tenant of its own in it."""
    from lokictl.backends.url import UrlBackend

    started: dict[str, Backend] = {}

    def one(kind: str) -> Backend:
        if kind not in started:
            started[kind] = open_real(kind)
        base = started[kind]
        assert isinstance(base, UrlBackend)
        return UrlBackend(base.client.url)

    yield one
    for backend in started.values():
        backend.close()


@pytest.fixture(params=["embedded", "fake", *REAL])
def backend(
    request: pytest.FixtureRequest, real_loki: Callable[[str], Backend], serve: Callable[[Any], str]
) -> Iterator[Backend]:
    if request.param == "embedded":
        opened: Backend = EmbeddedBackend()
    elif request.param == "fake":
        from lokictl.backends.url import UrlBackend

        opened = UrlBackend(request.getfixturevalue("fake_loki").url)
    else:
        opened = real_loki(request.param)
    with opened:
        yield opened


def lines(*seconds: float, text: str = "line {}", start: int = START, **more: Any) -> list[LogEntry]:
    return [
        LogEntry(start + int(at * SECOND), text.format(number), **more) for number, at in enumerate(seconds)
    ]


def test_instant(backend: Backend) -> None:
    backend.push(
        [
            LogStream({"app": "web", "pod": "a"}, lines(0, 10, 20)),
            LogStream({"app": "web", "pod": 'b "quoted" \\ é\n'}, lines(5, 15)),
        ]
    )
    result = backend.query('sum by (pod) (count_over_time({app="web"}[1m]))', time=START + 15 * SECOND)
    assert result.kind == "vector"
    expected = [({"pod": "a"}, 2.0), ({"pod": 'b "quoted" \\ é\n'}, 2.0)]
    assert sorted(result.vector, key=lambda item: item[0]["pod"]) == expected


def test_scalar_and_special_numbers(backend: Backend) -> None:
    assert backend.query("1 + 1", time=START).scalar == 2.0
    (_, value) = backend.query("vector(1) / vector(0)", time=START).vector[0]
    assert value != value


def test_structured_metadata(backend: Backend) -> None:
    backend.push([LogStream({"app": "web"}, lines(0, 1, metadata={"trace.id": "t1"}) + lines(2))])
    result = backend.query('sum by (trace_id) (count_over_time({app="web"}[1m]))', time=START + MINUTE - 1)
    assert sorted((labels.get("trace_id", ""), value) for labels, value in result.vector) == [
        ("", 1.0),
        ("t1", 2.0),
    ]


def test_range(backend: Backend) -> None:
    backend.push([LogStream({"app": "web"}, lines(0, 30, 60, 90))])
    result = backend.query_range(
        'sum(count_over_time({app="web"}[1m]))', start=START, end=START + 2 * MINUTE, step=30 * SECOND
    )
    assert result.kind == "matrix"
    ((labels, samples),) = result.matrix
    assert labels == {}
    assert [((time - START) // SECOND, value) for time, value in samples] == [
        (0, 1.0),
        (30, 2.0),
        (60, 2.0),
        (90, 2.0),
        (120, 1.0),
    ]


@pytest.mark.parametrize(
    "direction, texts", [("forward", ["line 0", "line 1"]), ("backward", ["line 2", "line 1"])]
)
def test_logs(backend: Backend, direction: str, texts: list[str]) -> None:
    backend.push([LogStream({"app": "web"}, lines(0, 0.5, 1))])
    result = backend.query_range('{app="web"}', start=START, end=START + MINUTE, limit=2, direction=direction)
    assert result.kind == "streams"
    ((labels, found),) = result.streams
    assert labels == {"app": "web"}
    assert [line.line for line in found] == texts
    assert all(START <= line.timestamp <= START + SECOND for line in found)


@pytest.mark.parametrize(
    "query, words",
    [
        ("rate({a=}[5m])", "parse error at line 1, col 9: syntax error: unexpected }, expecting STRING"),
        ('{app="web"}', "log queries are not supported as an instant query type"),
        (
            'count_over_time({app="web"}[1m]) / on (app) count_over_time({app="web"}[1m])',
            "found duplicate series on the right hand-side;many-to-many matching not allowed",
        ),
        ('count_over_time({app="web"} | json [1m])', "pipeline error: 'JSONParserErr'"),
    ],
)
def test_queries_that_fail(backend: Backend, query: str, words: str) -> None:
    backend.push([LogStream({"app": "web", "pod": pod}, lines(0)) for pod in "ab"])
    with pytest.raises(QueryError) as failed:
        backend.query(query, time=START)
    assert failed.value.text.startswith(words)


@pytest.mark.parametrize("start", [0, 90 * 24 * 60 * MINUTE, START, START + 3650 * 24 * 60 * MINUTE // 10])
def test_any_time(backend: Backend, start: int) -> None:
    if os.environ.get("LOKI_URL") and start > START and backend.name == "url":
        pytest.skip("lines in the future are refused by a Loki with default limits")
    backend.push([LogStream({"app": "web"}, lines(0, 10, start=start))])
    result = backend.query('sum(count_over_time({app="web"}[5m]))', time=start + MINUTE)
    assert result.vector == [({}, 2.0)]
    result = backend.query_range('{app="web"}', start=start, end=start + MINUTE, direction="forward")
    assert [line.timestamp for line in result.streams[0][1]] == [start, start + 10 * SECOND]


def test_late_lines_are_not_seen_before_they_arrive(backend: Backend) -> None:
    late = [LogEntry(START, "late", arrives_at=START + 3 * MINUTE)]
    backend.push([LogStream({"app": "web"}, lines(1)), LogStream({"app": "web"}, late)])
    query = 'sum(count_over_time({app="web"}[10m]))'
    counts = [backend.query(query, time=START + minutes * MINUTE).vector[0][1] for minutes in (1, 2, 3, 4)]
    assert counts == [1.0, 1.0, 2.0, 2.0]


def test_lines_of_any_kind(backend: Backend) -> None:
    texts = ["", " ", "é \U0001f600", "\udcff broken", "\ud800 half", "a\nb\r\n", "\x00", '"', "x" * 10_000]
    entries = [LogEntry(START + number * SECOND, text) for number, text in enumerate(texts)]
    entries += [LogEntry(START, "twice", metadata={"none": "", "a": value}) for value in ("", "b", "b")]
    backend.push([LogStream({"app": "web", "none": ""}, entries)])
    result = backend.query('sum(count_over_time({app="web"}[1m]))', time=START + 30 * SECOND)
    assert result.vector == [({}, len(texts) + 2.0)]
    found = backend.query_range('{app="web"} | a=""', start=START, end=START + MINUTE, direction="forward")
    assert sum(len(part) for _, part in found.streams) == len(texts) + 1


REFUSED = [
    ({}, {}, "Loki refuses a stream without labels"),
    ({"app": ""}, {}, "Loki refuses a stream without labels"),
    ({"a-b": "x"}, {}, 'Loki refuses the stream label "a-b"'),
    ({"é": "x"}, {}, 'Loki refuses the stream label "é"'),
    ({"": "x"}, {}, 'Loki refuses the stream label ""'),
    ({"app": "web"}, {"é": "x"}, 'Loki refuses the structured metadata "é"'),
    ({"app": "web"}, {"": "x"}, 'Loki refuses the structured metadata ""'),
]


@pytest.mark.parametrize("labels, metadata, message", REFUSED)
@pytest.mark.parametrize("kind", ["embedded", "fake"])
def test_what_loki_refuses(
    kind: str, labels: dict[str, str], metadata: dict[str, str], message: str, fake_loki: Any
) -> None:
    with open_backend("embedded" if kind == "embedded" else fake_loki.url) as backend:
        with pytest.raises(BackendError) as failed:
            backend.push([LogStream(labels, lines(0, metadata=metadata))])
        assert failed.value.problems[0].message == message
        assert failed.value.problems[0].hint


def test_many_and_long_labels(backend: Backend) -> None:
    if os.environ.get("LOKI_URL") and backend.name == "url":
        pytest.skip("a Loki with default limits takes 15 labels")
    labels = {f"label_{number}": "v" * 3_000 for number in range(20)}
    metadata = {f"meta-{number}": "m" * 1_000 for number in range(200)}
    backend.push([LogStream(labels, lines(0, metadata=metadata))])
    result = backend.query_range('{label_0=~".+"}', start=START - SECOND, end=START + SECOND)
    ((found, _),) = result.streams
    assert found == {**labels, **{name.replace("-", "_"): value for name, value in metadata.items()}}


def test_pushed_in_parts_and_twice(backend: Backend) -> None:
    backend.push([LogStream({"app": "web"}, lines(0, 1)), LogStream({"app": "web"}, lines(0, 1))])
    backend.push([LogStream({"app": "web"}, lines(0, 1, text="more {}"))])
    backend.push([])
    result = backend.query('sum(count_over_time({app="web"}[1m]))', time=START + 30 * SECOND)
    assert result.vector == [({}, 4.0)]


def test_many_lines(backend: Backend) -> None:
    entries = [LogEntry(START + number * 1_000_000, "x" * 300 + str(number)) for number in range(8_000)]
    backend.push([LogStream({"app": "web"}, entries)])
    result = backend.query('sum(count_over_time({app="web"}[1m]))', time=START + 30 * SECOND)
    assert result.vector == [({}, 8_000.0)]


GROUP = """
name: web
interval: 30s
rules:
  - record: web:errors
    expr: sum by (pod) (count_over_time({app="web"} |= "error" [1m]))
    labels: {team: web}
  - alert: Errors
    expr: sum by (pod) (count_over_time({app="web"} |= "error" [1m])) > 1
    for: 30s
    annotations:
      summary: "{{ $labels.pod }} failed {{ $value }} times, {{ range query `vector(3)` }}{{ .Value }}{{ end }}"
  - alert: NotAVector
    expr: '{app="web"}'
"""


def test_rules(backend: Backend) -> None:
    backend.push([LogStream({"app": "web", "pod": "a"}, lines(0, 10, 20, 30, 40, text="error {}"))])
    evaluator = GroupEvaluator(RuleGroup.from_yaml(GROUP), backend)
    seen = [
        [
            (
                len(one.samples),
                one.state,
                [alert.annotations["summary"] for alert in one.firing],
                one.error[-20:],
            )
            for one in evaluation.rules
        ]
        for evaluation in evaluator.run(START, START + 2 * MINUTE)
    ]
    text = "a failed {} times, 3"
    broken = (0, "inactive", [], "not a vector or scalar"[-20:])
    assert seen == [
        [(1, "inactive", [], ""), (0, "inactive", [], ""), broken],
        [(1, "inactive", [], ""), (0, "pending", [], ""), broken],
        [(1, "inactive", [], ""), (0, "firing", [text.format(4)], ""), broken],
        [(1, "inactive", [], ""), (0, "inactive", [], ""), broken],
        [(0, "inactive", [], ""), (0, "inactive", [], ""), broken],
    ]


def test_closing_twice(backend: Backend) -> None:
    backend.close()
    backend.close()


DISCOVERIES = {
    (False, False): ({"app": "web"}, {}),
    (True, False): ({"app": "web", "service_name": "web"}, {}),
    (False, True): ({"app": "web"}, {"detected_level": "error"}),
    (True, True): ({"app": "web", "service_name": "web"}, {"detected_level": "error"}),
}


@pytest.mark.parametrize("kind", [*REAL[:2]])
def test_a_real_loki_discovers_itself_what_is_asked_for(kind: str) -> None:
    with open_real(kind) as server:
        for (names, levels), (labels, metadata) in DISCOVERIES.items():
            with server.fresh(discover_service_name=names, discover_log_levels=levels) as backend:
                assert (backend.discovers_service_name, backend.discovers_log_levels) == (names, levels)
                backend.push([LogStream({"app": "web"}, lines(0, text="level=error"))])
                result = backend.query('count_over_time({app="web"}[1m])', time=START)
                assert result.vector == [({**labels, **metadata}, 1.0)]


KILLED = """
import os, signal, sys
from lokictl.backends import open_backend
backend = open_backend(sys.argv[1])
print(getattr(backend, "_container", None) and backend._container.name, flush=True)
os.kill(os.getpid(), int(sys.argv[2]))
"""


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("kind", [*REAL[:2]])
def test_a_real_loki_is_gone_when_its_user_is_killed(kind: str, sent: signal.Signals, tmp_path: Path) -> None:
    open_real(kind).close()
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, kind, str(int(sent))],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), "TMPDIR": str(tmp_path)},
    )
    assert ended.returncode == -sent
    name = ended.stdout.strip()
    deadline = clock.monotonic() + 60
    while (list(tmp_path.iterdir()) or is_there(name)) and clock.monotonic() < deadline:
        clock.sleep(0.1)
    assert list(tmp_path.iterdir()) == []
    assert not is_there(name)


def is_there(container: str) -> bool:
    if container == "None":
        return False
    from lokictl.backends.container import connect

    with contextlib.closing(connect()) as docker:
        return container in [found.name for found in docker.containers.list(all=True, ignore_removed=True)]
