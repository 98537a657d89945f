"""The tokens of ``logfmt``: keys and values, and what is wrong between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lokictl.engine.json_parser import unescape

_KEY = re.compile(rb'[^="\x00-\x20]*')
_VALUE = re.compile(rb'[^="\x00-\x20]*')
_SEPARATOR = re.compile(rb"[\x00-\x20]*")
_REST = re.compile(rb"[^\x00-\x20]*")
_QUOTED = re.compile(rb'(?:[^"\\]|\\.)*"', re.DOTALL)


class Pair(NamedTuple):
    """A key and its value, or (``error`` set) what was found instead of one."""

    key: bytes
    value: bytes
    error: str = ""


def pairs(line: bytes) -> Iterator[Pair]:
    """The pairs of a line in order; malformed ones with an error, after which reading goes on."""
    position, length = 0, len(line)
    while True:
        position = _end(_SEPARATOR, line, position)
        if position >= length:
            return
        start = position
        position = _end(_KEY, line, position)
        key = line[start:position]
        following = line[position : position + 1]
        if following == b'"' or (following == b"=" and not key):
            yield _wrong(position, f"unexpected '{following.decode()}'")
            position = _end(_REST, line, position)
            continue
        if not _is_utf8(key):
            yield _wrong(position, "invalid key")
            position = _end(_REST, line, position)
            continue
        if following != b"=":
            yield Pair(key, b"")
            continue
        position += 1
        if line[position : position + 1] == b'"':
            end = _QUOTED.match(line, position + 1)
            if end is None:
                yield _wrong(length, "unterminated quoted value")
                return
            raw = line[position + 1 : end.end() - 1]
            value = _unquoted(raw)
            if value is None:
                yield _wrong(end.end(), "invalid quoted value")
            else:
                yield Pair(key, value)
            position = end.end()
            continue
        start = position
        position = _end(_VALUE, line, position)
        following = line[position : position + 1]
        if following in (b"=", b'"'):
            yield _wrong(position, f"unexpected '{following.decode()}'")
            position = _end(_REST, line, position)
            continue
        yield Pair(key, line[start:position])


def _end(pattern: re.Pattern[bytes], line: bytes, position: int) -> int:
    matched = pattern.match(line, position)
    return matched.end() if matched else position


def _wrong(position: int, message: str) -> Pair:
    return Pair(b"", b"", f"logfmt syntax error at pos {position + 1} : {message}")


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return "\ufffd" not in data.decode("utf-8")


def _unquoted(raw: bytes) -> bytes | None:
    if b"\\" not in raw:
        return raw
    return unescape(raw.replace(b"\\'", b"'"))
