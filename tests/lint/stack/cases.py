"""Two small services, and the ways to lint something against them."""

from __future__ import annotations

from typing import Any

from lokictl.durations import DAY
from lokictl.lint.interface import Finding, Workspace, WorkspaceCheck
from lokictl.lint.loading import Loaded, load_text
from lokictl.lint.stack import CHECKS
from lokictl.model import FieldType, LogField, Service, StreamLabel


def labels(service: str) -> tuple[StreamLabel, ...]:
    return (
        StreamLabel("service", values=(service,)),
        StreamLabel("level", values=("debug", "info", "warn", "error"), example="info"),
        StreamLabel("tier", values=("core" if service == "shop" else "edge",)),
        StreamLabel("pod", example=f"{service}-1"),
    )


SHOP = Service(
    name="shop",
    title="Shop",
    tier="core",
    namespace="prod",
    labels=labels("shop"),
    fields=(
        LogField("level", values=("debug", "info", "warn", "error")),
        LogField("msg"),
        LogField("module", values=("cart", "api")),
        LogField("duration_ms", FieldType.NUMBER, unit="ms", example=12),
        LogField("took", FieldType.DURATION, example="12ms"),
        LogField("size", FieldType.BYTES, example="5KB"),
        LogField("cached", FieldType.BOOLEAN, example=True),
        LogField("user.name"),
        LogField("trace_id", structured_metadata=True),
    ),
    retention=30 * DAY,
    debug_retention=3 * DAY,
)
PROXY = Service(
    name="proxy",
    title="Proxy",
    tier="edge",
    namespace="prod",
    labels=labels("proxy"),
    fields=(LogField("status", FieldType.NUMBER, example=200), LogField("path")),
    line_format="logfmt",
    retention=60 * DAY,
)
SERVICES = (SHOP, PROXY)


def stack_check(name: str, **settings: Any) -> Any:
    """The class of a check."""
    return next(check for check in CHECKS if check.name == name)


def workspace_of(text: str, file: str, services: tuple[Service, ...] = SERVICES) -> Workspace:
    """What a text is, together with the services."""
    loaded = Loaded()
    load_text(text, file, loaded)
    assert not loaded.findings, loaded.findings
    return Workspace(
        tuple(loaded.rule_files),
        tuple(loaded.dashboards),
        tuple(loaded.datasources),
        tuple(loaded.queries),
        services=services,
    )


def findings(name: str, workspace: Workspace, settings: dict[str, Any] | None = None) -> list[Finding]:
    """What a check finds in a workspace."""
    check: WorkspaceCheck = stack_check(name)(workspace, settings or {})
    return list(check.check(workspace))
