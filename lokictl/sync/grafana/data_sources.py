"""Data sources, with a mark of the project that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any
from urllib.parse import quote

from lokictl.records import dataclass
from lokictl.secrets import fingerprint
from lokictl.sync.grafana.connection import Connection
from lokictl.sync.normal_form import DATA_SOURCE_DEFAULTS, MARK, digest
from lokictl.sync.plan import Key, Live, Resource, Written


@dataclass
class DataSources:
    """``owner`` goes into the data sources that are written, so that they are known even if the record is lost."""

    connection: Connection
    owner: Mapping[str, str] = field(default_factory=dict)

    def read(self, key: Key) -> Live | None:
        """One data source, without its secrets; None if it does not exist."""
        found = self.connection.get_or_none(f"/api/datasources/uid/{quote(key.name, safe='')}")
        if found is None:
            return None
        body = {name: found.get(name) for name in (*DATA_SOURCE_DEFAULTS, "jsonData") if name in found}
        secret_fields = sorted(
            name for name, is_set in (found.get("secureJsonFields") or {}).items() if is_set
        )
        read_only = (
            "provisioned from a file of Grafana's, so it cannot be saved" if found.get("readOnly") else ""
        )
        return Live(
            key,
            str(found.get("name", "")),
            {"uid": key.name, **body, "secureJsonFields": secret_fields},
            "",
            int(found.get("version") or 0),
            int(found.get("id") or 0),
            read_only,
        )

    def all(self) -> list[dict[str, Any]]:
        """All data sources, in the short form of the list."""
        found = self.connection.get("/api/datasources")
        return [dict(item) for item in found]

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates it, or replaces ``live``."""
        body = {**DATA_SOURCE_DEFAULTS, "jsonData": {}, **resource.body, "uid": resource.key.name}
        body.pop("secureJsonFields", None)
        if self.owner:
            body["jsonData"] = {**body["jsonData"], MARK: self._mark(resource)}
        if resource.secrets:
            body["secureJsonData"] = {name: secret.reveal() for name, secret in resource.secrets.items()}
        if live is None:
            answer = self.connection.send("POST", "/api/datasources", body)
        else:
            answer = self.connection.send("PUT", self._path(live), {**body, "version": live.version})
        stored = answer.get("datasource") or {}
        return Written(int(stored.get("version") or 0), int(stored.get("id") or answer.get("id") or 0))

    def _mark(self, resource: Resource) -> dict[str, str]:
        secrets = {"secrets": fingerprint(resource.secrets)} if resource.secrets else {}
        return {**self.owner, "digest": digest(resource), **secrets}

    def rename(self, live: Live) -> None:
        """Gives a data source the name that ``live`` has; its secrets stay."""
        body = {key: value for key, value in live.body.items() if key != "secureJsonFields"}
        self.connection.send("PUT", self._path(live), {**body, "uid": live.key.name, "version": live.version})

    def _path(self, live: Live) -> str:
        """Where a data source is written."""
        has_uids = self.connection.has_uids_everywhere
        return f"/api/datasources/uid/{live.key.name}" if has_uids else f"/api/datasources/{live.number}"

    def delete(self, live: Live) -> None:
        """Deletes a data source."""
        self.connection.send("DELETE", f"/api/datasources/uid/{quote(live.key.name, safe='')}", None)
