"""Grafana's HTTP API, as far as the synchronisation needs it: read, write and delete by uid.

Works with version 9 and later; older ones are served where it costs nothing (numeric ids of folders and data
sources), so that a Grafana 7 can be used, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from lokictl.sync.http import HttpClient, HttpError
from lokictl.sync.interface import Key, Kind, Live, Resource, Written
from lokictl.sync.normal_form import DATA_SOURCE_DEFAULTS

FIRST_WITH_UIDS_EVERYWHERE = 9
PAGE = 500
# Below this it is cheaper to read dashboards one by one than to list all that the Grafana has.
WORTH_A_LIST = 8
OUR_MANAGER = "lokictl"
REQUEST_LIMIT_OF_A_MESSAGE = 500
APPS = ("v1", "v1beta1", "v0alpha1")


@dataclass
class Grafana:
    """One Grafana; every method may raise `HttpError`.  ``jobs`` is how many requests it sends at once."""

    client: HttpClient
    organisation: int = 0
    jobs: int = 8
    message: str = "lokictl sync"
    version: str = ""
    folder_numbers: dict[str, int] = field(default_factory=dict)
    apps_version: str | None = None

    def connect(self) -> None:
        """Asks for the version; nothing else is known to answer without credentials."""
        health = self._get("/api/health")
        if not isinstance(health, dict) or "database" not in health:
            raise HttpError("GET", "/api/health", 200, "this is no Grafana; is the configured URL right?")
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

    # --- reading -----------------------------------------------------------------------------------------

    def read(self, keys: Iterable[Key]) -> dict[Key, Live]:
        """Those of ``keys`` that exist, read several at a time."""
        wanted = list(dict.fromkeys(keys))
        found: dict[Key, Live] = {}
        dashboards = [key for key in wanted if key.kind in (Kind.DASHBOARD, Kind.RECORD)]
        if len(dashboards) >= WORTH_A_LIST and self._discover_apps():
            listed = self._listed_dashboards()
            found = {key: _renamed(listed[key.name], key) for key in dashboards if key.name in listed}
            wanted = [key for key in wanted if key not in set(dashboards)]
        with ThreadPoolExecutor(max(1, self.jobs)) as pool:
            for key, live in zip(wanted, pool.map(self.read_one, wanted), strict=True):
                if live is not None:
                    found[key] = live
        return found

    def read_one(self, key: Key) -> Live | None:
        """One resource as it is now; None when there is none."""
        if key.kind is Kind.FOLDER:
            return self._folder(key)
        if key.kind is Kind.DATA_SOURCE:
            return self._data_source(key)
        return self._dashboard(key)

    def _folder(self, key: Key) -> Live | None:
        found = self._get_or_none(f"/api/folders/{quote(key.name, safe='')}")
        if found is None:
            return None
        self.folder_numbers[key.name] = int(found.get("id") or 0)
        manager = _managed(found.get("managedBy"))
        return Live(
            key,
            str(found.get("title", "")),
            {"uid": key.name, "title": found.get("title", "")},
            str(found.get("parentUid") or ""),
            int(found.get("version") or 0),
            int(found.get("id") or 0),
            manager,
            _edited(found),
        )

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
            _edited(meta),
        )

    def data_sources(self) -> list[dict[str, Any]]:
        """All data sources, in the short form of the list."""
        found = self._get("/api/datasources")
        return [dict(item) for item in found]

    def is_folder_empty(self, uid: str) -> bool:
        """Whether a folder holds nothing that would go with it."""
        if self.has_uids_everywhere:
            rows = self._get("/api/search", {"folderUIDs": uid, "limit": 1})
            counts = self._get_or_none(f"/api/folders/{quote(uid, safe='')}/counts") or {}
            return not rows and not any(counts.values())
        number = self.folder_numbers.get(uid) or 0
        return not self._get("/api/search", {"folderIds": number, "limit": 1})

    def all_dashboards(self) -> list[dict[str, Any]]:
        """A row (uid, title, folderUid) for every dashboard."""
        rows: list[dict[str, Any]] = []
        page = 1
        while True:
            found = self._get("/api/search", {"type": "dash-db", "limit": PAGE, "page": page})
            rows += found
            if len(found) < PAGE:
                return rows
            page += 1

    # --- the list of the new API -------------------------------------------------------------------------

    def _discover_apps(self) -> bool:
        """Whether this Grafana can list whole dashboards (12 and later), and in which version."""
        if self.apps_version is None:
            self.apps_version = ""
            if self.major >= 12:
                try:
                    found = self._get_or_none("/apis/dashboard.grafana.app") or {}
                except HttpError:
                    found = {}
                served = {str(item.get("version")) for item in found.get("versions") or []}
                self.apps_version = next((version for version in APPS if version in served), "")
        return bool(self.apps_version)

    def _listed_dashboards(self) -> dict[str, Live]:
        namespace = "default" if self.organisation in (0, 1) else f"org-{self.organisation}"
        path = f"/apis/dashboard.grafana.app/{self.apps_version}/namespaces/{namespace}/dashboards"
        found: dict[str, Live] = {}
        token = ""
        while True:
            answer = self._get(path, {"limit": PAGE, **({"continue": token} if token else {})})
            for item in answer.get("items") or []:
                live = _from_object(item)
                found[live.key.name] = live
            token = str((answer.get("metadata") or {}).get("continue") or "")
            if not token:
                return found

    # --- writing -----------------------------------------------------------------------------------------

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates the resource, or replaces ``live`` if it is still the same version."""
        if resource.key.kind is Kind.FOLDER:
            return self._write_folder(resource, live)
        if resource.key.kind is Kind.DATA_SOURCE:
            return self._write_data_source(resource, live)
        return self._write_dashboard(resource, live)

    def _write_folder(self, resource: Resource, live: Live | None) -> Written:
        uid = resource.key.name
        if live is None:
            body = {"uid": uid, "title": resource.title}
            if resource.folder:
                body["parentUid"] = resource.folder
            answer = self._send("POST", "/api/folders", body)
        else:
            changed = {"title": resource.title, "version": live.version}
            answer = self._send("PUT", f"/api/folders/{uid}", changed)
            if live.folder != resource.folder:
                answer = self._send("POST", f"/api/folders/{uid}/move", {"parentUid": resource.folder})
        self.folder_numbers[uid] = int(answer.get("id") or 0)
        return Written(int(answer.get("version") or 0), int(answer.get("id") or 0))

    def _write_data_source(self, resource: Resource, live: Live | None) -> Written:
        body = {**DATA_SOURCE_DEFAULTS, "jsonData": {}, **resource.body, "uid": resource.key.name}
        body.pop("secureJsonFields", None)
        if resource.secrets:
            body["secureJsonData"] = {name: secret.reveal() for name, secret in resource.secrets.items()}
        if live is None:
            answer = self._send("POST", "/api/datasources", body)
        else:
            path = f"uid/{resource.key.name}" if self.has_uids_everywhere else str(live.number)
            answer = self._send("PUT", f"/api/datasources/{path}", {**body, "version": live.version})
        stored = answer.get("datasource") or {}
        return Written(int(stored.get("version") or 0), int(stored.get("id") or answer.get("id") or 0))

    def _write_dashboard(self, resource: Resource, live: Live | None) -> Written:
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

    def _folder_number(self, uid: str) -> int:
        if not uid:
            return 0
        if uid not in self.folder_numbers:
            self._folder(Key(Kind.FOLDER, uid))
        return self.folder_numbers.get(uid, 0)

    def delete(self, live: Live) -> None:
        """Deletes a resource; that it is already gone is no error."""
        paths = {Kind.FOLDER: "folders", Kind.DATA_SOURCE: "datasources/uid"}
        path = f"/api/{paths.get(live.key.kind, 'dashboards/uid')}/{quote(live.key.name, safe='')}"
        try:
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


