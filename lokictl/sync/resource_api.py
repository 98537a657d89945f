"""Grafana's resource API (``/apis``, since version 12): dashboards as objects with a version and an owner."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from lokictl.http import HttpClient, HttpError
from lokictl.model.dashboard_schema import spec_for
from lokictl.model.json_text import json_text
from lokictl.records import dataclass
from lokictl.sync.plan import Key, Kind, Live, Resource, Written

GROUP = "/apis/dashboard.grafana.app"
# The first one gives classic dashboards as they are stored; the others migrate them to the newest schemaVersion.
CLASSIC = ("v0alpha1", "v1", "v1beta1")
NEW = ("v2", "v2beta1")
PAGE = 500
OUR_MANAGER = "lokictl"
# Grafana takes these out of a dashboard, or refuses them in the new schema.
NOT_IN_A_SPEC = ("uid", "id", "version", "iteration")
FILE_MANAGER = "classic-file-provisioning"
MANAGERS = {
    "grafana-operator": "the Grafana operator",
    "repo": "Git Sync",
    "terraform": "Terraform",
    "plugin": "a plugin",
}
"""What Grafana calls the owners of resources; others are named as they are."""


@dataclass(frozen=True, slots=True)
class ResourceApi:
    """The dashboards of one namespace (an organization, or a stack of Grafana Cloud); methods raise `HttpError`.

    ``version`` is the one in which classic dashboards are read and written; ``served`` are all versions.
    """

    client: HttpClient
    namespace: str
    version: str
    served: frozenset[str]
    headers: Mapping[str, str]

    def dashboards(self, names: Collection[str], unreadable: dict[str, str] | None) -> Iterator[Live]:
        """Those of these names; each in the version that it is stored in.

        What cannot be read goes to ``unreadable`` with the reason; without it, that is an error.
        """
        token = ""
        while True:
            query = {"limit": PAGE, **({"continue": token} if token else {})}
            answer = self._get(self._path(self.version), query)
            for item in answer.get("items") or []:
                name = str((item.get("metadata") or {}).get("name", ""))
                if name not in names:
                    continue
                try:
                    yield self._live(item)
                except (HttpError, ValueError) as error:
                    if unreadable is None or (isinstance(error, HttpError) and error.status in (0, 401, 429)):
                        raise
                    unreadable[name] = str(error)
            token = str((answer.get("metadata") or {}).get("continue") or "")
            if not token:
                return

    def dashboard(self, uid: str) -> Live | None:
        """One dashboard in the version that it is stored in; None if it does not exist."""
        try:
            return self._live(self._get(self._path(self.version, uid)))
        except HttpError as error:
            if error.status == 404 and not is_no_route(error):
                return None
            raise

    def write(self, resource: Resource, live: Live | None, message: str, *, dry_run: bool = False) -> Written:
        """Creates a dashboard, or replaces ``live`` if it is still the same version; not with ``dry_run``."""
        version = self._version_for(resource.schema)
        annotations = {
            "grafana.app/folder": resource.folder,
            "grafana.app/message": message,
            "grafana.app/managedBy": "kubectl",
            "grafana.app/managerId": OUR_MANAGER,
            "grafana.app/managerAllowsEdits": "true",
        }
        metadata: dict[str, Any] = {"name": resource.key.name, "annotations": annotations}
        if live is not None:
            metadata["resourceVersion"] = live.resource_version
        body = {
            "apiVersion": f"dashboard.grafana.app/{version}",
            "kind": "Dashboard",
            "metadata": metadata,
            "spec": self._spec(resource, version),
        }
        if live is None:
            answer = self._send("POST", self._path(version), body, dry_run=dry_run)
        else:
            answer = self._send("PUT", self._path(version, resource.key.name), body, dry_run=dry_run)
        metadata = answer.get("metadata") or {}
        resource_version = str(metadata.get("resourceVersion") or "")
        return Written(int(metadata.get("generation") or 0), _number(metadata), resource_version)

    def _spec(self, resource: Resource, version: str) -> dict[str, Any]:
        spec = {key: value for key, value in resource.body.items() if key not in NOT_IN_A_SPEC}
        return spec_for(spec, version) if version in NEW else spec

    @property
    def newest(self) -> str:
        """The newest version of schema v2 that is served; "" for none."""
        return next((name for name in NEW if name in self.served), "")

    def _version_for(self, schema: str) -> str:
        return self.newest if schema in NEW and self.newest else schema or self.version

    def delete(self, live: Live) -> None:
        """Deletes a dashboard if it is still the same version; it may already be gone."""
        condition = (
            {"preconditions": {"resourceVersion": live.resource_version}} if live.resource_version else {}
        )
        body = {"kind": "DeleteOptions", "apiVersion": "v1", **condition}
        try:
            self._send("DELETE", self._path(live.schema or self.version, live.key.name), body)
        except HttpError as error:
            if error.status != 404 or is_no_route(error):
                raise

    def _send(self, method: str, path: str, body: Any, *, dry_run: bool = False) -> dict[str, Any]:
        # Sending it again is safe: everything has a name, and updates say which version they replace.
        answer = self.client.request(
            method,
            path,
            query={"dryRun": "All"} if dry_run else None,
            body=body,
            headers=self.headers,
            idempotent=True,
            changes_nothing=dry_run,
        )
        found = answer.json() if answer.body else {}
        return found if isinstance(found, dict) else {}

    def _live(self, item: Mapping[str, Any]) -> Live:
        stored = unconverted(item)
        if not stored:
            return live_dashboard(item, "")
        path = self._path(stored, str((item.get("metadata") or {}).get("name", "")))
        try:
            return live_dashboard(self._get(path), stored)
        except HttpError as error:
            if error.status != 404:
                raise
            message = f"stored as {stored}, which this Grafana does not serve"
            raise HttpError("GET", path, 406, message) from None

    def _path(self, version: str, uid: str = "") -> str:
        name = f"/{quote(uid, safe='')}" if uid else ""
        return f"{GROUP}/{version}/namespaces/{quote(self.namespace, safe='')}/dashboards{name}"

    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        return self.client.request("GET", path, query=query, headers=self.headers).json()


def unconverted(item: Mapping[str, Any]) -> str:
    """The version that an object is stored in, if Grafana could not convert it to the one asked for."""
    conversion = (item.get("status") or {}).get("conversion") or {}
    if conversion.get("failed"):
        return str(conversion.get("storedVersion") or "v2beta1")
    return ""


def live_dashboard(item: Mapping[str, Any], schema: str) -> Live:
    """A dashboard from its object.  Raises ValueError when it has no content."""
    metadata = item.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    uid = str(metadata.get("name", ""))
    spec = item.get("spec")
    if not isinstance(spec, Mapping) or not spec:
        raise ValueError(f"Grafana gave no content for the dashboard {uid}")
    version = int(metadata.get("generation") or 0)
    body = dict(spec) if schema else {**spec, "uid": uid, "version": version}
    return Live(
        Key(Kind.DASHBOARD, uid),
        str(spec.get("title", "")),
        body,
        str(annotations.get("grafana.app/folder") or ""),
        version,
        _number(metadata),
        managed_by(annotations),
        edited(annotations.get("grafana.app/updatedBy"), annotations.get("grafana.app/updatedTimestamp")),
        schema,
        str(metadata.get("resourceVersion") or ""),
    )


def _number(metadata: Mapping[str, Any]) -> int:
    return int((metadata.get("labels") or {}).get("grafana.app/deprecatedInternalID") or 0)


def is_no_route(error: HttpError) -> bool:
    """Whether the server (or a proxy in front of it) does not serve this part of the resource API at all."""
    return error.status == 405 or (error.status == 404 and error.code != "NotFound")


def managed_by(annotations: Mapping[str, Any]) -> str:
    """Why a resource must be left alone: its owner; "" where it is nobody's, or ours."""
    manager = str(annotations.get("grafana.app/managedBy") or "")
    name = str(annotations.get("grafana.app/managerId") or "")
    if not manager or name == OUR_MANAGER:
        return ""
    if manager == FILE_MANAGER:
        file = annotations.get("grafana.app/sourcePath") or name
        editable = annotations.get("grafana.app/managerAllowsEdits") == "true"
        result = "which overwrites it when it changes" if editable else "so it cannot be saved"
        return f"provisioned from a file of Grafana's ({file}), {result}"
    return managed_words(manager, name)


