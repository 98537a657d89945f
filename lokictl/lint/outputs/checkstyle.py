"""Checkstyle's XML, which many CI servers and editors read."""

from __future__ import annotations

import re
from collections import defaultdict
from xml.etree import ElementTree

from lokictl.lint.interface import Finding
from lokictl.lint.runner import Report

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """A ``checkstyle`` document, one ``file`` element per file."""
    files: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        files[finding.position.file].append(finding)
    root = ElementTree.Element("checkstyle", {"version": "4.3"})
    for file, findings in files.items():
        element = ElementTree.SubElement(root, "file", {"name": printable(file)})
        for finding in findings:
            message = f"{finding.message}. {finding.hint}" if finding.hint else finding.message
            ElementTree.SubElement(
                element,
                "error",
                {
                    "line": str(finding.position.line),
                    "column": str(finding.position.column),
                    "severity": str(finding.severity),
                    "message": printable(message),
                    "source": f"lokictl.{finding.name.replace('/', '.')}",
                },
            )
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def printable(text: str) -> str:
    """``text`` without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
