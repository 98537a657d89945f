"""Parser, formatting and label stages, compiled to functions ``(line, time, labels) -> line or None (dropped)``."""

from __future__ import annotations

import re
from collections.abc import Callable

from lokictl.engine import json_parser as js
from lokictl.engine.errors import EvaluationError
from lokictl.engine.hints import Hints
from lokictl.engine.json_parser import JsonError, each_member, label_name, nested_name, text_value, unescape
from lokictl.engine.json_paths import find_paths
from lokictl.engine.labels import (
    ERROR,
    ERROR_DETAILS,
    EXTRACTED_SUFFIX,
    JSON_ERROR,
    LOGFMT_ERROR,
    PRESERVE_ERROR,
    TEMPLATE_ERROR,
    LabelBuilder,
)
from lokictl.engine.logfmt_parser import pairs
from lokictl.engine.paths import json_path, logfmt_path
from lokictl.engine.plain_json import PlainJson
from lokictl.lazy import lazy_pattern
from lokictl.logql import ast
from lokictl.logql.matching import compile_matcher
from lokictl.logql.regex import compile_search
from lokictl.logql.validation import split_pattern
from lokictl.logql.versions import (
    BROKEN_VALUES_KEPT,
    CONFLICTS_EACH_LINE,
    DEFAULT,
    EMPTY_KEYS_SKIPPED,
    ERROR_FIELD_EMPTY,
    FIRST_OF_EQUALS,
    STRINGS_IN_ARRAYS,
    TEMPLATES_LOOK_AGAIN,
    LokiVersion,
)
from lokictl.templates import TemplateError, compile_label_template, compile_line_template

StageFunction = Callable[[bytes, int, LabelBuilder], bytes | None]

_BROKEN = lazy_pattern("[\udc80-\udcff\ufffd]")


def decode(raw: bytes) -> str:
    """Bytes of a line as a label value."""
    if raw.isascii():
        return raw.decode("ascii")
    return raw.decode("utf-8", "surrogateescape")


def _free_name(builder: LabelBuilder, name: str) -> str:
    return name + EXTRACTED_SUFFIX if builder.is_taken(name) else name


class Names:
    """What a parser calls the label that it makes of a key, if it makes one at all.

    ``remembers`` False: the parser (``pattern``) decides for each line in every version.

    Since `CONFLICTS_EACH_LINE` that is decided for each line.  Before, the name was decided where the key was
    first seen, and held for every later line of the query; before `FIRST_OF_EQUALS` even whether to set it.
    """

    def __init__(self, hints: Hints, *, remembers: bool = True) -> None:
        self.hints = hints
        self.decided: dict[str, str | None] | None = None
        if remembers and not hints.version.has(CONFLICTS_EACH_LINE):
            self.decided = {}
        self.first_counts = hints.version.has(FIRST_OF_EQUALS)

    def target(
        self, builder: LabelBuilder, name: str, *, key: str = "", suffix: str = EXTRACTED_SUFFIX
    ) -> str | None:
        """The label for ``name``, which is what happened to ``key``; None where it is not to be set."""
        if self.decided is None:
            return self._decide(builder, name, suffix)
        key = key or name
        if key not in self.decided:
            found = self._decide(builder, name, suffix)
            self.decided[key] = self._name(builder, name, suffix) if self.first_counts else found
            return found
        final = self.decided[key]
        if self.first_counts and (final in builder.extracted or not self.hints.wants(name)):
            return None
        return final

    def free(self, builder: LabelBuilder, name: str) -> str:
        """The label for a field that is set in any case."""
        if self.decided is None:
            return self._name(builder, name, EXTRACTED_SUFFIX)
        return self.decided.setdefault(name, self._name(builder, name, EXTRACTED_SUFFIX)) or name

    def _decide(self, builder: LabelBuilder, name: str, suffix: str) -> str | None:
        if not self.hints.wants(name):
            return None
        final = self._name(builder, name, suffix)
        return None if final in builder.extracted else final

    def _name(self, builder: LabelBuilder, name: str, suffix: str) -> str:
        return name + suffix if builder.is_taken(name) else name


