"""Finds rules, dashboards, data sources and Grafana-managed alerts in a file, however they are packed.

People keep them plain, in Kubernetes objects (custom resources, ConfigMaps, Secrets, Lists), in Helm values,
in Argo CD applications and Flux releases, in Ansible variables, and as strings inside each of these.  A place that
nothing is known of is searched for what is known; strings that look like YAML or JSON of ours are read, too.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any

from lokictl.diagnostics import LokictlError, Problem
from lokictl.lazy import lazy_pattern
from lokictl.model.documents import Cursor, Document
from lokictl.model.json_source import load_embedded_json
from lokictl.model.yaml_source import load_embedded_documents
from lokictl.records import dataclass

MAX_DECODED = 64_000_000
"""Bytes of a compressed string that are read; a dashboard has a million at most."""

MAX_LEVELS = 12
"""Documents in strings of documents in strings …"""

_WORTH_READING = lazy_pattern(
    r"""\bexpr\\*["']?\s*:|"(?:panels|rows|elements)\\*"\s*:|\b(?:panels|elements|datasources)\s*:"""
    r"""|"datasources"|\b\w+Data[sS]ources\s*:|\bgrafana_alert\b|\bgzipJson\b|\bkind["']?\s*:\s*["']?(?:Secret|GrafanaData)|\bkind["']?\s*:\s*["']?Datasource|\bcontactPoints\b"""
)
_GRAFANA_ALERTING_KEYS = ("contactPoints", "policies", "muteTimes", "templates")
_RULE_KEYS = ("alert", "record")


@dataclass(frozen=True)
class FoundRules:
    """Loki (or Prometheus) rules: ``shape`` says what is at ``cursor``.

    "file" has ``groups:``, "group" has ``name:`` and ``rules:``, "groups" is a list of groups, "listing" maps
    namespaces to such lists, "rule" is a single rule, "rules" a list of them.  ``namespace`` and ``tenant`` are
    "" where the place does not give one.  ``strict``: a ruler reads exactly this, and refuses unknown keys.
    """

    cursor: Cursor
    shape: str
    form: str
    namespace: str = ""
    tenant: str = ""
    strict: bool = True
    for_loki: bool = False
    """Whether the place says that these are rules for Loki, whatever their expressions look like."""


@dataclass(frozen=True)
class FoundDashboard:
    """A dashboard: its model is at ``cursor``, in the classic schema or in ``schema`` "v2".

    ``name`` is where its uid is when the model has none (``metadata.name``), ``inputs`` names what the person who
    deploys it fills (``DS_LOKI``).
    """

    cursor: Cursor
    schema: str = "v1"
    name: Cursor | None = None
    folder: str = ""
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundAlerting:
    """Something of Grafana's own alerting: ``shape`` says what is at ``cursor``.

    "provisioning" is a provisioning file, "group" one rule group (``GrafanaAlertRuleGroup``, the API, Grizzly),
    "listing" the ruler API's export (folder -> groups), "rules" a list of rules, "rule" one rule, and
    "contact-point", "policy", "mute-timing", "template" are the custom resources of those names.
    """

    cursor: Cursor
    shape: str


@dataclass
class Contents:
    """What was found, in the order of the file; ``problems`` is what could not be read inside it."""

    rules: list[FoundRules] = field(default_factory=list)
    dashboards: list[FoundDashboard] = field(default_factory=list)
    datasources: list[Cursor] = field(default_factory=list)
    alerting: list[FoundAlerting] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    recognized: bool = False
    """Whether the file is of a known kind even if there is nothing in it (an empty ConfigMap)."""

    def __bool__(self) -> bool:
        found = self.rules or self.dashboards or self.datasources or self.alerting
        return bool(found or self.problems or self.recognized)


def contents_of(document: Document) -> Contents:
    """Everything of ours in a document."""
    finder = _Finder()
    finder.search(Cursor(document))
    return finder.found


def is_worth_reading(text: str) -> bool:
    """Whether a string can hold anything that `contents_of` finds (cheap: looks at words only)."""
    return '"panels":' in text or _WORTH_READING.search(text) is not None


