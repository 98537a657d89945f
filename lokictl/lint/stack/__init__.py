"""Checks of whether rules, dashboards and services fit each other."""

from __future__ import annotations

from lokictl.lint.interface import Check

CHECKS: tuple[type[Check], ...] = ()
