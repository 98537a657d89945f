"""The actual state: what the servers of a target have, read with as few requests as their APIs permit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import field

from lokictl.http import HttpError
from lokictl.model.library_panel import library_references
from lokictl.records import dataclass
from lokictl.sync.configuration import Target
from lokictl.sync.desired import Desired
from lokictl.sync.grafana.server import Grafana
from lokictl.sync.normal_form import MARK
from lokictl.sync.origin import Origin
from lokictl.sync.plan import Key, Kind, Live, Resource
from lokictl.sync.record import (
    TAG,
    Entry,
    Record,
    is_record,
    read_record,
    read_rule_records,
    record_key,
    record_namespace,
)
from lokictl.sync.ruler import Ruler


@dataclass(slots=True)
class Actual:
    """What exists: by key, with the record of what is ours.

    ``unreadable`` has the reason for every resource that the server does not show.  ``data_source_uids`` (by name)
    and ``default_data_source`` (a uid) are only filled where a data source is about to be created, renamed or to
    become the default; ``contents`` for folders that may have to go: what is in each, as (key, title).
    ``missing_panels`` are the uids of library panels that dashboards show and that do not exist.
    ``titles_are_unique``: a folder of this Grafana holds a title once.
    """

    lives: dict[Key, Live] = field(default_factory=dict)
    record: Record = field(default_factory=Record)
    unreadable: dict[Key, str] = field(default_factory=dict)
    data_source_uids: Mapping[str, str] = field(default_factory=dict)
    default_data_source: str = ""
    contents: dict[str, list[tuple[Key, str]]] = field(default_factory=dict)
    missing_panels: frozenset[str] = frozenset()
    titles_are_unique: bool = False


def recorded_state(
    target: Target, dashboards: Iterable[Resource], grafana: Grafana | None, ruler: Ruler | None
) -> Actual:
    """The record with the dashboards that are wanted anyway (often one list), and all rule groups of the tenants."""
    actual = Actual()
    if grafana is not None:
        grafana.connect()
        key = record_key(target)
        found = grafana.read([key, *(dashboard.key for dashboard in dashboards)], actual.unreadable)
        problem = actual.unreadable.pop(key, "")
        actual.record = read_record(found.pop(key, None)) if not problem else Record(damaged=True)
        actual.lives.update(found)
    if ruler is not None and target.loki is not None:
        records = []
        for tenant in target.loki.tenants:
            for key, live in ruler.read(tenant).items():
                if not is_record(live):
                    actual.lives[key] = live
                elif key.namespace == record_namespace(target):
                    records.append(live)
        actual.record = read_rule_records(actual.record, records)
    return actual


def owner_mark(target: Target, origin: Origin) -> dict[str, str]:
    """What a data source says of the project that it belongs to."""
    return {"project": target.project, **({"id": origin.id} if origin.id else {})}


def find_under_old_name(origin: Origin, grafana: Grafana, actual: Actual) -> None:
    """Where a project has no record under its name, the one that it has under the name it had before."""
    if actual.record.live is not None or actual.record.damaged or not origin.id:
        return
    for uid in grafana.tagged(TAG):
        found = read_record(grafana.read_one(Key(Kind.DASHBOARD, uid)))
        if found.live is not None and found.origin.id == origin.id:
            entries = {**found.entries, **actual.record.entries}
            actual.record = dataclasses.replace(
                actual.record, entries=entries, origin=found.origin, previous=found.live
            )
            return


def recover(target: Target, origin: Origin, grafana: Grafana, actual: Actual) -> None:
    """Where the record is gone (with its folder, for example), the data sources themselves say what is ours."""
    record = actual.record
    if record.place is not None or record.damaged:
        return
    entries = dict(record.entries)
    wanted = owner_mark(target, origin)
    try:
        rows = grafana.sources.all()
    except HttpError as error:
        if error.status == 403:  # only admins see them
            return
        raise
    for row in rows:
        mark = (row.get("jsonData") or {}).get(MARK)
        if isinstance(mark, dict) and all(mark.get(name, value) == value for name, value in wanted.items()):
            key = Key(Kind.DATA_SOURCE, str(row.get("uid")))
            secrets = str(mark.get("secrets") or "")
            entries.setdefault(key, Entry(str(mark.get("digest") or ""), secrets=secrets))
    actual.record = dataclasses.replace(record, entries=entries)


def read_grafana(target: Target, desired: Desired, grafana: Grafana, actual: Actual) -> None:
    """Adds everything in Grafana that the desired state or the record mentions."""
    wanted = [key for key in desired.resources if is_needed(target, desired, key)]
    recorded = [
        key for key in actual.record.entries if key not in desired.resources and target.selection.covers(key)
    ]
    keys = [k for k in wanted if k.kind is not Kind.DASHBOARD]
    keys = [k for k in (*keys, *recorded) if k.kind is not Kind.RULE_GROUP]
    actual.lives.update(grafana.read(keys, actual.unreadable))
    actual.titles_are_unique = grafana.titles_are_unique
    _read_names(target, desired, grafana, actual)
    _read_contents(recorded, target, grafana, actual)
    _read_panels(target, desired, grafana, actual)


def _read_panels(target: Target, desired: Desired, grafana: Grafana, actual: Actual) -> None:
    """Which library panels of others the dashboards show, and whether they exist."""
    wanted = {
        Key(Kind.LIBRARY_PANEL, uid)
        for dashboard in desired.of(Kind.DASHBOARD)
        if target.selection.covers(dashboard.key)
        for uid, _ in library_references(dashboard.classic or dashboard.body)
    }
    others = wanted - set(desired.resources)
    found = grafana.read(others, actual.unreadable) if others else {}
    unreadable = {key for key in others if actual.unreadable.pop(key, "")}
    actual.missing_panels = frozenset(key.name for key in others - set(found) - unreadable)


def is_needed(target: Target, desired: Desired, key: Key) -> bool:
    """Whether a run is for this resource, or needs it for others: the folders of dashboards."""
    if target.selection.covers(key):
        return True
    if key.kind is not Kind.FOLDER or target.only == "loki":
        return False
    inside = (r for r in desired.resources.values() if r.folder == key.name and r.key != key)
    return any(is_needed(target, desired, resource.key) for resource in inside)


def _read_names(target: Target, desired: Desired, grafana: Grafana, actual: Actual) -> None:
    sources = [
        s
        for s in desired.of(Kind.DATA_SOURCE)
        if s.key not in actual.unreadable and target.selection.covers(s.key)
    ]
    lives = [actual.lives.get(source.key) for source in sources]
    is_new = any(live is None for live in lives)
    becomes_default = any(
        source.body.get("isDefault") and (live is None or not live.body.get("isDefault"))
        for source, live in zip(sources, lives, strict=True)
    )
    renamed = any(live is not None and live.title != s.title for s, live in zip(sources, lives, strict=True))
    if not (is_new or becomes_default or renamed):
        return
    rows = grafana.sources.all()
    actual.data_source_uids = {str(row.get("name")): str(row.get("uid")) for row in rows}
    actual.default_data_source = next((str(row.get("uid")) for row in rows if row.get("isDefault")), "")


def _read_contents(recorded: Iterable[Key], target: Target, grafana: Grafana, actual: Actual) -> None:
    for key in recorded:
        if key.kind is Kind.FOLDER and key.name != target.folder_uid and key in actual.lives:
            actual.contents[key.name] = grafana.folders.contents(key.name)
