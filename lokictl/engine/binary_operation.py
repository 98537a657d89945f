"""Operators between vectors, and between a vector and a number."""

from __future__ import annotations

from collections.abc import Callable

from lokictl.engine.errors import EvaluationError
from lokictl.logql import ast
from lokictl.logql.arithmetic import arithmetic, compare
from lokictl.logql.ast import COMPARISONS

Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]

MANY_TO_MANY = (
    "found duplicate series on the {side} hand-side;"
    "many-to-many matching not allowed: matching labels must be unique on one side"
)
MANY_TO_ONE = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
NOT_UNIQUE = "multiple matches for labels: grouping labels must ensure unique matches"


def with_number(
    operator: str,
    elements: list[Sample],
    number: float,
    *,
    number_left: bool,
    return_bool: bool,
    keeps: bool = True,
) -> list[Sample]:
    """Each element with a number; comparisons filter unless ``return_bool``.

    ``keeps``: what passes keeps its value, also where the number is on the left.
    """
    result = []
    for labels, value in elements:
        left, right = (number, value) if number_left else (value, number)
        if operator not in COMPARISONS:
            result.append((labels, arithmetic(operator, left, right)))
            continue
        holds = compare(operator, left, right)
        if return_bool:
            result.append((labels, 1.0 if holds else 0.0))
        elif holds:
            result.append((labels, value if keeps else left))
    return result


def signature(matching: ast.VectorMatching | None) -> Callable[[Labels], Labels]:
    """The labels by which two elements match; an empty label counts as absent."""
    if matching is None or (not matching.on and not matching.labels):
        return with_values
    names = frozenset(matching.labels)
    if matching.on:
        return lambda labels: tuple(item for item in labels if item[1] and item[0] in names)
    return lambda labels: tuple(item for item in labels if item[1] and item[0] not in names)


def with_values(labels: Labels) -> Labels:
    """The labels without those that are empty."""
    return labels if all(value for _, value in labels) else tuple(item for item in labels if item[1])


def set_operation(node: ast.BinaryOperation, left: list[Sample], right: list[Sample]) -> list[Sample]:
    """``and``, ``or``, ``unless``: elements as they are."""
    key = signature(node.matching)
    if node.operator == "or":
        known = {key(labels) for labels, _ in left}
        return left + [element for element in right if key(element[0]) not in known]
    partners = {key(labels) for labels, _ in right}
    wanted = node.operator == "and"
    return [element for element in left if (key(element[0]) in partners) is wanted]


def with_vector(node: ast.BinaryOperation, left: list[Sample], right: list[Sample]) -> list[Sample]:
    """Arithmetic and comparison of two vectors, one to one or many to one.  Raises `EvaluationError`."""
    matching = node.matching
    group = matching.group if matching else None
    many, one = (right, left) if group == "right" else (left, right)
    key = signature(matching)
    partners: dict[Labels, Sample] = {}
    for element in one:
        place = key(element[0])
        if place in partners:
            raise EvaluationError(MANY_TO_MANY.format(side="left" if group == "right" else "right"))
        partners[place] = element
    seen: dict[Labels, set[Labels]] = {}
    result: list[Sample] = []
    for labels, value in many:
        place = key(labels)
        partner = partners.get(place)
        if partner is None:
            continue
        first, second = (partner[1], value) if group == "right" else (value, partner[1])
        outcome = _outcome(node, first, second)
        own = with_values(_result_labels(labels, partner[0], matching))
        known = seen.setdefault(place, set())
        if group is None and known:
            raise EvaluationError(MANY_TO_ONE)
        if group is not None and own in known:
            raise EvaluationError(NOT_UNIQUE)
        known.add(own)
        if outcome is None:
            continue
        result.append((own, outcome))
    return result


def _outcome(node: ast.BinaryOperation, left: float, right: float) -> float | None:
    if node.operator not in COMPARISONS:
        return arithmetic(node.operator, left, right)
    holds = compare(node.operator, left, right)
    if node.return_bool:
        return 1.0 if holds else 0.0
    return left if holds else None


def _result_labels(labels: Labels, other: Labels, matching: ast.VectorMatching | None) -> Labels:
    if matching is None:
        return labels
    names = frozenset(matching.labels)
    if matching.group is None:
        if matching.on:
            return tuple(item for item in labels if item[0] in names)
        return tuple(item for item in labels if item[0] not in names)
    if not matching.include:
        return labels
    merged, source = dict(labels), dict(other)
    for name in matching.include:
        if source.get(name):
            merged[name] = source[name]
        else:
            merged.pop(name, None)
    return tuple(sorted(merged.items()))
