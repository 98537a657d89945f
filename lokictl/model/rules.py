"""Rule groups: what a Loki ruler evaluates, and the file forms in which people keep them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.durations import DurationField, format_prometheus_duration
from lokictl.lazy import lazy
from lokictl.logql import parse
from lokictl.logql.placeholders import has_placeholder, jinja_as_variables
from lokictl.logql.units import parse_prometheus_duration
from lokictl.model.documents import Cursor, Document
from lokictl.model.origin import Origin, caller
from lokictl.model.yaml_source import load_documents
from lokictl.model.yaml_writer import dump_yaml
from lokictl.records import dataclass

if TYPE_CHECKING:
    from lokictl.logql.ast import Expr
    from lokictl.templates import alert as alert_templates
else:
    # Only rules with text for Jinja ask which functions a template has.
    alert_templates = lazy("lokictl.templates.alert")


GROUP_KEYS = ("name", "interval", "query_offset", "limit", "labels", "rules", "remote_write")
RULE_KEYS = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")


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

    @cached_property
    def canonical(self) -> str:
        """The text in which Loki prints the expression; printed once.  Raises `lokictl.logql.LogQLError`."""
        return str(self.expression)


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
    origin: Origin = field(default_factory=caller, compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.alert

    def to_dict(self) -> dict[str, Any]:
        """The rule as a mapping for a rule file, keys in the usual order."""
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
    origin: Origin = field(default_factory=caller, compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.record

    def to_dict(self) -> dict[str, Any]:
        """The rule as a mapping for a rule file, keys in the usual order."""
        rule: dict[str, Any] = {"record": self.record, "expr": self.expr}
        if self.labels:
            rule["labels"] = dict(self.labels)
        return rule


Rule = AlertingRule | RecordingRule


@dataclass(frozen=True)
class RuleGroup:
    """Rules evaluated together, in order.

    ``interval`` and ``query_offset`` take any `lokictl.durations.Duration` and are nanoseconds afterwards (0: the
    ruler's own interval); ``limit`` 0 for none; ``query_offset`` and ``labels`` are ignored by Loki; only lokitool
    reads ``remote_write``.  ``alerting`` is "loki" or "grafana" where the group is not evaluated where the project
    says; ``folder`` the folder in Grafana that it is in there, as a path of titles (``Platform/Loki``).
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
    folder: str = ""
    origin: Origin = field(default_factory=caller, compare=False, repr=False)

    def home(self, default: str = "loki") -> str:
        """Who evaluates the group: "loki" (its ruler) or "grafana"; ``default`` is the project's choice."""
        return self.alerting or default or "loki"

    @classmethod
    def from_yaml(cls, text: str, file: str = "") -> RuleGroup:
        """Reads one group in the format of the ruler's API; like the API, ignores unknown keys.

        Raises `lokictl.diagnostics.LokictlError`.
        """
        documents = load_documents(text, file)
        if not documents or not isinstance(documents[0].value, dict):
            message = "a rule group is a mapping with a name and rules"
            raise LokictlError(Problem("rule/syntax", message, position=Position(file)))
        reader = GroupReader(strict=False, final=True)
        group = reader.group(Cursor(documents[0]))
        if reader.problems or group is None:
            raise LokictlError(reader.problems)
        return group

    def to_dict(self) -> dict[str, Any]:
        """The group as a mapping for a rule file, keys in the usual order."""
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
        """The group in the format of the ruler's API, which `from_yaml` reads."""
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


class GroupReader:
    """Builds rules and groups from their places in a document, and collects the problems."""

    def __init__(self, *, strict: bool = True, final: bool | None = None) -> None:
        """``strict``: unknown keys are errors; ``final``: no tool fills placeholders any more (default: ``strict``)."""
        self.strict = strict
        self.final = strict if final is None else final
        self.problems: list[Problem] = []

    def group(self, cursor: Cursor) -> RuleGroup | None:
        value = cursor.value
        if not isinstance(value, dict):
            self.problem(cursor, "a rule group is a mapping with the keys `name` and `rules`")
            return None
        self.unknown(cursor, GROUP_KEYS, "a rule group")
        if value.get("name") in (None, ""):
            self.problem(cursor, "a rule group needs a name", hint="add `name: …`")
        rules = cursor.child("rules")
        if value.get("rules") and not isinstance(rules.value, list):
            self.problem(rules, "`rules` must be a list")
        listed = rules.children() if isinstance(rules.value, list) else ()
        built = [self.rule(child) for child in listed]
        return RuleGroup(
            cursor.member_text("name"),
            tuple(rule for rule in built if rule is not None),
            interval=self._duration(cursor, "interval"),
            limit=self._integer(cursor.child("limit")),
            query_offset=self._duration(cursor, "query_offset"),
            labels=self._texts(cursor, "labels"),
            remote_write=self._remote_write(cursor.child("remote_write")),
            origin=Origin(cursor),
        )

    def rule(self, cursor: Cursor) -> Rule | None:
        value = cursor.value
        if not isinstance(value, dict):
            self.problem(cursor, "a rule is a mapping with `alert` or `record`, and `expr`")
            return None
        self.unknown(cursor, RULE_KEYS, "a rule")
        alert, record = value.get("alert"), value.get("record")
        if (alert is None) == (record is None):
            message = "a rule has either `alert` or `record`" + (
                ", not both" if alert is not None else "; this has neither"
            )
            self.problem(cursor, message)
            return None
        expr = cursor.member_text("expr")
        if not expr.strip():
            self.problem(cursor, "a rule needs an expression", hint="add `expr: …`")
        labels = self._texts(cursor, "labels")
        if record is not None:
            self._alert_only(cursor)
            return RecordingRule(cursor.member_text("record"), expr, labels=labels, origin=Origin(cursor))
        return AlertingRule(
            cursor.member_text("alert"),
            expr,
            for_=self._duration(cursor, "for"),
            keep_firing_for=self._duration(cursor, "keep_firing_for"),
            labels=labels,
            annotations=self._texts(cursor, "annotations"),
            origin=Origin(cursor),
        )

    def _alert_only(self, cursor: Cursor) -> None:
        for key in ("annotations", "for"):
            if cursor.value.get(key):
                self.problem(cursor, f"a recording rule has no `{key}`", key, key=True)

    def _texts(self, owner: Cursor, name: str) -> dict[str, str]:
        value = owner.value.get(name)
        if value is None:
            return {}
        cursor = owner.child(name)
        if not isinstance(value, dict):
            self.problem(cursor, f"`{name}` must be a map of strings")
            return {}
        for key, item in value.items():
            if isinstance(item, dict | list):
                self.problem(cursor, f"`{key}` must be a string", key)
        texts = {str(key): cursor.member_text(key) for key in value}
        if self.final:
            return texts
        # A tool that makes the rule file out of this may fill names of its own.
        return {key: jinja_as_variables(text, alert_templates.NAMES) for key, text in texts.items()}

    def _remote_write(self, cursor: Cursor) -> tuple[dict[str, Any], ...]:
        value = cursor.value
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.problem(cursor, "`remote_write` must be a list of mappings")
            return ()
        return tuple(value)

    def _duration(self, owner: Cursor, name: str) -> int:
        if owner.value.get(name) is None:
            return 0
        text = owner.member_text(name)
        if has_placeholder(text):
            return 0
        try:
            return parse_prometheus_duration(text)
        except ValueError as error:
            hint = (
                f'write a unit: "{text}s" or "{text}m"'
                if text.isdigit()
                else 'durations look like "30s", "5m", "1h30m"'
            )
            self.problem(owner, str(error), name, hint=hint)
            return 0

    def _integer(self, cursor: Cursor) -> int:
        value = cursor.value
        if value is None:
            return 0
        if isinstance(value, str) and has_placeholder(value):
            return 0
        if not isinstance(value, int) or isinstance(value, bool):
            self.problem(cursor, f"`{cursor.path[-1]}` must be a whole number")
            return 0
        return value

    def unknown(self, cursor: Cursor, known: tuple[str, ...], what: str) -> None:
        if self.strict:
            self.problems += cursor.unknown_keys(known, name="rule/unknown-key", what=what)

    def problem(
        self, cursor: Cursor, message: str, *path: str | int, key: bool = False, hint: str = ""
    ) -> None:
        self.problems.append(cursor.problem("rule/syntax", message, *path, key=key, hint=hint))
