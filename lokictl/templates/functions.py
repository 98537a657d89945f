"""Template functions: their types, and the ones that Go's ``text/template`` brings along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lokictl.records import dataclass
from lokictl.templates.errors import FunctionError
from lokictl.templates.formatting import html_escape, js_escape, query_escape, sprint, sprintf, sprintln
from lokictl.templates.values import (
    NIL,
    QueryResult,
    StringMap,
    Uint8,
    from_bytes,
    is_true,
    to_bytes,
    type_name,
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function that templates may call.

    ``parameters`` are Go type names (``string``, ``int``, ``float64``, ``any`` …); ``variadic`` is the type of
    further arguments. ``call`` gets the values and may raise `FunctionError`.
    """

    call: Callable[..., Any]
    parameters: tuple[str, ...] = ()
    variadic: str | None = None


def _all(values: tuple[Any, ...]) -> str:
    shown = ["<no value>" if value is None or value is NIL else value for value in values]
    return shown[0] if len(shown) == 1 and isinstance(shown[0], str) else sprint(shown)


def length(value: Any) -> int:
    """``len``: bytes of a string, elements of anything else."""
    if isinstance(value, str):
        return len(to_bytes(value))
    if isinstance(value, list | dict):
        return len(value)
    if isinstance(value, QueryResult):
        return len(value.samples)
    if value is None or value is NIL:
        raise FunctionError("reflect: call of reflect.Value.Type on zero Value")
    raise FunctionError(f"len of type {type_name(value)}")


def _position(index: Any, limit: int) -> int:
    if index is None or index is NIL:
        raise FunctionError("cannot index slice/array with nil")
    if isinstance(index, bool) or not isinstance(index, int):
        raise FunctionError(f"cannot index slice/array with type {type_name(index)}")
    if not 0 <= index <= limit:
        raise FunctionError(f"index out of range: {int(index)}")
    return int(index)


def index(item: Any, *indexes: Any) -> Any:
    """``index``: an element of a map, slice or string (a byte of it), by one or several keys."""
    if item is None:
        raise FunctionError("index of untyped nil")
    for key in indexes:
        item = _element(item, key)
    return item


def _element(item: Any, key: Any) -> Any:
    if isinstance(item, str):
        data = to_bytes(item)
        at = _position(key, len(data))
        if at == len(data):
            raise FunctionError("reflect: string index out of range")
        return Uint8(data[at])
    if isinstance(item, QueryResult):
        item = item.samples
    if isinstance(item, list):
        at = _position(key, len(item))
        if at == len(item):
            raise FunctionError("reflect: slice index out of range")
        return item[at]
    if isinstance(item, dict):
        if key is None or key is NIL:
            raise FunctionError("value is nil; should be of type string")
        if not isinstance(key, str):
            raise FunctionError(f"value has type {type_name(key)}; should be string")
        return item.get(key, "" if isinstance(item, StringMap) else NIL)
    if item is NIL:
        raise FunctionError("index of nil pointer")
    raise FunctionError(f"can't index item of type {type_name(item)}")


def cut(item: Any, *indexes: Any) -> Any:
    """``slice``: a stretch of a string (bytes) or of a slice."""
    if item is None:
        raise FunctionError("slice of untyped nil")
    if len(indexes) > 3:
        raise FunctionError(f"too many slice indexes: {len(indexes)}")
    if isinstance(item, str) and len(indexes) == 3:
        raise FunctionError("cannot 3-index slice a string")
    if not isinstance(item, str | list):
        raise FunctionError(f"can't slice item of type {type_name(item)}")
    data: Any = to_bytes(item) if isinstance(item, str) else item
    places = [0, len(data)]
    for number, key in enumerate(indexes):
        at = _position(key, len(data))
        if number < 2:
            places[number] = at
    if places[0] > places[1]:
        raise FunctionError(f"invalid slice index: {places[0]} > {places[1]}")
    part = data[places[0] : places[1]]
    return from_bytes(part) if isinstance(item, str) else part


def _kind(value: Any) -> str:
    if value is None or value is NIL:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    return "string" if isinstance(value, str) else "other"


def _incompatible(first: Any, second: Any) -> FunctionError:
    return FunctionError(f"incompatible types for comparison: {type_name(first)} and {type_name(second)}")


def equal(first: Any, *others: Any) -> bool:
    """``eq``: whether the first equals any other."""
    if not others:
        raise FunctionError("missing argument for comparison")
    kind = _kind(first)
    for other in others:
        other_kind = _kind(other)
        if kind != other_kind:
            if "nil" not in (kind, other_kind):
                raise _incompatible(first, other)
            continue
        if kind == "other" and (
            isinstance(first, dict | list | QueryResult) or isinstance(other, dict | list)
        ):
            raise FunctionError(f"non-comparable type {first!s}: {type_name(first)}")
        if kind == "nil" or first == other:
            return True
    return False


def not_equal(first: Any, second: Any) -> bool:
    """``ne``"""
    return not equal(first, second)


def less(first: Any, second: Any) -> bool:
    """``lt``"""
    for value in (first, second):
        if _kind(value) in ("nil", "other"):
            raise FunctionError("invalid type for comparison")
    if _kind(first) != _kind(second):
        raise _incompatible(first, second)
    if isinstance(first, bool):
        raise FunctionError("invalid type for comparison")
    if isinstance(first, str):
        return to_bytes(first) < to_bytes(second)
    return bool(first < second)


def less_or_equal(first: Any, second: Any) -> bool:
    """``le``"""
    return less(first, second) or equal(first, second)


def greater(first: Any, second: Any) -> bool:
    """``gt``: Go's is the negation of ``le``, so it is true of NaN."""
    return not less_or_equal(first, second)


def greater_or_equal(first: Any, second: Any) -> bool:
    """``ge``: Go's is the negation of ``lt``."""
    return not less(first, second)


def _call(function: Any, *_: Any) -> Any:
    if function is None or function is NIL:
        raise FunctionError("call of nil")
    raise FunctionError(f"non-function {{node}} of type {type_name(function)}")


def _logic(first: Any, *others: Any) -> Any:
    raise AssertionError("the executor evaluates and/or itself")


BUILTINS: Mapping[str, Function] = {
    "and": Function(_logic, ("any",), "any"),
    "or": Function(_logic, ("any",), "any"),
    "not": Function(lambda value: not is_true(value), ("any",)),
    "len": Function(length, ("any",)),
    "index": Function(index, ("any",), "any"),
    "slice": Function(cut, ("any",), "any"),
    "print": Function(lambda *values: sprint(list(values)), (), "any"),
    "printf": Function(lambda text, *values: sprintf(text, list(values)), ("string",), "any"),
    "println": Function(lambda *values: sprintln(list(values)), (), "any"),
    "html": Function(lambda *values: html_escape(_all(values)), (), "any"),
    "js": Function(lambda *values: js_escape(_all(values)), (), "any"),
    "urlquery": Function(lambda *values: query_escape(_all(values)), (), "any"),
    "call": Function(_call, ("any",), "any"),
    "eq": Function(equal, ("any",), "any"),
    "ne": Function(not_equal, ("any", "any")),
    "lt": Function(less, ("any", "any")),
    "le": Function(less_or_equal, ("any", "any")),
    "gt": Function(greater, ("any", "any")),
    "ge": Function(greater_or_equal, ("any", "any")),
}
"""The functions that every Go template has."""

__all__ = ["BUILTINS", "Function", "equal"]
