"""Checks of dashboards."""

from __future__ import annotations

from lokictl.lint.interface import Check

CHECKS: tuple[type[Check], ...] = ()
