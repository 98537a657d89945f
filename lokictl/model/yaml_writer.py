"""YAML in the style people write: keys in the given order, strings of several lines as a block.

The text is PyYAML's, character by character.  Mappings and lists are written here, which is much faster; scalars are
left to PyYAML and remembered, and so are whole values with something rare in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from lokictl.lazy import lazy_pattern
from lokictl.model.yaml_library import yaml

WIDTH = 10_000
LONG = 9_000
"""Longer strings may be folded, at a column that depends on where they begin."""
OTHER_BREAKS = "\x85\u2028\u2029"
"""What else ends a line for PyYAML."""
_KEY = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_./\-]{0,100}")


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if _is_block(data) else None)


def _is_block(data: str) -> bool:
    return "\n" in data and not any(line.endswith((" ", "\t")) for line in data.split("\n"))


_Dumper.add_representer(str, _text)


class _RareError(Exception):
    """Something that only PyYAML writes."""


def dump_yaml(value: Any) -> str:
    """The value as a YAML document."""
    try:
        lines = list(_Writer().lines(value))
    except (_RareError, RecursionError):
        return _dumped(value)
    return "\n".join(lines) + "\n"


def _dumped(value: Any) -> str:
    dumped: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=WIDTH
    )
    return dumped


class _Writer:
    """Writes one value; a mapping or list that is met twice would be an alias."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def lines(self, value: Any) -> Iterator[str]:
        if type(value) not in (dict, list) or not value:
            raise _RareError
        yield from self.block(value)

    def block(self, value: Any) -> Iterator[str]:
        """The lines of a mapping or list that is not empty, without indentation."""
        if id(value) in self.seen:
            raise _RareError
        self.seen.add(id(value))
        if type(value) is dict:
            for key, item in value.items():
                yield from self.member(_key(key), item)
        else:
            for item in value:
                yield from self.item(item)

    def member(self, key: str, value: Any) -> Iterator[str]:
        if type(value) in (dict, list) and value:
            yield f"{key}:"
            for line in self.block(value):
                yield f"  {line}" if line else line
        else:
            yield from _after(f"{key}: ", value, self.seen)

    def item(self, value: Any) -> Iterator[str]:
        if type(value) in (dict, list) and value:
            start = "- "
            for line in self.block(value):
                yield f"{start}{line}" if line else line
                start = "  "
        else:
            yield from _after("- ", value, self.seen)


def _after(start: str, value: Any, seen: set[int]) -> Iterator[str]:
    """The lines of a scalar or of an empty mapping or list that follows ``start``."""
    if type(value) in (dict, list):
        if id(value) in seen:
            raise _RareError
        seen.add(id(value))
        yield f"{start}{'{}' if type(value) is dict else '[]'}"
    elif type(value) is str and "\n" in value:
        first, *rest = _block_lines(value)
        yield f"{start}{first}"
        yield from rest
    elif type(value) is float:
        # Not remembered: 0.0 and -0.0 are equal.
        yield f"{start}{_on_one_line(value)}"
    else:
        yield f"{start}{_scalar(type(value).__name__, value)}"


@lru_cache(maxsize=8192)
def _key(key: Any) -> str:
    if type(key) is not str or not _KEY.fullmatch(key):
        raise _RareError
    return _scalar("str", key)


@lru_cache(maxsize=8192)
def _scalar(kind: str, value: Any) -> str:
    """A scalar on one line; ``kind``, the name of its type, tells 1 from True."""
    if type(value) not in (str, int, bool, type(None)) or (kind == "str" and len(value) > LONG):
        raise _RareError
    return _on_one_line(value)


def _on_one_line(value: Any) -> str:
    lines = _dumped([value]).splitlines()
    if len(lines) != 1:
        raise _RareError
    return lines[0].removeprefix("- ")


def _block_lines(value: str) -> list[str]:
    """The lines of a string of several lines: the sign, and the text with an indentation of two."""
    if (not _is_block(value) and len(value) > LONG) or any(mark in value for mark in OTHER_BREAKS):
        raise _RareError
    lines = _dumped([value]).split("\n")
    if "..." in lines:
        # Its last line breaks could be those of the document.
        raise _RareError
    return [lines[0].removeprefix("- "), *lines[1:-1]]
