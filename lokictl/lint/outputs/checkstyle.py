"""Checkstyle's XML, which many CI servers and editors read."""

from __future__ import annotations

from collections import defaultdict

from lokictl.lint.interface import Finding
from lokictl.lint.runner import Report
from lokictl.reporting.xml import document, element


def render(report: Report) -> str:
    """A ``checkstyle`` document, one ``file`` element per file."""
    files: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        files[finding.position.file].append(finding)
    root = element(None, "checkstyle", version="4.3")
    for file, findings in files.items():
        node = element(root, "file", name=file)
        for finding in findings:
            element(
                node,
                "error",
                line=finding.position.line,
                column=finding.position.column,
                severity=str(finding.severity),
                message=f"{finding.message}. {finding.hint}" if finding.hint else finding.message,
                source=f"lokictl.{finding.name.replace('/', '.')}",
            )
    return document(root)
