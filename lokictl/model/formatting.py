"""Formats the expressions of rules where they are in their file, and leaves everything else as it is."""

from __future__ import annotations

from lokictl.logql import LogQLError, parse
from lokictl.logql import format as pretty
from lokictl.logql.placeholders import has_placeholder
from lokictl.model.documents import Cursor, EmbeddedDocument
from lokictl.model.rule_files import parse_rule_files
from lokictl.model.yaml_source import YamlDocument
from lokictl.records import dataclass


@dataclass(frozen=True)
class FormattedFile:
    """A file before and after; ``changed`` expressions are new, ``left`` ones could not be formatted in place."""

    before: str
    after: str
    changed: int = 0
    left: int = 0


def format_rule_file(text: str, file: str, *, canonical: bool = False) -> FormattedFile:
    """The text of a rule file (in any form of docs/formats.md) with every expression formatted.

    An expression in a block is laid out over several lines, others stay on one; ``canonical`` writes each on one
    line as Loki prints it.  Expressions that do not parse, have comments or placeholders, or are in encoded
    strings are left alone.  Raises `LokictlError` for a file that cannot be read, or has no rules.
    """
    edits: dict[tuple[int, int], str] = {}
    left = 0
    for found in parse_rule_files(text, file):
        for group in found.groups:
            for rule in group.rules:
                cursor = rule.origin.cursor
                edit = _edit(cursor.child("expr"), canonical) if cursor is not None else None
                if edit is None:
                    left += 1
                else:
                    edits[edit[0]] = edit[1]
    after, changed = text, 0
    for (start, end), new in sorted(edits.items(), reverse=True):
        changed += after[start:end] != new
        after = after[:start] + new + after[end:]
    return FormattedFile(text, after, changed, left)


def _edit(cursor: Cursor, canonical: bool) -> tuple[tuple[int, int], str] | None:
    query = cursor.text
    new = formatted_query(query, one_line=canonical or not _is_block(cursor))
    offsets = cursor.document.offsets(cursor.path)
    if new is None or len(offsets) < 2:
        return None
    written = cursor.document.written(cursor.path, new)
    if written is None:
        return None
    start = len(query) - len(query.lstrip())
    return (offsets[start], offsets[len(query.rstrip()) - 1] + 1), written


def formatted_query(query: str, *, one_line: bool) -> str | None:
    """The query formatted; None where that would lose something, or it does not parse."""
    if has_placeholder(query) or _has_comment(query):
        return None
    try:
        parsed = parse(query)
        new = str(parsed) if one_line else pretty(query)
        return new if str(parse(new)) == str(parsed) else None
    except LogQLError:
        return None


def _has_comment(query: str) -> bool:
    quote = ""
    skip = False
    for character in query:
        if skip:
            skip = False
        elif quote:
            skip = character == "\\" and quote == '"'
            quote = "" if character == quote else quote
        elif character == "#":
            return True
        elif character in ('"', "`"):
            quote = character
    return False


def _is_block(cursor: Cursor) -> bool:
    """Whether a string can have several lines: it is a literal block, and so is every string around it."""
    document = cursor.document
    if isinstance(document, EmbeddedDocument):
        inner = Cursor(document.inner, cursor.path)
        return _is_block(inner) and _is_block(Cursor(document.outer, document.path))
    return isinstance(document, YamlDocument) and document.style(cursor.path) == "|"
