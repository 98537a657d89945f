"""The plan: what has to be done so that the actual state becomes the desired one, and what must not be done."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from lokictl.sync.configuration import Target, matches
from lokictl.sync.desired import Desired
from lokictl.sync.differences import Difference, differences
from lokictl.sync.interface import WRITES, Action, Change, Key, Kind, Live, Plan, Resource
from lokictl.sync.normal_form import digest, normal_form
from lokictl.sync.record import Entry, Record, mark_tag, record_key
from lokictl.sync.secrets import fingerprint, matches_fingerprint
from lokictl.sync.state import Actual


class OnConflict(StrEnum):
    """What to do with a resource that somebody else has changed or made."""

    FAIL = "fail"
    OVERWRITE = "overwrite"
    SKIP = "skip"
    PULL = "pull"


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller wants: ``allow_empty`` lets ``prune`` delete although the project has nothing of a kind."""

    prune: bool = False
    allow_empty: bool = False
    on_conflict: OnConflict = OnConflict.FAIL


# The order of application: what others need comes first, deletions come last and the other way round.
ORDER = (Kind.FOLDER, Kind.DATA_SOURCE, Kind.DASHBOARD, Kind.RULE_GROUP)


def make_plan(target: Target, desired: Desired, actual: Actual, options: Options) -> Plan:
    """Compares desired and actual state.  Reads nothing, writes nothing."""
    planner = _Planner(target, desired, actual, options)
    changes = [*planner.wanted(), *planner.unwanted()]
    changes = [_resolved(change, options.on_conflict) for change in changes]
    warnings = [*desired.warnings, *planner.warnings]
    if actual.record.damaged:
        warnings.append("lokictl's record in Grafana cannot be read; nothing counts as made by this project")
    changes = in_order(changes)
    record = planner.record_change(changes)
    return Plan(target.name, (*changes, *([record] if record else [])), tuple(warnings))