# --- json --------------------------------------------------------------------------------------------------------


def json_stage(hints: Hints) -> StageFunction:
    """``| json``"""
    if hints.no_labels:
        return lambda line, time, builder: line
    names = Names(hints)
    plain = PlainJson(hints) if names.decided is None else None

    def stage(line: bytes, time: int, builder: LabelBuilder) -> bytes | None:
        if hints.satisfied(builder):
            return line
        kept = plain.read(line, builder) if plain is not None else None
        if kept is None:
            kept = _nested_json(line, builder, hints, names)
        return line if kept else None

    return stage


class _StopError(Exception):
    """Reading ends early: the line is dropped, or nothing more is wanted."""

    def __init__(self, kept: bool) -> None:
        self.kept = kept


def _nested_json(line: bytes, builder: LabelBuilder, hints: Hints, names: Names) -> bool:
    skips_empty = hints.version.has(EMPTY_KEYS_SKIPPED)

    def member(prefix: str, key: str, raw: bytes, kind: int, depth: int) -> None:
        if kind in (js.ARRAY, js.NULL):
            return
        name = nested_name(prefix, key, skips_empty=skips_empty)
        if kind == js.OBJECT:
            if depth > js.MAX_NESTING:
                raise JsonError(js.MALFORMED_OBJECT)
            if hints.wants_prefix(name):

                def inner(key: str, raw: bytes, kind: int) -> bool:
                    member(name, key, raw, kind, depth + 1)
                    return True

                each_member(raw, inner)
            return
        if not name and names.decided is None and not _names_a_label(builder, key, depth):
            return
        suffix = "_" + EXTRACTED_SUFFIX if depth and not key.strip() else EXTRACTED_SUFFIX
        final = names.target(builder, name, key=name if depth else key, suffix=suffix)
        if final is None:
            return
        if not hints.put(builder, final, text_value(raw, kind)):
            raise _StopError(False)
        if hints.satisfied(builder):
            raise _StopError(True)

    def outermost(key: str, raw: bytes, kind: int) -> bool:
        member("", key, raw, kind, 0)
        return True

    try:
        each_member(line, outermost)
    except JsonError as error:
        hints.fail(builder, JSON_ERROR, str(error))
    except _StopError as stop:
        return stop.kept
    return True


def _names_a_label(builder: LabelBuilder, key: str, depth: int) -> bool:
    """Whether an empty key makes a label: nested ones do, others only where a nested one came first."""
    if depth:
        builder.blank_keys.setdefault("", True)
        return True
    return builder.blank_keys.setdefault(key, False)


def json_expression_stage(stage: ast.JsonParser, hints: Hints) -> StageFunction:
    """``| json a="x.y", b``"""
    targets = [item.name for item in stage.extractions]
    names = Names(hints)
    array_strings = hints.version.has(STRINGS_IN_ARRAYS)
    paths = [json_path(item.path) for item in stage.extractions]
    if any("" in path[1:] for path in paths):
        raise EvaluationError("Loki crashes on an empty key in a json path")
    _check_names(stage.extractions)
    if hints.no_labels:
        return lambda line, time, builder: line

    def run(line: bytes, time: int, builder: LabelBuilder) -> bytes | None:
        if not line or hints.satisfied(builder):
            return line
        if line[:1] not in (b'"', b"{", b"["):
            hints.fail(builder, JSON_ERROR, "")
            return line
        found = 0
        for index, raw, kind, error in find_paths(line, paths, array_strings=array_strings):
            if error:
                hints.fail(builder, JSON_ERROR, error)
                continue
            found += 1
            builder.set(names.free(builder, targets[index]), _path_value(raw, kind))
        if found < len(paths):
            for name in targets:
                if builder.get(name) is None:
                    builder.set(name, "")
        return line

    return run


def _path_value(raw: bytes, kind: int) -> str:
    if kind == js.NULL:
        return ""
    if kind == js.ARRAY and b"\\" in raw:
        return decode(unescape(raw) or b"")
    return text_value(raw, kind)


