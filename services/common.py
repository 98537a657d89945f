"""What all services of the stack share: stream labels, the fields of every line, and where people look."""

from __future__ import annotations

from lokictl.model import FieldType, LogField, StreamLabel

NAMESPACE = "neurectomy"
LEVELS = ("debug", "info", "warn", "error")
TIERS = ("core", "agents")

GRAFANA_URL = "https://grafana.neurectomy.example"
RUNBOOK_URL = "https://runbooks.neurectomy.example"
"""Serves docs/runbooks/ of this repository."""


LINES_PANEL, RATIO_PANEL, DURATIONS_PANEL, ERRORS_PANEL, UNPARSED_PANEL = 101, 102, 103, 104, 105
"""Ids of panels that every service's dashboard has, for alerts to lead to; a service's own count from 111."""


def dashboard_uid(service: str) -> str:
    """The uid of a service's dashboard."""
    return f"{NAMESPACE}-{service}"


def dashboard_url(service: str, panel: int) -> str:
    """A panel of a service's dashboard: the last hour, at the time of whoever follows the link."""
    return f"{GRAFANA_URL}/d/{dashboard_uid(service)}?from=now-1h&to=now&viewPanel={panel}"


def runbook_url(runbook: str) -> str:
    """Where the runbook ``docs/runbooks/<runbook>.md`` can be read."""
    return f"{RUNBOOK_URL}/{runbook}.md"


def stream_labels(service: str, tier: str) -> tuple[StreamLabel, ...]:
    """The labels that the collectors set on every stream of a service."""
    return (
        StreamLabel("service", "The service, from the pod label `app`.", (service,)),
        StreamLabel("level", "The level of the line.", LEVELS, example="info"),
        StreamLabel("tier", "The pod label `tier`.", (tier,)),
        StreamLabel("pod", "The pod that wrote the line.", example=f"{service}-7d9f8b6c5d-abc12"),
        StreamLabel("namespace", "The Kubernetes namespace.", (NAMESPACE,)),
        StreamLabel("container_name", "The container.", (f"{service}-container",)),
    )


def common_fields(*, message: str) -> tuple[LogField, ...]:
    """The fields of every JSON line; ``message`` is an example of the service's own."""
    return (
        LogField("level", description="The level, as in the stream label.", values=LEVELS, example="info"),
        LogField("msg", description="What happened, in words.", example=message),
        LogField(
            "trace_id",
            description="The trace this line belongs to.",
            example="4bf92f3577b34da6a3ce929d0e0e4736",
            structured_metadata=True,
            high_cardinality=True,
        ),
        LogField(
            "span_id",
            description="The span this line belongs to.",
            example="00f067aa0ba902b7",
            structured_metadata=True,
            high_cardinality=True,
        ),
        LogField(
            "duration_ms",
            FieldType.NUMBER,
            "How long the operation took; only on lines that end one.",
            unit="ms",
            example=42.5,
        ),
    )
