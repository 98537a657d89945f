"""Pushing sample logs, against a small HTTP server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.sample import SampleEntry
from lokictl.sample.output import BATCH, push_entries

ENTRIES = [SampleEntry({"service": "web"}, number, f"line {number}") for number in range(BATCH + 10)]


class Receiver(BaseHTTPRequestHandler):
    """Answers every push with ``status`` and remembers it."""

    requests: list[tuple[str, str | None, dict[str, object]]]
    status: int
    answer: str

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append((self.path, self.headers.get("X-Scope-OrgID"), body))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.answer.encode())

    def log_message(self, *arguments: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def receiver() -> Iterator[tuple[str, type[Receiver]]]:
    handler = type("OneReceiver", (Receiver,), {"requests": [], "status": 204, "answer": ""})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


def test_batches_with_the_tenant(receiver) -> None:
    url, handler = receiver
    assert push_entries(url + "/", ENTRIES, tenant="demo") == len(ENTRIES)
    assert [(path, tenant) for path, tenant, _ in handler.requests] == [("/loki/api/v1/push", "demo")] * 2
    lengths = [len(body["streams"][0]["values"]) for _, _, body in handler.requests]
    assert lengths == [BATCH, 10]


@pytest.mark.parametrize(
    "status, answer, hint",
    [
        (401, "no org id", "add --tenant"),
        (400, "entry too far behind", "shorten --since"),
        (429, "ingestion rate limit exceeded", "lower --rate"),
        (500, "broken", ""),
    ],
)
def test_a_refusal_says_why(receiver, status: int, answer: str, hint: str) -> None:
    url, handler = receiver
    handler.status, handler.answer = status, answer
    with pytest.raises(LokictlError) as caught:
        push_entries(url, ENTRIES[:3])
    (problem,) = caught.value.problems
    assert answer in problem.message
    assert hint in problem.hint


def test_an_unreachable_server() -> None:
    with pytest.raises(LokictlError, match=r"cannot reach http://127\.0\.0\.1:9"):
        push_entries("http://127.0.0.1:9", ENTRIES[:3])
