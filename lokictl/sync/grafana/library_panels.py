"""Library panels: panels that several dashboards show."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from lokictl.records import dataclass
from lokictl.sync.grafana.connection import Connection
from lokictl.sync.grafana.folders import folder_uid_of
from lokictl.sync.plan import Key, Live, Resource, Written
from lokictl.sync.resource_api import edited

# The number of this kind of library elements, and how many of them an answer may have.
LIBRARY_PANELS = 1
LIBRARY_PAGE = 100


@dataclass
class LibraryPanels:
    """The library of one organization."""

    connection: Connection

    def read(self, key: Key) -> Live | None:
        """One library panel; None if it does not exist."""
        found = self.connection.get_or_none(f"/api/library-elements/{quote(key.name, safe='')}")
        if found is None:
            return None
        item = found["result"]
        meta = item.get("meta") or {}
        body = {
            "uid": key.name,
            "name": item.get("name", ""),
            "model": item.get("model") or {},
            "connections": int(meta.get("connectedDashboards") or 0),
        }
        return Live(
            key,
            str(item.get("name", "")),
            body,
            folder_uid_of({"folderUid": item.get("folderUid") or meta.get("folderUid")}),
            int(item.get("version") or 0),
            int(item.get("id") or 0),
            edited=edited((meta.get("updatedBy") or {}).get("name"), meta.get("updated")),
        )

    def all(self) -> list[str]:
        """The uids of all library panels."""
        uids: list[str] = []
        page = 1
        while True:
            query = {"kind": LIBRARY_PANELS, "perPage": LIBRARY_PAGE, "page": page}
            found = (self.connection.get("/api/library-elements", query).get("result") or {}).get(
                "elements"
            ) or []
            uids += [str(item.get("uid")) for item in found]
            if len(found) < LIBRARY_PAGE:
                return uids
            page += 1

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates it, or replaces ``live``."""
        body: dict[str, Any] = {
            "name": resource.title,
            "kind": LIBRARY_PANELS,
            "model": {**resource.body["model"]},
            "folderUid": resource.folder,
        }
        if live is None:
            answer = self.connection.send("POST", "/api/library-elements", {**body, "uid": resource.key.name})
        else:
            path = f"/api/library-elements/{quote(resource.key.name, safe='')}"
            answer = self.connection.send("PATCH", path, {**body, "version": live.version})
        item = answer.get("result") or {}
        return Written(int(item.get("version") or 0), int(item.get("id") or 0))

    def delete(self, live: Live) -> None:
        """Deletes a library panel that no dashboard shows."""
        self.connection.send("DELETE", f"/api/library-elements/{quote(live.key.name, safe='')}", None)
