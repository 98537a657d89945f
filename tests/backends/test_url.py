"""An existing Loki: tenants, old lines, waiting, and what is said when it does not work."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from typing import Any

import pytest

from lokictl.backends import BackendError, LogEntry, LogStream, QueryError, open_backend
from lokictl.backends.url import UrlBackend
from lokictl.durations import SECOND
from lokictl.logql.versions import LokiVersion
from lokictl.loki_api import disagreement

START = 1_767_225_600 * SECOND
STREAMS = [LogStream({"app": "web"}, [LogEntry(START, "a"), LogEntry(START + SECOND, "b")])]
COUNT = 'sum(count_over_time({app="web"}[1m]))'


def failure(backend: UrlBackend, streams: list[LogStream] = STREAMS) -> tuple[str, str]:
    """The message and the hint of the error that a push ends in."""
    with backend, pytest.raises(BackendError) as failed:
        backend.push(streams)
    (problem,) = failed.value.problems
    return problem.message.replace(backend.client.url, "URL"), problem.hint


def test_each_run_has_its_own_tenant(fake_loki: Any) -> None:
    for _ in range(2):
        with open_backend(fake_loki.url) as backend:
            backend.push(STREAMS)
            assert backend.query(COUNT, time=START + SECOND).vector == [({}, 2.0)]
    tenants = {tenant for tenant, _ in fake_loki.pushes}
    assert len(tenants) == 2
    assert all(tenant.startswith("lokictl-test-") for tenant in tenants)


def test_a_tenant_by_name(fake_loki: Any) -> None:
    with UrlBackend(fake_loki.url, tenant="mine") as backend:
        backend.push(STREAMS)
    assert [tenant for tenant, _ in fake_loki.pushes] == ["mine"]


def test_a_loki_without_tenants_is_left_alone(fake_loki: Any) -> None:
    fake_loki.tenants = False
    message, hint = failure(UrlBackend(fake_loki.url))
    assert message == "URL: this Loki has no multi-tenancy: test logs would mix with real logs"
    assert "--allow-push" in hint
    assert fake_loki.pushes == []


def test_a_loki_without_tenants_that_may_be_filled(fake_loki: Any) -> None:
    fake_loki.tenants = False
    with open_backend(fake_loki.url, allow_push=True) as backend:
        backend.push(STREAMS)
        assert backend.query(COUNT, time=START + SECOND).vector == [({}, 2.0)]
    assert [tenant for tenant, _ in fake_loki.pushes] == [""]


def test_lines_of_the_past_are_flushed(fake_loki: Any) -> None:
    fake_loki.needs_flush = True
    with UrlBackend(fake_loki.url) as backend:
        backend.push(STREAMS)
        assert backend.query(COUNT, time=START + SECOND).vector == [({}, 2.0)]
    assert ("POST", "/flush", None) in fake_loki.requests


def test_recent_lines_need_no_flush(fake_loki: Any) -> None:
    now = clock.time_ns()
    with UrlBackend(fake_loki.url) as backend:
        backend.push([LogStream({"app": "web"}, [LogEntry(now, "a")])])
    assert ("POST", "/flush", None) not in fake_loki.requests


def test_waits_until_lines_can_be_queried(fake_loki: Any) -> None:
    fake_loki.delay = 4
    with UrlBackend(fake_loki.url) as backend:
        backend.push(STREAMS)
        assert backend.query(COUNT, time=START + SECOND).vector == [({}, 2.0)]


@pytest.mark.parametrize(
    "status, words", [(404, "POST /flush was answered with 404"), (204, "query_ingesters_within")]
)
def test_lines_that_never_show(fake_loki: Any, status: int, words: str) -> None:
    fake_loki.flush_status = status
    fake_loki.needs_flush = status != 204
    fake_loki.delay = 0 if fake_loki.needs_flush else 1_000_000
    if status == 204:
        fake_loki.broken["/flush"] = (204, "")
    message, hint = failure(UrlBackend(fake_loki.url, wait_seconds=0.05))
    expected = 'URL took the lines of {app="web"}, but after 0.05 s 0 of 2 can be queried'
    assert message == expected
    assert words in hint


def test_lines_too_old_for_loki_are_moved_by_whole_hours(fake_loki: Any) -> None:
    fake_loki.oldest = clock.time_ns() - 7 * 24 * 3600 * SECOND
    late = LogEntry(START + 2 * SECOND, "late", arrives_at=START + 60 * SECOND)
    with UrlBackend(fake_loki.url) as backend:
        backend.push([*STREAMS, LogStream({"app": "web"}, [late])])
        assert backend.query(COUNT, time=START + 30 * SECOND).vector == [({}, 2.0)]
        assert backend.query(COUNT, time=START + 61 * SECOND).vector == [({}, 1.0)]
        found = backend.query_range('{app="web"}', start=START, end=START + 61 * SECOND, direction="forward")
    assert [(line.timestamp - START, line.line) for line in found.streams[0][1]] == [
        (0, "a"),
        (SECOND, "b"),
        (2 * SECOND, "late"),
    ]
    moved = int(fake_loki.pushes[-1][1]["streams"][0]["values"][0][0]) - late.timestamp
    assert moved % (3600 * SECOND) == 0
    assert moved > 0


def test_lines_too_old_in_a_row(fake_loki: Any) -> None:
    fake_loki.oldest = clock.time_ns() + 24 * 3600 * SECOND
    message, hint = failure(UrlBackend(fake_loki.url))
    assert "has timestamp too old" in message
    assert "reject_old_samples" in hint


@pytest.mark.parametrize(
    "path, answer, message, hint",
    [
        (
            "/loki/api/v1/push",
            (400, "entry too far behind, entry timestamp is: …"),
            "URL refused the lines (400): entry too far behind, entry timestamp is: …",
            "half of ingester.max_chunk_age",
        ),
        ("/loki/api/v1/push", (500, "no disk"), "URL refused the lines (500): no disk", ""),
        (
            "/loki/api/v1/labels",
            (404, "404 page not found"),
            "URL answered 404 when asked for its labels: 404 page not found",
            "base URL of a Loki",
        ),
        (
            "/loki/api/v1/labels",
            (401, "login, please"),
            "URL answered 401 when asked for its labels: login, please",
            "https://user:password@host",
        ),
        (
            "/loki/api/v1/query",
            (502, ""),
            "URL answered 502 when asked a query: Bad Gateway",
            "is this a Loki, and is it healthy?",
        ),
        (
            "/loki/api/v1/query",
            (200, '{"data": {"resultType": "vector", "result": [{"metric": 3}]}}'),
            "URL returned an answer that is not from Loki: {'resultType': 'vector', 'result': [{'metric': 3}]}",
            "is this a Loki?",
        ),
        (
            "/loki/api/v1/query",
            (200, "<html>"),
            "URL answered 200 when asked a query: <html>",
            "is this a Loki, and is it healthy?",
        ),
    ],
)
def test_explanations(fake_loki: Any, path: str, answer: tuple[int, str], message: str, hint: str) -> None:
    fake_loki.broken[path] = answer
    said, advice = failure(UrlBackend(fake_loki.url))
    assert said == message
    assert hint in advice


@pytest.mark.parametrize(
    "url, words",
    [
        ("http://127.0.0.1:1", "cannot reach http://127.0.0.1:1: connection refused"),
        ("http://", "not a URL: http:"),
    ],
)
def test_no_loki(url: str, words: str) -> None:
    with pytest.raises(BackendError) as failed:
        open_backend(url).push(STREAMS)
    assert str(failed.value).startswith(words)


def test_no_such_engine() -> None:
    with pytest.raises(BackendError, match='unknown engine "dokcer"') as failed:
        open_backend("dokcer")
    assert failed.value.problems[0].hint.startswith("embedded, docker, binary")


def test_a_real_loki_is_asked_in_the_order_of_time(fake_loki: Any) -> None:
    late = LogEntry(START, "late", arrives_at=START + 60 * SECOND)
    with UrlBackend(fake_loki.url) as backend:
        backend.push([LogStream({"app": "web"}, [late])])
        assert backend.query(COUNT, time=START + 59 * SECOND).vector == []
        assert backend.query(COUNT, time=START + 60 * SECOND).vector == []
        with pytest.raises(BackendError, match="a real Loki cannot forget it"):
            backend.query(COUNT, time=START + 59 * SECOND)


def test_a_limited_rate_is_tried_again(serve: Callable[[Any], str], fake_loki: Any, monkeypatch: Any) -> None:
    class Limited:
        refused = 0

        def handle(self, method: str, path: str, *rest: Any) -> tuple[int, str]:
            if path.endswith("push") and self.refused < 3:
                self.refused += 1
                return 429, "Ingestion rate limit exceeded for user"
            answer: tuple[int, str] = fake_loki.handle(method, path, *rest)
            return answer

    pauses: list[float] = []
    monkeypatch.setattr("lokictl.backends.url.clock.sleep", pauses.append)
    with UrlBackend(serve(Limited())) as backend:
        backend.push(STREAMS)
    assert len(pauses) >= 3


def test_a_busy_gateway_is_asked_again(
    serve: Callable[[Any], str], fake_loki: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Busy:
        refused = 0

        def handle(self, method: str, path: str, *rest: Any) -> tuple[int, str]:
            if path.endswith("/query") and self.refused < 2:
                self.refused += 1
                return 502, ""
            answer: tuple[int, str] = fake_loki.handle(method, path, *rest)
            return answer

    monkeypatch.setattr("lokictl.http.time.sleep", lambda seconds: None)
    caplog.set_level("INFO", logger="lokictl")
    url = serve(Busy()).replace("http://", "http://me:very-secret@")
    with UrlBackend(url) as backend:
        backend.push(STREAMS)
        assert backend.query(COUNT, time=START + SECOND).vector == [({}, 2.0)]
    words = [record.getMessage() for record in caplog.records]
    assert len([line for line in words if "/loki/api/v1/query: 502 in " in line]) == 2
    assert any(line.startswith("POST http://127.0.0.1:") and "push: 204" in line for line in words)
    assert "very-secret" not in "".join(words)


def test_a_long_query_is_posted(fake_loki: Any) -> None:
    with UrlBackend(fake_loki.url) as backend:
        backend.push(STREAMS)
        query = 'sum(count_over_time({app="web"} != "' + "x" * 3_000 + '"[1m]))'
        assert backend.query(query, time=START + SECOND).vector == [({}, 2.0)]
        with pytest.raises(QueryError):
            backend.query("nothing(", time=START)
    assert ("POST", "/loki/api/v1/query") in [request[:2] for request in fake_loki.requests]


@pytest.mark.parametrize(
    "running, wanted, says",
    [
        ("3.6.1", "3.7", "this Loki is 3.6.1, loki_version says 3.7"),
        ("3.7.0", "3.7", ""),
        ("3.7.0-abc", "3.7", ""),
        ("k250", "3.7", ""),
        ("", "3.7", ""),
        ("3.6.1", "", ""),
    ],
)
def test_a_loki_of_another_version_than_configured_is_reported(running: str, wanted: str, says: str) -> None:
    version = LokiVersion.parse(wanted) if wanted else None
    message = disagreement(running, version)
    assert says in message if says else not message


def test_a_loki_is_asked_for_its_version(
    fake_loki: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LOKICTL_LOKI_VERSION", "3.4.0")
    fake_loki.broken["/loki/api/v1/status/buildinfo"] = (200, '{"version": "3.6.1"}')
    with UrlBackend(fake_loki.url) as backend, caplog.at_level("WARNING"):
        backend.push(STREAMS)
    assert "this Loki is 3.6.1, loki_version says 3.4" in caplog.text
