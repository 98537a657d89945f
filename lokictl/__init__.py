"""Grafana and Loki rules as code, tested before you deploy.

Everything that users of the package need is here, imported when it is asked for::

    from lokictl import AlertingRule, Engine, LogStore, RuleGroup, RuleTest, parse, run_lint

The page docs/api.md has an example of each.  Every exception raised on purpose is an `Error`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lokictl.backends import LogEntry
    from lokictl.diagnostics import LokictlError, Position, Problem, Severity
    from lokictl.durations import Duration
    from lokictl.engine import Engine, EngineError, LogStore, Result
    from lokictl.errors import Error
    from lokictl.lint import Finding, lint_text
    from lokictl.lint import lint as run_lint
    from lokictl.logql import Expr, LogQLError, ParseError, parse
    from lokictl.logql import format as format_query
    from lokictl.model import AlertingRule, DataSource, RecordingRule, RuleFile, RuleGroup, Service
    from lokictl.model.component import Component
    from lokictl.project import Project
    from lokictl.project import load as load_project
    from lokictl.render import render as render_project
    from lokictl.ruler import AlertState
    from lokictl.templates.errors import TemplateError
    from lokictl.testing import RuleTest, discover, measure_coverage, run_mutations, run_tests

__version__ = "0.1.0"

_MODULES = {
    "AlertState": "lokictl.ruler",
    "AlertingRule": "lokictl.model",
    "Component": "lokictl.model.component",
    "DataSource": "lokictl.model",
    "Duration": "lokictl.durations",
    "Engine": "lokictl.engine",
    "EngineError": "lokictl.engine",
    "Error": "lokictl.errors",
    "Expr": "lokictl.logql",
    "Finding": "lokictl.lint",
    "LogQLError": "lokictl.logql",
    "LogEntry": "lokictl.backends",
    "LogStore": "lokictl.engine",
    "LokictlError": "lokictl.diagnostics",
    "ParseError": "lokictl.logql",
    "Position": "lokictl.diagnostics",
    "Problem": "lokictl.diagnostics",
    "Project": "lokictl.project",
    "RecordingRule": "lokictl.model",
    "Result": "lokictl.engine",
    "RuleFile": "lokictl.model",
    "RuleGroup": "lokictl.model",
    "RuleTest": "lokictl.testing",
    "Service": "lokictl.model",
    "Severity": "lokictl.diagnostics",
    "TemplateError": "lokictl.templates.errors",
    "discover": "lokictl.testing",
    "format_query": "lokictl.logql",
    "lint_text": "lokictl.lint",
    "load_project": "lokictl.project",
    "measure_coverage": "lokictl.testing",
    "parse": "lokictl.logql",
    "render_project": "lokictl.render",
    "run_lint": "lokictl.lint",
    "run_mutations": "lokictl.testing",
    "run_tests": "lokictl.testing",
}
_OTHER_NAMES = {
    "format_query": "format",
    "load_project": "load",
    "render_project": "render",
    "run_lint": "lint",
}

__all__ = [
    "AlertState",
    "AlertingRule",
    "Component",
    "DataSource",
    "Duration",
    "Engine",
    "EngineError",
    "Error",
    "Expr",
    "Finding",
    "LogEntry",
    "LogQLError",
    "LogStore",
    "LokictlError",
    "ParseError",
    "Position",
    "Problem",
    "Project",
    "RecordingRule",
    "Result",
    "RuleFile",
    "RuleGroup",
    "RuleTest",
    "Service",
    "Severity",
    "TemplateError",
    "discover",
    "format_query",
    "lint_text",
    "load_project",
    "measure_coverage",
    "parse",
    "render_project",
    "run_lint",
    "run_mutations",
    "run_tests",
]


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'lokictl' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), _OTHER_NAMES.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
