"""LogQL queries, wherever they come from: parsed once, with the place of every part in its file."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lokictl.diagnostics import Place
from lokictl.lint.findings import Edit, Path, PathPart, place_in
from lokictl.logql.ast import Expr, Node, Span
from lokictl.logql.cache import build_cached
from lokictl.logql.errors import LogQLError, ParseError
from lokictl.logql.grafana_variables import Interpolated, holds_variable, interpolate
from lokictl.logql.placeholders import as_variables
from lokictl.logql.semantics import Labels, labels_of
from lokictl.model.documents import Document
from lokictl.model.origin import Origin
from lokictl.records import dataclass

if TYPE_CHECKING:
    from lokictl.lint.items import DashboardItem, RuleItem
    from lokictl.logql.parser import Build

NodeType = TypeVar("NodeType", bound=Node)
Part = type[Node] | str
"""What a query can have: nodes of a class, or a word (`Build.words`)."""


class QueryKind(StrEnum):
    """Where a query stands, hence how it is evaluated."""

    ALERT = "alert"
    RECORD = "record"
    PANEL = "panel"
    VARIABLE = "variable"
    ANNOTATION = "annotation"
    TEST = "test"
    PLAIN = "plain"


class TextSource(Protocol):
    """Where a string is in a file."""

    def place(self, start: int, end: int) -> Place:
        """The place of the characters ``start`` to ``end`` of the text."""

    def edit(self, start: int, end: int, replacement: str) -> Edit | None:
        """The edit of the file that replaces them; None where that cannot be done for certain."""


@dataclass(frozen=True, eq=False)
class Query:
    """One LogQL text, parsed once.

    ``interval`` is the time between evaluations (rules) or the fixed step (panels) in nanoseconds, 0 for not
    known.  ``templated`` queries may hold Grafana variables: these are replaced by something that parses, and
    spans are translated back.  ``panel`` and ``target`` are the dashboard's own objects for panel queries.
    """

    text: str
    kind: QueryKind
    source: TextSource
    item: str = ""
    interval: int = 0
    templated: bool = False
    rule: RuleItem | None = None
    dashboard: DashboardItem | None = None
    panel: Mapping[str, Any] | None = None
    target: Mapping[str, Any] | None = None
    path: tuple[PathPart, ...] = ()

    @cached_property
    def _parsed(self) -> tuple[Expr | None, Build | None, LogQLError | None]:
        result = build_cached(self.filled.text)
        return (None, None, result) if isinstance(result, LogQLError) else (*result, None)

    @cached_property
    def filled(self) -> Interpolated:
        """The text with Grafana's variables (and placeholders of other tools) replaced by something that parses."""
        if self.templated:
            return interpolate(as_variables(self.text), keep_strings=True)
        return Interpolated(self.text)

    @property
    def expression(self) -> Expr | None:
        """The parsed expression; None when the text is not LogQL."""
        return self._parsed[0]

    @property
    def error(self) -> LogQLError | None:
        """Why there is no expression."""
        return self._parsed[2]

    @property
    def build(self) -> Build | None:
        """What the query has in common with others that differ in names, strings and numbers only."""
        return self._parsed[1]

    @cached_property
    def labels(self) -> Labels:
        """The labels that the answer can have; any if there is no expression."""
        return labels_of(self.expression) if self.expression is not None else Labels(frozenset(), True)

    @cached_property
    def nodes_by_class(self) -> dict[type[Node], list[Node]]:
        """All nodes, by their class, in source order."""
        found: dict[type[Node], list[Node]] = {}
        waiting: list[Node] = [self.expression] if self.expression is not None else []
        while waiting:
            node = waiting.pop()
            waiting += node.children()[::-1]
            found.setdefault(type(node), []).append(node)
        return found

    def nodes(self, kind: type[NodeType]) -> list[NodeType]:
        """All nodes of exactly this class, in source order."""
        return self.nodes_by_class.get(kind, [])  # type: ignore[return-value]

    @property
    def parts(self) -> frozenset[Part]:
        """The classes of the nodes with their bases, and the words; empty if there is no expression.

        Queries of one build have the same parts.
        """
        if self.build is None:
            return frozenset()
        return self.build.words.union(*(kind.__mro__ for kind in self.nodes_by_class))

    def original(self, span: Span) -> Span:
        """``span`` of the parsed text as a span of `text`."""
        return self.filled.original(span) if self.filled.variables else span

    def place(self, where: Node | Span | None = None) -> Place:
        """Where a node (or span) of the query is in its file; without one, the whole query."""
        if where is None:
            text = self.text.strip()
            start = self.text.find(text)
            return self.source.place(start, start + max(len(text), 1))
        span = self.original(where.span if isinstance(where, Node) else where)
        return self.source.place(span.start, max(span.end, span.start + 1))

    def written(self, where: Node | Span) -> str:
        """The text of a node as its author wrote it."""
        span = self.original(where.span if isinstance(where, Node) else where)
        return self.text[span.start : span.end]

    def edit(self, where: Node | Span, replacement: str) -> Edit | None:
        """The edit of the file that puts ``replacement`` in place of a node (or span)."""
        span = self.original(where.span if isinstance(where, Node) else where)
        return self.source.edit(span.start, span.end, replacement)

    @property
    def error_place(self) -> Place:
        """Where the text stops being LogQL."""
        if isinstance(self.error, ParseError) and (self.error.line or self.error.offset):
            return self.place(Span(self.error.offset, max(self.error.end_offset, self.error.offset + 1)))
        return self.place()

    @property
    def is_fixed(self) -> bool:
        """Whether the query is exactly its text: no Grafana variable can change it."""
        return not self.filled.variables

    def has_variable(self, what: str | Node) -> bool:
        """Whether a string or a node of this query holds a Grafana variable, so that its value is not known."""
        if not self.filled.variables:
            return False
        if isinstance(what, str):
            return holds_variable(what)
        span = self.original(what.span)
        return any(
            span.start < found.span.end and found.span.start < span.end for found in self.filled.variables
        )


