"""Who is notified of alerts: message templates, contact points, mute timings, and the one tree of policies."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lokictl.http import HttpError
from lokictl.model.notifications import with_setting
from lokictl.records import dataclass
from lokictl.secrets import Secret
from lokictl.sync.grafana.connection import Connection
from lokictl.sync.grafana.provenance import owner_of, provenance_headers, provenance_of
from lokictl.sync.normal_form import (
    DEFAULT_POLICY,
    LOCKED,
    contact_point,
    policy,
    redacted_settings,
)
from lokictl.sync.plan import Key, Live, Resource, Written

PATH = "/api/v1/provisioning"
NOT_SET_UP = "Grafana has not set up the alerting of this organization yet; it does so within a minute"


@dataclass
class _Provisioned:
    """Requests to the provisioning API."""

    connection: Connection

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        try:
            return self.connection.get(f"{PATH}/{path}", query)
        except HttpError as error:
            if error.status == 404:
                return None
            raise

    def send(self, method: str, path: str, body: Any, wanted: str, live: Live | None) -> dict[str, Any]:
        answer = self.connection.client.request(
            method,
            f"{PATH}/{path}",
            body=body,
            headers={**self.connection.headers(), **provenance_headers(wanted, live)},
            idempotent=True,
            expect_json=method != "DELETE",
        )
        found = answer.json() if method != "DELETE" and answer.body else {}
        return found if isinstance(found, dict) else {}

    def delete(self, live: Live, path: str) -> None:
        version = f"?version={live.resource_version}" if live.resource_version else ""
        self.send("DELETE", f"{path}{version}", None, str(live.body.get("provenance", LOCKED)), live)


def _live(key: Key, body: Mapping[str, Any], version: str = "") -> Live:
    read_only = owner_of(str(body.get("provenance") or ""))
    return Live(key, key.name, body, read_only=read_only, resource_version=version)


def _quoted(name: str) -> str:
    return quote(name, safe="")


@dataclass
class MessageTemplates:
    """Templates of messages."""

    connection: Connection

    def read(self, key: Key) -> Live | None:
        """One template; None if it does not exist."""
        found = _Provisioned(self.connection).get(f"templates/{_quoted(key.name)}")
        if not found:
            return None
        body = {
            "name": key.name,
            "template": str(found.get("template") or ""),
            "provenance": provenance_of(found),
        }
        return _live(key, body, str(found.get("version") or ""))

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates it, or replaces ``live`` if it is still the same version."""
        body = {"template": resource.body["template"]}
        if live is not None:
            body["version"] = live.resource_version
        provenance = str(resource.body.get("provenance", LOCKED))
        path = f"templates/{_quoted(resource.key.name)}"
        answer = _Provisioned(self.connection).send("PUT", path, body, provenance, live)
        return Written(resource_version=str(answer.get("version") or ""))

    def delete(self, live: Live) -> None:
        """Deletes a template."""
        _Provisioned(self.connection).delete(live, f"templates/{_quoted(live.key.name)}")

    def all(self) -> list[str]:
        """The names of all templates."""
        return [str(item.get("name")) for item in _Provisioned(self.connection).get("templates") or []]


@dataclass
class MuteTimings:
    """Times at which nobody is notified, or only at which somebody is."""

    connection: Connection

    def read(self, key: Key) -> Live | None:
        """One mute timing; None if it does not exist."""
        found = _Provisioned(self.connection).get(f"mute-timings/{_quoted(key.name)}")
        if not found:
            return None
        intervals = found.get("time_intervals") or []
        body = {"name": key.name, "time_intervals": intervals, "provenance": provenance_of(found)}
        return _live(key, body, str(found.get("version") or ""))

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates it, or replaces ``live`` if it is still the same version."""
        body = {"name": resource.key.name, "time_intervals": resource.body["time_intervals"]}
        provenance = str(resource.body.get("provenance", LOCKED))
        api = _Provisioned(self.connection)
        if live is None:
            answer = api.send("POST", "mute-timings", body, provenance, None)
        else:
            path = f"mute-timings/{_quoted(resource.key.name)}"
            answer = api.send("PUT", path, {**body, "version": live.resource_version}, provenance, live)
        return Written(resource_version=str(answer.get("version") or ""))

    def delete(self, live: Live) -> None:
        """Deletes a mute timing that neither policies nor rules name."""
        _Provisioned(self.connection).delete(live, f"mute-timings/{_quoted(live.key.name)}")

    def all(self) -> list[str]:
        """The names of all mute timings."""
        return [str(item.get("name")) for item in _Provisioned(self.connection).get("mute-timings") or []]


@dataclass
class ContactPoints:
    """Contact points: all integrations of one name together, although Grafana keeps each by its uid."""

    connection: Connection

    def read(self, key: Key) -> Live | None:
        """One contact point, its secrets as `REDACTED`; None if it does not exist."""
        found = _Provisioned(self.connection).get("contact-points", {"name": key.name}) or []
        integrations = [item for item in found if item.get("name") == key.name]
        if not integrations:
            return None
        provenances = {provenance_of(item) for item in integrations}
        receivers = [
            {name: item.get(name) for name in ("uid", "type", "settings", "disableResolveMessage")}
            for item in integrations
        ]
        # One that is locked locks the contact point.
        provenance = max(provenances, key=lambda text: (text not in ("", LOCKED), text))
        return _live(key, {"name": key.name, "receivers": receivers, "provenance": provenance})

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates it, or makes ``live`` the same, integration by integration: new ones first, then the others go."""
        api = _Provisioned(self.connection)
        provenance = str(resource.body.get("provenance", LOCKED))
        before = {str(item.get("uid")): item for item in live.body["receivers"]} if live is not None else {}
        kept = set(redacted_settings(live.body)) if live is not None else set()
        after = {str(item["uid"]): item for item in resource.body["receivers"]}
        for uid, item in after.items():
            secrets = {
                path.removeprefix(f"{uid}."): secret
                for path, secret in resource.secrets.items()
                if path.startswith(f"{uid}.")
            }
            body = {"uid": uid, "name": resource.key.name, **_filled(item, secrets, kept)}
            if uid not in before:
                api.send("POST", "contact-points", body, provenance, live)
            elif secrets or not _is_same(item, before[uid]) or self._opens(provenance, live):
                api.send("PUT", f"contact-points/{_quoted(uid)}", body, provenance, live)
        for uid in before:
            if uid not in after:
                self._delete(uid, live)
        return Written()

    def _opens(self, provenance: str, live: Live | None) -> bool:
        return live is not None and live.body.get("provenance") != provenance

    def _delete(self, uid: str, live: Live | None) -> None:
        provenance = str(live.body.get("provenance", LOCKED)) if live is not None else LOCKED
        path = f"contact-points/{_quoted(uid)}"
        _Provisioned(self.connection).send("DELETE", path, None, provenance, live)

    def delete(self, live: Live) -> None:
        """Deletes a contact point that neither policies nor rules name."""
        for item in live.body["receivers"]:
            self._delete(str(item.get("uid")), live)

    def all(self) -> list[str]:
        """The names of all contact points but the one that Grafana makes itself."""
        rows = _Provisioned(self.connection).get("contact-points") or []
        # That one has no uid, and in 12.2 another name than the one that policies know it by.
        return list(dict.fromkeys(str(row.get("name")) for row in rows if row.get("uid")))


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return contact_point({"receivers": [one]}) == contact_point({"receivers": [other]})


