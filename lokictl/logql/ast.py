"""LogQL expressions: small immutable classes that know their parts and print themselves.

``str(expression)`` is Loki's canonical text.  Two expressions are equal when their parts are equal; where
they stood in the source (``span``) does not count.  Text values are ``str``; bytes that are not valid UTF-8
(written ``\\xHH`` in a query) are kept as lone surrogates (``surrogateescape``).  All durations are ``int``
nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field, fields, replace
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from lokictl.records import dataclass

NodeType = TypeVar("NodeType", bound="Node")


class Span(NamedTuple):
    """Where an expression is in the query text: character offsets, ``end`` exclusive."""

    start: int
    end: int


NO_SPAN = Span(0, 0)


@dataclass(frozen=True, slots=True)
class Node:
    """Anything that has a place in the query text."""

    span: Span = field(default=NO_SPAN, compare=False, repr=False, kw_only=True)

    def children(self) -> tuple[Node, ...]:
        """The nodes directly below this one, in source order."""
        return ()

    def walk(self) -> Iterator[Node]:
        """This node and everything below it, parents before children, in source order."""
        waiting: list[Node] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.children()[::-1]

    def find_all(self, *types: type[NodeType]) -> Iterator[NodeType]:
        """Every node of one of the classes, this one included, in source order."""
        return (node for node in self.walk() if isinstance(node, types))

    def transform(self, function: Callable[[Node], Node | None]) -> Any:
        """A copy with ``function`` applied to every node from the top down.

        ``function`` gives the node itself to go on below it, another node to put in its place (which is not looked
        into), or None to remove it from the tuple that contains it.  Parts that do not change are shared.
        """
        new = function(self)
        return self._with_parts(function) if new is self else new

    def _with_parts(self, function: Callable[[Node], Node | None]) -> Node:
        changes: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Node):
                part = value.transform(function)
            elif isinstance(value, tuple) and value and isinstance(value[0], Node):
                moved = [item.transform(function) for item in value]
                same = all(one is other for one, other in zip(moved, value, strict=True))
                part = value if same else tuple(item for item in moved if item is not None)
            else:
                continue
            if part is not value:
                changes[item.name] = part
        return replace(self, **changes) if changes else self

    def replace(self, target: Node, new: Node | None) -> Any:
        """A copy with the very node ``target`` replaced by ``new``; None removes it from the tuple that contains it."""
        return self.transform(lambda node: new if node is target else node)

    def __str__(self) -> str:
        return canonical(self)


PRINTERS: dict[type[Node], Callable[..., str]] = {}
"""What prints each class of nodes; `lokictl.logql.printer` fills it."""


def canonical(node: Node) -> str:
    """Loki's own one-line text of an expression or of any part of one."""
    printer = PRINTERS.get(type(node))
    if printer is None:
        raise TypeError(f"{type(node).__name__} has no text")
    return printer(node)


# --- selectors -------------------------------------------------------------------------------------------


class MatchOperator(StrEnum):
    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher(Node):
    """``name="value"`` in a stream selector, ``drop`` or ``keep``: anchored, dot matches newline."""

    name: str
    operator: MatchOperator
    value: str


@dataclass(frozen=True, slots=True)
class StreamSelector(Node):
    """``{app="a", env=~"prod|dev"}``"""

    matchers: tuple[Matcher, ...]

    def children(self) -> tuple[Node, ...]:
        return self.matchers


# --- pipeline stages --------------------------------------------------------------------------------------


class Stage(Node):
    """One stage of a log pipeline."""

    __slots__ = ()


class ParserStage(Stage):
    """A stage that makes labels of the line."""

    __slots__ = ()


class LineFilterOperator(StrEnum):
    CONTAINS = "|="
    NOT_CONTAINS = "!="
    REGEX = "|~"
    NOT_REGEX = "!~"
    PATTERN = "|>"
    NOT_PATTERN = "!>"

    @property
    def is_negative(self) -> bool:
        return self.value.startswith("!")


@dataclass(frozen=True, slots=True)
class LineFilterLeg(Node):
    """One operand of a line filter: a string, or ``ip("…")``."""

    value: str
    is_ip: bool = False


@dataclass(frozen=True, slots=True)
class LineFilter(Stage):
    """``|= "a" or "b"``.  Negative chains are split by the parser: ``!= "a" or "b"`` becomes two filters."""

    operator: LineFilterOperator
    legs: tuple[LineFilterLeg, ...]

    def children(self) -> tuple[Node, ...]:
        return self.legs


