"""Go's values as templates see them, in Python.

========================== ==========================================
Go                         Python
========================== ==========================================
string                     `str` (broken bytes as lone surrogates)
int, float64, bool         `int`, `float`, `bool`
int64, uint8               `Int64`, `Uint8`
map[string]string          `StringMap`
map[string]interface {}    `dict`
[]interface {}             `list`
time.Time, time.Duration   `lokictl.templates.times.Time`, `Duration`
a struct                   `Struct`
no value                   `None`
an interface that is nil   `NIL` (an element of a map or slice)
========================== ==========================================
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from lokictl.lazy import lazy_pattern
from lokictl.logql.units import format_float, format_go_duration
from lokictl.records import dataclass


class Int64(int):
    """Go's ``int64``, which is another type than ``int``."""


class Uint8(int):
    """A byte of an indexed string."""


class StringMap(dict[str, str]):
    """``map[string]string``; a missing key reads as the empty string."""


class Duration(int):
    """``time.Duration`` in nanoseconds."""


class Nil:
    """An interface value that holds nothing."""


NIL = Nil()


@dataclass(slots=True)
class Struct:
    """A struct: its Go type's text and its fields in order."""

    type_name: str
    fields: dict[str, Any]


@dataclass(slots=True)
class Sample:
    """One element of what the ruler's ``query`` function returns."""

    labels: StringMap
    value: float


@dataclass(slots=True)
class QueryResult:
    """What the ruler's ``query`` function returns."""

    samples: list[Sample] = field(default_factory=list)


def wrap_int64(value: int) -> Int64:
    """The value as 64 bits hold it."""
    return Int64((value + (1 << 63)) % (1 << 64) - (1 << 63))


_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (Int64, "int64"),
    (Uint8, "uint8"),
    (Duration, "time.Duration"),
    (int, "int"),
    (float, "float64"),
    (str, "string"),
    (StringMap, "map[string]string"),
    (dict, "map[string]interface {}"),
    (list, "[]interface {}"),
    (Sample, "*template.sample"),
    (QueryResult, "template.queryResult"),
    (Nil, "interface {}"),
)


def type_name(value: Any) -> str:
    """Go's text of the value's type."""
    if value is None:
        return "<nil>"
    if isinstance(value, Struct):
        return value.type_name
    for python_type, name in _TYPE_NAMES:
        if isinstance(value, python_type):
            return name
    return "time.Time"


def is_true(value: Any) -> bool:
    """Whether ``if`` takes the value for true: not the zero of its kind, not empty."""
    if value is None or value is NIL:
        return False
    if isinstance(value, QueryResult):
        return bool(value.samples)
    if isinstance(value, str | int | float | dict | list):
        return bool(value)
    return True


def to_bytes(text: str) -> bytes:
    """A string's bytes."""
    return text.encode("utf-8", "surrogateescape")


_BROKEN = lazy_pattern("[\udc80-\udcff]")


def valid_characters(text: str) -> str:
    """The string with U+FFFD for each broken byte, as Go's functions on characters return it."""
    return text if text.isascii() else _BROKEN.sub("\ufffd", text)


def from_bytes(data: bytes) -> str:
    """The string that bytes are."""
    return data.decode("utf-8", "surrogateescape")


def display(value: Any) -> str:
    """``%v``: how a value prints inside of others and with ``print``."""
    if value is None or value is NIL:
        return "<nil>"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Duration):
        return format_go_duration(value)
    if isinstance(value, int):
        return str(value) if hasattr(value, "name") else str(int(value))
    if isinstance(value, float):
        return format_float(value, exponent_from=6)
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{display(value[key])}" for key in sorted(value, key=to_bytes)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(display, value)) + "]"
    if isinstance(value, Struct):
        return "{" + " ".join(map(display, value.fields.values())) + "}"
    if isinstance(value, Sample):
        return f"&{{{display(value.labels)} {display(value.value)}}}"
    if isinstance(value, QueryResult):
        return "[" + " ".join(f"0x{0xC000000000 + 64 * i:x}" for i in range(len(value.samples))) + "]"
    return str(value)
