"""Backups: everything that a run is about to change or delete, written before its first write."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.model.json_text import json_text
from lokictl.model.uids import slug
from lokictl.records import dataclass
from lokictl.sync.configuration import Target
from lokictl.sync.errors import SyncError
from lokictl.sync.grafana.aside import giving_way
from lokictl.sync.normal_form import digest
from lokictl.sync.plan import Change, Key, Live, Outcome, Status
from lokictl.sync.planner import forms
from lokictl.sync.record import Entry, Record

FOLDER = Path(".lokictl") / "backups"
MANIFEST = "manifest.json"
JOURNAL = "journal.jsonl"
FORMAT = 2
# Until format 1, what happened to equal a secret was replaced by this; what it was cannot be told any more.
REPLACED = "<lokictl secret "
NO_FOLDERS: Mapping[str, str] = {}
IGNORE = "# Made by lokictl: backups are for the machine they were made on.\n*\n"


@dataclass(frozen=True, slots=True)
class Saved:
    """One resource in a backup.

    ``before`` is None where the run created it; ``after`` is the digest of what the run was to leave ("" for a
    deletion); ``entry`` what the record said; ``written`` the (version, number) that the server gave, if known.
    ``before.key`` is another key where the run put ``key`` in the place of another resource.
    """

    key: Key
    action: str
    before: Live | None
    after: str
    entry: Entry | None = None
    written: tuple[int, int] = (0, 0)
    done: bool = False


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was read: its name is the time of the run, ``folders`` are the titles of folders by uid."""

    name: str
    path: Path
    target: str
    command: str
    saved: tuple[Saved, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class BackupWriter:
    """Writes one backup; the journal may be written from any thread."""

    path: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, outcome: Outcome) -> None:
        """Adds to the journal how a change ended."""
        line = {
            "resource": outcome.change.key.text,
            "status": outcome.status.value,
            "version": outcome.written.version,
            "number": outcome.written.number,
        }
        with self._lock, (self.path / JOURNAL).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def write_backup(
    root: Path,
    target: Target,
    changes: Iterable[Change],
    record: Record,
    command: str,
    folders: Mapping[str, str] = NO_FOLDERS,
) -> BackupWriter:
    """Saves the live state of everything that ``changes`` write, exactly as the server gave it.

    A server never gives out secrets, so there are none in it.  Raises `SyncError` where it cannot be written.
    """
    try:
        return _write_backup(root, target, changes, record, command, folders)
    except OSError as error:
        place = Position(str(error.filename or root / FOLDER))
        message = f"cannot write the backup: {error.strerror or error}; nothing was sent"
        raise SyncError(Problem("sync/backup", message, position=place)) from None


def _write_backup(
    root: Path,
    target: Target,
    changes: Iterable[Change],
    record: Record,
    command: str,
    folders: Mapping[str, str],
) -> BackupWriter:
    folder = _new_folder(root)
    entries = []
    for number, change in enumerate(changes):
        name = ""
        if change.live is not None:
            name = f"{slug(change.key.kind.value)}/{number:04}-{slug(change.key.name)}.json"
            _write(folder / name, _live_data(change.live))
        known = record.get(change.replaced or change.key)
        entries.append(
            {
                "resource": change.key.text,
                "action": change.action.value,
                "title": change.title,
                "file": name,
                "after": forms(change)[1],
                "record": _entry_data(known) if known is not None else None,
            }
        )
    manifest = {
        "format": FORMAT,
        "command": command,
        "target": target.name,
        "project": target.project,
        "folders": dict(folders),
        "resources": entries,
    }
    _write(folder / MANIFEST, manifest)
    return BackupWriter(folder)


def _new_folder(root: Path) -> Path:
    parent = root / FOLDER
    parent.mkdir(parents=True, exist_ok=True)
    ignore = root / FOLDER.parts[0] / ".gitignore"
    if not ignore.exists():
        ignore.write_text(IGNORE, encoding="utf-8")
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    number = 0
    while True:
        folder = parent / (f"{time}Z" if not number else f"{time}Z-{number + 1}")
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        else:
            return folder


def _write(path: Path, data: Any) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json_text(data) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _live_data(live: Live) -> dict[str, Any]:
    return {
        "resource": live.key.text,
        "title": live.title,
        "folder": live.folder,
        "version": live.version,
        "number": live.number,
        "edited": live.edited,
        "schema": live.schema,
        "body": live.body,
    }


def _entry_data(entry: Entry) -> list[Any]:
    return [entry.digest, entry.version, entry.number, entry.pending, entry.secrets]


# --- reading -------------------------------------------------------------------------------------------------


def backup_names(root: Path) -> list[str]:
    """The complete backups of a project, newest first."""
    folder = root / FOLDER
    if not folder.is_dir():
        return []
    return sorted(
        (path.name for path in folder.iterdir() if (path / MANIFEST).is_file()), key=_age, reverse=True
    )


def _age(name: str) -> tuple[str, int]:
    time, _, number = name.partition("-")
    return time, int(number) if number.isdigit() else 1