class _Finder:
    def __init__(self) -> None:
        self.found = Contents()
        self.level = 0
        self.form = ""
        self.for_loki = False

    def search(self, cursor: Cursor) -> None:
        """Finds what is at a place, or below it."""
        value = cursor.value
        if isinstance(value, dict):
            self._mapping(cursor, value)
        elif isinstance(value, list):
            self._list(cursor, value)
        elif isinstance(value, str):
            self._string(cursor, str(cursor.path[-1]) if cursor.path else "")

    # --- mappings ----------------------------------------------------------------------------------------

    def _mapping(self, cursor: Cursor, value: dict[str, Any]) -> None:
        kind = value.get("kind")
        if isinstance(kind, str) and ("apiVersion" in value or kind in _OBJECTS):
            if self._object(cursor, value, kind):
                return
        elif self._plain(cursor, value):
            return
        for child in cursor.children():
            self.search(child)

    def _plain(self, cursor: Cursor, value: dict[str, Any]) -> bool:
        if _is_alerting_file(value):
            self.found.alerting.append(FoundAlerting(cursor, "provisioning"))
            return True
        if isinstance(value.get("datasources"), list) and _are_datasources(value["datasources"]):
            self.found.datasources += cursor.child("datasources").children()
            return True
        if _is_managed_listing(value):
            self.found.alerting.append(FoundAlerting(cursor, "listing"))
            return True
        shape = _managed_shape(value) or ""
        if shape:
            self.found.alerting.append(FoundAlerting(cursor, shape))
            return True
        shape = rule_shape(value)
        if shape:
            self._rules(cursor, shape)
            return True
        return self._dashboard(cursor, value)

    def _dashboard(self, cursor: Cursor, value: dict[str, Any]) -> bool:
        inner = value.get("dashboard")
        if isinstance(inner, dict) and (is_dashboard(inner) or is_v2(inner)):
            meta = value.get("meta")
            folder = str(value.get("folderUid") or (meta or {}).get("folderUid") or "")
            schema = "v2" if is_v2(inner) else "v1"
            self.found.dashboards.append(FoundDashboard(cursor.child("dashboard"), schema, folder=folder))
        elif is_dashboard(value):
            self.found.dashboards.append(FoundDashboard(cursor))
        elif is_v2(value):
            self.found.dashboards.append(FoundDashboard(cursor, "v2"))
        else:
            return False
        return True

    def _rules(self, cursor: Cursor, shape: str) -> None:
        path = _whole_path(cursor)
        inside = len(path) > 0
        tenant = ""
        if "directories" in path[:-2]:
            tenant = str(path[len(path) - 2 - path[:-2][::-1].index("directories")])
        embedded = len(cursor.path) == 0 and inside
        self.found.rules.append(
            FoundRules(
                cursor,
                shape,
                self.form or ("values" if inside else {"file": "ruler"}.get(shape, shape)),
                str(path[-1]) if inside and isinstance(path[-1], str) else "",
                tenant,
                strict=embedded or not inside,
                for_loki=bool(tenant) or self.for_loki,
            )
        )

    # --- lists -------------------------------------------------------------------------------------------

    def _list(self, cursor: Cursor, value: list[Any]) -> None:
        if not value:
            return
        if all(isinstance(item, dict) and _is_managed_rule(item) for item in value):
            self.found.alerting.append(FoundAlerting(cursor, "rules"))
        elif all(isinstance(item, dict) and _is_datasource(item) for item in value):
            self.found.datasources += cursor.children()
        elif cursor.path and all(isinstance(item, dict) and is_rule(item) for item in value):
            self._rules(cursor, "rules")
        elif all(isinstance(item, dict) and rule_shape(item) == "group" for item in value):
            self._rules(cursor, "groups")
        else:
            for child in cursor.children():
                self.search(child)

    # --- strings -----------------------------------------------------------------------------------------

    def _string(self, cursor: Cursor, name: str, decoded: str | None = None) -> None:
        """Reads a string that holds a document; ``decoded`` is its text where it was encoded."""
        text = cursor.value if decoded is None else decoded
        if self.level >= MAX_LEVELS or not is_worth_reading(text) or ("\n" not in text and ":" not in text):
            return
        is_json = name.endswith(".json") or text.lstrip()[:1] in ("{", "[")
        try:
            documents: list[Document] = []
            if is_json:
                documents.append(load_embedded_json(cursor, decoded))
            else:
                documents += load_embedded_documents(cursor, decoded)
        except LokictlError as error:
            if is_template(text) or not _is_meant(name, text):
                return
            self.found.problems += error.problems
            return
        self.level += 1
        for document in documents:
            if isinstance(document.value, dict | list):
                self.search(Cursor(document))
        self.level -= 1

    # --- Kubernetes objects ------------------------------------------------------------------------------

    def _object(self, cursor: Cursor, value: dict[str, Any], kind: str) -> bool:
        """Reads an object of a known kind; False for one that has to be searched."""
        reader = _OBJECTS.get(kind)
        if reader is not None:
            self.found.recognized = True
            return reader(self, cursor, value)
        spec = value.get("spec")
        if isinstance(spec, dict) and rule_shape({"groups": spec.get("groups")}) == "file":
            return self._rule_object(cursor, value)
        return False

    def _rule_object(self, cursor: Cursor, value: dict[str, Any]) -> bool:
        """Any custom resource with rule groups at ``spec.groups``."""
        spec, metadata = value.get("spec"), value.get("metadata")
        if not isinstance(spec, dict):
            return True
        self.found.rules.append(
            FoundRules(
                cursor.child("spec", "groups"),
                "groups",
                str(value["kind"]),
                str(metadata.get("name") or "") if isinstance(metadata, dict) else "",
                str(spec.get("tenantID") or ""),
                strict=False,
                for_loki="loki" in str(value.get("apiVersion")),
            )
        )
        return True

    def _items(self, cursor: Cursor, value: dict[str, Any]) -> bool:
        for child in cursor.child("items").children():
            self.search(child)
        return True

    def _config_map(self, cursor: Cursor, value: dict[str, Any]) -> bool:
        form, self.form = self.form, str(value["kind"])
        metadata = value.get("metadata")
        labels = metadata.get("labels") if isinstance(metadata, dict) else None
        self.for_loki = isinstance(labels, dict) and "loki_rule" in labels
        for key, encoded in (
            ("data", value["kind"] == "Secret"),
            ("stringData", False),
            ("binaryData", True),
        ):
            for child in cursor.child(key).children():
                if not isinstance(child.value, str):
                    self.search(child)
                elif encoded:
                    decoded = decode(child.value)
                    if decoded is not None:
                        self._string(child, str(child.path[-1]), decoded)
                else:
                    self._string(child, str(child.path[-1]))
        self.form, self.for_loki = form, False
        return True

    def _dashboard_object(self, cursor: Cursor, value: dict[str, Any]) -> bool:
        """`Dashboard` of Grafana's resource API (``dashboard.grafana.app``) and of Grizzly."""
        spec = value.get("spec")
        metadata = value.get("metadata")
        if not isinstance(spec, dict) or "rafana" not in str(value.get("apiVersion")):
            return False
        metadata = metadata if isinstance(metadata, dict) else {}
        folder = metadata.get("folder") or (metadata.get("annotations") or {}).get("grafana.app/folder")
        name = cursor.child("metadata", "name") if metadata.get("name") else None
        schema = "v2" if is_v2(spec) or "/v2" in str(value["apiVersion"]) else "v1"
        self.found.dashboards.append(FoundDashboard(cursor.child("spec"), schema, name, str(folder or "")))
        return True

    def _operator_dashboard(self, cursor: Cursor, value: dict[str, Any]) -> bool:
        """`GrafanaDashboard` of the Grafana operator: the model is a string, or a gzipped one."""
        spec = value.get("spec")
        if not isinstance(spec, dict):
            return True
        before = len(self.found.dashboards)
        if isinstance(spec.get("json"), str):
            self._string(cursor.child("spec", "json"), "dashboard.json")
        if isinstance(spec.get("gzipJson"), str):
            decoded = decode(spec["gzipJson"])
            if decoded is not None:
                self._string(cursor.child("spec", "gzipJson"), "dashboard.json", decoded)
        inputs = tuple(
            str(item["inputName"])
            for item in spec.get("datasources") or ()
            if isinstance(item, dict) and item.get("inputName")
        )
        for index in range(before, len(self.found.dashboards)):
            found = self.found.dashboards[index]
            name = cursor.child("spec", "uid") if spec.get("uid") else cursor.child("metadata", "name")
            self.found.dashboards[index] = FoundDashboard(
                found.cursor, found.schema, name if name.text else None, str(spec.get("folder") or ""), inputs
            )
        return True

    def _operator_datasource(self, cursor: Cursor, value: dict[str, Any]) -> bool:
        """`GrafanaDatasource` of the Grafana operator (version 4 has a list)."""
        if isinstance(cursor.child("spec", "datasource").value, dict):
            self.found.datasources.append(cursor.child("spec", "datasource"))
        self.found.datasources += cursor.child("spec", "datasources").children()
        return True

    def _grizzly_datasource(self, cursor: Cursor, value: dict[str, Any]) -> bool:
        if "rafana" not in str(value.get("apiVersion")) or not isinstance(value.get("spec"), dict):
            return False
        self.found.datasources.append(cursor.child("spec"))
        return True

    def _rule_group(self, cursor: Cursor, value: dict[str, Any]) -> bool:
        """`PrometheusRuleGroup` of Grizzly: one group as the ruler's API takes it."""
        namespace = str((value.get("metadata") or {}).get("namespace") or "")
        shape = "file" if isinstance((value.get("spec") or {}).get("groups"), list) else "group"
        self.found.rules.append(
            FoundRules(cursor.child("spec"), shape, str(value["kind"]), namespace, strict=False)
        )
        return True

    def _alerting_object(self, cursor: Cursor, value: dict[str, Any]) -> bool:
        if "rafana" not in str(value.get("apiVersion")) or not isinstance(value.get("spec"), dict):
            return False
        self.found.alerting.append(FoundAlerting(cursor.child("spec"), _ALERTING_KINDS[value["kind"]]))
        return True