def _check_names(extractions: tuple[ast.Extraction, ...]) -> None:
    for item in extractions:
        if not item.name or any("\udc80" <= character <= "\udcff" for character in item.name):
            raise ValueError(f"invalid extracted label name '{item.name}'")


# --- logfmt ------------------------------------------------------------------------------------------------------


def logfmt_stage(stage: ast.LogfmtParser, hints: Hints) -> StageFunction:
    """``| logfmt``"""
    if stage.extractions:
        return _logfmt_expressions(stage, hints)
    if hints.no_labels:
        return lambda line, time, builder: line
    names = Names(hints)
    blanks = hints.version.has(BROKEN_VALUES_KEPT)

    def run(line: bytes, time: int, builder: LabelBuilder) -> bytes | None:
        if hints.satisfied(builder):
            return line
        for key, value, error in pairs(line):
            if error:
                if stage.strict:
                    hints.fail(builder, LOGFMT_ERROR, error)
                    # A filter on the error is asked at once, even one that is before this stage.
                    check = hints.filters.get(ERROR)
                    return line if check is None or check(builder) else None
                continue
            if not value and not stage.keep_empty:
                if names.decided is not None:
                    names.target(builder, label_name(decode(key)), key=decode(key))
                continue
            text = decode(value)
            if _BROKEN.search(text):
                text = _BROKEN.sub(" ", text) if blanks else ""
                if not text and not stage.keep_empty:
                    continue
            raw = decode(key)
            name = label_name(raw)
            final = names.target(builder, name, key=raw) if name else None
            if final is None:
                continue
            if not hints.put(builder, final, text):
                return None
            if hints.satisfied(builder):
                break
        return line

    return run


def _logfmt_expressions(stage: ast.LogfmtParser, hints: Hints) -> StageFunction:
    # Of two sources for one label the later one counts.
    wanted = {item.name: logfmt_path(item.path) for item in stage.extractions}
    targets = {path: name for name, path in reversed(wanted.items())}
    targets = {**{name: name for name in wanted}, **targets}
    # Before, it was decided for all lines where a source is first seen.
    skips: dict[str, bool] | None = None if hints.version.has(FIRST_OF_EQUALS) else {}
    _check_names(stage.extractions)
    if hints.no_labels:
        return lambda line, time, builder: line

    def run(line: bytes, time: int, builder: LabelBuilder) -> bytes | None:
        if hints.satisfied(builder):
            return line
        seen = set(builder.extracted)
        for name in wanted:
            if not builder.is_taken(name):
                builder.set(name, "")
        for key, value, error in pairs(line):
            if error:
                if stage.strict:
                    hints.fail(builder, LOGFMT_ERROR, error)
                    return line
                continue
            source = label_name(decode(key))
            target = targets.get(source)
            if target is None:
                continue
            # A named field is always read; the source of a renamed one only where the query asks for it by that
            # name, and no stage before has set it.
            skip = source not in wanted and (source in seen or not hints.wants(source))
            if skips is not None:
                skip = skips.setdefault(source, skip)
            if skip:
                continue
            name = _free_name(builder, target)
            if name != target and (name in builder.extracted or not hints.wants(name)):
                # A field with the name of another label ends the reading where it comes again, or where nobody
                # asks for it by its new name.
                break
            text = decode(value)
            builder.set(name, "" if _BROKEN.search(text) else text)
            # The names count as extracted from the start: if they are all that is needed, the first one found
            # ends the reading, and the others stay empty.
            if hints.satisfied(builder):
                break
        return line

    return run


# --- regexp, pattern, unpack -----------------------------------------------------------------------------------------


def regexp_stage(stage: ast.RegexpParser, hints: Hints) -> StageFunction:
    """``| regexp "…"``"""
    compiled = compile_search(stage.pattern)
    groups = sorted((index, label_name(name)) for name, index in compiled.group_names.items())
    search = compiled.search
    names = Names(hints)

    def run(line: bytes, time: int, builder: LabelBuilder) -> bytes | None:
        if hints.satisfied(builder):
            return line
        match = search(line)
        if match is None:
            return line
        for index, key in groups:
            name = names.target(builder, key)
            if name is None:
                continue
            if not hints.put(builder, name, decode(match.group(index) or b"")):
                return None
        return line

    return run


