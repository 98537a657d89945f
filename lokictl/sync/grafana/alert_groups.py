"""Groups of alert rules that Grafana evaluates."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from lokictl.records import dataclass
from lokictl.sync.grafana.connection import Connection
from lokictl.sync.grafana.provenance import owner_of, provenance_headers, provenance_of
from lokictl.sync.normal_form import LOCKED, alert_group
from lokictl.sync.plan import Key, Kind, Live, Resource, Written

RULES = "/api/v1/provisioning/alert-rules"


@dataclass
class AlertGroups:
    """The groups of every folder; a key names the folder's uid."""

    connection: Connection

    def _path(self, key: Key) -> str:
        folder = quote(key.namespace, safe="")
        return f"/api/v1/provisioning/folder/{folder}/rule-groups/{quote(key.name, safe='')}"

    def read(self, key: Key) -> Live | None:
        """One group; None if it does not exist."""
        found = self.connection.get_or_none(self._path(key))
        if not found or not found.get("rules"):
            return None
        provenance = self._provenance(found["rules"])
        title = str(found.get("title", key.name))
        body = {**alert_group(found), "provenance": provenance}
        return Live(key, title, body, key.namespace, read_only=owner_of(provenance))

    def all(self) -> list[Key]:
        """The keys of all groups."""
        rules = self.connection.get_or_none(RULES) or []
        places = [(str(rule.get("folderUID")), str(rule.get("ruleGroup"))) for rule in rules]
        return [Key(Kind.ALERT_GROUP, name, folder) for folder, name in dict.fromkeys(places)]

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates it, or replaces ``live``."""
        body = {key: value for key, value in resource.body.items() if key != "provenance"}
        rules = [
            {
                **rule,
                "folderUID": resource.folder,
                "ruleGroup": resource.key.name,
                "orgID": self.connection.organisation or 1,
            }
            for rule in body["rules"]
        ]
        wanted = str(resource.body.get("provenance", LOCKED))
        self._put(
            self._path(resource.key), {**body, "folderUid": resource.folder, "rules": rules}, wanted, live
        )
        if live is not None and wanted == LOCKED != live.body.get("provenance"):
            # A group whose rules are the same is not looked at; each rule by itself is.
            for rule in rules:
                self._put(f"{RULES}/{quote(str(rule['uid']), safe='')}", rule, wanted, live)
        return Written()

    def _put(self, path: str, body: Any, wanted: str, live: Live | None) -> None:
        headers = {**self.connection.headers(), **provenance_headers(wanted, live)}
        self.connection.client.request("PUT", path, body=body, headers=headers, idempotent=True)

    def _provenance(self, rules: list[dict[str, Any]]) -> str:
        """Who may change the rules of a group: groups do not say, their rules do."""
        found = self.connection.get_or_none(f"{RULES}/{quote(str(rules[0].get('uid')), safe='')}")
        return provenance_of(found) if isinstance(found, dict) else LOCKED

    def delete(self, live: Live) -> None:
        """Deletes a group with its rules."""
        headers = self.connection.headers()
        path = self._path(live.key)
        self.connection.client.request("DELETE", path, headers=headers, idempotent=True, expect_json=False)