_ALERTING_KINDS = {
    "GrafanaAlertRuleGroup": "group",
    "AlertRuleGroup": "group",
    "GrafanaContactPoint": "contact-point",
    "AlertContactPoint": "contact-point",
    "GrafanaNotificationPolicy": "policy",
    "AlertNotificationPolicy": "policy",
    "GrafanaMuteTiming": "mute-timing",
    "GrafanaNotificationTemplate": "template",
    "AlertNotificationTemplate": "template",
}

_OBJECTS: dict[str, Callable[[_Finder, Cursor, dict[str, Any]], bool]] = {
    "List": _Finder._items,
    "ConfigMapList": _Finder._items,
    "SecretList": _Finder._items,
    "DashboardList": _Finder._items,
    "ConfigMap": _Finder._config_map,
    "Secret": _Finder._config_map,
    "AlertingRule": _Finder._rule_object,
    "RecordingRule": _Finder._rule_object,
    "PrometheusRule": _Finder._rule_object,
    "PrometheusRuleGroup": _Finder._rule_group,
    "Dashboard": _Finder._dashboard_object,
    "GrafanaDashboard": _Finder._operator_dashboard,
    "GrafanaDatasource": _Finder._operator_datasource,
    "GrafanaDataSource": _Finder._operator_datasource,
    "Datasource": _Finder._grizzly_datasource,
    **dict.fromkeys(_ALERTING_KINDS, _Finder._alerting_object),
}


