"""What can go wrong when a query runs.  Each error has the HTTP status that Loki would answer with."""

from __future__ import annotations

from lokictl.errors import Error


class EngineError(Error):
    """A query that fails at run time; ``str(error)`` is Loki's message, ``status`` its HTTP status."""

    status = 400

    def __init__(self, message: str) -> None:
        # Labels that an error names may have bytes that are not UTF-8.
        super().__init__(message.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


class PipelineError(EngineError):
    """A metric query over lines that a stage could not process."""


class LimitError(EngineError):
    """A limit of `lokictl.engine.limits.Limits` was reached."""


class EvaluationError(EngineError):
    """Two vectors that do not match, or an expression without a meaning."""

    status = 500


def both_fail(left: EngineError, right: EngineError, *, can_be_of_query: bool) -> EngineError:
    """The error of an operation whose sides both fail.

    ``can_be_of_query``: lines on the left that could not be processed make it an error of the query (400).
    """
    text = f"2 errors: {left}; {right}"
    error: EngineError = PipelineError(text) if isinstance(left, PipelineError) else EvaluationError(text)
    # What was put together before no longer counts as an error of the query.
    is_alone = not str(left).startswith("2 errors: ")
    error.status = 400 if can_be_of_query and is_alone and isinstance(left, PipelineError) else 500
    return error


class UnsupportedError(EngineError):
    """A construct that is disabled or that this engine does not run."""