def pattern_stage(stage: ast.PatternParser, hints: Hints) -> StageFunction:
    """``| pattern "<a> <_>"``"""
    elements = [
        (capture, text.encode("utf-8", "surrogateescape")) for capture, text in split_pattern(stage.pattern)
    ]
    names = Names(hints, remembers=False)
    if hints.no_labels:
        return lambda line, time, builder: line

    def run(line: bytes, time: int, builder: LabelBuilder) -> bytes | None:
        if not line or hints.satisfied(builder):
            return line
        for key, value in _captures(elements, line):
            name = names.target(builder, key)
            if name is None:
                continue
            if not hints.put(builder, name, decode(value)):
                return None
        return line

    return run


def _captures(elements: list[tuple[bool, bytes]], line: bytes) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    start = 0
    if not elements[0][0]:
        if not line.startswith(elements[0][1]):
            return []
        start = 1
    rest = line[len(elements[0][1]) :] if start else line
    for index in range(start, len(elements), 2):
        name = elements[index][1].decode()
        literal = elements[index + 1][1] if index + 1 < len(elements) else None
        position = rest.find(literal) if literal is not None else -1
        value = rest if position < 0 else rest[:position]
        if name != "_":
            found.append((name, value))
        if position < 0:
            break
        rest = rest[position + len(literal or b"") :]
    return found


def unpack_stage(hints: Hints) -> StageFunction:
    """``| unpack``"""
    if hints.no_labels:
        return lambda line, time, builder: line
    names = Names(hints)

    def run(line: bytes, time: int, builder: LabelBuilder) -> bytes | None:
        if not line or hints.satisfied(builder):
            return line
        if line[:1] != b"{":
            hints.fail(builder, JSON_ERROR, "expecting json object(6), but it is not")
            return line
        members: list[tuple[str, str]] = []
        entry: list[bytes] = []

        def visit(key: str, raw: bytes, kind: int) -> bool:
            if kind == js.STRING:
                if key == "_entry":
                    entry[:] = [unescape(raw) or b""]
                else:
                    members.append((key, text_value(raw, kind)))
            return True

        try:
            each_member(line, visit)
        except JsonError as error:
            hints.fail(builder, JSON_ERROR, str(error))
            return line
        if not entry:
            return line
        unpacked = _unpacked_as_decided if names.decided is not None else _unpacked
        return entry[0] if unpacked(members, builder, hints, names) else None

    return run


def _unpacked_as_decided(
    members: list[tuple[str, str]], builder: LabelBuilder, hints: Hints, names: Names
) -> bool:
    for key, value in members:
        name = names.target(builder, key)
        if name is not None and not hints.put(builder, label_name(name), value):
            return False
    return True


def _unpacked(members: list[tuple[str, str]], builder: LabelBuilder, hints: Hints, names: Names) -> bool:
    before = set(builder.extracted)
    for key, value in members:
        if not hints.wants(key):
            continue
        name = label_name(key + EXTRACTED_SUFFIX if builder.is_taken(key) else key)
        if name in before:
            continue
        if not hints.put(builder, name, value):
            return False
    return True


# --- formatting ---------------------------------------------------------------------------------------------

_PLAIN_FIELD = lazy_pattern(r"\{\{\s*\.([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}")


