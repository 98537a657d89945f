"""Normal forms: what is left of a resource without everything that Grafana and Loki add, drop or reorder.

Two resources are the same if and only if their normal forms are equal.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from lokictl.lazy import lazy_pattern
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
REDACTED = "[REDACTED]"
"""What Grafana gives out in the place of a contact point's secrets; sent back, it leaves them as they are."""

LOCKED = "api"
"""The provenance of what people cannot change in Grafana's pages."""

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
DEFAULT_POLICY: Mapping[str, Any] = {
    "receiver": "grafana-default-email",
    "group_by": ["alertname", "grafana_folder"],
}
"""The tree of policies that a Grafana has before anybody changes it."""


class _Recent(threading.local):
    """The last normal forms of this thread: a resource is compared, marked and shown one after the other."""

    def __init__(self) -> None:
        self.forms: deque[tuple[Resource | Live, dict[str, Any]]] = deque(maxlen=4)


_RECENT = _Recent()


def normal_form(resource: Resource | Live) -> Mapping[str, Any]:
    """The normal form of any resource, desired or live."""
    for known, form in _RECENT.forms:
        if known is resource:
            return form
    form = _new_normal_form(resource)
    _RECENT.forms.append((resource, form))
    return form


def _new_normal_form(resource: Resource | Live) -> dict[str, Any]:
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
    if key.kind is Kind.LIBRARY_PANEL:
        return {"folder": folder, **library_panel(body)}
    if key.kind in _ALERTING:
        return {**_ALERTING[key.kind](body), **_editable(body)}
    return {"folder": folder, **dashboard(body)}


def are_alike(resource: Resource, live: Live, *, ignored_tag: str) -> bool:
    """Whether two dashboards are equal as they were written: a quick look that knows no normal form.

    Where it is False, their normal forms may still be equal.
    """
    if (resource.schema, resource.folder) != (live.schema, live.folder):
        return False
    one, other = _without_added(resource.body), _without_added(live.body)
    tags = [{str(tag) for tag in plain.pop("tags", None) or ()} - {ignored_tag} for plain in (one, other)]
    return tags[0] == tags[1] and one == other


def _without_added(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in DASHBOARD_ADDED}


def library_panel(body: Mapping[str, Any]) -> dict[str, Any]:
    """A library panel without what Grafana adds: its place in a dashboard, an empty description."""
    model = {key: value for key, value in (body.get("model") or {}).items() if key not in OF_THE_PLACE}
    if not model.get("description"):
        model.pop("description", None)
    return {"name": str(body.get("name", "")), "model": json_value(model)}


def dashboard(body: Mapping[str, Any]) -> dict[str, Any]:
    """A dashboard without the keys that Grafana sets; null is the same as absent; tags are a set."""
    plain = _without_added(body)
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
_NO_PROVENANCE = "none"
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


def _editable(body: Mapping[str, Any]) -> dict[str, Any]:
    """Whether people can change it in Grafana's pages."""
    return {"editable": True} if body.get("provenance", _NO_PROVENANCE) == "" else {}


def contact_point(body: Mapping[str, Any]) -> dict[str, Any]:
    """A contact point with its integrations in the order of their uids; secrets only as such."""
    receivers = [
        {
            "uid": str(item.get("uid") or ""),
            "type": str(item.get("type") or ""),
            "settings": json_value(item.get("settings") or {}),
            "disableResolveMessage": bool(item.get("disableResolveMessage")),
        }
        for item in body.get("receivers") or []
    ]
    return {"name": str(body.get("name", "")), "receivers": sorted(receivers, key=lambda item: item["uid"])}


def redacted_settings(body: Mapping[str, Any]) -> list[str]:
    """The secrets that a contact point has, as ``<uid>.<path of the setting>``."""

    def paths(value: Any, path: str) -> list[str]:
        if isinstance(value, Mapping):
            return [found for key, item in value.items() for found in paths(item, f"{path}.{key}")]
        return [path] if value == REDACTED else []

    receivers = body.get("receivers") or []
    return [path for item in receivers for path in paths(item.get("settings") or {}, str(item.get("uid")))]


def stored_secrets(live: Live) -> list[str]:
    """The secrets that the server has for a resource, by the names that `Resource.secrets` has."""
    if live.key.kind is Kind.CONTACT_POINT:
        return redacted_settings(live.body)
    return [str(name) for name in live.body.get("secureJsonFields", ())]


