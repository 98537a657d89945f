"""Groups of alert rules that Grafana evaluates."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from lokictl.sync.grafana.connection import Connection
from lokictl.sync.normal_form import alert_group
from lokictl.sync.plan import Key, Live, Resource, Written


@dataclass
class AlertGroups:
    """The groups in ``folder``; with ``editable`` people can change them in Grafana's pages."""

    connection: Connection
    folder: str = ""
    editable: bool = False

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
        sources = {str(rule.get("provenance") or "") for rule in found["rules"]}
        read_only = "provisioned from a file of Grafana's, so it cannot be saved" if "file" in sources else ""
        title = str(found.get("title", key.name))
        return Live(key, title, alert_group(found), self.folder, read_only=read_only)

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates it, or replaces ``live``."""
        body = dict(resource.body)
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
            headers=self._headers(),
            idempotent=True,
        )
        return Written()

    def _headers(self) -> dict[str, str]:
        """With the header people can change the rules in Grafana's pages."""
        return {**self.connection.headers(), **({"X-Disable-Provenance": "true"} if self.editable else {})}

    def delete(self, live: Live) -> None:
        """Deletes a group with its rules."""
        path = self._path(live.key)
        self.connection.client.request(
            "DELETE", path, headers=self._headers(), idempotent=True, expect_json=False
        )