def _filled(item: Mapping[str, Any], secrets: Mapping[str, Secret], kept: set[str]) -> dict[str, Any]:
    """An integration as it is sent: with the secrets that are known, without those that nobody knows."""
    settings: dict[str, Any] = dict(item.get("settings") or {})
    uid = str(item.get("uid"))
    for place in redacted_settings({"receivers": [item]}):
        path = place.removeprefix(f"{uid}.")
        if path in secrets:
            settings = with_setting(settings, path, secrets[path].reveal())
        elif place not in kept:
            settings = with_setting(settings, path, None)
    return {
        "type": item.get("type"),
        "settings": settings,
        "disableResolveMessage": bool(item.get("disableResolveMessage")),
    }


@dataclass
class Policies:
    """The tree of policies, of which an organization has one.

    ``branches_to``: only the branches that lead to these contact points are looked at and written; None: the whole
    tree.
    """

    connection: Connection
    branches_to: frozenset[str] | None = None

    def read(self, key: Key) -> Live | None:
        """The tree, or the branches; None for a tree that nobody has changed, and for no branch."""
        tree = self._tree()
        if tree is None:
            return None
        provenance = provenance_of(tree)
        if self.branches_to is not None:
            found = [route for route in tree.get("routes") or [] if route.get("receiver") in self.branches_to]
            # Whether people may change the tree is nothing that branches decide.
            body = {"receivers": sorted(self.branches_to), "routes": found}
            read_only = owner_of(provenance)
            return dataclasses.replace(_live(key, body), read_only=read_only) if found or read_only else None
        if provenance == "" and policy(tree) == DEFAULT_POLICY:
            return None
        return _live(key, {**tree, "provenance": provenance})

    def check_set_up(self) -> None:
        """Raises `HttpError` where a new organization has no alerting yet: all other answers would be 500."""
        if self._tree() is None:
            raise HttpError("GET", f"{PATH}/policies", 503, NOT_SET_UP)

    def _tree(self) -> dict[str, Any] | None:
        found = _Provisioned(self.connection).get("policies")
        return dict(found) if isinstance(found, Mapping) else None

    def others(self) -> list[dict[str, Any]]:
        """The branches at the top of the tree that lead elsewhere than to ``branches_to``."""
        known = self.branches_to or frozenset()
        return [
            route for route in (self._tree() or {}).get("routes") or [] if route.get("receiver") not in known
        ]

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Writes the whole tree; branches go where they were, new ones behind those of others."""
        receivers = resource.body.get("receivers")
        if receivers is not None:
            self._write_branches(list(resource.body.get("routes") or []), frozenset(receivers))
            return Written()
        body = {key: value for key, value in resource.body.items() if key != "provenance"}
        self._send(body, str(resource.body.get("provenance", LOCKED)), live)
        return Written()

    def _write_branches(self, branches: list[Mapping[str, Any]], receivers: frozenset[str]) -> None:
        tree = self._tree() or {}
        own = receivers | (self.branches_to or frozenset())
        routes = list(tree.get("routes") or [])
        places = [number for number, route in enumerate(routes) if route.get("receiver") in own]
        others = [route for route in routes if route.get("receiver") not in own]
        at = places[0] if places else len(others)
        provenance = provenance_of(tree)
        body = {key: value for key, value in tree.items() if key not in ("provenance", "routes")}
        body["routes"] = [*others[:at], *branches, *others[at:]]
        # The tree stays as open as it was.
        self._send(body, provenance, None)

    def _send(self, body: Mapping[str, Any], provenance: str, live: Live | None) -> None:
        _Provisioned(self.connection).send("PUT", "policies", body, provenance, live)

    def delete(self, live: Live) -> None:
        """Gives Grafana its own tree back, or takes the branches out."""
        if live.body.get("receivers") is not None:
            self._write_branches([], frozenset(live.body["receivers"]))
        else:
            provenance = str(live.body.get("provenance", LOCKED))
            _Provisioned(self.connection).send("DELETE", "policies", None, provenance, live)
