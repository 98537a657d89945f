"""Parses LogQL: an LR automaton over `lokictl.logql.grammar`, one method per rule that builds its expression."""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple

from lokictl.lazy import lazy_pattern
from lokictl.logql import ast
from lokictl.logql import parser_tables as tables
from lokictl.logql.arithmetic import fold
from lokictl.logql.ast import Span
from lokictl.logql.errors import ParseError
from lokictl.logql.grammar import RANGE_OPERATIONS, RULES, TOKENS
from lokictl.logql.lexer import END, FUNCTION_WORDS, LexicalError, Token, tokenize
from lokictl.logql.units import MAX_INT64, format_float, parse_float, quote
from lokictl.logql.validation import check_expression, check_pattern, check_regexp, compile_regex
from lokictl.logql.versions import (
    BARE_REGEX_ERRORS,
    DEFAULT,
    FILTER_NUMBERS_CHECKED,
    FLAG_OF_FUNCTIONS,
    NEGATIVE_NUMBERS,
    NO_BINARY_AFTER_BLANK,
    OR_FILTERS,
    LokiVersion,
    target,
)
from lokictl.records import dataclass

MAX_QUERY_BYTES = 131_072
"""A string of this many bytes or more is refused, as in Loki."""

MAX_DEPTH = 200
"""Levels of nesting (parentheses, functions, operators) that an expression may have; ours, Loki has none."""

Values = Sequence[Any]

WITHOUT_LOOKING = tuple(
    -1 if shifts or reduces else default
    for shifts, reduces, default in zip(tables.SHIFTS, tables.REDUCES, tables.DEFAULTS, strict=True)
)
"""For each state the rule that is reduced whatever token comes next; -1 where the token decides."""

METHODS = ("", *(f"do_{action}" for _, action, _ in RULES))
"""The method that builds the expression of each rule of the grammar."""

PASSED_ON = {"first": 0, "second": 1, "literal": 0}
"""Methods that only give one of their values on -> which."""

CHAINS = ("", *(left if action == "first" and len(right) == 1 else "" for left, action, right in RULES))
"""The left side of each rule that only gives its one part another name; most reductions are of these."""


def parse(
    query: str,
    *,
    validate: bool = True,
    max_bytes: int = MAX_QUERY_BYTES,
    max_depth: int = MAX_DEPTH,
    version: LokiVersion | None = None,
) -> ast.Expr:
    """The expression that ``query`` is.

    ``validate=False`` leaves out the checks of a whole expression (a selector that matches everything, arguments of
    functions); ``max_bytes`` and ``max_depth`` bound the text and its nesting; ``version`` is the Loki whose language
    it is.  Raises `ParseError` with Loki's words; never anything else.
    """
    expression, _ = parse_built(
        query, validate=validate, max_bytes=max_bytes, max_depth=max_depth, version=version or target()
    )
    return expression


def parse_built(
    query: str,
    *,
    validate: bool = True,
    max_bytes: int = MAX_QUERY_BYTES,
    max_depth: int = MAX_DEPTH,
    version: LokiVersion,
) -> tuple[ast.Expr, Build]:
    """The expression that ``query`` is, and its build; everything else as in `parse`."""
    size = len(query) if query.isascii() else len(query.encode("utf-8", "surrogatepass"))
    if size >= max_bytes:
        message = f"input size too long ({size} > {max_bytes})"
        raise ParseError(f"parse error : {message}", message=message)
    parser = _Parser(query, max_depth, version)
    expression, build = parser.run()
    if validate:
        problem = check_expression(expression, parser.failures)
        if problem is not None:
            message, span = problem
            raise parser.error(message, span, placed=False)
    return expression, build


MATCHING = {operator.value: operator for operator in ast.MatchOperator}
FILTERING = {operator.value: operator for operator in ast.LineFilterOperator}
COMPARING = {
    **{operator.value: operator for operator in ast.ComparisonOperator},
    "=": ast.ComparisonOperator.EQUAL,
}


NO_GROUPING = ast.Grouping()


WORDS = {kind: word for word, kind in FUNCTION_WORDS.items()}
"""The kinds of functions' tokens, as queries spell them."""


