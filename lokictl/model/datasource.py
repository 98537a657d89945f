"""Grafana data sources as plain objects, in the words of Grafana's provisioning files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple

from lokictl.lazy import lazy_pattern
from lokictl.model.documents import Cursor
from lokictl.records import dataclass

KNOWN = (
    *("name", "type", "uid", "access", "url", "isDefault", "editable", "basicAuth", "basicAuthUser"),
    *("jsonData", "secureJsonData", "correlations"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """One data source.

    ``type`` is Grafana's plugin id ("loki", "prometheus", "jaeger", "alertmanager"); ``json_data`` and
    ``secure_json_data`` are Grafana's own maps.  Secrets must be references (``$__env{…}``, ``$__file{…}``).
    ``url`` may hold ``${VARIABLE}`` references that Grafana fills when it reads the file, and a plain ``$``
    is written ``$$`` there, as everywhere in these files.  ``environment`` has the default of every variable
    that the data source reads: Grafana itself has no defaults, so its environment must set them.  ``correlations``
    are Grafana's links from this data source to others; ``further`` are its other keys (``database``,
    ``withCredentials``, …), as they are.
    """

    name: str
    type: str
    uid: str
    url: str
    is_default: bool = False
    access: str = "proxy"
    basic_auth: bool = False
    basic_auth_user: str = ""
    json_data: Mapping[str, Any] = field(default_factory=dict)
    secure_json_data: Mapping[str, str] = field(default_factory=dict)
    editable: bool = False

    environment: Mapping[str, str] = field(default_factory=dict)
    correlations: tuple[Mapping[str, Any], ...] = ()
    further: Mapping[str, Any] = field(default_factory=dict)
    origin: Cursor | None = field(default=None, compare=False, repr=False)
    """Its entry in a provisioning file; None for one written in Python."""

    @classmethod
    def from_provisioning(cls, entry: Mapping[str, Any]) -> DataSource:
        """A data source from an entry of a provisioning file; needs ``name``, ``type``, ``uid`` and ``url``."""
        return cls(
            name=str(entry["name"]),
            type=str(entry["type"]),
            uid=str(entry["uid"]),
            url=str(entry["url"]),
            is_default=bool(entry.get("isDefault", False)),
            access=str(entry.get("access", "proxy")),
            basic_auth=bool(entry.get("basicAuth", False)),
            basic_auth_user=str(entry.get("basicAuthUser", "")),
            json_data=dict(entry.get("jsonData") or {}),
            secure_json_data=dict(entry.get("secureJsonData") or {}),
            editable=bool(entry.get("editable", False)),
            correlations=tuple(entry.get("correlations") or ()),
            further={key: value for key, value in entry.items() if key not in KNOWN},
        )

    def with_environment(self, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The entry as Grafana itself would hold it: variables filled, ``$$`` read as ``$``.

        Variables come from ``environment``, then from the data source's own defaults; one that is in neither
        is empty, as in Grafana.  For Grafana's HTTP API, which fills nothing, and takes correlations elsewhere.
        """
        known = {**self.environment, **(environment or {})}
        filled: dict[str, Any] = _filled(self.to_provisioning(), known)
        filled.pop("correlations", None)
        return filled

    def to_provisioning(self) -> dict[str, Any]:
        """The entry of ``datasources:`` in a provisioning file, keys in a stable order."""
        entry: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "uid": self.uid,
            "access": self.access,
            "url": self.url,
            "isDefault": self.is_default,
            "editable": self.editable,
        }
        if self.basic_auth:
            entry["basicAuth"] = True
            entry["basicAuthUser"] = self.basic_auth_user
        if self.json_data:
            entry["jsonData"] = dict(self.json_data)
        if self.secure_json_data:
            entry["secureJsonData"] = dict(self.secure_json_data)
        entry |= self.further
        if self.correlations:
            entry["correlations"] = [dict(item) for item in self.correlations]
        return entry


_REFERENCE = lazy_pattern(
    r"\$\$|\$__(?P<source>\w+)\{(?P<argument>[^}]*)\}|\$\{(?P<braced>[^}]*)\}"
    r"|\$(?P<special>[*#@!?0-9-])|\$(?P<name>\w+)",
    re.ASCII,
)


class Reference(NamedTuple):
    """Something that Grafana fills in when it reads a provisioning file.

    ``source`` is "env" (``$NAME``, ``${NAME}`` and ``$__env{NAME}`` are the same), "file" or another provider's
    name; ``name`` is the variable or the path.
    """

    source: str
    name: str


def references(value: Any) -> Iterator[Reference]:
    """Every reference in a value of a provisioning file, as Grafana would find it."""
    if isinstance(value, str):
        for found in _REFERENCE.finditer(value):
            if found[0] != "$$":
                yield _reference(found)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from references(item)


def _reference(found: re.Match[str]) -> Reference:
    if found["source"]:
        return Reference(found["source"], found["argument"].strip())
    return Reference("env", found["braced"] or found["special"] or found["name"] or "")


def resolve(reference: Reference, environment: Mapping[str, str]) -> str | None:
    """What Grafana would fill in; None where this machine cannot know it (not set, no such file)."""
    if reference.source == "env":
        return environment.get(reference.name)
    if reference.source == "file":
        try:
            return Path(reference.name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError):
            return None
    return None


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _REFERENCE.sub(
            lambda found: "$" if found[0] == "$$" else resolve(_reference(found), known) or "", value
        )
    if isinstance(value, Mapping):
        return {key: _filled(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(item, known) for item in value]
    return value
