"""Puts back what a run changed, as its backup has it; itself planned, backed up and applied like any other run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lokictl.sync.apply import Applied, Applier
from lokictl.sync.backup import Backup, Saved, is_as_left, write_backup
from lokictl.sync.configuration import Target
from lokictl.sync.differences import differences
from lokictl.sync.interface import Action, Change, Key, Kind, Live, Outcome, Plan, Resource, Written
from lokictl.sync.normal_form import digest, normal_form
from lokictl.sync.planner import OnConflict, in_order, new_fingerprint
from lokictl.sync.record import Entry, Record, read_record, record_key
from lokictl.sync.secrets import Secret
from lokictl.sync.session import Servers, readable_errors


@dataclass
class Rollback:
    """Undoes one run.

    ``secrets`` (by key) are sent along with data sources that are put back: Grafana never gives them out, so
    no backup has them.
    """

    root: Path
    target: Target
    servers: Servers
    backup: Backup
    on_conflict: OnConflict = OnConflict.FAIL
    secrets: Mapping[Key, Mapping[str, Secret]] = field(default_factory=dict)
    record: Record = field(init=False, default_factory=Record)
    written: Path | None = field(init=False, default=None)
    _warnings: list[str] = field(init=False, default_factory=list)

    def plan(self) -> Plan:
        """What `apply` would do; only reads.  Raises `SyncError`."""
        with readable_errors(self.target):
            lives = self._lives()
        changes = [
            self._change(saved, lives.get(saved.key))
            for saved in self.backup.saved
            if self._reaches(saved.key)
        ]
        self._warn_of_secrets(changes)
        return Plan(self.target.name, tuple(in_order(changes)), tuple(self._warnings))

    def _reaches(self, key: Key) -> bool:
        server = self.servers.ruler if key.kind is Kind.RULE_GROUP else self.servers.grafana
        return server is not None

    def _lives(self) -> dict[Key, Live]:
        found: dict[Key, Live] = {}
        keys = [saved.key for saved in self.backup.saved]
        if self.servers.grafana is not None:
            self.servers.grafana.connect()
            self.record = read_record(self.servers.grafana.read_one(record_key(self.target)))
            found.update(self.servers.grafana.read(key for key in keys if key.kind is not Kind.RULE_GROUP))
        if self.servers.ruler is not None:
            for tenant in dict.fromkeys(key.tenant for key in keys if key.kind is Kind.RULE_GROUP):
                found.update(self.servers.ruler.read(tenant))
        return found

    def _change(self, saved: Saved, live: Live | None) -> Change:
        if saved.before is None:
            return self._uncreated(saved, live)
        desired = self._resource(saved.key, saved.before)
        if live is None:
            return Change(saved.key, Action.CREATE, desired.title, desired)
        if digest(live) == digest(desired):
            return Change(saved.key, Action.UNCHANGED, desired.title, desired, live)
        found = differences(normal_form(live), normal_form(desired))
        if is_as_left(saved, live) and not live.read_only:
            return Change(saved.key, Action.UPDATE, desired.title, desired, live, found)
        change = Change(saved.key, self._conflict_action(Action.UPDATE), desired.title, desired, live, found)
        return _because(change, live)

    def _uncreated(self, saved: Saved, live: Live | None) -> Change:
        title = live.title if live is not None else saved.key.name
        if live is None:
            return Change(saved.key, Action.UNCHANGED, title)
        if self._holds_record(saved.key):
            reason = "holds lokictl's record"
            return Change(saved.key, Action.KEEP, title, live=live, reason=reason)
        if is_as_left(saved, live):
            return Change(saved.key, Action.DELETE, title, live=live, reason="was created by that run")
        return _because(Change(saved.key, self._conflict_action(Action.DELETE), title, live=live), live)

    def _holds_record(self, key: Key) -> bool:
        record = self.record.live
        return key.kind is Kind.FOLDER and record is not None and record.folder == key.name

    def _conflict_action(self, wanted: Action) -> Action:
        if self.on_conflict is OnConflict.OVERWRITE:
            return wanted
        return Action.SKIP if self.on_conflict is OnConflict.SKIP else Action.CONFLICT

    def _resource(self, key: Key, before: Live) -> Resource:
        return Resource(key, before.title, before.body, before.folder, secrets=self._secrets_for(key, before))

    def _secrets_for(self, key: Key, before: Live) -> Mapping[str, Secret]:
        known = self.secrets.get(key, {})
        return {name: known[name] for name in before.body.get("secureJsonFields", []) if name in known}

    def _warn_of_secrets(self, changes: list[Change]) -> None:
        for change in changes:
            if change.key.kind is not Kind.DATA_SOURCE or change.action is not Action.CREATE:
                continue
            assert change.desired is not None
            there = change.desired.body.get("secureJsonFields", [])
            missing = [name for name in there if name not in change.desired.secrets]
            if missing:
                self._warnings.append(
                    f'data source "{change.title}": Grafana gives out no secrets, so these have to be set again: '
                    f"{', '.join(missing)}"
                )

    def apply(self, plan: Plan, on_outcome: Callable[[Outcome], None] = lambda outcome: None) -> Applied:
        """Applies ``plan``, after a backup of what it changes: a rollback can be rolled back."""
        writer = None
        if plan.writes:
            writer = write_backup(self.root, self.target, plan.writes, self.record, "rollback")
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
        )
        return applier.apply(plan)

    def _entry_after(self, change: Change, written: Written, known: Entry | None) -> Entry | None:
        """What the record said before the run, for what is now as before the run."""
        saved = next(item for item in self.backup.saved if item.key == change.key)
        entry, before = saved.entry, saved.before
        if change.desired is None or entry is None or before is None:
            return None
        if not entry.wrote(before, digest(before)):
            # Somebody had edited it before the run; that edit is back, and is still to be found as one.
            return Entry(entry.digest, 0, 0, "", entry.secrets)
        secrets = new_fingerprint(change.desired, known) if change.desired.secrets else ""
        return Entry(digest(before), written.version, written.number, "", secrets)


def _as_it_was(plan: Plan, record: Record) -> dict[Key, Entry]:
    return dict(record.entries)


def _because(change: Change, live: Live) -> Change:
    import dataclasses

    reason = live.read_only or f"was changed since that run {live.edited}".rstrip()
    return dataclasses.replace(change, reason=reason)
