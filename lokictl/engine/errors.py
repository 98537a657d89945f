"""What can go wrong when a query runs.  Each error has the HTTP status that Loki would answer with."""

from __future__ import annotations

from lokictl.errors import Error


class EngineError(Error):
    """A query that cannot be answered; ``str(error)`` is Loki's text, ``status`` its HTTP status."""

    status = 400


class PipelineError(EngineError):
    """A metric query over lines that a stage could not process."""


class LimitError(EngineError):
    """A limit of `lokictl.engine.limits.Limits` was reached."""


class EvaluationError(EngineError):
    """Two vectors that do not match, or an expression without a meaning."""

    status = 500


class UnsupportedError(EngineError):
    """A construct that is disabled or that this engine does not run."""
