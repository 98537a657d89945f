"""What Loki's canonical text would change, spelled so that nothing changes: for the pretty form.

The canonical text rounds sizes (``1MiB`` is printed ``1.0MB``), cuts ``vector(…)`` to six decimals, forgets
``ignoring ()`` and ``group_left ()``, and prints some numbers and names so that they do not parse again.  A formatter
must not do that to people's queries.
"""

from __future__ import annotations

import math
from dataclasses import replace

from lokictl.logql import ast
from lokictl.logql.units import format_bytes, format_float, format_value, parse_bytes, quote
from lokictl.records import dataclass


@dataclass(frozen=True, slots=True)
class Written(ast.Node):
    """A part of an expression that is printed as ``text``."""

    text: str


@dataclass(frozen=True, slots=True)
class SpelledMatching(ast.VectorMatching):
    """Printed with its parentheses, empty or not."""


def lossless(node: ast.Node) -> ast.Node:
    """The expression with everything that its canonical text would change replaced by `Written`."""
    written: ast.Node = node.transform(_own)
    return written


def _own(node: ast.Node) -> ast.Node:
    """The node itself, or what is printed in its place."""
    if isinstance(node, ast.Literal):
        return _literal(node)
    if isinstance(node, ast.VectorFunction) and float(f"{node.value:f}") != node.value:
        return Written(f"vector({format_value(node.value)})")
    if isinstance(node, ast.VectorMatching) and (not node.labels or (node.group and not node.include)):
        return SpelledMatching(node.on, node.labels, node.group, node.include)
    if isinstance(node, ast.Matcher) and not is_plain_name(node.name):
        return Written(f"{node.name} {node.operator}{quote(node.value)}")
    if isinstance(node, ast.Extraction) and not is_plain_name(node.name):
        return Written(f"{node.name} ={quote(node.path)}")
    if isinstance(node, ast.LabelComparison):
        operand, plain = _operand(node), is_plain_name(node.name)
        if operand or not plain:
            blank = "" if plain else " "
            return Written(f"{node.name}{blank}{node.operator}{operand or _canonical_operand(node)}")
    return node


def _operand(node: ast.Node) -> str:
    """The operand of a label filter where the canonical text would change it; otherwise empty."""
    if isinstance(node, ast.BytesLabelFilter):
        size = exact_bytes(node.value)
        return size if size != format_bytes(node.value) else ""
    if isinstance(node, ast.NumberLabelFilter) and math.isinf(node.value):
        return "-1e309" if node.value < 0 else "1e309"
    if isinstance(node, ast.StringLabelFilter) and "\r" in node.value:
        return quote(node.value)
    return ""


def _canonical_operand(node: ast.Node) -> str:
    """The operand as the canonical text has it, for a filter whose name is written otherwise there."""
    text = str(replace(node, name="x"))  # type: ignore[call-arg]
    return text.removeprefix("x").lstrip("=!<>~")


def _literal(node: ast.Literal) -> ast.Node:
    """Numbers that come from folded arithmetic and cannot be written as one token."""
    if math.isnan(node.value):
        return Written("(0 / 0)")
    if math.isinf(node.value):
        return Written("(1e308 * 10)" if node.value > 0 else "(-1e308 * 10)")
    if node.value == 0 and math.copysign(1, node.value) < 0:
        return Written("(0 * -1)")
    # `1e+06` is the same number, and nobody's way to write a threshold.
    plain = format_float(node.value)
    return node if plain == str(node) else Written(plain)


def is_plain_name(name: str) -> bool:
    """Whether the canonical text prints a label name without quotes."""
    return name.isascii() and name.replace("_", "a").isalnum() and not name[:1].isdigit()


def exact_bytes(value: int) -> str:
    """A size that parses to exactly ``value``: Loki's own text where it does, else the largest unit that fits."""
    if value == 0:
        return "0KB"  # "0B" begins a binary number
    text = format_bytes(value)
    if parse_bytes(text) == value:
        return text
    for power in range(6, 0, -1):
        for unit, size in (
            (f"{'KMGTPE'[power - 1]}iB", 1 << 10 * power),
            (f"{'kMGTPE'[power - 1]}B", 1000**power),
        ):
            if value % size == 0 and parse_bytes(f"{value // size}{unit}") == value:
                return f"{value // size}{unit}"
    return f"{value}B"
