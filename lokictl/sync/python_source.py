"""Python source for pulled resources: modules that give back exactly what was pulled."""

from __future__ import annotations

import ast
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
    if isinstance(value, Source):
        return str(value)
    if isinstance(value, str):
        return _text(value, indent, used)
    if isinstance(value, Mapping):
        return _in_brackets("{", "}", [(f"{literal(k)}: ", v) for k, v in value.items()], indent, used)
    if isinstance(value, tuple):
        items = [("", item) for item in value]
        return _in_brackets("(", ",)" if len(items) == 1 else ")", items, indent, used)
    if isinstance(value, Sequence):
        return _in_brackets("[", "]", [("", item) for item in value], indent, used)
    return repr(value)


def call(name: str, arguments: Sequence[tuple[str, Any]], indent: int = 0, used: int = 0) -> str:
    """A call; an argument without a name comes by its place."""
    pairs = [(f"{key}=" if key else "", value) for key, value in arguments]
    return _in_brackets(f"{name}(", ")", pairs, indent, used)


def _in_brackets(begin: str, end: str, items: Sequence[tuple[str, Any]], indent: int, used: int) -> str:
    flat = begin + ", ".join(head + literal(value, 0, -10_000) for head, value in items) + end
    if "\n" not in flat and len(flat) + max(indent, used) <= WIDTH:
        return flat
    inner = indent + 4
    lines = [f"{' ' * inner}{head}{literal(value, inner, inner + len(head))}," for head, value in items]
    return "\n".join((begin, *lines, f"{' ' * indent}{end.lstrip(',')}"))


def _text(value: str, indent: int, used: int) -> str:
    plain = _quoted(value)
    if "\n" in value.strip("\n"):
        block = f'"""{value}"""'
        if _means(block, value) and not re.search(r"[^\S\n]$", value, re.MULTILINE) and "\r" not in value:
            return block
        raw = f"r{block}"
        if "\\" in value and _means(raw, value) and not re.search(r"[^\S\n]$", value, re.MULTILINE):
            return raw
    if len(plain) + max(indent, used) <= WIDTH or "\n" not in value.strip("\n"):
        return plain
    pieces = [_quoted(line) for line in value.splitlines(keepends=True)]
    pad = " " * (indent + 4)
    return "\n".join(("(", *(f"{pad}{piece}" for piece in pieces), f"{' ' * indent})"))


def _quoted(value: str) -> str:
    candidates = [f'"{value}"'] if "\n" not in value else []
    if "\\" in value:
        candidates.append(f'r"{value}"')
    if '"' in value:
        candidates += [f"'{value}'", f"r'{value}'"]
    for candidate in candidates:
        if value.isprintable() and _means(candidate, value):
            return candidate
    return repr(value)


def _means(source: str, value: str) -> bool:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return bool(ast.literal_eval(source) == value)
    except (SyntaxError, ValueError, SyntaxWarning):
        return False


def duration(nanoseconds: int) -> Source:
    """A duration as people write it in a module: ``5 * MINUTE``."""
    for name, seconds in UNITS:
        count, rest = divmod(nanoseconds, seconds * NANOSECONDS)
        if count and not rest:
            return Source(name if count == 1 else f"{count} * {name}")
    return Source(str(nanoseconds))


def identifier(text: str) -> str:
    """A module name made from any text."""
    name = re.sub(r"\W+", "_", text.lower(), flags=re.ASCII).strip("_") or "unnamed"
    if name[0].isdigit() or keyword.iskeyword(name):
        name = f"_{name}" if name[0].isdigit() else f"{name}_"
    return name.lstrip("_") if name.lstrip("_").isidentifier() else f"n{name}"


def docstring(text: str) -> str:
    """A one-line docstring of any text."""
    plain = " ".join(text.split()).replace("\\", "/").replace('"', "'")
    return f'"""{plain}"""'
