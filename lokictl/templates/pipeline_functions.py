"""The functions of ``line_format`` and ``label_format`` templates."""

from __future__ import annotations

import base64
import json
import math
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lokictl.durations import SECOND
from lokictl.lazy import lazy, lazy_pattern
from lokictl.logql.units import parse_bytes, parse_decimal, parse_float, parse_go_duration, quote, seconds
from lokictl.logql.versions import B64_WITHOUT_PADDING, INT_OF_FRACTION, LokiVersion
from lokictl.templates.errors import FunctionError
from lokictl.templates.formatting import query_escape, query_unescape
from lokictl.templates.functions import Function
from lokictl.templates.regular_expressions import count_matches, replace_all
from lokictl.templates.times import ZERO_SECONDS, Time, format_time, location, parse_time
from lokictl.templates.values import NIL, Int64, from_bytes, is_true, to_bytes, valid_characters, wrap_int64

if TYPE_CHECKING:
    from lokictl.templates import decimals
else:
    # Few templates calculate.
    decimals = lazy("lokictl.templates.decimals")

MAX_TEXT = 16 * 1024 * 1024
"""Bytes of the longest text that a function makes."""

_INTEGER = lazy_pattern(r"[+-]?(?:0[xX]_?[0-9a-fA-F_]+|0[bB]_?[01_]+|0[oO]_?[0-7_]+|[0-9][0-9_]*)")


def parse_int(text: str) -> int:
    """``strconv.ParseInt(text, 0, 64)``.  Raises ValueError with Go's words."""
    if not _INTEGER.fullmatch(text) or "__" in text or text.endswith("_"):
        raise ValueError(f"strconv.ParseInt: parsing {quote(text)}: invalid syntax")
    digits = text.lstrip("+-").lower()
    if digits[0] == "0" and len(digits) > 1 and digits[1] in "0123456789_":
        digits = "0o" + digits[1:].lstrip("_")
    try:
        value = int(digits, 0)
    except ValueError:
        raise ValueError(f"strconv.ParseInt: parsing {quote(text)}: invalid syntax") from None
    value = -value if text.startswith("-") else value
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"strconv.ParseInt: parsing {quote(text)}: value out of range")
    return value


def to_int(value: Any) -> int:
    """A number from any value; other values count as 0."""
    if isinstance(value, str):
        text = re.sub(r"^([+-]?[0-9]+)\.[0-9]*$", r"\1", value)
        try:
            return parse_int(text)
        except ValueError:
            return 0
    if isinstance(value, float):
        if not math.isfinite(value) or not -(2.0**63) <= value < 2.0**63:
            return -(1 << 63)
        return int(value)
    return int(value) if isinstance(value, int) else 0


def to_float(value: Any) -> float:
    """A float from any value; other values count as 0."""
    if isinstance(value, str):
        try:
            return parse_float(value)
        except ValueError:
            return 0.0
    return float(value) if isinstance(value, int | float) else 0.0


# --- text ------------------------------------------------------------------------------------------------------


def _bounds(low: str, high: str, rest: str = "") -> FunctionError:
    return FunctionError(f"runtime error: slice bounds out of range [{low}:{high}]{rest}")


def substring(start: int, end: int, text: str) -> str:
    """``substr``: a stretch of bytes."""
    data = to_bytes(text)
    if start < 0:
        if not 0 <= end <= len(data):
            raise _bounds("", str(end), f" with length {len(data)}" if end >= 0 else "")
        return from_bytes(data[:end])
    if end < 0 or end > len(data):
        if start > len(data):
            raise _bounds(str(start), str(len(data)))
        return from_bytes(data[start:])
    if start > end:
        raise _bounds(str(start), str(end))
    return from_bytes(data[start:end])


def truncate(count: int, text: str) -> str:
    """``trunc``: the first bytes, or the last ones of a negative count."""
    data = to_bytes(text)
    if count < 0:
        return from_bytes(data[count:]) if len(data) + count > 0 else text
    return from_bytes(data[:count])


def repeat(count: int, text: str) -> str:
    """``repeat``"""
    if count < 0:
        raise FunctionError("strings: negative Repeat count")
    if count * len(text) > MAX_TEXT:
        raise FunctionError(f"the text would be longer than {MAX_TEXT} bytes")
    return text * count


def indent(count: int, text: str) -> str:
    """``indent``: spaces before every line."""
    pad = repeat(count, " ")
    repeat(text.count("\n"), pad)
    return pad + text.replace("\n", "\n" + pad)


def align_left(count: int, text: str) -> str:
    """``alignLeft``: exactly this many characters, spaces or a cut at the right."""
    if 0 <= count < len(text):
        return valid_characters(text[:count])
    return text + repeat(max(count - len(text), 0), " ")


