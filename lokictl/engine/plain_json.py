"""The fast way through a JSON line: a strict decoder, wherever its answer cannot differ from the tolerant reader's.

A line that is, byte for byte, what the encoder writes for what the decoder has read has no duplicate keys, no odd
numbers and no text before or behind; what then remains of Loki's rules is applied to the decoded members.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from lokictl.engine.hints import Hints
from lokictl.engine.json_parser import text_value
from lokictl.engine.label_filter import COMPARE
from lokictl.engine.labels import ERROR, ERROR_DETAILS, EXTRACTED_SUFFIX, LabelBuilder
from lokictl.logql import ast
from lokictl.logql.ast import MatchOperator

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_EXACT = 1 << 53
_STRING = 0
MAX_SHAPES = 4096
"""Sets of keys that are remembered; a store with more of them is read without memory."""

Plan = tuple[str, ...] | None
"""The keys that become labels, in order; None: the tolerant reader decides."""
Refuses = Callable[[Any], bool]


class PlainJson:
    """Reads lines for one ``json`` stage."""

    def __init__(self, hints: Hints) -> None:
        self.hints = hints
        self.plans: dict[tuple[str, ...], Plan] = {}
        self.refusals = [
            (name, refuses)
            for name, refuses in ((name, refusal(node)) for name, node in hints.filter_nodes.items())
            if refuses is not None and hints.wants(name) and name not in (ERROR, ERROR_DETAILS)
        ]

    def read(self, line: bytes, builder: LabelBuilder) -> bool | None:
        """Sets the line's labels. False: a filter drops the line; None: not plain, nothing is set."""
        try:
            members = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        if type(members) is not dict or not _is_canonical(line, members):
            return None
        shape = tuple(members)
        if shape in self.plans:
            plan = self.plans[shape]
        else:
            plan = self._plan(shape)
        if plan is None or (
            line.find(b"{", 1) >= 0 and any(type(value) is dict for value in members.values())
        ):
            return None
        for name, refuses in self.refusals:
            if (
                name in members
                and refuses(members[name])
                and not self._is_set(builder, name)
                and not _comes_of_another(name, members, builder)
            ):
                return False
        return self._put(members, plan, builder, line.isascii())

    def _plan(self, shape: tuple[str, ...]) -> Plan:
        plan: Plan = None
        if all(_NAME.fullmatch(key) for key in shape):
            plan = tuple(key for key in shape if self.hints.wants(key))
        if len(self.plans) < MAX_SHAPES:
            self.plans[shape] = plan
        return plan

    def _is_set(self, builder: LabelBuilder, name: str) -> bool:
        return name in builder.extracted or builder.is_taken(name)

    def _put(
        self, members: dict[str, Any], plan: tuple[str, ...], builder: LabelBuilder, ascii_only: bool
    ) -> bool:
        hints, extracted = self.hints, builder.extracted
        filters, required = hints.filters, hints.required
        for key in plan:
            value = members[key]
            kind = type(value)
            if kind is str:
                text = (
                    value
                    if ascii_only
                    else text_value(value.encode("utf-8").replace(b"\\", b"\\\\"), _STRING)
                )
            elif kind is int:
                text = str(value)
            elif kind is bool:
                text = "true" if value else "false"
            elif kind is float:
                text = orjson.dumps(value).decode()
            else:
                continue
            name = key + EXTRACTED_SUFFIX if builder.is_taken(key) else key
            if name in extracted:
                continue
            builder.set(name, text)
            if name in filters and not filters[name](builder):
                return False
            if required is not None and required <= extracted:
                return True
        return True


def _comes_of_another(name: str, members: dict[str, Any], builder: LabelBuilder) -> bool:
    """Whether the label ``level_extracted`` may come of the field ``level``, whose own name is taken."""
    other = name.removesuffix(EXTRACTED_SUFFIX)
    return other != name and other in members and builder.is_taken(other)


def _is_canonical(line: bytes, members: dict[str, Any]) -> bool:
    text = orjson.dumps(members)
    return text == line or (b'": ' in line and text == line.replace(b'": ', b'":').replace(b', "', b',"'))


def refusal(node: ast.LabelFilter) -> Refuses | None:
    """Whether a decoded value certainly fails a filter; None for filters that are not worth the test."""
    if isinstance(node, ast.StringLabelFilter) and node.operator == MatchOperator.EQUAL:
        wanted = node.value
        return lambda value: type(value) is str and value != wanted and value.isascii()
    if isinstance(node, ast.StringLabelFilter) and node.operator == MatchOperator.NOT_EQUAL:
        unwanted = node.value
        return lambda value: type(value) is str and value == unwanted and value.isascii()
    if isinstance(node, ast.NumberLabelFilter):
        compare, threshold = COMPARE[node.operator], node.value
        return lambda value: type(value) is int and -_EXACT < value < _EXACT and not compare(value, threshold)
    return None
