"""Dashboards: through the resource API where there is one, through the older API elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lokictl.http import HttpError
from lokictl.records import dataclass
from lokictl.sync.grafana.connection import FIRST_WITH_RESOURCES, Connection
from lokictl.sync.grafana.folders import Folders, folder_uid_of, managed
from lokictl.sync.plan import Key, Live, Resource, Written
from lokictl.sync.resource_api import ResourceApi, discover, edited, is_no_route

REQUEST_LIMIT_OF_A_MESSAGE = 500
NOT_FOUND = "not found"


@dataclass
class Dashboards:
    """``message`` goes into the history of every dashboard that is written."""

    connection: Connection
    folders: Folders
    message: str = "lokictl sync"
    _resources: ResourceApi | None = None
    _is_discovered: bool = False

    def listed(
        self, dashboards: Mapping[str, Key], unreadable: dict[Key, str] | None
    ) -> dict[Key, Live] | None:
        """The dashboards of these uids from the list of all; None if there is no such list."""
        resources = self.resource_api()
        if resources is None:
            return None
        problems: dict[str, str] | None = {} if unreadable is not None else None
        found = {}
        try:
            for live in resources.dashboards(dashboards, problems):
                key = dashboards[live.key.name]
                found[key] = renamed(live, key)
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

    def resource_api(self) -> ResourceApi | None:
        """The resource API; None where Grafana has none."""
        if not self._is_discovered:
            if self.connection.major >= FIRST_WITH_RESOURCES:
                self._resources = discover(
                    self.connection.client, self._namespace(), self.connection.headers()
                )
            self._is_discovered = True
        return self._resources

    def _namespace(self) -> str:
        """The namespace of the organization, as Grafana itself names it."""
        try:
            settings = self.connection.get("/api/frontend/settings")
            if isinstance(settings, dict) and settings.get("namespace"):
                return str(settings["namespace"])
        except HttpError as error:
            if error.status not in (403, 404):
                raise
        return "default" if self.connection.organisation in (0, 1) else f"org-{self.connection.organisation}"

    def _classic(self, key: Key) -> Live | None:
        found = self.connection.get_or_none(f"/api/dashboards/uid/{quote(key.name, safe='')}")
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
            folder_uid_of(meta),
            int(body.get("version") or meta.get("version") or 0),
            int(body.get("id") or 0),
            read_only or managed(meta.get("managedBy")),
            edited(meta.get("updatedBy"), meta.get("updated")),
        )

    def login_of_editor(self, live: Live) -> str:
        """The login of who changed a dashboard last, which the resource API only gives a number of; "" if unknown."""
        try:
            found = self.connection.get_or_none(f"/api/dashboards/uid/{quote(live.key.name, safe='')}") or {}
        except HttpError:
            return ""
        return str((found.get("meta") or {}).get("updatedBy") or "")

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates it, or replaces ``live`` if it is still the same version."""
        resources = self.resource_api()
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
        resources = self.resource_api()
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
        if not self.connection.has_uids_everywhere:
            body["folderId"] = self.folders.number(resource.folder)
        answer = self.connection.send("POST", "/api/dashboards/db", body)
        if answer.get("uid") != resource.key.name:
            message = f"Grafana saved it under another uid ({answer.get('uid')})"
            raise HttpError("POST", "/api/dashboards/db", 200, message)
        return Written(int(answer.get("version") or 0), int(answer.get("id") or 0))

    @property
    def serves_v2(self) -> bool:
        """Whether dashboards of schema v2 can be written."""
        resources = self.resource_api()
        return resources is not None and bool(resources.newest)

    def read(self, key: Key) -> Live | None:
        """A dashboard as it is stored; None if it does not exist."""
        resources = self.resource_api()
        if resources is None:
            return self._classic(key)
        try:
            live = resources.dashboard(key.name)
        except HttpError as error:
            # To everybody but an admin, a dashboard that does not exist is an internal error.
            if error.status == 500 and NOT_FOUND in error.message and self._classic(key) is None:
                return None
            if self._is_away(error):
                return self._classic(key)
            raise
        return renamed(live, key) if live is not None else None

    def delete(self, live: Live) -> None:
        """Deletes a dashboard, if it is still the same version."""
        if live.resource_version and (resources := self.resource_api()) is not None:
            try:
                resources.delete(live)
            except HttpError as error:
                if not self._is_away(error):
                    raise
            else:
                return
        self.connection.send("DELETE", f"/api/dashboards/uid/{quote(live.key.name, safe='')}", None)


def renamed(live: Live, key: Key) -> Live:
    """A dashboard under another key: that of the record."""
    return dataclasses.replace(live, key=key)
