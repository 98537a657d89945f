"""Where a rule or a group was written: a place in a document, or a line of a Python module."""

from __future__ import annotations

import sys
from pathlib import Path as FilePath
from types import FrameType

from lokictl.diagnostics import Position
from lokictl.model.documents import Cursor, Path
from lokictl.records import dataclass

_PACKAGE = str(FilePath(__file__).resolve().parent.parent)


@dataclass(frozen=True)
class Origin:
    """Where a rule or group was written: a place in a document, or a line of a Python module.

    ``expr`` is the expression of a rule written in Python, to find it in the module's text.
    """

    cursor: Cursor | None = None
    python: Position = Position()
    expr: str = ""

    def position(self, *path: str | int, key: bool = False) -> Position:
        """The position of a part (``"expr"``, ``"labels", "severity"``) of what was written here."""
        return self.python if self.cursor is None else self.cursor.position(*path, key=key)

    def text_position(self, path: Path, start: int, end: int) -> Position:
        """The position of the characters ``start`` to ``end`` of a string (such as ``("expr",)``)."""
        if self.cursor is not None:
            return self.cursor.text_position(path, start, end)
        return _position_in_module(self.python, self.expr, start, end) if path == ("expr",) else self.python

    def source_line(self, position: Position) -> str:
        """The line of the file that ``position`` is on; "" where it must be read from the file."""
        return "" if self.cursor is None else self.cursor.line(position)


LINES_OF_A_RULE = 40


def _position_in_module(place: Position, expr: str, start: int, end: int) -> Position:
    """Where the characters ``start`` to ``end`` of an expression are in the module that defines the rule.

    Found by the text of the expression's line, below ``place``; ``place`` itself where that is made up from
    pieces (an f-string).
    """
    first = expr.rfind("\n", 0, start) + 1
    line = expr[first : expr.find("\n", first) if "\n" in expr[first:] else len(expr)]
    wanted = line.strip()
    if not wanted or not place.file:
        return place
    try:
        source = FilePath(place.file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return place
    indent = len(line) - len(line.lstrip())
    for number in range(max(place.line - 1, 0), min(place.line + LINES_OF_A_RULE, len(source))):
        column = source[number].find(wanted)
        if column >= 0:
            begin = column + start - first - indent + 1
            stop = min(begin + max(end - start, 1), column + len(wanted) + 1)
            return Position(place.file, number + 1, begin, number + 1, max(stop, begin + 1))
    return place


def caller() -> Origin:
    """Where content defined the object: the module-level line that led to it.

    A factory in another content module is not the place that tells rules apart, so the nearest module body on
    the call stack wins; in a function called from elsewhere (a test), the first line outside this package.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the way to the caller that costs nothing
    first: Position | None = None
    while frame is not None:
        name = frame.f_code.co_filename
        if first is not None and (name.startswith("<frozen importlib") or "site-packages" in name):
            break
        if not name.startswith((_PACKAGE, "<")):
            here = Position(name, frame.f_lineno)
            first = first or here
            if frame.f_code.co_name == "<module>":
                return Origin(python=here)
        frame = frame.f_back
    return Origin(python=first or Position())
