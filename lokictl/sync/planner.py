"""The plan: what has to be done so that the actual state becomes the desired one, and what must not be done."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from lokictl.model.library_panel import library_references
from lokictl.records import dataclass
from lokictl.secrets import MASK, fingerprint, matches_fingerprint
from lokictl.sync.configuration import Target, matches
from lokictl.sync.desired import Desired
from lokictl.sync.differences import Difference, differences
from lokictl.sync.grafana.aside import GIVES_WAY, before_giving_way, gives_way
from lokictl.sync.normal_form import (
    DEFAULT_POLICY,
    LOCKED,
    are_alike,
    digest,
    normal_form,
    redacted_settings,
    stored_secrets,
)
from lokictl.sync.notifications import with_shown_secrets
from lokictl.sync.plan import (
    NOTIFICATIONS,
    WRITES,
    Action,
    Change,
    Key,
    Kind,
    Live,
    Plan,
    Resource,
    same_schema,
)
from lokictl.sync.record import Entry, Record, mark_tag, record_key
from lokictl.sync.state import Actual, is_needed


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
ORDER = (
    *(Kind.FOLDER, Kind.DATA_SOURCE, Kind.LIBRARY_PANEL, Kind.DASHBOARD),
    *(Kind.TEMPLATE, Kind.CONTACT_POINT, Kind.MUTE_TIMING, Kind.ALERT_GROUP, Kind.POLICY),
    Kind.RULE_GROUP,
)


def make_plan(target: Target, desired: Desired, actual: Actual, options: Options) -> Plan:
    """Compares desired and actual state.  Reads nothing, writes nothing."""
    planner = _Planner(target, desired, actual, options)
    changes = [*planner.wanted(), *planner.unwanted()]
    changes = [without_secrets(_resolved(change, options.on_conflict), target) for change in changes]
    warnings = [*desired.warnings, *planner.warnings]
    if actual.record.damaged:
        warnings.append("cannot read lokictl's record; nothing counts as created by this project")
    changes = in_order(planner.with_names_free(changes))
    record = planner.record_change(changes)
    return Plan(target.name, (*changes, *([record] if record else [])), tuple(warnings))


class _Planner:
    def __init__(self, target: Target, desired: Desired, actual: Actual, options: Options) -> None:
        self.target, self.desired, self.actual, self.options = target, desired, actual, options
        self.record = actual.record
        self.warnings: list[str] = []
        # Resources that are not in the project, and that a change of the project waits for or replaces.
        self.replaced: set[Key] = set()
        self.in_the_way: dict[Key, Resource] = {}

    # --- what the project has ----------------------------------------------------------------------------

    def wanted(self) -> Iterator[Change]:
        for resource in self.desired.resources.values():
            live = self.actual.lives.get(resource.key)
            if not self._covers(resource.key) and (live or not self._is_needed(resource.key)):
                continue
            problem = self.actual.unreadable.get(resource.key)
            if problem:
                change = _change(resource, None, Action.SKIP, f"cannot be read: {problem}", settled=True)
                yield dataclasses.replace(change, unreadable=True)
            elif resource.key.kind is Kind.RULE_GROUP:
                yield self._rule_group(resource, live)
            elif resource.key.kind is Kind.DATA_SOURCE:
                yield self._data_source(self._with_fair_default(resource, live), live)
            elif missing := self._missing_panels(resource):
                names = ", ".join(missing)
                reason = f"shows library panels that do not exist: {names}"
                yield _change(resource, live, Action.CONFLICT, reason, settled=True)
            elif (
                resource.key.kind is Kind.ALERT_GROUP and live is None and (old := self._moved_from(resource))
            ):
                yield self._moved_alerts(self._with_possible_provenance(resource, old), old)
            elif resource.key.kind is Kind.DASHBOARD and live is None:
                yield self._new_dashboard(resource)
            elif resource.key.kind is Kind.CONTACT_POINT:
                yield self._contact_point(self._with_possible_provenance(resource, live), live)
            else:
                yield self._owned(self._with_possible_provenance(resource, live), live)

    def _missing_panels(self, resource: Resource) -> list[str]:
        if resource.key.kind is not Kind.DASHBOARD or not self.actual.missing_panels:
            return []
        shown = library_references(resource.classic or resource.body)
        return sorted({uid for uid, _ in shown} & self.actual.missing_panels)

    def _rule_group(self, resource: Resource, live: Live | None) -> Change:
        allowed = self._may_own(resource.key.namespace)
        entry = self.record.get(resource.key)
        if live is not None and normal_form(resource) == normal_form(live):
            return _change(resource, live, Action.UNCHANGED)
        if not allowed:
            name = resource.key.namespace
            reason = f'the target says that this project does not own the namespace "{name}"'
            return _change(resource, live, Action.CONFLICT, reason, settled=True)
        return self._owned_content(resource, live, entry)

    def _may_own(self, namespace: str) -> bool:
        owned = self.target.loki.namespaces if self.target.loki is not None else None
        return owned is None or matches(namespace, owned)

    def _owned_content(self, resource: Resource, live: Live | None, entry: Entry | None) -> Change:
        """A change of what has no secrets, decided by the record."""
        if live is None:
            gone = "was deleted on the server since the last sync" if entry and entry.digest else ""
            return _change(resource, None, Action.CREATE, gone)
        if entry is not None and entry.wrote(live, digest(live)):
            return _change(resource, live, Action.UPDATE)
        return _change(resource, live, Action.CONFLICT, self._foreign(live, entry))

    def _had_no_permissions(self, live: Live, entry: Entry) -> bool:
        """Whether a folder is as we left it, when its permissions were not kept here yet."""
        if "permissions" not in live.body:
            return False
        body = {key: value for key, value in live.body.items() if key != "permissions"}
        return digest(dataclasses.replace(live, body=body)) in (entry.digest, entry.pending)

    def _foreign(self, live: Live, entry: Entry | None) -> str:
        if live.key.kind is Kind.POLICY and live.body.get("receivers") is None:
            return self._foreign_tree(live, entry)
        if entry is not None:
            return f"was edited on the server since the last sync {live.edited}".rstrip()
        if live.body.get("provenance") == LOCKED:
            return "exists, locked by what uploaded it (Terraform, an operator, another project)"
        if self.record.live is None and not self.record.groups:
            return "exists, and as far as is recorded this project did not make it"
        return "exists, and this project did not make it"

    def _foreign_tree(self, live: Live, entry: Entry | None) -> str:
        """Why the whole tree is not simply written: an organization has one, and others may have routes in it."""
        desired = self.desired.resources.get(live.key)
        ours = set(_receivers(desired.body)) if desired is not None else set()
        others = sorted(set(_receivers(live.body)) - ours - {DEFAULT_POLICY["receiver"]})
        who = (
            "was edited on the server since the last sync"
            if entry
            else "exists, and this project did not make it"
        )
        lost = f"; what leads to {', '.join(others)} goes with it" if others else ""
        return f'{who}{lost} (policies = "branches" leaves the routes of others)'

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

    def _moved_from(self, resource: Resource) -> Live | None:
        """The group of another folder or name that has rules of this new one: Grafana moves rules by their uids."""
        uids = _rule_uids(resource.body)
        for key in self.record.entries:
            live = self.actual.lives.get(key) if key.kind is Kind.ALERT_GROUP else None
            known = key in self.desired.resources or key in self.replaced
            if live is not None and not known and uids & _rule_uids(live.body):
                return live
        return None

    def _moved_alerts(self, resource: Resource, old: Live) -> Change:
        self.replaced.add(old.key)
        entry = self.record.get(old.key)
        places = (Difference("folder", old.folder, resource.folder),) if old.folder != resource.folder else ()
        if entry is None or not entry.wrote(old, digest(old)):
            reason = f"takes the rules of {old.key}, which was edited on the server since the last sync"
            return _change(resource, old, Action.CONFLICT, reason, places)
        return _change(resource, old, Action.REPLACE, f"takes the rules of {old.key}", places)

    def _with_possible_provenance(self, resource: Resource, live: Live | None) -> Resource:
        """The resource as it can be: Grafana never opens to people what the API has locked."""
        is_branches = resource.key.kind is Kind.POLICY and "receivers" in resource.body
        kinds = (Kind.ALERT_GROUP, *NOTIFICATIONS)
        if resource.key.kind in kinds and "provenance" not in resource.body and not is_branches:
            return _with_provenance_of(resource, live)
        if resource.body.get("provenance") != "" or live is None or live.body.get("provenance") != LOCKED:
            return resource
        self.warnings.append(
            f"{resource.key} stays locked in Grafana's pages, although editable_alerts = true: Grafana does not "
            "unlock what was uploaded locked; delete it there and sync again"
        )
        return dataclasses.replace(resource, body={**resource.body, "provenance": LOCKED})

    def _contact_point(self, resource: Resource, live: Live | None) -> Change:
        if live is not None:
            resource = with_shown_secrets(resource, live)
        kept = set(stored_secrets(live)) if live is not None else set()
        wanted = redacted_settings(resource.body)
        unknown = [name for name in wanted if name not in kept and name not in resource.secrets]
        if unknown:
            place = self.target.section("secrets")
            reason = f"Grafana does not have its secret yet, and it is not set here ({place}): {', '.join(unknown)}"
            return _change(resource, live, Action.CONFLICT, reason, settled=True)
        return self._owned(resource, live)

    def _data_source(self, resource: Resource, live: Live | None) -> Change:
        uids = self.actual.data_source_uids
        holder = uids.get(resource.title, "") or (
            uids.get(resource.title + GIVES_WAY, "") if live is None else ""
        )
        if not holder or holder == resource.key.name:
            return self._owned(resource, live)
        other = Key(Kind.DATA_SOURCE, holder)
        if other in self.desired.resources:
            if self.desired.resources[other].title != resource.title:
                return self._owned(resource, live)
        elif self.record.get(other) is not None and other in self.actual.lives:
            if live is None:
                return self._replacement(resource, self.actual.lives[other])
            return self._after_deletion(resource, live, other)
        reason = f'a data source called "{resource.title}" exists with the uid "{holder}"'
        return _change(resource, live, Action.CONFLICT, reason, settled=True)

    def _replacement(self, resource: Resource, old: Live) -> Change:
        """The resource in the place of one of ours that had another uid."""
        self.replaced.add(old.key)
        entry = self.record.get(old.key)
        uid = (Difference("uid", old.key.name, resource.key.name),)
        if old.read_only:
            reason = f"is to replace {old.key.name}, which is {old.read_only}"
            return _change(resource, old, Action.CONFLICT, reason, uid, settled=True)
        if entry is None or not entry.wrote(old, digest(old)):
            reason = f"is to replace {old.key.name}, which was edited on the server since the last sync {old.edited}"
            return _change(resource, old, Action.CONFLICT, reason.rstrip(), uid)
        lost = [name for name in old.body.get("secureJsonFields", ()) if name not in resource.secrets]
        if lost:
            # Grafana cannot change a uid, and does not give out secrets: they would be gone with the old one.
            reason = (
                f"is to replace {old.key.name}, but the project does not know its secrets: {', '.join(lost)}"
            )
            return _change(resource, old, Action.CONFLICT, reason, uid)
        return _change(resource, old, Action.REPLACE, f"takes the place of {old.key.name}", uid)

    def _after_deletion(self, resource: Resource, live: Live, other: Key) -> Change:
        """The change of a data source to a name that one has which the project does not have any more."""
        if not self.options.prune:
            reason = (
                f'the data source {other.name} has the name "{resource.title}" and is not in the project any more; '
                "--prune deletes it"
            )
            return _change(resource, live, Action.CONFLICT, reason, settled=True)
        self.in_the_way[other] = resource
        return self._owned(resource, live)

    def _new_dashboard(self, resource: Resource) -> Change:
        others = [live for live in self._left_behind() if self._has_same_place(live, resource)]
        if len(others) != 1:
            return self._owned(resource, None)
        if self.options.prune:
            return self._replacement(resource, others[0])
        if self.actual.titles_are_unique:
            old = others[0]
            self.replaced.add(old.key)
            reason = f"the folder has a dashboard of this title ({old.key.name}); --prune replaces it"
            return _change(resource, old, Action.CONFLICT, reason, settled=True)
        return self._owned(resource, None)

    def _left_behind(self) -> Iterator[Live]:
        for key in self.record.entries:
            if key.kind is Kind.DASHBOARD and key not in self.desired.resources and key not in self.replaced:
                live = self.actual.lives.get(key)
                if live is not None:
                    yield live

    def _has_same_place(self, live: Live, resource: Resource) -> bool:
        return live.title in (resource.title, resource.title + GIVES_WAY) and live.folder == resource.folder

    def _owned(self, resource: Resource, live: Live | None) -> Change:
        entry = self.record.get(resource.key)
        if live is None:
            return self._owned_content(resource, live, entry)
        secrets = self._secret_differences(resource, live, entry)
        if not secrets and (self._is_same(resource, live) or self._was_kept(resource, live, entry)):
            return _change(resource, live, Action.UNCHANGED)
        if live.read_only:
            return _change(resource, live, Action.CONFLICT, live.read_only, secrets, settled=True)
        if secrets and self._may_have_other_secrets(resource, live, entry):
            reason = f"was saved on the server since the last sync, perhaps with other secrets {live.edited}"
            return _change(resource, live, Action.CONFLICT, reason.rstrip(), secrets)
        if entry is not None and (
            entry.wrote(live, digest(live))
            or self._was_made_default(live, entry)
            or self._had_no_permissions(live, entry)
            or self._stepped_aside(live, entry)
            or self._broke_off(live, entry)
        ):
            return _change(resource, live, Action.UPDATE, "", secrets)
        return _change(resource, live, Action.CONFLICT, self._foreign(live, entry), secrets)

    def _was_made_default(self, live: Live, entry: Entry) -> bool:
        """Whether only Grafana itself has changed it: the first data source becomes the default."""
        if live.key.kind is not Kind.DATA_SOURCE or not live.body.get("isDefault"):
            return False
        before = dataclasses.replace(live, body={**live.body, "isDefault": False})
        return digest(before) in (entry.digest, entry.pending)

    def _broke_off(self, live: Live, entry: Entry) -> bool:
        """Whether a run of ours ended between two integrations of a contact point."""
        return live.key.kind is Kind.CONTACT_POINT and bool(entry.pending)

    def _stepped_aside(self, live: Live, entry: Entry) -> bool:
        """Whether a run of ours broke off after it had taken its name away for another."""
        if not gives_way(live) or not entry.pending:
            return False
        return digest(before_giving_way(live)) in (entry.digest, entry.pending)

    def _may_have_other_secrets(self, resource: Resource, live: Live, entry: Entry | None) -> bool:
        """Whether somebody has saved it since: nobody can see whether that changed a secret."""
        if entry is None or entry.pending or not entry.version or not resource.secrets:
            return False
        return (entry.version, entry.number) != (live.version, live.number)

    def _secret_differences(
        self, resource: Resource, live: Live, entry: Entry | None
    ) -> tuple[Difference, ...]:
        if not resource.secrets:
            return ()
        there = stored_secrets(live)
        missing = [name for name in resource.secrets if name not in there]
        if not missing and entry is not None and entry.secrets and not entry.pending:
            if matches_fingerprint(resource.secrets, entry.secrets):
                if not self._may_have_other_secrets(resource, live, entry):
                    return ()
                return (Difference("secrets", "perhaps changed on the server", "***"),)
            return (Difference("secrets", ", ".join(sorted(resource.secrets)), "changed"),)
        if missing:
            return tuple(Difference(f"secret {name}", None, "***") for name in missing)
        names = ", ".join(sorted(resource.secrets))
        return (Difference("secrets", "not known to be this project's", names),)

    def _is_same(self, resource: Resource, live: Live) -> bool:
        """Whether both are the same but for the project's tag: what was adopted is not written for the tag alone."""
        if resource.key.kind is not Kind.DASHBOARD:
            return normal_form(resource) == normal_form(live)
        mark = mark_tag(self.target)
        if are_alike(resource, live, ignored_tag=mark):
            return True
        desired, there = (
            {**form, "tags": [tag for tag in form.get("tags", ()) if tag != mark]}
            for form in (normal_form(resource), normal_form(live))
        )
        return desired == there

    def _was_kept(self, resource: Resource, live: Live, entry: Entry | None) -> bool:
        """Whether the server keeps in a form of its own what we wrote, and that has not changed since."""
        return entry is not None and entry.same_write(live) and entry.digest == digest(resource)

    def with_names_free(self, changes: list[Change]) -> list[Change]:
        """The changes, with those marked that have to give up their name before another can have it."""
        kinds = [Kind.DATA_SOURCE, *([Kind.DASHBOARD] if self.actual.titles_are_unique else [])]
        wanted = {
            (c.key.kind, c.title, _place(c)): c.key
            for c in changes
            if c.key.kind in kinds and c.action in (Action.CREATE, Action.UPDATE)
        }

        def is_wanted(change: Change) -> bool:
            if change.action is not Action.UPDATE or change.live is None or change.key.kind not in kinds:
                return False
            name = (change.key.kind, change.live.title, change.live.folder)
            return wanted.get(name, change.key) != change.key

        return [dataclasses.replace(c, aside=True) if is_wanted(c) else c for c in changes]

    # --- what the project does not have (any more) ---------------------------------------------------------

    def unwanted(self) -> Iterator[Change]:
        for key, entry in self.record.entries.items():
            live = self.actual.lives.get(key)
            if key in self.desired.resources or key in self.replaced or not self._covers(key):
                continue
            if key in self.actual.unreadable:
                reason = f"cannot be read: {self.actual.unreadable[key]}"
                yield Change(key, Action.KEEP, key.name, reason=reason)
            elif live is not None:
                yield self._unwanted(live, entry)

    def _covers(self, key: Key) -> bool:
        """Whether this run is for such a resource."""
        return self.target.selection.covers(key)

    def _is_needed(self, key: Key) -> bool:
        return is_needed(self.target, self.desired, key)

    def _unwanted(self, live: Live, entry: Entry) -> Change:
        key = live.key
        if key.kind is Kind.FOLDER and key.name == self.target.folder_uid:
            return Change(key, Action.UNCHANGED, live.title, live=live, reason="contains lokictl's record")
        if key.kind is Kind.RULE_GROUP and not self._may_own(key.namespace):
            reason = "the target says that this project does not own its namespace any more"
            return Change(key, Action.KEEP, live.title, live=live, reason=reason)
        if key.kind in NOTIFICATIONS and not self._manages(key.kind):
            reason = "the target does not manage it any more"
            return Change(key, Action.KEEP, live.title, live=live, reason=reason)
        change = self._deletion(live)
        if change.action is not Action.DELETE:
            return change
        if live.read_only:
            return dataclasses.replace(change, action=Action.CONFLICT, reason=live.read_only, settled=True)
        if not entry.wrote(live, digest(live)) and not self._broke_off(live, entry):
            reason = (
                f"is not in the project any more, but was edited since the last sync {live.edited}".rstrip()
            )
            return dataclasses.replace(change, action=Action.CONFLICT, reason=reason)
        return change

    def _manages(self, kind: Kind) -> bool:
        return bool(self.target.policies) if kind is Kind.POLICY else self.target.notifications

    def _deletion(self, live: Live) -> Change:
        def keep(reason: str) -> Change:
            return Change(live.key, Action.KEEP, live.title, live=live, reason=reason)

        if gives_way(live) and (entry := self.record.get(live.key)) is not None and entry.pending:
            return Change(
                live.key, Action.DELETE, live.title, live=live, reason="was replaced by the last sync"
            )
        if not self.options.prune:
            return keep("is not in the project any more; --prune deletes it")
        if not self._has_others(live.key) and not self.options.allow_empty:
            return keep(
                f"the project has no {live.key.kind} left, so none is deleted; --allow-empty deletes it"
            )
        if live.key.kind is Kind.LIBRARY_PANEL and (count := self._shown_elsewhere(live)):
            return keep(f"is not in the project any more, but {count} other dashboards show it")
        if live.key.kind is Kind.FOLDER:
            others = self._that_stays_in(live.key.name)
            if others:
                return keep(f"is no longer in the project, but contains {others}")
        early = live.key in self.in_the_way
        reason = "is not in the project any more"
        return Change(live.key, Action.DELETE, live.title, live=live, reason=reason, early=early)

    def _shown_elsewhere(self, panel: Live) -> int:
        """How many dashboards that are not this project's show a library panel."""
        ours = sum(
            any(uid == panel.key.name for uid, _ in library_references(live.body))
            for key, live in self.actual.lives.items()
            if key.kind is Kind.DASHBOARD
        )
        return max(0, int(panel.body.get("connections") or 0) - ours)

    def _has_others(self, key: Key) -> bool:
        if key.kind is Kind.FOLDER:
            return True
        return any(resource.key.tenant == key.tenant for resource in self.desired.of(key.kind))

    def _that_stays_in(self, folder: str) -> str:
        """What a folder holds that neither goes elsewhere nor is deleted, as text."""
        staying = []
        for key, title in self.actual.contents.get(folder, []):
            wanted = self.desired.resources.get(key)
            if key == record_key(self.target) or (
                key.kind is Kind.DASHBOARD and key.name == record_key(self.target).name
            ):
                continue
            if wanted is not None and wanted.folder != folder:
                continue
            if wanted is None and key in self.record.entries and self._goes(key):
                continue
            staying.append(f'{key.kind} "{title}"' if key.name else title)
        more = f" and {len(staying) - 3} more" if len(staying) > 3 else ""
        return ", ".join(staying[:3]) + more

    def _goes(self, key: Key) -> bool:
        live, entry = self.actual.lives.get(key), self.record.get(key)
        if live is None or entry is None:
            return False
        return key in self.replaced or self._unwanted(live, entry).action is Action.DELETE

    # --- the record ------------------------------------------------------------------------------------------

    def record_change(self, changes: Iterable[Change]) -> Change | None:
        """The update of the record where it is not true any more although nothing else changes."""
        changes = list(changes)
        if any(change.writes for change in changes):
            return None
        entries = settled_entries(changes, self.record, self.target)
        known = self.record.place
        moves = known is not None and known.folder != self.target.folder_uid and self._has_folder()
        has_record = bool(known or self.record.groups)
        superfluous = self.target.grafana is not None and bool(self.record.groups)
        if entries == dict(self.record.entries) and not moves and not superfluous:
            return None
        if not has_record and not entries:
            return None
        noted = sum(self.record.get(key) != entry for key, entry in entries.items())
        gone = len(set(self.record.entries) - set(entries))
        parts = [f"{noted} noted as this project's"] * bool(noted) + [f"{gone} forgotten"] * bool(gone)
        parts += ["moves to the project's folder"] * bool(moves)
        parts += ["moves from the ruler to Grafana"] * superfluous
        action = Action.UPDATE if has_record else Action.CREATE
        return Change(
            record_key(self.target), action, "lokictl's record", live=known, reason=", ".join(parts)
        )

    def _has_folder(self) -> bool:
        uid = self.target.folder_uid
        return not uid or Key(Kind.FOLDER, uid) in self.actual.lives


