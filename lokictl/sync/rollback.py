"""Puts back what runs changed, as their backups have it; itself planned, backed up and applied like any other run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from pathlib import Path

from lokictl.diagnostics import LokictlError, Problem
from lokictl.project import Configuration
from lokictl.records import dataclass
from lokictl.secrets import Secret, matches_fingerprint
from lokictl.sync.apply import Applied, Applier
from lokictl.sync.backup import Backup, Earlier, damaged, earlier_states, write_backup
from lokictl.sync.configuration import Target
from lokictl.sync.differences import Difference
from lokictl.sync.grafana.server import Grafana
from lokictl.sync.normal_form import digest, stored_secrets
from lokictl.sync.origin import origin_of
from lokictl.sync.plan import Action, Change, Key, Kind, Live, Outcome, Plan, Resource, Written
from lokictl.sync.planner import OnConflict, in_order, new_fingerprint, what_changes, without_secrets
from lokictl.sync.record import Entry, Record
from lokictl.sync.session import Servers, checked_origin, readable_errors
from lokictl.sync.state import recorded_state


@dataclass
class Rollback:
    """Goes back to the state before the oldest of some runs; ``backups`` has them, the newest first.

    ``secrets`` (by key) are sent along with data sources that are put back: Grafana never gives them out, so
    no backup has them.
    """

    root: Path
    target: Target
    servers: Servers
    backups: tuple[Backup, ...]
    on_conflict: OnConflict = OnConflict.FAIL
    secrets: Mapping[Key, Mapping[str, Secret]] = field(default_factory=dict)
    configuration: Configuration | None = None
    record: Record = field(init=False, default_factory=Record)
    written: Path | None = field(init=False, default=None)
    _earlier: dict[Key, Earlier] = field(init=False, default_factory=dict)
    _lives: dict[Key, Live] = field(init=False, default_factory=dict)
    _warnings: list[str] = field(init=False, default_factory=list)

    def plan(self) -> Plan:
        """What `apply` would do; only reads.  Raises `LokictlError` (`SyncError` where a server fails)."""
        self._check_exact()
        self._earlier = {state.key: state for state in earlier_states(self.backups)}
        with readable_errors(self.target):
            self._read()
        changes = [
            self._change(state, self._lives.get(key))
            for key, state in self._earlier.items()
            if self._reaches(key)
        ]
        changes = [*self._missing_folders(changes), *self._paired(changes)]
        self._warn_of_secrets(changes)
        changes = [without_secrets(change, self.target) for change in in_order(changes)]
        return Plan(self.target.name, tuple(changes), tuple(self._warnings))

    def _check_exact(self) -> None:
        problems = [
            Problem(
                "sync/backup",
                f"the backup {backup.name} has no exact copy of {key}: an older lokictl replaced parts of it",
                hint="restore it by hand from Grafana's version history",
            )
            for backup in self.backups
            for key in damaged(backup)
        ]
        if problems:
            raise LokictlError(problems)

    def _reaches(self, key: Key) -> bool:
        server = self.servers.ruler if key.kind is Kind.RULE_GROUP else self.servers.grafana
        return server is not None

    def _read(self) -> None:
        servers = self.servers
        actual = recorded_state(self.target, (), servers.keeper, servers.ruler)
        self.record, self._lives = actual.record, actual.lives
        if self.configuration is not None:
            checked_origin(origin_of(self.configuration), self.configuration, self.target, self.record)
        if servers.ruler is not None:
            tenants = {key.tenant for key in self._earlier if key.kind is Kind.RULE_GROUP}
            for tenant in tenants - set(self.target.loki.tenants if self.target.loki is not None else ()):
                self._lives.update(servers.ruler.read(tenant))
        if servers.grafana is not None:
            self._choose_branches(servers.grafana)
            keys = [key for key in self._earlier if key.kind is not Kind.RULE_GROUP]
            folders = {
                Key(Kind.FOLDER, state.before.folder) for state in self._earlier.values() if state.before
            }
            wanted = [*keys, *(folder for folder in folders if folder.name)]
            self._lives.update(servers.grafana.read(wanted))

    def _choose_branches(self, grafana: Grafana) -> None:
        """Looks at the same branches of the policies as the runs did."""
        if self.target.policies != "branches":
            return
        names = {key.name for key in (*self._earlier, *self.record.entries) if key.kind is Kind.CONTACT_POINT}
        for state in self._earlier.values():
            if state.key.kind is Kind.POLICY and state.before is not None:
                names |= set(state.before.body.get("receivers") or ())
        grafana.policies.branches_to = frozenset(names)

    def _change(self, state: Earlier, live: Live | None) -> Change:
        if state.before is None:
            return self._uncreated(state, live)
        desired = self._resource(state.key, state.before)
        lost = self._lost_secrets(state.before, live)
        if lost:
            reason = (
                f"cannot be restored: Grafana does not give out secrets, and the project does not know "
                f"{', '.join(lost)}"
            )
            action = self._conflict_action(Action.CREATE if live is None else Action.UPDATE)
            return Change(state.key, action, desired.title, desired, live, reason=reason)
        if live is None:
            return Change(state.key, Action.CREATE, desired.title, desired)
        secrets = self._earlier_secrets(state, desired)
        if digest(live) == digest(desired) and not secrets:
            return Change(state.key, Action.UNCHANGED, desired.title, desired, live)
        found = (*what_changes(live, desired), *secrets)
        if state.is_as_left(live) and not live.read_only:
            return Change(state.key, Action.UPDATE, desired.title, desired, live, found)
        change = Change(state.key, self._conflict_action(Action.UPDATE), desired.title, desired, live, found)
        return _because(change, live)

    def _uncreated(self, state: Earlier, live: Live | None) -> Change:
        title = live.title if live is not None else state.key.name
        if live is None:
            return Change(state.key, Action.UNCHANGED, title)
        if self._holds_record(state.key):
            reason = "contains lokictl's record"
            return Change(state.key, Action.KEEP, title, live=live, reason=reason)
        if state.is_as_left(live):
            return Change(state.key, Action.DELETE, title, live=live, reason="did not exist then")
        return _because(Change(state.key, self._conflict_action(Action.DELETE), title, live=live), live)

    def _holds_record(self, key: Key) -> bool:
        record = self.record.live
        return key.kind is Kind.FOLDER and record is not None and record.folder == key.name

    def _conflict_action(self, wanted: Action) -> Action:
        if self.on_conflict is OnConflict.OVERWRITE:
            return wanted
        return Action.SKIP if self.on_conflict is OnConflict.SKIP else Action.CONFLICT

    def _resource(self, key: Key, before: Live) -> Resource:
        secrets = self._secrets_for(key, before)
        return Resource(key, before.title, before.body, before.folder, secrets=secrets, schema=before.schema)

    def _secrets_for(self, key: Key, before: Live) -> Mapping[str, Secret]:
        known = self.secrets.get(key, {})
        return {name: known[name] for name in stored_secrets(before) if name in known}

    def _earlier_secrets(self, state: Earlier, desired: Resource) -> tuple[Difference, ...]:
        """The difference where the runs changed secrets, and the project knows those from before."""
        mark, now = state.entry.secrets if state.entry is not None else "", self.record.get(state.key)
        if not mark or now is None or now.secrets == mark or not matches_fingerprint(desired.secrets, mark):
            return ()
        return (Difference("secrets", ", ".join(sorted(desired.secrets)), "as before"),)

    def _lost_secrets(self, before: Live, live: Live | None) -> list[str]:
        """The secrets of a contact point that neither the server still has nor the project knows."""
        if before.key.kind is not Kind.CONTACT_POINT:
            return []
        there = set(stored_secrets(live)) if live is not None else set()
        known = self.secrets.get(before.key, {})
        return [name for name in stored_secrets(before) if name not in known and name not in there]

    def _missing_folders(self, changes: Iterable[Change]) -> list[Change]:
        """Folders that somebody has deleted since, and that what is put back was in."""
        titles: dict[str, str] = {}
        for backup in self.backups:
            titles.update(backup.folders)
        planned = {change.key for change in changes}
        needed = {
            change.desired.folder
            for change in changes
            if change.desired is not None and change.action in (Action.CREATE, Action.UPDATE)
        }
        found = []
        for uid in sorted(needed - {""}):
            key = Key(Kind.FOLDER, uid)
            if key in planned or key in self._lives:
                continue
            title = self.target.folder_title if uid == self.target.folder_uid else titles.get(uid, uid)
            resource = Resource(key, title, {"uid": uid, "title": title})
            reason = "was deleted on the server"
            found.append(Change(key, Action.CREATE, title, resource, reason=reason))
        return found

    def _paired(self, changes: list[Change]) -> list[Change]:
        """One change where something comes back under a uid that it had before, instead of two in each other's way."""
        gone = {_place(c.key, c.live): c for c in changes if c.action is Action.DELETE and c.live is not None}
        paired: list[Change] = []
        used: set[Key] = set()
        early: set[Key] = set()
        for change in changes:
            other = None
            if (
                change.action is Action.UPDATE
                and change.desired is not None
                and change.key.kind in _WITH_NAMES
            ):
                # What gets its old title back needs it free: the one that has it now and goes, goes first.
                holder = gone.get(_place(change.key, change.desired))
                early |= {holder.key} if holder is not None else set()
            if change.action is Action.CREATE and change.desired is not None:
                other = gone.get(_place(change.key, change.desired))
            if other is not None and other.live is not None and change.key.kind in _WITH_NAMES:
                used.add(other.key)
                change = self._replacement(change, change.desired, other.live)
            paired.append(change)
        return [
            dataclasses.replace(change, early=True) if change.key in early else change
            for change in paired
            if change.key not in used
        ]

    def _replacement(self, change: Change, desired: Resource | None, live: Live) -> Change:
        assert desired is not None
        known = {**self.secrets.get(live.key, {}), **self.secrets.get(change.key, {})}
        wanted = desired.body.get("secureJsonFields", ()) if desired.key.kind is Kind.DATA_SOURCE else ()
        secrets = {name: known[name] for name in wanted if name in known}
        lost = [name for name in wanted if name not in known]
        action, reason = Action.REPLACE, f"takes the place of {live.key.name}"
        if lost:
            action = self._conflict_action(action)
            reason = (
                f"is to replace {live.key.name}, but the project does not know its secrets: {', '.join(lost)}"
            )
        desired = dataclasses.replace(desired, secrets=secrets)
        return dataclasses.replace(change, action=action, desired=desired, live=live, reason=reason)

    def _warn_of_secrets(self, changes: list[Change]) -> None:
        for change in changes:
            if change.key.kind not in _WITH_SECRETS or change.desired is None or change.action in _LEAVES:
                continue
            if change.action in (Action.CREATE, Action.REPLACE):
                missing = [name for name in _stored(change.desired) if name not in change.desired.secrets]
            else:
                missing = self._not_as_before(change.desired)
            if missing:
                self._warnings.append(
                    f'{change.key.kind} "{change.title}": Grafana does not return secrets, so set these again: '
                    f"{', '.join(missing)}"
                )

    def _not_as_before(self, desired: Resource) -> list[str]:
        """The secrets that are not, as far as is known, those from before the runs."""
        state = self._earlier.get(desired.key)
        mark = state.entry.secrets if state is not None and state.entry is not None else ""
        if not mark or matches_fingerprint(desired.secrets, mark):
            return []
        return _stored(desired)

    def apply(self, plan: Plan, on_outcome: Callable[[Outcome], None] = lambda outcome: None) -> Applied:
        """Applies ``plan``, after a backup of what it changes: a rollback can be rolled back."""
        writer = None
        if plan.writes:
            folders = {key.name: live.title for key, live in self._lives.items() if key.kind is Kind.FOLDER}
            writer = write_backup(self.root, self.target, plan.writes, self.record, "rollback", folders)
            self.written = writer.path
        applier = Applier(
            self.target,
            self.record,
            self.servers.grafana,
            self.servers.ruler,
            self.servers.jobs,
            writer,
            on_outcome,
            self._entry_after,
            _as_it_was,
            keeper=self.servers.keeper if self.record.live is not None else self.servers.grafana,
            origin=self.record.origin,
        )
        return applier.apply(plan)

    def _entry_after(self, change: Change, written: Written, known: Entry | None) -> Entry | None:
        """What the record said before the runs, for what is now as before the runs."""
        state = self._earlier.get(change.key)
        if state is None:  # a folder that was missing
            assert change.desired is not None
            return Entry(digest(change.desired), written.version, written.number)
        entry, before = state.entry, state.before
        if change.desired is None or entry is None or before is None:
            return None
        if not entry.wrote(before, digest(before)):
            # Somebody had edited it before the run; that edit is back, and is still to be found as one.
            return Entry(entry.digest, 0, 0, "", entry.secrets)
        secrets = new_fingerprint(change.desired, known) if change.desired.secrets else ""
        return Entry(digest(before), written.version, written.number, "", secrets)


_WITH_NAMES = (Kind.DATA_SOURCE, Kind.DASHBOARD)


_WITH_SECRETS = (Kind.DATA_SOURCE, Kind.CONTACT_POINT)
_LEAVES = (Action.CONFLICT, Action.SKIP, Action.KEEP)


def _stored(resource: Resource) -> list[str]:
    return stored_secrets(Live(resource.key, resource.title, resource.body))


def _place(key: Key, what: Live | Resource) -> tuple[Kind, str, str]:
    return key.kind, what.title, what.folder


def _as_it_was(plan: Plan, record: Record, target: Target) -> dict[Key, Entry]:
    return dict(record.entries)


def _because(change: Change, live: Live) -> Change:
    reason = live.read_only or f"was changed since that run {live.edited}".rstrip()
    return dataclasses.replace(change, reason=reason)
