"""Checks of whether rules, dashboards and services fit each other."""

from __future__ import annotations

from lokictl.lint.interface import Check
from lokictl.lint.stack.components import BucketsAroundObjective, RetentionMismatch, UncollectedService
from lokictl.lint.stack.coverage import RetentionTooShort, UncoveredService
from lokictl.lint.stack.names import UnknownField, UnknownLabel
from lokictl.lint.stack.values import (
    DurationWithoutUnit,
    ImpossibleValue,
    NumberAsText,
    UnitOnNumber,
    WrongParser,
)

CHECKS: tuple[type[Check], ...] = (
    UnknownLabel,
    UnknownField,
    ImpossibleValue,
    NumberAsText,
    DurationWithoutUnit,
    UnitOnNumber,
    WrongParser,
    UncoveredService,
    RetentionTooShort,
    RetentionMismatch,
    UncollectedService,
    BucketsAroundObjective,
)
