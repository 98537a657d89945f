"""Finds test files and runs them: what `lokictl test`, `lokictl check` and the pytest plugin call."""

from __future__ import annotations

import fnmatch
import functools
import itertools
import time as clock
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lokictl import model, testing
from lokictl.backends import EmbeddedBackend
from lokictl.diagnostics import LokictlError, Position, Problem, Severity
from lokictl.lazy import lazy
from lokictl.model.yaml_events import OddityError
from lokictl.parallel import in_processes
from lokictl.project.configuration import display_path
from lokictl.records import dataclass
from lokictl.testing.case import Case, RunOptions, run_and_keep, run_case
from lokictl.testing.loading import LongTests, is_test_text, load_test_file, open_test_file
from lokictl.testing.model import TestCase, TestFile
from lokictl.testing.outcome import Failure, Report, TestResult
from lokictl.testing.rule_set import RuleSet, rule_problems, rules_of

if TYPE_CHECKING:
    from lokictl.model import RuleFile
    from lokictl.project import Project, loader
else:
    # Files of tests alone need no project.
    loader = lazy("lokictl.project.loader")

MOST_AT_ONCE = 32
"""So many tests at most are handed to a process at once."""
YAML_SUFFIXES = (".yaml", ".yml")
Progress = Callable[[TestResult], None]


@dataclass(frozen=True)
class Suite:
    """Test files with their rules, ready to run.  ``problems`` are those of files that cannot be read."""

    files: tuple[TestFile, ...] = ()
    rules: tuple[RuleSet, ...] = ()
    problems: tuple[Problem, ...] = ()
    filtered: int = 0

    def cases(self) -> Iterator[tuple[TestFile, TestCase, RuleSet]]:
        """Every test with its file and rules."""
        for file, rules in zip(self.files, self.rules, strict=True):
            for test in file.tests:
                yield file, test, rules

    def __len__(self) -> int:
        return sum(len(file.tests) for file in self.files)


def find_test_files(paths: Iterable[Path | str]) -> list[Path]:
    """The YAML test files among ``paths``; folders are searched.  Raises `LokictlError` for a missing path."""
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix in YAML_SUFFIXES)
            found += [file for file in files if is_test_text(_text(file))]
        elif path.is_file():
            found.append(path)
        else:
            problem = Problem("file/unreadable", "file not found", position=Position(str(path)))
            raise LokictlError(problem)
    return list(dict.fromkeys(found))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def discover(
    paths: Sequence[Path | str] = (),
    *,
    project: Project | None = None,
    pattern: str = "",
    lookup: ProjectLookup | None = None,
    opened: bool = False,
) -> Suite:
    """The tests in ``paths``, or the project's; ``pattern`` is a part of (or a glob over) their names.

    Test files without ``rule_files`` are about the project's rules; without ``project``, the one found upwards from
    the test file.  Files that cannot be read are problems of the suite.  With ``opened``, the tests of long files are
    read as `run_tests` runs them, which then finds their problems, and whose results know their names alone.
    """
    files = (
        find_test_files(paths)
        if paths
        else [Path(display_path(path)) for path in (project.tests if project else ())]
    )
    tests: list[TestFile] = []
    rules: list[RuleSet] = []
    problems: list[Problem] = []
    lookup = lookup or ProjectLookup(project)
    filtered = 0
    for path in files:
        try:
            file, own = _with_rules(path, lookup, opened=opened and not pattern)
        except LokictlError as error:
            problems += error.problems
            continue
        selected = select(file, pattern)
        filtered += len(file.tests) - len(selected.tests)
        tests.append(selected)
        rules.append(own)
    return Suite(tuple(tests), tuple(rules), tuple(dict.fromkeys(problems)), filtered)


def _with_rules(path: Path, lookup: ProjectLookup, *, opened: bool) -> tuple[TestFile, RuleSet]:
    file = open_test_file(path) if opened else load_test_file(path)
    try:
        return file, rules_of(file, lookup.rule_files(path) if not file.rule_files else None)
    except OddityError:
        return _with_rules(path, lookup, opened=False)


class ProjectLookup:
    """The rules of the project that a test file belongs to; each project is loaded once."""

    def __init__(self, project: Project | None = None) -> None:
        self.project = project
        self.known: dict[Path, tuple[RuleFile, ...] | None] = {}

    def rule_files(self, path: Path) -> tuple[RuleFile, ...] | None:
        """The rules of the project around a test file; None if there is none.  Raises `LokictlError`."""
        if self.project is not None:
            return self.project.rule_files
        root = project_root(path.resolve().parent)
        if root is None:
            return None
        if root not in self.known:
            self.known[root] = load_rules(root).rule_files
        return self.known[root]


def load_rules(root: Path | None = None) -> Project:
    """The content project with its rules and tests alone: the rest of it may be broken.

    Raises `LokictlError` for everything that is wrong with the rules, and with what their modules import.
    """
    project = loader.load(root, strict=False, kinds=("rules",))
    if project.problems:
        raise LokictlError(project.problems)
    return project


def project_root(folder: Path) -> Path | None:
    """The nearest folder, from ``folder`` upwards, that is a content project; None if there is none."""
    for candidate in (folder, *folder.parents):
        if (candidate / "lokictl.toml").is_file():
            return candidate
        pyproject = candidate / "pyproject.toml"
        if pyproject.is_file() and "[tool.lokictl" in _text(pyproject):
            return candidate
    return None


