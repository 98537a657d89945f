"""For programs: everything that is known of each finding."""

from __future__ import annotations

import json
from typing import Any

from lokictl.lint.interface import Finding
from lokictl.lint.runner import Report


def render(report: Report) -> str:
    """One JSON object: ``findings`` and ``checked``."""
    value = {
        "findings": [_finding(finding) for finding in report.findings],
        "checked": {
            "rules": report.rules,
            "dashboards": report.dashboards,
            "datasources": report.datasources,
            "queries": report.queries,
        },
        "suppressed": report.suppressed,
    }
    return json.dumps(value, indent=2, ensure_ascii=False)


def _finding(finding: Finding) -> dict[str, Any]:
    position = finding.position
    value: dict[str, Any] = {
        "check": finding.name,
        "severity": str(finding.severity),
        "file": position.file,
        "line": position.line,
        "column": position.column,
        "end_line": position.end_line,
        "end_column": position.end_column,
        "item": finding.item,
        "message": finding.message,
        "hint": finding.hint,
    }
    if finding.edit is not None:
        value["fix"] = {"old": finding.edit.old, "new": finding.edit.new}
    return value
