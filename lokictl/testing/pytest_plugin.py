"""The pytest plugin: YAML rule tests are collected as tests; `rule_test` is a fixture for tests in Python.

Collected are files below the ``tests`` folders of the content project in pytest's root folder, and files whose
names fit the setting ``lokictl_files`` (default: ``*_test.yaml``, ``test_*.yaml`` and the same with ``.yml``), as
far as they look like rule tests.  ``-p no:lokictl`` switches the plugin off.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lokictl.backends import EmbeddedBackend
from lokictl.diagnostics import LokictlError
from lokictl.project import find_configuration
from lokictl.project.configuration import display_path
from lokictl.reporting import render_problems
from lokictl.testing.case import run_case
from lokictl.testing.loading import is_test_text
from lokictl.testing.python import RuleTest
from lokictl.testing.reports import failure_text
from lokictl.testing.runner import ProjectLookup, discover, project_root

if TYPE_CHECKING:
    from lokictl.testing.model import TestCase, TestFile
    from lokictl.testing.outcome import TestResult
    from lokictl.testing.rule_set import RuleSet

SUFFIXES = (".yaml", ".yml")
DEFAULT_PATTERNS = ["*_test.yaml", "*_test.yml", "test_*.yaml", "test_*.yml"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the setting ``lokictl_files``."""
    parser.addini(
        "lokictl_files", "names of YAML files that hold rule tests (globs)", "args", default=DEFAULT_PATTERNS
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collects a rule test file."""
    if file_path.suffix not in SUFFIXES or not _is_wanted(file_path, parent.config):
        return None
    text = file_path.read_text(encoding="utf-8", errors="replace")
    return RuleTestFile.from_parent(parent, path=file_path) if is_test_text(text) else None


def _is_wanted(path: Path, config: pytest.Config) -> bool:
    patterns: list[str] = config.getini("lokictl_files")
    if any(fnmatch.fnmatchcase(path.name, pattern) for pattern in patterns):
        return True
    return any(folder == path or folder in path.parents for folder in _project_folders(config))


_FOLDERS = pytest.StashKey[list[Path]]()
_LOOKUP = pytest.StashKey[Any]()


def _project_folders(config: pytest.Config) -> list[Path]:
    """The folders of rule tests of the content project in pytest's root folder."""
    if _FOLDERS not in config.stash:
        config.stash[_FOLDERS] = list(_find_folders(config.rootpath))
    return config.stash[_FOLDERS]


def _find_folders(root: Path) -> Iterator[Path]:
    if project_root(root) != root:
        return
    try:
        configuration = find_configuration(root)
    except LokictlError:
        return
    for folder in configuration.folders("tests"):
        yield root / folder


class RuleTestFile(pytest.File):
    """A YAML file of rule tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each test of the file."""
        stash = self.config.stash
        if _LOOKUP not in stash:
            stash[_LOOKUP] = ProjectLookup()
        suite = discover([display_path(self.path)], lookup=stash[_LOOKUP])
        if suite.problems:
            raise self.CollectError(render_problems(suite.problems))
        for file, test, rules in suite.cases():
            yield RuleTestItem.from_parent(self, name=test.name, case=(file, test, rules))


class RuleTestError(AssertionError):
    """A rule test with failures."""

    def __init__(self, result: TestResult) -> None:
        self.result = result
        super().__init__(result.failures[0].message)


class RuleTestItem(pytest.Item):
    """One rule test."""

    def __init__(self, *, case: tuple[TestFile, TestCase, RuleSet], **options: Any) -> None:
        super().__init__(**options)
        self.case = case

    def runtest(self) -> None:
        """Runs the test on the embedded engine."""
        result = run_case(*self.case, EmbeddedBackend())
        if result.failures:
            raise RuleTestError(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The failed expectations, without a traceback."""
        if isinstance(excinfo.value, RuleTestError):
            return failure_text(excinfo.value.result)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """File, line (from 0) and name."""
        place = self.case[1].place
        line = place.position().line - 1 if place is not None else None
        return self.path, line, self.name


@pytest.fixture
def rule_test() -> RuleTest:
    """A `lokictl.testing.RuleTest`: add rules, push lines, ask for states, alerts and samples."""
    return RuleTest()
