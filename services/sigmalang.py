"""ΣLANG, the compiler."""

from __future__ import annotations

from lokictl.model import FieldType, LogField, Objectives, Service
from services.common import NAMESPACE, common_fields, stream_labels

PANIC = "panic: internal compiler error"
"""How the compiler's panic begins.  It is plain text of several lines, not JSON; the collectors keep it together."""

PHASES = ("lex", "parse", "resolve", "typecheck", "codegen", "link")

SERVICE = Service(
    name="sigmalang",
    title="ΣLANG",
    description="The compiler: one line per phase of a compilation unit, and one per diagnostic.",
    tier="core",
    namespace=NAMESPACE,
    labels=stream_labels("sigmalang", "core"),
    fields=(
        *common_fields(message="phase finished"),
        LogField(
            "ts",
            FieldType.TIME,
            "When the compiler wrote the record; it buffers, so the collectors take the line's time from here.",
            example="2026-01-15T10:30:45.123456789Z",
            high_cardinality=True,
        ),
        LogField(
            "code",
            description="The diagnostic code: E for errors, W for warnings; empty on other lines.",
            values=("E0101", "E0204", "E0308", "E0425", "E0599", "W0012", "W0031"),
            example="E0308",
        ),
        LogField("phase", description="The phase of the compiler.", values=PHASES, example="typecheck"),
        LogField(
            "unit", description="The compilation unit.", example="core/collections.sig", high_cardinality=True
        ),
    ),
    retention="30d",
    debug_retention="3d",
    objectives=Objectives(error_ratio=0.05, p99_duration="30s"),
    monthly_storage=6_000_000_000,
)
