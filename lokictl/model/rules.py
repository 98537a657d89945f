"""Rule groups: what a Loki ruler evaluates, and the file forms in which people keep them."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path as FilePath
from types import FrameType
from typing import TYPE_CHECKING, Any

import yaml

from lokictl.diagnostics import Position
from lokictl.durations import DurationField, format_prometheus_duration
from lokictl.logql import parse
from lokictl.model.documents import Cursor, Document, Path

if TYPE_CHECKING:
    from lokictl.logql.expressions import Expr

_PACKAGE = str(FilePath(__file__).resolve().parent.parent)


@dataclass(frozen=True)
class Origin:
    """Where a rule or group was written: a place in a document, or a line of a Python module.

    ``expr`` is the expression of a rule written in Python, to find it in the module's text.
    """

    cursor: Cursor | None = None
    python: Position = Position()
    expr: str = ""

    def position(self, *path: str | int, key: bool = False) -> Position:
        """The position of a part (``"expr"``, ``"labels", "severity"``) of what was written here."""
        return self.python if self.cursor is None else self.cursor.position(*path, key=key)

    def text_position(self, path: Path, start: int, end: int) -> Position:
        """The position of the characters ``start`` to ``end`` of a string (such as ``("expr",)``)."""
        if self.cursor is not None:
            return self.cursor.text_position(path, start, end)
        return _position_in_module(self.python, self.expr, start, end) if path == ("expr",) else self.python

    def source_line(self, position: Position) -> str:
        """The line of the file that ``position`` is on; "" where it must be read from the file."""
        return "" if self.cursor is None else self.cursor.line(position)


LINES_OF_A_RULE = 40


def _position_in_module(place: Position, expr: str, start: int, end: int) -> Position:
    """Where the characters ``start`` to ``end`` of an expression stand in the module that defines the rule.

    Found by the text of the expression's line, below ``place``; ``place`` itself where that is made up from
    pieces (an f-string).
    """
    first = expr.rfind("\n", 0, start) + 1
    line = expr[first : expr.find("\n", first) if "\n" in expr[first:] else len(expr)]
    wanted = line.strip()
    if not wanted or not place.file:
        return place
    try:
        source = FilePath(place.file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return place
    indent = len(line) - len(line.lstrip())
    for number in range(max(place.line - 1, 0), min(place.line + LINES_OF_A_RULE, len(source))):
        column = source[number].find(wanted)
        if column >= 0:
            begin = column + start - first - indent + 1
            stop = min(begin + max(end - start, 1), column + len(wanted) + 1)
            return Position(place.file, number + 1, begin, number + 1, max(stop, begin + 1))
    return place


def _caller() -> Origin:
    """Where content defined the object: the module-level line that led to it.

    A factory in another content module is not the place that tells rules apart, so the nearest module body on
    the call stack wins; in a function called from elsewhere (a test), the first line outside this package.
    """
    frame: FrameType | None = sys._getframe(1)
    first: Position | None = None
    while frame is not None:
        name = frame.f_code.co_filename
        if first is not None and (name.startswith("<frozen importlib") or "site-packages" in name):
            break
        if not name.startswith((_PACKAGE, "<")):
            here = Position(name, frame.f_lineno)
            first = first or here
            if frame.f_code.co_name == "<module>":
                return Origin(python=here)
        frame = frame.f_back
    return Origin(python=first or Position())


class _Rule(ABC):
    """What alerting and recording rules share."""

    expr: str
    labels: Mapping[str, str]
    origin: Origin

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the alert or of the recorded series."""

    @cached_property
    def expression(self) -> Expr:
        """The parsed expression; parsed once.  Raises `lokictl.logql.LogQLError`."""
        return parse(self.expr)


