"""Requests, answers and faults; the fakes behind real sockets, or plugged into `requests` directly."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import requests
import requests.adapters
import urllib3


@dataclass(frozen=True)
class Request:
    """``path`` is as it was sent, still escaped; header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def json_answer(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode())


class Fake(Protocol):
    def handle(self, request: Request) -> Answer: ...


# What can go wrong with one request:
#   refuse  the connection is closed, nothing is done      drop   nothing is done, and no answer comes
#   cut     it is done, the answer breaks off              twice  it is done twice, the second answer comes
#   late    it is done, the client has given up            later  as late, but it is done only after other requests
#   slow    it is done, the answer takes a while           busy / limited / broken: 503, 429, 502, nothing is done
FAULTS = ("refuse", "drop", "cut", "twice", "late", "later", "slow", "busy", "limited", "broken")
STATUSES = {"busy": (503, "0"), "limited": (429, "0"), "broken": (502, "")}


@dataclass
class Server:
    """A fake with its log and its faults: ``next_faults`` are used up first, ``choose`` decides on the others."""

    fake: Fake
    choose: Callable[[Request], str] = lambda request: ""
    next_faults: list[str] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    delay: float = 0.0
    deferred: list[Request] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fault(self, request: Request) -> str:
        with self.lock:
            self.log.append((request.method, request.path))
            self.seen.append(request)
            if self.next_faults:
                return self.next_faults.pop(0)
            return self.choose(request)

    def handle(self, request: Request, times: int = 1) -> Answer:
        with self.lock:
            answer = self.fake.handle(request)
            for _ in range(times - 1):
                answer = self.fake.handle(request)
            return answer

    def settle(self) -> None:
        """Does what was put off."""
        with self.lock:
            waiting, self.deferred[:] = list(self.deferred), []
        for request in waiting:
            self.handle(request)

    def writes(self) -> list[tuple[str, str]]:
        return [entry for entry in self.log if entry[0] not in ("GET", "HEAD")]


class Adapter(requests.adapters.BaseAdapter):
    """Answers requests in this process: the same as the socket server, without sockets and without waiting."""

    def __init__(self, servers: dict[str, Server]) -> None:
        super().__init__()
        self.servers = servers

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        parts = urlsplit(str(request.url))
        server = self.servers[str(parts.hostname)]
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Request(str(request.method), parts.path, dict(parse_qsl(parts.query)), headers, body)
        fault = server.fault(asked)
        if fault == "refuse":
            raise requests.ConnectionError("Connection refused")
        if fault == "drop":
            raise requests.ReadTimeout("read timed out")
        if fault == "later":
            server.deferred.append(asked)
            raise requests.ReadTimeout("read timed out")
        if fault in STATUSES:
            return self._response(request, failure(fault))
        answer = server.handle(asked, 2 if fault == "twice" else 1)
        if server.deferred and asked.method == "GET" and len(server.log) % 3 == 0:
            server.settle()
        if fault == "late":
            raise requests.ReadTimeout("read timed out")
        if fault == "cut":
            raise requests.exceptions.ChunkedEncodingError("Connection broken: IncompleteRead")
        return self._response(request, answer)

    def _response(self, request: requests.PreparedRequest, answer: Answer) -> requests.Response:
        headers = urllib3.HTTPHeaderDict({"Content-Type": answer.content_type, **answer.headers})
        raw = urllib3.HTTPResponse(
            io.BytesIO(answer.body),
            headers,
            answer.status,
            preload_content=False,
            enforce_content_length=False,
        )
        response = requests.adapters.HTTPAdapter().build_response(request, raw)  # type: ignore[no-untyped-call]
        response.content  # noqa: B018 - reads the body
        return response  # type: ignore[no-any-return]

    def close(self) -> None:
        pass


def failure(fault: str) -> Answer:
    status, pause = STATUSES[fault]
    return Answer(status, b"try later", "text/plain", {"Retry-After": pause} if pause else {})


@contextmanager
def serving(server: Server, *, slow: float = 0.2) -> Iterator[str]:
    """Serves the fake on a port of this machine; gives its URL.  ``slow`` is how long a slow answer takes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            asked = Request(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
            fault = server.fault(asked)
            if server.delay:
                time.sleep(server.delay)
            self._answer(asked, fault)

        def _answer(self, asked: Request, fault: str) -> None:
            if fault in ("refuse", "drop", "later"):
                if fault == "later":
                    server.deferred.append(asked)
                if fault != "refuse":
                    time.sleep(slow)
                self.close_connection = True
                return
            answer = (
                failure(fault) if fault in STATUSES else server.handle(asked, 2 if fault == "twice" else 1)
            )
            if fault in ("late", "slow"):
                time.sleep(slow)
            self._send(answer, cut=fault == "cut")

        def _send(self, answer: Answer, *, cut: bool) -> None:
            try:
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
                self.wfile.flush()
            except OSError:
                self.close_connection = True
            if cut:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    with Listener(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_port}"
        finally:
            listener.shutdown()
            thread.join()
