"""JSON that remembers where everything stands, looked up only when a place is asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import field
from functools import cached_property
from typing import NamedTuple

import orjson

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.lazy import lazy_pattern
from lokictl.model.documents import (
    Cursor,
    Document,
    EmbeddedDocument,
    Path,
    PlainDocument,
    SourceText,
    Stretch,
    value_at,
)
from lokictl.records import dataclass

_SEPARATOR = lazy_pattern(r"[ \t\r\n]*[,:]?[ \t\r\n]*")
_ESCAPE = lazy_pattern(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]"
)
_DECODER = json.JSONDecoder(strict=False)


class _Child(NamedTuple):
    """Offsets of a member: its key (equal for list items), and its value."""

    key_start: int
    key_end: int
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class JsonDocument(Document):
    """One JSON text."""

    _children: dict[int, dict[str | int, _Child]] = field(default_factory=dict, repr=False)
    _offsets: dict[int, Sequence[int]] = field(default_factory=dict, repr=False)

    @cached_property
    def _root(self) -> _Child:
        start = _behind(self.source.text, 1 if self.source.text.startswith("\ufeff") else 0)
        return _Child(start, start, start, len(self.source.text.rstrip()))

    def stretch(self, *path: str | int, key: bool = False) -> Stretch:
        child, complete = self._find(path)
        if key and complete and child.key_end > child.key_start:
            return child.key_start, child.key_end
        opening = self.source.text[child.start : child.start + 1] in ("{", "[")
        return child.start, child.start + 1 if opening else child.end

    def offsets(self, path: Path) -> Sequence[int]:
        child, complete = self._find(path)
        if not complete or self.source.text[child.start : child.start + 1] != '"':
            return ()
        if child.start not in self._offsets:
            self._offsets[child.start] = self._string_offsets(child)
        return self._offsets[child.start]

    def scalar_text(self, *path: str | int) -> str:
        child, complete = self._find(path)
        if not complete:
            return ""
        value = value_at(self.value, path)
        if value is None or isinstance(value, dict | list):
            return ""
        return value if isinstance(value, str) else self.source.text[child.start : child.end]

    def written(self, path: Path, text: str) -> str | None:
        return json.dumps(text, ensure_ascii=False)[1:-1]

    def _string_offsets(self, child: _Child) -> list[int]:
        offsets: list[int] = []
        for found in _ESCAPE.finditer(self.source.text, child.start + 1, child.end - 1):
            offsets.append(found.start())
        offsets.append(child.end - 1)
        return offsets

    def _find(self, path: Path) -> tuple[_Child, bool]:
        child = self._root
        for part in path:
            found = self._members(child).get(part)
            if found is None:
                return child, False
            child = found
        return child, True

    def _members(self, child: _Child) -> dict[str | int, _Child]:
        if child.start not in self._children:
            self._children[child.start] = _scan(self.source.text, child.start)
        return self._children[child.start]


def load_json(text: str, file: str = "") -> JsonDocument:
    """The document; raises `LokictlError` with the place where the text stops being JSON."""
    source = SourceText(text, file)
    try:
        return JsonDocument(orjson.loads(text), source)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        pass
    try:
        return JsonDocument(_DECODER.decode(text.removeprefix("\ufeff")), source)
    except json.JSONDecodeError as error:
        position = source.position(error.pos)
        hint = _hint(text, error)
        problem = Problem(
            "json/syntax",
            f"not valid JSON: {error.msg[0].lower()}{error.msg[1:]}",
            position=position,
            hint=hint,
            source_line=source.line(position.line),
        )
        raise LokictlError(problem) from None
    except RecursionError:
        raise LokictlError(
            Problem("json/syntax", "the JSON nests too deeply", position=Position(file))
        ) from None


def load_embedded_json(outer: Cursor, text: str | None = None) -> EmbeddedDocument:
    """The JSON text that is the string at ``outer`` (or ``text``, decoded from that string).

    Raises as `load_json` does, with the place in the outer file.
    """
    content = outer.value if text is None else text
    file = outer.document.source.file
    encoded = text is not None
    try:
        return EmbeddedDocument.of(load_json(content, file), outer, encoded=encoded)
    except LokictlError as error:
        plain = PlainDocument.of(SourceText(content, file))
        whole = EmbeddedDocument.of(plain, outer, encoded=encoded)
        raise LokictlError([whole.outward(problem) for problem in error.problems]) from None


def _hint(text: str, error: json.JSONDecodeError) -> str:
    before = text[: error.pos].rstrip()
    if before.endswith(",") and text[error.pos : error.pos + 1] in "}]":
        return "remove the comma before the bracket"
    if text[error.pos : error.pos + 1] == "'":
        return 'JSON uses double quotes: "…"'
    if "delimiter" in error.msg:
        return "a comma or a closing bracket is missing before this"
    return ""


def _behind(text: str, offset: int) -> int:
    """The offset behind a comma or colon, if there is one, and the space around it."""
    found = _SEPARATOR.match(text, offset)
    return found.end() if found else offset


def _scan(text: str, start: int) -> dict[str | int, _Child]:
    """The members of the object or list that begins at ``start``."""
    opening = text[start : start + 1]
    if opening not in ("{", "["):
        return {}
    members: dict[str | int, _Child] = {}
    cursor = _behind(text, start + 1)
    while cursor < len(text) and text[cursor] not in "}]":
        key_start = key_end = cursor
        name: str | int = len(members)
        if opening == "{":
            name, key_end = _DECODER.raw_decode(text, cursor)
            cursor = _behind(text, key_end)
        _, end = _DECODER.raw_decode(text, cursor)
        members[name] = _Child(key_start, key_end, cursor, end)
        cursor = _behind(text, end)
    return members
