"""Runs a LogQL expression over an in-memory log store and gives Loki's own answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokictl.lazy import lazy_names

if TYPE_CHECKING:
    from lokictl.engine.errors import (
        EngineError,
        EvaluationError,
        LimitError,
        PipelineError,
        UnsupportedError,
    )
    from lokictl.engine.evaluator import CompiledQuery, Engine
    from lokictl.engine.limits import Limits
    from lokictl.engine.result import LogLine, Result
    from lokictl.engine.store import LogStore

# Imported when asked for: lint wants to know how labels are found, and runs no query.
_MODULES = {
    "CompiledQuery": "evaluator",
    "Engine": "evaluator",
    "EngineError": "errors",
    "EvaluationError": "errors",
    "LimitError": "errors",
    "Limits": "limits",
    "LogLine": "result",
    "LogStore": "store",
    "PipelineError": "errors",
    "Result": "result",
    "UnsupportedError": "errors",
}

__all__ = [
    "CompiledQuery",
    "Engine",
    "EngineError",
    "EvaluationError",
    "LimitError",
    "Limits",
    "LogLine",
    "LogStore",
    "PipelineError",
    "Result",
    "UnsupportedError",
]

__getattr__ = lazy_names(__name__, _MODULES)
