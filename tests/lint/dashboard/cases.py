"""Small dashboards for the tables of cases."""

from __future__ import annotations

import json
from typing import Any

from lokictl.lint import Settings, lint_text

LOKI = {"type": "loki", "uid": "loki"}
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}


def target(expr: str = 'sum(rate({app="a"}[$__auto]))', **more: Any) -> dict[str, Any]:
    """A query to Loki."""
    return {"refId": "A", "datasource": LOKI, "expr": expr, "queryType": "range", **more}


def panel(kind: str = "timeseries", *targets: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A panel that no check minds, unless ``more`` says otherwise."""
    queries = list(targets) or [target('{app="a"}' if kind == "logs" else 'sum(rate({app="a"}[$__auto]))')]
    base = {
        "id": 1,
        "type": kind,
        "title": "Panel",
        "description": "What it shows.",
        "datasource": LOKI,
        "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8},
        "fieldConfig": {"defaults": {"unit": "short"}, "overrides": []},
        "targets": queries,
    }
    return {**base, **more}


def dashboard(
    *panels: dict[str, Any], variables: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """A dashboard with these panels, or with one that no check minds."""
    return {
        "uid": "test",
        "id": None,
        "title": "Test",
        "schemaVersion": 39,
        "templating": {"list": variables or []},
        "annotations": {"list": []},
        "panels": list(panels) or [panel()],
        **more,
    }


def lint_dashboard(data: dict[str, Any], check: str, options: dict[str, Any] | None = None) -> list[str]:
    """The messages of one check."""
    settings = Settings(select=(check,), checks={check: options or {}})
    report = lint_text(json.dumps(data, indent=1), "dashboard.json", settings)
    return [finding.message for finding in report.findings if finding.name == check]
