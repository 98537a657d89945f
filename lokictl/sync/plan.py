"""The plain data of a sync: resources, changes, plans, outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote

from lokictl.records import dataclass
from lokictl.secrets import Secret
from lokictl.sync.differences import Difference


class Kind(StrEnum):
    """What can be synced, in the order of application."""

    FOLDER = "folder"
    DATA_SOURCE = "data source"
    LIBRARY_PANEL = "library panel"
    DASHBOARD = "dashboard"
    TEMPLATE = "message template"
    CONTACT_POINT = "contact point"
    MUTE_TIMING = "mute timing"
    ALERT_GROUP = "alert group"
    POLICY = "notification policy"
    RULE_GROUP = "rule group"
    RECORD = "record"


NOTIFICATIONS = (Kind.TEMPLATE, Kind.CONTACT_POINT, Kind.MUTE_TIMING, Kind.POLICY)
"""Who is notified of alerts, how, and when."""


class Action(StrEnum):
    """What a plan does with a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    CONFLICT = "conflict"
    PULL = "pull"
    SKIP = "skip"
    KEEP = "keep"
    UNCHANGED = "unchanged"


WRITES = (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DELETE)


@dataclass(frozen=True, slots=True)
class Key:
    """Tells resources apart: ``name`` is a uid, or the name of a rule group in its namespace and tenant.

    The namespace of an alert group is the uid of its folder.
    """

    kind: Kind
    name: str
    namespace: str = ""
    tenant: str = ""

    def __str__(self) -> str:
        if self.kind is Kind.ALERT_GROUP and self.namespace:
            return f"alert group {self.namespace}/{self.name}"
        if self.kind is not Kind.RULE_GROUP:
            return f"{self.kind} {self.name}"
        place = f" of tenant {self.tenant}" if self.tenant else ""
        return f"rule group {self.namespace}/{self.name}{place}"

    @property
    def text(self) -> str:
        """The form in which records and backups write it."""
        return "/".join(_escaped(part) for part in (self.kind, self.tenant, self.namespace, self.name))

    @classmethod
    def from_text(cls, text: str) -> Key:
        """Reads what `text` wrote; raises ValueError."""
        kind, tenant, namespace, name = (unquote(part) for part in text.split("/"))
        return cls(Kind(kind), name, namespace, tenant)


def _escaped(text: str) -> str:
    return quote(text, safe=" ")


@dataclass(frozen=True, slots=True)
class _Marked:
    """Keeps the digest of its content, which never changes, once it is known."""

    known_digest: str = field(default="", init=False, compare=False, repr=False)

    def keep_digest(self, digest: str) -> str:
        object.__setattr__(self, "known_digest", digest)
        return digest


@dataclass(frozen=True, slots=True)
class Resource(_Marked):
    """Something as it should be: ``body`` is what the server is given.

    ``folder`` is the uid of a dashboard's folder, or of a folder's parent ("" for none); ``source`` the file of
    the project; ``secrets`` go with the body and are never shown; ``schema`` is as in `Live`, and "v2" for the newest
    that the Grafana serves; ``classic`` is the same dashboard for a Grafana that does not serve it.
    """

    key: Key
    title: str
    body: Mapping[str, Any] = field(repr=False)
    folder: str = ""
    source: str = ""
    secrets: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    schema: str = ""
    classic: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Live(_Marked):
    """Something as the server has it.

    ``version`` and ``number`` (its numeric id) are 0 if there is none; ``read_only`` says why it cannot be
    changed; ``edited`` who changed it last, and when; ``schema`` is the version of the API that a dashboard of
    Grafana's new schema is stored in ("v2beta1"), "" for classic JSON; ``resource_version`` is the lock of the
    resource API.
    """

    key: Key
    title: str
    body: Mapping[str, Any] = field(repr=False)
    folder: str = ""
    version: int = 0
    number: int = 0
    read_only: str = ""
    edited: str = ""
    schema: str = ""
    resource_version: str = ""


def same_schema(one: str, other: str) -> bool:
    """Whether two versions of the API have the same schema: v2beta1 became v2 without a change."""
    return one == other or {one, other} == {"v2", "v2beta1"}


@dataclass(frozen=True, slots=True)
class Written:
    """What a server said about a write."""

    version: int = 0
    number: int = 0
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan.

    A REPLACE has in ``live`` the resource of another name that gives way.  ``reason`` is for people; ``settled``: a
    conflict that no option can resolve; ``early``: a deletion that makes room for another change; ``aside``: its old
    name is wanted by another change, so it gives that up first; ``unreadable``: nothing can be said of it, because
    the server does not show it.
    """

    key: Key
    action: Action
    title: str
    desired: Resource | None = None
    live: Live | None = None
    differences: tuple[Difference, ...] = ()
    reason: str = ""
    settled: bool = False
    early: bool = False
    aside: bool = False
    unreadable: bool = False

    @property
    def replaced(self) -> Key | None:
        """The other resource whose place this one takes, or is to take."""
        return self.live.key if self.live is not None and self.live.key != self.key else None

    @property
    def writes(self) -> bool:
        """Whether applying it changes the server."""
        return self.action in WRITES


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a sync would do, in that order."""

    target: str
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def unreadable(self) -> list[Change]:
        """The resources that the server does not show."""
        return [change for change in self.changes if change.unreadable]

    def of(self, *actions: Action) -> list[Change]:
        """The changes with one of these actions."""
        return [change for change in self.changes if change.action in actions]

    @property
    def pending(self) -> bool:
        """Whether the server differs from the project; lokictl's own record does not count."""
        changes = self.of(*WRITES, Action.CONFLICT, Action.PULL)
        return any(change.key.kind is not Kind.RECORD for change in changes)

    @property
    def writes(self) -> list[Change]:
        """The changes that write."""
        return self.of(*WRITES)

    def count(self) -> dict[str, int]:
        """How many resources each action concerns; the record of our own is not a resource."""
        return {
            action.value: sum(change.key.kind is not Kind.RECORD for change in self.of(action))
            for action in Action
        }


class Status(StrEnum):
    """How a change ended."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_DONE = "not done"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A change and how it ended.

    ``message`` says why it did not succeed; ``grave``: the server would hardly do anything else either;
    ``refused``: the server would not do this one however often it is asked.
    """

    change: Change
    status: Status
    message: str = ""
    written: Written = Written()
    grave: bool = False
    refused: bool = False
