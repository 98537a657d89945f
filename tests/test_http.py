"""The HTTP client: over real sockets, with everything that can go wrong there."""

from __future__ import annotations

import contextlib
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.http import Access, HttpClient, HttpError, access_of
from lokictl.secrets import Redactor, Secret
from tests.sync.fakes.http import Answer, Request, Server, json_answer, serving

NewClient = Callable[..., HttpClient]


class Counter:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.count = 0
        self.answers: list[Answer] = []
        self.bodies: list[bytes] = []

    def handle(self, request: Request) -> Answer:
        self.count += 1
        self.bodies.append(request.body)
        return self.answers.pop(0) if self.answers else json_answer(200, {"count": self.count})


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def server(counter: Counter) -> Server:
    return Server(counter)


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    # Much longer than any client here waits.
    with serving(server, slow=60) as url:
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
        return HttpClient(access, redactor, **{"timeout": 60.0, "sleep": pauses.append, **options})

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


ODD_JSON: dict[str, tuple[bytes, str]] = {
    "not a number": (b"[NaN, Infinity]", "[nan, inf]"),
    "byte order mark": (b"\xef\xbb\xbf[1]", "[1]"),
    "half of a surrogate pair": (rb'["\ud800"]', r"['\ud800']"),
    "UTF-16": ("[1]".encode("utf-16"), "[1]"),
}


@pytest.mark.parametrize("name", ODD_JSON)
def test_json_that_only_some_libraries_read(name: str, counter: Counter, new_client: NewClient) -> None:
    body, value = ODD_JSON[name]
    counter.answers = [Answer(200, body)]
    assert repr(new_client().request("GET", "/x").json()) == value


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413, 422, 500])
def test_other_errors_are_not_repeated(status: int, counter: Counter, new_client: NewClient) -> None:
    counter.answers = [json_answer(status, {"message": "no", "status": "code"})]
    with pytest.raises(HttpError) as caught:
        new_client().request("GET", "/x")
    assert (caught.value.status, caught.value.code, counter.count) == (status, "code", 1)


def test_a_locked_database_is_tried_again(counter: Counter, new_client: NewClient) -> None:
    counter.answers = [json_answer(500, {"message": "database is locked"})]
    assert new_client().request("GET", "/x").json() == {"count": 2}


def test_a_limit_that_waiting_does_not_change_is_not_tried_again(
    counter: Counter, new_client: NewClient
) -> None:
    counter.answers = [json_answer(429, {"message": "Maximum active stream limit exceeded"})]
    with pytest.raises(HttpError, match="active stream limit"):
        new_client().request("GET", "/x")
    assert counter.count == 1


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_exchange_gives_answers_of_any_status(
    status: int, counter: Counter, new_client: NewClient
) -> None:
    counter.answers = [json_answer(status, {"message": "no"})] * 2
    answer = new_client(attempts=2).exchange("GET", "/x")
    assert (answer.status, answer.ok, answer.json()) == (status, False, {"message": "no"})
    assert counter.count == (2 if status == 503 else 1)


def test_an_exchange_follows_no_redirect(counter: Counter, new_client: NewClient) -> None:
    counter.answers = [Answer(302, headers={"Location": "/login"})]
    with pytest.raises(HttpError, match="redirected to /login"):
        new_client().exchange("GET", "/x")


@pytest.mark.parametrize("fault, tries", [("late", 1), ("cut", 2), ("refuse", 2), ("busy", 2)])
def test_failing_fast_does_not_wait_for_a_server_that_does_not_answer(
    fault: str, tries: int, server: Server, new_client: NewClient, pauses: list[float]
) -> None:
    server.next_faults = [fault]
    client = new_client(timeout=0.1 if fault == "late" else 60.0, fail_fast=True)
    with contextlib.suppress(HttpError):
        client.request("GET", "/x")
    assert len(pauses) == tries - 1


def test_failing_fast_asks_a_server_that_is_not_there_once(pauses: list[float]) -> None:
    client = HttpClient(Access("http://127.0.0.1:9"), Redactor(), fail_fast=True, sleep=pauses.append)
    with pytest.raises(HttpError, match="connection refused"):
        client.request("GET", "/x")
    assert pauses == []


@pytest.mark.parametrize("body", [b"\x00\x01", "{a: b}", {"a": "b"}, None])
def test_strings_and_bytes_are_sent_as_they_are(body: Any, counter: Counter, new_client: NewClient) -> None:
    new_client().request("POST", "/x", body=body)
    sent = {dict: b'{"a": "b"}', str: b"{a: b}", bytes: b"\x00\x01", type(None): b""}[type(body)]
    assert counter.bodies == [sent]


URLS = {
    "http://localhost:3100/": ("http://localhost:3100", "", ""),
    "localhost:3100": ("http://localhost:3100", "", ""),
    "https://me:p%40ss@loki.example/base/": ("https://loki.example/base", "me", "p@ss"),
    "http://me@[::1]:3100": ("http://[::1]:3100", "me", ""),
}


