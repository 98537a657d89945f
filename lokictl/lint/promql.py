"""Reading PromQL: whether a string is PromQL, its metrics, the labels that it returns."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from lokictl.lazy import lazy_pattern
from lokictl.logql.grafana_variables import Interpolated, interpolate

_STRINGS = lazy_pattern(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`')
_METRIC = lazy_pattern(
    r"(?<![\w:.$])([A-Za-z_:][\w:]*)"
    r"(?=\s*(?:\{|\[|\)|,|[<>=!+*/%^-]|$|\b(?:and|or|unless|by|on|offset)\b))"
)
_WORDS = frozenset(
    (
        *("and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right"),
        *("offset", "bool", "start", "end", "inf", "nan", "atan2"),
    )
)


def parse_promql(text: str) -> Any:
    """The syntax tree of a PromQL expression.  Raises ValueError if it is not PromQL."""
    # A heavy library, needed for files with metrics only.
    import promql_parser  # noqa: PLC0415 - slow to import, and only Prometheus queries need it

    return promql_parser.parse(text)


KEPT = 512
"""Expressions that several checks ask about in a row: those of one dashboard."""


@lru_cache(maxsize=KEPT)
def filled(text: str) -> Interpolated:
    """An expression with Grafana's variables replaced by something that parses."""
    return interpolate(text)


@lru_cache(maxsize=KEPT)
def _parsed(text: str) -> tuple[Any, str]:
    """The syntax tree, and what is wrong."""
    try:
        return parse_promql(text), ""
    except ValueError as error:
        return None, str(error).strip().partition("\n")[0] or "it cannot be parsed"


def promql_error(text: str) -> str:
    """What is wrong with a PromQL expression; "" when it parses."""
    return _parsed(text)[1]


def is_promql(text: str) -> bool:
    """Whether a string is a PromQL expression."""
    return not promql_error(text)


def metrics_of(text: str) -> list[str]:
    """The metrics that a PromQL expression names, in order, each once."""
    without = _STRINGS.sub('""', re.sub(r"#[^\n]*", "", text))
    without = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", without)
    without = re.sub(r"\{[^}]*\}", "{}", without)
    without = re.sub(r"\[[^\]]*\]", "[]", without)
    found = [match[1] for match in _METRIC.finditer(without) if match[1].lower() not in _WORDS]
    return list(dict.fromkeys(found))


Labels = frozenset[str]


@lru_cache(maxsize=KEPT)
def returned_labels(text: str) -> Labels | None:
    """The labels of what a PromQL expression returns; None where they depend on the metrics."""
    tree, _ = _parsed(text)
    return _labels(tree) if tree is not None else None


def _labels(node: Any) -> Labels | None:
    match type(node).__name__:
        case "AggregateExpr":
            return _aggregated(node)
        case "BinaryExpr":
            return _combined(node)
        case "Call":
            return _called(node)
        case "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
            return _labels(node.expr)
        case "NumberLiteral" | "StringLiteral":
            return frozenset()
    return None


def _aggregated(node: Any) -> Labels | None:
    operation, modifier = str(node.op), node.modifier
    if operation in ("topk", "bottomk", "limitk", "limit_ratio"):
        return _labels(node.expr)
    if modifier is None:
        kept: Labels | None = frozenset()
    elif str(modifier.type).endswith("By"):
        kept = frozenset(modifier.labels)
    else:
        inner = _labels(node.expr)
        kept = None if inner is None else inner - set(modifier.labels)
    if operation != "count_values" or kept is None:
        return kept
    return kept | {node.param.val}


def _called(node: Any) -> Labels | None:
    name, arguments = node.func.name, list(node.args)
    if name in ("vector", "scalar", "time", "pi"):
        return frozenset()
    if name.startswith("absent") or name == "info" or not arguments:
        return None
    if name in ("label_replace", "label_join"):
        inner = _labels(arguments[0])
        return None if inner is None else inner | {arguments[1].val}
    if name in ("histogram_quantile", "histogram_fraction"):
        inner = _labels(arguments[-1])
        return None if inner is None else inner - {"le"}
    # Those of the argument that is not a number.
    vectors = [item for item in arguments if type(item).__name__ not in ("NumberLiteral", "StringLiteral")]
    return _labels(vectors[0]) if vectors else frozenset()


def _combined(node: Any) -> Labels | None:
    operator = str(node.op)
    if operator in ("and", "unless") or _is_number(node.rhs):
        return _labels(node.lhs)
    right = _labels(node.rhs)
    if _is_number(node.lhs):
        return right
    left = _labels(node.lhs)
    if operator == "or":
        return None if left is None or right is None else left | right
    matching = getattr(node.modifier, "matching", None)
    card = str(getattr(node.modifier, "card", "")).rpartition(".")[2]
    if card in ("ManyToOne", "OneToMany"):
        many = left if card == "ManyToOne" else right
        carried = getattr(node.modifier, "group_labels", None)
        return None if many is None or carried is None else many | set(carried)
    if matching is None:
        # Both sides have the same labels, or there is nothing.
        return right if left is None else left
    if str(matching.type).endswith("Include"):
        return left if operator in _COMPARISONS else frozenset(matching.labels)
    return None if left is None else left if operator in _COMPARISONS else left - set(matching.labels)


_COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")


def _is_number(node: Any) -> bool:
    match type(node).__name__:
        case "NumberLiteral":
            return True
        case "ParenExpr" | "UnaryExpr":
            return _is_number(node.expr)
        case "Call":
            return node.func.name in ("scalar", "time", "pi")
        case "BinaryExpr":
            return _is_number(node.lhs) and _is_number(node.rhs)
    return False


def is_zero_for_nothing(text: str) -> bool:
    """Whether a PromQL expression ends in ``or vector(0)``: 0 where it finds nothing."""
    node: Any = _parsed(text)[0] if "vector" in text else None
    while type(node).__name__ in ("ParenExpr", "AggregateExpr"):
        node = node.expr
    if type(node).__name__ != "BinaryExpr" or str(node.op) != "or" or type(node.rhs).__name__ != "Call":
        return False
    return node.rhs.func.name == "vector" and str(node.rhs) == "vector(0)"
