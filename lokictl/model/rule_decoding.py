"""Decodes a rule file as strictly as Loki's loader (Go's yaml.v3 with known fields only), with its messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import field
from typing import Any

from lokictl.errors import Error
from lokictl.logql.units import parse_prometheus_duration
from lokictl.logql.versions import LABELS_OF_GROUPS, QUERY_OFFSET_OF_GROUPS, RULES_READ_AS_TEXT, target
from lokictl.model.rules import Rule
from lokictl.model.yaml_library import yaml
from lokictl.model.yaml_loader import compose, scalar_value
from lokictl.model.yaml_source import too_deep
from lokictl.records import dataclass

LONGEST_SHOWN = 10
MOST_STRUCTS = 200_000
"""Mappings read before aliases are taken for an attack."""


@dataclass(slots=True)
class RawRule:
    """A rule as the file has it: any combination of keys; durations in ns."""

    record: str = ""
    alert: str = ""
    expr: str = ""
    for_: int = 0
    keep_firing_for: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    parsed: Rule | None = None
    """The rule object it comes from, which keeps its parsed expression."""


@dataclass(slots=True)
class RawGroup:
    """A group as the file has it; durations in ns."""

    name: str = ""
    interval: int = 0
    query_offset: int = 0
    limit: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    rules: list[RawRule] = field(default_factory=list)


class DecodingError(Error):
    """A file that Loki cannot read; ``str(error)`` is its message (several lines for several wrong keys)."""


def decode_rule_file(text: str) -> list[RawGroup]:
    """The groups of the first document of ``text``.  Raises `DecodingError`."""
    root = _compose(text)
    if root is None:
        raise DecodingError("EOF")
    decoder = _Decoder()
    groups = decoder.file(root)
    if decoder.problems:
        raise DecodingError("\n  ".join(["yaml: unmarshal errors:", *decoder.problems]))
    return groups


def _compose(text: str) -> yaml.Node | None:
    if too_deep(text) is not None:
        raise DecodingError("yaml: exceeded max depth of 10000")
    try:
        return next(compose(text), None)
    except yaml.MarkedYAMLError as error:
        raise DecodingError(_syntax_message(error, text)) from None
    except yaml.YAMLError as error:
        reason = str(getattr(error, "reason", error))
        raise DecodingError(f"yaml: {READER_WORDS.get(reason, reason)}") from None
    except RecursionError:
        raise DecodingError("yaml: exceeded max depth of 10000") from None


READER_WORDS = {"special characters are not allowed": "control characters are not allowed"}
"""Those of a reader in Python, where there is no libyaml."""

SYNTAX_WORDS = {
    "mapping values are not allowed here": "mapping values are not allowed in this context",
    "sequence entries are not allowed here": "block sequence entries are not allowed in this context",
    "mapping keys are not allowed here": "mapping keys are not allowed in this context",
}


def _syntax_message(error: yaml.MarkedYAMLError, text: str) -> str:
    """Go's words for a syntax error: those of libyaml, with the line where reading stopped."""
    words = str(error.problem)
    if words.startswith("found undefined alias"):
        name = re.match(r"[\w-]*", text[error.problem_mark.index + 1 :]) if error.problem_mark else None
        return f"yaml: unknown anchor '{name.group() if name else ''}' referenced"
    words = SYNTAX_WORDS.get(words, words)
    if words.startswith("expected <block end>"):
        sequence = "sequence" in str(error.context)
        words = "did not find expected '-' indicator" if sequence else "did not find expected key"
    elif words.startswith("expected ',' or"):
        words = f"did not find {words.partition(', but')[0]}"
    elif words.startswith("found character '"):
        words = "found character that cannot start any token"
    # The line where the construct began, else where reading stopped; a scanner counts from 1, a parser from 0.
    marks = [mark.line for mark in (error.context_mark, error.problem_mark) if mark is not None and mark.line]
    if not marks:
        return f"yaml: {words}"
    return f"yaml: line {marks[0] + isinstance(error, yaml.scanner.ScannerError)}: {words}"