def align_right(count: int, text: str) -> str:
    """``alignRight``: exactly this many characters, spaces or a cut at the left."""
    if 0 <= count < len(text):
        return valid_characters(text[len(text) - count :])
    return repeat(max(count - len(text), 0), " ") + text


def lower(text: str) -> str:
    """Unicode lower case, letter by letter as Go does it."""
    return (
        text.lower()
        if text.isascii()
        else "".join(c.lower() if len(c.lower()) == 1 else _simple_lower(c) for c in valid_characters(text))
    )


def _simple_lower(character: str) -> str:
    return "i" if character == "İ" else character


def upper(text: str) -> str:
    """Unicode upper case, letter by letter as Go does it (``ß`` stays)."""
    if text.isascii():
        return text.upper()
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in valid_characters(text))


def title(text: str) -> str:
    """``strings.Title``: the first letter of each word in title case."""
    text = valid_characters(text)
    return "".join(_title_letter(c) if not i or _separator(text[i - 1]) else c for i, c in enumerate(text))


def _title_letter(character: str) -> str:
    titled = character.title()
    return titled if len(titled) == 1 else character


def _separator(character: str) -> bool:
    if character.isascii():
        return not (character.isalnum() or character == "_")
    if character.isalpha() or character.isdigit():
        return False
    return character.isspace()


def _is_space(character: str) -> bool:
    return (
        character in "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
        or "\u2000" <= character <= "\u200a"
    )


def trim_space(text: str) -> str:
    """``strings.TrimSpace``"""
    start, end = 0, len(text)
    while start < end and _is_space(text[start]):
        start += 1
    while end > start and _is_space(text[end - 1]):
        end -= 1
    return text[start:end]


def replace(text: str, old: str, new: str, count: int) -> str:
    """``strings.Replace``"""
    if new and count and len(text) * max(len(new), 1) > MAX_TEXT * 16:
        raise FunctionError(f"the text would be longer than {MAX_TEXT} bytes")
    return text.replace(old, new, count)


def decode_base64(text: str) -> str:
    """``b64dec``: Go's error text where it does not decode."""
    data = to_bytes(text)
    broken = _broken_base64(data)
    if broken is not None:
        return f"illegal base64 data at input byte {broken}"
    return from_bytes(base64.b64decode(data))


_LINE_BREAK = re.compile(rb"[\r\n]+")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/\r\n]")


def _broken_base64(data: bytes) -> int | None:
    """Where Go finds that ``data`` is not base64, as an index; it passes over line breaks."""
    stranger = _NOT_BASE64.search(data)
    end = stranger.start() if stranger else len(data)
    left_over = len(_LINE_BREAK.sub(b"", data[:end])) % 4
    if stranger is None:
        return len(data) - left_over if left_over else None
    if stranger[0] != b"=" or left_over < 2:
        return end
    place = _after_line_breaks(data, end + 1)
    if left_over == 2:
        if place == len(data):
            return place
        if data[place : place + 1] != b"=":
            return place - 1
        place = _after_line_breaks(data, place + 1)
    return place if place < len(data) else None


def _after_line_breaks(data: bytes, place: int) -> int:
    found = _LINE_BREAK.match(data, place)
    return found.end() if found else place


# --- numbers ---------------------------------------------------------------------------------------------------


def _integer_fold(values: tuple[Any, ...], combine: Callable[[int, int], int]) -> Int64:
    result = to_int(values[0])
    for value in values[1:]:
        result = wrap_int64(combine(result, to_int(value)))
    return Int64(result)


def divide(first: Any, second: Any) -> Int64:
    """``div``, towards zero."""
    dividend, divisor = to_int(first), to_int(second)
    if not divisor:
        raise FunctionError("runtime error: integer divide by zero")
    quotient = abs(dividend) // abs(divisor)
    return wrap_int64(quotient if (dividend < 0) == (divisor < 0) else -quotient)


def modulo(first: Any, second: Any) -> Int64:
    """``mod``, with the sign of the dividend."""
    dividend, divisor = to_int(first), to_int(second)
    if not divisor:
        raise FunctionError("runtime error: integer divide by zero")
    rest = abs(dividend) % abs(divisor)
    return Int64(-rest if dividend < 0 else rest)


def _maximum(first: float, second: float) -> float:
    if (math.isinf(first) and first > 0) or (math.isinf(second) and second > 0):
        return math.inf
    return math.nan if math.isnan(first) or math.isnan(second) else max(first, second)


def _minimum(first: float, second: float) -> float:
    return -_maximum(-first, -second)


def _float_fold(values: tuple[Any, ...], combine: Callable[[float, float], float]) -> float:
    result = to_float(values[0])
    for value in values[1:]:
        result = combine(result, to_float(value))
    return result


