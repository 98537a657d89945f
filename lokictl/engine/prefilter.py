"""Cheap tests on raw lines: a line that cannot match need not be parsed.

A label filter such as ``level="error"`` behind parsers holds only if the text ``error`` is in the line as it is:
every parser takes its values from the line. Two things undo that, and are looked at first: an escape in the line
(``\\u0065rror``), and a stream label or structured metadata of the filter's name.
"""

from __future__ import annotations

from collections.abc import Sequence

from lokictl.engine.labels import ERROR, ERROR_DETAILS, PRESERVE_ERROR
from lokictl.engine.store import Entry, Stream
from lokictl.logql import ast
from lokictl.logql.ast import LineFilterOperator, MatchOperator
from lokictl.logql.regex import AnyOf, Contains, Equals, Test, simplify
from lokictl.logql.semantics import writes_line

SPECIAL = (ERROR, ERROR_DETAILS, PRESERVE_ERROR)
Texts = tuple[bytes, ...]
"""One of these has to stand in the line."""


def required_texts(stages: Sequence[ast.Stage]) -> list[tuple[str, Texts]]:
    """(label name, strings) of each filter that a line has to pass before anything changes its labels or its text."""
    found: list[tuple[str, Texts]] = []
    for stage in stages:
        if isinstance(stage, ast.LabelFilterStage):
            found.extend(_of_filter(stage.filter))
        elif writes_line(stage) or not isinstance(stage, ast.ParserStage | ast.LineFilter):
            break
    return found


def _of_filter(node: ast.LabelFilter) -> list[tuple[str, Texts]]:
    if isinstance(node, ast.AndLabelFilter):
        return [*_of_filter(node.left), *_of_filter(node.right)]
    if not isinstance(node, ast.StringLabelFilter) or node.name in SPECIAL:
        return []
    if node.operator == MatchOperator.EQUAL:
        texts = [node.value]
    elif node.operator == MatchOperator.REGEX:
        texts = _of_test(simplify(node.value, for_label=True)) or []
    else:
        return []
    # A space may stand for broken bytes of the line.
    usable = bool(texts) and all(
        text and text.isascii() and text.isprintable() and " " not in text for text in texts
    )
    return [(node.name, tuple(text.encode() for text in texts))] if usable else []


def _of_test(test: Test) -> list[str] | None:
    if isinstance(test, Equals | Contains):
        return None if test.fold else [test.text]
    if isinstance(test, AnyOf):
        left, right = _of_test(test.left), _of_test(test.right)
        return None if left is None or right is None else [*left, *right]
    return None


def texts_of_line_filter(node: ast.LineFilter) -> Texts:
    """The strings of which a line needs one to pass; none where that cannot be told."""
    if node.operator == LineFilterOperator.CONTAINS:
        if len(node.legs) == 1 and node.legs[0].is_ip:
            return ()
        texts = [leg.value for leg in node.legs]
    elif node.operator == LineFilterOperator.REGEX:
        texts = []
        for leg in node.legs:
            found = _of_test(simplify(leg.value, for_label=False))
            if found is None:
                return ()
            texts += found
    else:
        return ()
    usable = all(text and text.isascii() and "\n" not in text for text in texts)
    return tuple(text.encode() for text in texts) if usable else ()


def candidates(
    stream: Stream, entries: Sequence[Entry], required: Sequence[tuple[str, Texts]]
) -> Sequence[Entry]:
    """The entries of a stream that the filters can let through, and perhaps more."""
    for name, texts in required:
        if name in stream.label_map or not entries:
            continue
        if len(texts) == 1:
            # By far the most frequent case, and the innermost loop of the engine.
            only, escape = texts[0], b"\\"
            if stream.escapes:
                entries = [entry for entry in entries if only in entry[2] or escape in entry[2] or entry[3]]
            else:
                entries = [entry for entry in entries if only in entry[2] or entry[3]]
        else:
            entries = [entry for entry in entries if entry.metadata or _holds(entry.line, texts)]
    return entries


def _holds(line: bytes, texts: Texts) -> bool:
    for text in texts:
        if text in line:
            return True
    return b"\\" in line