class _Decoder:
    """Walks the nodes as Go's decoder walks its structs: keys in the order of the file."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.open: set[int] = set()
        self.structs = 0
        self.loki = target()
        self.as_text = RULES_READ_AS_TEXT.holds(self.loki)
        self.rule_type = "rulefmt.Rule" if self.as_text else "rulefmt.RuleNode"

    def file(self, node: yaml.Node) -> list[RawGroup]:
        found: list[RawGroup] = []
        fields: dict[str, Callable[[yaml.Node], Any]] = {
            "groups": lambda value: found.extend(self.items(value, "[]rulefmt.RuleGroup", self.group))
        }
        self.struct(node, "rulefmt.RuleGroups", fields)
        return found

    def group(self, node: yaml.Node) -> RawGroup:
        group = RawGroup()
        fields: dict[str, Callable[[yaml.Node], Any]] = {
            "name": lambda value: setattr(group, "name", self.text(value)),
            "interval": lambda value: setattr(group, "interval", self.duration(value)),
            "limit": lambda value: setattr(group, "limit", self.integer(value)),
            "rules": lambda value: group.rules.extend(self.items(value, f"[]{self.rule_type}", self.rule)),
        }
        if QUERY_OFFSET_OF_GROUPS.holds(self.loki):
            fields["query_offset"] = lambda value: setattr(group, "query_offset", self.duration(value))
        if LABELS_OF_GROUPS.holds(self.loki):
            fields["labels"] = lambda value: group.labels.update(self.texts(value))
        self.struct(node, "rulefmt.RuleGroup", fields)
        return group

    def rule(self, node: yaml.Node) -> RawRule:
        rule = RawRule()
        self.struct(
            node,
            self.rule_type,
            {
                "record": lambda value: setattr(rule, "record", self.main_text(value)),
                "alert": lambda value: setattr(rule, "alert", self.main_text(value)),
                "expr": lambda value: setattr(rule, "expr", self.main_text(value)),
                "for": lambda value: setattr(rule, "for_", self.duration(value)),
                "keep_firing_for": lambda value: setattr(rule, "keep_firing_for", self.duration(value)),
                "labels": lambda value: rule.labels.update(self.texts(value)),
                "annotations": lambda value: rule.annotations.update(self.texts(value)),
            },
        )
        return rule

    def struct(
        self,
        node: yaml.Node,
        name: str,
        fields: dict[str, Callable[[yaml.Node], Any]],
        skip: Collection[str] = (),
    ) -> None:
        if _is_null(node):
            return
        if not isinstance(node, yaml.MappingNode):
            self.wrong_type(node, name)
            return
        self.enter(node)
        try:
            self.members(node, name, fields, skip)
        finally:
            self.open.discard(id(node))

    def enter(self, node: yaml.Node) -> None:
        """Notes that a mapping is being read; one that contains itself, or far too many, end the reading."""
        if id(node) in self.open:
            raise DecodingError("yaml: anchor value contains itself")
        self.structs += 1
        if self.structs > MOST_STRUCTS:
            raise DecodingError("yaml: document contains excessive aliasing")
        self.open.add(id(node))

    def members(
        self,
        node: yaml.Node,
        name: str,
        fields: dict[str, Callable[[yaml.Node], Any]],
        skip: Collection[str],
    ) -> None:
        if self.repeated_keys(node):
            return
        merged: yaml.Node | None = None
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                merged = value
            elif not isinstance(key, yaml.ScalarNode):
                self.wrong_type(key, "string")
            elif key.value in skip:
                continue
            elif key.value in fields:
                fields[key.value](value)
            else:
                self.problems.append(f"line {_line(key)}: field {key.value} not found in type {name}")
        if merged is not None:
            self.merge(merged, name, fields, {*skip, *_keys(node)})

    def merge(
        self,
        node: yaml.Node,
        name: str,
        fields: dict[str, Callable[[yaml.Node], Any]],
        skip: set[str],
    ) -> None:
        for part in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(part, yaml.MappingNode):
                raise DecodingError("yaml: map merge requires map or sequence of maps as the value")
            self.struct(part, name, fields, skip)
            skip = {*skip, *_keys(part)}

    def items(self, node: yaml.Node, name: str, read: Callable[[yaml.Node], Any]) -> list[Any]:
        if _is_null(node):
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.wrong_type(node, name)
            return []
        return [read(item) for item in node.value if not _is_null(item)]

    def texts(self, node: yaml.Node) -> dict[str, str]:
        if _is_null(node):
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.wrong_type(node, "map[string]string")
            return {}
        self.enter(node)
        try:
            return self.entries(node)
        finally:
            self.open.discard(id(node))

    def entries(self, node: yaml.Node) -> dict[str, str]:
        if self.repeated_keys(node):
            return {}
        found: dict[str, str] = {}
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for part in reversed(parts):
                    found = {**found, **self.texts(part)}
        for key, value in node.value:
            if key.tag != "tag:yaml.org,2002:merge":
                found[self.text(key)] = self.text(value)
        return found

    def text(self, node: yaml.Node) -> str:
        if _is_null(node):
            return ""
        if not isinstance(node, yaml.ScalarNode):
            self.wrong_type(node, "string")
            return ""
        return str(node.value)

    def main_text(self, node: yaml.Node) -> str:
        """The name or expression of a rule."""
        return self.text(node) if self.as_text or isinstance(node, yaml.ScalarNode) else ""

    def integer(self, node: yaml.Node) -> int:
        if _is_null(node):
            return 0
        value = scalar_value(node) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= 2**63:
            self.wrong_type(node, "int")
            return 0
        return int(value)

    def duration(self, node: yaml.Node) -> int:
        if _is_null(node):
            return 0
        if not isinstance(node, yaml.ScalarNode):
            self.wrong_type(node, "string")
            return 0
        try:
            return parse_prometheus_duration(str(node.value))
        except ValueError as error:
            # A type that reads itself: its error ends the decoding, and what was wrong before is not told.
            raise DecodingError(str(error)) from None

    def repeated_keys(self, node: yaml.Node) -> bool:
        keys = [key for key, _ in node.value if isinstance(key.value, str)]
        seen: dict[tuple[type, str], list[int]] = {}
        pairs: list[tuple[int, int]] = []
        for index, key in enumerate(keys):
            earlier = seen.setdefault((type(key), key.value), [])
            pairs += [(first, index) for first in earlier]
            earlier.append(index)
        for first, second in sorted(pairs):
            place = f"already defined at line {_line(keys[first])}"
            self.problems.append(f'line {_line(keys[second])}: mapping key "{keys[second].value}" {place}')
        return bool(pairs)

    def wrong_type(self, node: yaml.Node, wanted: str) -> None:
        shown = ""
        if isinstance(node, yaml.ScalarNode):
            value = str(node.value)
            shown = f" `{value[: LONGEST_SHOWN - 3]}...`" if len(value) > LONGEST_SHOWN else f" `{value}`"
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        self.problems.append(f"line {_line(node)}: cannot unmarshal {tag}{shown} into {wanted}")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _is_null(node: yaml.Node) -> bool:
    return str(node.tag) == "tag:yaml.org,2002:null"


def _keys(node: yaml.Node) -> set[str]:
    return {key.value for key, _ in node.value if isinstance(key.value, str)}
