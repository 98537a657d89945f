"""The HTTP connection of a history to its Loki."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from lokictl.backtest.loki_history import LokiHistory, RefusedError
from lokictl.http import Access, HttpClient, HttpError
from lokictl.loki_api import tenant_headers
from lokictl.records import dataclass
from lokictl.secrets import Redactor


@dataclass
class HttpApi:
    """A Loki over HTTP: retries, credentials and TLS are those of `HttpClient`."""

    client: HttpClient
    tenant: str = ""
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.url = self.client.redactor.text(self.client.access.url)

    def get(self, path: str, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Any:
        """The JSON that was answered.  Raises `RefusedError`."""
        sent = {**(headers or {}), **tenant_headers(self.tenant)}
        try:
            return self.client.request("GET", path, query=dict(parameters), headers=sent).json()
        except HttpError as error:
            raise RefusedError(error.status, error.message) from None


def open_loki(
    access: Access,
    *,
    tenant: str = "",
    jobs: int = 4,
    timeout: float = 120.0,
    redactor: Redactor | None = None,
) -> LokiHistory:
    """The history of a Loki, connected.  Raises `BackendError` where it cannot be used."""
    client = HttpClient(access, redactor or Redactor(), timeout=timeout)
    history = LokiHistory(HttpApi(client, tenant), tenant, jobs)
    history.connect()
    return history
