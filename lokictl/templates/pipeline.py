"""The templates of ``line_format`` and ``label_format``, compiled once and executed per line."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from lokictl.logql.versions import DEFAULT, LokiVersion
from lokictl.templates import nodes as n
from lokictl.templates.executor import execute
from lokictl.templates.functions import BUILTINS, Function
from lokictl.templates.parser import Parsed, parse
from lokictl.templates.pipeline_functions import FUNCTIONS, functions_of
from lokictl.templates.times import Time
from lokictl.templates.values import StringMap


class Template:
    """A template that can be executed on many lines.

    ``fields`` are the labels that it reads by name (``.name``); ``reads_all`` is whether it can read any
    (``{{.}}``, ``index . "x"``, ``range``).  ``listed`` are the fields that Loki finds when it asks what a template
    needs: it does not look into defined templates and what is passed to them, and not at ``$.name``.
    """

    def __init__(self, name: str, text: str, version: LokiVersion = DEFAULT) -> None:
        self.text, self.version = text, version
        self.parsed: Parsed = parse(name, text, _NAMES)
        nodes = list(walk_nodes(self.parsed))
        self.fields = frozenset(
            name for node in nodes if isinstance(node, n.Field) for name in node.names[:1]
        ) | frozenset(node.names[1] for node in nodes if isinstance(node, n.Variable) and len(node.names) > 1)
        self.reads_all = any(
            isinstance(node, n.Dot) or (isinstance(node, n.Variable) and node.names == ["$"])
            for node in nodes
        )
        self.listed = frozenset(
            node.names[0] for node in _walk(self.parsed.body, into_calls=False) if isinstance(node, n.Field)
        )
        self._parts = _simple_parts(self.parsed)

    def execute(self, labels: Mapping[str, str], line: str, time_ns: int) -> str:
        """The text for one line: its labels, its text and its time.  Raises `TemplateError`."""
        if self._parts is not None:
            get = labels.get
            return "".join([part if is_text else get(part, "") for is_text, part in self._parts])
        functions = {
            **_functions(self.version),
            "__line__": Function(lambda: line),
            "__timestamp__": Function(lambda: Time(time_ns)),
        }
        return execute(self.parsed, functions, StringMap(labels))


_FUNCTIONS: dict[str, Function] = {**BUILTINS, **FUNCTIONS}


@functools.lru_cache(maxsize=64)
def _functions(version: LokiVersion) -> dict[str, Function]:
    """The functions as a Loki has them."""
    return {**_FUNCTIONS, **functions_of(version)}


_NAMES = frozenset([*_FUNCTIONS, "__line__", "__timestamp__"])


def _simple_parts(parsed: Parsed) -> list[tuple[bool, str]] | None:
    """(is text, text or label) of a template that only puts labels into a string; None of any other."""
    parts: list[tuple[bool, str]] = []
    for node in parsed.body:
        if isinstance(node, n.Text):
            parts.append((True, node.text))
            continue
        if not isinstance(node, n.Action) or node.pipe.variables or len(node.pipe.commands) != 1:
            return None
        arguments = node.pipe.commands[0].arguments
        if len(arguments) != 1 or not isinstance(arguments[0], n.Field) or len(arguments[0].names) != 1:
            return None
        parts.append((False, arguments[0].names[0]))
    return parts


def walk_nodes(parsed: Parsed) -> Iterable[Any]:
    """Every node of a template and of the templates that it defines."""
    return _walk([*parsed.body, *parsed.defined.values()])


def _walk(items: Iterable[Any], *, into_calls: bool = True) -> Iterable[Any]:
    """Every node below, the lists' elements included; without ``into_calls`` nothing of ``{{template}}``."""
    for item in items:
        if isinstance(item, list):
            yield from _walk(item, into_calls=into_calls)
        elif item is not None and (into_calls or not isinstance(item, n.TemplateCall)):
            yield item
            yield from _walk(_parts(item), into_calls=into_calls)


def _parts(node: Any) -> list[Any]:
    if isinstance(node, n.Action | n.TemplateCall):
        return [node.pipe]
    if isinstance(node, n.Branch):
        return [node.pipe, node.body, node.otherwise or []]
    if isinstance(node, n.Pipe):
        return list(node.commands)
    if isinstance(node, n.Command):
        return list(node.arguments)
    return [node.inner] if isinstance(node, n.Chain) else []


@functools.lru_cache(maxsize=1024)
def compile_line_template(text: str, version: LokiVersion = DEFAULT) -> Template:
    """The template of a ``line_format`` stage.  Raises `TemplateError`."""
    return Template("line", text, version)


@functools.lru_cache(maxsize=1024)
def compile_label_template(text: str, version: LokiVersion = DEFAULT) -> Template:
    """A template of a ``label_format`` stage.  Raises `TemplateError`."""
    return Template("label", text, version)
