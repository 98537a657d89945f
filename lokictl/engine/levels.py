"""What a default Loki adds to lines on ingestion: a service name and a detected level."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

Labels = tuple[tuple[str, str], ...]

SERVICE_LABELS = (
    *("service", "app", "application", "app_name", "name", "app_kubernetes_io_name", "container"),
    *("container_name", "k8s_container_name", "component", "workload", "job", "k8s_job_name"),
)
LEVEL_NAMES = (
    *("level", "LEVEL", "Level", "log.level", "severity", "SEVERITY", "Severity", "SeverityText"),
    *("lvl", "LVL", "Lvl", "severity_text", "Severity_Text", "SEVERITY_TEXT"),
)
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
_WORD = re.compile(
    rb'(?:^|(?<=[ \t\n\[({"=]))(trace|debug|fatal|critical|error|err|warning|warn|info)(?=$|[ \t\n\[\](){}:,!"=])',
    re.IGNORECASE,
)


def service_name(labels: Mapping[str, str]) -> str:
    """The service name of a stream that has none."""
    return next((labels[name] for name in SERVICE_LABELS if labels.get(name)), "unknown_service")


def detect_level(line: bytes, labels: Mapping[str, str], metadata: Labels) -> Labels:
    """The metadata with ``detected_level``."""
    known = dict(metadata)
    if "detected_level" in known:
        known["detected_level"] = _normalised(known["detected_level"])
    else:
        known["detected_level"] = _level(line, labels, known)
    return tuple(sorted(known.items()))


def _normalised(value: str) -> str:
    return _LEVELS.get(value.lower(), value)


def _level(line: bytes, labels: Mapping[str, str], metadata: Mapping[str, str]) -> str:
    for source in (labels, metadata):
        for name in LEVEL_NAMES:
            if source.get(name):
                return _normalised(source[name])
    found = _from_json(line) if line.strip()[:1] == b"{" else _from_logfmt(line) if b"=" in line else None
    if found is not None and found.lower() in _LEVELS:
        return _LEVELS[found.lower()]
    word = _WORD.search(line)
    return _WORDS[word[1].decode().lower()] if word else "unknown"


def _from_json(line: bytes) -> str | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    nested = [item for item in value.values() if isinstance(item, dict)] if isinstance(value, dict) else []
    for level in ([value] if isinstance(value, dict) else []) + nested:
        for name in LEVEL_NAMES:
            if isinstance(level.get(name), str):
                return str(level[name])
    return None


def _from_logfmt(line: bytes) -> str | None:
    names = {name.lower() for name in LEVEL_NAMES}
    pairs = dict(re.findall(r'([^\s="]+)="?([^\s"]*)', line.decode("utf-8", "replace")))
    for name, value in pairs.items():
        if name.lower() in names:
            return str(value)
    return None