def read_backup(root: Path, name: str, target: Target | None = None) -> Backup:
    """The backup whose name begins with ``name`` ("" for the newest).

    Raises `LokictlError` if there is none, more than one, or when it cannot be read.
    """
    path = root / FOLDER / _found(root, name)
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] not in (1, FORMAT):
            raise ValueError(f"format {manifest['format']}")
        journal = _journal(path)
        saved = tuple(_saved(path, item, journal) for item in manifest["resources"])
        if target is not None and manifest["target"] != target.name:
            raise ValueError(f"it is of the target {manifest['target']}")
        folders = {str(uid): str(title) for uid, title in manifest.get("folders", {}).items()}
        return Backup(path.name, path, str(manifest["target"]), str(manifest["command"]), saved, folders)
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"the backup cannot be read: {error}"
        raise LokictlError(Problem("sync/backup", message, position=Position(str(path / MANIFEST)))) from None


def read_backups(root: Path, name: str, target: Target | None = None) -> tuple[Backup, ...]:
    """The runs on one target from the newest back to the one whose name begins with ``name``.

    Only the newest without a name.  Raises as `read_backup`.
    """
    first = read_backup(root, name, target)
    names = backup_names(root)
    later = [read_backup(root, found) for found in names[: names.index(first.name)]] if name else []
    return (*(backup for backup in later if backup.target == first.target), first)


def backup_target(root: Path, name: str) -> str:
    """The target that a backup was made from."""
    return read_backup(root, name).target


def _found(root: Path, name: str) -> str:
    names = backup_names(root)
    if not names:
        raise LokictlError(Problem("sync/backup", f"there is no backup in {root / FOLDER}"))
    found = [known for known in names if known == name] or [
        known for known in names if known.startswith(name)
    ]
    if not name:
        return names[0]
    if len(found) != 1:
        several = "several backups begin" if found else "no backup begins"
        hint = f"the backups are: {', '.join((found or names)[:10])}"
        raise LokictlError(Problem("sync/backup", f'{several} with "{name}"', hint=hint))
    return found[0]


def _journal(path: Path) -> dict[str, dict[str, Any]]:
    lines: dict[str, dict[str, Any]] = {}
    if (path / JOURNAL).is_file():
        for text in (path / JOURNAL).read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue  # the last line of a run that was killed
            lines[line["resource"]] = line
    return lines


def _saved(path: Path, item: Mapping[str, Any], journal: Mapping[str, Mapping[str, Any]]) -> Saved:
    key = Key.from_text(item["resource"])
    before = None
    if item["file"]:
        text = (path / item["file"]).read_text(encoding="utf-8")
        data = json.loads(text)
        before = Live(
            Key.from_text(data["resource"]) if "resource" in data else key,
            data["title"],
            data["body"],
            data["folder"],
            data["version"],
            data["number"],
            edited=data["edited"],
            schema=data.get("schema", ""),
        )
    entry = Entry(*item["record"]) if item["record"] is not None else None
    line = journal.get(item["resource"], {})
    written = (int(line.get("version", 0)), int(line.get("number", 0)))
    done = line.get("status") == Status.DONE.value
    return Saved(key, item["action"], before, item["after"], entry, written, done)


def damaged(backup: Backup) -> list[Key]:
    """What cannot be put back exactly, because an older lokictl replaced parts of it when it saved it."""
    return [
        saved.key
        for saved in backup.saved
        if saved.before is not None and REPLACED in json.dumps([saved.before.title, saved.before.body])
    ]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a resource was before some runs, and what the runs may have left of it.

    ``before`` is None where it did not exist; ``entry`` what the record said; ``left`` are the digests of what the
    runs left, and ``written`` the (version, number) pairs.
    """

    key: Key
    before: Live | None
    entry: Entry | None
    left: frozenset[str]
    written: frozenset[tuple[int, int]]

    def is_as_left(self, live: Live) -> bool:
        """Whether ``live`` is what the runs left."""
        return digest(live) in self.left or (live.version, live.number) in self.written


def earlier_states(backups: Iterable[Backup]) -> list[Earlier]:
    """The state before the oldest of the runs, newest run first, for everything that any of them touched."""
    found: dict[Key, Earlier] = {}
    for backup in backups:
        for saved in backup.saved:
            for state in _states_before(saved):
                later = found.get(state.key)
                if later is not None:
                    # What the newest run left counts; how it was, only the oldest knows.
                    state = Earlier(state.key, state.before, state.entry, later.left, later.written)
                found[state.key] = state
    return list(found.values())


def _states_before(saved: Saved) -> Iterator[Earlier]:
    before, key = saved.before, saved.key
    written = frozenset({saved.written} if saved.written[0] else ())
    if before is None or before.key == key:
        left = {saved.after} | ({digest(before)} if before is not None and not saved.done else set())
        yield Earlier(key, before, saved.entry, frozenset(left - {""}), written)
        return
    # One took the place of another.
    yield Earlier(key, None, None, frozenset({saved.after}), written)
    yield Earlier(
        before.key, before, saved.entry, frozenset({digest(before), digest(giving_way(before))}), frozenset()
    )