def select(file: TestFile, pattern: str) -> TestFile:
    """The file with only those tests whose name (or file name) ``pattern`` is part of, or matches as a glob."""
    if not pattern:
        return file
    wanted = pattern.lower()
    glob = any(character in wanted for character in "*?[")

    def matches(test: TestCase) -> bool:
        names = [
            test.name.lower(),
            f"{file.path}: {test.name}".lower(),
            *(n.lower() for n in test.rule_names),
        ]
        return any(fnmatch.fnmatchcase(name, wanted) if glob else wanted in name for name in names)

    return replace(file, tests=tuple(test for test in file.tests if matches(test)))


def run_tests(suite: Suite, options: RunOptions | None = None, *, progress: Progress | None = None) -> Report:
    """Runs all tests of a suite; ``progress`` is called after each.

    Raises `BackendError` for engines that are unusable or become unreachable.
    """
    options = options or RunOptions()
    started = clock.perf_counter()
    report = Report(problems=list(suite.problems), unreadable=bool(suite.problems))
    for file in suite.files:
        report.warnings += file.warnings
    for problem in suite_problems(suite, options.home):
        (report.problems if problem.severity == Severity.ERROR else report.warnings).append(problem)
    show = progress or (lambda result: None)
    for part in _parts(suite):
        _run_part(part, options, report, show)
        if options.fail_fast and report.failed:
            break
    report.seconds = clock.perf_counter() - started
    return report


def _parts(suite: Suite) -> Iterator[Suite]:
    """The suite in the order of its files: one of those whose tests are read as they run, or several others."""
    pairs = zip(suite.files, suite.rules, strict=True)
    for is_long, part in itertools.groupby(pairs, lambda pair: isinstance(pair[0].tests, LongTests)):
        found = list(part)
        for one in [[pair] for pair in found] if is_long else [found]:
            yield Suite(tuple(file for file, _ in one), tuple(rules for _, rules in one))


def _run_part(part: Suite, options: RunOptions, report: Report, show: Progress) -> None:
    before = len(report.results)
    try:
        for result in _results(part, options):
            report.results.append(result)
            show(result)
            if options.fail_fast and result.failures:
                return
    except OddityError:
        # Reading the whole file tells what is wrong with it, if anything is.
        del report.results[before:]
        try:
            whole = load_test_file(part.files[0].path)
        except LokictlError as error:
            report.problems += error.problems
            report.unreadable = True
            return
        report.warnings += whole.warnings
        _run_part(Suite((whole,), part.rules), options, report, show)


def suite_problems(suite: Suite, home: str = "loki") -> list[Problem]:
    """What Loki would refuse of the rules under test, and what it drops; for Grafana, what cannot be translated."""
    known: list[tuple[RuleFile, ...]] = []
    found: list[Problem] = []
    for rules in suite.rules:
        if not any(files is rules.files for files in known):
            known.append(rules.files)
            found += rule_problems(rules) if home == "loki" else _untranslated(rules)
    return list(dict.fromkeys(found))


def _untranslated(rules: RuleSet) -> list[Problem]:
    """What Grafana cannot do as the ruler does, as warnings: the rules are tested all the same."""
    problems = model.translate(rules.files).problems
    return [
        replace(problem, severity=Severity.WARNING)
        for problem in problems
        if problem.severity == Severity.ERROR
    ]


def _results(suite: Suite, options: RunOptions) -> Iterator[TestResult]:
    if suite.files and isinstance(suite.files[0].tests, LongTests):
        yield from _long_results(suite.files[0], suite.rules[0], options.jobs)
        return
    cases = list(suite.cases())
    if options.engines == ("embedded",):
        yield from _embedded_results(cases, options.jobs, options.home)
        return
    yield from testing.run_on_engines(cases, options)


def _embedded_results(cases: list[Case], jobs: int, home: str) -> Iterator[TestResult]:
    if home == "grafana":
        yield from map(_in_both_homes, cases)
        return
    if jobs <= 1:
        yield from map(_embedded, cases)
        return
    outcomes = in_processes(_embedded_outcome, cases, jobs, chunk=_chunk(len(cases), jobs))
    for case, (failures, seconds) in zip(cases, outcomes, strict=True):
        yield TestResult(case[0], case[1], "embedded", failures, seconds)


def _chunk(count: int, jobs: int) -> int:
    """How many tests are handed to a process at once: one after the other takes longer than a small test."""
    return max(1, min(MOST_AT_ONCE, count // (8 * jobs)))


def _long_results(file: TestFile, rules: RuleSet, jobs: int) -> Iterator[TestResult]:
    """The results of a file whose tests are read by the process that runs them.  Raises `OddityError`."""
    work = functools.partial(_numbered_outcome, file, rules)
    count = len(file.tests)
    names: set[str] = set()
    for name, failures, seconds in in_processes(work, range(count), jobs, chunk=_chunk(count, jobs)):
        if name in names:
            raise OddityError
        names.add(name)
        yield TestResult(file, TestCase(name, start=0, interval=0), "embedded", failures, seconds)


def _numbered_outcome(file: TestFile, rules: RuleSet, number: int) -> tuple[str, list[Failure], float]:
    started = clock.perf_counter()
    test = file.tests[number]
    failures, _ = _embedded_outcome((file, test, rules))
    return test.name, failures, clock.perf_counter() - started


def _embedded(case: Case) -> TestResult:
    return run_case(*case, EmbeddedBackend())


def _in_both_homes(case: Case) -> TestResult:
    """The test judged by what Grafana would do, and where the ruler does something else."""
    _, on_ruler = run_and_keep(*case, EmbeddedBackend())
    result, in_grafana = run_and_keep(*case, EmbeddedBackend(), home="grafana")
    if on_ruler is not None and in_grafana is not None:
        result.differences = testing.home_differences(on_ruler, in_grafana)
    return result


def _embedded_outcome(case: Case) -> tuple[list[Failure], float]:
    result = _embedded(case)
    return result.failures, result.seconds
