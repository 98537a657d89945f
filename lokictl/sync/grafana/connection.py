"""The requests to one Grafana, and what its version says of its API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokictl.http import HttpClient, HttpError
from lokictl.records import dataclass

FIRST_WITH_UIDS_EVERYWHERE = 9
FIRST_WITH_EQUAL_TITLES = 11
FIRST_WITH_RESOURCES = 12
PAGE = 500


@dataclass
class Connection:
    """One organization of a Grafana; every method may raise `HttpError`."""

    client: HttpClient
    organisation: int = 0
    version: str = ""

    def connect(self) -> None:
        """Asks for the version; nothing else is known to answer without credentials."""
        health = self.get("/api/health")
        if not isinstance(health, dict) or "database" not in health:
            message = "not a Grafana server; check the configured URL"
            raise HttpError("GET", "/api/health", 200, message)
        self.version = str(health.get("version") or "")

    @property
    def major(self) -> int:
        """The first part of the version; a large number where Grafana hides it."""
        first = self.version.partition(".")[0]
        return int(first) if first.isdigit() else 1000

    @property
    def has_uids_everywhere(self) -> bool:
        """Whether folders and data sources can be written by uid."""
        return self.major >= FIRST_WITH_UIDS_EVERYWHERE

    @property
    def titles_are_unique(self) -> bool:
        """Whether a folder holds a title once."""
        return self.major < FIRST_WITH_EQUAL_TITLES

    def headers(self) -> dict[str, str]:
        return {"X-Grafana-Org-Id": str(self.organisation)} if self.organisation else {}

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        return self.client.request("GET", path, query=query, headers=self.headers()).json()

    def get_or_none(self, path: str) -> Any:
        try:
            return self.get(path)
        except HttpError as error:
            if error.status == 404:
                return None
            raise

    def send(self, method: str, path: str, body: Any) -> dict[str, Any]:
        # Sending it again is safe: everything has a uid, and updates name the version they replace.
        answer = self.client.request(method, path, body=body, headers=self.headers(), idempotent=True)
        found = answer.json() if answer.body else {}
        return found if isinstance(found, dict) else {}

    def searched(self, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        page = 1
        while True:
            found = self.get("/api/search", {**query, "limit": PAGE, "page": page})
            rows += found
            if len(found) < PAGE:
                return rows
            page += 1
