"""Which Loki behaves how: one table of dated behaviors, asked wherever a behavior lives.

A behavior is something that a Loki does from one version on, or until another: syntax that it reads, an answer that it
gives.  The code that does it asks ``version.has(BEHAVIOR)``; the page "LogQL by version", the linter's version check
and ``lokictl upgrade`` read the same table.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from lokictl.lazy import lazy_pattern
from lokictl.logql import ast
from lokictl.logql.ast import COMPARISONS
from lokictl.records import dataclass

Find = Callable[[ast.Expr], Iterator[ast.Node]]
"""The parts of an expression that a behavior concerns."""


class LokiVersion(NamedTuple):
    """A released Loki; ``LokiVersion.parse("3.4")`` is the newest known patch release of 3.4."""

    major: int
    minor: int
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> LokiVersion:
        """The version that ``text`` names: ``3.4``, ``v3.4.2``, ``main``.  Raises ValueError."""
        body = text.strip().removeprefix("v")
        if body == "main":
            return MAIN
        parts = body.partition("-")[0].partition("+")[0].split(".")
        if not 2 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() for part in parts):
            raise ValueError(f"{text!r} is not a version of Loki: write one like 3.4 or 3.4.2")
        numbers = [int(part) for part in parts]
        minor = (numbers[0], numbers[1])
        found = cls(*numbers) if len(numbers) == 3 else cls(*minor, NEWEST_PATCH.get(minor, 0))
        if not FIRST <= found < MAIN:
            raise ValueError(
                f"Loki {text} is not known: {FIRST.minor_text} to {NEWEST.minor_text} and main are"
            )
        return found

    @classmethod
    def of_minor(cls, major: int, minor: int) -> LokiVersion:
        """The newest known patch release of a minor version, whether or not its behavior is known."""
        return cls(major, minor, NEWEST_PATCH.get((major, minor), 0))

    def has(self, behavior: Behavior) -> bool:
        """Whether this Loki behaves so."""
        return behavior.holds(self)

    @property
    def minor_text(self) -> str:
        """The version without its patch release: ``3.4``; ``main`` for the development branch."""
        return "main" if self >= MAIN else f"{self.major}.{self.minor}"

    def __str__(self) -> str:
        return "main" if self >= MAIN else f"{self.major}.{self.minor}.{self.patch}"


NEWEST_PATCH = {
    (2, 9): 17,
    (3, 0): 1,
    (3, 1): 2,
    (3, 2): 1,
    (3, 3): 4,
    (3, 4): 6,
    (3, 5): 12,
    (3, 6): 15,
    (3, 7): 6,
    (3, 8): 0,
}
"""The patch release of each minor version whose answers were recorded."""
FIRST = LokiVersion(2, 9, 0)
NEWEST = LokiVersion(3, 8, 0)
MAIN = LokiVersion(3, 9, 0)
"""The development branch after 3.8."""
DEFAULT = LokiVersion(3, 7, 6)
"""What everything behaves like unless somebody says otherwise."""


_TARGET = "LOKICTL_LOKI_VERSION"


def target() -> LokiVersion:
    """The Loki that this run is for: what everything behaves like that is not told otherwise."""
    text = os.environ.get(_TARGET, "")
    return _parsed(text) if text else DEFAULT


@lru_cache
def _parsed(text: str) -> LokiVersion:
    return LokiVersion.parse(text)


def configured_target() -> LokiVersion | None:
    """The Loki that the project or an option names for this run; None where nobody does."""
    return target() if os.environ.get(_TARGET) else None


def set_target(version: LokiVersion) -> None:
    """From now on, in this process and those that it starts, everything is for ``version``."""
    os.environ[_TARGET] = str(version)


@contextmanager
def targeting(version: LokiVersion) -> Iterator[None]:
    """Everything inside is for ``version``."""
    before = os.environ.get(_TARGET)
    set_target(version)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_TARGET]
        else:
            os.environ[_TARGET] = before


@dataclass(frozen=True, slots=True)
class Example:
    """Logs and a query that show a behavior: ``lines`` of one stream, ``spacing`` seconds apart.

    All lines have the structured metadata ``metadata``, and each one has its own of ``each_metadata`` besides.  A
    metric query is asked ``later`` seconds after the last line; a log query reads all lines, or with ``instant`` is
    asked as an instant query.  With ``detect_levels`` Loki adds ``detected_level`` as lines come in, as it does unless
    the limits turn it off.
    """

    query: str
    lines: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = (("app", "shop"),)
    metadata: tuple[tuple[str, str], ...] = ()
    later: int = 1
    spacing: int = 1
    each_metadata: tuple[tuple[tuple[str, str], ...], ...] = ()
    instant: bool = False
    detect_levels: bool = False

    def metadata_of(self, index: int) -> dict[str, str]:
        """The structured metadata of a line."""
        own = self.each_metadata[index] if index < len(self.each_metadata) else ()
        return dict((*self.metadata, *own))


@dataclass(frozen=True, slots=True, eq=False)
class Behavior:
    """Something that Loki does for versions with ``since <= version < until``.

    ``what`` it does; ``otherwise`` what the versions before ``since`` (or from ``until`` on) do; ``find`` gives the
    parts of an expression that it concerns (None: every query, or nothing that a query shows); ``source`` is where it
    is written down, ``recording`` the recorded answers that prove it.  ``syntax``: without it Loki refuses the
    query, and ``called`` names what it does not have.  ``rewrite`` spells a part so that every version answers as those
    without the behavior.  ``by_lines``: nearly every query with such a part is concerned, and only the lines decide
    whether its answer changes.
    """

    name: str
    what: str
    otherwise: str
    since: LokiVersion = FIRST
    until: LokiVersion | None = None
    find: Find | None = None
    source: str = "recorded"
    recording: str = ""
    syntax: bool = False
    called: Callable[[ast.Node], str] | None = None
    example: Example | None = None
    rewrite: Callable[[ast.Node], str] | None = None
    by_lines: bool = False

    def holds(self, version: LokiVersion) -> bool:
        """Whether ``version`` behaves so."""
        return self.since <= version and (self.until is None or version < self.until)


def parse_version(text: str) -> LokiVersion:
    """`LokiVersion.parse`."""
    return LokiVersion.parse(text)


@lru_cache(maxsize=64)
def changed(old: LokiVersion, new: LokiVersion) -> tuple[Behavior, ...]:
    """The behaviors that one version has and the other does not, in the order of the table."""
    return tuple(behavior for behavior in BEHAVIORS if behavior.holds(old) != behavior.holds(new))


# --- what a behavior concerns ----------------------------------------------------------------------------------------


def _nodes(*types: type[ast.Node]) -> Find:
    return lambda expression: expression.find_all(*types)


def _where(kind: type[ast.NodeType], test: Callable[[ast.NodeType], bool]) -> Find:
    return lambda expression: (node for node in expression.find_all(kind) if test(node))


def _operations(*names: str) -> Find:
    return lambda expression: (
        node
        for node in expression.walk()
        if isinstance(node, ast.RangeAggregation | ast.VectorAggregation) and node.operation in names
    )


PARSERS = (ast.JsonParser, ast.LogfmtParser, ast.RegexpParser, ast.PatternParser, ast.UnpackParser)


def _templates(*functions: str) -> Find:
    """Stages whose template calls one of some functions."""
    called = lazy_pattern(r"\{\{[^}]*(?<![\w.$\"`])(?:" + "|".join(functions) + r")(?!\w)[^}]*\}\}")

    def find(expression: ast.Expr) -> Iterator[ast.Node]:
        for node in expression.walk():
            if (isinstance(node, ast.LineFormat) and called.search(node.template)) or (
                isinstance(node, ast.LabelFormatItem) and node.is_template and called.search(node.value)
            ):
                yield node

    return find


def _empty_groupings(expression: ast.Expr) -> Iterator[ast.Node]:
    """``without ()`` of vector aggregations, ``by ()`` of range aggregations."""
    for node in expression.find_all(ast.VectorAggregation):
        if node.grouping.without and not node.grouping.labels:
            yield node.grouping
    for range_node in expression.find_all(ast.RangeAggregation):
        grouping = range_node.grouping
        if grouping is not None and not grouping.without and not grouping.labels:
            yield grouping


_ONLY_THE_ERROR = lazy_pattern(r"\{\{-?\s*\.__error(?:_details)?__\s*-?\}\}")
_TYPED_FILTERS = (ast.NumberLabelFilter, ast.DurationLabelFilter, ast.BytesLabelFilter)


def _may_fail(stage: ast.Stage) -> bool:
    """Whether a stage can give a line an ``__error__``."""
    if isinstance(stage, ast.LogfmtParser):
        return stage.strict
    if isinstance(stage, ast.LabelFormat):
        return any(item.is_template for item in stage.items)
    if isinstance(stage, ast.LabelFilterStage):
        return any(stage.find_all(*_TYPED_FILTERS))
    return isinstance(stage, ast.JsonParser | ast.UnpackParser | ast.LineFormat)


def _drops_errors(stage: ast.Stage) -> bool:
    """Whether a stage keeps only lines without an ``__error__``."""
    if not isinstance(stage, ast.LabelFilterStage) or any(stage.find_all(ast.OrLabelFilter)):
        return False
    return any(
        (label.name, str(label.operator), label.value) == ("__error__", "=", "")
        for label in stage.find_all(ast.StringLabelFilter)
    )


def _typed_filters_of_errors(expression: ast.Expr) -> Iterator[ast.Node]:
    """Typed label filters that a line with an ``__error__`` can reach."""
    for pipeline in expression.find_all(ast.LogExpr):
        failed = False
        for stage in pipeline.stages:
            if failed:
                yield from stage.find_all(*_TYPED_FILTERS)
            failed = (failed or _may_fail(stage)) and not _drops_errors(stage)


def _ip_in_chain(node: ast.LineFilter) -> bool:
    return len(node.legs) > 1 and any(leg.is_ip for leg in node.legs)


def _without_ip(node: ast.Node) -> str:
    """A chain of line filters with each `ip()` as the plain text that it counts as."""
    assert isinstance(node, ast.LineFilter)
    return str(replace(node, legs=tuple(replace(leg, is_ip=False) for leg in node.legs)))


def _folded_beyond_ascii(expression: ast.Expr) -> Iterator[ast.Node]:
    """Regular expressions of line and label filters that ignore the case of letters beyond ASCII."""

    def folds(pattern: str) -> bool:
        return pattern.startswith("(?i") and not pattern.isascii()

    for node in expression.find_all(ast.LineFilter):
        if "~" in node.operator and any(folds(leg.value) for leg in node.legs):
            yield node
    yield from (
        label
        for label in expression.find_all(ast.StringLabelFilter)
        if "~" in label.operator and folds(label.value)
    )


def _ipv6(expression: ast.Expr) -> Iterator[ast.Node]:
    yield from (node for node in expression.find_all(ast.IpLabelFilter) if ":" in node.pattern)
    yield from (leg for leg in expression.find_all(ast.LineFilterLeg) if leg.is_ip and ":" in leg.value)


# --- syntax ----------------------------------------------------------------------------------------------------------


def _since(version: tuple[int, int], name: str, find: Find, called: str) -> Behavior:
    return Behavior(
        name,
        f"Queries may have {called}.",
        "A syntax error.",
        since=LokiVersion(*version),
        find=find,
        source="documentation",
        syntax=True,
        called=lambda node: called,
    )


VECTOR = _since((2, 7), "vector", _nodes(ast.VectorFunction), "`vector()`")
DROP = _since((2, 8), "drop", _nodes(ast.DropLabels), "the stage `drop`")
DECOLORIZE = _since((2, 8), "decolorize", _nodes(ast.Decolorize), "the stage `decolorize`")
SORT = _since((2, 8), "sort", _operations("sort", "sort_desc"), "`sort`")
LOGFMT_FIELDS = _since(
    (2, 8),
    "logfmt-fields",
    _where(ast.LogfmtParser, lambda node: bool(node.extractions)),
    "`logfmt` with labels",
)
KEEP = _since((2, 9), "keep", _nodes(ast.KeepLabels), "the stage `keep`")
LOGFMT_FLAGS = _since(
    (2, 9),
    "logfmt-flags",
    _where(ast.LogfmtParser, lambda node: node.strict or node.keep_empty),
    "a flag of `logfmt`",
)
OR_FILTERS = Behavior(
    "or-filters",
    'Line filters take several texts: `|= "a" or "b"`.',
    "A syntax error.",
    since=LokiVersion(3, 0),
    find=_where(ast.LineFilter, lambda node: len(node.legs) > 1),
    source="changelog 3.0",
    recording="2.9",
    syntax=True,
    called=lambda node: "`or` between line filters",
)
PATTERN_FILTERS = Behavior(
    "pattern-filters",
    "Line filters take patterns: `|>` and `!>`.",
    "A syntax error.",
    since=LokiVersion(3, 0),
    find=_where(ast.LineFilter, lambda node: node.operator in ("|>", "!>")),
    source="changelog 3.0",
    recording="2.9",
    syntax=True,
    called=lambda node: f"the pattern filter `{getattr(node, 'operator', '')}`",
)

APPROX_TOPK = Behavior(
    "approx-topk",
    "`approx_topk` estimates the largest values.",
    "A syntax error.",
    since=LokiVersion(3, 3),
    find=_operations("approx_topk"),
    source="changelog 3.4",
    recording="3.2",
    syntax=True,
    called=lambda node: "`approx_topk`",
)
VARIANTS = Behavior(
    "variants",
    "Queries with `variants (…) of (…)` run where the tenant's limits enable them.",
    "A syntax error.",
    since=LokiVersion(3, 5),
    until=MAIN,
    find=_nodes(ast.Variants),
    source="changelog 3.5",
    syntax=True,
    called=lambda node: "`variants`",
)
ANY_CASE = Behavior(
    "any-case",
    "Names of functions in any case: `SUM(RATE(…))`.",
    "A syntax error.",
    since=LokiVersion(3, 0),
    source="changelog 3.0",
    recording="2.9",
    syntax=True,
)
NEGATIVE_NUMBERS = Behavior(
    "negative-numbers",
    "Label filters compare with negative numbers: `x > -1`.",
    "A syntax error.",
    since=LokiVersion(3, 1),
    find=_where(ast.NumberLabelFilter, lambda node: node.value < 0),
    source="changelog 3.1",
    recording="2.9",
    syntax=True,
    called=lambda node: "a negative number in a label filter",
)

# --- answers ---------------------------------------------------------------------------------------------------------

TYPED_FILTERS_DROP_ERRORS = Behavior(
    "typed-filters-drop-errors",
    "A label filter that compares a number, duration or size drops every line without the label, even a line "
    "that could not be parsed.",
    "A label filter that compares a number, duration or size lets through lines that could not be parsed.",
    since=LokiVersion(3, 0),
    find=_typed_filters_of_errors,
    recording="2.9",
    example=Example('{app="shop"} | json | status >= 400', ('{"status":500}', "no json")),
)
NUMBER_ON_THE_LEFT = Behavior(
    "number-on-the-left",
    "A comparison with the number on its left (`0 < rate(…)`) keeps the values of the vector.",
    "A comparison with the number on its left (`0 < rate(…)`) replaces every value by the number.",
    since=LokiVersion(3, 0),
    find=_where(
        ast.BinaryOperation,
        lambda node: (
            isinstance(node.left, ast.Literal) and node.operator in COMPARISONS and not node.return_bool
        ),
    ),
    source="changelog 3.0",
    recording="2.9",
    example=Example('0 < count_over_time({app="shop"} [1m])', ("one", "two", "three")),
)
EMPTY_GROUPING_KEPT = Behavior(
    "empty-grouping",
    "`without ()` keeps all labels, and `by ()` of a range aggregation (`max_over_time(…) by ()`) none.",
    "`without ()` keeps no label, as `by ()` does, and `by ()` of a range aggregation all.",
    since=LokiVersion(3, 0),
    find=_empty_groupings,
    recording="2.9",
    rewrite=lambda node: "",
    example=Example('count(count_over_time({app="shop"} [1m])) without ()', ("one",)),
)
NUMBERS_ARE_EVALUATED = Behavior(
    "label-replace-of-a-number",
    "`label_replace` of a number fails when it runs (HTTP 500).",
    "`label_replace` of a number is refused for having no stream selector (HTTP 400).",
    since=LokiVersion(3, 6),
    recording="3.5",
)
QUERIES_RUN_AS_PARSED = Behavior(
    "queries-run-as-parsed",
    "The query API runs the query as it was parsed; only sizes in label filters are rounded as they print.",
    "The query API prints the query, and runs the printed text: `group_left ()` in front of a compound "
    "expression fails, `-0` and `vector(1e-9)` get lost.",
    since=LokiVersion(3, 0),
    recording="2.9",
)
NO_INSTANT_LOG_QUERIES = Behavior(
    "no-instant-log-queries",
    "A log query as an instant query is an error.",
    "A log query as an instant query gives the lines of the last 30 seconds.",
    since=LokiVersion(3, 2),
    recording="3.1",
)
STREAM_LABELS_AS_THEY_ARE = Behavior(
    "stream-labels-as-they-are",
    "Values of stream labels are shown as they are.",
    "Values of stream labels that were pushed as JSON keep their escapes (`\\u00fc`, `\\n`).",
    since=LokiVersion(3, 0),
    recording="2.9",
)
STRINGS_IN_ARRAYS = Behavior(
    "strings-in-arrays",
    '`json` paths read strings in arrays: `json x="tags[0]"`.',
    '`json` paths to a string in an array (`json x="tags[0]"`) fail with a JSONParserErr.',
    since=LokiVersion(3, 0),
    find=_where(ast.Extraction, lambda node: "[" in node.path),
    source="changelog 3.0",
    recording="2.9",
    example=Example('{app="shop"} | json x="tags[0]"', ('{"tags":["a","b"]}',)),
)
WINDOW_END = Behavior(
    "window-end",
    "A line at the very time of the evaluation counts: windows are (t - range, t].",
    "A line at the very time of an instant query, or at the end of a range query, does not count.",
    since=LokiVersion(3, 2),
    find=_nodes(ast.RangeAggregation),
    by_lines=True,
    source="changelog 3.2 (#13448)",
    recording="2.9",
    example=Example('count_over_time({app="shop"} [3s])', ("one", "two", "three"), later=0),
)
METADATA_FIRST = Behavior(
    "metadata-first",
    "A parsed field with the name of structured metadata becomes `name_extracted`.",
    "The field is not extracted (in 3.6 it takes the place of the metadata).",
    since=LokiVersion(3, 7),
    find=_nodes(*PARSERS),
    by_lines=True,
    source="changelog 3.7 (#19991)",
    recording="3.2",
    example=Example('{app="shop"} | json', ('{"level":"error"}',), metadata=(("level", "info"),)),
)
METADATA_GIVES_WAY = Behavior(
    "metadata-gives-way",
    "A parsed field takes the place of structured metadata of its name.",
    "Parsers leave the names of structured metadata alone.",
    since=LokiVersion(3, 6),
    until=LokiVersion(3, 7),
    find=_nodes(*PARSERS),
    by_lines=True,
    recording="3.5",
    example=Example('{app="shop"} | json', ('{"level":"error"}',), metadata=(("level", "info"),)),
)
SET_LABELS_BESIDE_METADATA = Behavior(
    "set-labels-beside-metadata",
    "What `label_format` and named fields (`json level`) set stands beside structured metadata of that name: "
    "answers and templates show what was set, filters and groupings see the metadata.",
    "What `label_format` and named fields (`json level`) set takes the place of structured metadata of that "
    "name.",
    since=LokiVersion(3, 0),
    until=LokiVersion(3, 3),
    find=_nodes(ast.LabelFormat, ast.Extraction),
    by_lines=True,
    source="changelog 3.3",
    recording="3.2",
    example=Example(
        '{app="shop"} | json level | level="info"',
        ('{"level":"error"}',),
        metadata=(("level", "info"),),
    ),
)
FIRST_OF_EQUALS = Behavior(
    "first-of-equals",
    "Whether a parser sets a field is decided for each line; of two equal names in a line, the first counts.",
    "Whether a parser sets a field is decided where its name is first seen in the query, for all later lines; "
    "of two equal names in a line, the last counts.",
    since=LokiVersion(3, 6),
    find=_nodes(*PARSERS),
    by_lines=True,
    recording="3.5",
    example=Example('{app="shop"} | json', ('{"a":{"b":"nested"},"a_b":"flat"}',)),
)
CONFLICTS_EACH_LINE = Behavior(
    "conflicts-each-line",
    "Whether a field must be called `name_extracted` is decided for each line.",
    "Whether a field must be called `name_extracted` is decided where its name is first seen in the query, "
    "also for the lines of other streams.",
    since=LokiVersion(3, 7),
    find=_nodes(*PARSERS),
    by_lines=True,
    source="changelog 3.7",
    recording="3.6",
)
METADATA_TELLS_APART = Behavior(
    "metadata-tells-apart",
    "Lines of one time with the same text and different structured metadata are all kept.",
    "Of lines of one time with the same text, only the first is kept, whatever their structured metadata.",
    since=LokiVersion(3, 7),
    recording="3.6",
)
METADATA_NAMES_CLEANED = Behavior(
    "metadata-names-cleaned",
    "Names of structured metadata are cleaned when lines are pushed: `trace.id` is `trace_id`.",
    "Names of structured metadata are stored as pushed; metric queries cannot name `trace.id`.",
    since=LokiVersion(3, 4),
    source="changelog 3.4",
    recording="3.2",
)
METADATA_NAMES_CLEANED_IN_LOG_QUERIES = Behavior(
    "metadata-names-cleaned-in-log-queries",
    "Log queries read `trace.id` of structured metadata as `trace_id`.",
    "No query can name `trace.id` of structured metadata.",
    since=LokiVersion(3, 2),
    source="changelog 3.2",
    recording="3.2",
)
METADATA_NAMES_ARE_ASCII = Behavior(
    "metadata-names-are-ascii",
    "Letters beyond ASCII in names of structured metadata become `_`: `prüf` is `pr_f`.",
    "Letters beyond ASCII stay in names of structured metadata; no query can name `prüf`.",
    since=LokiVersion(3, 5),
    recording="3.4",
)
METADATA_NAMES_COLLAPSE = Behavior(
    "metadata-names-collapse",
    "In names of structured metadata, several characters that are not allowed become one `_`: `a..b` is `a_b`.",
    "In names of structured metadata, each character that is not allowed becomes a `_`: `a..b` is `a__b`; a "
    "single `_` at the start becomes `key_`.",
    since=LokiVersion(3, 6),
    recording="3.5",
)
METADATA_AS_IT_IS = Behavior(
    "metadata-as-it-is",
    "Structured metadata that is pushed as JSON keeps its characters.",
    "Structured metadata that is pushed as JSON keeps its escapes (`\\u00fc`, `\\n`), and empty values are "
    "kept.",
    since=LokiVersion(3, 6),
    source="changelog 3.6",
    recording="3.5",
)
APPROX_TOPK_RUNS = Behavior(
    "approx-topk-runs",
    "`approx_topk` works with and without sharding.",
    "`approx_topk` works only where Loki shards queries; elsewhere it fails (HTTP 500).",
    since=LokiVersion(3, 6),
    find=_operations("approx_topk"),
    source="changelog 3.6",
    recording="3.5",
)
BACKTICKS_IN_LABEL_REGEXES = Behavior(
    "backticks-in-label-regexes",
    'The regular expression of a label filter may have backticks: ``level=~"`.*`"``.',
    "A label filter whose regular expression has backticks fails (HTTP 500; a syntax error before 3.0).",
    since=LokiVersion(3, 6, 5),
    find=_where(ast.StringLabelFilter, lambda node: node.operator == "=~" and "`" in node.value),
    source="changelog 3.6.5",
    recording="3.5",
)
LONG_CHAINS = Behavior(
    "long-chains",
    'All strings of a chain are what its operator says: `|~ "a" or "b" or "c.d"`.',
    'From the third string of a chain on (`|~ "a" or "b" or "c.d"`), strings are plain text.',
    since=LokiVersion(3, 1),
    find=_where(ast.LineFilter, lambda node: len(node.legs) > 2 and node.operator not in ("|=", "!=")),
    source="changelog 3.1",
    recording="3.0",
    example=Example('{app="shop"} |~ "x" or "y" or "a.c"', ("abc",)),
)
PATTERNS_BEYOND_ASCII = Behavior(
    "patterns-beyond-ascii",
    "Patterns of `|>` and `!>` may have characters beyond ASCII.",
    "A pattern of `|>` or `!>` with characters beyond ASCII matches no line.",
    since=LokiVersion(3, 1),
    find=_where(
        ast.LineFilter,
        lambda node: node.operator in ("|>", "!>") and not all(leg.value.isascii() for leg in node.legs),
    ),
    source="changelog 3.1",
    recording="3.0",
    example=Example('{app="shop"} |> "<_>✓<_>"', ("a ✓ b",)),
)
FLAG_OF_FUNCTIONS = Behavior(
    "flag-of-functions",
    "A syntax error calls a flag in the wrong place FUNCTION_FLAG.",
    "A syntax error calls such a flag PARSER_FLAG.",
    since=LokiVersion(3, 5),
    recording="3.4",
)
QUERY_OFFSET_OF_GROUPS = Behavior(
    "query-offset-of-groups",
    "A rule group may have `query_offset`; Loki drops it.",
    "A rule file whose group has `query_offset` is refused.",
    since=LokiVersion(3, 2),
    recording="3.1",
)
LABELS_OF_GROUPS = Behavior(
    "labels-of-groups",
    "A rule group may have `labels`; Loki drops them.",
    "A rule file whose group has `labels` is refused.",
    since=LokiVersion(3, 5),
    recording="3.4",
)
ANY_NAMES_IN_RULES = Behavior(
    "any-names-in-rules",
    "Labels, annotations and recording rules may have any name: `a-b`.",
    "A rule is refused if the name of a label, an annotation or a recorded metric has other characters than "
    "ASCII letters, digits and `_`.",
    since=LokiVersion(3, 5),
    until=LokiVersion(3, 6),
    recording="3.4",
)
RULES_READ_AS_TEXT = Behavior(
    "rules-read-as-text",
    "A list or mapping as `alert`, `record` or `expr` of a rule is a YAML error; messages call a rule "
    "`rulefmt.Rule`.",
    "A list or mapping as `alert`, `record` or `expr` of a rule counts as empty; messages call a rule "
    "`rulefmt.RuleNode`.",
    since=LokiVersion(3, 6),
    recording="3.5",
)
LATE_ALERT_FUNCTIONS = Behavior(
    "late-alert-functions",
    "Templates of alerting rules have the functions `now`, `toDuration` and `urlQueryEscape`.",
    "A rule whose template calls `now`, `toDuration` or `urlQueryEscape` is refused.",
    since=LokiVersion(3, 6),
    recording="3.5",
)
SIGNED_DURATIONS_IN_ALERTS = Behavior(
    "signed-durations-in-alerts",
    "`parseDuration` in templates of alerting rules takes a sign: `-5m` is -300.",
    "`parseDuration` in templates of alerting rules fails for a duration with a sign.",
    since=LokiVersion(3, 6),
    recording="3.5",
)
TITLE_BY_WORDS = Behavior(
    "title-by-words",
    "`title` in templates of alerting rules looks for the first letter of a word: `1w` becomes `1W`.",
    "`title` in templates of alerting rules changes a letter only where a word begins with it: `1w` stays.",
    since=LokiVersion(3, 5),
    recording="3.4",
)
DOT_MATCHES_NEWLINE = Behavior(
    "dot-matches-newline",
    "In a stream selector, and in `drop` and `keep`, the dot of a regular expression matches a newline.",
    "In a stream selector, and in `drop` and `keep`, the dot of a regular expression does not match a newline.",
    since=LokiVersion(3, 5),
    recording="3.4",
)
FIRST_BYTE_FOLDS = Behavior(
    "first-byte-folds",
    "`(?i)` in a line or label filter compares letters beyond ASCII by their first byte: `(?i)рив` does not "
    "find ПРИВЕТ.",
    "`(?i)` in a line or label filter ignores the case of letters beyond ASCII: `(?i)рив` finds ПРИВЕТ.",
    since=LokiVersion(3, 4),
    find=_folded_beyond_ascii,
    recording="3.2",
)
ERROR_FIELD_EMPTY = Behavior(
    "error-field-empty",
    '`line_format "{{.__error__}}"` makes the line empty; with any other text in the template it shows the '
    "error.",
    '`line_format "{{.__error__}}"` shows the error.',
    since=LokiVersion(3, 4),
    find=lambda expression: (
        node for node in expression.find_all(ast.LineFormat) if _ONLY_THE_ERROR.fullmatch(node.template)
    ),
    recording="3.2",
    example=Example('{app="shop"} | json | line_format "{{.__error__}}"', ("no json",)),
)
INT_OF_FRACTION = Behavior(
    "int-of-fraction",
    '`int`, `add`, `sub`, `mul`, `div`, `mod`, `max` and `min` cut off the fraction of a string: `int "4.9"` '
    "is 4.",
    "`int`, `add`, `sub`, `mul`, `div`, `mod`, `max` and `min` count a string with a fraction as 0.",
    since=LokiVersion(3, 7),
    find=_templates("int", "add", "sub", "mul", "div", "mod", "max", "min"),
    recording="3.6",
    example=Example('{app="shop"} | logfmt | line_format "{{.n | int}}"', ("n=4.9",)),
)
FEWER_BOUNDARIES = Behavior(
    "fewer-level-boundaries",
    "`|` and `'` do not end a word when Loki looks for a level in a line (`detected_level`).",
    "`|` and `'` end a word when Loki looks for a level in a line (`detected_level`).",
    since=LokiVersion(3, 7),
    until=LokiVersion(3, 8),
    source="changelog 3.7 and 3.8",
)
B64_WITHOUT_PADDING = Behavior(
    "base64-without-padding",
    "`b64dec` reads text without `=` at its end.",
    "`b64dec` gives an error as its result for text without `=` at its end.",
    since=LokiVersion(3, 8),
    find=_templates("b64dec"),
    source="changelog 3.8",
    recording="main",
    example=Example('{app="shop"} | logfmt | line_format "{{b64dec .x}}"', ("x=YWI",)),
)
RATE_COUNTER_UNITS = Behavior(
    "rate-counter-units",
    "`rate_counter` extrapolates to the edges of its window, as `rate` does in Prometheus.",
    "`rate_counter` mixes up its units, and hardly extrapolates.",
    since=MAIN,
    find=_operations("rate_counter"),
    source="changelog after 3.8",
    recording="main",
    example=Example('rate_counter({app="shop"} | logfmt | unwrap n [10s])', ("n=1", "n=3", "n=9")),
)
IP_IN_CHAINS = Behavior(
    "ip-in-chains",
    '`ip()` works in a chain: `|= "a" or ip("10.0.0.0/8")`.',
    "In a chain of line filters, `ip()` counts as its plain text.",
    since=MAIN,
    find=_where(ast.LineFilter, _ip_in_chain),
    source="changelog after 3.8",
    recording="main",
    rewrite=_without_ip,
    example=Example('{app="shop"} |= "x" or ip("10.0.0.0/8")', ("from 10.1.2.3",)),
)
SHORT_IPV6 = Behavior(
    "ipv6-at-the-end",
    "`ip()` finds a short IPv6 address at the end of the line.",
    "`ip()` does not find a short IPv6 address at the end of the line.",
    since=MAIN,
    find=_ipv6,
    source="changelog after 3.8",
    recording="main",
    example=Example('{app="shop"} |= ip("a::1")', ("a::1",)),
)
PETABYTES = Behavior(
    "petabytes",
    "Sizes can be petabytes: `size > 1PB`.",
    "A syntax error.",
    since=MAIN,
    source="changelog after 3.8",
    recording="main",
    syntax=True,
)
SHORT_GROUP_NAMES = Behavior(
    "short-group-names",
    "Regular expressions may name a group `(?<name>…)`.",
    "Regular expressions cannot name a group `(?<name>…)`; only `(?P<name>…)` is read.",
    since=LokiVersion(3, 0),
    recording="2.9",
)
SHORT_GROUP_NAMES_IN_LINE_FILTERS = Behavior(
    "short-group-names-in-line-filters",
    "Line filters may name a group `(?<name>…)`.",
    "Line filters cannot name a group `(?<name>…)`.",
    since=LokiVersion(3, 2),
    recording="3.1",
)
BARE_REGEX_ERRORS = Behavior(
    "bare-regex-errors",
    "The error for a bad regular expression in a stream selector quotes the expression.",
    "The error for a bad regular expression in a stream selector quotes it with `^(?:…)$` around.",
    since=LokiVersion(3, 2),
    recording="3.1",
)
GROUP_NAMES_CLEANED = Behavior(
    "group-names-cleaned",
    "A group of `regexp` may begin with a digit: `(?P<2nd>.)` gives the label `_2nd`.",
    "A group of `regexp` whose name begins with a digit is refused.",
    since=LokiVersion(3, 5),
    recording="3.4",
)
BROKEN_VALUES_KEPT = Behavior(
    "broken-values-kept",
    "`logfmt` reads a value with bytes that are not UTF-8, or with U+FFFD: a space takes their place.",
    "`logfmt` drops a value with bytes that are not UTF-8, or with U+FFFD.",
    since=LokiVersion(3, 3),
    recording="3.2",
)
EMPTY_KEYS_SKIPPED = Behavior(
    "empty-keys-skipped",
    'An empty key in nested JSON adds nothing to the name: `{"user":{"":1}}` gives `user`.',
    'An empty key in nested JSON adds `_` to the name: `{"user":{"":1}}` gives `user_`.',
    since=LokiVersion(3, 5),
    recording="3.4",
)
STREAMS_AT_THE_START = Behavior(
    "streams-at-the-start",
    "A log query finds a stream whose lines all lie at its very start.",
    "A log query misses a stream whose lines all lie at its very start.",
    since=LokiVersion(3, 2),
    recording="3.1",
)
TEMPLATES_LOOK_AGAIN = Behavior(
    "templates-look-again",
    "Where a line has no label, a template of `label_format` sees what an earlier one of the same stage has set.",
    "Where a line has no label, no template of `label_format` sees what an earlier one of the same stage has set.",
    since=LokiVersion(3, 0),
    recording="2.9",
    find=lambda expression: (
        stage
        for stage in expression.find_all(ast.LabelFormat)
        if sum(item.is_template for item in stage.items) > 1
    ),
    by_lines=True,
    example=Example('{app="shop"} | keep x | label_format a="1", b="{{.a}}"', ("one",)),
)
STATUS_OF_TWO_ERRORS = Behavior(
    "status-of-two-errors",
    "An operation whose sides both fail, the left one because of its lines, is answered with status 400.",
    "An operation whose sides both fail is answered with status 500.",
    since=LokiVersion(3, 7),
    recording="3.6",
)
CATEGORIES = Behavior(
    "categories",
    "Answers can keep labels of the stream, structured metadata and parsed labels apart.",
    "Answers do not keep labels of the stream, structured metadata and parsed labels apart.",
    since=LokiVersion(3, 0),
    recording="2.9",
)
NO_BINARY_AFTER_BLANK = Behavior(
    "no-binary-after-blank",
    "A number that begins with `0b` after a space is refused with `decimal literal has no digits`.",
    "A number that begins with `0b` after a space is read as a binary number, which LogQL does not have.",
    since=LokiVersion(3, 4),
    recording="3.2",
    syntax=True,
)
FILTER_NUMBERS_CHECKED = Behavior(
    "filter-numbers-checked",
    "A number in a label filter that does not convert (`x > 0x10`) is refused.",
    "A number in a label filter that does not convert (`x > 0x10`) counts as 0.",
    since=MAIN,
    source="changelog after 3.8",
    recording="main",
    syntax=True,
)

BEHAVIORS: tuple[Behavior, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Behavior)
)
"""The table, in the order in which it is written."""