@pytest.mark.parametrize("url", URLS)
def test_urls_with_credentials(url: str) -> None:
    access, redactor = access_of(url)
    password = access.password.reveal() if access.password else ""
    assert (access.url, access.user, password) == URLS[url]
    assert not password or password not in redactor.text(f"the password is {password}")


@pytest.mark.parametrize("url", ["http://", "ftp://user:secret@x", "http://x:port", "", "http://[::1"])
def test_what_is_not_a_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(LokictlError, match="not a URL") as caught:
        access_of(url)
    assert "secret" not in str(caught.value)


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


def test_an_unreachable_server() -> None:
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


# --- what goes wrong before there is an answer -----------------------------------------------------------------


class Tls:
    """A server with a certificate of a CA of its own."""

    def __init__(self, folder: Path, name: str = "localhost", *, days: int = 30) -> None:
        self.ca, self.certificate = folder / "ca.pem", folder / "server.pem"
        self.key = folder / "server.key"
        make_certificates(folder, name, days)

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        class Hello(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        with HTTPServer(("127.0.0.1", 0), Hello) as listener:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate, self.key)
            listener.socket = context.wrap_socket(listener.socket, server_side=True)
            threading.Thread(
                target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
            ).start()
            yield f"https://localhost:{listener.server_port}"
            listener.shutdown()


def make_certificates(folder: Path, name: str, days: int) -> None:
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Test CA"
    )
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", f"/CN={name}")
    (folder / "extensions").write_text(f"subjectAltName=DNS:{name}\n")
    dates = ["-days", str(days)] if days > 0 else ["-days", "1"]
    if days <= 0:
        dates = ["-not_before", "20200101000000Z", "-not_after", "20200102000000Z"]
    ca = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions")
    openssl("x509", "-req", "-in", "server.csr", *ca, "-out", "server.pem", *dates)


NEEDS_OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not on PATH")


@NEEDS_OPENSSL
@pytest.mark.parametrize("variable", ["", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_configured_ca_wins_over_the_environment(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    tls = Tls(tmp_path / "own")
    make_certificates(tmp_path / "other", "localhost", 30)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "other" / "ca.pem"))
    with tls.serving() as url:
        for access in (Access(url, ca_file=str(tls.ca)), Access(url, insecure=True)):
            assert HttpClient(access, Redactor(), attempts=1).request("GET", "/x").status == 200
        with pytest.raises(HttpError) as caught:
            HttpClient(Access(url), Redactor(), attempts=1).request("GET", "/x")
        assert caught.value.message == (
            "the certificate of localhost is not trusted; set tls.ca to the CA that signed it"
        )
    if variable:
        monkeypatch.setenv(variable, str(tls.ca))
        with tls.serving() as url:
            assert HttpClient(Access(url), Redactor(), attempts=1).request("GET", "/x").status == 200


@NEEDS_OPENSSL
def test_tls_errors(tmp_path: Path) -> None:
    with Tls(tmp_path, "example.com").serving() as url:
        access = Access(url, ca_file=str(tmp_path / "ca.pem"))
        assert failure(access) == "the certificate of localhost is for another name"
    server = Server(Counter())
    with serving(server) as plain:
        words = failure(Access(plain.replace("http://", "https://")))
        assert "does not speak TLS on this port; is the URL http:// instead of https://?" in words
        missing = Access(plain.replace("http://", "https://"), ca_file=str(tmp_path / "none.pem"))
        assert "check tls.ca" in failure(missing)


def failure(access: Access) -> str:
    with pytest.raises(HttpError) as caught:
        HttpClient(access, Redactor(), attempts=1, timeout=60.0).request("GET", "/x")
    words = caught.value.message
    assert not [
        text for text in ("urllib3", "HTTPConnection", "Max retries", "object at", "Errno") if text in words
    ]
    return words


def test_errors_of_names_and_proxies(url: str) -> None:
    assert failure(Access("http://name.invalid:1")) == "the host name name.invalid cannot be resolved"
    assert failure(Access("http://127.0.0.1:9")) == "connection refused (127.0.0.1:9)"
    assert "the proxy: connection refused" in failure(Access("http://g.invalid", proxy="http://127.0.0.1:9"))
    assert "the proxy: its name cannot be resolved" in failure(Access("http://g", proxy="http://p.invalid:1"))
    refused = failure(Access("https://grafana.invalid", proxy=url))
    assert refused.startswith("the proxy refused to connect to grafana.invalid: 501")


def test_a_proxy_that_requires_credentials() -> None:
    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            self.send_error(407)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Proxy) as listener:
        threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        words = failure(Access("https://grafana.invalid", proxy=f"http://127.0.0.1:{listener.server_port}"))
        listener.shutdown()
    assert "407" in words
    assert "it wants credentials" in words


def test_requests_are_logged_without_secrets(
    new_client: NewClient, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    caplog.set_level("INFO", logger="lokictl.http")
    new_client().request("POST", "/x", query={"limit": 1}, body={"a": "a-very-secret-token"})
    (record,) = caplog.records
    words = record.getMessage()
    assert re.fullmatch(rf"POST {url}/x: 200 in \d+\.\d\d s", words)
    assert "a-very-secret-token" not in words
