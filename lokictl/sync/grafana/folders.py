"""Folders: where they are, what they hold, who may do what in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any
from urllib.parse import quote

from lokictl.http import HttpError
from lokictl.records import dataclass
from lokictl.sync.grafana.connection import FIRST_WITH_RESOURCES, Connection
from lokictl.sync.plan import Key, Kind, Live, Resource, Written
from lokictl.sync.resource_api import FILE_MANAGER, OUR_MANAGER, edited, managed_words

# How often, and with which pause in seconds, a folder is looked at before it counts as not empty: searches of
# newer versions lag behind.
LOOKS, PAUSE = 4, 0.5
PERMISSION_NUMBERS = {"View": 1, "Edit": 2, "Admin": 4}
_COUNTED = {"alertrule": "alert rule", "librarypanel": "library panel", "library_elements": "library panel"}


@dataclass
class Folders:
    """``with_permissions`` are the uids of folders whose permissions are read and written, too.

    ``numbers`` are the ids of the folders that were read, by uid.
    """

    connection: Connection
    with_permissions: frozenset[str] = frozenset()
    numbers: dict[str, int] = field(default_factory=dict)
    _visible: frozenset[str] | None = None

    def read(self, key: Key) -> Live | None:
        """One folder; None if it does not exist."""
        try:
            found = self.connection.get_or_none(f"/api/folders/{quote(key.name, safe='')}")
        except HttpError as error:
            # To everybody but an admin, a folder that does not exist is one that must not be read.
            if error.status == 403 and key.name not in self._in_sight():
                return None
            raise
        if found is None:
            return None
        self.numbers[key.name] = int(found.get("id") or 0)
        manager = managed(found.get("managedBy"))
        body = {"uid": key.name, "title": found.get("title", "")}
        if key.name in self.with_permissions:
            body["permissions"] = self._permissions(key.name)
        return Live(
            key,
            str(found.get("title", "")),
            body,
            str(found.get("parentUid") or ""),
            int(found.get("version") or 0),
            int(found.get("id") or 0),
            manager,
            edited(found.get("updatedBy"), found.get("updated")),
        )

    def paths(self) -> dict[str, str]:
        """The path of titles of every folder, by uid; a slash in a title has a backslash before it."""
        rows = {str(row.get("uid")): row for row in self.connection.searched({"type": "dash-folder"})}

        def path(uid: str, seen: tuple[str, ...] = ()) -> str:
            row = rows[uid]
            title = str(row.get("title")).replace("/", "\\/")
            parent = str(row.get("folderUid") or "")
            inside = parent in rows and parent not in seen
            return f"{path(parent, (*seen, uid))}/{title}" if inside else title

        return {uid: path(uid) for uid in rows}

    def _permissions(self, uid: str) -> dict[str, str]:
        rows = self.connection.get(f"/api/folders/{quote(uid, safe='')}/permissions")
        found: dict[str, str] = {}
        for row in rows:
            if row.get("inherited"):
                continue
            who = row.get("role") or (
                f"team:{row['team']}" if row.get("teamId") else f"user:{row.get('userLogin')}"
            )
            found[str(who)] = str(row.get("permissionName"))
        return found

    def _write_permissions(self, uid: str, permissions: Mapping[str, str]) -> None:
        items = [
            {**self._who(who), "permission": PERMISSION_NUMBERS[what]} for who, what in permissions.items()
        ]
        self.connection.send("POST", f"/api/folders/{quote(uid, safe='')}/permissions", {"items": items})

    def _who(self, who: str) -> dict[str, Any]:
        """Who gets a permission, as Grafana wants it: a role, or the number of a team or user."""
        kind, _, name = who.partition(":")
        if not name:
            return {"role": kind}
        if kind == "team":
            path = "/api/teams/search"
            rows = self.connection.get(path, {"name": name}).get("teams") or []
            number = next((row["id"] for row in rows if row.get("name") == name), 0)
        else:
            path = "/api/org/users"
            number = next((row["userId"] for row in self.connection.get(path) if row.get("login") == name), 0)
        if not number:
            raise HttpError("GET", path, 404, f'unknown {kind} "{name}"')
        return {f"{kind}Id": number}

    def _in_sight(self) -> frozenset[str]:
        if self._visible is None:
            rows = self.connection.searched({"type": "dash-folder"})
            self._visible = frozenset(str(row.get("uid")) for row in rows)
        return self._visible

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates it, or replaces ``live``."""
        uid = resource.key.name
        if live is None:
            body = {"uid": uid, "title": resource.title}
            if resource.folder:
                body["parentUid"] = resource.folder
            answer = self.connection.send("POST", "/api/folders", body)
        else:
            changed = {"title": resource.title, "version": live.version}
            answer = {"version": live.version, "id": live.number}
            if live.title != resource.title:
                answer = self.connection.send("PUT", f"/api/folders/{uid}", changed)
            if live.folder != resource.folder:
                answer = self.connection.send(
                    "POST", f"/api/folders/{uid}/move", {"parentUid": resource.folder}
                )
        self.numbers[uid] = int(answer.get("id") or 0)
        if resource.body.get("permissions") is not None:
            self._write_permissions(uid, resource.body["permissions"])
        return Written(int(answer.get("version") or 0), int(answer.get("id") or 0))

    def number(self, uid: str) -> int:
        if not uid:
            return 0
        if uid not in self.numbers:
            self.read(Key(Kind.FOLDER, uid))
        return self.numbers.get(uid, 0)

    def contents(self, uid: str) -> list[tuple[Key, str]]:
        """What a folder holds: dashboards and folders with their titles, other things as counts."""
        if self.connection.has_uids_everywhere:
            rows = self.connection.searched({"folderUIDs": uid})
        else:
            rows = self.connection.searched({"folderIds": self.numbers.get(uid) or 0})
        found = [
            (
                Key(Kind.FOLDER if row.get("type") == "dash-folder" else Kind.DASHBOARD, str(row.get("uid"))),
                str(row.get("title")),
            )
            for row in rows
        ]
        if self.connection.has_uids_everywhere:
            counts = self.connection.get_or_none(f"/api/folders/{quote(uid, safe='')}/counts") or {}
            for kind, count in counts.items():
                if count and kind not in ("folder", "dashboard"):
                    words = _COUNTED.get(kind, kind)
                    found.append((Key(Kind.RECORD, ""), f"{count} {words}{'' if count == 1 else 's'}"))
        return found

    def is_empty(self, uid: str) -> bool:
        """Whether a folder holds nothing that would go with it."""
        for look in range(LOOKS if self.connection.major >= FIRST_WITH_RESOURCES else 1):
            if look:
                self.connection.client.sleep(PAUSE)
            if not self.contents(uid):
                return True
        return False

    def delete(self, live: Live) -> None:
        """Deletes a folder with all that it holds."""
        self.connection.send("DELETE", f"/api/folders/{quote(live.key.name, safe='')}", None)


def folder_uid_of(meta: Mapping[str, Any]) -> str:
    """The uid of the folder that something says it is in; "" for the root."""
    uid = str(meta.get("folderUid") or "")
    if not uid and "/f/" in str(meta.get("folderUrl") or ""):
        uid = str(meta["folderUrl"]).partition("/f/")[2].partition("/")[0]
    return "" if uid == "general" else uid


def managed(manager: Any) -> str:
    """Why a resource of a manager must be left alone; "" where it is nobody's, or ours."""
    if not manager or manager == OUR_MANAGER:
        return ""
    if manager == FILE_MANAGER:
        return "made from files of Grafana's, so it cannot be saved"
    return managed_words(str(manager))
