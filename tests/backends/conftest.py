"""A Loki for the tests of the backends: the HTTP interface of one, answered by the embedded engine."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lokictl.engine import Engine, EngineError, LogStore
from lokictl.logql.errors import LogQLError


class FakeLoki:
    """What the fake does: ``tenants`` as a Loki with auth_enabled; lines before ``oldest`` (ns) are refused;
    lines become visible with the flush if ``needs_flush``, after ``delay`` counts otherwise."""

    def __init__(self) -> None:
        self.tenants = True
        self.oldest = 0
        self.needs_flush = False
        self.flush_status = 204
        self.delay = 0
        self.ready = True
        self.broken: dict[str, tuple[int, str]] = {}
        self.pushes: list[tuple[str | None, dict[str, Any]]] = []
        self.requests: list[tuple[str, str, str | None]] = []
        self.stores: dict[str, LogStore] = {}
        self.hidden: list[tuple[str, dict[str, Any]]] = []
        self.url = ""

    def handle(
        self, method: str, path: str, parameters: dict[str, str], tenant: str | None, body: bytes
    ) -> tuple[int, str]:
        self.requests.append((method, path, tenant))
        if path in self.broken:
            return self.broken[path]
        if path == "/ready":
            return (200, "ready") if self.ready else (503, "Ingester not ready")
        if path == "/flush":
            if self.flush_status == 204:
                self._show()
            return self.flush_status, ""
        if path == "/loki/api/v1/status/buildinfo":
            return 404, "page not found"
        if self.tenants and not tenant:
            return 401, "no org id\n"
        if path == "/loki/api/v1/labels":
            return 200, '{"status": "success"}'
        if path == "/loki/api/v1/push":
            return self._push(tenant or "", json.loads(body))
        return self._query(path, parameters, tenant or "")

    def _push(self, tenant: str, body: dict[str, Any]) -> tuple[int, str]:
        self.pushes.append((tenant, body))
        for stream in body["streams"]:
            if not stream["stream"]:
                return 400, "error at least one label pair is required per stream"
            if any(int(value[0]) < self.oldest for value in stream["values"]):
                return (
                    400,
                    "entry for stream '{}' has timestamp too old: 1970-01-01, oldest acceptable is: today",
                )
            self.hidden.append((tenant, stream))
        if not self.needs_flush and not self.delay:
            self._show()
        return 204, ""

    def _show(self) -> None:
        for tenant, stream in self.hidden:
            entries = [(int(value[0]), *value[1:]) for value in stream["values"]]
            self.stores.setdefault(tenant, LogStore()).push(stream["stream"], entries)
        self.hidden.clear()

    def _query(self, path: str, parameters: dict[str, str], tenant: str) -> tuple[int, str]:
        if self.delay:
            self.delay -= 1
            if not self.delay:
                self._show()
        engine = Engine(self.stores.setdefault(tenant, LogStore()))
        try:
            if path.endswith("query_range"):
                result = engine.query_range(
                    parameters["query"],
                    start=int(parameters["start"]),
                    end=int(parameters["end"]),
                    step=int(float(parameters.get("step", "1")) * 1e9),
                    limit=int(parameters["limit"]),
                    direction=parameters["direction"],
                )
            else:
                result = engine.query(parameters["query"], time=int(parameters["time"]))
        except LogQLError as error:
            return 400, f"{error}\n"
        except EngineError as error:
            return error.status, f"{error}\n"
        return 200, json.dumps({"status": "success", "data": result.to_loki()})


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serves an object with a ``handle`` method; the URL."""
    servers: list[ThreadingHTTPServer] = []

    def start(fake: Any) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                text = address.query
                if "form-urlencoded" in (self.headers.get("Content-Type") or ""):
                    text = body.decode()
                parameters = {name: values[0] for name, values in parse_qs(text).items()}
                tenant = self.headers.get("X-Scope-OrgID")
                status, answer = fake.handle(self.command, address.path, parameters, tenant, body)
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer.encode())))
                self.end_headers()
                if status != 204:
                    self.wfile.write(answer.encode())

            do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                """Nothing on standard error."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def fake_loki(serve: Callable[[Any], str]) -> FakeLoki:
    """A running fake; set its attributes before use."""
    fake = FakeLoki()
    fake.url = serve(fake)
    return fake
