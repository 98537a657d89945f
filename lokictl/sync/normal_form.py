"""Normal forms: what is left of a resource without everything that Grafana and Loki add, drop or reorder.

Two resources are the same if and only if their normal forms are equal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lokictl.logql.units import format_prometheus_duration, parse_prometheus_duration
from lokictl.model.dashboard_schema import spec_for
from lokictl.model.library_panel import OF_THE_PLACE
from lokictl.sync.plan import Key, Kind, Live, Resource, same_schema

# Grafana gives these out itself; `iteration` is a counter that its editor wrote until version 9.
DASHBOARD_ADDED = ("id", "uid", "version", "iteration")
# Where a data source says whose it is.
MARK = "lokictl"
DATA_SOURCE_DEFAULTS: dict[str, Any] = {
    "name": "",
    "type": "",
    "access": "proxy",
    "url": "",
    "user": "",
    "database": "",
    "basicAuth": False,
    "basicAuthUser": "",
    "withCredentials": False,
    "isDefault": False,
}
LARGEST_EXACT = 2**53


def normal_form(resource: Resource | Live) -> dict[str, Any]:
    """The normal form of any resource, desired or live."""
    schema = "v2" if same_schema(resource.schema, "v2") else resource.schema
    body = spec_for(resource.body, "v2") if schema == "v2" else resource.body
    form = normal(resource.key, body, resource.folder)
    return {"schema": schema, **form} if schema else form


def normal(key: Key, body: Mapping[str, Any], folder: str = "") -> dict[str, Any]:
    """The normal form of the resource ``key`` with this body in this folder."""
    if key.kind is Kind.RULE_GROUP:
        return rule_group(body)
    if key.kind is Kind.DATA_SOURCE:
        return data_source(body)
    if key.kind is Kind.FOLDER:
        plain: dict[str, Any] = {"title": str(body.get("title", "")), "parent": folder}
        if body.get("permissions") is not None:
            plain["permissions"] = dict(sorted(body["permissions"].items()))
        return plain
    if key.kind is Kind.ALERT_GROUP:
        return alert_group(body)
    if key.kind is Kind.LIBRARY_PANEL:
        return {"folder": folder, **library_panel(body)}
    return {"folder": folder, **dashboard(body)}


def library_panel(body: Mapping[str, Any]) -> dict[str, Any]:
    """A library panel without what Grafana adds: its place in a dashboard, an empty description."""
    model = {key: value for key, value in (body.get("model") or {}).items() if key not in OF_THE_PLACE}
    if not model.get("description"):
        model.pop("description", None)
    return {"name": str(body.get("name", "")), "model": json_value(model)}


def dashboard(body: Mapping[str, Any]) -> dict[str, Any]:
    """A dashboard without the keys that Grafana sets; null is the same as absent; tags are a set."""
    plain = {key: value for key, value in body.items() if key not in DASHBOARD_ADDED}
    plain["tags"] = sorted({str(tag) for tag in plain.get("tags") or []})
    normalised: dict[str, Any] = json_value(plain)
    return normalised


def data_source(body: Mapping[str, Any]) -> dict[str, Any]:
    """A data source without secrets and server-made keys; everything that is absent has its default."""
    plain = {key: body.get(key) or default for key, default in DATA_SOURCE_DEFAULTS.items()}
    if not plain["basicAuth"]:
        # Grafana keeps the old user when basic authentication is switched off.
        plain["basicAuthUser"] = ""
    further = body.get("jsonData") or {}
    plain["jsonData"] = json_value({key: value for key, value in further.items() if key != MARK})
    return plain


_ALERT_DEFAULTS: dict[str, Any] = {
    "uid": "",
    "title": "",
    "condition": "",
    "noDataState": "NoData",
    "execErrState": "Error",
    "isPaused": False,
    "missingSeriesEvalsToResolve": None,
    "labels": None,
    "annotations": None,
    "record": None,
    "notification_settings": None,
}
_ADDED_TO_QUERIES = ("intervalMs", "maxDataPoints", "datasource")


def alert_group(body: Mapping[str, Any]) -> dict[str, Any]:
    """A group of Grafana-managed rules without what Grafana adds: numbers, times, defaults of queries."""
    rules = []
    for rule in body.get("rules") or []:
        plain = {key: rule.get(key) or default for key, default in _ALERT_DEFAULTS.items()}
        for key in ("for", "keep_firing_for"):
            plain[key] = _duration(rule.get(key)) or "0s"
        plain["data"] = [_alert_query(query) for query in rule.get("data") or []]
        rules.append({key: value for key, value in plain.items() if value is not None})
    found: dict[str, Any] = json_value(
        {"title": str(body.get("title", "")), "interval": int(body.get("interval") or 0), "rules": rules}
    )
    return found


def _alert_query(query: Mapping[str, Any]) -> dict[str, Any]:
    model = query.get("model") or {}
    times = query.get("relativeTimeRange") or {}
    return {
        "refId": str(query.get("refId", "")),
        "queryType": str(query.get("queryType") or ""),
        "datasourceUid": str(query.get("datasourceUid", "")),
        "relativeTimeRange": {key: int(times.get(key) or 0) for key in ("from", "to")},
        "model": {key: value for key, value in model.items() if key not in _ADDED_TO_QUERIES},
    }


def rule_group(body: Mapping[str, Any]) -> dict[str, Any]:
    """A rule group as the ruler keeps it.

    The ruler's storage has no ``keep_firing_for``, ``query_offset``, group labels and unknown keys; durations
    come back in their shortest form, label values as text, zero and empty values not at all.
    """
    group: dict[str, Any] = {"name": str(body.get("name", ""))}
    interval = _duration(body.get("interval"))
    if interval:
        group["interval"] = interval
    limit = _whole(body.get("limit"))
    if limit > 0:
        group["limit"] = limit
    group["rules"] = [_rule(rule) for rule in body.get("rules") or []]
    return group


def _rule(body: Mapping[str, Any]) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    for key in ("alert", "record", "expr"):
        if body.get(key):
            rule[key] = str(body[key])
    wait = _duration(body.get("for"))
    if wait:
        rule["for"] = wait
    for key in ("labels", "annotations"):
        if body.get(key):
            rule[key] = {str(name): _text(value) for name, value in sorted(body[key].items())}
    return rule


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _duration(value: Any) -> str:
    text = str(value or "")
    if not text:
        return ""
    try:
        nanoseconds = parse_prometheus_duration(text)
    except ValueError:
        return text
    return format_prometheus_duration(nanoseconds) if nanoseconds else ""


def _whole(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return 0


def json_value(value: Any) -> Any:
    """A JSON value without null members, with numbers as another JSON library would give them back."""
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    number = float(value)
    if number.is_integer() and abs(number) < LARGEST_EXACT:
        return int(number)
    return number


def digest(resource: Resource | Live) -> str:
    """A short mark of the normal form: equal if and only if the resources are the same."""
    return digest_of(normal_form(resource))


def digest_of(normalised: Mapping[str, Any]) -> str:
    """As `digest`, for a normal form."""
    text = json.dumps(normalised, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
