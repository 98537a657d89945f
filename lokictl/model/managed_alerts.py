"""Grafana-managed alert rules: what Grafana itself evaluates, in the words of its files and its API.

`ManagedGroup.to_provisioning` is a group of a provisioning file (and, with other names, of the operator's
``GrafanaAlertRuleGroup``); `ManagedGroup.to_api` is the body of
``PUT /api/v1/provisioning/folder/{uid}/rule-groups/{name}``.  `read_managed_groups` reads every form of
docs/formats.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from lokictl.durations import MINUTE, SECOND
from lokictl.logql.units import format_prometheus_duration, parse_prometheus_duration
from lokictl.model.contents import FoundAlerting
from lokictl.model.documents import Cursor
from lokictl.model.provisioning import all_escaped, all_filled, escaped
from lokictl.model.uids import slug
from lokictl.records import dataclass

EXPRESSIONS = "__expr__"
"""The data source uid of Grafana's own expressions (math, reduce, threshold, …)."""

NO_DATA_STATES = ("NoData", "OK", "Alerting", "KeepLast")
ERROR_STATES = ("Error", "OK", "Alerting", "KeepLast")


@dataclass(frozen=True)
class ManagedQuery:
    """One step of a rule: a query of a data source, or an expression over other steps.

    ``start`` and ``end`` are how long before the evaluation the query's range begins and ends, in ns; an instant
    query looks at its end.  ``model`` is the data source's own query.
    """

    ref_id: str
    datasource_uid: str
    model: Mapping[str, Any]
    start: int = 0
    end: int = 0
    query_type: str = ""
    origin: Cursor | None = field(default=None, compare=False, repr=False)

    @property
    def is_expression(self) -> bool:
        """Whether Grafana computes this step itself."""
        return self.datasource_uid in (EXPRESSIONS, "-100")

    def to_dict(self) -> dict[str, Any]:
        """The step in the words of files and the API."""
        return {
            "refId": self.ref_id,
            **({"queryType": self.query_type} if self.query_type else {}),
            "relativeTimeRange": {"from": self.start // SECOND, "to": self.end // SECOND},
            "datasourceUid": self.datasource_uid,
            "model": dict(self.model),
        }


@dataclass(frozen=True)
class ManagedRule:
    """A rule: an alert, or (with ``record``) a recording rule.

    ``for_`` and ``keep_firing_for`` are in ns; ``missing_series`` is after how many evaluations an alert whose
    series is gone is resolved (0: Grafana's default, 2).  ``record`` has the keys ``metric``, ``from`` and
    ``target_datasource_uid``.
    """

    title: str
    uid: str = ""
    condition: str = ""
    data: tuple[ManagedQuery, ...] = ()
    for_: int = 0
    keep_firing_for: int = 0
    no_data_state: str = "NoData"
    exec_err_state: str = "Error"
    missing_series: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    paused: bool = False
    record: Mapping[str, str] | None = None
    notification_settings: Mapping[str, Any] | None = None
    origin: Cursor | None = field(default=None, compare=False, repr=False)

    def to_dict(self, *, for_file: bool = True) -> dict[str, Any]:
        """The rule as a provisioning file has it, or (``for_file=False``) as the provisioning API takes it."""
        escape = escaped if for_file else str
        rule: dict[str, Any] = {"uid": self.uid, "title": escape(self.title)}
        if self.record is None:
            rule["condition"] = self.condition
        rule["data"] = [query.to_dict() for query in self.data]
        if self.record is not None:
            rule["record"] = dict(self.record)
        else:
            rule |= {
                "noDataState": self.no_data_state,
                "execErrState": self.exec_err_state,
                "for": format_prometheus_duration(self.for_) if self.for_ else "0s",
            }
            if self.keep_firing_for:
                key = "keepFiringFor" if for_file else "keep_firing_for"
                rule[key] = format_prometheus_duration(self.keep_firing_for)
            if self.missing_series:
                key = "missing_series_evals_to_resolve" if for_file else "missingSeriesEvalsToResolve"
                rule[key] = self.missing_series
        if for_file:
            rule |= panel_link(self.annotations)
        if self.annotations:
            rule["annotations"] = dict(self.annotations)
        if self.labels:
            rule["labels"] = {name: escape(text) for name, text in self.labels.items()}
        rule["isPaused"] = self.paused
        if self.notification_settings:
            settings = dict(self.notification_settings)
            rule["notification_settings"] = all_escaped(settings) if for_file else settings
        return rule


def panel_link(annotations: Mapping[str, str]) -> dict[str, Any]:
    """The panel that a rule links to, in the words of files; empty where it links to none."""
    panel = annotations.get("__panelId__", "")
    if "__dashboardUid__" not in annotations or not panel.isdigit():
        return {}
    return {"dashboardUid": annotations["__dashboardUid__"], "panelId": int(panel)}


@dataclass(frozen=True)
class ManagedGroup:
    """Rules that are evaluated together every ``interval`` (ns); ``folder`` is a title, ``folder_uid`` a uid."""

    name: str
    rules: tuple[ManagedRule, ...] = ()
    folder: str = ""
    folder_uid: str = ""
    interval: int = MINUTE
    org_id: int = 1
    origin: Cursor | None = field(default=None, compare=False, repr=False)

    def to_provisioning(self) -> dict[str, Any]:
        """The group as an entry of ``groups:`` in a provisioning file."""
        return {
            "orgId": self.org_id,
            "name": escaped(self.name),
            "folder": escaped(self.folder),
            "interval": format_prometheus_duration(self.interval),
            "rules": [rule.to_dict() for rule in self.rules],
        }

    def to_api(self) -> dict[str, Any]:
        """The group as the provisioning API takes it."""
        rules = [
            {
                **rule.to_dict(for_file=False),
                "folderUID": self.folder_uid,
                "ruleGroup": self.name,
                "orgID": self.org_id,
            }
            for rule in self.rules
        ]
        return {
            "title": self.name,
            "folderUid": self.folder_uid,
            "interval": self.interval // SECOND,
            "rules": rules,
        }

    def in_place(self, folder: str, folder_uid: str) -> ManagedGroup:
        """The group in another folder, with uids for rules that have none: they stay as long as the names do."""
        rules = [
            rule if rule.uid else replace(rule, uid=slug(f"{self.folder}/{self.name}/{rule.title}"))
            for rule in self.rules
        ]
        return replace(self, folder=folder, folder_uid=folder_uid, rules=tuple(rules))


# --- reading -----------------------------------------------------------------------------------------------


def read_managed_groups(found: FoundAlerting) -> Iterator[ManagedGroup]:
    """The rule groups at a place, as far as they can be read."""
    cursor = found.cursor
    if found.shape == "provisioning":
        for group in cursor.child("groups").children():
            yield _group(group)
    elif found.shape == "listing":
        for folder in cursor.children():
            for group in folder.children():
                yield _group(group, str(folder.path[-1]))
    elif found.shape == "group":
        yield _group(cursor)
    elif found.shape in ("rules", "rule"):
        rules = [cursor] if found.shape == "rule" else list(cursor.children())
        name = cursor.child("ruleGroup").text if found.shape == "rule" else ""
        yield ManagedGroup(name, tuple(map(_rule, rules)), origin=cursor)


def managed_groups(found: FoundAlerting) -> Iterator[ManagedGroup]:
    """As `read_managed_groups`, as Grafana has them: of two dollar signs in a provisioning file it makes one."""
    for group in read_managed_groups(found):
        yield _filled(group) if found.shape == "provisioning" else group


def _filled(group: ManagedGroup) -> ManagedGroup:
    """A group of a provisioning file as Grafana has it, once it has made one dollar sign of two."""
    rules = [
        replace(
            rule,
            title=rule.title.replace("$$", "$"),
            labels=all_filled(rule.labels),
            notification_settings=all_filled(rule.notification_settings),
        )
        for rule in group.rules
    ]
    name, folder = group.name.replace("$$", "$"), group.folder.replace("$$", "$")
    return replace(group, name=name, folder=folder, rules=tuple(rules))


def _group(cursor: Cursor, folder: str = "") -> ManagedGroup:
    return ManagedGroup(
        cursor.child("name").text or cursor.child("title").text,
        tuple(_rule(child) for child in cursor.child("rules").children() if isinstance(child.value, dict)),
        folder=folder or cursor.child("folder").text or cursor.child("folderRef").text,
        folder_uid=_first(cursor, "folderUid", "folderUID"),
        interval=_duration(cursor.child("interval")) or MINUTE,
        org_id=_integer(cursor, "orgId", "orgID") or 1,
        origin=cursor,
    )


def _rule(outer: Cursor) -> ManagedRule:
    """A rule; the ruler API keeps most of it under ``grafana_alert``, and the rest beside it."""
    inner = outer.child("grafana_alert")
    cursor = inner if isinstance(inner.value, dict) else outer
    record = cursor.child("record").value
    return ManagedRule(
        cursor.child("title").text,
        cursor.child("uid").text,
        cursor.child("condition").text,
        tuple(_query(child) for child in cursor.child("data").children() if isinstance(child.value, dict)),
        for_=_duration(outer.child("for")),
        keep_firing_for=_duration(outer.child("keepFiringFor")) or _duration(outer.child("keep_firing_for")),
        no_data_state=_first(cursor, "noDataState", "no_data_state") or "NoData",
        exec_err_state=_first(cursor, "execErrState", "exec_err_state") or "Error",
        missing_series=_integer(cursor, "missingSeriesEvalsToResolve", "missing_series_evals_to_resolve"),
        labels=_texts(outer.child("labels")),
        annotations=_texts(outer.child("annotations")),
        paused=bool(cursor.child("isPaused").value or cursor.child("is_paused").value),
        record=record if isinstance(record, dict) else None,
        notification_settings=_mapping(cursor.child("notification_settings"))
        or _mapping(cursor.child("notificationSettings")),
        origin=cursor,
    )


def _query(cursor: Cursor) -> ManagedQuery:
    model = cursor.child("model").value
    time_range = cursor.child("relativeTimeRange")
    return ManagedQuery(
        cursor.child("refId").text,
        cursor.child("datasourceUid").text,
        model if isinstance(model, dict) else {},
        _seconds(time_range.child("from")),
        _seconds(time_range.child("to")),
        cursor.child("queryType").text,
        cursor,
    )


def _first(cursor: Cursor, *names: str) -> str:
    return next((text for name in names if (text := cursor.child(name).text)), "")


def _integer(cursor: Cursor, *names: str) -> int:
    text = _first(cursor, *names)
    return int(text) if text.isdigit() else 0


def _mapping(cursor: Cursor) -> Mapping[str, Any] | None:
    return cursor.value if isinstance(cursor.value, dict) else None


def _texts(cursor: Cursor) -> dict[str, str]:
    value = cursor.value
    return {str(key): cursor.child(key).text for key in value} if isinstance(value, dict) else {}


def _seconds(cursor: Cursor) -> int:
    value = cursor.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value * SECOND)
    return _duration(cursor)


def _duration(cursor: Cursor) -> int:
    """A duration in ns: ``5m``, or (in the API) a number of seconds; 0 for what cannot be read."""
    text = cursor.text
    if text.isdigit():
        return int(text) * SECOND
    try:
        return parse_prometheus_duration(text) if text else 0
    except ValueError:
        return 0
