"""A Jaeger that is on PATH, started with the rendered configuration."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import yaml

from stack import jaeger
from stack.figures import PORTS, Ports
from tests.stack.servers import free_ports, program, server

USED = [
    *(
        "jaeger_ui",
        "jaeger_collector",
        "jaeger_compact_udp",
        "jaeger_metrics",
        "jaeger_health",
        "span_metrics",
    ),
    *("otlp_grpc", "otlp_http", "jaeger_query_grpc"),
]


@dataclasses.dataclass(frozen=True)
class Jaeger:
    """A running Jaeger: its ports, and the folder of its traces."""

    ports: Ports
    folder: Path

    def url(self, name: str, path: str) -> str:
        return f"http://127.0.0.1:{getattr(self.ports, name)}{path}"

    def trace(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of a trace; none as long as it does not know the trace."""
        answer = requests.get(self.url("jaeger_ui", f"/api/traces/{trace_id}"), timeout=60)
        return answer.json()["data"][0]["spans"] if answer.ok else []


@contextlib.contextmanager
def running(folder: Path, *, flush: str = "1s") -> Iterator[Jaeger]:
    """Jaeger with the rendered configuration; addresses, the folder and the pace are this machine's.

    ``flush`` is how often span metrics are renewed: an exemplar is there until the next time.
    """
    ports = dataclasses.replace(PORTS, **dict(zip(USED, free_ports(len(USED)), strict=True)))
    file = folder / jaeger.CONFIG_FILE
    config = jaeger.configuration(str(folder / "data"), ports=ports, host="127.0.0.1")
    config["connectors"]["spanmetrics"]["metrics_flush_interval"] = flush
    file.write_text(yaml.safe_dump(config))
    found = Jaeger(ports, folder)
    command: list[str | Path] = [program("jaeger") or "", f"--config={file}"]
    with server(command, found.url("jaeger_health", "/status"), folder / "jaeger.log"):
        yield found
