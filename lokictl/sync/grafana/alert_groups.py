"""Groups of alert rules that Grafana evaluates."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from lokictl.sync.grafana.connection import Connection
from lokictl.sync.grafana.provenance import owner_of, provenance_headers, provenance_of
from lokictl.sync.normal_form import LOCKED, alert_group
from lokictl.sync.plan import Key, Live, Resource, Written


@dataclass
class AlertGroups:
    """The groups in ``folder``."""

    connection: Connection
    folder: str = ""

    def _path(self, key: Key) -> str:
        folder = quote(self.folder, safe="")
        return f"/api/v1/provisioning/folder/{folder}/rule-groups/{quote(key.name, safe='')}"

    def read(self, key: Key) -> Live | None:
        """One group; None when there is none."""
        if not self.folder:
            return None
        found = self.connection.get_or_none(self._path(key))
        if not found or not found.get("rules"):
            return None
        # The rules of a group may have several owners; one that is not us is enough to leave it alone.
        owners = {provenance_of(rule) for rule in found["rules"]}
        provenance = max(owners, key=lambda text: (text not in ("", LOCKED), text))
        title = str(found.get("title", key.name))
        body = {**alert_group(found), "provenance": provenance}
        return Live(key, title, body, self.folder, read_only=owner_of(provenance))

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
        self.connection.client.request(
            "PUT",
            self._path(resource.key),
            body={**body, "folderUid": resource.folder, "rules": rules},
            headers=self._headers(str(resource.body.get("provenance", LOCKED)), live),
            idempotent=True,
        )
        return Written()

    def _headers(self, wanted: str, live: Live | None) -> dict[str, str]:
        return {**self.connection.headers(), **provenance_headers(wanted, live)}

    def delete(self, live: Live) -> None:
        """Deletes a group with its rules."""
        path = self._path(live.key)
        headers = self._headers(str(live.body.get("provenance", LOCKED)), live)
        self.connection.client.request("DELETE", path, headers=headers, idempotent=True, expect_json=False)
