"""Grafana's HTTP API with its state, as versions 7.5, 9.4, 12.2 and 13 behave."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.sync.fakes.http import Answer, Request, json_answer
from tests.sync.fakes.notifications import FakeNotifications

UID = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
CHANGED = "has been changed by someone else"


def message(status: int, text: str, code: str = "") -> Answer:
    return json_answer(status, {"message": text, **({"status": code} if code else {})})


def status_answer(status: int, text: str, reason: str) -> Answer:
    return json_answer(
        status, {"kind": "Status", "status": "Failure", "message": text, "reason": reason, "code": status}
    )


def migrated(spec: dict[str, Any]) -> dict[str, Any]:
    """What v1 makes of a dashboard of an older schemaVersion."""
    if spec.get("schemaVersion", 0) >= NEWEST_SCHEMA:
        return {}
    return {"schemaVersion": NEWEST_SCHEMA, "refresh": spec.get("refresh", "")}


NEWEST_SCHEMA = 42


@dataclass
class Dashboard:
    body: dict[str, Any]
    folder: str = ""
    version: int = 1
    number: int = 0
    by: str = "sync"
    provisioned: bool = False
    manager: str = ""
    schema: str = ""
    messages: list[str] = field(default_factory=list)


@dataclass
class Folder:
    uid: str
    title: str
    parent: str = ""
    version: int = 1
    number: int = 0


@dataclass
class DataSource:
    body: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict)
    version: int = 1
    number: int = 0
    read_only: bool = False
    by: str = "alice"


class FakeGrafana:
    """``token`` is the only credential it takes; ``store`` is applied to every dashboard that is saved.

    ``role`` is that of the account; ``namespace`` the one of its organization; ``served`` are the versions of the
    resource API.
    """

    def __init__(self, version: str = "12.2.0", token: str = "") -> None:
        self.version, self.token = version, token
        self.major = int(version.partition(".")[0])
        self.folders: dict[str, Folder] = {}
        self.dashboards: dict[str, Dashboard] = {}
        self.data_sources: dict[str, DataSource] = {}
        self.numbers = 0
        self.store: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: body
        self.hide_version = False
        self.alert_rules: set[str] = set()
        self.refused: set[str] = set()
        self.permissions: dict[str, list[dict[str, Any]]] = {}
        self.library: dict[str, dict[str, Any]] = {}
        self.alert_groups: dict[tuple[str, str], dict[str, Any]] = {}
        self.notifications = FakeNotifications()
        self.teams = {"Backend": 7}
        self.users = {"alice": 3}
        self.role = "Admin"
        self.organization = 1
        self.namespace = "default"
        self.served = ["v1beta1", "v0alpha1", "v2beta1"]

    # --- what people do by hand --------------------------------------------------------------------------

    def add_folder(self, uid: str, title: str, parent: str = "") -> Folder:
        self.folders[uid] = Folder(uid, title, parent, number=self._number())
        return self.folders[uid]

    def add_dashboard(self, uid: str, folder: str = "", **body: Any) -> Dashboard:
        made = Dashboard(
            {"title": uid, "panels": [], **body, "uid": uid}, folder, number=self._number(), by="alice"
        )
        self.dashboards[uid] = made
        return made

    def edit_dashboard(self, uid: str, **changes: Any) -> None:
        found = self.dashboards[uid]
        found.body = {**found.body, **changes}
        found.version += 1
        found.by = "alice"

    def add_data_source(self, uid: str, name: str, **body: Any) -> DataSource:
        full = {
            "name": name,
            "type": "loki",
            "access": "proxy",
            "url": "",
            "jsonData": {},
            **body,
            "uid": uid,
        }
        secrets = full.pop("secureJsonData", {})
        self.data_sources[uid] = DataSource(full, secrets, number=self._number())
        return self.data_sources[uid]

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers

    # --- routing -----------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        if parts == ["api", "health"]:
            hidden = {} if self.hide_version else {"version": self.version, "commit": "x"}
            return json_answer(200, {"database": "ok", **hidden})
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return json_answer(
                401, {"message": "Invalid API key", "messageId": "api-key.invalid", "statusCode": 401}
            )
        if request.headers.get("x-grafana-org-id", str(self.organization)) != str(self.organization):
            words = "API key does not belong to the requested organization"
            return json_answer(401, {"message": words, "messageId": "api-key.organization-mismatch"})
        if parts == ["api", "frontend", "settings"]:
            return json_answer(200, {"namespace": self.namespace, "buildInfo": {"version": self.version}})
        if request.body and request.headers.get("content-type") != "application/json":
            return message(400, "bad request data")
        if parts[:1] == ["apis"] and self.major >= 12:
            return self._apps(request, parts[1:])
        routes: dict[str, Callable[[Request, list[str]], Answer]] = {
            "folders": self._folders,
            "dashboards": self._dashboards,
            "datasources": self._data_sources,
            "search": self._search,
            "teams": self._people,
            "library-elements": self._library,
            "org": self._people,
            "v1": self._alerting,
        }
        if parts[:1] != ["api"] or len(parts) < 2 or parts[1] not in routes:
            return message(404, "Not found")
        return routes[parts[1]](request, parts[2:])

    # --- folders -----------------------------------------------------------------------------------------

    def _folders(self, request: Request, rest: list[str]) -> Answer:
        if not rest:
            if request.method == "POST":
                return self._create_folder(request.json())
            return json_answer(200, [self._folder(f) for f in self.folders.values()])
        found = self.folders.get(rest[0])
        if found is None and self.major >= 12 and self.role != "Admin":
            words = (
                "You'll need additional permissions to perform this action. Permissions needed: folders:read"
            )
            return json_answer(403, {"title": "Access denied", "message": words, "accessErrorId": "ACE1"})
        if found is None:
            return message(404, "folder not found", "not-found")
        if rest[1:] == ["counts"]:
            if self.major < 10:
                return message(404, "Not found")
            dashboards = sum(d.folder == found.uid for d in self.dashboards.values())
            inner = sum(f.parent == found.uid for f in self.folders.values())
            return json_answer(
                200,
                {"folder": inner, "dashboard": dashboards, "alertrule": int(found.uid in self.alert_rules)},
            )
        if rest[1:] == ["permissions"]:
            return self._permissions(request, found.uid)
        if rest[1:] == ["move"]:
            found.parent = request.json()["parentUid"]
            found.version += 1
        elif request.method == "PUT":
            body = request.json()
            if not body.get("overwrite") and body.get("version") != found.version:
                return message(412, f"the folder {CHANGED}", "version-mismatch")
            found.title, found.version = body["title"], found.version + 1
        elif request.method == "DELETE":
            self._delete_folder(found.uid)
            return json_answer(200, {"message": "Folder deleted"})
        return json_answer(200, self._folder(found))

    def _permissions(self, request: Request, uid: str) -> Answer:
        names = {1: "View", 2: "Edit", 4: "Admin"}
        if request.method == "POST":
            self.permissions[uid] = request.json()["items"]
            return json_answer(200, {"message": "Folder permissions updated"})
        default = [{"role": "Editor", "permission": 2}, {"role": "Viewer", "permission": 1}]
        rows = []
        for item in self.permissions.get(uid, default):
            row = {**item, "permissionName": names[item["permission"]], "inherited": False}
            row["team"] = next((n for n, i in self.teams.items() if i == item.get("teamId")), "")
            row["userLogin"] = next((n for n, i in self.users.items() if i == item.get("userId")), "")
            rows.append(row)
        if self.folders[uid].parent:
            rows.append({"role": "Viewer", "permission": 1, "permissionName": "View", "inherited": True})
        return json_answer(200, rows)

    def _people(self, request: Request, rest: list[str]) -> Answer:
        if rest == ["search"]:
            found = [{"id": number, "name": name} for name, number in self.teams.items()]
            return json_answer(
                200, {"teams": [row for row in found if request.query["name"] in str(row["name"])]}
            )
        return json_answer(200, [{"userId": number, "login": name} for name, number in self.users.items()])

    def _create_folder(self, body: dict[str, Any]) -> Answer:
        uid, title = str(body.get("uid") or f"made{self._number()}"), str(body.get("title") or "")
        parent = str(body.get("parentUid") or "") if self.major >= 11 else ""
        if not title or not UID.match(uid) or uid in ("general", "sharedwithme"):
            return message(
                400, "folder title cannot be empty" if not title else "uid contains illegal characters"
            )
        if uid in self.folders or uid in self.dashboards:
            if self.major == 9:
                return message(409, "a folder/dashboard with the same uid already exists")
            return message(412, f"the folder {CHANGED}", "version-mismatch")
        if self.major < 11 and any(f.title == title for f in self.folders.values()):
            text = "a folder or dashboard in the general folder with the same name already exists"
            return message(400 if self.major < 9 else 409, text)
        if parent and parent not in self.folders:
            return message(400, "parent folder not found")
        return json_answer(200, self._folder(self.add_folder(uid, title, parent)))

    def _delete_folder(self, uid: str) -> None:
        del self.folders[uid]
        for name in [name for name, d in self.dashboards.items() if d.folder == uid]:
            del self.dashboards[name]
        for inner in [f.uid for f in self.folders.values() if f.parent == uid]:
            self._delete_folder(inner)

    def _folder(self, found: Folder) -> dict[str, Any]:
        shown = {"id": found.number, "uid": found.uid, "title": found.title, "version": found.version}
        return {**shown, **({"parentUid": found.parent} if found.parent else {})}

    # --- dashboards --------------------------------------------------------------------------------------

    def _dashboards(self, request: Request, rest: list[str]) -> Answer:
        if rest == ["db"] and request.method == "POST":
            if self.role == "Viewer":
                return json_answer(403, {"title": "Access denied", "message": "dashboards:write"})
            return self._save(request.json())
        if len(rest) != 2 or rest[0] != "uid":
            return message(404, "Not found")
        found = self.dashboards.get(rest[1])
        if found is None:
            return message(404, "Dashboard not found", "not-found" if self.major >= 9 else "")
        if request.method == "DELETE":
            if found.provisioned:
                return message(400, "provisioned dashboard cannot be deleted")
            del self.dashboards[rest[1]]
            return json_answer(200, {"title": found.body["title"], "message": "deleted"})
        if found.schema:
            path = (
                f"/apis/dashboard.grafana.app/{found.schema}/namespaces/{self.namespace}/dashboards/{rest[1]}"
            )
            return message(406, f"dashboard api version not supported, use {path} instead")
        return json_answer(200, self._full(found))

    def _full(self, found: Dashboard) -> dict[str, Any]:
        meta: dict[str, Any] = {
            "updatedBy": found.by,
            "updated": "2026-03-14T09:15:00Z",
            "version": found.version,
            "provisioned": found.provisioned,
            "provisionedExternalId": "file.json" if found.provisioned else "",
        }
        if self.major >= 9:
            meta["folderUid"] = found.folder
        elif found.folder:
            meta["folderUrl"] = f"/dashboards/f/{found.folder}/slug"
        return {"dashboard": {**found.body, "id": found.number, "version": found.version}, "meta": meta}

    def _save(self, asked: dict[str, Any]) -> Answer:
        body = copy.deepcopy(asked["dashboard"])
        uid, title = str(body.get("uid") or f"made{self._number()}"), str(body.get("title") or "")
        if body.get("id"):
            return message(404, "Dashboard not found", "not-found")
        if not title:
            return message(400, "Dashboard title cannot be empty", "empty-name")
        if not UID.match(uid):
            return message(400, "uid contains illegal characters")
        if len(asked.get("message") or "") > 500:
            return message(400, "message too long, max 500 characters")
        if uid in self.refused:
            return message(400, "Dashboard refresh interval is too low")
        folder = self._target_folder(asked)
        if folder is None:
            return message(404 if self.major < 12 else 400, "folder not found")
        found = self.dashboards.get(uid)
        if found is not None and found.provisioned and self.major >= 9:
            return message(400, "Cannot save provisioned dashboard")
        same = next(
            (d for u, d in self.dashboards.items() if u != uid and self._clashes(d, title, folder)), None
        )
        if same is not None:
            if not asked.get("overwrite"):
                text = "A dashboard with the same name in the folder already exists"
                return message(412, text, "name-exists")
            # The trap: the other dashboard is replaced, and keeps its uid.
            found, uid = same, same.body["uid"]
        elif found is not None and not asked.get("overwrite") and body.get("version") != found.version:
            return message(412, f"The dashboard {CHANGED}", "version-mismatch")
        return self._saved(uid, body, folder, found, asked)

    def _clashes(self, other: Dashboard, title: str, folder: str) -> bool:
        return self.major < 11 and (other.body["title"], other.folder) == (title, folder)

    def _saved(
        self, uid: str, body: dict[str, Any], folder: str, found: Dashboard | None, asked: dict[str, Any]
    ) -> Answer:
        for key in ("id", "version"):
            body.pop(key, None)
        if found is None:
            found = self.dashboards[uid] = Dashboard({}, number=self._number(), version=0)
        found.schema = ""
        found.body, found.folder = self.store({**body, "uid": uid}), folder
        found.version += 1
        found.by = "sync"
        found.messages.append(str(asked.get("message") or ""))
        data = {"id": found.number, "uid": uid, "status": "success", "version": found.version}
        return json_answer(200, data)

    def _target_folder(self, asked: dict[str, Any]) -> str | None:
        if self.major >= 9:
            uid = str(asked.get("folderUid") or "")
            return uid if not uid or uid in self.folders else None
        number = asked.get("folderId") or 0
        if not number:
            return ""
        return next((f.uid for f in self.folders.values() if f.number == number), None)

    def _search(self, request: Request, rest: list[str]) -> Answer:
        query = request.query
        limit, page = int(query.get("limit", 1000)), int(query.get("page", 1))
        if limit > 5000:
            return message(422, "Limit is above maximum allowed (5000), use page parameter")
        rows: list[dict[str, Any]] = []
        if query.get("type") != "dash-db":
            rows += [
                {"uid": f.uid, "title": f.title, "type": "dash-folder", "folderUid": f.parent}
                for f in self.folders.values()
            ]
        for uid, found in self.dashboards.items():
            folder = self.folders.get(found.folder)
            title = folder.title if folder else ""
            row = {"uid": uid, "title": found.body["title"], "type": "dash-db", "folderUid": found.folder}
            rows.append({**row, "folderTitle": title})
        if "tag" in query:
            rows = [row for row in rows if query["tag"] in self.dashboards[row["uid"]].body.get("tags", [])]
        if "folderUIDs" in query:
            rows = [row for row in rows if row["folderUid"] == query["folderUIDs"]]
        if "folderIds" in query:
            uids = {f.uid for f in self.folders.values() if str(f.number) == query["folderIds"]}
            rows = [row for row in rows if row["folderUid"] in uids]
        return json_answer(200, rows[(page - 1) * limit : page * limit])

    def _apps(self, request: Request, rest: list[str]) -> Answer:
        if rest == ["dashboard.grafana.app"]:
            return json_answer(200, {"versions": [{"version": version} for version in self.served]})
        if len(rest) < 5 or (rest[0], rest[2], rest[4]) != (
            "dashboard.grafana.app",
            "namespaces",
            "dashboards",
        ):
            return message(404, "Not found")
        if rest[3] != self.namespace:
            return status_answer(403, "invalid namespace", "Forbidden")
        version = rest[1]
        if version not in self.served:
            return Answer(404, b"404 page not found", "text/plain")
        if request.method != "GET":
            return self._write_object(request, version, rest[5] if len(rest) == 6 else "")
        if len(rest) == 6:
            found = self.dashboards.get(rest[5])
            if found is None:
                return status_answer(
                    404, f'dashboards.dashboard.grafana.app "{rest[5]}" not found', "NotFound"
                )
            return json_answer(200, self._object(rest[5], found, version))
        limit, start = int(request.query.get("limit", 500)), int(request.query.get("continue") or 0)
        uids = list(self.dashboards)
        items = [self._object(uid, self.dashboards[uid], version) for uid in uids[start : start + limit]]
        token = str(start + limit) if start + limit < len(uids) else ""
        return json_answer(200, {"kind": "DashboardList", "metadata": {"continue": token}, "items": items})

    def _write_object(self, request: Request, version: str, uid: str) -> Answer:
        if self.role == "Viewer":
            return status_answer(403, "dashboards.dashboard.grafana.app is forbidden", "Forbidden")
        item = request.json()
        metadata = item.get("metadata") or {}
        found = self.dashboards.get(uid or metadata.get("name", ""))
        if request.method == "POST" and found is not None:
            return status_answer(409, f'dashboards "{metadata["name"]}" already exists', "AlreadyExists")
        if request.method != "POST" and found is None:
            return status_answer(404, f'dashboards.dashboard.grafana.app "{uid}" not found', "NotFound")
        asked = item.get("preconditions") or metadata
        if found is not None and asked.get("resourceVersion", str(found.version)) != str(found.version):
            return status_answer(
                409, "the object has been modified; please apply your changes to it", "Conflict"
            )
        if found is not None and found.provisioned:
            return status_answer(400, "provisioned dashboard cannot be changed", "BadRequest")
        if request.method == "DELETE":
            del self.dashboards[uid]
            return json_answer(200, {"kind": "Status", "status": "Success"})
        return self._save_object(request, version, item, found)

    def _save_object(
        self, request: Request, version: str, item: dict[str, Any], found: Dashboard | None
    ) -> Answer:
        uid, spec = item["metadata"]["name"], copy.deepcopy(item["spec"])
        annotations = item["metadata"].get("annotations") or {}
        folder = annotations.get("grafana.app/folder", "")
        if folder and folder not in self.folders:
            return status_answer(404, f'folders.folder.grafana.app "{folder}" not found', "NotFound")
        if not UID.match(uid) or not str(spec.get("title") or ""):
            return status_answer(400, "Dashboard title cannot be empty", "BadRequest")
        if uid in self.refused:
            return status_answer(400, "Dashboard refresh interval is too low", "BadRequest")
        status = 201 if found is None else 200
        if request.query.get("dryRun") == "All":
            return json_answer(status, item)
        asked = {"message": annotations.get("grafana.app/message", "")}
        self._saved(uid, spec, folder, found, asked)
        self.dashboards[uid].schema = version if version.startswith("v2") else ""
        return json_answer(status, self._object(uid, self.dashboards[uid], version))

    def _object(self, uid: str, found: Dashboard, version: str) -> dict[str, Any]:
        manager = found.manager or ("classic-file-provisioning" if found.provisioned else "")
        item: dict[str, Any] = {
            "kind": "Dashboard",
            "apiVersion": f"dashboard.grafana.app/{version}",
            "metadata": {
                "name": uid,
                "generation": found.version,
                "resourceVersion": str(found.version),
                "labels": {"grafana.app/deprecatedInternalID": str(found.number)},
                "annotations": {
                    "grafana.app/folder": found.folder,
                    "grafana.app/updatedBy": f"user:uid-of-{found.by}",
                    "grafana.app/updatedTimestamp": "2026-03-14T09:15:00Z",
                    **({"grafana.app/managedBy": manager} if manager else {}),
                    **({"grafana.app/sourcePath": "file.json"} if found.provisioned else {}),
                },
            },
        }
        spec = {key: value for key, value in found.body.items() if key not in ("id", "uid", "version")}
        if found.schema.startswith("v2") != version.startswith("v2"):
            stored = found.schema or "v0alpha1"
            conversion = {"failed": True, "error": "backend conversion not yet implemented"}
            return {**item, "spec": None, "status": {"conversion": {**conversion, "storedVersion": stored}}}
        if version.startswith("v1"):
            spec = {**spec, **migrated(spec)}
        return {**item, "spec": spec, "status": {}}

    # --- library panels ----------------------------------------------------------------------------------

    def _shown_in(self, uid: str) -> int:
        return sum(uid in json.dumps(found.body.get("panels", [])) for found in self.dashboards.values())

    def _library(self, request: Request, rest: list[str]) -> Answer:
        if not rest and request.method == "GET":
            found = [self._element(uid) for uid in self.library]
            start = (int(request.query["page"]) - 1) * int(request.query["perPage"])
            elements = found[start : start + int(request.query["perPage"])]
            return json_answer(200, {"result": {"totalCount": len(found), "elements": elements}})
        body = request.json() if request.body else {}
        uid = rest[0] if rest else body["uid"]
        if request.method != "POST" and uid not in self.library:
            return message(404, "library element could not be found")
        if request.method == "DELETE":
            if self._shown_in(uid):
                return message(403, "the library element has connections")
            del self.library[uid]
            return json_answer(200, {"message": "Library element deleted"})
        if request.method == "POST":
            if uid in self.library or any(item["name"] == body["name"] for item in self.library.values()):
                return message(400, "library element with that name or UID already exists")
            self.library[uid] = {"version": 0, "id": self._number()}
        elif request.method == "PATCH" and body.get("version") != self.library[uid]["version"]:
            text = "the library element has been changed by someone else"
            return message(412 if body.get("version") else 400, text)
        if request.method != "GET":
            model = {"description": "", **body["model"]}
            changed = {"name": body["name"], "model": model, "folderUid": body["folderUid"]}
            self.library[uid].update(changed, version=self.library[uid]["version"] + 1)
        return json_answer(200, {"result": self._element(uid)})

    def _element(self, uid: str) -> dict[str, Any]:
        meta = {"connectedDashboards": self._shown_in(uid), "updated": "2026-03-14T09:15:00Z"}
        return {"uid": uid, "kind": 1, **self.library[uid], "meta": meta}

    # --- alert rules -------------------------------------------------------------------------------------

    def _alerting(self, request: Request, rest: list[str]) -> Answer:
        """``/api/v1/provisioning/folder/<uid>/rule-groups/<name>``, as a Grafana 12.2 answers."""
        if rest[:1] == ["provisioning"] and rest[1] not in ("folder", "alert-rules"):
            return self.notifications.handle(request, rest[1:])
        if rest == ["provisioning", "alert-rules"]:
            return json_answer(200, [rule for group in self.alert_groups.values() for rule in group["rules"]])
        if rest[:2] == ["provisioning", "alert-rules"] and len(rest) == 3:
            return self._single_rule(request, rest[2])
        if rest[:2] != ["provisioning", "folder"] or len(rest) != 5:
            return message(404, "Not found")
        folder, name = rest[2], rest[4]
        key = (folder, name)
        if request.method != "PUT" and key not in self.alert_groups:
            return message(404, "rule group not found")
        if request.method == "DELETE":
            del self.alert_groups[key]
            return Answer(204)
        if request.method == "PUT":
            if folder not in self.folders:
                return message(400, "folder does not exist")
            provenance = "" if "x-disable-provenance" in request.headers else "api"
            before = {rule["uid"]: rule for rule in self.alert_groups.get(key, {}).get("rules", [])}
            rules = []
            for asked in request.json()["rules"]:
                made, known = self._alert_rule(asked, provenance), before.get(asked["uid"])
                # What has not changed is not written, its provenance included.
                rules.append(known if known is not None and _same_rule(made, known) else made)
            # A rule is in one group: here it leaves the other.
            uids = {rule["uid"] for rule in rules}
            for other in [found for found in self.alert_groups if found != key]:
                left = [rule for rule in self.alert_groups[other]["rules"] if rule["uid"] not in uids]
                self.alert_groups[other] = {**self.alert_groups[other], "rules": left}
                if not left:
                    del self.alert_groups[other]
            self.alert_groups[key] = {**request.json(), "rules": rules}
        found = self.alert_groups[key]
        # Only the rules by themselves say who made them.
        rules = [
            {name: value for name, value in rule.items() if name != "provenance"} for rule in found["rules"]
        ]
        return json_answer(200, {**found, "rules": rules})

    def _single_rule(self, request: Request, uid: str) -> Answer:
        rules = [rule for group in self.alert_groups.values() for rule in group["rules"]]
        rule = next((rule for rule in rules if rule["uid"] == uid), None)
        if rule is None:
            return message(404, "NotFound")
        if request.method == "PUT":
            if "x-disable-provenance" in request.headers and rule.get("provenance") == "api":
                return message(500, "Internal Server Error")
            rule["provenance"] = "api"
        return json_answer(200, rule)

    def _alert_rule(self, rule: dict[str, Any], provenance: str) -> dict[str, Any]:
        added = {"intervalMs": 1000, "maxDataPoints": 43200}
        data = [{**query, "model": {**query["model"], **added}} for query in rule["data"]]
        times = {"updated": "2026-03-14T09:15:00Z", "notification_settings": None, "record": None}
        more = {"provenance": provenance} if provenance else {}
        return {"id": self._number(), "keep_firing_for": "0s", **times, **rule, "data": data, **more}

    # --- data sources ------------------------------------------------------------------------------------

    def _data_sources(self, request: Request, rest: list[str]) -> Answer:
        if self.role != "Admin" and request.method != "GET":
            return json_answer(
                403, {"title": "Access denied", "message": "Permissions needed: datasources:read"}
            )
        if not rest:
            if request.method == "POST":
                return self._add_source(request.json())
            return json_answer(200, [self._listed(found) for found in self.data_sources.values()])
        if rest[0] == "uid":
            if self.major < 9 and request.method == "PUT":
                return message(404, "Not found")
            found = self.data_sources.get(rest[1])
        else:
            if self.major >= 13:
                return message(404, "Not found")
            found = next((d for d in self.data_sources.values() if str(d.number) == rest[0]), None)
        if found is None:
            return message(404, "Data source not found")
        if request.method == "DELETE":
            if found.read_only:
                return message(403, "Cannot delete read-only data source")
            del self.data_sources[found.body["uid"]]
            return json_answer(200, {"message": "Data source deleted"})
        if request.method == "PUT":
            return self._replace_source(found, request.json())
        return json_answer(200, self._source(found))

    def _add_source(self, body: dict[str, Any]) -> Answer:
        for key in ("name", "uid"):
            if any(found.body[key] == body[key] for found in self.data_sources.values()):
                return message(409, f"data source with the same {key} already exists")
        found = self.add_data_source(
            body["uid"], body["name"], **{k: v for k, v in body.items() if k not in ("uid", "name")}
        )
        found.by = "sync"
        self._single_default(found)
        data = {"id": found.number, "name": body["name"], "datasource": self._source(found)}
        return json_answer(200, {**data, "message": "Datasource added"})

    def _replace_source(self, found: DataSource, body: dict[str, Any]) -> Answer:
        if found.read_only:
            return message(403, "Cannot update read-only data source")
        if body.get("version") and body["version"] < found.version:
            return message(
                409, "Datasource has already been updated by someone else. Please reload and try again"
            )
        if any(d is not found and d.body["name"] == body["name"] for d in self.data_sources.values()):
            return message(409, "data source with the same name already exists")
        if body["uid"] != found.body["uid"]:
            return message(500, "Failed to update datasource")
        found.secrets.update(body.pop("secureJsonData", {}))
        found.body = {"jsonData": {}, **{key: value for key, value in body.items() if key != "version"}}
        found.version += 1
        found.by = "sync"
        self._single_default(found)
        return json_answer(200, {"id": found.number, "datasource": self._source(found)})

    def _single_default(self, found: DataSource) -> None:
        if found.body.get("isDefault"):
            for other in self.data_sources.values():
                if other is not found:
                    other.body["isDefault"] = False

    def _source(self, found: DataSource) -> dict[str, Any]:
        return {
            **found.body,
            "id": found.number,
            "version": found.version,
            "readOnly": found.read_only,
            "secureJsonFields": dict.fromkeys(found.secrets, True),
        }

    def _listed(self, found: DataSource) -> dict[str, Any]:
        hidden = ("version", "secureJsonFields", "basicAuthUser", "withCredentials")
        return {key: value for key, value in self._source(found).items() if key not in hidden}


def _same_rule(one: dict[str, Any], other: dict[str, Any]) -> bool:
    added = ("id", "updated", "provenance")
    return all(one.get(key) == other.get(key) for key in {*one, *other} if key not in added)
