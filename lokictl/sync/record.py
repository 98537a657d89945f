"""The record: which of Grafana's resources this project made, and in which state it left them.

It is kept in Grafana itself, as a small dashboard in the project's folder, so that every machine that
synchronises the project knows the same.  A resource is ours if its uid is in the record; it is as we left it if
its content or its version is the recorded one.  What is about to be written is recorded first, so that a
synchronisation that is interrupted between the two still knows its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lokictl.sync.interface import Key, Kind, Live

if TYPE_CHECKING:
    from lokictl.sync.configuration import Target

VARIABLE = "lokictl"
FORMAT = 1
NOTE = """\
The dashboards of this folder with the tag `{tag}` are kept by **lokictl** from the project *{project}*.
Change them there: edits made here are found at the next `lokictl sync` and are not taken over on their own.

This dashboard is lokictl's record of what it uploaded. Please leave it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What we know of one resource: its digest as we wrote it, the version and number that Grafana gave it.

    ``pending`` is the digest of a write under way ("-" for a deletion); ``secrets`` the mark of its secrets.
    """

    digest: str = ""
    version: int = 0
    number: int = 0
    pending: str = ""
    secrets: str = ""

    def wrote(self, live: Live, digest: str) -> bool:
        """Whether ``live``, whose digest this is, is what we wrote."""
        return digest in (self.digest, self.pending) or self.same_write(live)

    def same_write(self, live: Live) -> bool:
        """Whether nobody has written since us, whatever Grafana made of the content."""
        return bool(self.version and self.digest) and (self.version, self.number) == (
            live.version,
            live.number,
        )


@dataclass(frozen=True, slots=True)
class Record:
    """The entries by key, and the dashboard they came from (None where there is none yet)."""

    entries: Mapping[Key, Entry] = field(default_factory=dict)
    live: Live | None = None
    damaged: bool = False

    def get(self, key: Key) -> Entry | None:
        """What is recorded of a resource; None: it is not ours."""
        return self.entries.get(key)


def record_key(target: Target) -> Key:
    """Where the record of a project is."""
    from lokictl.sync.configuration import slug

    return Key(Kind.RECORD, slug(f"lokictl-{target.project}"))


def mark_tag(target: Target) -> str:
    """The tag that every dashboard of the project carries."""
    from lokictl.sync.configuration import slug

    return f"lokictl:{slug(target.project)}"


def read_record(live: Live | None) -> Record:
    """The record in a dashboard; empty when there is none, ``damaged`` when it cannot be understood."""
    if live is None:
        return Record()
    try:
        variables = live.body["templating"]["list"]
        text = next(item["query"] for item in variables if item["name"] == VARIABLE)
        data = json.loads(text)
        if data["format"] != FORMAT:
            return Record(live=live, damaged=True)
        entries = {Key.from_text(key): Entry(*values) for key, values in data["resources"].items()}
    except (KeyError, TypeError, ValueError, StopIteration):
        return Record(live=live, damaged=True)
    return Record(entries, live)


def record_body(target: Target, entries: Mapping[Key, Entry]) -> dict[str, Any]:
    """The dashboard that holds these entries: a note for people, a hidden constant for us."""
    resources = {key.text: _trimmed(entry) for key, entry in entries.items()}
    data = {"format": FORMAT, "project": target.project, "resources": dict(sorted(resources.items()))}
    text = json.dumps(data, separators=(",", ":"))
    constant = {
        "name": VARIABLE,
        "type": "constant",
        "hide": 2,
        "skipUrlSync": True,
        "query": text,
        "current": {"selected": False, "text": "", "value": ""},
        "options": [],
    }
    note = {
        "id": 1,
        "type": "text",
        "title": "",
        "gridPos": {"x": 0, "y": 0, "w": 24, "h": 6},
        "options": {"mode": "markdown", "content": NOTE.format(tag=mark_tag(target), project=target.project)},
    }
    return {
        "uid": record_key(target).name,
        "title": f"lokictl: {target.project}",
        "tags": ["lokictl"],
        "schemaVersion": 36,
        "editable": False,
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [constant]},
        "panels": [note],
    }


def _trimmed(entry: Entry) -> list[Any]:
    values: list[Any] = [entry.digest, entry.version, entry.number, entry.pending, entry.secrets]
    while values and not values[-1]:
        values.pop()
    return values
