"""ΣVAULT, the vault."""

from __future__ import annotations

from lokictl.model import FieldType, LogField, Objectives, Service
from services.common import NAMESPACE, common_fields, stream_labels

PRIVILEGED_ACTIONS = ("rotate_key", "delete_secret", "grant_policy", "unseal")
"""Actions that change who can read what, or that cannot be undone."""

ADMINISTRATORS = ("vault-operator", "key-rotator", "break-glass")
"""The only actors who may take a privileged action."""

SERVICE = Service(
    name="sigmavault",
    title="ΣVAULT",
    description="The vault: keeps secrets, and writes an audit line for every request it answers.",
    tier="core",
    namespace=NAMESPACE,
    labels=stream_labels("sigmavault", "core"),
    fields=(
        *common_fields(message="request answered"),
        LogField(
            "event",
            description="The kind of audit line; empty on lines that are not part of the audit trail.",
            values=("access", "login", "admin"),
            example="access",
        ),
        LogField("actor", description="Who asked.", example="svc-ryot", high_cardinality=True),
        LogField(
            "action",
            description="What was asked for.",
            values=("read_secret", "write_secret", "list_secrets", "login", *PRIVILEGED_ACTIONS),
            example="read_secret",
        ),
        LogField(
            "resource",
            description="What it was asked about.",
            example="secret/ryot/database",
            high_cardinality=True,
        ),
        LogField(
            "outcome",
            description="Whether the vault complied.",
            values=("allow", "deny"),
            example="allow",
        ),
        LogField(
            "source_ip",
            FieldType.IP,
            "Where the request came from.",
            example="10.42.3.17",
            high_cardinality=True,
        ),
    ),
    retention="30d",
    debug_retention="3d",
    objectives=Objectives(error_ratio=0.05, p99_duration="5s"),
    monthly_storage=3_000_000_000,
)
