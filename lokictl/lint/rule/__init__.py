"""Checks of rules and rule groups."""

from __future__ import annotations

from lokictl.lint.interface import Check
from lokictl.lint.rule import definition, expression, links, templates

CHECKS: tuple[type[Check], ...] = (
    *definition.CHECKS,
    *expression.CHECKS,
    *templates.CHECKS,
    *links.CHECKS,
)