def managed_words(manager: str, name: str = "") -> str:
    """The owner as a person would call it: ``managed by Git Sync (repository-1)``."""
    known = next((word for word in MANAGERS if word in (manager, name)), manager)
    who = MANAGERS.get(known, manager)
    return f"managed by {who} ({name})" if name and name not in (manager, known) else f"managed by {who}"


def edited(who: Any, when: Any) -> str:
    """Who changed something last, and when, as text."""
    return f"by {who} at {when}" if who and when else f"at {when}" if when else ""


def discover(client: HttpClient, namespace: str, headers: Mapping[str, str]) -> ResourceApi | None:
    """The resource API of a Grafana; None where it has none for dashboards."""
    try:
        found = client.request("GET", GROUP, headers=headers).json()
    except HttpError as error:
        if error.status in (403, 404, 406):
            return None
        raise
    served = frozenset(str(item.get("version")) for item in found.get("versions") or [])
    version = next((name for name in CLASSIC if name in served), "")
    return ResourceApi(client, namespace, version, served, headers) if version else None


def shown_object(live: Live) -> str:
    """A dashboard of the new schema as the file that brings it back: an object with kind and version."""
    metadata = {"name": live.key.name}
    data = {
        "apiVersion": f"dashboard.grafana.app/{live.schema}",
        "kind": "Dashboard",
        "metadata": metadata,
        "spec": live.body,
    }
    return json_text(data) + "\n"
