"""Annotations of GitHub Actions: workflow commands that point into files."""

from __future__ import annotations

from lokictl.diagnostics import Position, Problem, Severity

LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def problem_annotation(problem: Problem) -> str:
    """The command for one problem: its name as the title, the hint on a line of its own."""
    text = f"{problem.message}\n{problem.hint}" if problem.hint else problem.message
    return annotation(LEVELS[problem.severity], problem.position, problem.name, text)


def annotation(level: str, position: Position, title: str, message: str) -> str:
    """``::error file=…,line=…,title=…::message``; ``level`` is "error", "warning" or "notice"."""
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
    properties.append(("title", title))
    shown = ",".join(f"{name}={_property(value)}" for name, value in properties if value)
    return f"::{level} {shown}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
