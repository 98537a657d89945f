"""Grafana's HTTP API, as far as a sync needs it: read, write and delete by uid.

Works with version 9 and later; older ones are served where it costs nothing (numeric ids of folders and data
sources), so that a Grafana 7 can be used, too.  Dashboards are read through the resource API where there is one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from lokictl.http import HttpClient, HttpError
from lokictl.secrets import fingerprint
from lokictl.sync.normal_form import DATA_SOURCE_DEFAULTS, MARK, alert_group, digest
from lokictl.sync.plan import Key, Kind, Live, Resource, Written
from lokictl.sync.resource_api import OUR_MANAGER, ResourceApi, discover, edited, is_no_route

FIRST_WITH_UIDS_EVERYWHERE = 9
FIRST_WITH_EQUAL_TITLES = 11
FIRST_WITH_RESOURCES = 12
PAGE = 500
# The number of this kind of library elements, and how many of them an answer may have.
LIBRARY_PANELS = 1
LIBRARY_PAGE = 100
# Below this it is cheaper to read dashboards one by one than to list all that the Grafana has.
WORTH_A_LIST = 8
REQUEST_LIMIT_OF_A_MESSAGE = 500
# How often, and with which pause in seconds, a folder is looked at before it counts as not empty: searches of
# newer versions lag behind.
LOOKS, PAUSE = 4, 0.5
NOT_FOUND = "not found"
PERMISSION_NUMBERS = {"View": 1, "Edit": 2, "Admin": 4}
GIVES_WAY = " (replaced by lokictl)"


@dataclass
class Grafana:
    """One Grafana; every method may raise `HttpError`.

    ``jobs`` is how many requests it sends at once; ``with_permissions`` are the uids of folders whose permissions are
    read and written, too; ``owner`` goes into the data sources that are written, so that
    they are known even if the record is lost.  ``alert_folder`` is the folder of the alert groups; with
    ``editable_alerts`` people can change them in Grafana's pages.
    """

    client: HttpClient
    organisation: int = 0
    jobs: int = 8
    message: str = "lokictl sync"
    version: str = ""
    owner: Mapping[str, str] = field(default_factory=dict)
    with_permissions: frozenset[str] = frozenset()
    folder_numbers: dict[str, int] = field(default_factory=dict)
    alert_folder: str = ""
    editable_alerts: bool = False
    _resources: ResourceApi | None = None
    _is_discovered: bool = False
    _visible_folders: frozenset[str] | None = None

    def connect(self) -> None:
        """Asks for the version; nothing else is known to answer without credentials."""
        health = self._get("/api/health")
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

    @property
    def serves_v2(self) -> bool:
        """Whether dashboards of schema v2 can be written."""
        resources = self._resource_api()
        return resources is not None and bool(resources.newest)

    # --- reading -----------------------------------------------------------------------------------------

    def read(self, keys: Iterable[Key], unreadable: dict[Key, str] | None = None) -> dict[Key, Live]:
        """Those of ``keys`` that exist, read several at a time.

        What Grafana does not show goes to ``unreadable`` with the reason; without it, that is an error.
        """
        wanted = list(dict.fromkeys(keys))
        dashboards = {key.name: key for key in wanted if key.kind in (Kind.DASHBOARD, Kind.RECORD)}
        if dashboards:
            self._resource_api()  # once, before several threads ask for it
        found = self._listed(dashboards, unreadable) if len(dashboards) >= WORTH_A_LIST else None
        if found is not None:
            wanted = [key for key in wanted if key.kind not in (Kind.DASHBOARD, Kind.RECORD)]
        found = found or {}

        def read(key: Key) -> Live | None:
            try:
                return self.read_one(key)
            except HttpError as error:
                if unreadable is None or not _concerns_one(error):
                    raise
                unreadable[key] = str(error)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                if unreadable is None:
                    raise
                unreadable[key] = f"the answer was not understood ({type(error).__name__}: {error})"
            return None

        with ThreadPoolExecutor(max(1, self.jobs)) as pool:
            for key, live in zip(wanted, pool.map(read, wanted), strict=True):
                if live is not None:
                    found[key] = live
        return found

    def _listed(
        self, dashboards: Mapping[str, Key], unreadable: dict[Key, str] | None
    ) -> dict[Key, Live] | None:
        """The dashboards of these uids from the list of all; None where there is no such list."""
        resources = self._resource_api()
        if resources is None:
            return None
        problems: dict[str, str] | None = {} if unreadable is not None else None
        found = {}
        try:
            for live in resources.dashboards(dashboards, problems):
                key = dashboards[live.key.name]
                found[key] = _renamed(live, key)
        except HttpError as error:
            # Who has no dashboard to read must not list them either.
            if error.status != 403 and not self._is_away(error):
                raise
            return None
        if unreadable is not None:
            unreadable.update({dashboards[name]: reason for name, reason in (problems or {}).items()})
        return found

    def _is_away(self, error: HttpError) -> bool:
        """Whether there is no resource API after all; it is not asked any more then."""
        if not is_no_route(error):
            return False
        self._resources = None
        return True

    def read_one(self, key: Key) -> Live | None:
        """One resource as it is now; None when there is none."""
        if key.kind is Kind.FOLDER:
            return self._folder(key)
        if key.kind is Kind.DATA_SOURCE:
            return self._data_source(key)
        if key.kind is Kind.LIBRARY_PANEL:
            return self._library_panel(key)
        if key.kind is Kind.ALERT_GROUP:
            return self._alert_group(key)
        resources = self._resource_api()
        if resources is None:
            return self._dashboard(key)
        try:
            live = resources.dashboard(key.name)
        except HttpError as error:
            # To everybody but an admin, a dashboard that does not exist is an internal error.
            if error.status == 500 and NOT_FOUND in error.message and self._dashboard(key) is None:
                return None
            if self._is_away(error):
                return self._dashboard(key)
            raise
        return _renamed(live, key) if live is not None else None

    def has_folder(self, uid: str) -> bool:
        """Whether there is a folder of this uid."""
        return self._folder(Key(Kind.FOLDER, uid)) is not None

    def _resource_api(self) -> ResourceApi | None:
        if not self._is_discovered:
            if self.major >= FIRST_WITH_RESOURCES:
                self._resources = discover(self.client, self._namespace(), self._headers())
            self._is_discovered = True
        return self._resources

    def _namespace(self) -> str:
        """The namespace of the organization, as Grafana itself names it."""
        try:
            settings = self._get("/api/frontend/settings")
            if isinstance(settings, dict) and settings.get("namespace"):
                return str(settings["namespace"])
        except HttpError as error:
            if error.status not in (403, 404):
                raise
        return "default" if self.organisation in (0, 1) else f"org-{self.organisation}"

    def _folder(self, key: Key) -> Live | None:
        try:
            found = self._get_or_none(f"/api/folders/{quote(key.name, safe='')}")
        except HttpError as error:
            # To everybody but an admin, a folder that does not exist is one that must not be read.
            if error.status == 403 and key.name not in self._folders_in_sight():
                return None
            raise
        if found is None:
            return None
        self.folder_numbers[key.name] = int(found.get("id") or 0)
        manager = _managed(found.get("managedBy"))
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

    def _permissions(self, uid: str) -> dict[str, str]:
        rows = self._get(f"/api/folders/{quote(uid, safe='')}/permissions")
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
        self._send("POST", f"/api/folders/{quote(uid, safe='')}/permissions", {"items": items})

    def _who(self, who: str) -> dict[str, Any]:
        """Who gets a permission, as Grafana wants it: a role, or the number of a team or user."""
        kind, _, name = who.partition(":")
        if not name:
            return {"role": kind}
        if kind == "team":
            path = "/api/teams/search"
            rows = self._get(path, {"name": name}).get("teams") or []
            number = next((row["id"] for row in rows if row.get("name") == name), 0)
        else:
            path = "/api/org/users"
            number = next((row["userId"] for row in self._get(path) if row.get("login") == name), 0)
        if not number:
            raise HttpError("GET", path, 404, f'unknown {kind} "{name}"')
        return {f"{kind}Id": number}

    def _folders_in_sight(self) -> frozenset[str]:
        if self._visible_folders is None:
            rows = self._searched({"type": "dash-folder"})
            self._visible_folders = frozenset(str(row.get("uid")) for row in rows)
        return self._visible_folders

    def _data_source(self, key: Key) -> Live | None:
        found = self._get_or_none(f"/api/datasources/uid/{quote(key.name, safe='')}")
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

    def _alert_path(self, key: Key) -> str:
        folder = quote(self.alert_folder, safe="")
        return f"/api/v1/provisioning/folder/{folder}/rule-groups/{quote(key.name, safe='')}"

    def _alert_group(self, key: Key) -> Live | None:
        if not self.alert_folder:
            return None
        found = self._get_or_none(self._alert_path(key))
        if not found or not found.get("rules"):
            return None
        sources = {str(rule.get("provenance") or "") for rule in found["rules"]}
        read_only = "provisioned from a file of Grafana's, so it cannot be saved" if "file" in sources else ""
        title = str(found.get("title", key.name))
        return Live(key, title, alert_group(found), self.alert_folder, read_only=read_only)

    def _write_alert_group(self, resource: Resource) -> Written:
        body = dict(resource.body)
        rules = [
            {
                **rule,
                "folderUID": resource.folder,
                "ruleGroup": resource.key.name,
                "orgID": self.organisation or 1,
            }
            for rule in body["rules"]
        ]
        self.client.request(
            "PUT",
            self._alert_path(resource.key),
            body={**body, "folderUid": resource.folder, "rules": rules},
            headers=self._alert_headers(),
            idempotent=True,
        )
        return Written()

    def _alert_headers(self) -> dict[str, str]:
        """With the header people can change the rules in Grafana's pages."""
        return {**self._headers(), **({"X-Disable-Provenance": "true"} if self.editable_alerts else {})}

    def _library_panel(self, key: Key) -> Live | None:
        found = self._get_or_none(f"/api/library-elements/{quote(key.name, safe='')}")
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
            _folder_uid({"folderUid": item.get("folderUid") or meta.get("folderUid")}),
            int(item.get("version") or 0),
            int(item.get("id") or 0),
            edited=edited((meta.get("updatedBy") or {}).get("name"), meta.get("updated")),
        )

    def library_panels(self) -> list[str]:
        """The uids of all library panels."""
        uids: list[str] = []
        page = 1
        while True:
            query = {"kind": LIBRARY_PANELS, "perPage": LIBRARY_PAGE, "page": page}
            found = (self._get("/api/library-elements", query).get("result") or {}).get("elements") or []
            uids += [str(item.get("uid")) for item in found]
            if len(found) < LIBRARY_PAGE:
                return uids
            page += 1

    def _dashboard(self, key: Key) -> Live | None:
        found = self._get_or_none(f"/api/dashboards/uid/{quote(key.name, safe='')}")
        if found is None:
            return None
        body, meta = dict(found["dashboard"]), found.get("meta") or {}
        read_only = ""
        if meta.get("provisioned"):
            file = meta.get("provisionedExternalId")
            read_only = f"provisioned from a file of Grafana's ({file}), so it cannot be saved"
        return Live(
            key,
            str(body.get("title", "")),
            body,
            _folder_uid(meta),
            int(body.get("version") or meta.get("version") or 0),
            int(body.get("id") or 0),
            read_only or _managed(meta.get("managedBy")),
            edited(meta.get("updatedBy"), meta.get("updated")),
        )

    def data_sources(self) -> list[dict[str, Any]]:
        """All data sources, in the short form of the list."""
        found = self._get("/api/datasources")
        return [dict(item) for item in found]

    def login_of_editor(self, live: Live) -> str:
        """The login of who changed a dashboard last, which the resource API only gives a number of; "" if unknown."""
        try:
            found = self._get_or_none(f"/api/dashboards/uid/{quote(live.key.name, safe='')}") or {}
        except HttpError:
            return ""
        return str((found.get("meta") or {}).get("updatedBy") or "")

    def folder_contents(self, uid: str) -> list[tuple[Key, str]]:
        """What a folder holds: dashboards and folders with their titles, other things as a number in words."""
        if self.has_uids_everywhere:
            rows = self._searched({"folderUIDs": uid})
        else:
            rows = self._searched({"folderIds": self.folder_numbers.get(uid) or 0})
        found = [
            (
                Key(Kind.FOLDER if row.get("type") == "dash-folder" else Kind.DASHBOARD, str(row.get("uid"))),
                str(row.get("title")),
            )
            for row in rows
        ]
        if self.has_uids_everywhere:
            counts = self._get_or_none(f"/api/folders/{quote(uid, safe='')}/counts") or {}
            for kind, count in counts.items():
                if count and kind not in ("folder", "dashboard"):
                    words = _COUNTED.get(kind, kind)
                    found.append((Key(Kind.RECORD, ""), f"{count} {words}{'' if count == 1 else 's'}"))
        return found

    def is_folder_empty(self, uid: str) -> bool:
        """Whether a folder holds nothing that would go with it."""
        for look in range(LOOKS if self.major >= FIRST_WITH_RESOURCES else 1):
            if look:
                self.client.sleep(PAUSE)
            if not self.folder_contents(uid):
                return True
        return False

    def all_dashboards(self) -> list[dict[str, Any]]:
        """A row (uid, title, folderUid) for every dashboard."""
        return self._searched({"type": "dash-db"})

    def tagged(self, tag: str) -> list[str]:
        """The uids of all dashboards with a tag."""
        return [str(row.get("uid")) for row in self._searched({"type": "dash-db", "tag": tag})]

    def _searched(self, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        page = 1
        while True:
            found = self._get("/api/search", {**query, "limit": PAGE, "page": page})
            rows += found
            if len(found) < PAGE:
                return rows
            page += 1

    # --- writing -----------------------------------------------------------------------------------------

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates the resource, or replaces ``live`` if it is still the same version."""
        if resource.key.kind is Kind.FOLDER:
            return self._write_folder(resource, live)
        if resource.key.kind is Kind.DATA_SOURCE:
            return self._write_data_source(resource, live)
        if resource.key.kind is Kind.LIBRARY_PANEL:
            return self._write_library_panel(resource, live)
        if resource.key.kind is Kind.ALERT_GROUP:
            return self._write_alert_group(resource)
        return self._write_dashboard(resource, live)

    def _write_library_panel(self, resource: Resource, live: Live | None) -> Written:
        body: dict[str, Any] = {
            "name": resource.title,
            "kind": LIBRARY_PANELS,
            "model": {**resource.body["model"]},
            "folderUid": resource.folder,
        }
        if live is None:
            answer = self._send("POST", "/api/library-elements", {**body, "uid": resource.key.name})
        else:
            path = f"/api/library-elements/{quote(resource.key.name, safe='')}"
            answer = self._send("PATCH", path, {**body, "version": live.version})
        item = answer.get("result") or {}
        return Written(int(item.get("version") or 0), int(item.get("id") or 0))

    def _write_folder(self, resource: Resource, live: Live | None) -> Written:
        uid = resource.key.name
        if live is None:
            body = {"uid": uid, "title": resource.title}
            if resource.folder:
                body["parentUid"] = resource.folder
            answer = self._send("POST", "/api/folders", body)
        else:
            changed = {"title": resource.title, "version": live.version}
            answer = {"version": live.version, "id": live.number}
            if live.title != resource.title:
                answer = self._send("PUT", f"/api/folders/{uid}", changed)
            if live.folder != resource.folder:
                answer = self._send("POST", f"/api/folders/{uid}/move", {"parentUid": resource.folder})
        self.folder_numbers[uid] = int(answer.get("id") or 0)
        if resource.body.get("permissions") is not None:
            self._write_permissions(uid, resource.body["permissions"])
        return Written(int(answer.get("version") or 0), int(answer.get("id") or 0))

    def _write_data_source(self, resource: Resource, live: Live | None) -> Written:
        body = {**DATA_SOURCE_DEFAULTS, "jsonData": {}, **resource.body, "uid": resource.key.name}
        body.pop("secureJsonFields", None)
        if self.owner:
            body["jsonData"] = {**body["jsonData"], MARK: self._mark(resource)}
        if resource.secrets:
            body["secureJsonData"] = {name: secret.reveal() for name, secret in resource.secrets.items()}
        if live is None:
            answer = self._send("POST", "/api/datasources", body)
        else:
            path = f"uid/{live.key.name}" if self.has_uids_everywhere else str(live.number)
            answer = self._send("PUT", f"/api/datasources/{path}", {**body, "version": live.version})
        stored = answer.get("datasource") or {}
        return Written(int(stored.get("version") or 0), int(stored.get("id") or answer.get("id") or 0))

    def _mark(self, resource: Resource) -> dict[str, str]:
        secrets = {"secrets": fingerprint(resource.secrets)} if resource.secrets else {}
        return {**self.owner, "digest": digest(resource), **secrets}

    def _write_dashboard(self, resource: Resource, live: Live | None) -> Written:
        resources = self._resource_api()
        # Without a version to name it would be written blindly.
        if resources is not None and (live is None or live.resource_version):
            try:
                return resources.write(resource, live, self.message[:REQUEST_LIMIT_OF_A_MESSAGE])
            except HttpError as error:
                if resource.schema or not self._is_away(error):
                    raise
        return self._save_dashboard(resource, live)

    def validate(self, resource: Resource, live: Live | None) -> bool:
        """Lets Grafana check a dashboard without writing it; False where it cannot.  Raises `HttpError` if refused."""
        resources = self._resource_api()
        if resources is None or (live is not None and not live.resource_version):
            return False
        resources.write(resource, live, self.message[:REQUEST_LIMIT_OF_A_MESSAGE], dry_run=True)
        return True

    def _save_dashboard(self, resource: Resource, live: Live | None) -> Written:
        # Never "overwrite": the version is the lock, and with a new uid Grafana would replace another
        # dashboard of the same title.
        dashboard = {
            **resource.body,
            "uid": resource.key.name,
            "id": None,
            "version": live.version if live else 0,
        }
        body: dict[str, Any] = {
            "dashboard": dashboard,
            "folderUid": resource.folder,
            "message": self.message[:REQUEST_LIMIT_OF_A_MESSAGE],
            "overwrite": False,
        }
        if not self.has_uids_everywhere:
            body["folderId"] = self._folder_number(resource.folder)
        answer = self._send("POST", "/api/dashboards/db", body)
        if answer.get("uid") != resource.key.name:
            message = f"Grafana saved it under another uid ({answer.get('uid')})"
            raise HttpError("POST", "/api/dashboards/db", 200, message)
        return Written(int(answer.get("version") or 0), int(answer.get("id") or 0))

    def replace(self, resource: Resource, live: Live) -> Written:
        """Puts the resource in the place of ``live``, which has another uid; at no moment is there neither.

        Grafana has no way to change a uid, and a name or title can be taken: the old one steps aside first.
        """
        there = self.read_one(resource.key)
        if there is None and self._is_unique(resource.key.kind):
            self.step_aside(live)
        written = self.write(resource, there)
        self.delete(live)
        return written

    def step_aside(self, live: Live) -> None:
        """Takes the name or title of a resource away, for another one to have it."""
        aside = giving_way(live)
        if aside.title != live.title:
            self._write(Resource(live.key, aside.title, aside.body, live.folder), live)

    def _is_unique(self, kind: Kind) -> bool:
        return kind is Kind.DATA_SOURCE or self.titles_are_unique

    def _write(self, resource: Resource, live: Live) -> None:
        if resource.key.kind is Kind.DATA_SOURCE:
            body = {key: value for key, value in resource.body.items() if key != "secureJsonFields"}
            path = f"uid/{live.key.name}" if self.has_uids_everywhere else str(live.number)
            self._send(
                "PUT", f"/api/datasources/{path}", {**body, "uid": live.key.name, "version": live.version}
            )
        else:
            self._write_dashboard(resource, live)

    def _folder_number(self, uid: str) -> int:
        if not uid:
            return 0
        if uid not in self.folder_numbers:
            self._folder(Key(Kind.FOLDER, uid))
        return self.folder_numbers.get(uid, 0)

    def delete(self, live: Live) -> None:
        """Deletes a resource; that it is already gone is no error."""
        if live.resource_version and (resources := self._resource_api()) is not None:
            try:
                resources.delete(live)
            except HttpError as error:
                if not self._is_away(error):
                    raise
            else:
                return
        paths = {
            Kind.FOLDER: "folders",
            Kind.DATA_SOURCE: "datasources/uid",
            Kind.LIBRARY_PANEL: "library-elements",
        }
        path = f"/api/{paths.get(live.key.kind, 'dashboards/uid')}/{quote(live.key.name, safe='')}"
        try:
            if live.key.kind is Kind.ALERT_GROUP:
                path, headers = self._alert_path(live.key), self._alert_headers()
                self.client.request("DELETE", path, headers=headers, idempotent=True, expect_json=False)
            else:
                self._send("DELETE", path, None)
        except HttpError as error:
            if error.status != 404:
                raise

    # --- requests ----------------------------------------------------------------------------------------

    def _headers(self) -> dict[str, str]:
        return {"X-Grafana-Org-Id": str(self.organisation)} if self.organisation else {}

    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        return self.client.request("GET", path, query=query, headers=self._headers()).json()

    def _get_or_none(self, path: str) -> Any:
        try:
            return self._get(path)
        except HttpError as error:
            if error.status == 404:
                return None
            raise

    def _send(self, method: str, path: str, body: Any) -> dict[str, Any]:
        # Sending it again is safe: everything has a uid, and updates name the version they replace.
        answer = self.client.request(method, path, body=body, headers=self._headers(), idempotent=True)
        found = answer.json() if answer.body else {}
        return found if isinstance(found, dict) else {}


def _folder_uid(meta: Mapping[str, Any]) -> str:
    uid = str(meta.get("folderUid") or "")
    if not uid and "/f/" in str(meta.get("folderUrl") or ""):
        uid = str(meta["folderUrl"]).partition("/f/")[2].partition("/")[0]
    return "" if uid == "general" else uid


def _managed(manager: Any) -> str:
    if not manager or manager == OUR_MANAGER:
        return ""
    return f"managed by {manager}"


def _renamed(live: Live, key: Key) -> Live:
    return dataclasses.replace(live, key=key)


def _concerns_one(error: HttpError) -> bool:
    """Whether an error is about the one resource that was asked for, and not about the server or the account."""
    return error.status not in (0, 401, 429) and error.status < 502


def giving_way(live: Live) -> Live:
    """A resource as it is while another one takes its place: under another name or title."""
    if live.key.kind not in (Kind.DASHBOARD, Kind.DATA_SOURCE):
        return live
    title = live.title if gives_way(live) else f"{live.title}{GIVES_WAY}"
    name = "name" if live.key.kind is Kind.DATA_SOURCE else "title"
    return dataclasses.replace(live, title=title, body={**live.body, name: title})


def before_giving_way(live: Live) -> Live:
    """What `giving_way` was given."""
    title = live.title.removesuffix(GIVES_WAY)
    name = "name" if live.key.kind is Kind.DATA_SOURCE else "title"
    return dataclasses.replace(live, title=title, body={**live.body, name: title})


def gives_way(live: Live) -> bool:
    """Whether a run has begun to put another one in its place."""
    return live.title.endswith(GIVES_WAY)


_COUNTED = {"alertrule": "alert rule", "librarypanel": "library panel", "library_elements": "library panel"}