def settled_entries(changes: Iterable[Change], record: Record, target: Target) -> dict[Key, Entry]:
    """The record's entries as they should be when nothing is written: what is unchanged is ours, as it is."""
    by_key = {change.key: change for change in changes}
    waiting = {change.replaced for change in by_key.values() if change.replaced is not None}
    entries: dict[Key, Entry] = {}
    for key, entry in record.entries.items():
        change = by_key.get(key)
        kept = change is not None and change.action is not Action.CREATE
        if kept or key in waiting or not target.selection.covers(key):
            entries[key] = entry
    for key, change in by_key.items():
        if change.action is not Action.UNCHANGED or change.desired is None or change.live is None:
            continue
        known = record.get(key)
        if known is not None and not known.pending and known.same_write(change.live):
            continue
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
        found = what_changes(live, resource)
    return Change(resource.key, action, resource.title, resource, live, (*found, *extra), reason, settled)


def _with_provenance_of(resource: Resource, live: Live | None) -> Resource:
    """The resource as open or locked as the live one, where the target does not say; a new one is locked."""
    there = live.body.get("provenance") if live is not None else LOCKED
    provenance = there if there in ("", LOCKED) else LOCKED
    return dataclasses.replace(resource, body={**resource.body, "provenance": provenance})


def _rule_uids(group: Mapping[str, Any]) -> set[str]:
    return {str(rule.get("uid")) for rule in group.get("rules") or ()}