class _Planner:
    def __init__(self, target: Target, desired: Desired, actual: Actual, options: Options) -> None:
        self.target, self.desired, self.actual, self.options = target, desired, actual, options
        self.record = actual.record
        self.warnings: list[str] = []

    # --- what the project has ----------------------------------------------------------------------------

    def wanted(self) -> Iterator[Change]:
        for resource in self.desired.resources.values():
            live = self.actual.lives.get(resource.key)
            if resource.key.kind is Kind.RULE_GROUP:
                yield self._rule_group(resource, live)
            elif resource.key.kind is Kind.DATA_SOURCE:
                yield self._data_source(self._with_fair_default(resource, live), live)
            else:
                yield self._owned(resource, live)

    def _rule_group(self, resource: Resource, live: Live | None) -> Change:
        owned = self._is_owned_namespace(resource.key.namespace)
        if live is None and owned is not False:
            return _change(resource, None, Action.CREATE)
        if live is not None and normal_form(resource) == normal_form(live):
            return _change(resource, live, Action.UNCHANGED)
        if owned:
            return _change(resource, live, Action.UPDATE)
        name = resource.key.namespace
        if owned is False:
            reason = f'the target says that this project does not own the namespace "{name}"'
            return _change(resource, live, Action.CONFLICT, reason, settled=True)
        reason = (
            "a group of that name exists, and nothing says that it is this project's; "
            f'if it is: namespaces = ["{name}"] in [targets.{self.target.name}.loki]'
        )
        return _change(resource, live, Action.CONFLICT, reason)

    def _is_owned_namespace(self, namespace: str) -> bool | None:
        """None: the configuration does not say."""
        owned = self.target.loki.namespaces if self.target.loki is not None else None
        return None if owned is None else matches(namespace, owned)

    def _with_fair_default(self, resource: Resource, live: Live | None) -> Resource:
        """The data source without the wish to be the default, where that would take it from somebody else's."""
        other = self.actual.default_data_source
        if not resource.body.get("isDefault") or other in ("", resource.key.name):
            return resource
        grafana = self.target.grafana
        if (grafana is not None and grafana.take_default) or Key(
            Kind.DATA_SOURCE, other
        ) in self.record.entries:
            return resource
        self.warnings.append(
            f'"{resource.title}" does not become the default data source: "{other}" is, and this project did not '
            "make it (take_default = true in the target takes its place)"
        )
        return dataclasses.replace(resource, body={**resource.body, "isDefault": False})

    def _data_source(self, resource: Resource, live: Live | None) -> Change:
        holder = self.actual.data_source_uids.get(resource.title, "")
        if holder and holder != resource.key.name:
            if self._gives_up_name(holder, resource.title):
                return self._owned(resource, live)
            reason = f'a data source called "{resource.title}" exists with the uid "{holder}"'
            return _change(resource, live, Action.CONFLICT, reason, settled=True)
        return self._owned(resource, live)

    def _gives_up_name(self, uid: str, name: str) -> bool:
        other = self.desired.resources.get(Key(Kind.DATA_SOURCE, uid))
        return other is not None and other.title != name

    def _owned(self, resource: Resource, live: Live | None) -> Change:
        entry = self.record.get(resource.key)
        if live is None:
            gone = "was deleted on the server since the last sync" if entry and entry.digest else ""
            return _change(resource, None, Action.CREATE, gone)
        secrets = self._secret_differences(resource, live, entry)
        same = normal_form(resource) == normal_form(live)
        kept = entry is not None and entry.digest == digest(resource) and entry.same_write(live)
        if (same or kept) and not secrets:
            return _change(resource, live, Action.UNCHANGED)
        if live.read_only:
            return _change(resource, live, Action.CONFLICT, live.read_only, secrets, settled=True)
        if entry is not None and entry.wrote(live, digest(live)):
            return _change(resource, live, Action.UPDATE, "", secrets)
        if not secrets and self._differs_by_mark_only(resource, live):
            return _change(resource, live, Action.UPDATE, "becomes this project's; its content is the same")
        if entry is None:
            reason = "exists, and this project did not make it"
        else:
            reason = f"was edited on the server since the last sync {live.edited}".rstrip()
        return _change(resource, live, Action.CONFLICT, reason, secrets)

    def _secret_differences(
        self, resource: Resource, live: Live, entry: Entry | None
    ) -> tuple[Difference, ...]:
        if not resource.secrets:
            return ()
        there = live.body.get("secureJsonFields", [])
        missing = [name for name in resource.secrets if name not in there]
        if not missing and entry is not None and entry.secrets and not entry.pending:
            if matches_fingerprint(resource.secrets, entry.secrets):
                return ()
            return (Difference("secrets", ", ".join(sorted(resource.secrets)), "changed"),)
        if missing:
            return tuple(Difference(f"secret {name}", None, "***") for name in missing)
        names = ", ".join(sorted(resource.secrets))
        return (Difference("secrets", "not known to be this project's", names),)

    def _differs_by_mark_only(self, resource: Resource, live: Live) -> bool:
        mark = mark_tag(self.target)
        desired, there = normal_form(resource), normal_form(live)
        for form in (desired, there):
            form["tags"] = [tag for tag in form.get("tags", []) if tag != mark]
        return desired == there

    # --- what the project does not have (any more) ---------------------------------------------------------

    def unwanted(self) -> Iterator[Change]:
        yield from self._unwanted_of_grafana()
        yield from self._unwanted_rules()

    def _unwanted_of_grafana(self) -> Iterator[Change]:
        for key, entry in self.record.entries.items():
            live = self.actual.lives.get(key)
            if key in self.desired.resources or live is None:
                continue
            if key.kind is Kind.FOLDER and key.name == self.target.folder_uid:
                yield Change(key, Action.UNCHANGED, live.title, live=live, reason="holds lokictl's record")
                continue
            change = self._deletion(live, any(True for _ in self.desired.of(key.kind)))
            if change.action is Action.DELETE and live.read_only:
                change = dataclasses.replace(
                    change, action=Action.CONFLICT, reason=live.read_only, settled=True
                )
            elif change.action is Action.DELETE and not entry.wrote(live, digest(live)):
                reason = f"is not in the project any more, but was edited since the last sync {live.edited}".rstrip()
                change = dataclasses.replace(change, action=Action.CONFLICT, reason=reason)
            yield change

    def _unwanted_rules(self) -> Iterator[Change]:
        with_groups = {r.key.tenant for r in self.desired.of(Kind.RULE_GROUP)}
        for key, live in self.actual.lives.items():
            if key.kind is not Kind.RULE_GROUP or key in self.desired.resources:
                continue
            if self._is_owned_namespace(key.namespace):
                yield self._deletion(live, key.tenant in with_groups)

    def _deletion(self, live: Live, has_others: bool) -> Change:
        if not self.options.prune:
            reason = "is not in the project any more; --prune deletes it"
            return Change(live.key, Action.KEEP, live.title, live=live, reason=reason)
        if not has_others and not self.options.allow_empty and live.key.kind is not Kind.FOLDER:
            reason = f"the project has no {live.key.kind} at all, so none is deleted; --allow-empty does it"
            return Change(live.key, Action.KEEP, live.title, live=live, reason=reason)
        reason = "is not in the project any more"
        return Change(live.key, Action.DELETE, live.title, live=live, reason=reason)

    # --- the record ------------------------------------------------------------------------------------------

    def record_change(self, changes: Iterable[Change]) -> Change | None:
        """The update of the record where it does not tell the truth any more although nothing else changes."""
        if self.target.grafana is None or any(
            change.writes and change.key.kind is not Kind.RULE_GROUP for change in changes
        ):
            return None
        entries = settled_entries(changes, self.record)
        if entries == dict(self.record.entries):
            return None
        if not self.record.live and not entries:
            return None
        noted = sum(self.record.get(key) != entry for key, entry in entries.items())
        gone = len(set(self.record.entries) - set(entries))
        parts = [f"{noted} noted as this project's"] * bool(noted) + [f"{gone} forgotten"] * bool(gone)
        action = Action.UPDATE if self.record.live else Action.CREATE
        return Change(
            record_key(self.target),
            action,
            "lokictl's record",
            live=self.record.live,
            reason=", ".join(parts),
        )


