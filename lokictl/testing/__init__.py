"""Unit tests for Loki rules: file format, runner, expectations, coverage, mutation, reports, pytest plugin.

In short::

    suite = discover(["my_test.yaml"])      # or discover(project=project)
    report = run_tests(suite)            # Report: .passed, .results, .problems, .warnings
    coverage = measure_coverage(suite)   # CoverageReport: .percent, .rules
    mutation = run_mutations(suite, jobs=2)  # MutationReport: .survivors

`RuleTest` is for tests in Python.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lokictl.testing.case import RunOptions
    from lokictl.testing.coverage import CoverageReport, measure_coverage
    from lokictl.testing.loading import load_test_file, parse_test_file
    from lokictl.testing.model import TestCase, TestFile
    from lokictl.testing.mutation import MutationReport, run_mutations
    from lokictl.testing.outcome import Failure, Report, TestResult
    from lokictl.testing.python import RuleTest
    from lokictl.testing.runner import Suite, discover, run_tests

# Imported when asked for: the pytest plugin of this package is loaded in every run of pytest.
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
    "load_test_file": "loading",
    "measure_coverage": "coverage",
    "run_mutations": "mutation",
    "parse_test_file": "loading",
    "run_tests": "runner",
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
    "load_test_file",
    "measure_coverage",
    "parse_test_file",
    "run_mutations",
    "run_tests",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"lokictl.testing.{_MODULES[name]}"), name)
