"""The root of every exception that lokictl raises on purpose."""

from __future__ import annotations


class Error(Exception):
    """Anything that lokictl refuses or cannot do; ``str(error)`` is the message for the user."""
