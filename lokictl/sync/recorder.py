"""Writes the record: to Grafana where the target has one, otherwise to the ruler."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from lokictl.http import HttpError
from lokictl.sync.configuration import Target
from lokictl.sync.grafana import Grafana
from lokictl.sync.normal_form import digest
from lokictl.sync.origin import Origin
from lokictl.sync.plan import Key, Kind, Live, Resource
from lokictl.sync.record import GROUP, Entry, Record, record_body, record_group, record_key, record_namespace
from lokictl.sync.ruler import Ruler


@dataclass(slots=True)
class Recorder:
    """Where the record of a target is kept."""

    target: Target
    grafana: Grafana | None
    ruler: Ruler | None
    origin: Origin

    def is_stale(self, record: Record) -> bool:
        """Whether the record is somewhere else than where it belongs, or does not name the project's origin."""
        if self.grafana is None:
            return False
        known = record.live
        if known is None:
            return bool(record.groups)
        if record.groups or record.origin != self.origin:
            return True
        return known.folder != self.target.folder_uid and known.folder != self._folder(self.grafana, record)

    def write(self, record: Record, entries: Mapping[Key, Entry], *, last: bool = False) -> Record:
        """Writes ``entries`` in the place of ``record``; ``last``: the run ends with it.  Raises `HttpError`."""
        if self.grafana is not None:
            return self._to_grafana(self.grafana, record, entries, last=last)
        return self._to_ruler(record, entries)

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
        groups = record.groups
        if last and self.ruler is not None:
            for group in groups.values():
                self.ruler.delete(group)
            groups = {}
        return Record(dict(entries), live, origin=self.origin, groups=groups)

    def _folder(self, grafana: Grafana, record: Record) -> str:
        """The project's folder; while there is none, the place where the record is, or the root."""
        wanted = self.target.folder_uid
        known = record.live.folder if record.live is not None else ""
        for uid in (wanted, known):
            if not uid or grafana.has_folder(uid):
                return uid
        return ""

    def _to_ruler(self, record: Record, entries: Mapping[Key, Entry]) -> Record:
        assert self.ruler is not None
        tenants = {key.tenant for key in entries} | set(record.groups)
        groups = {}
        for tenant in sorted(tenants):
            own = {key: entry for key, entry in entries.items() if key.tenant == tenant}
            body = record_group(self.target, own, self.origin)
            key = Key(Kind.RULE_GROUP, GROUP, record_namespace(self.target), tenant)
            self.ruler.write(Resource(key, GROUP, body), record.groups.get(tenant))
            groups[tenant] = Live(key, GROUP, body)
        return Record(dict(entries), None, origin=self.origin, groups=groups)


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
