"""Where everything in a YAML text stands.

Nodes know their places, and take ten times the memory and the time of the values.  So they are composed when a place
is first asked for, and of the smallest item of a list around it alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from lokictl.model.documents import Path
from lokictl.model.yaml_library import yaml
from lokictl.model.yaml_loader import compose, scalar_value

ItemStarts = Mapping[int, Sequence[int]]
"""For each list (by its ``id``) the offsets of its items in the text, and the offset where the list ends."""

KEPT = 64
"""So many items keep their nodes: places are asked for one after the other."""

MOST_COMPOSED = 2
"""When so many times the length of the text was composed in items, the whole text is composed, once and for all."""


def first_offset(text: str) -> int:
    """The offset of the character that YAML counts from: behind a byte order mark."""
    return int(text.startswith("\ufeff"))


class Part:
    """The nodes of some characters of a file; their marks count from ``shift`` on."""

    def __init__(self, root: yaml.Node | None, text: str, shift: int = 0) -> None:
        self.root, self.text, self.shift = root, text, shift
        self._offsets: dict[int, Sequence[int]] = {}

    def find(self, path: Sequence[str | int]) -> tuple[yaml.Node | None, yaml.Node | None]:
        """The node at ``path`` (its nearest parent when it is missing), and the node of its key."""
        node, key_node = self.root, None
        for part in path:
            if isinstance(node, yaml.MappingNode):
                found = _member(node, str(part))
                if found is None:
                    break
                key_node, node = found
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                key_node, node = None, node.value[part]
            else:
                break
        return node, key_node

    def offsets(self, node: yaml.Node | None) -> Sequence[int]:
        """For each character of a scalar, its offset in the file, and the offset after the last."""
        known = self._offsets.get(id(node))
        if known is None:
            found = _scalar_offsets(node, self.text)
            known = self._offsets[id(node)] = [offset + self.shift for offset in found]
        return known


class Places:
    """The places of everything in a string's documents; ``offset`` is that of the string in the file."""

    def __init__(self, text: str, starts: ItemStarts | None = None, offset: int = 0) -> None:
        self.text = text
        self.offset = offset
        self._first = first_offset(text)
        self._starts = starts or {}
        self._kept: OrderedDict[int, Part] = OrderedDict()
        self._composed = 0

    @cached_property
    def roots(self) -> list[yaml.Node | None]:
        """The root nodes of all documents."""
        return list(compose(self.text))

    def part(self, number: int, value: Any, path: Path) -> tuple[Part, Path]:
        """Nodes that hold the place at ``path`` of a document, and the path to it in these.

        ``number`` is that of the document, ``value`` what it holds.
        """
        found = self._item(value, path) if "roots" not in self.__dict__ else None
        return found or (self._whole[number], path)

    @cached_property
    def _whole(self) -> list[Part]:
        return [
            Part(root, self.text[self._first :], self.offset + self._first) for root in self.roots or [None]
        ]

    def _item(self, value: Any, path: Path) -> tuple[Part, Path] | None:
        """The innermost item of a list on the way to ``path``; None where the whole text is needed."""
        found: tuple[int, int, Any, Path] | None = None
        for depth, step in enumerate(path):
            starts = self._starts.get(id(value)) if isinstance(value, list) else None
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                break
            if starts is not None and isinstance(step, int) and step >= 0:
                start, end = starts[step] + self._first, starts[step + 1] + self._first
                end = end if step + 2 == len(starts) else self.text.rindex("-", start, end)
                found = start, end, value, path[depth + 1 :]
        if found is None:
            return None
        start, end, value, rest = found
        part = self._part(start, end, value)
        return (part, rest) if part is not None else None

    def _part(self, start: int, end: int, value: Any) -> Part | None:
        """The nodes of an item; None if on its own it says something else than in its place (an alias, say)."""
        known = self._kept.get(start)
        if known is not None:
            self._kept.move_to_end(start)
            return known
        self._composed += end - start
        if self._composed > MOST_COMPOSED * len(self.text):
            return None
        column = start - self.text.rfind("\n", 0, start) - 1
        text = " " * column + self.text[start:end]
        try:
            roots = list(compose(text))
        except (yaml.YAMLError, ValueError, RecursionError):
            return None
        if len(roots) != 1 or not _says(roots[0], value):
            return None
        part = self._kept[start] = Part(roots[0], text, self.offset + start - column)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return part