class Step(NamedTuple):
    """One reduction: the method that builds the expression, of which values, and the edges of its text."""

    method: Callable[..., Any]
    pick: Callable[[Values], Sequence[Any]]
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Build:
    """What queries that differ in names, strings and numbers only have in common: the kinds of their tokens.

    ``words`` are these kinds as a query spells them (``sum``, ``by``, ``|~``, ``json``), and ``IDENTIFIER``,
    ``STRING``, ``NUMBER``, ``DURATION``, ``BYTES``, ``RANGE``.  The expressions have nodes of the same classes in
    the same places.

    ``steps`` are how they are parsed.  The values are the tokens and, behind them, what each step builds; the last
    one is the expression.  Edges of the text are numbered, too: where each token begins, where each ends, and 0.
    """

    steps: tuple[Step, ...]
    depth: int
    words: frozenset[str]


class _Recorder:
    """Makes the build of a query while the tables parse it."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.steps: list[Step] = []
        # For each part on the stack its value, and the edges where it begins and ends.
        self.parts: list[tuple[int, int, int]] = []
        self.read = 0

    def shift(self) -> None:
        self.parts.append((self.read, self.read, self.tokens + self.read))
        self.read += 1

    def reduce(self, action: str, count: int) -> None:
        parts = self.parts[len(self.parts) - count :]
        del self.parts[len(self.parts) - count :]
        here = self.parts[-1][2] if self.parts else 2 * self.tokens
        start, end = (parts[0][1], parts[-1][2]) if parts else (here, here)
        if action in PASSED_ON:
            value = parts[PASSED_ON[action]][0]
        else:
            value = self.tokens + len(self.steps)
            pick = _picker([part for part, _, _ in parts])
            self.steps.append(Step(getattr(_Parser, f"do_{action}"), pick, start, end))
        self.parts.append((value, start, end))


def _picker(indexes: list[int]) -> Callable[[Values], Sequence[Any]]:
    """What gives the values at some indexes."""
    if len(indexes) > 1:
        return itemgetter(*indexes)
    return itemgetter(slice(indexes[0], indexes[0] + 1)) if indexes else itemgetter(slice(0))


MAX_BUILDS = 2_000
_BUILDS: dict[tuple[str, ...], Build] = {}
"""The builds of the queries parsed so far, by the kinds of their tokens."""


_SIZE = lazy_pattern(r"[0-9]{1,4}[KMGTP]i?B", re.IGNORECASE)
_NO_BYTES = lazy_pattern("0b", re.IGNORECASE)
"""A size that is no problem as such, whatever is wrong with its letters."""


class _Parser:
    def __init__(self, query: str, max_depth: int = MAX_DEPTH, version: LokiVersion = DEFAULT) -> None:
        self.query, self.max_depth, self.version = query, max_depth, version
        self.failures: dict[int, str] = {}
        self.tokens: list[Token | LexicalError] = []
        self.parameters: dict[int, str] = {}

    @cached_property
    def line_starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self.query))]

    def run(self) -> tuple[ast.Expr, Build]:
        self.tokens = tokenize(self.query, self.version)
        # What the tables make of a query depends on the kinds of its tokens alone.
        is_whole = isinstance(self.tokens[-1], Token)
        kinds = tuple([token[0] for token in self.tokens]) if is_whole else ()  # type: ignore[index]
        known = _BUILDS.get(kinds)
        if known is not None and known.depth <= self.max_depth:
            return self.build(known), known
        expression, steps, depth = self.by_tables()
        if len(_BUILDS) >= MAX_BUILDS:
            _BUILDS.clear()
        words = frozenset(WORDS.get(kind, kind) for kind in kinds if kind != END)
        build = _BUILDS[kinds] = Build(steps, depth, words)
        return expression, build

    def build(self, known: Build) -> ast.Expr:
        """The expression, by the steps that were right for another query of the same build."""
        values: list[Any] = list(self.tokens)
        edges = [token[3] for token in values] + [token[4] for token in values] + [0]
        for method, pick, start, end in known.steps:
            values.append(method(self, pick(values), Span(edges[start], edges[end])))
        result = values[-1]
        assert isinstance(result, ast.Expr)
        return result

    def by_tables(self) -> tuple[ast.Expr, tuple[Step, ...], int]:
        """The expression, the steps that lead to it, and how deep it nests.  Raises `ParseError`."""
        recorder = _Recorder(len(self.tokens))
        deepest = 0
        states = [0]
        values: list[Any] = []
        spans: list[tuple[int, int]] = []
        depths: list[int] = []
        position = 0
        shifts, reduces, defaults, gotos = tables.SHIFTS, tables.REDUCES, tables.DEFAULTS, tables.GOTOS
        while True:
            state = states[-1]
            rule = WITHOUT_LOOKING[state]
            if rule < 0:
                token = self.tokens[position]
                if isinstance(token, LexicalError):
                    raise self.lexical(token, state)
                if token.kind == END and state == tables.ACCEPT:
                    result = values[-1]
                    assert isinstance(result, ast.Expr)
                    return result, tuple(recorder.steps), deepest
                target = shifts[state].get(token.kind)
                if target is not None and not self.is_sign_of_filter(token, state):
                    states.append(target)
                    values.append(token)
                    spans.append((token.start, token.end))
                    depths.append(0)
                    recorder.shift()
                    position += 1
                    continue
                rule = reduces[state].get(token.kind, defaults[state]) if target is None else -1
                if rule < 0:
                    raise self.unexpected(token, state, position)
            if CHAINS[rule]:
                states[-1] = gotos[states[-2]][CHAINS[rule]]
                continue
            left, action, right = RULES[rule - 1]
            count = len(right)
            if count:
                arguments = values[-count:]
                span = Span(spans[-count][0], spans[-1][1])
                depth = max(depths[-count:]) + (count > 1 and left in NESTING)
                del states[-count:], values[-count:], spans[-count:], depths[-count:]
            else:
                here = spans[-1][1] if spans else 0
                arguments, span, depth = [], Span(here, here), 0
            if depth > self.max_depth:
                raise self.error(f"the query nests deeper than {self.max_depth} levels", span, placed=False)
            deepest = max(deepest, depth)
            recorder.reduce(action, count)
            values.append(getattr(self, METHODS[rule])(arguments, span))
            spans.append((span.start, span.end))
            depths.append(depth)
            states.append(gotos[states[-1]][left])

    # --- errors ------------------------------------------------------------------------------------------------

    def is_sign_of_filter(self, token: Token, state: int) -> bool:
        """Whether a token is a sign of a label filter's number, and this Loki has none."""
        signs = token.kind in ("+", "-") and "BYTES" in tables.SHIFTS[state]
        return signs and not self.version.has(NEGATIVE_NUMBERS)

    def is_filter_value(self, error: LexicalError, state: int) -> bool:
        """Whether a label filter's value begins here that this Loki converts at once."""
        if self.version.has(NEGATIVE_NUMBERS) and not self.version.has(FILTER_NUMBERS_CHECKED):
            return False
        if self.version.has(NO_BINARY_AFTER_BLANK) and _NO_BYTES.match(self.query, error.start):
            return False
        kinds = [
            token.kind for token in self.tokens if isinstance(token, Token) and token.start < error.start
        ]
        equals = kinds[-1:] in (["="], ["!="]) and kinds.count("{") == kinds.count("}")
        return equals or "BYTES" in tables.SHIFTS[state]

    def lexical(self, error: LexicalError, state: int) -> ParseError:
        text = self.query[error.start : error.end]
        if (
            text[:1].isdigit()
            and self.is_filter_value(error, state)
            and not _SIZE.match(self.query, error.start)
        ):
            # A label filter converts its number before anybody asks whether it is well-formed.
            try:
                parse_float(text)
            except ValueError:
                what = "literal as a float" if self.version.has(FILTER_NUMBERS_CHECKED) else "float"
                problem = f"unable to parse {what}: strconv.ParseFloat: parsing {quote(text)}: invalid syntax"
                raise self.fail(problem, Span(error.start, error.end)) from None
        return self.error(error.message, Span(error.start, error.end), line_known=error.line_known)

    def unexpected(self, token: Token, state: int, position: int) -> ParseError:
        kind = token.kind
        if kind == "FUNCTION_FLAG" and not self.version.has(FLAG_OF_FUNCTIONS):
            kind = "PARSER_FLAG"
        message = f"syntax error: unexpected {kind}"
        row = tables.SHIFTS[state]
        expected = [name for name in TOKENS if name in row]
        if "BYTES" in row and not self.version.has(NEGATIVE_NUMBERS):
            expected = [name for name in expected if name not in ("+", "-")]
        before = self.tokens[position - 1] if position else None
        if isinstance(before, Token) and before.kind == "or" and not self.version.has(OR_FILTERS):
            expected = []
        if (
            isinstance(before, Token)
            and before.kind in ("=", "!=")
            and not self.version.has(NEGATIVE_NUMBERS)
        ):
            expected = [] if "BYTES" in row else expected
        if 0 < len(expected) <= 4:
            message += ", expecting " + " or ".join(expected)
        return self.error(message, Span(token.start, token.end), line_known=token.line_known)

    def error(self, message: str, span: Span, *, placed: bool = True, line_known: bool = True) -> ParseError:
        line = bisect.bisect_right(self.line_starts, span.start)
        column = span.start - self.line_starts[line - 1] + 1
        if not self.query:
            line = column = 0
        prefix = "parse error :"
        if placed and (line or column):
            prefix = f"parse error at line {line if line_known else 0}, col {column}:"
        return ParseError(
            f"{prefix} {message}",
            message=message,
            line=max(line, 1),
            col=max(column, 1),
            offset=span.start,
            end_offset=max(span.end, span.start),
        )

    def unexpected_here(self, token: Token) -> ParseError:
        """A token that this version's grammar does not have here.

        Behind a log expression `or` is an operator between queries: it is what follows that is wrong, unless the
        expression is inside of a range aggregation.
        """
        place = next(index for index, other in enumerate(self.tokens) if other is token or other == token)
        opened: list[int] = []
        for index, other in enumerate(self.tokens[:place]):
            kind = getattr(other, "kind", "")
            if kind == "(":
                opened.append(index)
            elif kind == ")" and opened:
                opened.pop()
        callers = [getattr(self.tokens[index - 1], "kind", "") for index in opened if index]
        inside = any(caller.lower() in RANGE_OPERATIONS for caller in callers)
        following = self.tokens[place + 1]
        wrong = token if inside or not isinstance(following, Token) else following
        message = f"syntax error: unexpected {wrong.kind}"
        if inside and any(getattr(other, "kind", "") == "RANGE" for other in self.tokens[opened[-1] : place]):
            message += ", expecting )"
        return self.error(message, Span(wrong.start, wrong.end), line_known=wrong.line_known)

    def fail(self, message: str, span: Span) -> ParseError:
        return self.error(message, span, placed=False)

    def later(self, node: Any, message: str | None) -> Any:
        """Remembers what is wrong with a finished node; whether it counts is decided for the whole expression."""
        if message is not None:
            self.failures.setdefault(id(node), message)
        return node

    # --- general -----------------------------------------------------------------------------------------------

    def do_first(self, values: Values, span: Span) -> Any:
        return values[0]

    def do_second(self, values: Values, span: Span) -> Any:
        return values[1]

    def do_one(self, values: Values, span: Span) -> list[Any]:
        return [values[0]]

    def do_append_second(self, values: Values, span: Span) -> Any:
        values[0].append(values[1])
        return values[0]

    def do_append_third(self, values: Values, span: Span) -> Any:
        values[0].append(values[2])
        return values[0]

    def do_one_text(self, values: Values, span: Span) -> list[str]:
        return [values[0].text]

    def do_append_text(self, values: Values, span: Span) -> Any:
        values[0].append(values[2].text)
        return values[0]

    # --- selectors -----------------------------------------------------------------------------------------------

    def do_selector(self, values: Values, span: Span) -> ast.StreamSelector:
        for matcher in values[1]:
            if matcher.operator in (ast.MatchOperator.REGEX, ast.MatchOperator.NOT_REGEX):
                problem = self.regex_problem(matcher.value)
                if problem:
                    raise self.fail(problem, matcher.span)
        return ast.StreamSelector(tuple(values[1]), span=span)

    def do_selector_empty(self, values: Values, span: Span) -> ast.StreamSelector:
        return ast.StreamSelector((), span=span)

    def regex_problem(self, pattern: str) -> str:
        """What is wrong with the regular expression of a matcher."""
        return compile_regex(pattern, whole=not self.version.has(BARE_REGEX_ERRORS), version=self.version)

    def do_matcher(self, values: Values, span: Span) -> ast.Matcher:
        return ast.Matcher(values[0].text, MATCHING[values[1].text], values[2].value, span=span)

    # --- log expressions -----------------------------------------------------------------------------------------

    def do_log_selector(self, values: Values, span: Span) -> ast.LogExpr:
        return ast.LogExpr(values[0], span=span)

    def do_log_pipeline(self, values: Values, span: Span) -> ast.LogExpr:
        return ast.LogExpr(values[0], values[1], span=span)

    def do_stages(self, values: Values, span: Span) -> tuple[ast.Stage, ...]:
        return _stages(values[0])

    def do_concatenate(self, values: Values, span: Span) -> tuple[ast.Stage, ...]:
        return _stages(values[0]) + _stages(values[1])

    def do_line_filter(self, values: Values, span: Span) -> ast.Stage:
        legs = (ast.LineFilterLeg(values[1].value, span=Span(values[1].start, values[1].end)),)
        return ast.LineFilter(FILTERING[values[0].text], legs, span=span)

    def do_line_filter_ip(self, values: Values, span: Span) -> ast.Stage:
        leg = ast.LineFilterLeg(values[3].value, True, span=Span(values[1].start, values[4].end))
        return ast.LineFilter(FILTERING[values[0].text], (leg,), span=span)

    def do_line_filter_or(self, values: Values, span: Span) -> ast.Stage:
        filter_ = values[0]
        if not self.version.has(OR_FILTERS):
            raise self.unexpected_here(values[1])
        # What follows an `ip()` in a chain takes the place of all that stood between it and the first.
        kept = filter_.legs if filter_.operator.is_negative else filter_.legs[:1]
        return ast.LineFilter(filter_.operator, (*kept, *values[2]), span=span)

    def do_leg(self, values: Values, span: Span) -> list[ast.LineFilterLeg]:
        return [ast.LineFilterLeg(values[0].value, span=span)]

    def do_leg_or(self, values: Values, span: Span) -> list[ast.LineFilterLeg]:
        token = values[0]
        return [ast.LineFilterLeg(token.value, span=Span(token.start, token.end)), *values[2]]

    def do_leg_ip(self, values: Values, span: Span) -> list[ast.LineFilterLeg]:
        return [ast.LineFilterLeg(values[2].value, True, span=span)]

    def do_regexp_stage(self, values: Values, span: Span) -> ast.Stage:
        token = values[2]
        problem = check_regexp(token.value, self.version)
        if problem:
            raise self.fail(f"invalid regexp parser: {problem}", Span(token.start, token.end))
        return ast.RegexpParser(token.value, span=span)

    def do_pattern_stage(self, values: Values, span: Span) -> ast.Stage:
        token = values[2]
        problem = check_pattern(token.value)
        if problem:
            raise self.fail(f"invalid pattern parser: {problem}", Span(token.start, token.end))
        return ast.PatternParser(token.value, span=span)

    def do_unpack_stage(self, values: Values, span: Span) -> ast.Stage:
        return ast.UnpackParser(span=span)

    def do_filter_stage(self, values: Values, span: Span) -> ast.Stage:
        return ast.LabelFilterStage(self.filter(values[1]), span=span)

    def do_line_format(self, values: Values, span: Span) -> ast.Stage:
        return ast.LineFormat(values[2].value, span=span)

    def do_decolorize(self, values: Values, span: Span) -> ast.Stage:
        return ast.Decolorize(span=span)

    def do_label_format(self, values: Values, span: Span) -> ast.Stage:
        return ast.LabelFormat(tuple(values[2]), span=span)

    def do_drop_stage(self, values: Values, span: Span) -> ast.Stage:
        return ast.DropLabels(self.names(values[2]), span=span)

    def do_keep_stage(self, values: Values, span: Span) -> ast.Stage:
        return ast.KeepLabels(self.names(values[2]), span=span)

    def names(self, items: list[Any]) -> tuple[Any, ...]:
        for item in items:
            if isinstance(item, ast.Matcher) and "~" in item.operator:
                problem = self.regex_problem(item.value)
                if problem:
                    raise self.fail(problem, item.span)
        return tuple(items)

    def do_label_name(self, values: Values, span: Span) -> ast.LabelName:
        return ast.LabelName(values[0].text, span=span)

    def do_format_rename(self, values: Values, span: Span) -> ast.LabelFormatItem:
        return ast.LabelFormatItem(values[0].text, values[2].text, False, span=span)

    def do_format_template(self, values: Values, span: Span) -> ast.LabelFormatItem:
        return ast.LabelFormatItem(values[0].text, values[2].value, True, span=span)

    def do_logfmt(self, values: Values, span: Span) -> ast.Stage:
        return ast.LogfmtParser(span=span)

    def do_logfmt_flags(self, values: Values, span: Span) -> ast.Stage:
        return self.logfmt(values[1], [], span)

    def do_logfmt_extract(self, values: Values, span: Span) -> ast.Stage:
        return self.logfmt([], values[1], span)

    def do_logfmt_both(self, values: Values, span: Span) -> ast.Stage:
        return self.logfmt(values[1], values[2], span)

    def logfmt(self, flags: list[Token], extractions: list[ast.Extraction], span: Span) -> ast.Stage:
        names = {flag.value for flag in flags}
        return ast.LogfmtParser("--strict" in names, "--keep-empty" in names, tuple(extractions), span=span)

    def do_json(self, values: Values, span: Span) -> ast.Stage:
        return ast.JsonParser(span=span)

    def do_json_extract(self, values: Values, span: Span) -> ast.Stage:
        return ast.JsonParser(tuple(values[1]), span=span)

    def do_extraction(self, values: Values, span: Span) -> ast.Extraction:
        return ast.Extraction(values[0].text, values[2].value, span=span)

    def do_extraction_bare(self, values: Values, span: Span) -> ast.Extraction:
        return ast.Extraction(values[0].text, values[0].text, span=span)

    # --- label filters -------------------------------------------------------------------------------------------

    def do_string_filter(self, values: Values, span: Span) -> ast.LabelFilter:
        matcher = values[0]
        if "~" in matcher.operator:
            problem = self.regex_problem(matcher.value)
            if problem:
                raise self.fail(problem, matcher.span)
        return ast.StringLabelFilter(matcher.name, matcher.operator, matcher.value, span=span)

    def filter(self, value: Any) -> ast.LabelFilter:
        assert isinstance(value, ast.LabelFilter)
        return value

    def do_ip_filter(self, values: Values, span: Span) -> ast.LabelFilter:
        return ast.IpLabelFilter(values[0].text, MATCHING[values[1].text], values[4].value, span=span)

    def do_and_juxtaposed(self, values: Values, span: Span) -> ast.LabelFilter:
        return ast.AndLabelFilter(values[0], values[1], span=span)

    def do_and_filter(self, values: Values, span: Span) -> ast.LabelFilter:
        return ast.AndLabelFilter(values[0], values[2], span=span)

    def do_or_filter(self, values: Values, span: Span) -> ast.LabelFilter:
        return ast.OrLabelFilter(values[0], values[2], span=span)

    def do_duration_filter(self, values: Values, span: Span) -> ast.LabelFilter:
        return ast.DurationLabelFilter(values[0].text, _comparison(values[1]), values[2].value, span=span)

    def do_bytes_filter(self, values: Values, span: Span) -> ast.LabelFilter:
        return ast.BytesLabelFilter(values[0].text, _comparison(values[1]), values[2].value, span=span)

    def do_number_filter(self, values: Values, span: Span) -> ast.LabelFilter:
        literal = values[2]
        sign = self.query[literal.span.start : literal.span.start + 1]
        if sign in ("+", "-") and not self.version.has(NEGATIVE_NUMBERS):
            # Where the build of a query comes from another version's parser, the sign gets here.
            listed = "" if values[1].text in ("=", "!=") else ", expecting BYTES or NUMBER or DURATION"
            message = f"syntax error: unexpected {sign}{listed}"
            raise self.error(message, Span(literal.span.start, literal.span.start + 1))
        node = ast.NumberLabelFilter(values[0].text, _comparison(values[1]), literal.value, span=span)
        problem = self.failures.get(id(literal), "")
        if problem and self.version.has(FILTER_NUMBERS_CHECKED):
            raise self.fail(problem, literal.span)
        if problem and not self.version.has(NEGATIVE_NUMBERS):
            raise self.fail(problem.replace("literal as a float", "float"), literal.span)
        return node

    # --- ranges and aggregations -----------------------------------------------------------------------------------

    def do_range(self, values: Values, span: Span) -> ast.LogRange:
        selector: Any = None
        stages: tuple[ast.Stage, ...] = ()
        width, offset, unwrap = 0, 0, None
        for value in values:
            if isinstance(value, Token):
                if value.kind == "RANGE":
                    width = int(value.value)
                elif value.kind == "DURATION":
                    offset = int(value.value)
            elif isinstance(value, ast.StreamSelector):
                selector = value
            elif isinstance(value, ast.Unwrap):
                unwrap = value
            else:
                stages = value
        end = selector.span.end
        if stages and stages[0].span.start >= end:
            end = stages[-1].span.end
        log = ast.LogExpr(selector, stages, span=Span(selector.span.start, end))
        return ast.LogRange(log, width, offset, unwrap, span=span)

    def do_unwrap(self, values: Values, span: Span) -> ast.Unwrap:
        return ast.Unwrap(values[2].text, span=span)

    def do_unwrap_convert(self, values: Values, span: Span) -> ast.Unwrap:
        return ast.Unwrap(values[4].text, values[2].value, span=span)

    def do_unwrap_filter(self, values: Values, span: Span) -> ast.Unwrap:
        unwrap = values[0]
        return ast.Unwrap(
            unwrap.label, unwrap.conversion, (*unwrap.filters, self.filter(values[2])), span=span
        )

    def do_range_agg(self, values: Values, span: Span) -> ast.RangeAggregation:
        operation = str(values[0].value)
        grouping, text = None, None
        if isinstance(values[-1], ast.Grouping):
            *values, grouping = values
        if len(values) > 4:
            text = values[2].text
        parameter, problem = _range_parameter(operation, text)
        node = ast.RangeAggregation(operation, values[-2], parameter, grouping, span=span)
        return self.later(node, problem)  # type: ignore[no-any-return]

    def do_vector_agg(self, values: Values, span: Span) -> ast.VectorAggregation:
        operation = str(values[0].value)
        grouping, text = None, None
        if isinstance(values[-1], ast.Grouping):
            *values, grouping = values
        elif isinstance(values[1], ast.Grouping):
            _, grouping, *values = values
        if values[-3].kind == ",":
            text = values[-4].text
        parameter, problem = _vector_parameter(operation, text, grouping)
        node = ast.VectorAggregation(operation, values[-2], parameter, grouping or NO_GROUPING, span=span)
        return self.later(node, problem)  # type: ignore[no-any-return]

    def do_grouping(self, values: Values, span: Span) -> ast.Grouping:
        labels = tuple(values[2]) if len(values) == 4 else ()
        return ast.Grouping(labels, values[0].kind == "without", span=span)

    # --- other metric expressions ------------------------------------------------------------------------------------

    def do_label_replace(self, values: Values, span: Span) -> ast.LabelReplace:
        destination, replacement, source, regex = (values[index].value for index in (4, 6, 8, 10))
        node = ast.LabelReplace(values[2], destination, replacement, source, regex, span=span)
        problem = compile_regex(regex, whole=True, version=self.version)
        return self.later(node, f"invalid regex in label_replace: {problem}" if problem else None)  # type: ignore[no-any-return]

    def do_vector_fn(self, values: Values, span: Span) -> ast.VectorFunction:
        value, problem = _number(values[2].text)
        node = ast.VectorFunction(value, span=span)
        return self.later(node, f"unable to parse vectorExpr as a float: {problem}" if problem else None)  # type: ignore[no-any-return]

    def do_literal(self, values: Values, span: Span) -> ast.Literal:
        literal = values[0]
        assert isinstance(literal, ast.Literal)
        return literal

    def do_number(self, values: Values, span: Span) -> ast.Literal:
        return self.literal(values[0].text, False, span)

    def do_signed(self, values: Values, span: Span) -> ast.Literal:
        return self.literal(values[1].text, values[0].kind == "-", span)

    def literal(self, text: str, negative: bool, span: Span) -> ast.Literal:
        value, problem = _number(text)
        node = ast.Literal(-value if negative else value, span=span)
        return self.later(node, f"unable to parse literal as a float: {problem}" if problem else None)  # type: ignore[no-any-return]

    def do_binary(self, values: Values, span: Span) -> ast.MetricExpr:
        left, token, (return_bool, matching), right = values
        operator = token.kind
        problem = _binary_problem(operator, left, right)
        if problem is None and isinstance(left, ast.Literal) and isinstance(right, ast.Literal):
            value = fold(operator, left.value, right.value)
            failure = self.failures.get(id(left)) or self.failures.get(id(right))
            return self.later(ast.Literal(value, span=span), failure)  # type: ignore[no-any-return]
        node = ast.BinaryOperation(operator, left, right, matching, return_bool, span=span)
        return self.later(node, problem)  # type: ignore[no-any-return]

    def do_no_bool(self, values: Values, span: Span) -> bool:
        return False

    def do_bool(self, values: Values, span: Span) -> bool:
        return True

    def do_not_matching(self, values: Values, span: Span) -> tuple[bool, ast.VectorMatching | None]:
        return values[0], None

    def do_matching(self, values: Values, span: Span) -> tuple[bool, ast.VectorMatching | None]:
        labels = tuple(values[3]) if len(values) == 5 else ()
        own = Span(values[1].start, span.end)
        return values[0], ast.VectorMatching(values[1].kind == "on", labels, span=own)

    def do_group(self, values: Values, span: Span) -> tuple[bool, ast.VectorMatching | None]:
        return_bool, matching = values[0]
        side = values[1].kind.removeprefix("group_")
        include = tuple(values[3]) if len(values) == 5 else ()
        assert matching is not None
        own = Span(matching.span.start, span.end)
        return return_bool, ast.VectorMatching(matching.on, matching.labels, side, include, span=own)

    def do_variants(self, values: Values, span: Span) -> ast.Variants:
        return ast.Variants(tuple(values[2]), values[6], span=span)


