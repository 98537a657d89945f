"""Applies a plan: in an order that keeps every state valid, several requests at once, and never blindly.

Everything that changes is read once more right before it is written, and named with its version.  After an error
that leaves open whether the server did what it was asked, the server is asked what it has.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import field
from types import FrameType
from typing import Protocol

from lokictl.http import HttpError
from lokictl.records import dataclass
from lokictl.sync.backup import BackupWriter
from lokictl.sync.configuration import Target
from lokictl.sync.grafana.aside import giving_way
from lokictl.sync.grafana.server import Grafana
from lokictl.sync.normal_form import digest
from lokictl.sync.origin import Origin
from lokictl.sync.plan import (
    NOTIFICATIONS,
    Action,
    Change,
    Key,
    Kind,
    Live,
    Outcome,
    Plan,
    Resource,
    Status,
    Written,
)
from lokictl.sync.planner import new_fingerprint, settled_entries
from lokictl.sync.record import Entry, Record
from lokictl.sync.recorder import LockedError, Recorder
from lokictl.sync.ruler import Ruler

CHANGED_SINCE_PLAN = "was changed on the server after the plan was made; run it again"


class Store(Protocol):
    """What reads and writes resources of some kinds: `Grafana`, `Ruler`."""

    def read_one(self, key: Key) -> Live | None: ...
    def write(self, resource: Resource, live: Live | None) -> Written: ...
    def replace(self, resource: Resource, live: Live) -> Written: ...
    def delete(self, live: Live) -> None: ...


EntryAfter = Callable[[Change, Written, Entry | None], Entry | None]


def entry_after_sync(change: Change, written: Written, known: Entry | None) -> Entry | None:
    """What the record says of a resource after `sync` has written or deleted it."""
    if change.desired is None:
        return None
    secrets = new_fingerprint(change.desired, known)
    return Entry(digest(change.desired), written.version, written.number, "", secrets)


def settled(plan: Plan, record: Record, target: Target) -> dict[Key, Entry]:
    """The entries of everything that the plan does not write."""
    return settled_entries(plan.changes, record, target)


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

    @property
    def can_be_finished(self) -> bool:
        """Whether the same command may do what is left: not where a server refused something for good."""
        refused = any(outcome.status is Status.FAILED and outcome.refused for outcome in self.outcomes)
        return not refused


@contextlib.contextmanager
def interrupts_later() -> Iterator[None]:
    """Lets SIGINT and SIGTERM wait until the block is done: what is half noted cannot be undone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[tuple[int, FrameType | None]] = []
    before = {
        number: signal.signal(number, lambda number, frame: received.append((number, frame)))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        for late, frame in received[:1]:
            handler = signal.getsignal(late)
            if callable(handler):
                handler(late, frame)
            elif handler is signal.SIG_DFL:
                signal.raise_signal(late)


@dataclass
class Applier:
    """Applies one plan, once.  ``on_outcome`` is called in the main thread, one outcome at a time.

    ``keeper`` keeps the record where ``grafana`` itself is left alone.
    A single resource that a server refuses does not stop the others, except with ``strict``; but nothing is deleted
    any more then.
    """

    target: Target
    record: Record
    grafana: Grafana | None = None
    ruler: Ruler | None = None
    jobs: int = 8
    backup: BackupWriter | None = None
    on_outcome: Callable[[Outcome], None] = lambda outcome: None
    entry_after: EntryAfter = entry_after_sync
    settle: Callable[[Plan, Record, Target], dict[Key, Entry]] = settled
    keeper: Grafana | None = None
    origin: Origin = field(default_factory=Origin)
    strict: bool = False
    _applied: Applied = field(default_factory=Applied)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._original = self.record
        self._recorder = Recorder(self.target, self.keeper or self.grafana, self.ruler, self.origin)

    def apply(self, plan: Plan) -> Applied:
        """Does what the plan says, as far as nothing that the rest depends on fails."""
        changes = [change for change in plan.writes if change.key.kind is not Kind.RECORD]
        phases = _phases(changes)
        # Bringing only the record up to date must not take it from a run that holds it, either.
        if plan.writes and not self._lock(changes):
            self._note_the_rest(changes)
            return self._applied
        try:
            if not self._begin(phases, changes):
                return self._applied
            for phase in phases:
                self._run(phase)
        except KeyboardInterrupt:
            self._stop.set()
            self._applied.interrupted = True
        self._note_the_rest(changes)
        if plan.writes:
            self._end(plan, changes)
        return self._applied

    def _lock(self, changes: list[Change]) -> bool:
        tenants = {change.key.tenant for change in changes if change.key.kind is Kind.RULE_GROUP}
        try:
            self._recorder.lock(self.record, tenants)
        except LockedError as error:
            self._applied.record_problem = str(error)
        except HttpError as error:
            self._applied.record_problem = _record_words(error, self.target)
        return not self._applied.record_problem

    def _begin(self, phases: list[list[Change]], changes: list[Change]) -> bool:
        """Folders, then the record of what is about to be written; False when that cannot be done."""
        while phases and phases[0][0].key.kind is Kind.FOLDER and phases[0][0].action is not Action.DELETE:
            self._run(phases.pop(0))
        if self._stop.is_set():
            self._note_the_rest(changes)
            return False
        entries = dict(self.record.entries)
        for change in changes:
            if self._is_open(change):
                _note_pending(entries, change)
        if entries != dict(self.record.entries) and not self._write_record(entries):
            self._stop.set()
            self._note_the_rest(changes)
            return False
        return True

    def _is_open(self, change: Change) -> bool:
        return all(outcome.change is not change for outcome in self._applied.outcomes)

    # --- phases ------------------------------------------------------------------------------------------

    def _run(self, phase: list[Change]) -> None:
        if not self._stop.is_set():
            self._free_names([change for change in phase if change.aside])
        if self._stop.is_set() or (self._failed and phase[0].action is Action.DELETE and not phase[0].early):
            return
        # Grafana keeps all notification settings in one document, and refuses the second of two writes at once.
        one_by_one = phase[0].key.kind in (Kind.FOLDER, Kind.DATA_SOURCE, *NOTIFICATIONS)
        jobs = 1 if one_by_one else max(1, min(self.jobs, len(phase)))
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
        if any(self._is_grave(outcome) for outcome in self._failed):
            self._stop.set()

    def _free_names(self, changes: list[Change]) -> None:
        """Lets resources give up names that others of the phase are waiting for; nobody has to come first then."""
        for change in changes:
            assert self.grafana is not None
            try:
                current = self.grafana.read_one(change.key)
                if current is not None and change.live is not None and digest(current) == digest(change.live):
                    self.grafana.step_aside(current)
            except HttpError as error:
                self._applied.outcomes.append(self._after_error(self.grafana, change, error))
                self._stop.set()
                return

    @property
    def _failed(self) -> list[Outcome]:
        return [outcome for outcome in self._applied.outcomes if outcome.status is not Status.DONE]

    def _is_grave(self, outcome: Outcome) -> bool:
        """Whether nothing more should be tried after this."""
        depended_on = outcome.change.key.kind in (Kind.FOLDER, Kind.DATA_SOURCE)
        return self.strict or depended_on or outcome.grave or outcome.status is Status.UNKNOWN

    def _collect(self, futures: Iterable[Future[Outcome | None]]) -> None:
        noted = {id(outcome) for outcome in self._applied.outcomes}
        for future in as_completed(futures):
            outcome = future.result()
            if outcome is None or id(outcome) in noted:
                continue
            with interrupts_later():
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
        if change.action is Action.REPLACE:
            return self._replace(store, change)
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

    def _replace(self, store: Store, change: Change) -> Written:
        assert change.desired is not None
        assert change.replaced is not None
        old = store.read_one(change.replaced)
        if old is None:
            there = store.read_one(change.key)
            if there is not None and digest(there) != digest(change.desired):
                raise _Refused(CHANGED_SINCE_PLAN)
            return store.write(change.desired, there)
        self._check_unchanged(change, old)
        return store.replace(change.desired, old)

    def _check_unchanged(self, change: Change, current: Live) -> None:
        known = (
            [change.live, giving_way(change.live)]
            if change.live is not None and change.aside
            else [change.live]
        )
        if digest(current) not in {digest(live) for live in known if live is not None}:
            raise _Refused(CHANGED_SINCE_PLAN)
        if current.read_only:
            raise _Refused(current.read_only)

    def _check_deletable(self, current: Live) -> None:
        if current.key.kind is not Kind.FOLDER or self.grafana is None:
            return
        if not self.grafana.folders.is_empty(current.key.name):
            raise _Refused("now contains something that this project did not create, so it is kept")

    def _after_error(self, store: Store, change: Change, error: HttpError) -> Outcome:
        """An error need not mean that nothing was done: an answer can get lost, a repetition be refused."""
        message = explained(error, self.target)
        grave = error.status in (0, 401, 429) or error.status >= 500
        refused = error.status in (400, 403, 404, 405, 406, 413, 422)
        if not error.uncertain and error.status not in (409, 412):
            return Outcome(change, Status.FAILED, message, grave=grave, refused=refused)
        try:
            current = store.read_one(change.key)
            gone = change.replaced is None or store.read_one(change.replaced) is None
        except HttpError:
            if error.uncertain:
                return Outcome(change, Status.UNKNOWN, f"{message}; it may have been done")
            return Outcome(change, Status.FAILED, message, grave=grave)
        if gone and _is_done(change, current):
            version, number = (current.version, current.number) if current is not None else (0, 0)
            return Outcome(change, Status.DONE, "", Written(version, number))
        if error.uncertain:
            return Outcome(change, Status.UNKNOWN, f"{message}; it was not done when looked at again")
        return Outcome(change, Status.FAILED, message, grave=grave)

    # --- the record --------------------------------------------------------------------------------------

    def _write_record(self, entries: dict[Key, Entry], *, last: bool = False) -> bool:
        try:
            self.record = self._recorder.write(self.record, entries, last=last)
        except HttpError as error:
            self._applied.record_problem = _record_words(error, self.target)
            return False
        return True

    def _end(self, plan: Plan, changes: list[Change]) -> None:
        recorded = dict(self.record.entries)
        entries = self.settle(plan, self._original, self.target)
        outcomes = {outcome.change.key: outcome for outcome in self._applied.outcomes}
        for change in changes:
            outcome, known = outcomes[change.key], self._original.get(change.key)
            replaced = change.replaced
            if outcome.status is Status.DONE:
                before = self._original.get(replaced) if replaced is not None else known
                known = self.entry_after(change, outcome.written, before)
            elif outcome.status is Status.UNKNOWN:
                known = recorded.get(change.key)
            entries.pop(change.key, None)
            if known is not None:
                entries[change.key] = known
            if replaced is not None:
                _settle_replaced(entries, replaced, outcome, self._original, recorded)
        if entries != recorded or self._recorder.is_locked or self._recorder.is_stale(self.record):
            self._write_record(entries, last=True)


def _settle_replaced(
    entries: dict[Key, Entry], key: Key, outcome: Outcome, original: Record, recorded: Mapping[Key, Entry]
) -> None:
    entries.pop(key, None)
    known = original.get(key) if outcome.status is not Status.UNKNOWN else recorded.get(key)
    if outcome.status is not Status.DONE and known is not None:
        entries[key] = known


def _note_pending(entries: dict[Key, Entry], change: Change) -> None:
    known = entries.get(change.key) or Entry()
    pending = digest(change.desired) if change.desired is not None else "-"
    entries[change.key] = Entry(known.digest, known.version, known.number, pending, known.secrets)
    if change.replaced is not None and change.live is not None:
        known = entries.get(change.replaced) or Entry()
        pending = digest(giving_way(change.live))
        entries[change.replaced] = Entry(known.digest, known.version, known.number, pending, known.secrets)


class _Refused(Exception):  # noqa: N818 - a refusal of ours, not an error of the server's
    pass


def _is_done(change: Change, current: Live | None) -> bool:
    if change.desired is None:
        return current is None
    if current is None or digest(current) != digest(change.desired):
        return False
    if change.desired.secrets and change.live is not None and change.replaced is None:
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
            and last.early == change.early
        ):
            phases[-1].append(change)
        else:
            phases.append([change])
    return phases


def _record_words(error: HttpError, target: Target) -> str:
    if error.status in (409, 412):
        return "another sync of this project has started or finished meanwhile; run it again"
    return f"cannot write lokictl's record: {explained(error, target)}"


def explained(error: HttpError, target: Target) -> str:
    """What an error means and what to do, as far as that can be told."""
    where = target.section("loki" if "/loki/" in error.path else "grafana")
    hint = _HINTS.get(error.status, "").format(where=where)
    if error.code == "api-key.organization-mismatch" or "requested organization" in error.message:
        org = target.grafana.organisation if target.grafana is not None else 0
        asked = f"org = {org} in {where}" if org else where
        hint = f"the token belongs to another organization than {asked} asks for"
    elif error.code == "name-exists":
        hint = "another dashboard has this title in the same folder; rename one of them"
    elif error.code == "version-mismatch":
        hint = "somebody else changed it meanwhile; run it again"
    text = str(error)
    return f"{text} ({hint})" if hint else text


_HINTS = {
    401: "the credentials of {where} were not accepted",
    403: "the account of {where} may not do this",
    413: "it is too large for Grafana or for a proxy in front of it",
}
