"""The API of Loki's ruler with its state."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import yaml

from tests.sync.fakes.http import Answer, Request, json_answer

ACCEPTED = {"status": "success", "data": None, "errorType": "", "error": ""}
KEPT_OF_RULE = ("alert", "record", "expr", "for", "labels", "annotations")


def text(status: int, words: str) -> Answer:
    return Answer(status, f"{words}\n".encode(), "text/plain; charset=utf-8")


class FakeRuler:
    """``storage`` is "object" or "local" (read-only); ``api`` False: this Loki has no ruler API."""

    def __init__(self, storage: str = "object", *, api: bool = True, tenants: bool = True) -> None:
        self.storage, self.api, self.tenants = storage, api, tenants
        self.rules: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
        self.by: dict[tuple[str, str, str], str] = {}

    def put(self, tenant: str, namespace: str, group: dict[str, Any], by: str = "alice") -> None:
        """Stores a group, as somebody else would."""
        self.by[tenant, namespace, group["name"]] = by
        self.rules.setdefault(tenant, {}).setdefault(namespace, {})[group["name"]] = stored(group)

    def handle(self, request: Request) -> Answer:
        # Like Loki, whose router unescapes once and whose handlers unescape once more.
        parts = unquote(request.path).strip("/").split("/")
        if not self.api or parts[:4] != ["loki", "api", "v1", "rules"] or len(parts) > 6:
            return text(404, "404 page not found")
        tenant = request.headers.get("x-scope-orgid", "") if self.tenants else "fake"
        if not tenant:
            return text(401, "no org id")
        if "|" in tenant:
            return json_answer(500, {"status": "error", "error": "no org id"})
        names = [unquote(part) for part in parts[4:]]
        method = {"GET": self._get, "POST": self._post, "DELETE": self._delete}[request.method]
        return method(request, tenant, names)

    def _get(self, request: Request, tenant: str, names: list[str]) -> Answer:
        found = self.rules.get(tenant, {})
        if len(names) == 2:
            if self.storage == "local":
                return text(400, "GetRuleGroup unsupported in rule local store")
            group = found.get(names[0], {}).get(names[1])
            return dumped(group) if group is not None else text(404, "group does not exist")
        chosen = {
            name: groups for name, groups in found.items() if groups and (not names or name == names[0])
        }
        if not chosen:
            return text(404, "no rule groups found")
        return dumped({name: list(groups.values()) for name, groups in chosen.items()})

    def _post(self, request: Request, tenant: str, names: list[str]) -> Answer:
        if self.storage == "local":
            return json_answer(
                500, {"status": "error", "error": "SetRuleGroup unsupported in rule local store"}
            )
        if len(names) != 1:
            return text(405, "")
        if "form" in request.headers.get("content-type", "form"):
            return text(400, "group 0: Groupname must not be empty")
        try:
            group = yaml.safe_load(request.body)
        except yaml.YAMLError:
            return text(400, "unable to decoded rule group")
        if not isinstance(group, dict) or not group.get("name"):
            return text(400, "group 0: Groupname must not be empty")
        for rule in group.get("rules") or []:
            if not rule.get("expr"):
                return text(400, "field 'expr' must be set in rule")
        self.put(tenant, names[0], group, "sync")
        return json_answer(202, ACCEPTED)

    def _delete(self, request: Request, tenant: str, names: list[str]) -> Answer:
        if self.storage == "local":
            return json_answer(500, {"status": "error", "error": "DeleteRuleGroup unsupported"})
        groups = self.rules.get(tenant, {}).get(names[0], {})
        if len(names) == 2:
            if names[1] not in groups:
                return text(404, "group does not exist")
            del groups[names[1]]
        else:
            self.rules.get(tenant, {}).pop(names[0], None)
        return json_answer(202, ACCEPTED)


def stored(group: dict[str, Any]) -> dict[str, Any]:
    """What is left of a group in the ruler's storage."""
    kept = {key: group[key] for key in ("name", "interval", "limit") if group.get(key)}
    return {**kept, "rules": [_rule(rule) for rule in group.get("rules") or []]}


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    kept = {key: rule[key] for key in KEPT_OF_RULE if rule.get(key)}
    for key in ("labels", "annotations"):
        if key in kept:
            kept[key] = {name: str(kept[key][name]) for name in sorted(kept[key])}
    return kept


def dumped(value: Any) -> Answer:
    return Answer(
        200, yaml.safe_dump(value, indent=4, sort_keys=False, allow_unicode=True).encode(), "application/yaml"
    )
