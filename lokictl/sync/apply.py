"""Applies a plan: in an order that keeps every state valid, several requests at once, and never blindly.

Everything that changes is read once more right before it is written, and named with its version.  After an error
that leaves open whether the server did what it was asked, the server is asked what it has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Protocol

from lokictl.sync.backup import BackupWriter
from lokictl.sync.configuration import Target
from lokictl.sync.grafana import Grafana
from lokictl.sync.http import HttpError
from lokictl.sync.interface import Action, Change, Key, Kind, Live, Outcome, Plan, Resource, Status, Written
from lokictl.sync.normal_form import digest
from lokictl.sync.planner import new_fingerprint, settled_entries
from lokictl.sync.record import Entry, Record, record_body, record_key
from lokictl.sync.ruler import Ruler

CHANGED_SINCE_PLAN = "was changed on the server after the plan was made; run it again"


class Store(Protocol):
    """What reads and writes resources of some kinds: `Grafana`, `Ruler`."""

    def read_one(self, key: Key) -> Live | None: ...
    def write(self, resource: Resource, live: Live | None) -> Written: ...
    def delete(self, live: Live) -> None: ...


EntryAfter = Callable[[Change, Written, Entry | None], Entry | None]


def entry_after_sync(change: Change, written: Written, known: Entry | None) -> Entry | None:
    """What the record says of a resource after `sync` has written or deleted it."""
    if change.desired is None:
        return None
    secrets = new_fingerprint(change.desired, known)
    return Entry(digest(change.desired), written.version, written.number, "", secrets)


def settled(plan: Plan, record: Record) -> dict[Key, Entry]:
    """The entries of everything that the plan does not write."""
    return settled_entries(plan.changes, record)


@dataclass(slots=True)
class Applied:
    """What became of a plan: an outcome for each of its writes, in no particular order."""

    outcomes: list[Outcome] = field(default_factory=list)
    interrupted: bool = False
    record_problem: str = ""

    def of(self, *statuses: Status) -> list[Outcome]:
        """The outcomes with one of these statuses."""
        return [outcome for outcome in self.outcomes if outcome.status in statuses]

    @property
    def complete(self) -> bool:
        """Whether everything was done."""
        all_done = all(outcome.status is Status.DONE for outcome in self.outcomes)
        return all_done and not self.interrupted and not self.record_problem


@dataclass
class Applier:
    """Applies one plan, once.  ``on_outcome`` is called in the main thread, one outcome at a time."""

    target: Target
    record: Record
    grafana: Grafana | None = None
    ruler: Ruler | None = None
    jobs: int = 8
    backup: BackupWriter | None = None
    on_outcome: Callable[[Outcome], None] = lambda outcome: None
    entry_after: EntryAfter = entry_after_sync
    settle: Callable[[Plan, Record], dict[Key, Entry]] = settled
    _applied: Applied = field(default_factory=Applied)
    _stop: threading.Event = field(default_factory=threading.Event)

    def apply(self, plan: Plan) -> Applied:
        """Does what the plan says.  Stops after the first phase in which something failed."""
        changes = [change for change in plan.writes if change.key.kind is not Kind.RECORD]
        keeps_record = any(c.key.kind is not Kind.RULE_GROUP for c in changes) or len(changes) < len(
            plan.writes
        )
        phases = _phases(changes)
        try:
            if keeps_record and not self._begin(phases, changes):
                return self._applied
            for phase in phases:
                self._run(phase)
        except KeyboardInterrupt:
            self._stop.set()
            self._applied.interrupted = True
        self._note_the_rest(changes)
        if keeps_record:
            self._end(plan, changes)
        return self._applied

    def _begin(self, phases: list[list[Change]], changes: list[Change]) -> bool:
        """Folders, then the record of what is about to be written; False when that cannot be done."""
        while phases and phases[0][0].key.kind is Kind.FOLDER and phases[0][0].action is not Action.DELETE:
            self._run(phases.pop(0))
        if self._stop.is_set():
            self._note_the_rest(changes)
            return False
        entries = dict(self.record.entries)
        for change in changes:
            if change.key.kind is not Kind.RULE_GROUP and self._is_open(change):
                known = entries.get(change.key) or Entry()
                pending = digest(change.desired) if change.desired is not None else "-"
                entries[change.key] = Entry(known.digest, known.version, known.number, pending, known.secrets)
        if entries != dict(self.record.entries) and not self._write_record(entries):
            self._stop.set()
            self._note_the_rest(changes)
            return False
        return True

    def _is_open(self, change: Change) -> bool:
        return all(outcome.change is not change for outcome in self._applied.outcomes)

    # --- phases ------------------------------------------------------------------------------------------

    def _run(self, phase: list[Change]) -> None:
        if self._stop.is_set():
            return
        jobs = 1 if phase[0].key.kind is Kind.FOLDER else max(1, min(self.jobs, len(phase)))
        with ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(self._perform, change) for change in phase]
            try:
                self._collect(futures)
            except KeyboardInterrupt:
                self._stop.set()
                for future in futures:
                    future.cancel()
                pool.shutdown(wait=True)
                self._collect([f for f in futures if not f.cancelled() and f.exception() is None])
                raise
        if any(outcome.status is not Status.DONE for outcome in self._applied.outcomes):
            self._stop.set()

    def _collect(self, futures: Iterable[Future[Outcome | None]]) -> None:
        noted = {id(outcome) for outcome in self._applied.outcomes}
        for future in as_completed(futures):
            outcome = future.result()
            if outcome is None or id(outcome) in noted:
                continue
            self._applied.outcomes.append(outcome)
            if self.backup is not None:
                self.backup.note(outcome)
            self.on_outcome(outcome)

    def _note_the_rest(self, changes: list[Change]) -> None:
        seen = {outcome.change.key for outcome in self._applied.outcomes}
        for change in changes:
            if change.key not in seen:
                outcome = Outcome(change, Status.NOT_DONE)
                self._applied.outcomes.append(outcome)
                self.on_outcome(outcome)

    # --- one change --------------------------------------------------------------------------------------

    def _perform(self, change: Change) -> Outcome | None:
        if self._stop.is_set():
            return None
        store = self._store(change)
        try:
            written = self._write(store, change)
        except HttpError as error:
            return self._after_error(store, change, error)
        except _Refused as refusal:
            return Outcome(change, Status.FAILED, str(refusal))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            words = f"the answer was not understood ({type(error).__name__}: {error})"
            return Outcome(change, Status.UNKNOWN, self.target.redactor.text(words))
        return Outcome(change, Status.DONE, "", written)

    def _store(self, change: Change) -> Store:
        store: Store | None = self.ruler if change.key.kind is Kind.RULE_GROUP else self.grafana
        assert store is not None
        return store

    def _write(self, store: Store, change: Change) -> Written:
        if change.action is Action.CREATE:
            assert change.desired is not None
            return store.write(change.desired, None)
        current = store.read_one(change.key)
        if change.action is Action.DELETE:
            if current is not None:
                self._check_unchanged(change, current)
                self._check_deletable(current)
                store.delete(current)
            return Written()
        assert change.desired is not None
        if current is None:
            raise _Refused("was deleted on the server after the plan was made; run it again")
        if digest(current) == digest(change.desired) and not change.desired.secrets:
            return Written(current.version, current.number)
        self._check_unchanged(change, current)
        return store.write(change.desired, current)

    def _check_unchanged(self, change: Change, current: Live) -> None:
        if change.live is None or digest(current) != digest(change.live):
            raise _Refused(CHANGED_SINCE_PLAN)
        if current.read_only:
            raise _Refused(current.read_only)

    def _check_deletable(self, current: Live) -> None:
        if current.key.kind is not Kind.FOLDER or self.grafana is None:
            return
        if not self.grafana.is_folder_empty(current.key.name):
            raise _Refused("the folder holds things that this project did not make, so it stays")

    def _after_error(self, store: Store, change: Change, error: HttpError) -> Outcome:
        """An error need not mean that nothing was done: an answer can get lost, a repetition be refused."""
        message = explained(error, self.target)
        if not error.uncertain and error.status not in (409, 412):
            return Outcome(change, Status.FAILED, message)
        try:
            current = store.read_one(change.key)
        except HttpError:
            status = Status.UNKNOWN if error.uncertain else Status.FAILED
            return Outcome(
                change, status, f"{message}; it may have been done" if error.uncertain else message
            )
        if _is_done(change, current):
            version, number = (current.version, current.number) if current is not None else (0, 0)
            return Outcome(change, Status.DONE, "", Written(version, number))
        if error.uncertain:
            return Outcome(change, Status.UNKNOWN, f"{message}; it was not done when looked at again")
        return Outcome(change, Status.FAILED, message)

    # --- the record --------------------------------------------------------------------------------------

    def _write_record(self, entries: dict[Key, Entry]) -> bool:
        assert self.grafana is not None
        known = self.record.live
        folder = known.folder if known is not None else self.target.folder_uid
        body = record_body(self.target, entries)
        resource = Resource(record_key(self.target), str(body["title"]), body, folder)
        try:
            written = self.grafana.write(resource, known)
        except HttpError as error:
            current = self._reread_record(error, resource)
            if current is None:
                self._applied.record_problem = _record_words(error, self.target)
                return False
            written = Written(current.version, current.number)
        live = Live(resource.key, resource.title, body, folder, written.version, written.number)
        self.record = Record(entries, live)
        return True

    def _reread_record(self, error: HttpError, resource: Resource) -> Live | None:
        if self.grafana is None or not (error.uncertain or error.status in (409, 412)):
            return None
        try:
            current = self.grafana.read_one(resource.key)
        except HttpError:
            return None
        if current is None or digest(current) != digest(resource):
            return None
        return current

    def _end(self, plan: Plan, changes: list[Change]) -> None:
        recorded = dict(self.record.entries)
        entries = self.settle(plan, self._original)
        outcomes = {outcome.change.key: outcome for outcome in self._applied.outcomes}
        for change in changes:
            if change.key.kind is Kind.RULE_GROUP:
                continue
            outcome, known = outcomes[change.key], self._original.get(change.key)
            if outcome.status is Status.DONE:
                known = self.entry_after(change, outcome.written, known)
            elif outcome.status is Status.UNKNOWN:
                known = recorded.get(change.key)
            entries.pop(change.key, None)
            if known is not None:
                entries[change.key] = known
        if entries != recorded:
            self._write_record(entries)

    def __post_init__(self) -> None:
        self._original = self.record


class _Refused(Exception):  # noqa: N818 - a refusal of ours, not an error of the server's
    pass


def _is_done(change: Change, current: Live | None) -> bool:
    if change.desired is None:
        return current is None
    if current is None or digest(current) != digest(change.desired):
        return False
    if change.desired.secrets and change.live is not None:
        # The content alone does not show that the secrets were written.
        return current.version > change.live.version
    return True


def _phases(changes: list[Change]) -> list[list[Change]]:
    """Runs of changes of the same kind and direction; the plan has them in the right order."""
    phases: list[list[Change]] = []
    for change in changes:
        last = phases[-1][0] if phases else None
        deletes = change.action is Action.DELETE
        if (
            last is not None
            and last.key.kind is change.key.kind
            and (last.action is Action.DELETE) == deletes
        ):
            phases[-1].append(change)
        else:
            phases.append([change])
    return phases


def _record_words(error: HttpError, target: Target) -> str:
    if error.status in (409, 412):
        return "another synchronisation of this project has begun or ended meanwhile; run it again"
    return f"lokictl's record could not be written: {explained(error, target)}"


def explained(error: HttpError, target: Target) -> str:
    """What an error means and what to do, as far as that can be told."""
    where = "loki" if "/loki/" in error.path else "grafana"
    hints = {
        401: f"the credentials of [targets.{target.name}.{where}] were not accepted",
        403: f"the account of [targets.{target.name}.{where}] may not do this",
        404: "",
        413: "it is too large for Grafana or for a proxy before it",
    }
    hint = hints.get(error.status, "")
    if error.code == "name-exists":
        hint = "another dashboard has this title in the same folder; rename one of them"
    elif error.code == "version-mismatch":
        hint = "somebody else changed it meanwhile; run it again"
    text = target.redactor.text(str(error))
    return f"{text} ({hint})" if hint else text
