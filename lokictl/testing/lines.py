"""Log lines from what a test file says about them: strings, mappings, repetitions."""

from __future__ import annotations

import ast
import json
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from lokictl.backends.repetition import Texts
from lokictl.lazy import lazy_pattern
from lokictl.logql.units import quote

INDEX = lazy_pattern(r"\$\{(index[-+*/% 0-9()]*)\}")
"""``${index}``, and arithmetic with it such as ``${index * 10 + 5}``."""

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
    ast.Mod: operator.mod,
}


@lru_cache
def _compiled(expression: str) -> Callable[[int], int]:
    """The function of the index that an expression is: all lines of a repetition have the same one."""
    try:
        return _function(ast.parse(expression.strip(), mode="eval").body)
    except SyntaxError as error:
        raise ValueError(f"${{{expression}}} cannot be computed: {error.args[0]}") from None
    except _UnknownError:
        message = "only whole numbers, index, + - * / % and parentheses"
        raise ValueError(f"${{{expression}}}: {message}") from None


class _UnknownError(Exception):
    """Something that an expression with the index cannot have."""


def _same(index: int) -> int:
    return index


def _function(node: ast.expr) -> Callable[[int], int]:
    if isinstance(node, ast.Name) and node.id == "index":
        return _same
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        constant = node.value
        return lambda index: constant
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        apply, left, right = _OPERATORS[type(node.op)], _function(node.left), _function(node.right)
        return lambda index: apply(left(index), right(index))
    raise _UnknownError


def arithmetic(expression: str, index: int) -> int:
    """The value of ``index * 10 + 5``; divisions are whole.  Raises ValueError."""
    try:
        return _compiled(expression)(index)
    except ZeroDivisionError as error:
        raise ValueError(f"${{{expression}}} cannot be computed: {error.args[0]}") from None


def with_index(value: Any, index: int) -> Any:
    """``value`` (text, list, mapping) with ``${index …}`` replaced; a string that is only that becomes a number."""
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
    """``key=value`` pairs; values with spaces, quotes or ``=`` are quoted."""
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


def line_maker(kind: str, value: Any) -> Texts:
    """The texts of lines, which may name their index; ``kind`` is "line", "json" or "logfmt".  Raises ValueError."""
    renderers: dict[str, Callable[[Any], str]] = {"line": str, "json": json_line, "logfmt": logfmt_line}
    render = renderers[kind]
    if not uses_index(value):
        return _Constant(render(value))
    if kind == "logfmt" and any(
        isinstance(item, Mapping | list) and uses_index(item) for item in value.values()
    ):
        # Python writes these, and quotes what is not a number.
        return _Rendered(render, value)
    return _Pieces(render, value)


class _Constant:
    """Lines that are equal."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, index: int) -> str:
        return self.text

    def first(self, count: int) -> list[str]:
        return [self.text] * count


class _Rendered:
    """Lines rendered one by one."""

    def __init__(self, render: Callable[[Any], str], value: Any) -> None:
        self.render, self.value = render, value

    def __call__(self, index: int) -> str:
        return self.render(with_index(self.value, index))

    def first(self, count: int) -> list[str]:
        return list(map(self, range(count)))


class _Pieces(_Rendered):
    """Lines that differ in numbers only: rendered once with marks where the numbers go."""

    MARK = re.compile(r'"⟦=(\d+)⟧"|⟦=?(\d+)⟧')

    def __init__(self, render: Callable[[Any], str], value: Any) -> None:
        super().__init__(render, value)
        self.functions: list[Callable[[int], int]] = []
        self.format = ""
        # How often the index itself is written, if nothing is computed.
        self.times = 0
        text = render(self._marked(value))
        marks = list(self.MARK.finditer(text))
        # Other brackets of this kind are a part of the value.
        if text.count("⟦") == len(marks) == len(self.functions):
            self.functions = [self.functions[int(found[1] or found[2])] for found in marks]
            if all(function is _same for function in self.functions):
                self.times = len(self.functions)
            ends = [0, *(edge for found in marks for edge in found.span()), len(text)]
            parts = [text[first:last] for first, last in zip(ends[::2], ends[1::2], strict=True)]
            self.format = "%d".join(part.replace("%", "%%") for part in parts)

    def _marked(self, value: Any) -> Any:
        if isinstance(value, str):
            # What is nothing but an expression becomes a number, without quotes.
            equal = "=" if INDEX.fullmatch(value) else ""
            return INDEX.sub(lambda found: f"⟦{equal}{self._number_of(found[1])}⟧", value)
        if isinstance(value, Mapping):
            return {key: self._marked(item) for key, item in value.items()}
        return [self._marked(item) for item in value] if isinstance(value, list) else value

    def _number_of(self, expression: str) -> int:
        self.functions.append(_compiled(expression))
        return len(self.functions) - 1

    def __call__(self, index: int) -> str:
        if self.times:
            return self.format % ((index,) * self.times)
        if not self.format:
            return super().__call__(index)
        try:
            numbers = tuple([function(index) for function in self.functions])
        except ZeroDivisionError:
            return super().__call__(index)
        if max(numbers) >= LARGE or min(numbers) <= -LARGE:
            return super().__call__(index)
        return self.format % numbers

    def first(self, count: int) -> list[str]:
        if self.times == 1:
            return list(map(self.format.__mod__, range(count)))
        return super().first(count)


LARGE = 1 << 62
"""JSON with larger numbers is written in another way."""
