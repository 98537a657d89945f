"""Runs a LogQL expression over an in-memory log store and gives Loki's own answer."""

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
