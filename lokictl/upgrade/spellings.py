"""Better ways to spell a part of a query that a newer Loki has, each with exactly the same meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lokictl.lazy import lazy_pattern
from lokictl.logql import ast
from lokictl.logql.units import quote
from lokictl.logql.versions import OR_FILTERS, PETABYTES, Behavior, LokiVersion
from lokictl.records import dataclass

Respelled = Iterator[tuple[ast.Node, str]]
"""Parts of an expression, each with its new text."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """``find`` gives the parts that can be spelled better once Loki has ``needs``, and their new text."""

    name: str
    what: str
    needs: Behavior
    find: Callable[[ast.Expr], Respelled]


def better_spellings(
    expression: ast.Expr, old: LokiVersion, new: LokiVersion
) -> Iterator[tuple[Spelling, ast.Node, str]]:
    """The spellings that ``new`` offers and ``old`` does not, with the part of the query and its new text."""
    for spelling in SPELLINGS:
        if spelling.needs.holds(new) and not spelling.needs.holds(old):
            for node, text in spelling.find(expression):
                yield spelling, node, text


# --- line filters ----------------------------------------------------------------------------------------------------

_PLAIN = lazy_pattern(r"[^\\.+*?()|\[\]{}^$]+")
"""Text without a meaning of its own in a regular expression."""
_ESCAPED = lazy_pattern(r"\\([.+*?()|\[\]{}^$\\/-])")
_AROUND = lazy_pattern(r"\((?:\?:)?([^()]*)\)")


def alternatives(pattern: str) -> tuple[str, ...]:
    """The strings of a regular expression that is only a choice between plain strings (``a|b``); else nothing."""
    whole = _AROUND.fullmatch(pattern)
    body = whole[1] if whole else pattern
    texts: list[str] = []
    for part in re.split(r"(?<!\\)\|", body):
        if not _PLAIN.fullmatch(_ESCAPED.sub("", part) or "x") or not part:
            return ()
        texts.append(_ESCAPED.sub(r"\1", part))
    return tuple(texts) if len(texts) > 1 else ()


def _choices(expression: ast.Expr) -> Respelled:
    for node in expression.find_all(ast.LineFilter):
        if node.operator != ast.LineFilterOperator.REGEX or len(node.legs) != 1 or node.legs[0].is_ip:
            continue
        texts = alternatives(node.legs[0].value)
        if texts:
            yield node, "|= " + " or ".join(map(quote, texts))


def as_old_syntax(expression: ast.Expr, version: LokiVersion) -> Respelled:
    """Parts that a version does not read, spelled so that it answers the same; parts that cannot be are left out."""
    if OR_FILTERS.holds(version):
        return
    for node in expression.find_all(ast.LineFilter):
        chain = len(node.legs) > 1 and not any(leg.is_ip for leg in node.legs)
        if chain and node.operator == ast.LineFilterOperator.CONTAINS:
            texts = "|".join(_SPECIAL.sub(r"\\\g<0>", leg.value) for leg in node.legs)
            yield node, f"|~ {quote(texts)}"


_SPECIAL = lazy_pattern(r"[\\.+*?()|\[\]{}^$]")

# --- sizes -----------------------------------------------------------------------------------------------------------

_PETABYTES = ((1_000_000_000_000_000, "PB"), (1 << 50, "PiB"))


def _sizes(expression: ast.Expr) -> Respelled:
    for node in expression.find_all(ast.BytesLabelFilter):
        for factor, unit in _PETABYTES:
            if node.value and node.value % factor == 0:
                yield node, f"{node.name} {node.operator} {node.value // factor}{unit}"
                break


SPELLINGS = (
    Spelling(
        "or-filters",
        "a choice between plain texts needs no regular expression: chain the texts with `or`",
        OR_FILTERS,
        _choices,
    ),
    Spelling("petabytes", "sizes can be written in petabytes", PETABYTES, _sizes),
)

__all__ = ["SPELLINGS", "Spelling", "alternatives", "as_old_syntax", "better_spellings"]
