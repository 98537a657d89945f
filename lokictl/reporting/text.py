"""How problems are shown: place, message, source line with a caret, and what to do.  Text or terminal colors."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from lokictl.diagnostics import Position, Problem, Severity

RESET = "\x1b[0m"
BOLD = "\x1b[1m"
DIM = "\x1b[2m"
COLORS = {Severity.ERROR: "\x1b[31m", Severity.WARNING: "\x1b[33m", Severity.INFO: "\x1b[36m"}
# A line longer than this is shown as a window around the caret.
WINDOW = 140
TAB = 4


def render_problems(problems: Iterable[Problem], *, color: bool = False) -> str:
    """The problems as text, one block each, an empty line between them.

    A block is ``file:line:column: severity: message (name)``, the source line with carets under the stretch that
    the problem mentions (when the position has a line and its text is known or can be read), and the hint.
    """
    return "\n\n".join(render_problem(problem, color=color) for problem in problems)


def render_problem(problem: Problem, *, color: bool = False) -> str:
    """One problem as text; see `render_problems`."""

    def paint(text: str, *codes: str) -> str:
        return "".join(codes) + text + RESET if color else text

    position = problem.position
    place = f"{_shown_file(position)}: " if position.file or position.line else ""
    head = paint(place, BOLD) + paint(f"{problem.severity}: ", BOLD, COLORS[problem.severity])
    lines = [head + problem.message + ("" if problem.name == "error" else paint(f" ({problem.name})", DIM))]
    source = problem.source_line or _line_of(position)
    if source and position.line:
        lines += _caret_lines(source, position, lambda text: paint(text, COLORS[problem.severity]))
    if problem.hint:
        lines.append(paint("  = ", DIM) + problem.hint.replace("\n", "\n    "))
    return "\n".join(lines)


def _shown_file(position: Position) -> str:
    if not position.file:
        return str(position)
    path = Path(position.file)
    if path.is_absolute():
        try:
            path = path.relative_to(Path.cwd())
        except ValueError:
            return str(position)
    return str(position).replace(position.file, str(path), 1)


@lru_cache(maxsize=64)
def _lines(file: str) -> tuple[str, ...]:
    try:
        return tuple(Path(file).read_text(encoding="utf-8", errors="replace").split("\n"))
    except OSError:
        return ()


def _line_of(position: Position) -> str:
    if not position.file or not position.line:
        return ""
    lines = _lines(position.file)
    return lines[position.line - 1].rstrip("\r") if position.line <= len(lines) else ""


def _width(text: str) -> int:
    """The columns that a string takes on a terminal."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _caret_lines(source: str, position: Position, paint: Callable[[str], str]) -> list[str]:
    start = max(position.column - 1, 0)
    same_line = position.end_line in (0, position.line)
    end = position.end_column - 1 if position.end_column and same_line else 0
    if position.end_line > position.line:
        end = len(source)
    end = max(end, start + 1)
    source = source.rstrip("\n")
    if len(source) > WINDOW:
        first = max(0, min(start - WINDOW // 3, len(source) - WINDOW))
        cut = source[first : first + WINDOW]
        prefix = "…" if first else ""
        source = prefix + cut + ("…" if first + WINDOW < len(source) else "")
        start, end = start - first + len(prefix), end - first + len(prefix)
    end = min(end, max(len(source), start + 1))
    expanded = [" " * TAB if c == "\t" else c if c.isprintable() else "�" for c in source]
    gutter = str(position.line)
    blank = " " * len(gutter)
    text = [f"  {gutter} | {''.join(expanded)}"]
    if position.column:
        before = _width("".join(expanded[:start])) + max(start - len(expanded), 0)
        under = max(_width("".join(expanded[start:end])), 1)
        text.append(f"  {blank} | {' ' * before}{paint('^' * under)}")
    return text
