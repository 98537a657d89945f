"""Vector aggregations: sums, extremes and rankings over the elements of one step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from lokictl.logql import ast

Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]


def group_key(grouping: ast.Grouping) -> Callable[[Labels], Labels]:
    """The labels of a group, from those of an element."""
    names = frozenset(grouping.labels)
    if grouping.without:
        return lambda labels: tuple(item for item in labels if item[0] not in names and item[0] != "__name__")
    if not names:
        return lambda labels: ()
    return lambda labels: tuple(item for item in labels if item[0] in names)


def aggregator(node: ast.VectorAggregation) -> Callable[[list[Sample]], list[Sample]]:
    """Gives the result for one step; empty for no elements."""
    operation = node.operation
    if operation in ("sort", "sort_desc"):
        return lambda elements: ranked(elements, descending=operation == "sort_desc")
    key_of = group_key(node.grouping)
    # The same label sets come at every step.
    keys: dict[Labels, Labels] = {}

    def grouped(elements: list[Sample]) -> dict[Labels, list[Sample]]:
        groups: dict[Labels, list[Sample]] = {}
        for element in elements:
            key = keys.get(element[0])
            if key is None:
                key = keys[element[0]] = key_of(element[0])
            if key in groups:
                groups[key].append(element)
            else:
                groups[key] = [element]
        return groups

    if operation in ("topk", "bottomk", "approx_topk"):
        count, largest = node.parameter or 0, operation != "bottomk"
        return lambda elements: [
            element
            for members in grouped(elements).values()
            for element in extremes(members, count, largest=largest)
        ]
    reduce = _REDUCERS[operation]
    return lambda elements: [
        (_shown(labels, node), reduce([value for _, value in members]))
        for labels, members in grouped(elements).items()
    ]


def _shown(labels: Labels, node: ast.VectorAggregation) -> Labels:
    """The labels of a group: `without` leaves out those without a value, `by` does not."""
    return tuple(item for item in labels if item[1]) if node.grouping.without else labels


def ranked(elements: Iterable[Sample], *, descending: bool) -> list[Sample]:
    """Ordered by value, NaN last in both directions."""
    numbers = [element for element in elements if not math.isnan(element[1])]
    rest = [element for element in elements if math.isnan(element[1])]
    return sorted(numbers, key=lambda element: element[1], reverse=descending) + rest


def extremes(elements: list[Sample], count: int, *, largest: bool) -> list[Sample]:
    """The ``count`` largest or smallest elements; NaN counts as worst."""
    return ranked(elements, descending=largest)[:count]


def _mean(values: list[float]) -> float:
    mean = values[0]
    for count, value in enumerate(values[1:], 2):
        mean += (value - mean) / count
    return mean


def _variance(values: list[float]) -> float:
    mean, total = values[0], 0.0
    for count, value in enumerate(values[1:], 2):
        delta = value - mean
        mean += delta / count
        total += delta * (value - mean)
    return total / len(values)


def _best(values: list[float], better: Callable[[float, float], bool]) -> float:
    best = values[0]
    for value in values:
        if better(value, best) or math.isnan(best):
            best = value
    return best


def _sum(values: list[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


_REDUCERS: dict[str, Callable[[list[float]], float]] = {
    "sum": _sum,
    "avg": _mean,
    "min": lambda values: _best(values, lambda value, best: value < best),
    "max": lambda values: _best(values, lambda value, best: value > best),
    "count": lambda values: float(len(values)),
    "stdvar": _variance,
    "stddev": lambda values: math.sqrt(_variance(values)) if _variance(values) >= 0 else math.nan,
}
