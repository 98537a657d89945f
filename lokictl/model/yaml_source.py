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
from functools import cached_property
from typing import Any

import yaml

from lokictl.diagnostics import LokictlError, Position, Problem
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
from lokictl.model.yaml_events import plain_documents
from lokictl.records import dataclass

__all__ = ["Path", "SourceText", "YamlDocument", "load_document", "load_documents", "unknown_keys"]

MAX_NODES = 1_000_000
"""Aliases are expanded; a document that grows beyond this many nodes is refused."""

MAX_DEPTH = 100
"""Levels of lists and mappings in each other; no file of ours has ten."""

TOO_DEEP = "the YAML nests too deeply"
_DEEP_LINE = re.compile(r"^[ ?:-]{100}", re.MULTILINE)


class _Nodes:
    """The root nodes of a string's documents, which know the places of everything."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def roots(self) -> list[yaml.Node | None]:
        return list(yaml.compose_all(self.text, Loader=new_loader()))


@dataclass(frozen=True)
class YamlDocument(Document):
    """One YAML document."""

    nodes: _Nodes = field(repr=False, compare=False)
    number: int = 0
    texts: Mapping[tuple[type, Any], str] = field(default_factory=dict, repr=False, compare=False)
    _offsets: dict[int, Sequence[int]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def root(self) -> yaml.Node | None:
        """The node of the whole document, composed when a place is first asked for."""
        roots = self.nodes.roots
        return roots[self.number] if roots else None

    def stretch(self, *path: str | int, key: bool = False) -> Stretch:
        node, key_node = self.find(path)
        chosen = key_node if key and key_node is not None else node
        if chosen is None:
            return 0, 1
        return int(chosen.start_mark.index), self._end(chosen)

    def offsets(self, path: Path) -> Sequence[int]:
        node, _ = self.find(path)
        known = self._offsets.get(id(node))
        if known is None:
            known = self._offsets[id(node)] = _scalar_offsets(node, self.source.text)
        return known

    def scalar_text(self, *path: str | int) -> str:
        known = value_at(self.value, path)
        if isinstance(known, str):
            return known
        if known is None:
            return ""
        if isinstance(known, int | float) and (type(known), known) in self.texts:
            return self.texts[type(known), known]
        node, _ = self.find(path)
        value = getattr(node, "value", None)
        # A mapping or list: the path leads to one, or ends early in one.
        return value if isinstance(value, str) and not _is_null(node) else ""

    def written(self, path: Path, text: str) -> str | None:
        node, _ = self.find(path)
        style = getattr(node, "style", None)
        if style == '"':
            return json.dumps(text, ensure_ascii=False)[1:-1]
        if style == "'":
            return text.replace("'", "''")
        if style in ("|", ">") and node is not None:
            return text.replace("\n", "\n" + " " * self._indent(node))
        return None if ": " in text or " #" in text or "\n" in text else text

    def style(self, path: Path) -> str:
        """How the scalar at ``path`` is written: one of ``|``, ``>``, the quotes, or "" for a plain one."""
        node, _ = self.find(path)
        return str(getattr(node, "style", None) or "")

    def _indent(self, node: yaml.Node) -> int:
        start = int(node.start_mark.index)
        return _block_indent(
            self.source.text, start, self.source.text.find("\n", start) + 1, int(node.end_mark.index)
        )

    def _end(self, node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode) and node.style not in ("|", ">"):
            return int(node.end_mark.index)
        start = int(node.start_mark.index)
        newline = self.source.text.find("\n", start)
        return newline if newline >= 0 else len(self.source.text)

    def find(self, path: Sequence[str | int]) -> tuple[yaml.Node | None, yaml.Node | None]:
        """The node at ``path`` (its nearest parent when it is missing), and the node of its key."""
        node, key_node = self.root, None
        for part in path:
            if isinstance(node, yaml.MappingNode):
                found = _member(node, str(part))
                if found is None:
                    break
                key_node, node = found
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                key_node, node = None, node.value[part]
            else:
                break
        return node, key_node


def _member(node: yaml.Node, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """The key and value nodes of a member of a mapping, those of merged mappings (``<<``) included."""
    merged: list[yaml.Node] = []
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
        elif _key_text(key) == name:
            return key, value
    inner = (_member(part, name) for part in merged if isinstance(part, yaml.MappingNode))
    return next((found for found in inner if found is not None), None)


def load_documents(text: str, file: str = "") -> list[YamlDocument]:
    """All documents of a YAML text.

    Raises `LokictlError` with one placed problem for text that is not YAML, for repeated keys (all of them) and
    for documents that never end.
    """
    source, nodes = SourceText(text, file), _Nodes(text)
    plain = plain_documents(text, new_loader(), _value_of, max_nodes=MAX_NODES, max_depth=MAX_DEPTH)
    values, texts = plain if plain is not None else (_composed(source, nodes), {})
    return [YamlDocument(value, source, nodes, number, texts) for number, value in enumerate(values)]


def _composed(source: SourceText, nodes: _Nodes) -> list[Any]:
    """The values of all documents, from their nodes; raises as `load_documents`."""
    text, file = source.text, source.file
    mark = too_deep(text)
    if mark is not None:
        position = source.position(mark)
        raise LokictlError(Problem("yaml/syntax", TOO_DEEP, position=position))
    try:
        roots = nodes.roots
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
    return documents[0] if documents else YamlDocument(None, SourceText(text, file), _Nodes(text))


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


def new_loader() -> Any:
    global _LOADER
    if _LOADER is None:
        base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        loader = type("Loader", (base,), {"yaml_implicit_resolvers": {}})
        _add_resolvers(loader)
        _LOADER = loader
    return _LOADER


_LOADER: Any = None


def _add_resolvers(loader: Any) -> None:
    patterns = {
        "bool": (r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        "null": (r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
        "int": (r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$", "-+0123456789"),
        "float": (
            r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$",
            "-+.0123456789",
        ),
        "merge": (r"^<<$", "<"),
    }
    for tag in ("bool", "null", "int", "float", "merge"):
        pattern, first = patterns[tag]
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


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
            position = self.source.position(node.start_mark.index)
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
            key = _key_text(key_node)
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._merge(value_node, path, merged)
                continue
            if key in seen:
                first = self.source.position(seen[key].start_mark.index)
                position = self.source.position(key_node.start_mark.index, key_node.end_mark.index)
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


def _key_text(node: yaml.Node) -> str:
    return node.value if isinstance(node.value, str) else str(node.value)


def _is_null(node: yaml.Node | None) -> bool:
    return node is None or node.tag == "tag:yaml.org,2002:null"


def scalar_value(node: yaml.Node) -> Any:
    return _value_of(node.tag, str(node.value))


def _value_of(tag: str, text: str) -> Any:
    tag = tag.rpartition(":")[2]
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if tag == "int":
        return _int_value(text)
    if tag == "float":
        try:
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            return text
    return text


def _int_value(text: str) -> int | str:
    digits = text.replace("_", "")
    sign, body = (digits[0], digits[1:]) if digits[:1] in ("+", "-") else ("", digits)
    if len(body) > 1 and body[0] == "0" and body[1] in "01234567":
        body = "0o" + body[1:]
    try:
        return int(sign + body, 0)
    except ValueError:
        return text


def _syntax_problem(error: yaml.MarkedYAMLError, source: SourceText) -> Problem:
    mark = error.problem_mark or error.context_mark
    position = source.position(mark.index) if mark is not None else Position(source.file)
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


# --- places inside scalars ---------------------------------------------------------------------------------


def _scalar_offsets(node: yaml.Node | None, text: str) -> list[int]:
    """See `Document.offsets`."""
    if not isinstance(node, yaml.ScalarNode):
        return []
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    value = str(node.value)
    if node.style in ("|", ">"):
        offsets = _block_offsets(value, text, start, end)
        after = offsets[-1] + 1 if offsets else end
    elif node.style in ('"', "'"):
        offsets, after = _flow_offsets(value, text, start + 1, end, node.style), end - 1
    else:
        offsets, after = _flow_offsets(value, text, start, end, ""), end
    return [*offsets, after] if offsets or not value else []


def _block_offsets(value: str, text: str, start: int, end: int) -> list[int]:
    cursor = text.find("\n", start) + 1
    if cursor == 0:
        return []
    indent = _block_indent(text, start, cursor, end)
    offsets: list[int] = []
    at_line_start = True
    for character in value:
        if at_line_start:
            cursor = _skip_indent(text, cursor, indent)
            at_line_start = False
        while cursor < len(text) and text[cursor] != character:
            if character == " " and text[cursor] == "\n":
                break
            if text[cursor] not in " \r\n\t":
                return []
            was_newline = text[cursor] == "\n"
            cursor += 1
            if was_newline:
                cursor = _skip_indent(text, cursor, indent)
        offsets.append(min(cursor, len(text)))
        if cursor < len(text) and text[cursor] == "\n":
            at_line_start = True
        cursor += 1
    return offsets


def _block_indent(text: str, start: int, cursor: int, end: int) -> int:
    header = text[start:cursor]
    explicit = next((int(character) for character in header.split("#")[0] if character.isdigit()), 0)
    if explicit:
        line_start = text.rfind("\n", 0, start) + 1
        line = text[line_start:start]
        return len(line) - len(line.lstrip(" ")) + explicit
    for line in text[cursor : max(end, cursor)].split("\n"):
        if line.strip():
            return len(line) - len(line.lstrip(" "))
    return 0


def _skip_indent(text: str, cursor: int, indent: int) -> int:
    limit = cursor + indent
    while cursor < limit and cursor < len(text) and text[cursor] == " ":
        cursor += 1
    return cursor


_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


def _flow_offsets(value: str, text: str, cursor: int, end: int, style: str) -> list[int]:
    offsets: list[int] = []
    for character in value:
        length = 1
        if style == '"':
            while text.startswith(("\\\n", "\\\r\n"), cursor):
                cursor = _skip_blank(text, text.find("\n", cursor) + 1)
            if cursor < end and text[cursor] == "\\":
                length = _ESCAPE_LENGTHS.get(text[cursor + 1 : cursor + 2], 2)
                offsets.append(cursor)
                cursor += length
                continue
        elif style == "'" and character == "'":
            length = 2
        if cursor < end and text[cursor] != character:
            if character in " \n" and text[cursor] in " \r\n\t":
                offsets.append(cursor)
                cursor += 1
                continue
            while cursor < end and text[cursor] != character and text[cursor] in " \r\n\t":
                cursor += 1
            if cursor >= end or text[cursor] != character:
                return []
        offsets.append(min(cursor, end))
        cursor += length
    return offsets


def _skip_blank(text: str, cursor: int) -> int:
    while cursor < len(text) and text[cursor] in " \t":
        cursor += 1
    return cursor
