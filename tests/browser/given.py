"""A Grafana that is already there (``GRAFANA_URL``): the content goes in by its API, and comes out again afterwards.

It must reach this machine's loopback address, as a container with the host's network does.  ``GRAFANA_TOKEN``, or
``GRAFANA_USER`` and ``GRAFANA_PASSWORD`` (admin, admin), may do everything there.
"""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import requests

from lokictl.model import DataSource
from tests.dashboards.run import dashboards
from tests.stack.road import PROJECT

URL = os.environ.get("GRAFANA_URL", "").rstrip("/")
FOLDER = "lokictl-browser-test"


def headers() -> dict[str, str]:
    """Who we are there."""
    token = os.environ.get("GRAFANA_TOKEN", "")
    if token:
        return {"Authorization": f"Bearer {token}"}
    pair = f"{os.environ.get('GRAFANA_USER', 'admin')}:{os.environ.get('GRAFANA_PASSWORD', 'admin')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


class Api:
    """Grafana's HTTP API."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.headers.update(headers())

    def ask(self, method: str, path: str, body: Any = None, *, accept: tuple[int, ...] = (200,)) -> Any:
        """The answer's JSON; AssertionError where the status is not among those to ``accept``."""
        answer = self.session.request(method, f"{URL}/api/{path}", json=body, timeout=30)
        assert answer.status_code in accept, (
            f"{method} {URL}/api/{path}: {answer.status_code} {answer.text[:300]}"
        )
        return answer.json()


@contextlib.contextmanager
def filled(environment: Mapping[str, str]) -> Iterator[str]:
    """The Grafana with the project's data sources and dashboards in a folder of their own: its URL."""
    api = Api()
    ours = {source.uid for source in PROJECT.datasources} | set(dashboards())
    there = {item["uid"] for path in ("datasources", "search?type=dash-db") for item in api.ask("GET", path)}
    assert not ours & there, (
        f"{URL} already has {', '.join(sorted(ours & there))}, which the tests would replace: use an empty Grafana"
    )
    with contextlib.ExitStack() as undo:
        for source in PROJECT.datasources:
            api.ask("POST", "datasources", source.with_environment(environment))
            undo.callback(api.ask, "DELETE", f"datasources/uid/{source.uid}")
        for source in PROJECT.datasources:
            for correlation in correlations(source):
                api.ask("POST", f"datasources/uid/{source.uid}/correlations", correlation)
        api.ask("POST", "folders", {"uid": FOLDER, "title": FOLDER})
        undo.callback(api.ask, "DELETE", f"folders/{FOLDER}?forceDeleteRules=true")
        for model in dashboards().values():
            api.ask("POST", "dashboards/db", {"dashboard": {**model, "id": None}, "folderUid": FOLDER})
        yield URL


def correlations(source: DataSource) -> list[dict[str, Any]]:
    """A data source's correlations as the API takes them: ``$`` is not doubled there."""
    single: list[dict[str, Any]] = _single_dollars(list(source.correlations))
    return single


def _single_dollars(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, Mapping):
        return {key: _single_dollars(item) for key, item in value.items()}
    return [_single_dollars(item) for item in value] if isinstance(value, list | tuple) else value