@dataclass(frozen=True)
class AlertingRule(_Rule):
    """An alert: ``AlertingRule("ShopErrors", "sum(…) > 10", for_="5m")``.

    ``for_`` (and ``keep_firing_for``, which Loki drops) take any `lokictl.durations.Duration` and are nanoseconds
    afterwards.
    """

    alert: str
    expr: str
    _: KW_ONLY
    for_: DurationField = DurationField()
    keep_firing_for: DurationField = DurationField()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = field(default_factory=_caller, compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.alert

    def to_dict(self) -> dict[str, Any]:
        """The rule in the words of a rule file, keys in the usual order."""
        rule: dict[str, Any] = {"alert": self.alert, "expr": self.expr}
        if self.for_:
            rule["for"] = format_prometheus_duration(self.for_)
        if self.keep_firing_for:
            rule["keep_firing_for"] = format_prometheus_duration(self.keep_firing_for)
        if self.labels:
            rule["labels"] = dict(self.labels)
        if self.annotations:
            rule["annotations"] = dict(self.annotations)
        return rule


@dataclass(frozen=True)
class RecordingRule(_Rule):
    """A recording rule: ``RecordingRule("shop:errors:rate5m", "sum(rate(…))")``, the name of the series first."""

    record: str
    expr: str
    _: KW_ONLY
    labels: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = field(default_factory=_caller, compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.record

    def to_dict(self) -> dict[str, Any]:
        """The rule in the words of a rule file, keys in the usual order."""
        rule: dict[str, Any] = {"record": self.record, "expr": self.expr}
        if self.labels:
            rule["labels"] = dict(self.labels)
        return rule


Rule = AlertingRule | RecordingRule


@dataclass(frozen=True)
class RuleGroup:
    """Rules evaluated together, in order.

    ``interval`` and ``query_offset`` take any `lokictl.durations.Duration` and are nanoseconds afterwards (0: the
    ruler's own interval); ``limit`` 0 for none; ``query_offset`` and ``labels`` are accepted by Loki and dropped;
    ``remote_write`` exists for lokitool only.  ``alerting`` is "loki" or "grafana" where the group is not evaluated
    where the project says.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    _: KW_ONLY
    interval: DurationField = DurationField()
    limit: int = 0
    query_offset: DurationField = DurationField()
    labels: Mapping[str, str] = field(default_factory=dict)
    remote_write: tuple[Mapping[str, Any], ...] = ()
    alerting: str = ""
    origin: Origin = field(default_factory=_caller, compare=False, repr=False)

    def home(self, default: str = "loki") -> str:
        """Who evaluates the group: "loki" (its ruler) or "grafana"; ``default`` is the project's choice."""
        return self.alerting or default or "loki"

    @classmethod
    def from_yaml(cls, text: str, file: str = "") -> RuleGroup:
        """One group, as the ruler's API takes it.  Raises `lokictl.diagnostics.LokictlError`."""
        from lokictl.model.rule_files import load_group  # noqa: PLC0415 - a rule group reads itself, and the reader makes rule groups

        return load_group(text, file)

    def to_dict(self) -> dict[str, Any]:
        """The group in the words of a rule file, keys in the usual order."""
        group: dict[str, Any] = {"name": self.name}
        if self.interval:
            group["interval"] = format_prometheus_duration(self.interval)
        if self.query_offset:
            group["query_offset"] = format_prometheus_duration(self.query_offset)
        if self.limit:
            group["limit"] = self.limit
        if self.labels:
            group["labels"] = dict(self.labels)
        if self.remote_write:
            group["remote_write"] = [dict(target) for target in self.remote_write]
        group["rules"] = [rule.to_dict() for rule in self.rules]
        return group

    def to_yaml(self) -> str:
        """The group as the ruler's API takes it (and `from_yaml` reads it)."""
        return dump_yaml(self.to_dict())


@dataclass(frozen=True)
class RuleFile:
    """The groups of one namespace.

    ``path`` is the file they came from ("" for Python content); ``tenant`` is "" where the file names none;
    ``form`` is "ruler", "namespace", "group", "listing", a Kubernetes kind such as "AlertingRule", or "python".
    """

    namespace: str
    groups: tuple[RuleGroup, ...] = ()
    path: str = field(default="", kw_only=True)
    tenant: str = field(default="", kw_only=True)
    form: str = field(default="python", kw_only=True)
    document: Document | None = field(default=None, kw_only=True, compare=False, repr=False)

    def to_yaml(self) -> str:
        """The file in the ruler's own form (``groups:``)."""
        return dump_yaml({"groups": [group.to_dict() for group in self.groups]})


def dump_yaml(value: Any) -> str:
    """YAML in the style people write: keys in the given order, text of several lines as a block."""

    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

    def text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
        block = "\n" in data and not any(line.endswith((" ", "\t")) for line in data.split("\n"))
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if block else None)

    Dumper.add_representer(str, text)
    dumped: str = yaml.dump(
        value, Dumper=Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10_000
    )
    return dumped
