"""JUnit XML: one test case per finding, one suite per file."""

from __future__ import annotations

from collections import defaultdict

from lokictl.diagnostics import Severity
from lokictl.lint.interface import Finding
from lokictl.lint.runner import Report
from lokictl.reporting.junit import Case, Outcome, Suite, junit_document

NOTHING_FOUND = Suite("lokictl lint", (Case("no problems", "lokictl.lint"),))


def render(report: Report) -> str:
    """A ``testsuites`` document; notes are passed cases with their text as output."""
    files: dict[str, list[Case]] = defaultdict(list)
    for finding in report.findings:
        file = finding.position.file or "lokictl"
        files[file].append(Case(f"{finding.name} {finding.position}", file, (_outcome(finding),)))
    suites = [Suite(file, tuple(cases)) for file, cases in files.items()]
    return junit_document("lokictl lint", suites or [NOTHING_FOUND])


def _outcome(finding: Finding) -> Outcome:
    text = "\n".join(part for part in (finding.message, finding.source_line.strip(), finding.hint) if part)
    if finding.severity == Severity.INFO:
        return Outcome("system-out", text=text)
    return Outcome("failure", finding.message, text, str(finding.severity))