def line_format_stage(stage: ast.LineFormat, version: LokiVersion = DEFAULT) -> StageFunction:
    """``| line_format "…"``"""
    try:
        template = compile_line_template(stage.template, version)
    except TemplateError as error:
        raise ValueError(f"invalid line template: {error}") from None
    plain = _PLAIN_FIELD.fullmatch(stage.template)
    if plain and version.has(ERROR_FIELD_EMPTY):
        field = plain[1]
        return lambda line, time, builder: (builder.get(field) or "").encode("utf-8", "surrogateescape")

    def run(line: bytes, time: int, builder: LabelBuilder) -> bytes:
        try:
            text = template.execute(builder.template_labels(), line.decode("utf-8", "surrogateescape"), time)
        except TemplateError as error:
            builder.fail(TEMPLATE_ERROR, str(error))
            return line
        return text.encode("utf-8", "surrogateescape")

    return run


def label_format_stage(stage: ast.LabelFormat, version: LokiVersion = DEFAULT) -> StageFunction:
    """``| label_format a=b, c="…"``"""
    seen: set[str] = set()
    for item in stage.items:
        if item.name == ERROR:
            raise ValueError(f"{ERROR} cannot be formatted")
        if item.name in seen:
            raise ValueError(f"multiple label name '{item.name}' not allowed in a single format operation")
        seen.add(item.name)
    looks_again = version.has(TEMPLATES_LOOK_AGAIN)
    templates = []
    for item in stage.items:
        try:
            templates.append(compile_label_template(item.value, version) if item.is_template else None)
        except TemplateError as error:
            raise ValueError(f"invalid template for label '{item.name}': {error}") from None

    def run(line: bytes, time: int, builder: LabelBuilder) -> bytes:
        snapshot: dict[str, str] | None = None
        for item, template in zip(stage.items, templates, strict=True):
            if template is None:
                builder.rename(item.value, item.name)
                continue
            # Without any label there is nothing to keep: the next template looks again.
            if snapshot is None or (looks_again and not snapshot):
                snapshot = builder.template_labels()
            try:
                text = template.execute(snapshot, line.decode("utf-8", "surrogateescape"), time)
            except TemplateError as error:
                builder.fail(TEMPLATE_ERROR, str(error))
                continue
            if item.name == ERROR_DETAILS:
                builder.error_details = text
            else:
                builder.set(item.name, text)
        return line

    return run


_COLORS = lazy_pattern(
    "[\u001b\u009b][\\[\\]()#;?]*"
    "(?:(?:(?:[a-zA-Z\\d]*(?:;[a-zA-Z\\d]*)*)?\u0007)|(?:(?:\\d{1,4}(?:;\\d{0,4})*)?[\\dA-PRZcf-ntqry=><~]))",
    re.ASCII,
)


def decolorize_stage() -> StageFunction:
    """``| decolorize``"""

    def run(line: bytes, time: int, builder: LabelBuilder) -> bytes:
        if b"\x1b" not in line and b"\xc2\x9b" not in line:
            return line
        return _COLORS.sub("", line.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    return run


def drop_stage(stage: ast.DropLabels, version: LokiVersion = DEFAULT) -> StageFunction:
    """``| drop a, b="c"``"""
    items = [
        (item.name, compile_matcher(item, version) if isinstance(item, ast.Matcher) else None)
        for item in stage.items
    ]

    def run(line: bytes, time: int, builder: LabelBuilder) -> bytes:
        for name, matches in items:
            if name == ERROR:
                if matches is None or matches(builder.error):
                    builder.error = ""
            elif name == ERROR_DETAILS:
                if matches is None or matches(builder.error_details):
                    builder.error_details = ""
            elif matches is None:
                if builder.get(name) is not None:
                    builder.delete(name)
            elif matches(builder.get(name) or ""):
                builder.delete(name)
        return line

    return run


def keep_stage(stage: ast.KeepLabels, version: LokiVersion = DEFAULT) -> StageFunction:
    """``| keep a, b="c"``"""
    items = [
        (item.name, compile_matcher(item, version) if isinstance(item, ast.Matcher) else None)
        for item in stage.items
    ]

    def run(line: bytes, time: int, builder: LabelBuilder) -> bytes:
        for name, value in builder.labels():
            if name in (ERROR, ERROR_DETAILS, PRESERVE_ERROR):
                continue
            if not any(own == name and (matches is None or matches(value)) for own, matches in items):
                builder.delete(name)
        return line

    return run