def settled_entries(changes: Iterable[Change], record: Record) -> dict[Key, Entry]:
    """The record's entries as they should be when nothing is written: what is unchanged is ours, as it is."""
    by_key = {change.key: change for change in changes if change.key.kind is not Kind.RULE_GROUP}
    entries: dict[Key, Entry] = {}
    for key, entry in record.entries.items():
        change = by_key.get(key)
        if change is not None and change.action is not Action.CREATE:
            entries[key] = entry
    for key, change in by_key.items():
        if change.action is not Action.UNCHANGED or change.desired is None or change.live is None:
            continue
        known = record.get(key)
        mark = digest(change.desired)
        if known is not None and not known.pending and known.digest == mark:
            continue
        if known is None and (key.kind is Kind.FOLDER or change.live.read_only):
            continue
        secrets = known.secrets if known is not None else ""
        entries[key] = Entry(mark, change.live.version, change.live.number, "", secrets)
    return entries


def new_fingerprint(resource: Resource, known: Entry | None) -> str:
    """The mark of the secrets that are being written; the old one where they are the same."""
    if not resource.secrets:
        return ""
    if known is not None and known.secrets and matches_fingerprint(resource.secrets, known.secrets):
        return known.secrets
    return fingerprint(resource.secrets)


def _change(
    resource: Resource,
    live: Live | None,
    action: Action,
    reason: str = "",
    extra: tuple[Difference, ...] = (),
    *,
    settled: bool = False,
) -> Change:
    found: tuple[Difference, ...] = ()
    if live is not None and action is not Action.UNCHANGED:
        found = differences(normal_form(live), normal_form(resource))
    return Change(resource.key, action, resource.title, resource, live, (*found, *extra), reason, settled)


def _resolved(change: Change, on_conflict: OnConflict) -> Change:
    """The change as ``on_conflict`` wants it; what no option can resolve stays a conflict, or is skipped."""
    if change.action is not Action.CONFLICT or on_conflict is OnConflict.FAIL:
        return change
    if on_conflict is OnConflict.SKIP:
        return dataclasses.replace(change, action=Action.SKIP)
    if change.settled or change.live is None:
        return change
    if on_conflict is OnConflict.PULL:
        action = Action.PULL if change.desired is not None else Action.KEEP
        return dataclasses.replace(change, action=action)
    action = Action.UPDATE if change.desired is not None else Action.DELETE
    return dataclasses.replace(change, action=action)


def in_order(changes: list[Change]) -> list[Change]:
    """The changes in the order of application."""

    def place(change: Change) -> tuple[bool, int, str, str, str]:
        last = change.action is Action.DELETE
        rank = ORDER.index(change.key.kind)
        return last, -rank if last else rank, change.key.tenant, change.key.namespace, change.key.name

    ordered = sorted(changes, key=place)
    folders = [
        change for change in ordered if change.key.kind is Kind.FOLDER and change.action is not Action.DELETE
    ]
    others = [change for change in ordered if change not in folders]
    return [*_parents_first(folders), *others]


def _parents_first(folders: list[Change]) -> list[Change]:
    """Parents before children, so that every folder is created in one that exists."""
    depth: dict[str, int] = {}
    parents = {c.key.name: c.desired.folder for c in folders if c.desired is not None}

    def depth_of(uid: str, seen: tuple[str, ...] = ()) -> int:
        if uid not in parents or uid in seen:
            return 0
        if uid not in depth:
            depth[uid] = 1 + depth_of(parents[uid], (*seen, uid))
        return depth[uid]

    return sorted(folders, key=lambda change: depth_of(change.key.name))


def forms(change: Change) -> tuple[str, str]:
    """The digests before and after a change; "" where there is nothing."""
    before = digest(change.live) if change.live is not None else ""
    after = digest(change.desired) if change.desired is not None and change.action in WRITES else ""
    return before, after
