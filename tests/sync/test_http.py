"""The HTTP client: over real sockets, with everything that can go wrong there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lokictl.sync.configuration import Access
from lokictl.sync.http import HttpClient, HttpError
from lokictl.sync.secrets import Redactor, Secret
from tests.sync.fakes.http import Answer, Request, Server, json_answer, serving

NewClient = Callable[..., HttpClient]


class Counter:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.count = 0
        self.answers: list[Answer] = []

    def handle(self, request: Request) -> Answer:
        self.count += 1
        return self.answers.pop(0) if self.answers else json_answer(200, {"count": self.count})


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def server(counter: Counter) -> Server:
    return Server(counter)


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    with serving(server, slow=0.4) as url:
        yield url


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def new_client(url: str, pauses: list[float]) -> NewClient:
    def new(**options: Any) -> HttpClient:
        access = Access(url, token=Secret("env:TOKEN", "a-very-secret-token"))
        redactor = Redactor()
        assert access.token is not None
        redactor.add(access.token)
        return HttpClient(access, redactor, **{"timeout": 5.0, "sleep": pauses.append, **options})

    return new


RETRIED = ("refuse", "cut", "busy", "limited", "broken")


@pytest.mark.parametrize("fault", RETRIED)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_idempotent_calls_are_repeated(
    method: str, fault: str, server: Server, new_client: NewClient
) -> None:
    server.next_faults = [fault, fault]
    assert "count" in new_client().request(method, "/x", body={} if method == "PUT" else None).json()
    assert len(server.log) == 3


@pytest.mark.parametrize("fault", RETRIED)
def test_a_post_is_not_repeated_unless_it_may_be(fault: str, server: Server, new_client: NewClient) -> None:
    server.next_faults = [fault]
    with pytest.raises(HttpError):
        new_client().request("POST", "/x", body={})
    assert len(server.log) == 1
    server.next_faults = [fault]
    assert new_client().request("POST", "/x", body={}, idempotent=True).status == 200


def test_it_gives_up_after_its_attempts(server: Server, new_client: NewClient, pauses: list[float]) -> None:
    server.next_faults = ["busy"] * 9
    with pytest.raises(HttpError, match="503: try later"):
        new_client(attempts=3).request("GET", "/x")
    assert (len(server.log), len(pauses)) == (3, 2)


def test_pauses_grow_unless_the_server_names_one(
    counter: Counter, new_client: NewClient, pauses: list[float]
) -> None:
    counter.answers = [
        Answer(502),
        Answer(502),
        Answer(429, headers={"Retry-After": "7"}),
        Answer(503, headers={"Retry-After": "86400"}),
    ]
    new_client(attempts=5, pause=0.5).request("GET", "/x")
    assert pauses == [0.5, 1.0, 7.0, 30.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413, 422, 500])
def test_other_errors_are_not_repeated(status: int, counter: Counter, new_client: NewClient) -> None:
    counter.answers = [json_answer(status, {"message": "no", "status": "code"})]
    with pytest.raises(HttpError) as caught:
        new_client().request("GET", "/x")
    assert (caught.value.status, caught.value.code, counter.count) == (status, "code", 1)


def test_a_locked_database_is_tried_again(counter: Counter, new_client: NewClient) -> None:
    counter.answers = [json_answer(500, {"message": "database is locked"})]
    assert new_client().request("GET", "/x").json() == {"count": 2}


@pytest.mark.parametrize("fault", ["late", "drop"])
def test_an_answer_that_comes_too_late_leaves_it_open(
    fault: str, server: Server, new_client: NewClient
) -> None:
    server.next_faults = [fault]
    with pytest.raises(HttpError, match=r"no answer in 0\.1 s") as caught:
        new_client(timeout=0.1).request("POST", "/x", body={})
    assert caught.value.uncertain


ERRORS = {
    "classic": (b'{"message": "Dashboard not found"}', "Dashboard not found", ""),
    "status": (b'{"message": "m", "status": "version-mismatch"}', "m", "version-mismatch"),
    "typed": (b'{"message": "m", "messageId": "api-key.invalid"}', "m", "api-key.invalid"),
    "resource": (b'{"kind": "Status", "message": "m", "reason": "Conflict", "code": 409}', "m", "Conflict"),
    "list": (b'[{"classification": "x", "message": "m"}]', "m", ""),
    "ruler": (b'{"status": "error", "error": "unsupported"}', "unsupported", "error"),
    "page": (b"<html><body>nginx</body></html>", "a web page, perhaps of a proxy", ""),
    "text": (b"no org id", "no org id", ""),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_bodies_of_all_shapes(name: str, counter: Counter, new_client: NewClient) -> None:
    body, words, code = ERRORS[name]
    counter.answers = [Answer(400, body, "text/html" if name == "page" else "application/json")]
    with pytest.raises(HttpError) as caught:
        new_client().request("GET", "/x")
    assert words in caught.value.message
    assert caught.value.code == code


def test_a_web_page_instead_of_json(counter: Counter, new_client: NewClient) -> None:
    counter.answers = [Answer(200, b"<html>login</html>", "text/html")]
    with pytest.raises(HttpError, match="web page instead of JSON; is the configured URL right"):
        new_client().request("GET", "/x")


def test_redirects_are_not_followed(counter: Counter, new_client: NewClient) -> None:
    counter.answers = [Answer(302, headers={"Location": "/login"})]
    with pytest.raises(HttpError, match="redirected to /login"):
        new_client().request("GET", "/x")


def test_nobody_there() -> None:
    client = HttpClient(Access("http://127.0.0.1:9"), Redactor(), attempts=1)
    with pytest.raises(HttpError, match="connection refused"):
        client.request("GET", "/x")


CREDENTIALS: dict[str, tuple[dict[str, Any], str]] = {
    "token": ({"token": Secret("env:T", "abc")}, "Bearer abc"),
    "basic": ({"user": "me", "password": Secret("env:P", "pw")}, "Basic bWU6cHc="),
    "none": ({}, ""),
}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_credentials(
    name: str, url: str, server: Server, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, header = CREDENTIALS[name]
    # A ~/.netrc must not add credentials of its own.
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    HttpClient(Access(url, headers={"X-Team": "a"}, **keys), Redactor()).request("GET", "/x")
    assert server.seen[0].headers.get("authorization", "") == header
    assert server.seen[0].headers["x-team"] == "a"


def test_a_proxy_is_used(url: str, server: Server) -> None:
    client = HttpClient(Access("http://grafana.invalid", proxy=url), Redactor())
    client.request("GET", "/api/health")
    assert server.seen[0].headers["host"] == "grafana.invalid"
