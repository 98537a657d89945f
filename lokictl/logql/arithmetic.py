"""Arithmetic of two numbers as Loki does it; the parser folds literals with it, the engine computes with it."""

from __future__ import annotations

import math

from lokictl.logql.ast import COMPARISONS


def compare(operator: str, left: float, right: float) -> bool:
    """Whether the comparison holds (IEEE: NaN is unequal to everything)."""
    if operator == "==":
        return left == right
    if operator == "!=":
        return left != right
    if operator == ">":
        return left > right
    if operator == ">=":
        return left >= right
    if operator == "<":
        return left < right
    return left <= right


def arithmetic(operator: str, left: float, right: float) -> float:
    """``+ - * / % ^`` of two floats; division and modulo by zero are NaN."""
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if operator == "/":
        return math.nan if right == 0 else left / right
    if operator == "%":
        if right == 0 or math.isinf(left) or math.isnan(left) or math.isnan(right):
            return math.nan
        return math.fmod(left, right)
    return power(left, right)


def power(base: float, exponent: float) -> float:
    """Go's math.Pow: never an error, infinities and NaN instead."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        odd = exponent % 2 == 1
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        if base == 0 and exponent < 0:
            odd = float(exponent).is_integer() and exponent % 2 == 1
            return math.copysign(math.inf, base) if odd else math.inf
        return math.nan


def fold(operator: str, left: float, right: float) -> float:
    """Two literals as one; comparisons give 1 or 0."""
    if operator in COMPARISONS:
        return 1.0 if compare(operator, left, right) else 0.0
    return arithmetic(operator, left, right)
