"""Checks of LogQL queries, wherever they stand."""

from __future__ import annotations

from lokictl.lint.interface import Check
from lokictl.lint.logql import comparisons, errors, filters, grouping, ranges, regexes, syntax

CHECKS: tuple[type[Check], ...] = (
    *syntax.CHECKS,
    *filters.CHECKS,
    *regexes.CHECKS,
    *errors.CHECKS,
    *comparisons.CHECKS,
    *ranges.CHECKS,
    *grouping.CHECKS,
)
