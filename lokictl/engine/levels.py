"""What a default Loki adds to lines on ingestion: a service name and a detected level."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping

from lokictl.engine.json_parser import OBJECT, STRING, JsonError, Visit, each_member
from lokictl.engine.logfmt_parser import pairs
from lokictl.lazy import lazy_pattern
from lokictl.logql.units import parse_decimal
from lokictl.logql.versions import DEFAULT, FEWER_BOUNDARIES, LokiVersion

Labels = tuple[tuple[str, str], ...]

SERVICE_LABELS = (
    *("service", "app", "application", "app_name", "name", "app_kubernetes_io_name", "container"),
    *("container_name", "k8s_container_name", "component", "workload", "job", "k8s_job_name"),
)
LEVEL_NAMES = (
    *("level", "LEVEL", "Level", "log.level", "severity", "SEVERITY", "Severity", "SeverityText"),
    *("lvl", "LVL", "Lvl", "severity_text", "Severity_Text", "SEVERITY_TEXT"),
)
_NAMES = frozenset(LEVEL_NAMES)
_LOWER_NAMES = tuple(dict.fromkeys(name.lower() for name in LEVEL_NAMES))
NESTED = 2
"""How deep in a JSON line a level is looked for."""
_LEVELS = {
    **dict.fromkeys(("trace", "trc"), "trace"),
    **dict.fromkeys(("debug", "dbg"), "debug"),
    **dict.fromkeys(("info", "inf", "information"), "info"),
    **dict.fromkeys(("warn", "wrn", "warning"), "warn"),
    **dict.fromkeys(("error", "err"), "error"),
    "critical": "critical",
    "fatal": "fatal",
}
_WORDS = {
    **{word: word for word in ("trace", "debug", "fatal", "critical", "error", "warn", "info")},
    "err": "error",
    "warning": "warn",
}
_LEVEL_WORDS = rb"(trace|debug|fatal|critical|error|err|warning|warn|info)"
_WORD = lazy_pattern(
    rb'(?:^|(?<=[ \t\n\[({"=]))' + _LEVEL_WORDS + rb'(?=$|[ \t\n\[\](){}:,!"=])', re.IGNORECASE
)
_WORD_AMONG_MORE = lazy_pattern(
    rb"(?:^|(?<=[ \t\n\[({\"=|']))" + _LEVEL_WORDS + rb"(?=$|[ \t\n\[\](){}:,!\"=|'])", re.IGNORECASE
)


def service_name(labels: Mapping[str, str]) -> str:
    """The service name of a stream that has none."""
    return next((labels[name] for name in SERVICE_LABELS if labels.get(name)), "unknown_service")


def detect_level(
    line: bytes, labels: Mapping[str, str], metadata: Labels, version: LokiVersion = DEFAULT
) -> Labels:
    """The metadata with ``detected_level``."""
    known = dict(metadata)
    if "detected_level" in known:
        known["detected_level"] = _normalised(known["detected_level"])
    else:
        known["detected_level"] = _level(line, labels, known, version)
    return tuple(sorted(known.items()))


def _normalised(value: str) -> str:
    return _LEVELS.get(value.lower(), value)


def _level(line: bytes, labels: Mapping[str, str], metadata: Mapping[str, str], version: LokiVersion) -> str:
    for source in (labels, metadata):
        for name in LEVEL_NAMES:
            if source.get(name):
                return _normalised(source[name])
    if "severity_number" in metadata:
        return _of_number(metadata["severity_number"])
    found = _from_json(line) if line.strip()[:1] == b"{" else _from_logfmt(line) if b"=" in line else None
    if found is not None and found.lower() in _LEVELS:
        return _LEVELS[found.lower()]
    word = (_WORD if version.has(FEWER_BOUNDARIES) else _WORD_AMONG_MORE).search(line)
    return _WORDS[word[1].decode().lower()] if word else "unknown"


_SEVERITIES = ("trace", "debug", "info", "warn", "error", "fatal")


def _of_number(text: str) -> str:
    """The level of an OpenTelemetry severity number: four numbers each."""
    try:
        number = parse_decimal(text)
    except ValueError:
        return "info"
    if number == 0 or number > 24:
        return "unknown"
    return _SEVERITIES[max(number - 1, 0) // 4]


def _from_json(line: bytes) -> str | None:
    """The first level field in the line, in the order of the text; its escapes are not decoded."""
    found: list[bytes] = []

    def visit(depth: int) -> Visit:
        def member(key: str, raw: bytes, kind: int) -> bool:
            if kind == STRING and key in _NAMES:
                found.append(raw)
                return False
            if kind == OBJECT and depth < NESTED:
                return each_member(raw, visit(depth + 1))
            return True

        return member

    with contextlib.suppress(JsonError):
        each_member(line, visit(1))
    return found[0].decode("utf-8", "replace") if found else None


def _from_logfmt(line: bytes) -> str | None:
    """The value of the name that stands first in the list, wherever it is in the line."""
    values: dict[str, str] = {}
    for key, value, error in pairs(line):
        if error:
            break
        values.setdefault(key.decode("utf-8", "replace").lower(), value.decode("utf-8", "replace"))
    return next((values[name] for name in _LOWER_NAMES if values.get(name)), None)