NESTING = frozenset(
    ["metricExpr", "logExpr", "labelFilter", "logRange", "vectorAgg", "rangeAgg", "binOp", "labelReplace"]
)


def _stages(value: Any) -> tuple[ast.Stage, ...]:
    """A stage as the tuple of its parts: a negative chain of legs is a filter for each leg."""
    if isinstance(value, tuple):
        return value
    if isinstance(value, ast.LineFilter) and value.operator.is_negative and len(value.legs) > 1:
        return tuple(ast.LineFilter(value.operator, (leg,), span=leg.span) for leg in value.legs)
    return (value,)


def _comparison(token: Token) -> ast.ComparisonOperator:
    return COMPARING[token.text]


def _number(text: str) -> tuple[float, str]:
    try:
        return parse_float(text), ""
    except ValueError as error:
        return math.inf if "out of range" in str(error) else 0.0, str(error)


TOP = ("topk", "bottomk", "approx_topk")


def _range_parameter(operation: str, text: str | None) -> tuple[float | None, str | None]:
    if text is None:
        missing = operation == "quantile_over_time"
        return None, f"parameter required for operation {operation}" if missing else None
    value, problem = _number(text)
    if problem:
        return None, f"invalid parameter for operation {operation}: {problem}"
    if operation != "quantile_over_time":
        return value, f"parameter {format_float(value)} not supported for operation {operation}"
    return value, None


