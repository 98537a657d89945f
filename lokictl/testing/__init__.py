"""Unit tests for Loki rules: file format, runner, expectations, coverage, mutation, reports, pytest plugin.

In short::

    suite = discover(["my_test.yaml"])      # or discover(project=project)
    report = run_tests(suite)            # Report: .passed, .results, .problems, .warnings
    coverage = measure_coverage(suite)   # CoverageReport: .percent, .rules
    mutation = run_mutations(suite, jobs=2)  # MutationReport: .survivors

`RuleTest` is for tests in Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokictl.lazy import lazy_names

if TYPE_CHECKING:
    from lokictl.testing.case import RunOptions
    from lokictl.testing.coverage import CoverageReport, measure_coverage
    from lokictl.testing.engines import run_on_engines
    from lokictl.testing.homes import home_differences
    from lokictl.testing.junit import junit_xml
    from lokictl.testing.loading import load_test_file, parse_test_file
    from lokictl.testing.model import TestCase, TestFile
    from lokictl.testing.mutation import MutationReport, run_mutations
    from lokictl.testing.outcome import Failure, Report, TestResult
    from lokictl.testing.python import RuleTest
    from lokictl.testing.runner import Suite, discover, run_tests
    from lokictl.testing.update import update as update_expectations
    from lokictl.testing.update import write as write_files
    from lokictl.testing.watch import watch as run_again

# Imported when asked for: the pytest plugin of this package is loaded in every run of pytest, and a run of
# `lokictl test` measures no coverage, tries no mutants and writes no files unless it is told to.
_MODULES = {
    "CoverageReport": "coverage",
    "Failure": "outcome",
    "MutationReport": "mutation",
    "Report": "outcome",
    "RuleTest": "python",
    "RunOptions": "runner",
    "Suite": "runner",
    "TestCase": "model",
    "TestFile": "model",
    "TestResult": "outcome",
    "discover": "runner",
    "home_differences": "homes",
    "junit_xml": "junit",
    "load_test_file": "loading",
    "measure_coverage": "coverage",
    "run_mutations": "mutation",
    "parse_test_file": "loading",
    "run_again": "watch:watch",
    "run_on_engines": "engines",
    "run_tests": "runner",
    "update_expectations": "update:update",
    "write_files": "update:write",
}

__all__ = [
    "CoverageReport",
    "Failure",
    "MutationReport",
    "Report",
    "RuleTest",
    "RunOptions",
    "Suite",
    "TestCase",
    "TestFile",
    "TestResult",
    "discover",
    "home_differences",
    "junit_xml",
    "load_test_file",
    "measure_coverage",
    "parse_test_file",
    "run_again",
    "run_mutations",
    "run_on_engines",
    "run_tests",
    "update_expectations",
    "write_files",
]

__getattr__ = lazy_names(__name__, _MODULES)
