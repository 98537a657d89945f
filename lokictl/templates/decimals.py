"""``addf``, ``subf``, ``mulf`` and ``divf``: floats are combined as the decimal numbers that people read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

from lokictl.templates.errors import FunctionError

_CONTEXT = Context(prec=400, rounding=ROUND_HALF_UP)


def _decimal(number: float) -> Decimal:
    if not math.isfinite(number):
        raise FunctionError(f"Cannot create a Decimal from {'NaN' if math.isnan(number) else 'Inf'}")
    return Decimal(repr(number))


def _fold(numbers: Iterator[float], combine: Callable[[Decimal, Decimal], Decimal]) -> float:
    result = _decimal(next(numbers))
    for number in numbers:
        try:
            result = combine(result, _decimal(number))
        except (InvalidOperation, OverflowError):
            raise FunctionError("decimal out of range") from None
    # A decimal knows no negative zero.
    return float(result) if result else 0.0


def _divided(first: Decimal, second: Decimal) -> Decimal:
    if not second:
        raise FunctionError("decimal division by 0")
    return _CONTEXT.divide(first, second).quantize(Decimal(1).scaleb(-16), context=_CONTEXT)


def add(numbers: Iterator[float]) -> float:
    """The sum of at least one number."""
    return _fold(numbers, _CONTEXT.add)


def subtract(numbers: Iterator[float]) -> float:
    """The first without the others."""
    return _fold(numbers, _CONTEXT.subtract)


def multiply(numbers: Iterator[float]) -> float:
    """The product of at least one number."""
    return _fold(numbers, _CONTEXT.multiply)


def divide(numbers: Iterator[float]) -> float:
    """The first divided by each of the others in turn, to 16 places."""
    return _fold(numbers, _divided)
