"""Provenance: whether people can change something of the alerting in Grafana's pages, or who else owns it.

What is written without the header ``X-Disable-Provenance`` is locked there.  Grafana locks what was open, and refuses
the way back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokictl.sync.normal_form import LOCKED
from lokictl.sync.plan import Live

OTHER_OWNERS = {
    "file": "provisioned from a file of Grafana's, so it cannot be saved",
    "converted_prometheus": "imported from Prometheus rules, so it cannot be saved",
}


def provenance_of(found: Mapping[str, Any]) -> str:
    """Who may change something: "" people in Grafana's pages, "api" the API only; others are other owners."""
    provenance = str(found.get("provenance") or "")
    return "" if provenance == "none" else provenance


def provenance_headers(wanted: str, live: Live | None) -> dict[str, str]:
    """The header that leaves something open to people, where that is wanted and possible."""
    locked = live is not None and live.body.get("provenance") == LOCKED
    return {"X-Disable-Provenance": "true"} if wanted == "" and not locked else {}


def owner_of(provenance: str) -> str:
    """Why something cannot be written; "" where it can."""
    return "" if provenance in ("", LOCKED) else OTHER_OWNERS.get(provenance, f"managed by {provenance}")
