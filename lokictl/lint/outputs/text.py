"""For people: source lines with carets."""

from __future__ import annotations

from lokictl.diagnostics import Severity
from lokictl.lint.runner import Report
from lokictl.reporting import render_problems


def render(report: Report, *, color: bool = False) -> str:
    """The findings, one block each; empty if there are none."""
    return render_problems(report.findings, color=color)


def summary(report: Report) -> str:
    """One line: what was looked at, and what was found."""
    looked = [
        _count(number, word)
        for number, word in (
            (report.rules, "rule"),
            (report.managed_rules, "Grafana-managed rule"),
            (report.dashboards, "dashboard"),
            (report.datasources, "data source"),
            (report.queries, "query"),
        )
        if number
    ]
    found = [
        _count(report.count(severity), word)
        for severity, word in (
            (Severity.ERROR, "error"),
            (Severity.WARNING, "warning"),
            (Severity.INFO, "note"),
        )
        if report.count(severity)
    ]
    suppressed = f" ({report.suppressed} suppressed)" if report.suppressed else ""
    return f"{', '.join(looked) or 'nothing'} checked: {', '.join(found) or 'no problems'}{suppressed}"


def _count(number: int, word: str) -> str:
    plural = word[:-1] + "ies" if word.endswith("y") else word + "s"
    return f"{number} {word if number == 1 else plural}"