def mute_timing(body: Mapping[str, Any]) -> dict[str, Any]:
    """A mute timing with days in small letters and months as numbers."""
    intervals = []
    for interval in body.get("time_intervals") or []:
        plain = {key: value for key, value in interval.items() if value not in (None, "", [])}
        if "weekdays" in plain:
            plain["weekdays"] = [str(day).lower() for day in plain["weekdays"]]
        if "months" in plain:
            plain["months"] = [_months(str(months)) for months in plain["months"]]
        for key in ("days_of_month", "years"):
            if key in plain:
                plain[key] = [str(item) for item in plain[key]]
        intervals.append(json_value(plain))
    return {"name": str(body.get("name", "")), "time_intervals": intervals}


def _months(text: str) -> str:
    parts = [part.strip().lower() for part in text.split(":")]
    return ":".join(str(MONTHS.index(part) + 1) if part in MONTHS else part for part in parts)


def message_template(body: Mapping[str, Any]) -> dict[str, Any]:
    """A message template with the definition that Grafana puts around a string without one."""
    name, text = str(body.get("name", "")), str(body.get("template", "")).strip()
    if not _DEFINES.search(text):
        lines = "\n".join(f"  {line}" for line in text.split("\n"))
        text = f'{{{{ define "{name}" }}}}\n{lines}\n{{{{ end }}}}'
    return {"name": name, "template": text}


# Grafana knows no other form, and puts a definition around all the rest.
_DEFINES = lazy_pattern(r"\{\{\s*define\b")


_MATCHER = lazy_pattern(r"\s*\"?([^=~!\"]+?)\"?\s*(=~|!~|!=|=)\s*(?:\"(.*)\"|(.*?))\s*\Z", re.DOTALL)


def route_matchers(body: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The matchers of a policy, in order, whatever form they are written in."""
    found = {
        (str(name), str(operator), str(value)) for name, operator, value in body.get("object_matchers") or ()
    }
    for text in body.get("matchers") or ():
        match = _MATCHER.match(str(text))
        if match is not None:
            value = match[3].replace('\\"', '"').replace("\\\\", "\\") if match[3] is not None else match[4]
            found.add((match[1], match[2], value))
    found |= {(str(name), "=", str(value)) for name, value in (body.get("match") or {}).items()}
    found |= {(str(name), "=~", str(value)) for name, value in (body.get("match_re") or {}).items()}
    return sorted(found)


def policy(body: Mapping[str, Any]) -> dict[str, Any]:
    """A branch of the tree of policies with all below it; the order of branches counts, that of matchers does not.

    By which contact points branches are known (``receivers``) is no part of them.
    """
    found: dict[str, Any] = {}
    if body.get("receiver"):
        found["receiver"] = body["receiver"]
    if matchers := route_matchers(body):
        found["object_matchers"] = [list(matcher) for matcher in matchers]
    for key in ("group_by", "mute_time_intervals", "active_time_intervals"):
        if body.get(key):
            found[key] = sorted(body[key])
    for key in ("group_wait", "group_interval", "repeat_interval"):
        if wait := _duration(body.get(key)):
            found[key] = wait
    if body.get("continue"):
        found["continue"] = True
    if body.get("routes"):
        found["routes"] = [policy(route) for route in body["routes"]]
    normalised: dict[str, Any] = json_value(found)
    return normalised


_ALERTING: Mapping[Kind, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    Kind.ALERT_GROUP: alert_group,
    Kind.CONTACT_POINT: contact_point,
    Kind.MUTE_TIMING: mute_timing,
    Kind.TEMPLATE: message_template,
    Kind.POLICY: policy,
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
    if isinstance(value, str) or value is None or value is True or value is False:
        return value
    if isinstance(value, int | float):
        number = float(value)
        return int(number) if number.is_integer() and abs(number) < LARGEST_EXACT else number
    if isinstance(value, list | tuple):
        return [item if type(item) is str else json_value(item) for item in value]
    if isinstance(value, dict | Mapping):
        return {
            key if type(key) is str else str(key): item if type(item) is str else json_value(item)
            for key, item in value.items()
            if item is not None
        }
    return value


def digest(resource: Resource | Live) -> str:
    """A short mark of the normal form: equal if and only if the resources are the same."""
    return resource.known_digest or resource.keep_digest(digest_of(normal_form(resource)))


def digest_of(normalised: Mapping[str, Any]) -> str:
    """As `digest`, for a normal form."""
    text = json.dumps(normalised, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
