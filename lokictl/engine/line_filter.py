"""Line filters, compiled to functions of a line's bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce

from lokictl.engine.ip import compile_ip
from lokictl.logql import ast
from lokictl.logql.ast import LineFilterOperator
from lokictl.logql.regex import Always, Contains, Test, compile_test, either, parse_regex, simplify
from lokictl.logql.validation import consecutive_captures, split_pattern
from lokictl.logql.versions import (
    DEFAULT,
    FIRST_BYTE_FOLDS,
    IP_IN_CHAINS,
    LONG_CHAINS,
    PATTERNS_BEYOND_ASCII,
    SHORT_GROUP_NAMES_IN_LINE_FILTERS,
    LokiVersion,
)

LineTest = Callable[[bytes], bool]

REGEX = (LineFilterOperator.REGEX, LineFilterOperator.NOT_REGEX)
PATTERN = (LineFilterOperator.PATTERN, LineFilterOperator.NOT_PATTERN)


def compile_line_filter(node: ast.LineFilter, version: LokiVersion = DEFAULT) -> LineTest:
    """The filter as a function.  Raises ValueError or `LogQLError` with the cause that Loki names."""
    if len(node.legs) == 1 and node.legs[0].is_ip:
        return _ip(node, version)
    if version.has(IP_IN_CHAINS) and any(leg.is_ip for leg in node.legs):
        single = [replace(node, legs=(leg,), operator=_positive(node)) for leg in node.legs]
        return _negated(_any([compile_line_filter(one, version) for one in single]), node.operator)
    if len(node.legs) > 2 and not version.has(LONG_CHAINS):
        contains = LineFilterOperator.CONTAINS
        kept = replace(node, legs=node.legs[:2], operator=_positive(node))
        rest = [replace(node, legs=(leg,), operator=contains) for leg in node.legs[2:] if leg.value]
        tests = [compile_line_filter(one, version) for one in (kept, *rest)]
        return _negated(_any(tests), node.operator)
    if node.operator in PATTERN:
        if not version.has(PATTERNS_BEYOND_ASCII) and not all(leg.value.isascii() for leg in node.legs):
            kept_legs = tuple(leg for leg in node.legs if leg.value.isascii())
            if not kept_legs:
                return _negated(lambda line: False, node.operator)
            node = replace(node, legs=kept_legs)
        tests = [compile_pattern(leg.value) for leg in node.legs]
        return _negated(_any(tests), node.operator)
    if node.operator in REGEX and not version.has(SHORT_GROUP_NAMES_IN_LINE_FILTERS):
        for leg in node.legs:
            parse_regex(leg.value, short_groups=False)
    # In a chain `ip()` counts as plain text of the operator's kind.
    legs = [
        simplify(leg.value, for_label=False) if node.operator in REGEX else _plain(leg.value)
        for leg in node.legs
    ]
    test = reduce(either, legs)
    if not node.operator.is_negative and all(isinstance(leg, Always) for leg in legs[:2]):
        # One leg that always holds is dropped; two at the beginning hold.
        test = legs[0]
    return _negated(compile_test(test, any_letter=not version.has(FIRST_BYTE_FOLDS)), node.operator)


def _plain(text: str) -> Test:
    return Contains(text) if text else Always()


def _negated(test: LineTest, operator: LineFilterOperator) -> LineTest:
    return (lambda line: not test(line)) if operator.is_negative else test


def _any(tests: list[LineTest]) -> LineTest:
    return tests[0] if len(tests) == 1 else lambda line: any(test(line) for test in tests)


def _positive(node: ast.LineFilter) -> LineFilterOperator:
    return LineFilterOperator(f"|{node.operator[1:]}")


def _ip(node: ast.LineFilter, version: LokiVersion) -> LineTest:
    if node.operator not in (LineFilterOperator.CONTAINS, LineFilterOperator.NOT_CONTAINS):
        raise ValueError("ip: invalid operation")
    return _negated(compile_ip(node.legs[0].value, version), node.operator)


def compile_pattern(pattern: str) -> LineTest:
    """The test of a ``|>`` pattern: no backtracking, wildcards take at least one byte."""
    elements = split_pattern(pattern)
    together = consecutive_captures(elements)
    if together:
        raise ValueError(f"found consecutive capture '{together}': invalid expression")
    for is_capture, name in elements:
        if is_capture and name != "_":
            raise ValueError(f"named captures are not allowed: found '<{name}>'")
    parts = [None if is_capture else text.encode("utf-8", "surrogateescape") for is_capture, text in elements]

    def matches(line: bytes) -> bool:
        if not parts or not line:
            return not parts and not line
        offset = 0
        for index, part in enumerate(parts):
            if part is None:
                continue
            found = line.find(part, offset)
            if found < 0 or (index and found == offset):
                return False
            offset = found + len(part)
        return (offset < len(line)) if parts[-1] is None else offset == len(line)

    return matches
