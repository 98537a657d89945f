"""The ``json`` and ``unpack`` stages: a tolerant reader that goes through a line in document order.

Its errors and its leniency are those of the reader that Loki uses: text after the closing brace does not matter, a
trailing comma does not, a number is whatever stands up to the next delimiter.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MALFORMED = "Malformed JSON error"
MALFORMED_OBJECT = "Value looks like object, but can't find closing '}' symbol"
MALFORMED_ARRAY = "Value is array, but can't find closing ']' symbol"
MALFORMED_STRING = "Value is string, but can't find closing '\"' symbol"
MALFORMED_ESCAPE = "Encountered an invalid escape sequence in a string"
UNKNOWN_TYPE = "Unknown value type"

STRING, NUMBER, BOOLEAN, NULL, ARRAY, OBJECT = range(6)

MAX_NESTING = 500

_SPACE = re.compile(rb"[ \n\r\t]*")
_TOKEN = re.compile(rb"[^ \n\r\t,}\]]*")
STRING_END = re.compile(rb'(?:[^"\\]|\\.)*"', re.DOTALL)
_BLOCK = re.compile(rb'["\[\]{}]')


class JsonError(Exception):
    """The line cannot be read further; the text is Loki's detail."""


Visit = Callable[[str, bytes, int], bool]
"""Called with (key, raw value, type) for each member; False stops the reading."""


def each_member(data: bytes, visit: Visit) -> bool:
    """Calls ``visit`` for each member of the object at the start of ``data``; False where it was stopped."""
    offset = next_token(data, 0)
    if offset < 0 or data[offset] != 0x7B:
        raise JsonError(MALFORMED_OBJECT)
    offset = next_token(data, offset + 1)
    if offset < 0:
        raise JsonError(MALFORMED)
    if data[offset] == 0x7D:
        return True
    while offset < len(data):
        if data[offset] == 0x7D:
            return True
        if data[offset] != 0x22:
            raise JsonError(MALFORMED_OBJECT)
        end = STRING_END.match(data, offset + 1)
        if end is None:
            raise JsonError(MALFORMED)
        key = _key(data[offset + 1 : end.end() - 1])
        offset = next_token(data, end.end())
        if offset < 0 or data[offset] != 0x3A:
            raise JsonError(MALFORMED)
        value, kind, offset = read_value(data, offset + 1)
        if not visit(key, value, kind):
            return False
        offset = next_token(data, offset)
        if offset < 0:
            raise JsonError(MALFORMED_ARRAY)
        if data[offset] == 0x7D:
            return True
        if data[offset] != 0x2C:
            raise JsonError(MALFORMED_OBJECT)
        offset = next_token(data, offset + 1)
        if offset < 0:
            raise JsonError(MALFORMED_ARRAY)
    raise JsonError(MALFORMED_OBJECT)


def read_value(data: bytes, offset: int) -> tuple[bytes, int, int]:
    """The value at ``offset``: its raw bytes (strings without their quotes), its type, and where it ends."""
    offset = next_token(data, offset)
    if offset < 0:
        raise JsonError(MALFORMED)
    first = data[offset]
    if first == 0x22:
        end = STRING_END.match(data, offset + 1)
        if end is None:
            raise JsonError(MALFORMED_STRING)
        return data[offset + 1 : end.end() - 1], STRING, end.end()
    if first in (0x5B, 0x7B):
        stop = block_end(data, offset)
        if stop < 0:
            raise JsonError(MALFORMED_ARRAY if first == 0x5B else MALFORMED_OBJECT)
        return data[offset:stop], ARRAY if first == 0x5B else OBJECT, stop
    matched = _TOKEN.match(data, offset)
    token = matched[0] if matched else b""
    return token, _token_kind(token), offset + len(token)


def _token_kind(token: bytes) -> int:
    if token in (b"true", b"false"):
        return BOOLEAN
    if token == b"null":
        return NULL
    if token[:1].isdigit() or token[:1] == b"-":
        return NUMBER
    raise JsonError(UNKNOWN_TYPE)


