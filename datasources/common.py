"""What the data sources share: uids, and how URLs and credentials come in from the environment.

Grafana fills ``${VARIABLE}`` and ``$__env{VARIABLE}`` when it reads the files, and has no defaults of its own;
`environment` gives them, for whoever starts Grafana.  Every other ``$`` is written ``$$``.
"""

from __future__ import annotations

from lokictl.grafana import TraceStore

LOKI = "loki"
PROMETHEUS = "prometheus"
JAEGER = "jaeger"
ALERTMANAGER = "alertmanager"

PORTS = {LOKI: 3100, PROMETHEUS: 9090, JAEGER: 16686, ALERTMANAGER: 9093}

TRACE_ID = "trace_id"

TRACES = TraceStore(traces="jaeger", uid=JAEGER)
"""Where the traces are; ``traces="tempo"`` and Tempo's uid are all that Tempo needs instead."""


def url(uid: str) -> str:
    """The reference to the variable with the URL: ``${LOKI_URL}``."""
    return f"${{{uid.upper()}_URL}}"


def user(uid: str) -> str:
    """The reference to the variable with the user name."""
    return f"${{{uid.upper()}_USERNAME}}"


def password(uid: str) -> dict[str, str]:
    """The secret part: the password's reference, as Grafana wants it."""
    return {"basicAuthPassword": f"$__env{{{uid.upper()}_PASSWORD}}"}


def environment(uid: str) -> dict[str, str]:
    """The variables of a data source with their defaults: the port the architecture gives it, no password."""
    name = uid.upper()
    return {f"{name}_URL": f"http://localhost:{PORTS[uid]}", f"{name}_USERNAME": "", f"{name}_PASSWORD": ""}
