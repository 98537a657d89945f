"""JUnit XML: one test case per finding, one suite per file."""

from __future__ import annotations

from collections import defaultdict
from xml.etree import ElementTree

from lokictl.diagnostics import Severity
from lokictl.lint.interface import Finding
from lokictl.lint.outputs.checkstyle import printable
from lokictl.lint.runner import Report


def render(report: Report) -> str:
    """A ``testsuites`` document; notes are passed cases with their text as output."""
    files: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        files[finding.position.file or "lokictl"].append(finding)
    failures = sum(finding.severity != Severity.INFO for finding in report.findings)
    cases = max(len(report.findings), 1)
    root = ElementTree.Element(
        "testsuites", {"name": "lokictl lint", "tests": str(cases), "failures": str(failures), "errors": "0"}
    )
    for file, findings in files.items():
        _suite(root, file, findings)
    if not files:
        suite = ElementTree.SubElement(
            root, "testsuite", {"name": "lokictl lint", "tests": "1", "failures": "0", "errors": "0"}
        )
        ElementTree.SubElement(suite, "testcase", {"name": "no problems", "classname": "lokictl.lint"})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _suite(root: ElementTree.Element, file: str, findings: list[Finding]) -> None:
    failures = sum(finding.severity != Severity.INFO for finding in findings)
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {"name": printable(file), "tests": str(len(findings)), "failures": str(failures), "errors": "0"},
    )
    for finding in findings:
        name = f"{finding.name} {finding.position}"
        case = ElementTree.SubElement(
            suite, "testcase", {"name": printable(name), "classname": printable(file)}
        )
        text = "\n".join(
            part for part in (finding.message, finding.source_line.strip(), finding.hint) if part
        )
        if finding.severity == Severity.INFO:
            ElementTree.SubElement(case, "system-out").text = printable(text)
        else:
            attributes = {"message": printable(finding.message), "type": str(finding.severity)}
            ElementTree.SubElement(case, "failure", attributes).text = printable(text)