def next_token(data: bytes, offset: int) -> int:
    """Where the next byte that is not a space stands; -1 at the end."""
    matched = _SPACE.match(data, offset)
    end = matched.end() if matched else offset
    return end if end < len(data) else -1


def block_end(data: bytes, offset: int) -> int:
    """The end of the array or object at ``offset``, counting its own kind of bracket; -1 if there is none."""
    opening, closing = data[offset], 0x5D if data[offset] == 0x5B else 0x7D
    level, position = 0, offset
    while True:
        found = _BLOCK.search(data, position)
        if found is None:
            return -1
        character, position = data[found.start()], found.end()
        if character == 0x22:
            end = STRING_END.match(data, position)
            if end is None:
                return -1
            position = end.end()
        elif character == opening:
            level += 1
        elif character == closing:
            level -= 1
            if level == 0:
                return position


def _key(raw: bytes) -> str:
    if b"\\" in raw:
        unescaped = unescape(raw)
        if unescaped is None:
            raise JsonError(MALFORMED_ESCAPE)
        raw = unescaped
    return raw.decode("utf-8", "surrogateescape")


_ESCAPE = re.compile(rb"\\(.?)", re.DOTALL)
_SIMPLE = {34: b'"', 92: b"\\", 47: b"/", 98: b"\b", 102: b"\f", 110: b"\n", 114: b"\r", 116: b"\t"}


def unescape(raw: bytes) -> bytes | None:
    """The bytes that a JSON string stands for; None where an escape is not one."""
    parts: list[bytes] = []
    position = 0
    while True:
        slash = raw.find(b"\\", position)
        if slash < 0:
            parts.append(raw[position:])
            return b"".join(parts)
        parts.append(raw[position:slash])
        letter = raw[slash + 1 : slash + 2]
        if letter == b"u":
            decoded = _unicode(raw, slash)
            if decoded is None:
                return None
            text, position = decoded
            parts.append(text)
        elif letter and letter[0] in _SIMPLE:
            parts.append(_SIMPLE[letter[0]])
            position = slash + 2
        else:
            return None


def _unicode(raw: bytes, slash: int) -> tuple[bytes, int] | None:
    code = _hex(raw[slash + 2 : slash + 6])
    if code is None:
        return None
    if not 0xD800 <= code <= 0xDFFF:
        return chr(code).encode(), slash + 6
    low = _hex(raw[slash + 8 : slash + 12])
    if low is None or low < 0xDC00:
        return None
    combined = ((code - 0xD800) << 10) + (low - 0xDC00) + 0x10000
    if not 0 <= combined <= 0x10FFFF or 0xD800 <= combined <= 0xDFFF:
        return "\ufffd".encode(), slash + 12
    return chr(combined).encode(), slash + 12


def _hex(digits: bytes) -> int | None:
    if len(digits) != 4:
        return None
    try:
        return int(digits, 16) if digits.isalnum() else None
    except ValueError:
        return None


_BROKEN = re.compile("[\udc80-\udcff\ufffd]")


def text_value(raw: bytes, kind: int) -> str:
    """A string, number or boolean as a label value."""
    if kind == STRING:
        if b"\\" in raw:
            raw = unescape(raw) or b""
        if raw.isascii():
            return raw.decode("ascii")
        return _BROKEN.sub(" ", raw.decode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_]")
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def label_name(key: str) -> str:
    """A top-level key as a label name; "" where nothing is left of it."""
    if _NAME.fullmatch(key):
        return key
    key = key.strip()
    if not key:
        return ""
    if "0" <= key[0] <= "9":
        key = "_" + key
    return _NOT_A_NAME.sub("_", key)


def nested_name(prefix: str, key: str, *, skips_empty: bool = True) -> str:
    """The name of a member of a nested object.  Without ``skips_empty`` an empty key adds its ``_``, too."""
    key = key.strip()
    part = _NOT_A_NAME.sub("_", key)
    if not prefix:
        return label_name(key)
    return f"{prefix}_{part}" if part or not skips_empty else prefix