def _whole_path(cursor: Cursor) -> tuple[str | int, ...]:
    """The keys that lead to a place from the top of the file, through embedded documents."""
    document = cursor.document
    outer = getattr(document, "outer", None)
    if outer is None:
        return cursor.path
    return (*_whole_path(Cursor(outer, document.path)), *cursor.path)  # type: ignore[attr-defined]


# --- what a value looks like -------------------------------------------------------------------------------


def rule_shape(value: dict[str, Any]) -> str:
    """What of `FoundRules` a mapping is; "" for no rules of Loki or Prometheus."""
    groups = value.get("groups")
    if isinstance(groups, list):
        return "file" if any(_is_group(group) for group in groups) else ""
    if _is_group(value) and "name" in value:
        return "group"
    if is_rule(value):
        return "rule"
    return "listing" if _is_listing(value) else ""


def is_rule(value: dict[str, Any]) -> bool:
    """Whether a mapping is an alerting or recording rule."""
    return isinstance(value.get("expr"), str) and any(isinstance(value.get(key), str) for key in _RULE_KEYS)


def _is_group(value: Any) -> bool:
    rules = value.get("rules") if isinstance(value, dict) else None
    return isinstance(rules, list) and any(
        isinstance(rule, dict) and ("expr" in rule or any(key in rule for key in _RULE_KEYS))
        for rule in rules
        if not (isinstance(rule, dict) and _is_managed_rule(rule))
    )


