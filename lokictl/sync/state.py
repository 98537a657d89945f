"""The actual state: what the servers of a target have, read with as few requests as their APIs permit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lokictl.sync.configuration import Target
from lokictl.sync.desired import Desired
from lokictl.sync.grafana import Grafana
from lokictl.sync.interface import Key, Kind, Live
from lokictl.sync.record import Record, read_record, record_key
from lokictl.sync.ruler import Ruler


@dataclass(slots=True)
class Actual:
    """What exists: by key, with the record of what is ours in Grafana.

    ``data_source_uids`` (by name) and ``default_data_source`` (a uid) are only filled where a data source is
    about to be created or to become the default.
    """

    lives: dict[Key, Live] = field(default_factory=dict)
    record: Record = field(default_factory=Record)
    data_source_uids: Mapping[str, str] = field(default_factory=dict)
    default_data_source: str = ""


def actual_state(target: Target, desired: Desired, grafana: Grafana | None, ruler: Ruler | None) -> Actual:
    """Reads everything that the desired state or the record speaks of, and all rule groups of the tenants."""
    actual = Actual()
    if grafana is not None:
        _read_grafana(target, desired, grafana, actual)
    if ruler is not None and target.loki is not None:
        for tenant in target.loki.tenants:
            actual.lives.update(ruler.read(tenant))
    return actual


def _read_grafana(target: Target, desired: Desired, grafana: Grafana, actual: Actual) -> None:
    grafana.connect()
    key = record_key(target)
    wanted = [key for key in desired.resources if key.kind is not Kind.RULE_GROUP]
    if len(wanted) > 1:
        # With many resources the record is likely to be in the same list; nothing is read twice.
        found = grafana.read([*wanted, key])
        actual.record = read_record(found.pop(key, None))
    else:
        actual.record = read_record(grafana.read_one(key))
        found = grafana.read(wanted)
    others = [key for key in actual.record.entries if key not in desired.resources]
    found.update(grafana.read(others))
    actual.lives.update(found)
    _read_names(desired, grafana, actual)


def _read_names(desired: Desired, grafana: Grafana, actual: Actual) -> None:
    sources = desired.of(Kind.DATA_SOURCE)
    lives = [actual.lives.get(source.key) for source in sources]
    is_new = any(live is None for live in lives)
    becomes_default = any(
        source.body.get("isDefault") and (live is None or not live.body.get("isDefault"))
        for source, live in zip(sources, lives, strict=True)
    )
    renamed = any(live is not None and live.title != s.title for s, live in zip(sources, lives, strict=True))
    if not (is_new or becomes_default or renamed):
        return
    rows = grafana.data_sources()
    actual.data_source_uids = {str(row.get("name")): str(row.get("uid")) for row in rows}
    actual.default_data_source = next((str(row.get("uid")) for row in rows if row.get("isDefault")), "")