def _edited(meta: Mapping[str, Any]) -> str:
    who, when = meta.get("updatedBy"), meta.get("updated")
    return f"by {who} at {when}" if who and when else f"at {when}" if when else ""


def _managed(manager: Any) -> str:
    if not manager or manager == OUR_MANAGER:
        return ""
    return f"managed by {manager}"


def _from_object(item: Mapping[str, Any]) -> Live:
    metadata = item.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    labels = metadata.get("labels") or {}
    uid = str(metadata.get("name", ""))
    body = {**(item.get("spec") or {}), "uid": uid}
    manager = str(annotations.get("grafana.app/managedBy") or "")
    ours = annotations.get("grafana.app/managerId") == OUR_MANAGER
    version = int(metadata.get("generation") or 0)
    return Live(
        Key(Kind.DASHBOARD, uid),
        str(body.get("title", "")),
        {**body, "version": version},
        str(annotations.get("grafana.app/folder") or ""),
        version,
        int(labels.get("grafana.app/deprecatedInternalID") or 0),
        "" if ours else _managed(manager),
        _edited(
            {
                "updatedBy": annotations.get("grafana.app/updatedBy"),
                "updated": annotations.get("grafana.app/updatedTimestamp"),
            }
        ),
    )


def _renamed(live: Live, key: Key) -> Live:
    import dataclasses

    return dataclasses.replace(live, key=key)
