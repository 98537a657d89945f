"""Loki rules as Grafana-managed rules that behave as they do on the ruler.

Each rule becomes an instant query at the time of the evaluation (Grafana's own converter asks for the minute before,
so that counts differ), and a condition that is true for every sample that the query gives.  A query without an
answer is normal, a query that fails is an alert (``execErrState: Error``; the converter's ``OK`` hides it), and an
alert whose series is gone is resolved at once.  What cannot be the same is a problem: an error where the rule
cannot be translated, a note where something behaves differently.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field

from lokictl.diagnostics import Problem, Severity
from lokictl.durations import MINUTE, SECOND
from lokictl.lazy import lazy_pattern
from lokictl.logql import LogQLError
from lokictl.logql.ast import BinaryOperation, Expr, Literal, LogExpr
from lokictl.model.managed_alerts import EXPRESSIONS, ManagedGroup, ManagedQuery, ManagedRule
from lokictl.model.rules import AlertingRule, RecordingRule, Rule, RuleFile, RuleGroup
from lokictl.records import dataclass
from lokictl.templates.lexer import tokenize

BASE_INTERVAL = 10 * SECOND
"""Grafana evaluates groups at multiples of this only."""

LOOKBACK = 10 * MINUTE
"""What the time range of a query says; an instant query looks at its end only."""

ANY_SAMPLE = "is_number($A) || is_nan($A) || is_inf($A)"
"""True for every sample, as on the ruler: also for 0 and for NaN."""

UNKNOWN_FUNCTIONS = {"query", "first", "value", "strvalue", "label", "sortByLabel", "tmpl"}
"""Functions of the ruler's templates that Grafana's do not have."""


@dataclass(frozen=True)
class TranslationOptions:
    """``datasource_uid`` is the Loki; ``recording_target`` the Prometheus that recording rules write to ("": none).

    ``interval`` (ns) is that of groups without one; ``folder_of`` gives (title or path, uid) of the folder of a group
    in a namespace.
    """

    datasource_uid: str = "loki"
    recording_target: str = ""
    interval: int = MINUTE
    folder_of: Callable[[str, RuleGroup], tuple[str, str]] = lambda namespace, group: (namespace, "")


@dataclass
class Translation:
    """Grafana-managed groups, and what could not be the same."""

    groups: list[ManagedGroup] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def translate(files: Iterable[RuleFile], options: TranslationOptions | None = None) -> Translation:
    """The groups of rule files as Grafana-managed groups.

    Two groups of one name in one folder get the name of their namespace, too.
    """
    options = options or TranslationOptions()
    translation = Translation()
    places: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    namespaces: list[str] = []
    for file in files:
        titles: set[str] = set()
        for group in file.groups:
            translator = _Translator(file.namespace, group, options, titles, translation.problems)
            made = translator.group_of_grafana()
            places[(made.folder, made.folder_uid, made.name)].append(len(translation.groups))
            translation.groups.append(dataclasses.replace(made, name=group.name))
            namespaces.append(file.namespace)
    for numbers in places.values():
        for number in numbers if len(numbers) > 1 else ():
            group_made = translation.groups[number]
            name = f"{namespaces[number]}.{group_made.name}"
            translation.groups[number] = dataclasses.replace(group_made, name=name)
    return translation


class _Translator:
    def __init__(
        self,
        namespace: str,
        group: RuleGroup,
        options: TranslationOptions,
        titles: set[str],
        problems: list[Problem],
    ) -> None:
        self.namespace = namespace
        self.group = group
        self.options = options
        self.titles = titles
        self.problems = problems

    def group_of_grafana(self) -> ManagedGroup:
        group = self.group
        interval = group.interval or self.options.interval
        if interval % BASE_INTERVAL:
            self.problem(group, "interval", "Grafana evaluates groups every 10 seconds or a multiple of that")
        if group.limit:
            hint = "Grafana has no limit of alerts per rule; keep the group on the ruler"
            self.problem(group, "limit", "`limit` cannot be translated", hint=hint)
        rules = [self.rule(rule) for rule in group.rules]
        folder, uid = self.options.folder_of(self.namespace, group)
        return ManagedGroup(
            group.name,
            tuple(rule for rule in rules if rule is not None),
            folder=folder,
            folder_uid=uid,
            interval=interval,
            origin=group.origin.cursor,
        )

    def rule(self, rule: Rule) -> ManagedRule | None:
        try:
            expression = rule.expression
        except LogQLError as error:
            self.problem(rule, "expr", f"not valid LogQL: {error}")
            return None
        if isinstance(expression, LogExpr):
            self.problem(rule, "expr", "a rule needs a metric query, and this is a log query")
            return None
        if isinstance(rule, RecordingRule):
            return self.recording(rule)
        query, condition = self.steps(rule.expr, expression)
        if rule.keep_firing_for:
            message = "`keep_firing_for` takes effect in Grafana; the ruler drops it"
            self.problem(rule, "keep_firing_for", message, severity=Severity.INFO)
        return ManagedRule(
            self.title(rule),
            self.uid(rule),
            condition[-1].ref_id,
            (query, *condition),
            for_=rule.for_,
            keep_firing_for=rule.keep_firing_for,
            no_data_state="OK",
            exec_err_state="Error",
            missing_series=1,
            labels={name: self.template(rule, ("labels", name), text) for name, text in rule.labels.items()},
            annotations=self.annotations(rule),
            origin=rule.origin.cursor,
        )

    def recording(self, rule: RecordingRule) -> ManagedRule | None:
        target = self.options.recording_target
        if not target:
            hint = "name a Prometheus data source that takes remote writes, or keep the rule on the ruler"
            self.problem(rule, "record", "a recording rule needs a Prometheus to write to", hint=hint)
            return None
        return ManagedRule(
            self.title(rule),
            self.uid(rule),
            data=(self.query(rule.expr),),
            labels=dict(rule.labels),
            record={"metric": rule.record, "from": "A", "target_datasource_uid": target},
            origin=rule.origin.cursor,
        )

    # --- queries -----------------------------------------------------------------------------------------

    def steps(self, text: str, expression: Expr) -> tuple[ManagedQuery, tuple[ManagedQuery, ...]]:
        """The query of a rule, and the steps that make its condition.

        A comparison with a number becomes a threshold, so that values and panels show what is compared.
        """
        compared = threshold_of(expression)
        if compared is None:
            math = {"refId": "B", "type": "math", "expression": ANY_SAMPLE}
            return self.query(text), (self._step("B", math), self._step("C", _threshold("C", "B", "gt", 0)))
        left, operator, number = compared
        # The text of a node has the author's own layout.
        written = text[left.span.start : left.span.end] if left.span.end else str(left)
        return self.query(written), (self._step("C", _threshold("C", "A", operator, number)),)

    def query(self, text: str) -> ManagedQuery:
        model = {"refId": "A", "expr": text.strip(), "queryType": "instant", "editorMode": "code"}
        return ManagedQuery("A", self.options.datasource_uid, model, LOOKBACK, 0, "instant")

    def _step(self, ref_id: str, model: Mapping[str, object]) -> ManagedQuery:
        return ManagedQuery(ref_id, EXPRESSIONS, model)

    # --- names -------------------------------------------------------------------------------------------

    def title(self, rule: Rule) -> str:
        """The rule's name, which becomes the label ``alertname``; Grafana 12 takes one title several times."""
        if rule.name in self.titles:
            message = "another rule of the folder has this title; Grafana before 12 refuses that"
            self.problem(rule, "alert", message, severity=Severity.INFO)
        self.titles.add(rule.name)
        return rule.name

    def uid(self, rule: Rule) -> str:
        """A uid that stays the same as long as namespace, group, name and labels do."""
        labels = sorted(rule.labels.items())
        key = repr((self.namespace, self.group.name, rule.name, labels)).encode()
        slug = re.sub(r"[^a-z0-9]+", "-", rule.name.lower()).strip("-")[:27]
        return f"{slug}-{hashlib.sha256(key).hexdigest()[:12]}".lstrip("-")

    # --- templates ---------------------------------------------------------------------------------------

    def annotations(self, rule: AlertingRule) -> dict[str, str]:
        found = {
            name: self.template(rule, ("annotations", name), text) for name, text in rule.annotations.items()
        }
        if "__dashboardUid__" not in found:
            for text in rule.annotations.values():
                link = _PANEL_LINK.search(text)
                if link is not None:
                    found |= {"__dashboardUid__": link["uid"], "__panelId__": link["panel"]}
                    break
        return found

    def template(self, rule: Rule, path: tuple[str, str], text: str) -> str:
        """A template of the ruler in Grafana's template language."""
        if "{{" not in text:
            return text
        new, unknown = translate_template(text)
        for name in unknown:
            self.problem(rule, path, f"Grafana's templates have no `{name}`")
        return new

    # --- problems ----------------------------------------------------------------------------------------

    def problem(
        self,
        owner: Rule | RuleGroup,
        part: str | tuple[str, ...],
        message: str,
        *,
        hint: str = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        path = (part,) if isinstance(part, str) else part
        position = owner.origin.position(*path)
        name = f'"{owner.name}"'
        self.problems.append(
            Problem(
                "alerting/translation",
                f"{name}: {message}",
                severity,
                position,
                hint,
                owner.origin.source_line(position),
            )
        )


_PANEL_LINK = lazy_pattern(r"/d/(?P<uid>[\w-]+)[^\s\"]*[?&]viewPanel=(?:panel-)?(?P<panel>\d+)")
_OPERATORS = {">": "gt", "<": "lt"}


def threshold_of(expression: Expr) -> tuple[Expr, str, float] | None:
    """(left side, "gt" or "lt", number) of an expression that is a comparison of series with a number."""
    if not isinstance(expression, BinaryOperation) or expression.operator not in _OPERATORS:
        return None
    if expression.return_bool or isinstance(expression.left, Literal):
        return None
    if not isinstance(expression.right, Literal):
        return None
    return expression.left, _OPERATORS[expression.operator], expression.right.value


def _threshold(ref_id: str, source: str, operator: str, number: float) -> dict[str, object]:
    value = int(number) if number == int(number) else number
    return {
        "refId": ref_id,
        "type": "threshold",
        "expression": source,
        "conditions": [{"evaluator": {"type": operator, "params": [value]}}],
    }


def translate_template(text: str) -> tuple[str, list[str]]:
    """A template of the ruler in Grafana's language, and the names in it that Grafana does not know."""
    unknown: dict[str, None] = {}
    edits: list[tuple[int, int, str]] = []
    depth = 0
    before = None
    for token in tokenize(text):
        start, end = token.offset, token.offset + len(token.text)
        depth += (token.kind in ("range", "with")) - (token.kind == "end" and depth > 0)
        joined = before is not None and before.offset + len(before.text) == start
        root = joined and before is not None and before.text == "$"
        # `$x.Value` and `(…).Value` are fields of something else.
        own = not joined or root or (before is not None and before.kind not in _OPERANDS)
        if token.text == "$value":
            edits.append((start, end, VALUE))
        elif token.text == "$externalURL" or (token.text == ".ExternalURL" and own):
            edits.append((start - root, end, "externalURL"))
        elif token.text == "$externalLabels" or (token.text == ".ExternalLabels" and own):
            unknown[token.text] = None
        elif token.kind == "field" and token.text == ".Value" and own:
            if depth and not root:
                unknown[".Value"] = None
            edits.append((start - root, end, VALUE))
        elif token.kind == "identifier" and token.text in UNKNOWN_FUNCTIONS:
            unknown[token.text] = None
        before = token
    for start, end, new in reversed(edits):
        text = text[:start] + new + text[end:]
    return text, list(unknown)


VALUE = "$values.A.Value"
"""The number that a rule's query gives, in Grafana's templates."""

_OPERANDS = ("variable", "field", "rightParen", ")")


def provisioning_file(groups: Iterable[ManagedGroup]) -> dict[str, object]:
    """Groups as a provisioning file (``apiVersion: 1``)."""
    return {"apiVersion": 1, "groups": [group.to_provisioning() for group in groups]}


def by_folder(groups: Iterable[ManagedGroup]) -> Mapping[str, list[ManagedGroup]]:
    """Groups by the title of their folder."""
    found: dict[str, list[ManagedGroup]] = {}
    for group in groups:
        found.setdefault(group.folder, []).append(group)
    return found
