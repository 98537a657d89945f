"""JUnit XML: suites of cases with failures, errors and output."""

from __future__ import annotations

from collections.abc import Iterable

from lokictl.records import dataclass
from lokictl.reporting.xml import document, element, printable


@dataclass(frozen=True)
class Outcome:
    """What came of a case: ``kind`` is "failure", "error", "skipped" or "system-out"."""

    kind: str
    message: str = ""
    text: str = ""
    type: str = ""


@dataclass(frozen=True)
class Case:
    """One case; no outcomes: it passed.  ``seconds`` None where no time was taken."""

    name: str
    classname: str
    outcomes: tuple[Outcome, ...] = ()
    file: str = ""
    seconds: float | None = None

    def has(self, kind: str) -> bool:
        """Whether one of the outcomes is of this kind."""
        return any(outcome.kind == kind for outcome in self.outcomes)


@dataclass(frozen=True)
class Suite:
    """The cases of one file."""

    name: str
    cases: tuple[Case, ...]


def junit_document(name: str, suites: Iterable[Suite], *, seconds: float | None = None) -> str:
    """A ``testsuites`` document called ``name``."""
    found = tuple(suites)
    cases = [case for suite in found for case in suite.cases]
    root = element(None, "testsuites", name=name, **_counts(cases), **_time(seconds))
    for suite in found:
        times = [case.seconds for case in suite.cases if case.seconds is not None]
        node = element(
            root, "testsuite", name=suite.name, **_counts(suite.cases), **_time(sum(times) if times else None)
        )
        for case in suite.cases:
            file = {"file": case.file} if case.file else {}
            entry = element(
                node, "testcase", classname=case.classname, name=case.name, **file, **_time(case.seconds)
            )
            for outcome in case.outcomes:
                attributes = {
                    key: getattr(outcome, key) for key in ("message", "type") if getattr(outcome, key)
                }
                element(entry, outcome.kind, **attributes).text = printable(outcome.text) or None
    return document(root)


def _counts(cases: Iterable[Case]) -> dict[str, int]:
    found = tuple(cases)
    counts = {"tests": len(found)}
    for key, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        counts[key] = sum(case.has(kind) for case in found)
    return counts


def _time(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"time": f"{seconds:.3f}"}
