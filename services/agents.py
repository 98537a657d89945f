"""The agents, which run tasks."""

from __future__ import annotations

from lokictl.model import FieldType, LogField, Objectives, Service
from services.common import NAMESPACE, common_fields, stream_labels

HEARTBEAT = "heartbeat"
"""The message of the line that every agent writes twice a minute."""

MAX_ATTEMPTS = 5
"""A task that fails this often is given up."""

SERVICE = Service(
    name="agents",
    title="Agents",
    description="Task orchestration: agents take tasks from a queue, run them, and try again when they fail.",
    tier="agents",
    namespace=NAMESPACE,
    labels=stream_labels("agents", "agents"),
    fields=(
        *common_fields(message="task finished"),
        LogField("agent_id", description="The agent.", example="agent-03"),
        LogField("task_id", description="One run of a task.", example="t-8f3a2c", high_cardinality=True),
        LogField(
            "task",
            description="The kind of task.",
            values=("index-media", "compile-unit", "rotate-secret", "send-report", "sync-metadata"),
            example="index-media",
        ),
        LogField(
            "status",
            description="Where the task stands; heartbeats carry the agent's own: idle or busy.",
            values=("queued", "running", "succeeded", "failed", "idle", "busy"),
            example="succeeded",
        ),
        LogField(
            "attempt", FieldType.NUMBER, "Which try of the task this is, from 1.", unit="short", example=1
        ),
        LogField(
            "queue_depth",
            FieldType.NUMBER,
            "How many tasks wait; on heartbeats.",
            unit="short",
            example=4,
        ),
    ),
    retention="60d",
    debug_retention="3d",
    objectives=Objectives(error_ratio=0.05, p99_duration="60s"),
    monthly_storage=3_000_000_000,
)