def _is_listing(value: dict[str, Any]) -> bool:
    return bool(value) and all(
        isinstance(item, list) and item and all(_is_group(group) for group in item) for item in value.values()
    )


def is_dashboard(value: dict[str, Any]) -> bool:
    """Whether a mapping is a dashboard's model in the classic schema."""
    if isinstance(value.get("panels"), list) or isinstance(value.get("rows"), list):
        return any(key in value for key in ("title", "schemaVersion", "templating", "uid", "time"))
    return "schemaVersion" in value and "title" in value


def is_v2(value: dict[str, Any]) -> bool:
    """Whether a mapping is the ``spec`` of a dashboard in schema v2."""
    layout = value.get("layout")
    return isinstance(value.get("elements"), dict) and isinstance(layout, dict) and "kind" in layout


def _are_datasources(items: list[Any]) -> bool:
    return all(isinstance(item, dict) and ("type" in item or "url" in item) for item in items) and bool(items)


DATASOURCE_TYPES = ("loki", "prometheus", "tempo", "jaeger", "zipkin", "alertmanager", "mimir", "pyroscope")


def _is_datasource(value: dict[str, Any]) -> bool:
    """Whether a mapping in a list of unknown purpose (``additionalDataSources``) is a data source."""
    known = any(word in str(value.get("type")) for word in DATASOURCE_TYPES)
    return known and isinstance(value.get("name"), str) and any(key in value for key in ("url", "access"))


def _is_alerting_file(value: dict[str, Any]) -> bool:
    groups = value.get("groups")
    if isinstance(groups, list) and any(_is_managed_group(group) for group in groups):
        return True
    return "apiVersion" in value and any(isinstance(value.get(key), list) for key in _GRAFANA_ALERTING_KEYS)


def _is_managed_group(value: Any) -> bool:
    rules = value.get("rules") if isinstance(value, dict) else None
    return isinstance(rules, list) and any(
        isinstance(rule, dict) and _is_managed_rule(rule) for rule in rules
    )


def _is_managed_rule(value: dict[str, Any]) -> bool:
    return isinstance(value.get("grafana_alert"), dict) or (
        isinstance(value.get("data"), list)
        and ("title" in value or "condition" in value or "uid" in value)
        and any(isinstance(item, dict) and "refId" in item for item in value["data"])
    )


def _managed_shape(value: dict[str, Any]) -> str | None:
    if _is_managed_rule(value):
        return "rule"
    return "group" if _is_managed_group(value) and "groups" not in value else None


def _is_managed_listing(value: dict[str, Any]) -> bool:
    return bool(value) and all(
        isinstance(item, list) and item and all(_is_managed_group(group) for group in item)
        for item in value.values()
    )


# --- strings -----------------------------------------------------------------------------------------------

_TEMPLATE_LINE = lazy_pattern(
    r"^\s*(?:\{\{|\{%)|\{\{-?\s*(?:include|toYaml|if|range|with|end|\.Values)\b", re.M
)


def is_template(text: str) -> bool:
    """Whether a string that cannot be read is a template (Helm, Jinja)."""
    return _TEMPLATE_LINE.search(text) is not None


def _is_meant(name: str, text: str) -> bool:
    """Whether a string that cannot be read was meant as a document of ours."""
    if name.endswith((".yaml", ".yml", ".rules", ".rule", ".json")):
        return True
    return re.search(r"^groups:|^datasources:", text, re.M) is not None


def decode(text: str) -> str | None:
    """The text that was encoded as base64, and perhaps compressed by gzip; None where it is neither."""
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
        if data[:2] == b"\x1f\x8b":
            data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, MAX_DECODED)
        return data.decode("utf-8")
    except (binascii.Error, ValueError, zlib.error):
        return None


def names_of(found: Contents) -> Iterator[str]:
    """The kinds of things that were found, for messages."""
    if found.rules:
        yield "rules"
    if found.dashboards:
        yield "dashboards"
    if found.datasources:
        yield "data sources"
    if found.alerting:
        yield "Grafana-managed alerting"
