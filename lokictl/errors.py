"""The root of every exception that lokictl raises on purpose."""

from __future__ import annotations


class Error(Exception):
    """Base class of all errors of lokictl; ``str(error)`` is the message for the user."""
