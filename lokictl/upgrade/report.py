"""Everything that a change of Loki's version does to files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import field
from pathlib import Path

from lokictl.diagnostics import Problem, Severity
from lokictl.lint.loading import STDIN, YAML_SUFFIXES, Loaded, files_below, load_paths
from lokictl.lint.more_queries import rule_test_documents, rule_test_queries
from lokictl.lint.query import Query
from lokictl.lint.runner import files_workspace, project_workspace
from lokictl.logql.versions import LokiVersion
from lokictl.project import Project
from lokictl.records import dataclass
from lokictl.testing.runner import find_test_files
from lokictl.upgrade.changes import HARMLESS, Change, Kind, changes_everywhere, changes_in_queries
from lokictl.upgrade.configuration import changes_in_configuration, configurations, configurations_in
from lokictl.upgrade.rule_refusals import changes_in_refusals
from lokictl.upgrade.rule_tests import compare_tests


@dataclass(slots=True)
class Report:
    """The changes between two versions, and how much was looked at.

    ``everywhere`` is what changes whatever the files hold, for who wants to know; ``problems`` is what could not be
    read.
    """

    old: LokiVersion
    new: LokiVersion
    changes: list[Change] = field(default_factory=list)
    everywhere: list[Change] = field(default_factory=list)
    queries: int = 0
    tests: int = 0
    configurations: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def changes_something(self) -> bool:
        """Whether anything is refused, removed or answered differently."""
        return any(change.kind not in HARMLESS for change in self.changes)

    @property
    def is_complete(self) -> bool:
        """Whether everything could be read."""
        return not any(problem.severity == Severity.ERROR for problem in self.problems)


def upgrade(
    paths: Iterable[str],
    old: LokiVersion,
    new: LokiVersion,
    *,
    project: Project | None = None,
    run_tests: bool = True,
) -> Report:
    """Reads files and folders, or a content project, and says what changes in them.

    Raises `LokictlError` for paths that do not exist.
    """
    if project is not None:
        workspace, loaded = project_workspace(project)
        files = list(_files([os.path.relpath(project.root)]))
        queries = list(workspace.all_queries)
        tests: list[Path] = []
    else:
        paths = list(paths)
        loaded = load_paths(paths)
        workspace = files_workspace(loaded)
        files = list(_files(paths))
        tests = _tests(paths, files)
        queries = [*workspace.all_queries, *_queries_of_tests(tests)]
    found = [*configurations(files), *configurations_in(loaded.texts.get(STDIN, ""), STDIN)]
    report = Report(old, new, queries=len(queries), configurations=len(found))
    report.changes += changes_in_queries(queries, old, new)
    report.changes += changes_in_refusals(workspace.rule_files, old, new)
    report.changes += changes_in_configuration(found, old, new)
    report.everywhere = changes_everywhere(old, new) if queries else []
    read = {query.place().position.file for query in queries}
    read |= {found_in.file for found_in in found} | {str(file) for file in tests}
    report.problems = list(_problems(loaded, read))
    if run_tests:
        comparison = compare_tests(tests, old, new, project=project)
        report.tests = comparison.tests
        report.changes += comparison.changes
        report.problems += comparison.problems
    report.changes.sort(key=lambda change: list(Kind).index(change.kind))
    return report


def _files(paths: Iterable[str]) -> Iterator[Path]:
    """The YAML files among paths and below folders; hidden folders and installed packages are left out."""
    for path in paths:
        if Path(path).is_dir():
            yield from (Path(file) for file in files_below(path) if file.endswith(YAML_SUFFIXES))
        elif Path(path).is_file():
            yield Path(path)


def _tests(paths: Iterable[str], files: list[Path]) -> list[Path]:
    """The rule test files among ``files``; those of folders that lokictl itself does not search are left out."""
    searched = set(files)
    folders = [path for path in paths if Path(path).is_dir()]
    return [file for file in find_test_files(folders) if file in searched] + [
        file for file in map(Path, paths) if file.is_file() and find_test_files([file.parent]).count(file)
    ]


def _queries_of_tests(tests: list[Path]) -> Iterator[Query]:
    for document in rule_test_documents(tests):
        yield from rule_test_queries(document)


def _problems(loaded: Loaded, read: set[str]) -> Iterator[Problem]:
    """Why files were not read; a file of which some could be read has its problems in the linter."""
    for finding in loaded.findings:
        skipped = finding.name == "lint/skipped" and "nothing to lint" not in finding.message
        if finding.position.file not in read and (finding.severity == Severity.ERROR or skipped):
            yield finding


__all__ = ["Report", "upgrade"]
