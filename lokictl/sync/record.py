"""The record: which resources this project made, and in which state it left them.

It is kept on the server, so that every machine that syncs the project knows the same: in Grafana as a small
dashboard in the project's folder, and where a target has no Grafana, in the ruler as a rule group that never
fires.  A resource is ours if it is in the record; it is as we left it if its content or its version is the
recorded one.  What is about to be written is recorded first, so that a sync that is interrupted between the two
still knows its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from lokictl.model.uids import slug
from lokictl.records import dataclass
from lokictl.sync.configuration import Target
from lokictl.sync.origin import Origin
from lokictl.sync.plan import Key, Kind, Live

VARIABLE = "lokictl"
ALERT = "LokictlRecord"
GROUP = "lokictl-record"
FORMAT = 1
NOTE = """\
**lokictl** keeps the dashboards of this folder that have the tag `{tag}`, from the project *{project}*.
Change them there: the next `lokictl sync` reports edits made here as conflicts.

This dashboard is lokictl's record of what it uploaded. Please leave it."""
TAG = "lokictl"
RULER_NOTE = (
    "lokictl's record of the rules that it uploaded from the project {project}. "
    "It never fires; please leave it."
)


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
        if "permissions" in live.body:  # they change without a new version
            return False
        return bool(self.version and self.digest) and (self.version, self.number) == (
            live.version,
            live.number,
        )


@dataclass(frozen=True, slots=True)
class Record:
    """The entries by key, and where they came from.

    ``live`` is the dashboard in Grafana, ``groups`` the rule groups by tenant; None and empty if there is no
    record yet.  ``lock`` says which run holds a record in the ruler, and until when; ``previous`` is the dashboard of
    the same project under a name that it had before.
    """

    entries: Mapping[Key, Entry] = field(default_factory=dict)
    live: Live | None = None
    damaged: bool = False
    origin: Origin = field(default_factory=Origin)
    groups: Mapping[str, Live] = field(default_factory=dict)
    lock: str = ""
    previous: Live | None = None

    @property
    def place(self) -> Live | None:
        """The dashboard that says where the project's folder is."""
        return self.live or self.previous

    def get(self, key: Key) -> Entry | None:
        """What is recorded of a resource; None: it is not ours."""
        return self.entries.get(key)


def record_key(target: Target) -> Key:
    """Where the record of a project is in Grafana."""
    return Key(Kind.RECORD, slug(f"lokictl-{target.project}"))


def record_namespace(target: Target) -> str:
    """Where the record of a project is in the ruler."""
    return slug(f"lokictl-{target.project}")


def is_record(live: Live) -> bool:
    """Whether this rule group is the record of some project."""
    rules = live.body.get("rules") or []
    return len(rules) == 1 and rules[0].get("alert") == ALERT


def mark_tag(target: Target) -> str:
    """The tag that every dashboard of the project carries."""
    return f"lokictl:{slug(target.project)}"


def read_record(live: Live | None) -> Record:
    """The record in a dashboard; empty if there is none, ``damaged`` when it cannot be understood."""
    if live is None:
        return Record()
    try:
        variables = live.body["templating"]["list"]
        text = next(item["query"] for item in variables if item["name"] == VARIABLE)
        data = json.loads(text)
        entries = _entries(data)
    except (AttributeError, KeyError, TypeError, ValueError, StopIteration):
        return Record(live=live, damaged=True)
    return Record(entries, live, origin=Origin.from_data(data.get("origin")))


def read_rule_records(record: Record, lives: Iterable[Live]) -> Record:
    """``record`` with what the rule groups of records add: rules that were uploaded without the Grafana."""
    entries, groups = dict(record.entries), {}
    origin, damaged, lock = record.origin, record.damaged, record.lock
    for live in lives:
        groups[live.key.tenant] = live
        try:
            data = json.loads(live.body["rules"][0]["annotations"][VARIABLE])
            entries.update(_entries(data))
        except (AttributeError, KeyError, TypeError, ValueError, IndexError):
            damaged = True
            continue
        origin = origin if origin.known else Origin.from_data(data.get("origin"))
        lock = lock or str(data.get("lock") or "")
    return Record(entries, record.live, damaged, origin, groups, lock)


def _entries(data: Any) -> dict[Key, Entry]:
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']}")
    return {Key.from_text(key): Entry(*values) for key, values in data["resources"].items()}


def _data(target: Target, entries: Mapping[Key, Entry], origin: Origin) -> dict[str, Any]:
    resources = {key.text: _trimmed(entry) for key, entry in entries.items()}
    data: dict[str, Any] = {"format": FORMAT, "project": target.project}
    if origin.known:
        data["origin"] = origin.to_data()
    data["resources"] = dict(sorted(resources.items()))
    return data


def record_body(target: Target, entries: Mapping[Key, Entry], origin: Origin) -> dict[str, Any]:
    """The dashboard that holds these entries: a note for people, a hidden constant for us."""
    text = json.dumps(_data(target, entries, origin), separators=(",", ":"))
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
        "tags": [TAG],
        "schemaVersion": 36,
        "editable": False,
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [constant]},
        "panels": [note],
    }


def record_group(
    target: Target, entries: Mapping[Key, Entry], origin: Origin, lock: str = ""
) -> dict[str, Any]:
    """The rule group that holds these entries: one alert that never fires, looked at once a day."""
    data = {**_data(target, entries, origin), **({"lock": lock} if lock else {})}
    # The ruler expands annotations as templates, so no name may begin one.
    text = json.dumps(data, separators=(",", ":")).replace("{{", "{\\u007b")
    note = RULER_NOTE.format(project=target.project).replace("{{", "{ {")
    annotations = {VARIABLE: text, "summary": note}
    return {
        "name": GROUP,
        "interval": "1d",
        "rules": [{"alert": ALERT, "expr": "vector(0) > 1", "annotations": annotations}],
    }


def _trimmed(entry: Entry) -> list[Any]:
    values: list[Any] = [entry.digest, entry.version, entry.number, entry.pending, entry.secrets]
    while values and not values[-1]:
        values.pop()
    return values
