"""What every part that talks to a Loki has to know of its HTTP interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lokictl.logql.versions import LokiVersion

TENANT_HEADER = "X-Scope-OrgID"
PUSH_PATH = "/loki/api/v1/push"
RULES_PATH = "/loki/api/v1/rules"
BUILDINFO_PATH = "/loki/api/v1/status/buildinfo"
NEEDS_TENANT = "this Loki requires a tenant ID (X-Scope-OrgID)"


def tenant_headers(tenant: str) -> dict[str, str]:
    """The headers that say whose data a request is about; none for a Loki without tenants."""
    return {TENANT_HEADER: tenant} if tenant else {}


def push_body(streams: Iterable[tuple[Mapping[str, str], Sequence[Sequence[Any]]]]) -> dict[str, Any]:
    """The body of a push request, from the labels of streams with their values.

    A value is ``[time in ns as a string, line]``, with the structured metadata as a third item where there is any.
    """
    return {"streams": [{"stream": dict(labels), "values": list(values)} for labels, values in streams]}


def disagreement(running: str, wanted: LokiVersion | None) -> str:
    """What to say about a Loki of version ``running`` where ``wanted`` is configured; "" where they go together."""
    if wanted is None:
        return ""
    try:
        found = LokiVersion.parse(running)
    except ValueError:
        return ""
    if found[:2] == wanted[:2]:
        return ""
    return f"this Loki is {found}, loki_version says {wanted.minor_text}: their answers can differ"