def _whole(value: Any, function: Callable[[float], int]) -> float:
    number = to_float(value)
    return float(function(number)) if math.isfinite(number) else number


def round_number(value: Any, places: int, *round_on: float) -> float:
    """``round``: upwards from the fraction ``round_on`` (0.5) on."""
    try:
        power = math.pow(10, places)
    except OverflowError:
        power = math.inf
    digit = power * to_float(value)
    if not math.isfinite(digit):
        return digit / power if power else math.nan
    fraction = math.modf(digit)[0]
    rounded = math.ceil(digit) if fraction >= (round_on[0] if round_on else 0.5) else math.floor(digit)
    return rounded / power if power else math.nan


# --- conversions -----------------------------------------------------------------------------------------------


def _worded(convert: Callable[[str], float], text: str) -> float:
    try:
        return float(convert(text))
    except ValueError as error:
        raise FunctionError(str(error)) from None


def to_byte_count(text: str) -> float:
    """``bytes``: the number of bytes of a size such as ``2KB``."""
    return _worded(parse_bytes, text)


def to_seconds(text: str) -> float:
    """``duration``: the seconds of a Go duration."""
    return _worded(lambda value: seconds(parse_go_duration(value)), text)


_LONE_SURROGATE = lazy_pattern("[\ud800-\udfff]")


def _go_json(value: Any) -> Any:
    if value is None:
        return NIL
    if isinstance(value, dict):
        return {key: _go_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_go_json(item) for item in value]
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, bool):
        return value
    number = float(value) if abs(value) < 1 << 1024 else math.inf
    return number if math.isfinite(number) else NIL


