"""Annotations of GitHub Actions: one command per finding."""

from __future__ import annotations

from lokictl.diagnostics import Severity
from lokictl.lint.interface import Finding
from lokictl.lint.runner import Report

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(report: Report) -> str:
    """``::error file=…,line=…::message`` for each finding."""
    return "\n".join(_command(finding) for finding in report.findings)


def _command(finding: Finding) -> str:
    position = finding.position
    properties = [("file", position.file)]
    if position.line:
        properties.append(("line", str(position.line)))
        if position.column:
            properties.append(("col", str(position.column)))
        if position.end_line:
            properties.append(("endLine", str(position.end_line)))
            # GitHub takes the end column as the last one that belongs to it, and only within one line.
            if position.end_line == position.line and position.end_column > position.column:
                properties.append(("endColumn", str(position.end_column - 1)))
    properties.append(("title", finding.name))
    text = ",".join(f"{name}={_property(value)}" for name, value in properties if value)
    message = f"{finding.message}\n{finding.hint}" if finding.hint else finding.message
    return f"::{COMMANDS[finding.severity]} {text}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
