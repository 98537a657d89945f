"""The HTTP connection of a history to its Loki."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from lokictl.backtest.loki_history import LokiHistory, RefusedError
from lokictl.diagnostics import LokictlError, Problem
from lokictl.http import Access, HttpClient, HttpError
from lokictl.secrets import Redactor, Secret

TENANT_HEADER = "X-Scope-OrgID"
LONG_QUERY = 4_000


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
        sent = dict(headers or {})
        if self.tenant:
            sent[TENANT_HEADER] = self.tenant
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


def access_of(url: str) -> tuple[Access, Redactor]:
    """How a Loki is reached whose URL may hold a user and a password.  Raises `LokictlError`."""
    redactor = Redactor()
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        message = f'"{url.rpartition("@")[2]}" is not the URL of a Loki'
        raise LokictlError(Problem("backtest/url", message, hint="write it as http://localhost:3100"))
    host = parts.hostname if ":" not in parts.hostname else f"[{parts.hostname}]"
    place = f"{host}:{parts.port}" if parts.port else host
    plain = urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
    password = None
    if parts.password is not None:
        password = redactor.add(Secret("url", unquote(parts.password)))
    return Access(plain, user=unquote(parts.username or ""), password=password), redactor
