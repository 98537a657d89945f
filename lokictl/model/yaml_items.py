"""The items of a long list at the root of a YAML text, read a few at a time: in any order, and by any process.

The text is cut where lines begin an item, which is right wherever all pieces can be read alone: a quoted string or a
list in brackets that goes on over a cut leaves a piece that is not YAML, and so does an alias of something outside.
"""

from __future__ import annotations

import bisect
import re
from typing import Any

from lokictl.diagnostics import LokictlError
from lokictl.model.documents import SourceText
from lokictl.model.yaml_events import OddityError
from lokictl.model.yaml_places import Places
from lokictl.model.yaml_source import YamlDocument, load_documents, load_stretch

READ_AT_ONCE = 16
"""Items that are read together: one at a time takes a third more."""

UNUSUAL = "\r\x85\u2028\u2029\ufeff"
"""What else ends a line of YAML, or is left out where it begins one."""

_ALIAS = re.compile(r"\*([\w-]+)")
_FIRST_ITEM = re.compile(r"(?: *(?:#.*)?\n)*( *)-[ \n]")


class SplitDocument:
    """A document whose root has a list that is read item by item.

    ``rest`` is the document without the list, which is null in it.
    """

    def __init__(self, rest: YamlDocument, starts: list[int], end: int, indent: int) -> None:
        """``starts`` are the offsets of the lines where items begin, ``end`` is the one after the last item.

        ``indent`` is the number of spaces before each item.
        """
        self.rest = rest
        self._starts = starts
        # A piece goes as far as the dash of the next: what is missing in one item has its place there.
        self._ends = [*(start + indent for start in starts[1:]), end]
        self._read: tuple[int, YamlDocument | None] = 0, None

    def __len__(self) -> int:
        return len(self._starts)

    def item(self, index: int) -> tuple[YamlDocument, int]:
        """A document that is a list, and the item's place in it.

        Raises `OddityError` where the item cannot be read on its own.
        """
        block, place = divmod(index, READ_AT_ONCE)
        known, document = self._read
        if document is None or known != block:
            document = self._block(block * READ_AT_ONCE)
            self._read = block, document
        return document, place

    def _block(self, first: int) -> YamlDocument:
        last = min(first + READ_AT_ONCE, len(self))
        documents = load_stretch(self.rest.source, self._starts[first], self._ends[last - 1])
        value: Any = documents[0].value if len(documents) == 1 else None
        if not isinstance(value, list) or len(value) != last - first:
            raise OddityError
        return documents[0]


def split_document(text: str, file: str, key: str) -> SplitDocument | None:
    """The document of a string with the block list at ``key`` of its root cut into items.

    None where it has to be read as a whole.
    """
    if any(character in text for character in UNUSUAL):
        return None
    # An offset of a line's start here is that of the line break before it.
    lines = "\n" + text
    heads = list(re.finditer(rf"\n{re.escape(key)}: *(?:#.*)?(?=\n)", lines))
    first = _FIRST_ITEM.match(text, heads[0].end()) if len(heads) == 1 else None
    if first is None:
        return None
    start, indent = heads[0].end(), first[1]
    # The list ends with a line that begins left of its items; what stands beside them spoils the item before it.
    beyond = re.compile("\n[^ #\n]" if indent else "\n(?:[^ #\n-]|-[^ \n])").search(lines, start)
    end = beyond.start() if beyond is not None else len(text)
    rest = _rest(text, file, key, (heads[0].start(), start, end))
    if rest is None:
        return None
    items = re.compile(f"\n{indent}-(?=[ \n])").finditer(lines, start, end + 1)
    starts = [found.start() for found in items]
    if _refers_outside(text, starts[::READ_AT_ONCE], end):
        return None
    return SplitDocument(rest, starts, end, len(indent))


def _refers_outside(text: str, starts: list[int], end: int) -> bool:
    """Whether it looks as if one piece had an alias of something outside, so that reading it alone would fail."""
    elsewhere: dict[str, bool] = {}
    for alias in _ALIAS.finditer(text, starts[0], end):
        first = starts[bisect.bisect_right(starts, alias.start()) - 1]
        anchor = f"&{alias[1]}"
        if text.find(anchor, first, alias.start()) < 0:
            if anchor not in elsewhere:
                elsewhere[anchor] = anchor in text
            if elsewhere[anchor]:
                return True
    return False


def _rest(text: str, file: str, key: str, edges: tuple[int, int, int]) -> YamlDocument | None:
    """The document without the items; ``edges`` are the offsets of the key, of the first item, and after the last."""
    head, start, end = edges
    try:
        # What is before the list and behind it must not hang together with it: an open quote, an alias.
        for part in (text[:head], text[end:]):
            if any(not isinstance(document.value, dict | None) for document in load_documents(part)):
                return None
        (document,) = load_documents(text[:start] + text[end:])
    except (LokictlError, ValueError):
        return None
    value = document.value
    if not isinstance(value, dict) or value.get(key, key) is not None:
        return None
    return YamlDocument(value, SourceText(text, file), Places(text), 0, document.texts)
