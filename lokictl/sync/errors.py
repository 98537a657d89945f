"""Errors of a sync that are not the user's mistake."""

from __future__ import annotations

from lokictl.diagnostics import LokictlError


class SyncError(LokictlError):
    """A server, or this machine, could not do what it was asked."""
