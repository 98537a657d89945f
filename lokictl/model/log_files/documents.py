"""JSON that holds many lines at once: exports of Explore, Loki's API, OTLP, CloudWatch, CloudTrail, cloud logging."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from lokictl.model.log_files.time_fields import TIME_FIELDS

_NONE: Mapping[str, str] = MappingProxyType({})

OTLP_STREAM_LABELS = (
    *("service.name", "service.namespace", "service.instance.id", "deployment.environment"),
    *("deployment.environment.name", "cloud.region", "cloud.availability_zone", "k8s.cluster.name"),
    *("k8s.namespace.name", "k8s.pod.name", "k8s.container.name", "container.name", "k8s.replicaset.name"),
    *(
        "k8s.deployment.name",
        "k8s.statefulset.name",
        "k8s.daemonset.name",
        "k8s.cronjob.name",
        "k8s.job.name",
    ),
)
"""The resource attributes that Loki's OTLP endpoint makes stream labels of by default."""


LISTS = {
    "events": ("message", "timestamp"),
    "logEvents": ("message", "timestamp"),
    "Records": ("eventTime", "eventName"),
    "items": ("metadata", "lastTimestamp"),
}
"""Members that hold lines (CloudWatch, CloudTrail, Kubernetes events), and what each of those lines has."""


class Record(NamedTuple):
    """A line within a JSON value: its time as it is written there, the text, labels and structured metadata."""

    time: Any
    line: str
    labels: Mapping[str, str] = _NONE
    metadata: Mapping[str, str] = _NONE


def records_of_document(value: Any) -> list[Record] | None:
    """The lines that a JSON value holds; None where it is a line itself."""
    if isinstance(value, list):
        is_one_record = len(value) == 2 and isinstance(value[1], dict) and not isinstance(value[0], dict)
        return _of_list([value] if is_one_record else value)
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("resourceLogs"), list):
        return list(_otlp(value))
    if isinstance(value.get("data"), dict) and isinstance(value["data"].get("result"), list):
        return list(_loki_streams(value["data"]["result"]))
    if isinstance(value.get("streams"), list):
        return list(_loki_streams(value["streams"]))
    if isinstance(value.get("hits"), dict) and isinstance(value["hits"].get("hits"), list):
        return _of_list([hit.get("_source", hit) for hit in value["hits"]["hits"] if isinstance(hit, dict)])
    for key, parts in LISTS.items():
        items = value.get(key)
        if isinstance(items, list) and items and all(_has(item, parts) for item in items):
            return _of_list(items)
    return None


def _has(item: Any, parts: tuple[str, ...]) -> bool:
    return isinstance(item, dict) and all(part in item for part in parts)


def _of_list(items: list[Any]) -> list[Record] | None:
    records = []
    for item in items:
        if isinstance(item, list) and len(item) == 2 and isinstance(item[1], dict):
            # fluent-bit: [time, record], or [[time, metadata], record]
            time = item[0][0] if isinstance(item[0], list) and item[0] else item[0]
            records.append(Record(time, orjson.dumps(item[1]).decode()))
            continue
        if not isinstance(item, dict):
            return None
        time = next((item[name] for name in TIME_FIELDS if item.get(name) not in (None, "")), None)
        if time is None:
            return None
        records.append(_record(item, time))
    return records or None


def _record(item: dict[str, Any], time: Any) -> Record:
    """Explore (``line``, ``fields``), CloudWatch (``message`` beside a number) – else the object is the line."""
    if isinstance(item.get("line"), str):
        return Record(time, item["line"], _texts(item.get("labels") or item.get("fields")))
    is_cloudwatch = isinstance(item.get("message"), str) and isinstance(time, int) and len(item) <= 5
    if is_cloudwatch:
        return Record(time, item["message"].removesuffix("\n"))
    return Record(time, orjson.dumps(item).decode())


def _loki_streams(streams: list[Any]) -> Iterator[Record]:
    for stream in streams:
        if not isinstance(stream, dict) or not isinstance(stream.get("stream"), dict):
            continue
        labels = _texts(stream["stream"])
        for value in stream.get("values", []):
            if isinstance(value, list) and len(value) >= 2 and isinstance(value[1], str):
                extra = value[2] if len(value) > 2 and isinstance(value[2], dict) else {}
                yield Record(value[0], value[1], labels, _texts(extra.get("structuredMetadata", extra)))


def _otlp(value: dict[str, Any]) -> Iterator[Record]:
    for resource_logs in _objects(value.get("resourceLogs")):
        resource = _attributes((resource_logs.get("resource") or {}).get("attributes"))
        labels = {_name(key): text for key, text in resource.items() if key in OTLP_STREAM_LABELS}
        other = {_name(key): text for key, text in resource.items() if key not in OTLP_STREAM_LABELS}
        for scope_logs in _objects(resource_logs.get("scopeLogs")):
            for record in _objects(scope_logs.get("logRecords")):
                metadata = {**other, **_otlp_metadata(record)}
                time = record.get("timeUnixNano") or record.get("observedTimeUnixNano")
                yield Record(time, _otlp_value(record.get("body")), labels, metadata)


def _otlp_metadata(record: dict[str, Any]) -> dict[str, str]:
    found = {_name(key): text for key, text in _attributes(record.get("attributes")).items()}
    for key, name in (
        ("severityText", "severity_text"),
        ("severityNumber", "severity_number"),
        ("traceId", "trace_id"),
        ("spanId", "span_id"),
    ):
        if record.get(key):
            found[name] = str(record[key])
    return found


def _attributes(value: Any) -> dict[str, str]:
    return {
        str(item["key"]): _otlp_value(item.get("value"))
        for item in _objects(value)
        if isinstance(item.get("key"), str)
    }


def _otlp_value(value: Any) -> str:
    """The text of an AnyValue: ``{"stringValue": "x"}``."""
    if not isinstance(value, dict) or not value:
        return "" if value is None else str(value)
    (kind, inner), *_ = value.items()
    if kind == "boolValue":
        return "true" if inner else "false"
    if kind in ("arrayValue", "kvlistValue"):
        return orjson.dumps(_plain(value)).decode()
    return str(inner)


def _plain(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        return value
    (kind, inner), *_ = value.items()
    if kind == "arrayValue":
        return [_plain(item) for item in inner.get("values", [])]
    if kind == "kvlistValue":
        return {item["key"]: _plain(item.get("value")) for item in inner.get("values", [])}
    return int(inner) if kind == "intValue" else inner


def _name(key: str) -> str:
    """An attribute's name as Loki writes it: ``service.name`` becomes ``service_name``."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in key)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {str(key): item if isinstance(item, str) else str(item) for key, item in value.items()}
