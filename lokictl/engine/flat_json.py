"""Samples from many flat JSON lines at once: the fields that a query asks for are cut out, nothing else is built.

A line that matches the pattern of a shape (its keys in their order, each with a plain value) is certainly valid JSON
without escapes, duplicate keys, nesting or odd numbers, so that the fields mean what the ``json`` stage would make of
them.  All other lines are left to the stages.  What filters, groupings and values make of a field's text is asked of
the stages themselves, once for each string.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import compress, repeat

from lokictl.engine.label_filter import COMPARE, compile_label_filter
from lokictl.engine.labels import ERROR, ERROR_DETAILS, EXTRACTED_SUFFIX, LabelBuilder, Labels
from lokictl.engine.line_filter import compile_line_filter
from lokictl.engine.store import Entry
from lokictl.logql import ast
from lokictl.logql.ast import MatchOperator

CHUNK = 256
MAX_SHAPES = 16
MAX_KNOWN = 65_536
"""Strings whose meaning is remembered."""

_TEXT = rb"[ !#-\[\]-~]*"
_INTEGER = rb"(?:0|-?[1-9]\d{0,14})"
_FLOAT = rb"-?(?:0\.(?!0000)|[1-9]\d{0,6}\.)\d{0,6}[1-9]"
_KINDS = (
    (re.compile(rb'"' + _TEXT + rb'"'), rb'"(', _TEXT, rb')"'),
    (re.compile(_FLOAT + rb"(?=[,}])"), rb"(", _FLOAT, rb")"),
    (re.compile(_INTEGER + rb"(?=[,}])"), rb"(", _INTEGER, rb")"),
    (re.compile(rb"true|false"), rb"(", rb"true|false", rb")"),
    (re.compile(rb"null"), rb"", rb"null", rb""),
)
"""The plain values: how one is found in a line, and how its text is captured."""
_NULL = _KINDS[-1]
_ERRORS = (ERROR.encode(), ERROR_DETAILS.encode())
_KEY = re.compile(rb'\s?"([a-zA-Z_][a-zA-Z0-9_]*)":\s?')

Samples = dict[Labels, list[tuple[int, int, float]]]
Fields = tuple[bytes, ...]
"""The strings of the fields that a shape has of those that are asked for."""
Meaning = tuple[Callable[[tuple[int, int, float]], None], float] | bool
"""What takes a line's sample, and its value; False: the line has none; True: the stages decide."""


class Shape:
    """The keys of a line, as a pattern that captures the fields asked for; ``numbers`` are those that are numbers."""

    def __init__(self, pattern: bytes, names: Sequence[str], numbers: frozenset[str]) -> None:
        # With two empty groups behind them, there are always several groups: a match is a tuple.
        self.every = re.compile(b"^" + pattern + b"()()$", re.MULTILINE)
        self.names = (*names, "", "")
        self.numbers = numbers


class Plan:
    """What a query makes of the fields of one shape.

    Of the numbers, one may be compared and one may be the sample's value as it stands; the meaning of the other fields
    (``key``) is looked up, and asked of the stages where it is not known.
    """

    def __init__(self, query: FlatJson, shape: Shape) -> None:
        self.shape = shape
        self.compared = next(
            (
                (node, shape.names.index(node.name))
                for node in query.nodes
                if isinstance(node, ast.NumberLabelFilter) and self._is_direct(node.name, query)
            ),
            None,
        )
        self.value_at = -1
        if query.unwrapped and self._is_direct(query.unwrapped, query):
            self.value_at = shape.names.index(query.unwrapped)
        left_out = {self.value_at, self.compared[1] if self.compared else -1}
        self.key = [index for index in range(len(shape.names)) if index not in left_out]
        node = self.compared[0] if self.compared else None
        self.filters = [
            check for other, check in zip(query.nodes, query.filters, strict=True) if other is not node
        ]
        self.known: dict[Fields, Meaning] = {}

    def _is_direct(self, name: str, query: FlatJson) -> bool:
        return name in self.shape.numbers and query.uses[name] == 1


