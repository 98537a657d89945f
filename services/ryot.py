"""Ryot, the core service."""

from __future__ import annotations

from lokictl.model import LogField, Objectives, Service
from services.common import NAMESPACE, common_fields, stream_labels

DATABASE = "database"

SERVICE = Service(
    name="ryot",
    title="Ryot",
    description="The core service: answers the API and keeps its state in the database.",
    tier="core",
    namespace=NAMESPACE,
    labels=stream_labels("ryot", "core"),
    fields=(
        *common_fields(message="GET /api/v1/media 200"),
        LogField(
            "module",
            description="The part of the service that wrote the line.",
            values=("api", "auth", "cache", DATABASE, "importer"),
            example="api",
        ),
    ),
    retention="30d",
    debug_retention="3d",
    objectives=Objectives(error_ratio=0.05, p99_duration="5s"),
    monthly_storage=5_000_000_000,
)
