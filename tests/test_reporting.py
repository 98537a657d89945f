"""How problems look."""

from __future__ import annotations

from pathlib import Path

import pytest

from lokictl.diagnostics import Position, Problem, Severity
from lokictl.reporting import render_problems

CASES = {
    "only a message": (Problem("error", "no such thing"), "error: no such thing"),
    "a place and a name": (
        Problem("rule/name", "wrong", Severity.WARNING, Position("a.yaml", 3, 5), hint="do it right"),
        "a.yaml:3:5: warning: wrong (rule/name)\n  = do it right",
    ),
    "a caret under a stretch": (
        Problem("x/y", "here", position=Position("a.yaml", 12, 3, 12, 6), source_line="expr: abc"),
        "a.yaml:12:3: error: here (x/y)\n  12 | expr: abc\n     |   ^^^",
    ),
    "wide characters and tabs": (
        Problem("x/y", "here", position=Position("a", 1, 4, 1, 5), source_line="\tΣ漢z"),
        "a:1:4: error: here (x/y)\n  1 |     Σ漢z\n    |        ^",
    ),
    "a stretch over lines ends at the end of the first": (
        Problem("x/y", "here", position=Position("a", 1, 2, 3, 1), source_line="abc"),
        "a:1:2: error: here (x/y)\n  1 | abc\n    |  ^^",
    ),
    "a caret behind the end": (
        Problem("x/y", "here", position=Position("a", 1, 4), source_line="abc"),
        "a:1:4: error: here (x/y)\n  1 | abc\n    |    ^",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_shown(case: str) -> None:
    problem, expected = CASES[case]
    assert render_problems([problem]) == expected


def test_source_is_read_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("first\nsecond\n", encoding="utf-8")
    shown = render_problems([Problem("x/y", "here", position=Position(str(file), 2, 2, 2, 4))])
    assert shown.endswith("  2 | second\n    |  ^^")


def test_long_lines_are_cut_around_the_caret() -> None:
    problem = Problem(
        "x/y", "here", position=Position("a", 1, 501, 1, 504), source_line="a" * 500 + "bcd" + "e" * 500
    )
    source, caret = render_problems([problem]).split("\n")[1:]
    assert len(source) < 160
    assert source[caret.index("^") : caret.rindex("^") + 1] == "bcd"


def test_colors_only_when_wanted() -> None:
    problem = Problem("x/y", "here", position=Position("a", 1, 1), source_line="abc")
    assert "\x1b[31m" in render_problems([problem], color=True)
    assert "\x1b" not in render_problems([problem])