def shape_of(line: bytes, wanted: frozenset[str]) -> Shape | None:
    """The shape of a flat line; None for any other."""
    if line[:1] != b"{" or line[-1:] != b"}":
        return None
    at, parts, seen, names, numbers = 1, [rb"\{"], set(), [], set()
    while True:
        key = _KEY.match(line, at)
        if key is None or key[1] in seen or key[1] in _ERRORS:
            return None
        seen.add(key[1])
        kind = next((kind for kind in _KINDS if kind[0].match(line, key.end())), None)
        if kind is None:
            return None
        value = kind[0].match(line, key.end())
        assert value is not None
        parts.append(re.escape(key[0]))
        name = key[1].decode()
        if name in wanted and kind is not _NULL:
            names.append(name)
            parts += kind[1:]
            if kind[2] in (_INTEGER, _FLOAT):
                numbers.add(name)
        elif kind[2] is _TEXT:
            parts.append(rb'"' + _TEXT + rb'"')
        else:
            parts.append(b"(?:" + kind[2] + b")")
        at = value.end()
        if line[at : at + 1] == b"}":
            if at + 1 < len(line):
                return None
            return Shape(b"".join((*parts, rb"\}")), names, frozenset(numbers))
        if line[at : at + 1] != b",":
            return None
        parts.append(b",")
        at += 1


class FlatJson:
    """The batch way of one range aggregation over one stream."""

    def __init__(
        self,
        nodes: Sequence[ast.LabelFilter],
        unwrap: ast.Unwrap | None,
        line_tests: Sequence[Callable[[bytes], bool]],
        builder: LabelBuilder,
        grouping: ast.Grouping,
        value_of: Callable[[bytes, LabelBuilder], float | None],
        *,
        is_length: bool,
    ) -> None:
        self.nodes, self.filters = nodes, [compile_label_filter(node) for node in nodes]
        self.line_tests, self.builder, self.grouping = line_tests, builder, grouping
        self.value_of, self.is_length = value_of, is_length
        self.unwrapped = unwrap.label if unwrap is not None and unwrap.conversion is None else ""
        names = [
            *grouping.labels,
            *(name for node in nodes if not _drops_errors(node) for name in _names(node)),
            *([unwrap.label] if unwrap is not None else ()),
        ]
        # A field with the name of a stream's label gets another one: what is asked for is the label.
        self.uses = Counter(name for name in names if name not in builder.base)
        self.wanted = frozenset(self.uses)
        self.plans: list[Plan] = []

    def run(self, entries: Iterable[Entry], found: Samples) -> list[Entry]:
        """Adds the samples of all plain lines to ``found``; the entries that are left."""
        for test in self.line_tests:
            entries = [entry for entry in entries if test(entry[2])]
        entries = list(entries)
        left: list[Entry] = []
        for start in range(0, len(entries), CHUNK):
            self._chunk(entries[start : start + CHUNK], found, left)
        return left

    def _chunk(self, chunk: Sequence[Entry], found: Samples, left: list[Entry]) -> None:
        data = b"\n".join([entry[2] for entry in chunk])
        if self.plans and data.count(b"\n") == len(chunk) - 1:
            every = self.plans[0].shape.every.findall(data)
            if len(every) == len(chunk):
                self._add(self.plans[0], chunk, every, found, left)
                return
        for entry in chunk:
            matched = self._match(entry[2])
            if matched is None:
                left.append(entry)
            else:
                self._add(matched[0], (entry,), (matched[1],), found, left)

    def _match(self, line: bytes) -> tuple[Plan, Fields] | None:
        for index, plan in enumerate(self.plans):
            one = plan.shape.every.fullmatch(line)
            if one is not None:
                if index:
                    self.plans.insert(0, self.plans.pop(index))
                return plan, one.groups()
        shape = shape_of(line, self.wanted) if len(self.plans) < MAX_SHAPES else None
        one = shape.every.fullmatch(line) if shape is not None else None
        if shape is None or one is None:
            return None
        self.plans.insert(0, Plan(self, shape))
        return self.plans[0], one.groups()

    def _add(
        self,
        plan: Plan,
        entries: Sequence[Entry],
        fields: Sequence[Fields],
        found: Samples,
        left: list[Entry],
    ) -> None:
        columns = list(zip(*fields, strict=True))
        keys: Iterable[Fields] = zip(*[columns[index] for index in plan.key], strict=True)
        numbers: Iterable[float] = repeat(math.nan)
        if plan.value_at >= 0:
            numbers = map(float, columns[plan.value_at])
        elif self.is_length:
            numbers = [float(len(entry[2])) for entry in entries]
        rows: Iterable[tuple[Entry, Fields, float]] = zip(entries, keys, numbers, strict=False)
        if plan.compared is not None:
            node, index = plan.compared
            holds = map(COMPARE[node.operator], map(float, columns[index]), repeat(node.value))
            rows = compress(rows, holds)
        takes_number = plan.value_at >= 0 or self.is_length
        get = plan.known.get
        for entry, key, number in rows:
            meaning = get(key)
            if meaning is None:
                meaning = self._meaning(plan, key, found)
            if meaning is False:
                continue
            if meaning is True:
                left.append(entry)
                continue
            append, value = meaning
            append((entry[0], entry[1], number if takes_number else value))

    def _meaning(self, plan: Plan, key: Fields, found: Samples) -> Meaning:
        meaning = self._asked(plan, key, found)
        if len(plan.known) >= MAX_KNOWN:
            plan.known.clear()
        plan.known[key] = meaning
        return meaning

    def _asked(self, plan: Plan, key: Fields, found: Samples) -> Meaning:
        """What the stages say of a line with these fields."""
        builder, names = self.builder, plan.shape.names
        builder.reset(())
        for index, text in zip(plan.key, key, strict=True):
            if names[index]:
                builder.set(names[index], text.decode("ascii"))
        for check in plan.filters:
            if not check(builder):
                return bool(builder.error)
        value = self.value_of(b"", builder) if plan.value_at < 0 else 0.0
        if builder.error:
            return True
        if value is None:
            return False
        labels = builder.grouped(self.grouping.labels, False)
        return found.setdefault(labels, []).append, value


