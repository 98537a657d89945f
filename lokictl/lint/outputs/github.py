"""Annotations of GitHub Actions: one command per finding."""

from __future__ import annotations

from lokictl.lint.runner import Report
from lokictl.reporting.github import problem_annotation


def render(report: Report) -> str:
    """``::error file=…,line=…::message`` for each finding."""
    return "\n".join(map(problem_annotation, report.findings))
