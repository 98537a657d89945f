"""Checks of rules, dashboards, data sources, and of whether they fit each other.

`lint` runs them over a content project or over files; `lokictl.lint.interface` says how a check is written.
"""

from __future__ import annotations

from lokictl.lint.configuration import Settings, settings_from
from lokictl.lint.interface import Check, Finding, LokiOptions, Workspace
from lokictl.lint.runner import Report, lint, lint_text

__all__ = [
    "Check",
    "Finding",
    "LokiOptions",
    "Report",
    "Settings",
    "Workspace",
    "lint",
    "lint_text",
    "settings_from",
]