# --- where a query's text is -------------------------------------------------------------------------------


@dataclass(frozen=True)
class DocumentText:
    """A string inside a document; a whole file that is one query is one, too (`PlainDocument`)."""

    document: Document
    path: Path
    text: str

    def place(self, start: int, end: int) -> Place:
        return place_in(self.document, self.document.text_position(self.path, start, end))

    def edit(self, start: int, end: int, replacement: str) -> Edit | None:
        """The edit that replaces part of the string, written as the string itself is (quoted, escaped, plain)."""
        source = self.document.source
        written = self.document.written(self.path, replacement)
        if not source.file or written is None:
            return None
        position = self.document.text_position(self.path, start, end)
        old = source.text[slice(*source.stretch(position))]
        text = self.text
        return Edit(position, old, written, text, text[:start] + replacement + text[end:])


@dataclass(frozen=True)
class RuleText:
    """The expression of a rule."""

    origin: Origin
    text: str

    def place(self, start: int, end: int) -> Place:
        position = self.origin.text_position(("expr",), start, end)
        return Place(position, self.origin.source_line(position))

    def edit(self, start: int, end: int, replacement: str) -> Edit | None:
        cursor = self.origin.cursor
        # A Python module may make the text from pieces.
        if cursor is None:
            return None
        return DocumentText(cursor.document, (*cursor.path, "expr"), self.text).edit(start, end, replacement)


@dataclass(frozen=True)
class PartOfText:
    """A query that begins somewhere inside a string."""

    whole: TextSource
    start: int

    def place(self, start: int, end: int) -> Place:
        return self.whole.place(self.start + start, self.start + end)

    def edit(self, start: int, end: int, replacement: str) -> Edit | None:
        return None


@dataclass(frozen=True)
class WholeValue:
    """A query whose text was changed on the way, so that only its beginning and end are known."""

    value: Place

    def place(self, start: int, end: int) -> Place:
        return self.value

    def edit(self, start: int, end: int, replacement: str) -> Edit | None:
        return None
