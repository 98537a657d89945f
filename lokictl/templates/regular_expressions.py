"""Finding and replacing as Go's ``regexp`` does it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lokictl.lazy import lazy_pattern
from lokictl.logql.errors import LogQLError
from lokictl.logql.regex import CompiledRegex, Match, compile_search
from lokictl.templates.errors import FunctionError
from lokictl.templates.values import from_bytes, to_bytes


def compile_go(pattern: str) -> CompiledRegex:
    """The regular expression.  Raises `FunctionError` with Go's words."""
    try:
        return compile_search(pattern)
    except LogQLError as error:
        raise FunctionError(str(error)) from None


def find_all(regex: CompiledRegex, data: bytes) -> Iterator[Match]:
    """All matches that do not overlap; an empty one right after another match does not count."""
    position, previous = 0, -1
    while position <= len(data):
        found = regex.search(data, position)
        if found is None:
            return
        if found.end() > found.start() or found.start() != previous:
            yield found
        previous = found.end()
        if found.end() > found.start():
            position = found.end()
        else:
            position = found.end() + _width(data, found.end())


def _width(data: bytes, at: int) -> int:
    lead = data[at] if at < len(data) else 0
    width = 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    try:
        data[at : at + width].decode()
    except UnicodeDecodeError:
        return 1
    return width


_REFERENCE = lazy_pattern(rb"\$(?:\$|(\w+)|\{(\w+)\})")


def expand(template: bytes, regex: CompiledRegex, found: Match) -> bytes:
    """The replacement with ``$1``, ``${1}``, ``$name`` filled in; what is not a group is empty."""

    def group(matched: re.Match[bytes]) -> bytes:
        name = matched[1] or matched[2]
        if name is None:
            return b"$"
        text = name.decode()
        if text.isdigit() and (text == "0" or text[0] != "0"):
            number = int(text)
            return (found.group(number) or b"") if number <= regex.regex.groups else b""
        index = regex.group_names.get(text)
        return (found.group(index) or b"") if index is not None else b""

    return _REFERENCE.sub(group, template)


def replace_all(pattern: str, text: str, replacement: str, *, literal: bool = False) -> str:
    """``ReplaceAllString`` or ``ReplaceAllLiteralString``."""
    regex, data, template = compile_go(pattern), to_bytes(text), to_bytes(replacement)
    parts: list[bytes] = []
    position = 0
    for found in find_all(regex, data):
        parts.append(data[position : found.start()])
        parts.append(template if literal else expand(template, regex, found))
        position = found.end()
    parts.append(data[position:])
    return from_bytes(b"".join(parts))


def count_matches(pattern: str, text: str) -> int:
    """How many matches there are that do not overlap."""
    return sum(1 for _ in find_all(compile_go(pattern), to_bytes(text)))
