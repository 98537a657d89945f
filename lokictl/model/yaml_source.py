"""YAML that remembers where everything stands.

Values are read the way Go's YAML library reads them for Loki: ``yes``, ``on`` and dates are plain text, and a
scalar's source text is kept beside its value.  Every key and every character inside a scalar can be traced
back to its line and column, also in quoted and block scalars, so that an error inside a LogQL expression is
shown where the author wrote it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.lazy import lazy_pattern
from lokictl.model.documents import (
    Cursor,
    Document,
    EmbeddedDocument,
    Path,
    PlainDocument,
    SourceText,
    Stretch,
    value_at,
)
from lokictl.model.yaml_events import OddityError, plain_documents
from lokictl.model.yaml_library import yaml
from lokictl.model.yaml_loader import new_loader, scalar_value, value_of
from lokictl.model.yaml_places import Part, Places, block_indent, first_offset, key_text
from lokictl.records import dataclass

__all__ = ["Path", "SourceText", "YamlDocument", "load_document", "load_documents", "unknown_keys"]

MAX_NODES = 1_000_000
"""Aliases are expanded; a document that grows beyond this many nodes is refused."""

MAX_DEPTH = 100
"""Levels of lists and mappings in each other; no file of ours has ten."""

TOO_DEEP = "the YAML nests too deeply"
_DEEP_LINE = lazy_pattern(r"^[ ?:-]{100}", re.MULTILINE)


@dataclass(frozen=True)
class YamlDocument(Document):
    """One YAML document."""

    places: Places = field(repr=False, compare=False)
    number: int = 0
    texts: Mapping[tuple[type, Any], str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def root(self) -> yaml.Node | None:
        """The node of the whole document."""
        roots = self.places.roots
        return roots[self.number] if roots else None

    def stretch(self, *path: str | int, key: bool = False) -> Stretch:
        part, node, key_node = self._find(path)
        chosen = key_node if key and key_node is not None else node
        if chosen is None:
            return 0, 1
        start = int(chosen.start_mark.index) + part.shift
        if isinstance(chosen, yaml.ScalarNode) and chosen.style not in ("|", ">"):
            return start, int(chosen.end_mark.index) + part.shift
        newline = self.source.text.find("\n", start)
        return start, newline if newline >= 0 else len(self.source.text)

    def offsets(self, path: Path) -> Sequence[int]:
        part, node, _ = self._find(path)
        return part.offsets(node)

    def scalar_text(self, *path: str | int) -> str:
        known = value_at(self.value, path)
        if isinstance(known, str):
            return known
        if known is None:
            return ""
        if isinstance(known, int | float) and (type(known), known) in self.texts:
            return self.texts[type(known), known]
        _, node, _ = self._find(path)
        value = getattr(node, "value", None)
        # A mapping or list: the path leads to one, or ends early in one.
        return value if isinstance(value, str) and not _is_null(node) else ""

    def written(self, path: Path, text: str) -> str | None:
        part, node, _ = self._find(path)
        style = getattr(node, "style", None)
        if style == '"':
            return json.dumps(text, ensure_ascii=False)[1:-1]
        if style == "'":
            return text.replace("'", "''")
        if style in ("|", ">") and node is not None:
            return text.replace("\n", "\n" + " " * _indent(node, part.text))
        return None if ": " in text or " #" in text or "\n" in text else text

    def style(self, path: Path) -> str:
        """How the scalar at ``path`` is written: one of ``|``, ``>``, the quotes, or "" for a plain one."""
        _, node, _ = self._find(path)
        return str(getattr(node, "style", None) or "")

    def _find(self, path: Path) -> tuple[Part, yaml.Node | None, yaml.Node | None]:
        """The node at ``path`` (its nearest parent when it is missing) and that of its key, with what they are in."""
        part, rest = self.places.part(self.number, self.value, path)
        return (part, *part.find(rest))


def _indent(node: yaml.Node, text: str) -> int:
    start = int(node.start_mark.index)
    return block_indent(text, start, text.find("\n", start) + 1, int(node.end_mark.index))


def load_documents(text: str, file: str = "") -> list[YamlDocument]:
    """All documents of a YAML text.

    Raises `LokictlError` with one placed problem for text that is not YAML, for repeated keys (all of them) and
    for documents that never end.
    """
    source = SourceText(text, file)
    plain = plain_documents(text, new_loader(), value_of, max_nodes=MAX_NODES, max_depth=MAX_DEPTH)
    if plain is not None:
        values, texts, places = plain.values, plain.texts, Places(text, plain.starts)
    else:
        places = Places(text)
        values, texts = _composed(source, places), {}
    return [YamlDocument(value, source, places, number, texts) for number, value in enumerate(values)]


def load_stretch(source: SourceText, start: int, end: int) -> list[YamlDocument]:
    """The documents that are the characters ``start`` to ``end`` of a file, with their places in that file.

    Raises `OddityError` where that is not all plain.
    """
    text = source.text[start:end]
    plain = plain_documents(text, new_loader(), value_of, max_nodes=MAX_NODES, max_depth=MAX_DEPTH - 1)
    if plain is None:
        raise OddityError
    places = Places(text, plain.starts, start)
    return [
        YamlDocument(value, source, places, number, plain.texts) for number, value in enumerate(plain.values)
    ]


def _composed(source: SourceText, places: Places) -> list[Any]:
    """The values of all documents, from their nodes; raises as `load_documents`."""
    text, file = source.text, source.file
    mark = too_deep(text)
    if mark is not None:
        position = _marked(source, mark)
        raise LokictlError(Problem("yaml/syntax", TOO_DEEP, position=position))
    try:
        roots = places.roots
    except yaml.MarkedYAMLError as error:
        raise LokictlError(_syntax_problem(error, source)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise LokictlError(Problem("yaml/syntax", str(error), position=Position(file))) from None
    except RecursionError:
        raise LokictlError(Problem("yaml/syntax", TOO_DEEP, position=Position(file))) from None
    values = []
    for root in roots:
        builder = _Builder(source)
        values.append(builder.build(root, ()))
        if builder.problems:
            raise LokictlError(builder.problems)
    return values


def load_embedded_documents(outer: Cursor, text: str | None = None) -> list[EmbeddedDocument]:
    """All documents of the YAML text that is the string at ``outer`` (or ``text``, decoded from that string).

    Raises as `load_documents` does, with the places in the outer file.
    """
    content = outer.value if text is None else text
    file = outer.document.source.file
    encoded = text is not None
    try:
        inner = load_documents(content, file)
    except LokictlError as error:
        plain = PlainDocument.of(SourceText(content, file))
        whole = EmbeddedDocument.of(plain, outer, encoded=encoded)
        raise LokictlError([whole.outward(problem) for problem in error.problems]) from None
    return [EmbeddedDocument.of(document, outer, encoded=encoded) for document in inner]


def too_deep(text: str) -> int | None:
    """The offset where a string nests deeper than `MAX_DEPTH`, which the composer does not survive; else None."""
    if text.count("[") + text.count("{") <= MAX_DEPTH and not _DEEP_LINE.search(text):
        return None
    depth = 0
    try:
        for event in yaml.parse(text, Loader=new_loader()):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    return int(event.start_mark.index) if event.start_mark is not None else 0
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.MarkedYAMLError as error:
        # Some versions of libyaml have a limit of their own and stop scanning before the first event.
        return _deep_mark(text, error)
    except (yaml.YAMLError, ValueError):
        # What is wrong is told by whoever composes the text; so far it is not too deep.
        return None
    return None


def _deep_mark(text: str, error: yaml.MarkedYAMLError) -> int | None:
    """Where ``error`` stopped the scanner, if the text nests too deeply up to there; else None."""
    mark = error.problem_mark
    if mark is None:
        return None
    before = text[: mark.index]
    opened = sum(map(before.count, "[{")) - sum(map(before.count, "]}"))
    return int(mark.index) if opened > MAX_DEPTH or _DEEP_LINE.search(before) else None


def load_document(text: str, file: str = "") -> YamlDocument:
    """The first document of a YAML text; an empty text is a document whose value is None."""
    documents = load_documents(text, file)
    return documents[0] if documents else YamlDocument(None, SourceText(text, file), Places(text))


def unknown_keys(
    document: YamlDocument,
    known: Iterable[str],
    *path: str | int,
    name: str = "yaml/unknown-key",
    what: str = "",
) -> Iterator[Problem]:
    """One problem for each key of the mapping at ``path`` that is not known; see `Cursor.unknown_keys`."""
    return Cursor(document, path).unknown_keys(known, name=name, what=what)


# --- building ----------------------------------------------------------------------------------------------


def _marked(source: SourceText, start: int, end: int | None = None) -> Position:
    """The position of the characters between two marks of YAML."""
    first = first_offset(source.text)
    return source.position(start + first, None if end is None else end + first)


class _Builder:
    """Turns composed nodes into plain values, collecting repeated keys."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.count = 0
        self.open: set[int] = set()

    def build(self, node: yaml.Node | None, path: Path) -> Any:
        self.count += 1
        if node is None:
            return None
        if self.count > MAX_NODES or id(node) in self.open:
            position = _marked(self.source, node.start_mark.index)
            message = "an alias refers to itself" if id(node) in self.open else "the document is too large"
            raise LokictlError(Problem("yaml/syntax", message, position=position))
        if isinstance(node, yaml.ScalarNode):
            return scalar_value(node)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        seen: dict[str, yaml.Node] = {}
        for key_node, value_node in node.value:
            key = key_text(key_node)
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._merge(value_node, path, merged)
                continue
            if key in seen:
                first = _marked(self.source, seen[key].start_mark.index)
                position = _marked(self.source, key_node.start_mark.index, key_node.end_mark.index)
                message = f'the key "{key}" is already defined at line {first.line}'
                self.problems.append(
                    Problem(
                        "yaml/duplicate-key",
                        message,
                        position=position,
                        hint="remove one of the two",
                        source_line=self.source.line(position.line),
                    )
                )
            seen[key] = key_node
            result[key] = self.build(value_node, (*path, key))
        return {**merged, **result}

    def _merge(self, node: yaml.Node, path: Path, merged: dict[str, Any]) -> None:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for part in parts:
            value = self.build(part, path)
            if isinstance(value, dict):
                for key, item in value.items():
                    merged.setdefault(key, item)


def _is_null(node: yaml.Node | None) -> bool:
    return node is None or node.tag == "tag:yaml.org,2002:null"


def _syntax_problem(error: yaml.MarkedYAMLError, source: SourceText) -> Problem:
    mark = error.problem_mark or error.context_mark
    position = _marked(source, mark.index) if mark is not None else Position(source.file)
    line = source.line(position.line)
    words = " ".join(part for part in (error.context, error.problem) if part)
    return Problem(
        "yaml/syntax",
        f"not valid YAML: {words}",
        position=position,
        hint=_syntax_hint(error, line),
        source_line=line,
    )


def _syntax_hint(error: yaml.MarkedYAMLError, line: str) -> str:
    text = line.strip()
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "YAML indentation must use spaces, not tabs"
    if text.startswith("expr:") or "{" in text:
        return "write the expression as a block: `expr: |` and the query indented on the next line"
    if "mapping values are not allowed" in str(error.problem):
        return "put the value in quotes: it contains a colon followed by a space"
    return ""
