"""The HTTP API of Loki's ruler: rule groups by tenant and namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from lokictl.errors import Error
from lokictl.http import HttpClient, HttpError
from lokictl.loki_api import BUILDINFO_PATH, RULES_PATH, tenant_headers
from lokictl.model.yaml_library import yaml
from lokictl.model.yaml_writer import dump_yaml
from lokictl.records import dataclass
from lokictl.sync.normal_form import rule_group
from lokictl.sync.plan import Key, Kind, Live, Resource, Written

NO_GROUPS = "no rule groups found"
NO_SUCH_ROUTE = "page not found"
UNSUPPORTED = "unsupported in rule local store"
NO_RULE_DIRECTORY = "unable to read rule dir"
INSTEAD = "deliver the rules as files instead: `lokictl render`"


class NoRulerError(Error):
    """This Loki cannot be given rules; the text says why, and what to do instead."""


@dataclass
class Ruler:
    """One Loki; every method may raise `HttpError`."""

    client: HttpClient

    def version(self) -> str:
        """The version that Loki says it has; "" where it does not say."""
        try:
            found = self.client.request("GET", BUILDINFO_PATH).json()
        except (HttpError, ValueError):
            return ""
        return str(found.get("version") or "") if isinstance(found, dict) else ""

    def read(self, tenant: str) -> dict[Key, Live]:
        """All groups of a tenant, with one request.  Raises `NoRulerError` if there is no such API."""
        try:
            answer = self.client.request("GET", RULES_PATH, headers=tenant_headers(tenant), expect_json=False)
        except HttpError as error:
            if error.status == 404 and NO_GROUPS in error.message:
                return {}
            if error.status == 400 and NO_RULE_DIRECTORY in error.message:
                return {}
            if error.status in (404, 405) and (NO_SUCH_ROUTE in error.message or error.status == 405):
                raise NoRulerError(
                    f"{self.client.access.url} has no ruler API: the ruler does not run there, or "
                    f"`ruler.enable_api` is false; {INSTEAD}"
                ) from None
            raise
        return dict(self._listing(answer.text(), tenant))

    def _listing(self, text: str, tenant: str) -> Iterable[tuple[Key, Live]]:
        data = _yaml(text)
        if data is None:
            return
        if not isinstance(data, dict):
            raise HttpError("GET", RULES_PATH, 200, "not a list of rules; check the configured URL")
        for namespace, groups in data.items():
            for group in groups or []:
                live = _live(group, str(namespace), tenant)
                yield live.key, live

    def read_one(self, key: Key) -> Live | None:
        """One group as it is now; None if it does not exist."""
        try:
            answer = self.client.request(
                "GET", _path(key), headers=tenant_headers(key.tenant), expect_json=False
            )
        except HttpError as error:
            if error.status == 404:
                return None
            raise
        return _live(_yaml(answer.text()), key.namespace, key.tenant)

    def check_writable(self, tenant: str) -> None:
        """Raises `NoRulerError` when the ruler's storage is read-only; finds out by reading."""
        key = Key(Kind.RULE_GROUP, "lokictl-probe", "lokictl-probe", tenant)
        try:
            self.read_one(key)
        except HttpError as error:
            if UNSUPPORTED not in error.message:
                raise
            raise NoRulerError(
                f"the ruler of {self.client.access.url} reads its rules from files (storage `local`), which its "
                f"API cannot write; {INSTEAD}"
            ) from None

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates or replaces a group."""
        key = resource.key
        self.client.request(
            "POST",
            f"{RULES_PATH}/{_twice(key.namespace)}",
            body=dump_yaml(dict(resource.body)),
            content_type="application/yaml",
            headers=tenant_headers(key.tenant),
            idempotent=True,
            expect_json=False,
        )
        return Written()

    def replace(self, resource: Resource, live: Live) -> Written:
        """Puts a group in the place of another one; groups are known by name only, so nothing ever asks for it."""
        written = self.write(resource, None)
        self.delete(live)
        return written

    def delete(self, live: Live) -> None:
        """Deletes a group; it may already be gone."""
        headers = tenant_headers(live.key.tenant)
        try:
            self.client.request("DELETE", _path(live.key), headers=headers, expect_json=False)
        except HttpError as error:
            if error.status != 404 or NO_SUCH_ROUTE in error.message:
                raise


def _live(group: Any, namespace: str, tenant: str) -> Live:
    body = rule_group(group if isinstance(group, Mapping) else {})
    return Live(Key(Kind.RULE_GROUP, body["name"], namespace, tenant), body["name"], body)


def _path(key: Key) -> str:
    return f"{RULES_PATH}/{_twice(key.namespace)}/{_twice(key.name)}"


def _twice(text: str) -> str:
    # Loki unescapes a name once more after it has chosen the route.
    once = quote(text, safe="")
    if text in (".", ".."):
        # Otherwise the client takes it for a step in the path; Loki refuses such a name, and says so.
        once = once.replace(".", "%2E")
    return quote(once, safe="")


def _yaml(text: str) -> Any:
    # All scalars as they are written: a label value `on` or `1_000` is a string.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError:
        raise HttpError("GET", RULES_PATH, 200, "the answer is not YAML; check the configured URL") from None
