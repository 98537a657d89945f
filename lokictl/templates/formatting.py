"""Go's ``fmt``: ``Sprint``, ``Sprintln`` and ``Sprintf`` over template values."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus, unquote_to_bytes

from lokictl.lazy import lazy_pattern
from lokictl.logql.units import format_float, quote
from lokictl.records import dataclass
from lokictl.templates.errors import FunctionError
from lokictl.templates.values import (
    Duration,
    QueryResult,
    Sample,
    Struct,
    display,
    from_bytes,
    to_bytes,
    type_name,
)

MAX_WIDTH = 1_000_000
"""Go's own limit of a width or precision."""


def sprint(values: list[Any]) -> str:
    """The values' strings; a space between two values that are both not strings."""
    parts: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            parts.append(" ")
        parts.append(display(value))
    return "".join(parts)


def sprintln(values: list[Any]) -> str:
    """The values' strings with spaces between and a newline after them."""
    return " ".join(map(display, values)) + "\n"


@dataclass(slots=True)
class Directive:
    """One ``%…`` of a format: its flags, width and precision (None: not given), and the verb."""

    flags: str
    width: int | None
    precision: int | None
    verb: str

    def has(self, flag: str) -> bool:
        return flag in self.flags


_DIRECTIVE = lazy_pattern(
    r"%(?P<flags>[-+# 0]*)(?:\[(?P<wi>\d+)\])?(?P<width>\*|\d+)?"
    r"(?:(?P<dot>\.)(?:\[(?P<pi>\d+)\])?(?P<precision>\*|\d+)?)?"
    r"(?:\[(?P<vi>\d+)\])?(?P<verb>.)?",
    re.DOTALL,
)


def sprintf(template: str, values: list[Any]) -> str:
    """``Sprintf``, with Go's own words for mistakes (``%!d(string=hi)``, ``%!v(MISSING)``)."""
    return _Printer(values).run(template)


class _Printer:
    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self.next = 0
        self.reordered = False

    def run(self, template: str) -> str:
        parts: list[str] = []
        position = 0
        while (start := template.find("%", position)) >= 0:
            parts.append(template[position:start])
            matched = _DIRECTIVE.match(template, start)
            assert matched is not None
            parts.append(self.directive(matched))
            position = matched.end()
        parts.append(template[position:])
        if not self.reordered and self.next < len(self.values):
            extra = ", ".join(
                "<nil>" if value is None else f"{type_name(value)}={display(value)}"
                for value in self.values[self.next :]
            )
            parts.append(f"%!(EXTRA {extra})")
        return "".join(parts)

    def directive(self, matched: re.Match[str]) -> str:
        verb = matched["verb"]
        bad: list[str] = []
        for index in (matched["wi"], matched["pi"], matched["vi"]):
            self.reordered |= index is not None
        flags = matched["flags"]
        self.seek(matched["wi"], bad)
        width = self.size(matched["width"], "%!(BADWIDTH)", bad)
        if width is not None and width < 0:
            flags, width = flags + "-", -width
        precision: int | None = None
        if matched["dot"]:
            self.seek(matched["pi"], bad)
            precision = self.size(matched["precision"] or "0", "%!(BADPREC)", bad)
            precision = None if precision is not None and precision < 0 else precision
        self.seek(matched["vi"], bad)
        prefix = "".join(text for text in bad if text != "index")
        if verb is None:
            return prefix + "%!(NOVERB)"
        if verb == "%":
            return prefix + "%"
        if "index" in bad:
            return prefix + f"%!{verb}(BADINDEX)"
        if self.next >= len(self.values):
            return prefix + f"%!{verb}(MISSING)"
        value = self.values[self.next]
        self.next += 1
        return prefix + format_value(value, Directive(flags, width, precision, verb))

    def seek(self, index: str | None, bad: list[str]) -> None:
        if index is None:
            return
        if 1 <= int(index) <= len(self.values):
            self.next = int(index) - 1
        else:
            bad.append("index")

    def size(self, text: str | None, complaint: str, bad: list[str]) -> int | None:
        if text is None:
            return None
        if text != "*":
            value = int(text)
            if value > MAX_WIDTH:
                bad.append(complaint)
                return None
            return value
        number = self.values[self.next] if self.next < len(self.values) else None
        self.next += 1
        if isinstance(number, bool) or not isinstance(number, int) or abs(number) > MAX_WIDTH:
            bad.append(complaint)
            return None
        return int(number)


