"""Two lists of lines in two columns, with marks where they differ."""

from __future__ import annotations

import difflib
import textwrap

WIDTH = 50


def side_by_side(left: list[str], right: list[str], *, marks: bool = True, width: int = WIDTH) -> list[str]:
    """Rows of both columns; "|" between lines that differ, "<" and ">" where one side has none."""
    rows: list[tuple[str, str, str]] = []
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        count = max(b - a, d - c)
        for index in range(count):
            first = left[a + index] if a + index < b else None
            second = right[c + index] if c + index < d else None
            mark = (
                " "
                if kind == "equal" or not marks
                else "<"
                if second is None
                else ">"
                if first is None
                else "|"
            )
            rows.append((first or "", mark, second or ""))
    return [line for row in rows for line in _wrapped(*row, width)]


def _wrapped(left: str, mark: str, right: str, width: int) -> list[str]:
    first, second = _cut(left, width), _cut(right, width)
    count = max(len(first), len(second))
    first += [""] * (count - len(first))
    second += [""] * (count - len(second))
    return [f"{a:<{width}} {mark} {b}".rstrip() for a, b in zip(first, second, strict=True)]


def _cut(text: str, width: int) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    return textwrap.wrap(
        text, width, subsequent_indent=indent, drop_whitespace=False, break_on_hyphens=False
    ) or [""]
