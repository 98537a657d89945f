"""SARIF 2.1.0, as code scanning services read it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lokictl import __version__
from lokictl.diagnostics import Position, Severity
from lokictl.lint.baseline import key_of
from lokictl.lint.interface import Edit, Finding
from lokictl.lint.registry import READING, all_checks
from lokictl.lint.runner import Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def render(report: Report) -> str:
    """One run with all findings; the rules are those that found something."""
    names = sorted({finding.name for finding in report.findings})
    driver = {
        "name": "lokictl",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(name) for name in names],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, names.index(finding.name)) for finding in report.findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(name: str) -> dict[str, Any]:
    check = all_checks().get(name)
    summary = check.summary if check is not None else READING.get(name, name)
    rule: dict[str, Any] = {
        "id": name,
        "name": "".join(part.capitalize() for part in name.replace("/", "-").split("-")),
        "shortDescription": {"text": summary},
        "help": {"text": f"lokictl explain {name}"},
    }
    if check is not None:
        rule["defaultConfiguration"] = {"level": LEVELS[check.severity]}
    return rule


def _result(finding: Finding, index: int) -> dict[str, Any]:
    text = f"{finding.message}. {finding.hint}" if finding.hint else finding.message
    result: dict[str, Any] = {
        "ruleId": finding.name,
        "ruleIndex": index,
        "level": LEVELS[finding.severity],
        "message": {"text": text},
        "partialFingerprints": {"lokictl/v1": hashlib.sha256(repr(key_of(finding)).encode()).hexdigest()},
    }
    if finding.position.file:
        result["locations"] = [{"physicalLocation": _location(finding.position)}]
    if finding.edit is not None:
        result["fixes"] = [_fix(finding.message, finding.edit)]
    return result


def _location(position: Position) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(position.file)}}
    if position.line:
        location["region"] = _region(position)
    return location


def _region(position: Position) -> dict[str, int]:
    region = {"startLine": position.line}
    if position.column:
        region["startColumn"] = position.column
    if position.end_line >= position.line:
        region["endLine"] = position.end_line
        if position.end_column:
            region["endColumn"] = position.end_column
    return region


def _fix(message: str, edit: Edit) -> dict[str, Any]:
    replacement = {"deletedRegion": _region(edit.position), "insertedContent": {"text": edit.new}}
    change = {"artifactLocation": {"uri": _uri(edit.position.file)}, "replacements": [replacement]}
    return {"description": {"text": message}, "artifactChanges": [change]}


def _uri(file: str) -> str:
    path = Path(file)
    if path.is_absolute():
        try:
            path = path.relative_to(Path.cwd())
        except ValueError:
            return path.as_uri()
    return quote(path.as_posix())
