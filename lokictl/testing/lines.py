"""Log lines from what a test file says about them: texts, mappings, repetitions."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from lokictl.logql.units import quote

INDEX = re.compile(r"\$\{(index[-+*/% 0-9()]*)\}")
"""``${index}``, and arithmetic with it such as ``${index * 10 + 5}``."""

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
}


@lru_cache
def _parsed(expression: str) -> ast.expr:
    """The tree of an expression: all lines of a repetition have the same one."""
    return ast.parse(expression.strip(), mode="eval").body


def arithmetic(expression: str, index: int) -> int:
    """The value of ``index * 10 + 5``; divisions are whole.  Raises ValueError."""

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.Name) and node.id == "index":
            return index
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))
        raise ValueError(f"${{{expression}}}: only whole numbers, index, + - * / % and parentheses")

    try:
        return value(_parsed(expression))
    except (SyntaxError, ZeroDivisionError) as error:
        raise ValueError(f"${{{expression}}} cannot be computed: {error.args[0]}") from None


def with_index(value: Any, index: int) -> Any:
    """``value`` (text, list, mapping) with ``${index …}`` replaced; a text that is only that becomes a number."""
    if isinstance(value, str):
        if "${" not in value:
            return value
        whole = INDEX.fullmatch(value)
        if whole is not None:
            return arithmetic(whole[1], index)
        return INDEX.sub(lambda found: str(arithmetic(found[1], index)), value)
    if isinstance(value, Mapping):
        return {key: with_index(item, index) for key, item in value.items()}
    if isinstance(value, list):
        return [with_index(item, index) for item in value]
    return value


def uses_index(value: Any) -> bool:
    """Whether the index is named anywhere in ``value``."""
    if isinstance(value, str):
        return INDEX.search(value) is not None
    if isinstance(value, Mapping):
        return any(uses_index(item) for item in value.values())
    return isinstance(value, list) and any(uses_index(item) for item in value)


def json_line(value: Any) -> str:
    """Compact JSON, keys in the order of the file."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # Whole numbers of more than 64 bits, which YAML and JSON can hold.
        return json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))


def logfmt_line(value: Mapping[str, Any]) -> str:
    """``key=value`` pairs; values with blanks, quotes or ``=`` are quoted."""
    return " ".join(f"{key}={_logfmt_value(item)}" for key, item in value.items())


def _logfmt_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if re.fullmatch(r'[^\s"=]+', text) and text.isprintable():
        return text
    return quote(text)


def line_maker(kind: str, value: Any) -> Callable[[int], str]:
    """The text of the line with index i; ``kind`` is "line", "json" or "logfmt"."""
    renderers: dict[str, Callable[[Any], str]] = {"line": str, "json": json_line, "logfmt": logfmt_line}
    render = renderers[kind]
    if not uses_index(value):
        text = render(value)
        return lambda index: text
    return lambda index: render(with_index(value, index))