@dataclass(frozen=True, slots=True)
class Extraction(Node):
    """``name="path"`` of a ``json`` or ``logfmt`` stage; a bare ``name`` means ``name="name"``."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class JsonParser(ParserStage):
    """``| json`` or ``| json a="x.y", b``"""

    extractions: tuple[Extraction, ...] = ()

    def children(self) -> tuple[Node, ...]:
        return self.extractions


@dataclass(frozen=True, slots=True)
class LogfmtParser(ParserStage):
    """``| logfmt [--strict] [--keep-empty] [a="x", b]``"""

    strict: bool = False
    keep_empty: bool = False
    extractions: tuple[Extraction, ...] = ()

    def children(self) -> tuple[Node, ...]:
        return self.extractions


@dataclass(frozen=True, slots=True)
class RegexpParser(ParserStage):
    """``| regexp "(?P<a>…)"``"""

    pattern: str


@dataclass(frozen=True, slots=True)
class PatternParser(ParserStage):
    """``| pattern "<a> <_> <b>"``"""

    pattern: str


@dataclass(frozen=True, slots=True)
class UnpackParser(ParserStage):
    """``| unpack``"""


@dataclass(frozen=True, slots=True)
class LineFormat(Stage):
    """``| line_format "{{.a}}"``"""

    template: str


@dataclass(frozen=True, slots=True)
class LabelFormatItem(Node):
    """``name=source`` (a rename) or ``name="template"``."""

    name: str
    value: str
    is_template: bool


@dataclass(frozen=True, slots=True)
class LabelFormat(Stage):
    """``| label_format a=b, c="{{.d}}"``"""

    items: tuple[LabelFormatItem, ...]

    def children(self) -> tuple[Node, ...]:
        return self.items


@dataclass(frozen=True, slots=True)
class Decolorize(Stage):
    """``| decolorize``"""


@dataclass(frozen=True, slots=True)
class LabelName(Node):
    """A bare label name in ``drop`` or ``keep``."""

    name: str


@dataclass(frozen=True, slots=True)
class DropLabels(Stage):
    """``| drop a, b="c"``"""

    items: tuple[LabelName | Matcher, ...]

    def children(self) -> tuple[Node, ...]:
        return self.items


@dataclass(frozen=True, slots=True)
class KeepLabels(Stage):
    """``| keep a, b="c"``"""

    items: tuple[LabelName | Matcher, ...]

    def children(self) -> tuple[Node, ...]:
        return self.items


# --- label filters ----------------------------------------------------------------------------------------


class LabelFilter(Node):
    """A predicate over labels: a `LabelComparison`, or two predicates joined by ``and``/``or``."""

    __slots__ = ()


class LabelComparison(LabelFilter):
    """A predicate over the one label ``name``."""

    __slots__ = ()
    name: str
    operator: MatchOperator | ComparisonOperator


class ComparisonOperator(StrEnum):
    EQUAL = "=="
    NOT_EQUAL = "!="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    LESS = "<"
    LESS_OR_EQUAL = "<="


@dataclass(frozen=True, slots=True)
class StringLabelFilter(LabelComparison):
    name: str
    operator: MatchOperator
    value: str


@dataclass(frozen=True, slots=True)
class NumberLabelFilter(LabelComparison):
    name: str
    operator: ComparisonOperator
    value: float


@dataclass(frozen=True, slots=True)
class DurationLabelFilter(LabelComparison):
    """``value`` in nanoseconds."""

    name: str
    operator: ComparisonOperator
    value: int


@dataclass(frozen=True, slots=True)
class BytesLabelFilter(LabelComparison):
    """``value`` in bytes, exactly as written (the canonical text rounds it)."""

    name: str
    operator: ComparisonOperator
    value: int


@dataclass(frozen=True, slots=True)
class IpLabelFilter(LabelComparison):
    """``name = ip("…")`` (``operator`` is EQUAL or NOT_EQUAL)."""

    name: str
    operator: MatchOperator
    pattern: str


@dataclass(frozen=True, slots=True)
class AndLabelFilter(LabelFilter):
    """Both sides hold; written with ``and``, a comma or a space (all three mean the same)."""

    left: LabelFilter
    right: LabelFilter

    def children(self) -> tuple[Node, ...]:
        return (self.left, self.right)


@dataclass(frozen=True, slots=True)
class OrLabelFilter(LabelFilter):
    left: LabelFilter
    right: LabelFilter

    def children(self) -> tuple[Node, ...]:
        return (self.left, self.right)


@dataclass(frozen=True, slots=True)
class LabelFilterStage(Stage):
    """``| level="error" and status >= 500``"""

    filter: LabelFilter

    def children(self) -> tuple[Node, ...]:
        return (self.filter,)


# --- expressions ------------------------------------------------------------------------------------------


class Expr(Node):
    """A whole query or an operand of one."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class LogExpr(Expr):
    """A stream selector and its pipeline; without stages, the selector alone."""

    selector: StreamSelector
    stages: tuple[Stage, ...] = ()

    def children(self) -> tuple[Node, ...]:
        return (self.selector, *self.stages)