def flat_json(
    stages: Sequence[ast.Stage],
    unwrap: ast.Unwrap | None,
    grouping: ast.Grouping | None,
    builder: LabelBuilder,
    value_of: Callable[[bytes, LabelBuilder], float | None],
    *,
    is_length: bool,
) -> FlatJson | None:
    """The batch way for these stages (in the order in which they run); None if there is none."""
    parser = next((index for index, stage in enumerate(stages) if isinstance(stage, ast.JsonParser)), -1)
    if parser < 0 or grouping is None or grouping.without:
        return None
    before, json, after = stages[:parser], stages[parser], stages[parser + 1 :]
    assert isinstance(json, ast.JsonParser)
    if json.extractions or not all(isinstance(stage, ast.LineFilter) for stage in before):
        return None
    nodes = [stage.filter for stage in after if isinstance(stage, ast.LabelFilterStage)]
    if len(nodes) != len(after) or (unwrap is not None and not all(map(_drops_errors, unwrap.filters))):
        return None
    tests = [compile_line_filter(stage) for stage in before if isinstance(stage, ast.LineFilter)]
    flat = FlatJson(nodes, unwrap, tests, builder, grouping, value_of, is_length=is_length)
    return None if any(map(_is_special, flat.wanted)) else flat


def _is_special(name: str) -> bool:
    """Whether the label may come of something else than the field of its name."""
    return name.startswith("__") or name.endswith(EXTRACTED_SUFFIX)


def _drops_errors(node: ast.LabelFilter) -> bool:
    return isinstance(node, ast.StringLabelFilter) and (node.name, node.operator, node.value) == (
        ERROR,
        MatchOperator.EQUAL,
        "",
    )


def _names(node: ast.LabelFilter) -> Iterable[str]:
    for inner in node.walk():
        name = getattr(inner, "name", None)
        if isinstance(name, str):
            yield name