def _vector_parameter(
    operation: str, text: str | None, grouping: ast.Grouping | None
) -> tuple[int | None, str | None]:
    if operation not in TOP:
        return None, None if text is None else f"unsupported parameter for operation {operation}({text},"
    if text is None:
        return None, f"parameter required for operation {operation}"
    if not text.isdigit():
        return None, f"invalid parameter {operation}({text},"
    value = int(text)
    if value > MAX_INT64:
        return None, f"invalid parameter {operation}({text},"
    if value < 1:
        return value, f"invalid parameter (must be greater than 0) {operation}({text}"
    if operation == "approx_topk" and grouping is not None:
        return value, f"grouping not allowed for {operation} aggregation"
    return value, None


def _binary_problem(operator: str, left: Any, right: Any) -> str | None:
    for side, leg in (("left", left), ("right", right)):
        if isinstance(leg, ast.LogExpr):
            kind = _type_name(leg)
            return f"unexpected type for {side} leg of binary operation ({operator}): *syntax.{kind}"
    if operator in ("and", "or", "unless"):
        for side, leg in (("left", left), ("right", right)):
            if isinstance(leg, ast.Literal):
                place = f"{side} leg of logical/set binary operation ({operator})"
                return f"unexpected literal for {place}: {_fixed(leg.value)}"
    return None


def _type_name(leg: Any) -> str:
    return "PipelineExpr" if leg.stages else "MatchersExpr"


__all__ = ["MAX_DEPTH", "MAX_QUERY_BYTES", "parse"]


def _fixed(value: float) -> str:
    """Go's ``%f``."""
    return f"{value:f}" if math.isfinite(value) else format_float(value)