def from_json(text: str) -> Any:
    """``fromJson``: any JSON value; nothing if the string is not JSON."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    try:
        return _go_json(json.loads(to_bytes(text).decode("utf-8", "replace"), parse_constant=refuse))
    except (ValueError, RecursionError):
        return NIL


def _time_of(value: Any, now: Callable[[], Time]) -> Time:
    if isinstance(value, Time):
        return value
    if type(value) in (int, Int64):
        return Time(int(value) * SECOND)
    return now()


def _now() -> Time:
    return Time(time.time_ns())


def _parsed_or_zero(layout: str, text: str, zone: str = "UTC") -> Time:
    try:
        return parse_time(layout, text, location(zone))
    except FunctionError:
        return Time(ZERO_SECONDS * SECOND)


_UNITS = {5: 86400 * SECOND, 10: SECOND, 13: 1_000_000, 16: 1_000, 19: 1}


def unix_to_time(text: str) -> Time:
    """``unixToTime``: the unit follows from the number of digits."""
    try:
        number = parse_decimal(text)
    except ValueError as error:
        raise FunctionError(f"unable to parse time '{text}': {error}") from None
    unit = _UNITS.get(len(to_bytes(text)))
    if unit is None:
        raise FunctionError(f"unable to parse time '{text}': %!w(<nil>)")
    return Time(number * unit)


def default(fallback: Any, *given: Any) -> Any:
    """``default``: the given value unless it is empty."""
    return given[0] if given and is_true(given[0]) else fallback


_S = "string"

FUNCTIONS: dict[str, Function] = {
    "ToLower": Function(lower, (_S,)),
    "ToUpper": Function(upper, (_S,)),
    "lower": Function(lower, (_S,)),
    "upper": Function(upper, (_S,)),
    "title": Function(title, (_S,)),
    "Replace": Function(replace, (_S, _S, _S, "int")),
    "replace": Function(lambda old, new, text: replace(text, old, new, -1), (_S, _S, _S)),
    "Trim": Function(lambda text, cutset: text.strip(cutset) if cutset else text, (_S, _S)),
    "TrimLeft": Function(lambda text, cutset: text.lstrip(cutset) if cutset else text, (_S, _S)),
    "TrimRight": Function(lambda text, cutset: text.rstrip(cutset) if cutset else text, (_S, _S)),
    "TrimPrefix": Function(lambda text, prefix: text.removeprefix(prefix), (_S, _S)),
    "TrimSuffix": Function(lambda text, suffix: text.removesuffix(suffix), (_S, _S)),
    "TrimSpace": Function(trim_space, (_S,)),
    "trim": Function(trim_space, (_S,)),
    "trimAll": Function(lambda cutset, text: text.strip(cutset) if cutset else text, (_S, _S)),
    "trimPrefix": Function(lambda prefix, text: text.removeprefix(prefix), (_S, _S)),
    "trimSuffix": Function(lambda suffix, text: text.removesuffix(suffix), (_S, _S)),
    "trunc": Function(truncate, ("int", _S)),
    "substr": Function(substring, ("int", "int", _S)),
    "contains": Function(lambda part, text: part in text, (_S, _S)),
    "hasPrefix": Function(lambda prefix, text: text.startswith(prefix), (_S, _S)),
    "hasSuffix": Function(lambda suffix, text: text.endswith(suffix), (_S, _S)),
    "indent": Function(indent, ("int", _S)),
    "nindent": Function(lambda count, text: "\n" + indent(count, text), ("int", _S)),
    "repeat": Function(repeat, ("int", _S)),
    "alignLeft": Function(align_left, ("int", _S)),
    "alignRight": Function(align_right, ("int", _S)),
    "b64enc": Function(lambda text: base64.b64encode(to_bytes(text)).decode(), (_S,)),
    "b64dec": Function(decode_base64, (_S,)),
    "regexReplaceAll": Function(lambda pattern, text, new: replace_all(pattern, text, new), (_S, _S, _S)),
    "regexReplaceAllLiteral": Function(
        lambda pattern, text, new: replace_all(pattern, text, new, literal=True), (_S, _S, _S)
    ),
    "count": Function(count_matches, (_S, _S)),
    "urlencode": Function(query_escape, (_S,)),
    "urldecode": Function(query_unescape, (_S,)),
    "bytes": Function(to_byte_count, (_S,)),
    "duration": Function(to_seconds, (_S,)),
    "duration_seconds": Function(to_seconds, (_S,)),
    "int": Function(to_int, ("any",)),
    "float64": Function(to_float, ("any",)),
    "add": Function(lambda *values: _integer_fold((0, *values), lambda a, b: a + b), (), "any"),
    "sub": Function(lambda a, b: _integer_fold((a, b), lambda x, y: x - y), ("any", "any")),
    "mul": Function(lambda *values: _integer_fold(values, lambda a, b: a * b), ("any",), "any"),
    "div": Function(divide, ("any", "any")),
    "mod": Function(modulo, ("any", "any")),
    "max": Function(lambda *values: _integer_fold(values, max), ("any",), "any"),
    "min": Function(lambda *values: _integer_fold(values, min), ("any",), "any"),
    "addf": Function(lambda *values: decimals.add(map(to_float, (0.0, *values))), (), "any"),
    "subf": Function(lambda *values: decimals.subtract(map(to_float, values)), ("any",), "any"),
    "mulf": Function(lambda *values: decimals.multiply(map(to_float, values)), ("any",), "any"),
    "divf": Function(lambda *values: decimals.divide(map(to_float, values)), ("any",), "any"),
    "maxf": Function(lambda *values: _float_fold(values, _maximum), ("any",), "any"),
    "minf": Function(lambda *values: _float_fold(values, _minimum), ("any",), "any"),
    "ceil": Function(lambda value: _whole(value, math.ceil), ("any",)),
    "floor": Function(lambda value: _whole(value, math.floor), ("any",)),
    "round": Function(round_number, ("any", "int"), "float64"),
    "fromJson": Function(from_json, (_S,)),
    "date": Function(lambda layout, value: format_time(_time_of(value, _now), layout), (_S, "any")),
    "toDate": Function(_parsed_or_zero, (_S, _S)),
    "toDateInZone": Function(lambda layout, zone, text: _parsed_or_zero(layout, text, zone), (_S, _S, _S)),
    "now": Function(_now),
    "unixEpoch": Function(lambda time: str(time.seconds()), ("time.Time",)),
    "unixEpochMillis": Function(lambda time: str(time.nanoseconds // 1_000_000), ("time.Time",)),
    "unixEpochNanos": Function(lambda time: str(wrap_int64(time.nanoseconds)), ("time.Time",)),
    "unixToTime": Function(unix_to_time, (_S,)),
    "default": Function(default, ("any",), "any"),
}
"""All of them but ``__line__`` and ``__timestamp__``, which each execution brings along."""


def functions_of(version: LokiVersion) -> dict[str, Function]:
    """The functions that are others in ``version``."""
    other: dict[str, Function] = {}
    if version.has(B64_WITHOUT_PADDING):
        other["b64dec"] = Function(_decode_unpadded, (_S,))
    if not version.has(INT_OF_FRACTION):
        other |= {name: _whole_only(FUNCTIONS[name]) for name in _INTEGERS}
    return other


_INTEGERS = ("int", "add", "sub", "mul", "div", "mod", "max", "min")


def _whole_only(function: Function) -> Function:
    """The function with strings of fractions counting as 0."""

    def call(*values: Any) -> Any:
        return function.call(*("0" if isinstance(value, str) and "." in value else value for value in values))

    return Function(call, function.parameters, function.variadic)


def _decode_unpadded(text: str) -> str:
    """``b64dec`` that adds the ``=`` that a string of this length lacks at its end."""
    missing = -len(to_bytes(text)) % 4
    return decode_base64(text + "=" * missing if missing < 3 else text)


__all__ = ["FUNCTIONS", "functions_of", "to_float", "to_int"]
