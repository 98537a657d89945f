"""Writes the record: to Grafana where the target has one, otherwise to the ruler."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field

from lokictl.http import HttpError
from lokictl.records import dataclass
from lokictl.sync.configuration import Target
from lokictl.sync.grafana.server import Grafana
from lokictl.sync.normal_form import digest
from lokictl.sync.origin import Origin
from lokictl.sync.plan import Key, Kind, Live, Resource
from lokictl.sync.record import (
    GROUP,
    Entry,
    Record,
    read_rule_records,
    record_body,
    record_group,
    record_key,
    record_namespace,
)
from lokictl.sync.ruler import Ruler

# How long a run that never ended keeps others from beginning, in seconds; and how long two that begin at the same
# moment need to see each other.
LOCK_SECONDS = 900
PAUSE = 0.5


class LockedError(Exception):
    """Another run holds the record; the text says since when it has, or what it did."""


@dataclass(slots=True)
class Recorder:
    """Where the record of a target is kept.

    Grafana refuses a write of a record that has changed meanwhile, so there the record itself is the lock.  The
    ruler takes every write: there a run writes its name first, and looks whether it stays.
    """

    target: Target
    grafana: Grafana | None
    ruler: Ruler | None
    origin: Origin
    clock: Callable[[], float] = time.time
    run: str = field(default_factory=lambda: secrets.token_hex(6))
    is_locked: bool = False

    def is_stale(self, record: Record) -> bool:
        """Whether the record is somewhere else than where it belongs, or does not name the project's origin."""
        if self.grafana is None:
            return False
        known = record.live
        if known is None:
            return bool(record.groups)
        if record.previous is not None:
            return True
        if record.groups or record.origin != self.origin:
            return True
        return known.folder != self.target.folder_uid and known.folder != self._folder(self.grafana, record)

    def write(self, record: Record, entries: Mapping[Key, Entry], *, last: bool = False) -> Record:
        """Writes ``entries`` in the place of ``record``; ``last``: the run ends with it.  Raises `HttpError`."""
        if self.grafana is not None:
            return self._to_grafana(self.grafana, record, entries, last=last)
        return self._to_ruler(record, entries, "" if last else self._mark())

    def lock(self, record: Record, tenants: Iterable[str]) -> None:
        """Keeps other runs out until the last write.  Raises `LockedError`, `HttpError`."""
        if self.grafana is not None or self.ruler is None:
            return
        tenants = sorted({*tenants, *record.groups})
        now = self._read(tenants)
        holder, until = _holder(now.lock)
        if holder and until > self.clock():
            minutes = max(1, round((until - self.clock()) / 60))
            raise LockedError(
                f"another sync of this project is running; if it is not, this one can begin in {minutes} min"
            )
        if now.entries != record.entries:
            raise LockedError("another sync of this project has started or finished meanwhile; run it again")
        self._to_ruler(record, record.entries, self._mark(), tenants)
        self.is_locked = True
        self.ruler.client.sleep(PAUSE)
        if _holder(self._read(tenants).lock)[0] != self.run:
            raise LockedError("another sync of this project has begun at the same moment; run it again")

    def _mark(self) -> str:
        return f"{self.run} {int(self.clock()) + LOCK_SECONDS}"

    def _read(self, tenants: Iterable[str]) -> Record:
        assert self.ruler is not None
        keys = [Key(Kind.RULE_GROUP, GROUP, record_namespace(self.target), tenant) for tenant in tenants]
        lives = [live for key in keys if (live := self.ruler.read_one(key)) is not None]
        return read_rule_records(Record(), lives)

    def _to_grafana(
        self, grafana: Grafana, record: Record, entries: Mapping[Key, Entry], *, last: bool
    ) -> Record:
        folder = self._folder(grafana, record)
        body = record_body(self.target, entries, self.origin)
        resource = Resource(record_key(self.target), str(body["title"]), body, folder)
        try:
            written = grafana.write(resource, record.live)
            live = Live(resource.key, resource.title, body, folder, written.version, written.number)
            live = dataclasses.replace(live, resource_version=written.resource_version)
        except HttpError as error:
            live = dataclasses.replace(_as_written(grafana, resource, error), body=body)
        if last and record.previous is not None:
            grafana.delete(record.previous)
        groups = record.groups
        if last and self.ruler is not None:
            for group in groups.values():
                self.ruler.delete(group)
            groups = {}
        previous = record.previous if not last else None
        return Record(dict(entries), live, origin=self.origin, groups=groups, previous=previous)

    def _folder(self, grafana: Grafana, record: Record) -> str:
        """The project's folder; while there is none, the place where the record is, or the root."""
        wanted = self.target.folder_uid
        known = record.place.folder if record.place is not None else ""
        for uid in (wanted, known):
            if not uid or grafana.has_folder(uid):
                return uid
        return ""

    def _to_ruler(
        self, record: Record, entries: Mapping[Key, Entry], lock: str, further: Iterable[str] = ()
    ) -> Record:
        assert self.ruler is not None
        tenants = {key.tenant for key in entries} | set(record.groups) | set(further)
        groups = {}
        for tenant in sorted(tenants):
            own = {key: entry for key, entry in entries.items() if key.tenant == tenant}
            body = record_group(self.target, own, self.origin, lock)
            key = Key(Kind.RULE_GROUP, GROUP, record_namespace(self.target), tenant)
            self.ruler.write(Resource(key, GROUP, body), record.groups.get(tenant))
            groups[tenant] = Live(key, GROUP, body)
        return Record(dict(entries), None, origin=self.origin, groups=groups)


def _holder(lock: str) -> tuple[str, float]:
    """Who holds a lock, and until when (Unix seconds)."""
    run, _, until = lock.partition(" ")
    return run, float(until) if until.isdigit() else 0.0


def _as_written(grafana: Grafana, resource: Resource, error: HttpError) -> Live:
    """The record as it is after an error that leaves open whether it was written; raises ``error`` if not."""
    if not (error.uncertain or error.status in (409, 412)):
        raise error
    try:
        current = grafana.read_one(resource.key)
    except HttpError:
        raise error from None
    if current is None or digest(current) != digest(resource):
        raise error
    return current
