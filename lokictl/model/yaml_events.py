"""Plain values of YAML straight from its events: the fast way, which leaves every oddity to the composer.

Nodes with the places of everything take ten times the memory of the values, and most files are read without a problem
that needs a place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from lokictl.model.yaml_library import yaml
from lokictl.records import dataclass

Scalar = Callable[[str, str], Any]
"""The value of a scalar: its tag and its text."""

Texts = dict[tuple[type, Any], str]
"""How numbers and booleans are written, each of those that are written in one way only."""


ODD_KEYS = ("|", ">")
"""Styles of keys over several lines."""


@dataclass(frozen=True)
class PlainDocuments:
    """The values of documents, how their numbers and booleans are written, and where the items of lists begin."""

    values: list[Any]
    texts: Texts
    starts: dict[int, list[int]]


class OddityError(Exception):
    """The text has something that only the composer decides: an error, a repeated key, a merge, a tag, a cycle."""


def plain_documents(
    text: str, loader: Any, scalar: Scalar, *, max_nodes: int, max_depth: int
) -> PlainDocuments | None:
    """The values of all documents of a string; None where the composer has to decide.

    ``loader`` is a class of `yaml` loaders, whose resolvers give plain scalars their tags.
    """
    try:
        values = _Values(text, loader, scalar, max_nodes, max_depth)
        return PlainDocuments(values.documents(), values.texts(), values.starts)
    except (OddityError, yaml.YAMLError, ValueError, RecursionError):
        return None


class _Values:
    """Builds values from the events of one string."""

    def __init__(self, text: str, loader: Any, scalar: Scalar, max_nodes: int, max_depth: int) -> None:
        self.next: Callable[[], Any] = loader(text).get_event
        self.resolvers: dict[str, list[tuple[str, Any]]] = loader.yaml_implicit_resolvers
        self.scalar, self.max_nodes, self.max_depth = scalar, max_nodes, max_depth
        self.count = self.depth = 0
        self.plain: dict[str, Any] = {}
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.starts: dict[int, list[int]] = {}

    def documents(self) -> list[Any]:
        found = []
        self.next()  # the start of the stream
        while not isinstance(self.next(), yaml.StreamEndEvent):
            self.anchors = {}
            found.append(self.value(self.next()))
            self.next()  # the end of the document
        return found

    def texts(self) -> Texts:
        found: Texts = {}
        several = set()
        for text, value in self.plain.items():
            key = (type(value), value)
            if key in found:
                several.add(key)
            found[key] = text
        return {
            key: text for key, text in found.items() if key not in several and key[0] in (int, float, bool)
        }

    def value(self, event: Any) -> Any:
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self.alias(event.anchor)
        before = self.count
        self.count += 1
        if event.tag is not None or self.count > self.max_nodes:
            raise OddityError
        if kind is yaml.ScalarEvent:
            text = event.value
            result = self.plain_value(text) if event.implicit[0] else text
        else:
            if event.anchor is not None:
                # What is inside knows it as this one already.
                self.anchors.pop(event.anchor, None)
            self.depth += 1
            if self.depth > self.max_depth:
                raise OddityError
            result = self.mapping() if kind is yaml.MappingStartEvent else self.sequence(event)
            self.depth -= 1
        if event.anchor is not None:
            self.anchors[event.anchor] = (result, self.count - before)
        return result

    def alias(self, anchor: str) -> Any:
        if anchor not in self.anchors:
            raise OddityError
        result, size = self.anchors[anchor]
        self.count += size
        if self.count > self.max_nodes:
            raise OddityError
        return _copy(result)

    def mapping(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        take, end = self.next, yaml.MappingEndEvent
        while type(key := take()) is not end:
            if type(key) is not yaml.ScalarEvent or key.tag is not None or key.anchor is not None:
                raise OddityError
            name = sys.intern(key.value)
            if name in result or name == "<<" or (key.style in ODD_KEYS if name else key.implicit[0]):
                raise OddityError
            result[name] = self.value(take())
        return result

    def sequence(self, start: Any) -> list[Any]:
        result: list[Any] = []
        starts: list[int] = []
        take, end = self.next, yaml.SequenceEndEvent
        while type(event := take()) is not end:
            if type(event) is yaml.MappingStartEvent:
                starts.append(_offset(event))
            result.append(self.value(event))
        if starts and len(starts) == len(result) and not start.flow_style:
            starts.append(_offset(event))
            self.starts[id(result)] = starts
        return result

    def plain_value(self, text: str) -> Any:
        """The value of a scalar without quotes; equal ones are one object."""
        found = self.plain.get(text, self)
        if found is self:
            tags = (tag for tag, pattern in self.resolvers.get(text[:1], ()) if pattern.match(text))
            found = self.plain[text] = self.scalar(next(tags, "tag:yaml.org,2002:str"), text)
        return found


def _offset(event: Any) -> int:
    return int(event.start_mark.index)


def _copy(value: Any) -> Any:
    """Another value like this one: what is read through one alias is not a part of what another gives."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
