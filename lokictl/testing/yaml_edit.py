"""Small changes to YAML text that leave everything else as it is: comments, order, quoting, flow or block form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from lokictl.lazy import lazy_pattern
from lokictl.logql.units import format_value
from lokictl.model.yaml_library import yaml
from lokictl.model.yaml_source import Path, YamlDocument
from lokictl.records import dataclass

PLAIN = lazy_pattern(r"[A-Za-z0-9_./][A-Za-z0-9_./%+-]*(?: [A-Za-z0-9_./%(+-][A-Za-z0-9_./%()+-]*)*")
NOT_TEXT = lazy_pattern(r"(?i)true|false|null|yes|no|on|off|~|[-+.]?[0-9].*|[-+.].*")
DURATION = lazy_pattern(r"(?:\d+(?:ms|[smhdwy]))+")
WIDTH = 110


@dataclass(frozen=True)
class Replacement:
    """The characters from ``start`` to ``end`` of the file become ``text``."""

    start: int
    end: int
    text: str


class YamlEditor:
    """Finds the smallest replacements that make a document say something else."""

    def __init__(self, document: YamlDocument) -> None:
        self.document = document
        self.text = document.source.text

    def set(self, path: Path, value: Any) -> list[Replacement]:
        """Replacements after which the value at ``path`` is ``value``; a missing key is added to its mapping."""
        node, key = self._find(path)
        if node is None:
            return [self._added(path, value)]
        assert key is not None
        if self._is_alias(node, key):
            return [self._whole(key, None, value, self._is_flow(path[:-1]))]
        finer = list(self._finer(node, value))
        if finer and all(part is not None for part in finer):
            return [part for part in finer if part is not None]
        return [self._whole(key, node, value, self._is_flow(path[:-1]))]

    def insert_after(self, path: Path, items: list[dict[str, Any]]) -> list[Replacement]:
        """New items of a block list after the item at ``path``, each in the form of that item."""
        node, _ = self._find(path)
        assert node is not None
        end = self._line_end(self._end(node))
        dash = self.text.rfind("-", 0, node.start_mark.index)
        indent = dash - (self.text.rfind("\n", 0, dash) + 1)
        lines = [_item(item, indent, flow=_in_flow(node)) for item in items]
        return [Replacement(end, end, "".join(f"\n{line}" for line in lines))]

    # --- places ------------------------------------------------------------------------------------------

    def _find(self, path: Path) -> tuple[yaml.Node | None, yaml.Node | None]:
        """The node at exactly this path, and the node of its key."""
        node, key = self.document.root, None
        for part in path:
            if isinstance(node, yaml.MappingNode):
                pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
                if pair is None:
                    return None, None
                key, node = pair
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                key, node = None, node.value[part]
            else:
                return None, None
        return node, key

    def _is_flow(self, path: Path) -> bool:
        node, _ = self._find(path)
        return _in_flow(node)

    def _is_alias(self, node: yaml.Node, key: yaml.Node) -> bool:
        return re.match(r"\s*:\s*\*", self.text[key.end_mark.index :]) is not None

    def _end(self, node: yaml.Node) -> int:
        """Where the text of a node ends (the parser's own mark of a block lies behind comments that follow)."""
        if isinstance(node, yaml.ScalarNode) or _in_flow(node):
            return len(self.text[: node.end_mark.index].rstrip())
        last = node.value[-1]
        if isinstance(node, yaml.SequenceNode):
            return self._end_of_value(last, None)
        return self._end_of_value(last[1], last[0])

    def _end_of_value(self, node: yaml.Node, key: yaml.Node | None) -> int:
        if key is not None and self._is_alias(node, key):
            found = re.match(r"\s*:\s*\*[^\s,\]}]+", self.text[key.end_mark.index :])
            assert found is not None
            return int(key.end_mark.index) + found.end()
        return self._end(node)

    def _line_end(self, offset: int) -> int:
        newline = self.text.find("\n", offset)
        return newline if newline >= 0 else len(self.text)

    # --- changes -----------------------------------------------------------------------------------------

    def _finer(self, node: yaml.Node, value: Any) -> Iterator[Replacement | None]:
        """Replacements of single scalars where the structure is the same; None where it is not."""
        if isinstance(node, yaml.ScalarNode):
            if isinstance(value, dict | list):
                yield None
            elif _text(value) != node.value:
                yield Replacement(node.start_mark.index, self._end(node), scalar(value))
        elif isinstance(node, yaml.SequenceNode):
            if not isinstance(value, list) or len(value) != len(node.value) or not value:
                yield None
                return
            for item, wanted in zip(node.value, value, strict=True):
                yield from self._finer(item, wanted)
        elif not isinstance(value, dict) or {key.value for key, _ in node.value} != set(map(str, value)):
            yield None
        else:
            for key, item in node.value:
                yield from self._finer_value(key, item, value[key.value])

    def _finer_value(self, key: yaml.Node, node: yaml.Node, value: Any) -> Iterator[Replacement | None]:
        if not self._is_alias(node, key):
            yield from self._finer(node, value)
            return
        if any(True for _ in self._finer(node, value)):
            start = int(key.end_mark.index)
            found = re.match(r"\s*:\s*\*[^\s,\]}]+", self.text[start:])
            assert found is not None
            yield Replacement(start, start + found.end(), f": {flow(value)}")

    def _whole(self, key: yaml.Node, node: yaml.Node | None, value: Any, in_flow: bool) -> Replacement:
        start = int(key.end_mark.index)
        if node is None:
            found = re.match(r"\s*:\s*\*[^\s,\]}]+", self.text[start:])
            assert found is not None
            end = start + found.end()
        else:
            end = self._end(node)
        column = start - len(key.value) - (self.text.rfind("\n", 0, start) + 1)
        return Replacement(start, end, ":" + _value(value, column, flow_style=in_flow))

    def _added(self, path: Path, value: Any) -> Replacement:
        parent, _ = self._find(path[:-1])
        assert parent is not None
        end = self._end(parent)
        if _in_flow(parent):
            return Replacement(end - 1, end - 1, f", {path[-1]}: {flow(value)}")
        first = parent.value[0][0]
        column = first.start_mark.index - (self.text.rfind("\n", 0, first.start_mark.index) + 1)
        end = self._line_end(end)
        return Replacement(end, end, f"\n{' ' * column}{path[-1]}:{_value(value, column, flow_style=False)}")


def _in_flow(node: yaml.Node | None) -> bool:
    return bool(getattr(node, "flow_style", False))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return format_value(value)
    return str(value)


def scalar(value: Any) -> str:
    """A scalar as YAML, quoted where it must be (also within flow collections)."""
    text = _text(value)
    if isinstance(value, int | float) or DURATION.fullmatch(text):
        return text
    if PLAIN.fullmatch(text) and not NOT_TEXT.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def flow(value: Any) -> str:
    """A value in flow form, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value)


def _value(value: Any, column: int, *, flow_style: bool) -> str:
    """What follows ``key:`` when the key is at ``column``; with the space or line break before it."""
    short = flow(value)
    if flow_style or not isinstance(value, dict | list) or not value:
        return f" {short}"
    if isinstance(value, dict):
        return "".join(
            f"\n{' ' * (column + 2)}{key}:{_value(item, column + 2, flow_style=_is_short(item, column))}"
            for key, item in value.items()
        )
    if not any(isinstance(item, dict | list) for item in value) and _is_short(value, column):
        return f" {short}"
    return "".join(
        f"\n{_item(item, column + 2, flow=_is_short(item, column) and not _has_texts(item))}"
        for item in value
    )


def _has_texts(item: Any) -> bool:
    """Whether a mapping holds sentences, which read better on lines of their own."""
    return isinstance(item, dict) and "exp_annotations" in item


def _is_short(value: Any, column: int) -> bool:
    return column + len(flow(value)) + 20 <= WIDTH


def _item(value: Any, column: int, *, flow: bool) -> str:
    """``- …`` at ``column``, without a line break at its end."""
    if flow or not isinstance(value, dict):
        return f"{' ' * column}- {_flow(value)}"
    lines = [
        f"{key}:{_value(item, column + 2, flow_style=key != 'exp_alerts' and _is_short(item, column))}"
        for key, item in value.items()
    ]
    return f"{' ' * column}- " + f"\n{' ' * (column + 2)}".join(lines)


_flow = flow
