"""Contact points, mute timings, templates and policies: answers as those of a real Grafana 12.2.0."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from lokictl.model.notifications import SECRET_SETTINGS, setting, with_setting
from tests.sync.fakes.http import Answer, Request, json_answer

DEFAULT_TREE = {"receiver": "grafana-default-email", "group_by": ["grafana_folder", "alertname"]}
REDACTED = "[REDACTED]"
UID = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
REFUSED = (
    "Resource with provenance status '{0}' cannot be managed via API that handles resources with provenance status "
    "'{1}'. You must use appropriate API to manage this resource"
)


def words(status: int, text: str, code: str = "") -> Answer:
    more = {"statusCode": status, "messageId": f"alerting.{code}"} if code else {}
    return json_answer(status, {**more, "message": text})


def version_of(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class FakeNotifications:
    """``integrations`` by uid, with their secrets; ``used`` are contact points and mute timings that rules name."""

    integrations: dict[str, dict[str, Any]] = field(default_factory=dict)
    timings: dict[str, dict[str, Any]] = field(default_factory=dict)
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    tree: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(DEFAULT_TREE))
    used: set[str] = field(default_factory=set)
    is_set_up: bool = True

    def handle(self, request: Request, rest: list[str]) -> Answer:
        if not self.is_set_up:
            if rest[0] == "contact-points":
                text = "No alertmanager configuration present in this organization"
                return words(500, text, "notification.configMissing")
            if rest[0] != "policies":
                return words(500, "Internal Server Error")
            return words(404, "could not find an Alertmanager configuration")
        wanted = "" if "x-disable-provenance" in request.headers else "api"
        kinds = {
            "contact-points": self._contact_points,
            "mute-timings": self._mute_timings,
            "templates": self._templates,
            "policies": self._policies,
        }
        return kinds[rest[0]](request, rest[1:], wanted)

    # --- contact points ----------------------------------------------------------------------------------

    def _contact_points(self, request: Request, rest: list[str], wanted: str) -> Answer:
        if request.method == "GET":
            names = request.query.get("name")
            default = {
                "uid": "",
                "name": "email receiver",
                "type": "email",
                "settings": {"addresses": "<example@email.com>"},
                "disableResolveMessage": False,
            }
            rows = [default, *map(self._shown, self.integrations.values())]
            return json_answer(200, [row for row in rows if not names or row["name"] == names])
        if request.method == "DELETE":
            found = self.integrations.get(rest[0])
            if found is None:
                return json_answer(202, {"message": "contactpoint deleted"})
            last = sum(item["name"] == found["name"] for item in self.integrations.values()) == 1
            if last and found["name"] in self._receivers(self.tree):
                text = "Contact point is currently referenced by a notification policy."
                return words(409, text, "notifications.contact-points.referenced")
            if last and found["name"] in self.used:
                text = (
                    "Contact point is currently used in the notification settings of one or many alert rules."
                )
                return words(409, text, "notifications.contact-points.used-by-rule")
            del self.integrations[rest[0]]
            return json_answer(202, {"message": "contactpoint deleted"})
        body = request.json()
        uid = rest[0] if rest else str(body.get("uid") or "")
        if not UID.match(uid):
            return words(400, "invalid object specification\ninvalid format of UID")
        before = self.integrations.get(uid)
        if request.method == "POST" and before is not None:
            text = (
                f"Receiver configuration with UID '{uid}' already exists in contact point '{before['name']}'."
            )
            return words(409, text, "notifications.contact-points.uidInUse")
        if request.method == "PUT" and before is None:
            return words(404, f"object not found: contact point with uid '{uid}' not found")
        known = before.get("provenance", "") if before is not None else ""
        if known and known != wanted:
            return words(500, f"cannot change provenance from '{known}' to '{wanted}'")
        made = self._filled(uid, body, before)
        if made["type"] == "slack" and not (made["settings"].get("url") or made["settings"].get("token")):
            return words(
                400, "invalid object specification: token must be specified when using the Slack chat API"
            )
        self.integrations[uid] = {**made, **({"provenance": wanted} if wanted else {})}
        if request.method == "POST":
            return json_answer(202, self._shown(self.integrations[uid]))
        return json_answer(202, {"message": "contactpoint updated"})

    def _filled(self, uid: str, body: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
        settings = dict(body["settings"])
        for path in SECRET_SETTINGS.get(body["type"], ()):
            if setting(settings, path) == REDACTED:
                kept = setting(before["settings"], path) if before is not None else None
                settings = with_setting(settings, path, kept)
        disable = bool(body.get("disableResolveMessage"))
        made = {"uid": uid, "name": body["name"], "type": body["type"], "settings": settings}
        return {**made, "disableResolveMessage": disable}

    def _shown(self, item: dict[str, Any]) -> dict[str, Any]:
        settings = item["settings"]
        for path in SECRET_SETTINGS.get(item["type"], ()):
            if setting(settings, path) is not None:
                settings = with_setting(settings, path, REDACTED)
        return {**item, "settings": settings}

    def _receivers(self, route: dict[str, Any]) -> set[str]:
        below = [self._receivers(item) for item in route.get("routes") or []]
        return {str(route.get("receiver")), *(name for names in below for name in names)}

    def _timings(self, route: dict[str, Any]) -> set[str]:
        below = [self._timings(item) for item in route.get("routes") or []]
        own = {*(route.get("mute_time_intervals") or []), *(route.get("active_time_intervals") or [])}
        return own | {name for names in below for name in names}

    # --- mute timings and templates ----------------------------------------------------------------------

    def _refusal(
        self, found: dict[str, Any] | None, request: Request, wanted: str, version: str
    ) -> Answer | None:
        known = (found or {}).get("provenance", "")
        if known == "api" and wanted == "":
            return words(403, REFUSED.format("api", "none"), "notifications.invalidProvenance")
        if found is not None and version and version != version_of(self._content(found)):
            return words(409, "Conflict", "notifications.conflict")
        return None

    def _content(self, found: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in found.items() if key != "provenance"}

    def _with_version(self, found: dict[str, Any]) -> dict[str, Any]:
        return {**found, "version": version_of(self._content(found))}

    def _mute_timings(self, request: Request, rest: list[str], wanted: str) -> Answer:
        if not rest and request.method == "GET":
            return json_answer(200, [self._with_version(item) for item in self.timings.values()])
        body = request.json() if request.body else {}
        name = rest[0] if rest else body["name"]
        found = self.timings.get(name)
        if request.method == "POST" and found is not None:
            text = "Time interval with this name already exists."
            return words(400, text, "notifications.time-intervals.nameExists")
        if found is None and request.method in ("GET", "PUT"):
            return words(404, "NotFound", "notifications.time-intervals.notFound")
        if request.method == "GET":
            return json_answer(200, self._with_version(self.timings[name]))
        version = str(body.get("version") or request.query.get("version") or "")
        refusal = self._refusal(found, request, wanted, version)
        if refusal is not None:
            return refusal
        if request.method == "DELETE":
            if name in self._timings(self.tree) | self.used:
                return words(409, "Conflict", "notifications.time-intervals.used")
            self.timings.pop(name, None)
            return Answer(204)
        made = {"name": name, "time_intervals": body["time_intervals"]}
        self.timings[name] = {**made, **({"provenance": wanted} if wanted else {})}
        return json_answer(201 if request.method == "POST" else 202, self._with_version(self.timings[name]))

    def _templates(self, request: Request, rest: list[str], wanted: str) -> Answer:
        if not rest:
            return json_answer(200, [self._with_version(item) for item in self.templates.values()] or None)
        name = rest[0]
        found = self.templates.get(name)
        if request.method == "GET":
            if found is None:
                return words(404, "NotFound", "notifications.templates.notFound")
            return json_answer(200, self._with_version(found))
        body = request.json() if request.body else {}
        version = str(body.get("version") or request.query.get("version") or "")
        refusal = self._refusal(found, request, wanted, version)
        if refusal is not None:
            return refusal
        if request.method == "DELETE":
            self.templates.pop(name, None)
            return Answer(204)
        text = body["template"].strip()
        if not re.search(r"\{\{\s*define\b", text):
            lines = "\n".join(f"  {line}" for line in text.split("\n"))
            text = f'{{{{ define "{name}" }}}}\n{lines}\n{{{{ end }}}}'
        self.templates[name] = {"name": name, "template": text, **({"provenance": wanted} if wanted else {})}
        return json_answer(202, self._with_version(self.templates[name]))

    # --- policies ----------------------------------------------------------------------------------------

    def _policies(self, request: Request, rest: list[str], wanted: str) -> Answer:
        if request.method == "GET":
            return json_answer(200, self.tree)
        known = self.tree.get("provenance", "")
        if known == "api" and wanted == "":
            return words(403, REFUSED.format("api", "none"), "notifications.invalidProvenance")
        if request.method == "DELETE":
            self.tree = copy.deepcopy(DEFAULT_TREE)
            return json_answer(202, self.tree)
        tree = self._tidy(request.json())
        known_names = {item["name"] for item in self.integrations.values()} | {DEFAULT_TREE["receiver"]}
        unknown = [name for name in self._receivers(tree) - known_names if name not in ("", "None")]
        if unknown:
            text = f"Invalid format of the submitted route: receiver '{unknown[0]}' does not exist."
            return words(400, text, "notifications.routes.invalidFormat")
        missing = self._timings(tree) - set(self.timings)
        if missing:
            text = (
                f"Invalid format of the submitted route: mute time interval '{missing.pop()}' does not exist."
            )
            return words(400, text, "notifications.routes.invalidFormat")
        self.tree = {**tree, **({"provenance": wanted} if wanted else {})}
        return json_answer(202, {"message": "policies updated"})

    def _tidy(self, route: dict[str, Any]) -> dict[str, Any]:
        """As Grafana gives it back: matchers in order, nothing that is empty."""
        tidy = {key: value for key, value in route.items() if value not in (None, "", [], False)}
        if "object_matchers" in tidy:
            tidy["object_matchers"] = sorted(tidy["object_matchers"])
        if "routes" in tidy:
            tidy["routes"] = [self._tidy(item) for item in tidy["routes"]]
        return tidy
