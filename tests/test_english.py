"""Plain American English in help texts, messages, docstrings and documentation: words that must not come back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(file for file in (ROOT / "lokictl").rglob("*.py") if file.name != "parser_tables.py")
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])

AVOIDED = {
    r"\b(?:behaviour|colour|favour|honour|neighbour)": "American spelling: behavior, color, …",
    r"\b(?:normalis|organis|recognis|initialis|serialis|summaris|optimis)": "American spelling: -ize",
    r"\b(?:labelled|cancelled|relabelling|modelled|catalogue|licence|centre)\b": "American spelling",
    r"(?<!there )\b(?:is|are) (?-i:none)\b(?! (?:of|left|other))": "write that something is not one, or does not exist",
    r"\bthat there (?:is|are)\b": "drop it",
    r"\bwhoever\b": "name the person: the user, the administrator",
    r"\bwrong use\b": "usage error",
    r"\b(?:take|leave) it out\b": "remove it",
    r"\ba text\b(?! (?:editor|file|field|panel|block|box|format|of several))": "a string",
    r"\b(?:speaks of|tells of|is told)\b": "mentions, reports",
    r"\banew\b": "again",
}


def strings(file: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module with more than one word: docstrings, messages and help texts."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, re.sub(r"``[^`]*``|`[^`]*`", "", node.value)


def prose(file: Path) -> Iterator[tuple[int, str]]:
    """The lines of a page outside of code."""
    in_code = False
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code:
            yield number, re.sub(r"`[^`]*`", "", line)


def found(texts: Iterator[tuple[int, str]]) -> list[str]:
    return [
        f"line {number}: {match[0]!r}: {advice}"
        for number, text in texts
        for pattern, advice in AVOIDED.items()
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("file", MODULES, ids=[str(file.relative_to(ROOT)) for file in MODULES])
def test_strings_of_modules(file: Path) -> None:
    assert found(strings(file)) == []


@pytest.mark.parametrize("file", PAGES, ids=[str(file.relative_to(ROOT)) for file in PAGES])
def test_pages(file: Path) -> None:
    assert found(prose(file)) == []
