"""Grafana data sources as plain objects, in the words of Grafana's provisioning files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """One data source.

    ``type`` is Grafana's plugin id ("loki", "prometheus", "jaeger", "alertmanager"); ``json_data`` and
    ``secure_json_data`` are Grafana's own maps.  Secrets must be references (``$__env{…}``, ``$__file{…}``).
    ``url`` may hold ``${VARIABLE}`` references that Grafana fills when it reads the file.
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
        return entry