def format_value(value: Any, directive: Directive) -> str:
    """One value by one directive."""
    verb = directive.verb
    if verb == "T":
        return _pad(type_name(value), directive)
    if value is None:
        return _pad("<nil>", directive) if verb == "v" else f"%!{verb}(<nil>)"
    if isinstance(value, bool):
        return _pad(display(value), directive, zero=False) if verb in "tv" else _wrong(value, directive)
    if isinstance(value, float):
        return _float(value, directive)
    if isinstance(value, Duration) and verb in "vs":
        return _pad(display(value), directive)
    if isinstance(value, int):
        return _integer(int(value), directive, value)
    if isinstance(value, str):
        return _string(value, directive)
    if isinstance(value, list | dict | Struct | Sample | QueryResult):
        return _composite(value, directive)
    return _string(str(value), directive) if verb in "vsxXq" else _wrong(value, directive)


def _wrong(value: Any, directive: Directive) -> str:
    """A verb that does not go with the value: the value as ``%v`` shows it, flags, width and precision included."""
    verb = directive.verb
    shown = format_value(value, replace(directive, flags=directive.flags.replace("#", ""), verb="v"))
    return f"%!{verb}({type_name(value)}={shown})"


def _pad(text: str, directive: Directive, *, zero: bool = True) -> str:
    missing = (directive.width or 0) - len(text)
    if missing <= 0:
        return text
    if directive.has("-"):
        return text + " " * missing
    return ("0" if zero and directive.has("0") else " ") * missing + text


def _string(text: str, directive: Directive) -> str:
    verb = directive.verb
    if directive.precision is not None and verb in "vsq":
        text = text[: directive.precision]
    if verb == "v" and directive.has("#"):
        return _pad(quote(text), directive)
    if verb in "vs":
        return _pad(text, directive)
    if verb == "q":
        if directive.has("#") and "`" not in text and text.isprintable():
            return _pad(f"`{text}`", directive)
        return _pad(_ascii_quote(text) if directive.has("+") else quote(text), directive)
    if verb in "xX":
        data = to_bytes(text)[: directive.precision]
        digits = data.hex(" ") if directive.has(" ") else data.hex()
        if directive.has("#") and data:
            digits = " ".join("0x" + part for part in digits.split(" "))
        return _pad(digits.upper() if verb == "X" else digits, directive)
    return _wrong(text, directive)


def _ascii_quote(text: str) -> str:
    quoted = quote(text)
    return "".join(
        c if ord(c) < 0x80 else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}" for c in quoted
    )


