"""Numbers, durations and sizes as text: Go's and Prometheus' forms, read and written as Loki does.

Durations are int nanoseconds.  Errors are ValueError with Go's own words.
"""

from __future__ import annotations

import functools
import math
import re

from lokictl.lazy import lazy_pattern

NANOSECOND = 1
MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
YEAR = 365 * DAY

MAX_INT64 = (1 << 63) - 1
MAX_UINT64 = (1 << 64) - 1

_PROMETHEUS_UNITS = {"ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, "y": YEAR}
_PROMETHEUS_ORDER = ("ms", "s", "m", "h", "d", "w", "y")


@functools.lru_cache(maxsize=4096)
def parse_prometheus_duration(text: str) -> int:
    """Nanoseconds of a duration such as ``1d12h`` (units strictly decreasing, whole numbers, no sign)."""
    if text == "0":
        return 0
    if text == "":
        raise ValueError("empty duration string")
    original, position, total, last = text, 0, 0, len(_PROMETHEUS_ORDER)
    while position < len(original):
        start = position
        while position < len(original) and "0" <= original[position] <= "9":
            position += 1
        if start == position:
            raise ValueError(f"not a valid duration string: {quote(original)}")
        number = int(original[start:position])
        start = position
        while position < len(original) and not "0" <= original[position] <= "9":
            position += 1
        unit = original[start:position]
        if not unit:
            raise ValueError(f"not a valid duration string: {quote(original)}")
        if unit not in _PROMETHEUS_UNITS:
            raise ValueError(f"unknown unit {quote(unit)} in duration {quote(original)}")
        rank = _PROMETHEUS_ORDER.index(unit)
        if rank >= last:
            raise ValueError(f"not a valid duration string: {quote(original)}")
        last = rank
        total += number * _PROMETHEUS_UNITS[unit]
        if number > MAX_INT64 or total > MAX_INT64:
            raise ValueError("duration out of range")
    return total


def format_prometheus_duration(nanoseconds: int) -> str:
    """The duration in Prometheus' form; parts below a millisecond are lost (``0s`` for none)."""
    milliseconds = nanoseconds // MILLISECOND
    if milliseconds == 0:
        return "0s"
    parts = []
    units = (
        ("y", YEAR, True),
        ("w", WEEK, True),
        ("d", DAY, False),
        ("h", HOUR, False),
        ("m", MINUTE, False),
    )
    for unit, size, exact in (*units, ("s", SECOND, False), ("ms", MILLISECOND, False)):
        milli = size // MILLISECOND
        if exact and milliseconds % milli:
            continue
        count, milliseconds_left = divmod(milliseconds, milli)
        if count:
            parts.append(f"{count}{unit}")
            milliseconds = milliseconds_left
    return "".join(parts)


_GO_UNITS = {
    "ns": NANOSECOND,
    "us": MICROSECOND,
    "µs": MICROSECOND,  # U+00B5
    "μs": MICROSECOND,  # U+03BC
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
}


def parse_go_duration(text: str) -> int:
    """Nanoseconds of Go's ``time.ParseDuration``: signed, fractional, units ns to h in any order."""
    body, negative = text, False
    if body[:1] in ("+", "-"):
        negative = body[0] == "-"
        body = body[1:]
    if body == "0":
        return 0
    if body == "":
        raise ValueError(f"time: invalid duration {_time_quote(text)}")
    total, position = 0, 0
    while position < len(body):
        matched = _GO_NUMBER.match(body, position)
        if matched is None or not (matched[1] or matched[2]) or int(matched[1] or 0) > MAX_INT64 + 1:
            raise ValueError(f"time: invalid duration {_time_quote(text)}")
        position = matched.end()
        start = position
        while position < len(body) and body[position] != "." and not "0" <= body[position] <= "9":
            position += 1
        unit = body[start:position]
        if not unit:
            raise ValueError(f"time: missing unit in duration {_time_quote(text)}")
        if unit not in _GO_UNITS:
            raise ValueError(f"time: unknown unit {_time_quote(unit)} in duration {_time_quote(text)}")
        size = _GO_UNITS[unit]
        whole = int(matched[1] or 0) * size
        fraction = matched[2] or ""
        total += whole + (int(int(fraction) * (size / 10 ** len(fraction))) if fraction else 0)
        if total > MAX_INT64 + negative:
            raise ValueError(f"time: invalid duration {_time_quote(text)}")
    return -total if negative else total


def seconds(nanoseconds: int) -> float:
    """A duration in seconds as Go computes it: whole seconds and the rest apart, so 1235 ms are 1.2349999999999999."""
    sign = -1 if nanoseconds < 0 else 1
    whole, rest = divmod(abs(nanoseconds), SECOND)
    return float(sign * whole) + float(sign * rest) / 1e9


def _time_quote(text: str) -> str:
    """How Go's package ``time`` quotes: every byte of what is not printable ASCII as ``\\x``."""
    parts = []
    for character in text:
        if character in '"\\':
            parts.append("\\" + character)
        elif " " <= character < "\x80":
            parts.append(character)
        else:
            parts.extend(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
    return '"' + "".join(parts) + '"'


_GO_NUMBER = lazy_pattern(r"([0-9]*)(?:\.([0-9]*))?")


def format_go_duration(nanoseconds: int) -> str:
    """Go's ``time.Duration.String``: ``1h30m0s``, ``1.5s``, ``2ms``, ``0s``."""
    sign, value = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if value == 0:
        return "0s"
    if value < SECOND:
        for unit, size in (("ns", NANOSECOND), ("µs", MICROSECOND), ("ms", MILLISECOND)):
            if value < size * 1000:
                return f"{sign}{_fraction(value, size)}{unit}"
    hours, rest = divmod(value, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds = f"{_fraction(rest, SECOND)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else sign + seconds


def _fraction(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    digits = str(rest).rjust(len(str(size)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


_SIZES = {
    **dict.fromkeys(("", "b"), 1),
    **dict.fromkeys(("k", "kb"), 10**3),
    **dict.fromkeys(("ki", "kib"), 1 << 10),
    **dict.fromkeys(("m", "mb"), 10**6),
    **dict.fromkeys(("mi", "mib"), 1 << 20),
    **dict.fromkeys(("g", "gb"), 10**9),
    **dict.fromkeys(("gi", "gib"), 1 << 30),
    **dict.fromkeys(("t", "tb"), 10**12),
    **dict.fromkeys(("ti", "tib"), 1 << 40),
    **dict.fromkeys(("p", "pb"), 10**15),
    **dict.fromkeys(("pi", "pib"), 1 << 50),
    **dict.fromkeys(("e", "eb"), 10**18),
    **dict.fromkeys(("ei", "eib"), 1 << 60),
}


def parse_bytes(text: str) -> int:
    """Bytes of a humanised size: ``1.5kB``, ``20 MiB``, ``1,000``; units of any case, the result cut to whole bytes."""
    split = 0
    while split < len(text) and (text[split].isdigit() or text[split] in ".,"):
        split += 1
    # Go counts the digits in characters and cuts in bytes.
    digits = text.encode("utf-8", "surrogateescape")[:split].decode("utf-8", "surrogateescape")
    number = parse_float(digits.replace(",", ""))
    unit = text[split:].strip().lower()
    if unit not in _SIZES:
        raise ValueError(f"unhandled size name: {unit}")
    value = number * _SIZES[unit]
    if value >= MAX_UINT64:
        raise ValueError(f"too large: {text}")
    return int(value)


def format_bytes(value: int) -> str:
    """A size as Loki prints it: about two significant digits, in thousands (``1.2kB``)."""
    if value < 10:
        return f"{value}B"
    names = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
    exponent = math.floor(math.log(value) / math.log(1000))
    scaled = math.floor(value / math.pow(1000, exponent) * 10 + 0.5) / 10
    return f"{scaled:.1f}{names[exponent]}" if scaled < 10 else f"{scaled:.0f}{names[exponent]}"


_DECIMAL = lazy_pattern(r"[+-]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?")
_HEXADECIMAL = lazy_pattern(r"([+-]?)0[xX]_?([0-9a-fA-F_]*)\.?([0-9a-fA-F_]*)[pP]([+-]?[0-9][0-9_]*)")
_INFINITE = {"inf": math.inf, "infinity": math.inf, "nan": math.nan}


def parse_float(text: str) -> float:
    """Go's ``strconv.ParseFloat(text, 64)``; raises ValueError with its words."""
    try:
        # The common case: what Python and Go agree on.
        if len(text) < 300 and text.isascii() and text.replace(".", "", 1).isdigit():
            return float(text)
    except ValueError:
        pass
    bare = text[1:] if text[:1] in ("+", "-") else text
    if bare.lower() in _INFINITE:
        value = _INFINITE[bare.lower()]
        return -value if text[0] == "-" else value
    if _DECIMAL.fullmatch(text) and (_underscores_fit(text)):
        value = float(text.replace("_", ""))
    else:
        matched = _HEXADECIMAL.fullmatch(text)
        if matched is None or not (matched[2] + matched[3]).strip("_") or not _underscores_fit(text):
            raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax")
        try:
            value = float.fromhex(text.replace("_", ""))
        except OverflowError:
            value = math.inf
    if math.isinf(value):
        raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return value


def _underscores_fit(text: str) -> bool:
    """Whether every ``_`` is between digits (or after the base prefix), as Go asks."""
    if "_" not in text:
        return True
    body = text.lstrip("+-")
    hexadecimal = body[:2].lower() == "0x"
    digit = "[0-9a-fA-F]" if hexadecimal else "[0-9]"
    body = "0" + body[2:] if hexadecimal else body
    return re.search(rf"(?<!{digit})_|_(?!{digit})", body) is None


def parse_decimal(text: str) -> int:
    """``strconv.ParseInt(text, 10, 64)``.  Raises ValueError with Go's words."""
    if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
        raise ValueError(f"strconv.ParseInt: parsing {quote(text)}: invalid syntax")
    value = int(text)
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"strconv.ParseInt: parsing {quote(text)}: value out of range")
    return value


def format_float(value: float, *, exponent_from: int = 21) -> str:
    """Shortest digits, exponent form below 1e-4 and from ten to the ``exponent_from`` on.

    21 is how Go's ``%#v`` and JSON write a float64, 6 is ``%v``.
    """
    return _shortest(value, exponent_from)


def _special(value: float) -> str:
    """Not a number, the infinities and the zeros; "" for other numbers."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    return ""


def format_value(value: float) -> str:
    """A sample value as Loki's API writes it: shortest digits, never an exponent."""
    if special := _special(value):
        return special
    sign, digits, exponent = _digits(value)
    if exponent <= 0:
        return f"{sign}0.{'0' * -exponent}{digits}"
    if len(digits) <= exponent:
        return sign + digits.ljust(exponent, "0")
    return f"{sign}{digits[:exponent]}.{digits[exponent:]}"


def _shortest(value: float, limit: int) -> str:
    if special := _special(value):
        return special
    sign, digits, exponent = _digits(value)
    scientific = exponent - 1
    if scientific < -4 or scientific >= limit:
        mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{sign}{mantissa}e{'-' if scientific < 0 else '+'}{abs(scientific):02d}"
    return format_value(value)


def _digits(value: float) -> tuple[str, str, int]:
    """(sign, significant digits, exponent): value = 0.digits x 10^exponent."""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole.lstrip("0")) if whole.strip("0") else -(len(fraction) - len(fraction.lstrip("0")))
    return "-" if value < 0 else "", digits.rstrip("0") or "0", leading + int(exponent or 0)


_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}
_PLAIN = lazy_pattern(r"[ !#-\[\]-~]*")


def quote(text: str) -> str:
    """Go's ``strconv.Quote``; a lone surrogate from ``surrogateescape`` is written as the byte it stands for."""
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    return '"' + "".join(_quoted(character) for character in text) + '"'


def _quoted(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if character.isprintable():
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