def _says(node: yaml.Node | None, value: Any) -> bool:
    """Whether a node that merges nothing has this value."""
    if isinstance(node, yaml.MappingNode):
        return (
            isinstance(value, dict)
            and len(value) == len(node.value)
            and all(key.value in value and _says(item, value[key.value]) for key, item in node.value)
        )
    if isinstance(node, yaml.SequenceNode):
        return (
            isinstance(value, list) and len(value) == len(node.value) and all(map(_says, node.value, value))
        )
    return node is not None and scalar_value(node) == value


def _member(node: yaml.Node, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """The key and value nodes of a member of a mapping, those of merged mappings (``<<``) included."""
    merged: list[yaml.Node] = []
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
        elif key_text(key) == name:
            return key, value
    inner = (_member(part, name) for part in merged if isinstance(part, yaml.MappingNode))
    return next((found for found in inner if found is not None), None)


def key_text(node: yaml.Node) -> str:
    """The name of a key."""
    return node.value if isinstance(node.value, str) else str(node.value)


# --- places inside scalars ---------------------------------------------------------------------------------


def _scalar_offsets(node: yaml.Node | None, text: str) -> list[int]:
    """For each character of a scalar, its offset in ``text``, and the offset after the last; empty where not known."""
    if not isinstance(node, yaml.ScalarNode):
        return []
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    value = str(node.value)
    if node.style in ("|", ">"):
        offsets = _block_offsets(value, text, start, end)
        after = offsets[-1] + 1 if offsets else end
    elif node.style in ('"', "'"):
        offsets, after = _flow_offsets(value, text, start + 1, end, node.style), end - 1
    else:
        offsets, after = _flow_offsets(value, text, start, end, ""), end
    return [*offsets, after] if offsets or not value else []


def _block_offsets(value: str, text: str, start: int, end: int) -> list[int]:
    cursor = text.find("\n", start) + 1
    if cursor == 0:
        return []
    indent = block_indent(text, start, cursor, end)
    offsets: list[int] = []
    at_line_start = True
    for character in value:
        if at_line_start:
            cursor = _skip_indent(text, cursor, indent)
            at_line_start = False
        while cursor < len(text) and text[cursor] != character:
            if character == " " and text[cursor] == "\n":
                break
            if text[cursor] not in " \r\n\t":
                return []
            was_newline = text[cursor] == "\n"
            cursor += 1
            if was_newline:
                cursor = _skip_indent(text, cursor, indent)
        offsets.append(min(cursor, len(text)))
        if cursor < len(text) and text[cursor] == "\n":
            at_line_start = True
        cursor += 1
    return offsets


def block_indent(text: str, start: int, cursor: int, end: int) -> int:
    header = text[start:cursor]
    explicit = next((int(character) for character in header.split("#")[0] if character.isdigit()), 0)
    if explicit:
        line_start = text.rfind("\n", 0, start) + 1
        line = text[line_start:start]
        return len(line) - len(line.lstrip(" ")) + explicit
    for line in text[cursor : max(end, cursor)].split("\n"):
        if line.strip():
            return len(line) - len(line.lstrip(" "))
    return 0


def _skip_indent(text: str, cursor: int, indent: int) -> int:
    limit = cursor + indent
    while cursor < limit and cursor < len(text) and text[cursor] == " ":
        cursor += 1
    return cursor


_CHANGED = {'"': frozenset("\n\\"), "'": frozenset("\n'"), "": frozenset("\n")}
"""The characters that a scalar of each style does not hold as they are."""
_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


def _flow_offsets(value: str, text: str, cursor: int, end: int, style: str) -> list[int]:
    after = cursor + len(value)
    if after <= end and text.startswith(value, cursor) and not _CHANGED[style].intersection(value):
        return list(range(cursor, after))
    offsets: list[int] = []
    for character in value:
        length = 1
        if style == '"':
            while text.startswith(("\\\n", "\\\r\n"), cursor):
                cursor = _skip_blank(text, text.find("\n", cursor) + 1)
            if cursor < end and text[cursor] == "\\":
                length = _ESCAPE_LENGTHS.get(text[cursor + 1 : cursor + 2], 2)
                offsets.append(cursor)
                cursor += length
                continue
        elif style == "'" and character == "'":
            length = 2
        if cursor < end and text[cursor] != character:
            if character in " \n" and text[cursor] in " \r\n\t":
                offsets.append(cursor)
                cursor += 1
                continue
            while cursor < end and text[cursor] != character and text[cursor] in " \r\n\t":
                cursor += 1
            if cursor >= end or text[cursor] != character:
                return []
        offsets.append(min(cursor, end))
        cursor += length
    return offsets


def _skip_blank(text: str, cursor: int) -> int:
    while cursor < len(text) and text[cursor] in " \t":
        cursor += 1
    return cursor
