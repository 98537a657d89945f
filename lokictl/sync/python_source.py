"""Python source for pulled resources: modules that give back exactly what was pulled."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 100
UNITS = (("DAY", 86_400), ("HOUR", 3_600), ("MINUTE", 60), ("SECOND", 1))
NANOSECONDS = 1_000_000_000


class Source(str):
    """Text that is Python already, in the place of a value."""

    __slots__ = ()


def literal(value: Any, indent: int = 0, used: int = 0) -> str:
    """A value as Python, on one line where it fits; ``used`` columns of the first line are taken."""
    flat = _flat(value, WIDTH - max(indent, used))
    if flat is not None:
        return flat
    if isinstance(value, str):
        return _text(value, indent)
    if isinstance(value, Mapping):
        return _in_brackets("{", "}", [(f"{_quoted(k)}: ", v) for k, v in value.items()], indent)
    if isinstance(value, tuple):
        return _in_brackets("(", ")", [("", item) for item in value], indent)
    if isinstance(value, Sequence):
        return _in_brackets("[", "]", [("", item) for item in value], indent)
    return repr(value)


def call(name: str, arguments: Sequence[tuple[str, Any]], indent: int = 0, used: int = 0) -> str:
    """A call; an argument without a name comes by its place."""
    pairs = [(f"{key}=" if key else "", value) for key, value in arguments]
    flat = _flat_items(f"{name}(", ")", pairs, WIDTH - max(indent, used))
    return flat if flat is not None else _in_brackets(f"{name}(", ")", pairs, indent)


def _flat(value: Any, width: int) -> str | None:
    """A value on one line, None where it needs more than ``width`` columns; gives up as soon as that is clear."""
    if isinstance(value, Source):
        text = str(value)
        return text if "\n" not in text and len(text) <= width else None
    if isinstance(value, str):
        if len(value) > width or "\n" in value.strip("\n"):
            return None
        text = _quoted(value)
        return text if len(text) <= width else None
    if isinstance(value, Mapping):
        return _flat_items("{", "}", [(f"{_quoted(key)}: ", item) for key, item in value.items()], width)
    if isinstance(value, tuple):
        return _flat_items("(", ",)" if len(value) == 1 else ")", [("", item) for item in value], width)
    if isinstance(value, Sequence):
        return _flat_items("[", "]", [("", item) for item in value], width)
    return repr(value)


def _flat_items(begin: str, end: str, items: Sequence[tuple[str, Any]], width: int) -> str | None:
    # An item is at least one character and a comma.
    if len(items) * 2 > width:
        return None
    parts: list[str] = []
    left = width - len(begin) - len(end)
    for head, item in items:
        text = _flat(item, left - len(head))
        if text is None:
            return None
        parts.append(head + text)
        left -= len(head) + len(text) + 2
    if left < -2:
        return None
    return begin + ", ".join(parts) + end


def _in_brackets(begin: str, end: str, items: Sequence[tuple[str, Any]], indent: int) -> str:
    if not items:
        return begin + end
    inner = indent + 4
    lines = [f"{' ' * inner}{head}{_indented(value, inner, inner + len(head))}," for head, value in items]
    return "\n".join((begin, *lines, f"{' ' * indent}{end}"))


def _indented(value: Any, indent: int, used: int) -> str:
    return str(value) if isinstance(value, Source) else literal(value, indent, used)


def _text(value: str, indent: int) -> str:
    """A string that does not fit on its line: a block, or one piece per line."""
    if "\n" not in value.strip("\n"):
        return _quoted(value)
    block = _block(value)
    if block:
        return block
    pieces = [_quoted(line) for line in re.findall(r"[^\n]*\n|[^\n]+", value)]
    pad = " " * (indent + 4)
    return "\n".join(("(", *(f"{pad}{piece}" for piece in pieces), f"{' ' * indent})"))


def _block(value: str) -> str:
    """Between three quotes; "" where that would not mean the same."""
    plain = value.replace("\n", "").replace("\t", "")
    if not plain.isprintable() or '"""' in value or value.endswith('"'):
        return ""
    if re.search(r"[^\S\n]$", value, re.MULTILINE):  # editors take spaces at the end of a line away
        return ""
    if "\\" not in value:
        return f'"""{value}"""'
    return f'r"""{value}"""' if _can_be_raw(value) else ""


def _quoted(value: str) -> str:
    """A string on one line, with as few escapes as possible."""
    if value.isprintable():
        for quote in "\"'":
            if quote in value:
                continue
            if "\\" not in value:
                return f"{quote}{value}{quote}"
            if _can_be_raw(value):
                return f"r{quote}{value}{quote}"
    return repr(value)


def _can_be_raw(value: str) -> bool:
    return (len(value) - len(value.rstrip("\\"))) % 2 == 0


def duration(nanoseconds: int) -> Source:
    """A duration as people write it in a module: ``5 * MINUTE``."""
    for name, seconds in UNITS:
        count, rest = divmod(nanoseconds, seconds * NANOSECONDS)
        if count and not rest:
            return Source(name if count == 1 else f"{count} * {name}")
    return Source(str(nanoseconds))


def identifier(text: str) -> str:
    """A module name made from any string."""
    name = re.sub(r"\W+", "_", text.lower(), flags=re.ASCII).strip("_") or "unnamed"
    if name[0].isdigit() or keyword.iskeyword(name):
        name = f"_{name}" if name[0].isdigit() else f"{name}_"
    return name.lstrip("_") if name.lstrip("_").isidentifier() else f"n{name}"


def docstring(text: str) -> str:
    """A one-line docstring of any string."""
    plain = " ".join(text.split()).replace("\\", "/").replace('"', "'")
    return f'"""{plain}"""'