def _receivers(route: Mapping[str, Any]) -> Iterator[str]:
    """The contact points that a branch of policies and those below it lead to."""
    if route.get("receiver"):
        yield str(route["receiver"])
    for inner in route.get("routes") or ():
        yield from _receivers(inner)


def what_changes(live: Live, resource: Resource) -> tuple[Difference, ...]:
    """The differences between a resource as it is and as it should be."""
    if not same_schema(live.schema, resource.schema):
        # Nothing in one schema has the place that it has in the other.
        schemas = (Difference("schema", live.schema or "classic", resource.schema or "classic"),)
        titles = (Difference("title", live.title, resource.title),)
        return schemas if live.title == resource.title else (*titles, *schemas)
    return differences(normal_form(live), normal_form(resource))


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
    if change.replaced is not None:
        return dataclasses.replace(change, action=Action.REPLACE)
    action = Action.UPDATE if change.desired is not None else Action.DELETE
    return dataclasses.replace(change, action=action)


def _place(change: Change) -> str:
    return change.desired.folder if change.desired is not None else ""


def without_secrets(change: Change, target: Target) -> Change:
    """The change with differences that do not show what a data source or a contact point is filled with."""
    if change.key.kind not in (Kind.DATA_SOURCE, Kind.CONTACT_POINT) or not change.differences:
        return change
    return dataclasses.replace(change, differences=tuple(_masked(d, target) for d in change.differences))


def _masked(found: Difference, target: Target) -> Difference:
    before, after = target.redactor.data(found.before), target.redactor.data(found.after)
    if after != found.after and isinstance(before, str):
        before = MASK  # What was there is as secret as what comes, and nobody knows it.
    return dataclasses.replace(found, before=before, after=after)


def in_order(changes: list[Change]) -> list[Change]:
    """The changes in the order of application."""

    def place(change: Change) -> tuple[bool, int, bool, str, str, str]:
        deletes = change.action is Action.DELETE
        last = deletes and not change.early
        rank = ORDER.index(change.key.kind)
        key = change.key
        return last, -rank if last else rank, not deletes, key.tenant, key.namespace, key.name

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