def _integer(number: int, directive: Directive, value: Any) -> str:
    verb = directive.verb
    bases = {"d": "d", "v": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
    if verb in bases:
        return _digits(number, directive, format(abs(number), bases[verb]))
    if verb == "c":
        return _pad(_character(number), directive)
    if verb == "q":
        return _pad(_quoted_character(number, ascii_only=directive.has("+")), directive)
    if verb == "U":
        shown = f"U+{number & 0xFFFFFFFFFFFFFFFF:04X}"
        return _pad(f"{shown} '{_character(number)}'" if directive.has("#") else shown, directive, zero=False)
    return _wrong(value, directive)


def _quoted_character(number: int, *, ascii_only: bool) -> str:
    character = _character(number)
    if character == '"':
        return "'\"'"
    body = "\\'" if character == "'" else (_ascii_quote if ascii_only else quote)(character)[1:-1]
    return f"'{body}'"


def _character(number: int) -> str:
    if 0 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF:
        return chr(number)
    return "�"


def _digits(number: int, directive: Directive, digits: str) -> str:
    if directive.precision is not None:
        if directive.precision == 0 and number == 0:
            return _pad("", directive, zero=False)
        digits = digits.rjust(directive.precision, "0")
    prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(directive.verb, "") if directive.has("#") else ""
    prefix = "0o" if directive.verb == "O" else prefix
    sign = "-" if number < 0 else "+" if directive.has("+") else " " if directive.has(" ") else ""
    if directive.has("0") and not directive.has("-") and directive.precision is None and directive.width:
        digits = digits.rjust(directive.width - len(sign), "0")
    return _pad(sign + prefix + digits, directive, zero=False)


def _float(value: float, directive: Directive) -> str:
    verb = directive.verb
    if verb not in "vbgGxXfFeE":
        return _wrong(value, directive)
    sign = "-" if math.copysign(1, value) < 0 and value == value else "+" if directive.has("+") else ""
    sign = sign or (" " if directive.has(" ") else "")
    if not math.isfinite(value):
        body = "NaN" if math.isnan(value) else "Inf"
        sign = sign or ("+" if math.isinf(value) and (verb == "v" or directive.has("+")) else "")
        if math.isinf(value) and not sign.strip():
            sign = "+" if not directive.has(" ") else " "
        return _pad(sign + body, directive, zero=False)
    body = float_body(
        abs(value), "g" if verb == "v" else verb, directive.precision, alternate=directive.has("#")
    )
    if directive.has("0") and not directive.has("-") and directive.width:
        return sign + body.rjust(directive.width - len(sign), "0")
    return _pad(sign + body, directive, zero=False)


def float_body(value: float, verb: str, precision: int | None, *, alternate: bool = False) -> str:
    """A float without its sign by ``%e``, ``%f``, ``%g`` (or upper case, or ``%x``)."""
    lower = verb.lower()
    if verb == "b":
        return _binary(value)
    if lower == "x":
        text = value.hex().replace("0x1.", "0x1.").rstrip("0") if value else "0x0p+00"
        mantissa, _, exponent = value.hex().partition("p")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        number = int(exponent)
        text = f"{mantissa}p{'-' if number < 0 else '+'}{abs(number):02d}"
    elif lower in "ef":
        text = format(value, f".{6 if precision is None else precision}{lower}")
    elif lower == "g" and precision is None:
        text = format_float(value, exponent_from=6 if not alternate else 21)
    elif lower == "g":
        text = format(value, f"{'#' if alternate else ''}.{precision or 1}g")
    else:
        text = format_float(value)
    return text.upper() if verb.isupper() else text


def _binary(value: float) -> str:
    """``%b``: the mantissa as a whole number and the exponent of two."""
    exponent = max(math.frexp(value)[1] - 53, -1074) if value else -1074
    return f"{int(math.ldexp(value, -exponent))}p{exponent:+d}"


def _composite(value: Any, directive: Directive) -> str:
    verb = directive.verb
    if verb == "v" and directive.has("+") and isinstance(value, Struct):
        return (
            "{"
            + " ".join(f"{name}:{format_value(item, directive)}" for name, item in value.fields.items())
            + "}"
        )
    if isinstance(value, Sample | QueryResult):
        return display(value)
    if isinstance(value, list):
        return "[" + " ".join(format_value(item, directive) for item in value) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=to_bytes)
        inner = (f"{format_value(key, directive)}:{format_value(value[key], directive)}" for key in keys)
        return "map[" + " ".join(inner) + "]"
    return "{" + " ".join(format_value(item, directive) for item in value.fields.values()) + "}"


def html_escape(text: str) -> str:
    """``template.HTMLEscapeString``."""
    for character, entity in (
        ("&", "&amp;"),
        ('"', "&#34;"),
        ("'", "&#39;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\0", "�"),
    ):
        text = text.replace(character, entity)
    return text


_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}


def js_escape(text: str) -> str:
    """``template.JSEscapeString``."""
    return "".join(_js(character) for character in text)


def _js(character: str) -> str:
    if character in _JS:
        return _JS[character]
    code = ord(character)
    if code < 0x20:
        return f"\\u{code:04X}"
    if 0xDC80 <= code <= 0xDCFF:
        return character  # A broken byte is U+FFFD, which is printable: Go copies its bytes.
    return character if code < 0x80 or character.isprintable() else f"\\u{code:04X}"


def query_escape(text: str) -> str:
    """``url.QueryEscape``: a space becomes ``+``."""
    return quote_plus(to_bytes(text), safe="")


def query_unescape(text: str) -> str:
    """``url.QueryUnescape``.  Raises `FunctionError` with Go's words."""
    data = to_bytes(text)
    position = 0
    while (position := data.find(b"%", position)) >= 0:
        if not re.fullmatch(rb"%[0-9a-fA-F]{2}", data[position : position + 3]):
            raise FunctionError(f"invalid URL escape {quote(from_bytes(data[position : position + 3]))}")
        position += 3
    return from_bytes(unquote_to_bytes(data.replace(b"+", b" ")))