@dataclass(frozen=True, slots=True)
class Unwrap(Node):
    """``| unwrap duration(label) | filter…``: ``conversion`` is None, "bytes", "duration" or "duration_seconds"."""

    label: str
    conversion: str | None = None
    filters: tuple[LabelFilter, ...] = ()

    def children(self) -> tuple[Node, ...]:
        return self.filters


@dataclass(frozen=True, slots=True)
class LogRange(Node):
    """``{…} | … | unwrap x [5m] offset 1m``: ``range`` and ``offset`` in nanoseconds."""

    log: LogExpr
    range: int
    offset: int = 0
    unwrap: Unwrap | None = None

    def children(self) -> tuple[Node, ...]:
        return (self.log,) if self.unwrap is None else (self.log, self.unwrap)


@dataclass(frozen=True, slots=True)
class Grouping(Node):
    """``by (a, b)`` or ``without (a, b)``."""

    labels: tuple[str, ...] = ()
    without: bool = False


class MetricExpr(Expr):
    """An expression whose answer is a vector, a matrix or a scalar."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class RangeAggregation(MetricExpr):
    """``quantile_over_time(0.99, {…} | unwrap x [5m]) by (a)``; ``operation`` is the lower-case function name."""

    operation: str
    log_range: LogRange
    parameter: float | None = None
    grouping: Grouping | None = None

    def children(self) -> tuple[Node, ...]:
        return (self.log_range,) if self.grouping is None else (self.log_range, self.grouping)


@dataclass(frozen=True, slots=True)
class VectorAggregation(MetricExpr):
    """``topk by (a)(5, …)``; a missing grouping is ``by ()``; ``parameter`` is the k of topk and its like."""

    operation: str
    inner: MetricExpr
    parameter: int | None = None
    grouping: Grouping = Grouping()

    def children(self) -> tuple[Node, ...]:
        return (self.grouping, self.inner)


@dataclass(frozen=True, slots=True)
class VectorMatching(Node):
    """``on (labels) group_left (include)``: ``on`` False means ``ignoring``; ``group`` is None, "left" or "right"."""

    on: bool
    labels: tuple[str, ...] = ()
    group: str | None = None
    include: tuple[str, ...] = ()


ARITHMETIC_OPERATORS = ("+", "-", "*", "/", "%", "^")
COMPARISONS = ("==", "!=", ">", ">=", "<", "<=")
SET_OPERATORS = ("and", "or", "unless")


@dataclass(frozen=True, slots=True)
class BinaryOperation(MetricExpr):
    """``left operator matching right``; ``operator`` is its lower-case text, ``+`` or ``unless``."""

    operator: str
    left: MetricExpr
    right: MetricExpr
    matching: VectorMatching | None = None
    return_bool: bool = False

    def children(self) -> tuple[Node, ...]:
        return (self.left, self.right) if self.matching is None else (self.left, self.matching, self.right)


@dataclass(frozen=True, slots=True)
class Literal(MetricExpr):
    """A number; two literals under one operator are folded by the parser."""

    value: float


@dataclass(frozen=True, slots=True)
class VectorFunction(MetricExpr):
    """``vector(1)``: one element without labels."""

    value: float


@dataclass(frozen=True, slots=True)
class LabelReplace(MetricExpr):
    """``label_replace(v, "dst", "replacement", "src", "regex")``"""

    inner: MetricExpr
    destination: str
    replacement: str
    source: str
    regex: str

    def children(self) -> tuple[Node, ...]:
        return (self.inner,)


@dataclass(frozen=True, slots=True)
class Variants(Expr):
    """``variants(a, b) of ({…}[5m])``: parsed, but disabled in a default Loki."""

    variants: tuple[MetricExpr, ...]
    of: LogRange

    def children(self) -> tuple[Node, ...]:
        return (*self.variants, self.of)
