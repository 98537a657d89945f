"""Rules as they are written: names, labels, annotations, what Loki refuses and what it drops."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from lokictl.diagnostics import Severity, did_you_mean, nearest
from lokictl.lint.interface import (
    Finding,
    GroupCheck,
    GroupItem,
    Place,
    RuleCheck,
    RuleItem,
    Workspace,
    WorkspaceCheck,
)
from lokictl.lint.rule.templates import is_plain
from lokictl.logql.units import format_prometheus_duration, parse_prometheus_duration
from lokictl.logql.versions import LokiVersion, targeting
from lokictl.model.repeated_rules import repeated_rules
from lokictl.model.rule_validation import LABEL_NAME, METRIC_NAME, dropped_settings, group_problems
from lokictl.model.rules import AlertingRule, RecordingRule


class RefusedByLoki(GroupCheck):
    """What Loki's ruler refuses when the file is loaded or uploaded."""

    name = "rule/refused-by-loki"
    severity = Severity.ERROR
    summary = "a rule or group that Loki's ruler refuses"

    def check(self, group: GroupItem) -> Iterator[Finding]:
        yield from self._name(group)
        has_settings = bool(group.group.query_offset or group.group.labels)
        if not has_settings and group.group.name and not any(map(_is_suspicious, group.rules)):
            return
        # The expressions are parsed already, and logql/syntax tells what is wrong with them.
        rules = tuple(dataclasses.replace(rule, expr="vector(1)") for rule in group.group.rules)
        with targeting(LokiVersion.of_minor(*self.workspace.loki_version)):
            problems = group_problems([dataclasses.replace(group.group, rules=rules)])
        for problem in problems:
            place = Place(problem.position, problem.source_line)
            yield self.finding(place, problem.message, hint=problem.hint)

    def _name(self, group: GroupItem) -> Iterator[Finding]:
        if "/" in group.group.name or group.group.name in (".", ".."):
            message = "Loki's API cannot address a group with `/` in its name"
            yield self.finding(group.place(), message, hint="rename it", severity=Severity.WARNING)


def _is_suspicious(rule: RuleItem) -> bool:
    """Whether a rule has anything that the ruler may refuse: a cheap test for what nearly all rules pass."""
    if not rule.rule.name:
        return True
    names = [*rule.rule.labels, *getattr(rule.rule, "annotations", {})]
    texts = [*rule.rule.labels.values(), *getattr(rule.rule, "annotations", {}).values()]
    if not rule.is_alert and not METRIC_NAME.fullmatch(rule.rule.name):
        return True
    named = all(LABEL_NAME.fullmatch(name) and name != "__name__" for name in names)
    return (
        not named
        or not all(text.isascii() or text.isprintable() for text in texts)
        or not all("{{" not in text or is_plain(text) for text in texts)
    )


class DroppedByLoki(GroupCheck):
    """Settings that Prometheus has, and that Loki accepts and forgets."""

    name = "rule/dropped-by-loki"
    severity = Severity.WARNING
    summary = "a setting that Loki accepts and drops"

    def check(self, group: GroupItem) -> Iterator[Finding]:
        with targeting(LokiVersion.of_minor(*self.workspace.loki_version)):
            problems = dropped_settings(group.group)
        for problem in problems:
            place = Place(problem.position, problem.source_line)
            yield self.finding(place, problem.message, hint=problem.hint)
        if group.group.remote_write:
            message = "`remote_write` of a group is known to lokitool only: Loki's loader refuses the file"
            hint = "configure ruler.remote_write in Loki"
            yield self.finding(group.place("remote_write", key=True), message, hint=hint)


class Duplicate(WorkspaceCheck):
    """Two rules of one name and labels in a group."""

    name = "rule/duplicate"
    severity = Severity.WARNING
    summary = "two rules with the same name and labels in one group, or two groups of one name"

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        known = workspace.project.problems if workspace.project is not None else ()
        if any(problem.name == self.name for problem in known):
            return
        for problem in repeated_rules(workspace.rule_files):
            place = Place(problem.position, problem.source_line)
            yield self.finding(place, problem.message, hint=problem.hint, severity=problem.severity)


class Name(RuleCheck):
    """Names of alerts."""

    name = "rule/name"
    severity = Severity.WARNING
    summary = (
        "an alert name with spaces around it, with a template, or that does not match the project's pattern"
    )
    only_alerts = True
    options = {"pattern": ""}

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        name = rule.rule.name
        pattern = str(self.settings["pattern"])
        if name != name.strip() or "\n" in name:
            message = "the name has spaces around it, and the label `alertname` keeps them"
            yield self.finding(rule.place(), message, hint=f"write {' '.join(name.split())}")
        elif "{{" in name:
            message = "names are not expanded: the alert has exactly this name"
            yield self.finding(rule.place(), message, hint="put what varies into labels or annotations")
        elif pattern and not re.fullmatch(pattern, name):
            message = f'the name "{name}" does not match the project\'s pattern'
            yield self.finding(rule.place(), message, hint=f"the pattern is {pattern}")


class RecordingName(RuleCheck):
    """Names of recorded series."""

    name = "rule/recording-name"
    severity = Severity.INFO
    summary = "a recorded name without the form level:metric:operation"

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        if not rule.is_alert and ":" not in rule.rule.name:
            message = f"`{rule.rule.name}` does not say how it was aggregated"
            hint = "the usual form is level:metric:operation, as service:errors:rate5m; lokitool check asks for it"
            yield self.finding(rule.place(), message, hint=hint)


class _Texts(RuleCheck):
    """Required labels or annotations."""

    only_alerts = True
    part = ""

    def missing(self, rule: RuleItem, texts: Any) -> Iterator[Finding]:
        required: dict[str, Any] = self.settings["required"]
        for name, pattern in required.items():
            alternatives = name.split("|")
            present = [item for item in alternatives if texts.get(item, "").strip()]
            if not present:
                what = " or ".join(f"`{item}`" for item in alternatives)
                message = f"the alert has no {self.part} {what}"
                yield self.finding(rule.place(), message, hint=f"add it under `{self.part}s`")
            for item in present:
                value = texts[item]
                if pattern and "{{" not in value and not re.fullmatch(str(pattern), value, re.DOTALL):
                    message = f'the {self.part} {item} is "{value}", which does not match {pattern}'
                    yield self.finding(rule.place(f"{self.part}s", item), message)


class RequiredLabels(_Texts):
    """Labels that every alert must have."""

    name = "rule/required-labels"
    severity = Severity.INFO
    summary = "an alert without a label that every alert should have"
    options = {"required": {"severity": ""}}
    part = "label"

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        if isinstance(rule.rule, AlertingRule):
            yield from self.missing(rule, rule.rule.labels)


class RequiredAnnotations(_Texts):
    """Annotations that every alert must have."""

    name = "rule/required-annotations"
    severity = Severity.INFO
    summary = "an alert without an annotation that every alert should have"
    options = {"required": {"summary|title|message|description": ""}}
    part = "annotation"

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        if isinstance(rule.rule, AlertingRule):
            yield from self.missing(rule, rule.rule.annotations)


class SeverityValue(RuleCheck):
    """Values of the label ``severity``."""

    name = "rule/severity"
    severity = Severity.INFO
    summary = "a severity that is not one of the usual, or not one of the project's"
    only_alerts = True
    options = {
        "label": "severity",
        "values": [
            *("critical", "error", "warning", "warn", "info", "notice", "page", "ticket", "none", "debug"),
            *("high", "medium", "low", "major", "minor", "fatal", "emergency", "disaster", "ok", "average"),
            *("p0", "p1", "p2", "p3", "p4", "p5", "1", "2", "3", "4", "5", "information", "informational"),
        ],
    }

    @cached_property
    def _values(self) -> list[str]:
        return [str(item) for item in self.settings["values"]]

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        label = str(self.settings["label"])
        value = rule.rule.labels.get(label)
        if value is None or "{{" in value:
            return
        values = self._values
        if value in values:
            return
        guess = value.lower() if value.lower() in values else nearest(value, values)
        known = ", ".join(values[:6]) + (", …" if len(values) > 6 else "")
        message = f'"{value}" is an unknown {label}'
        hint = did_you_mean(guess) if guess else f"known: {known}"
        yield self.finding(rule.place("labels", label), message, hint=hint)


class AlertnameLabel(RuleCheck):
    """A label that Loki overwrites."""

    name = "rule/alertname-label"
    severity = Severity.WARNING
    summary = "a label `alertname`, which the alert's name overwrites"
    only_alerts = True

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        if "alertname" in rule.rule.labels:
            message = "the label `alertname` is overwritten by the alert's name"
            yield self.finding(rule.place("labels", "alertname", key=True), message, hint="remove it")


class For(RuleCheck):
    """Durations that make no sense."""

    name = "rule/for"
    severity = Severity.WARNING
    summary = "an unusual `for`: longer than a day, or shorter than the evaluation interval"
    only_alerts = True
    options = {"longest": "24h"}

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        if not isinstance(rule.rule, AlertingRule) or not rule.rule.for_:
            return
        duration = rule.rule.for_
        interval = rule.group.group.interval
        longest = parse_prometheus_duration(str(self.settings["longest"]))
        if duration > longest:
            message = f"the alert fires after {format_prometheus_duration(duration)} at the earliest"
            hint = "state is lost when the ruler restarts, and `for` begins again; use a longer range instead"
            yield self.finding(rule.place("for"), message, hint=hint)
        elif interval and duration < interval:
            every = format_prometheus_duration(interval)
            message = f"`for` is shorter than the group's interval and acts like {every}"
            yield self.finding(
                rule.place("for"), message, severity=Severity.INFO, hint=f"write {every}, or 0"
            )


class MissingFor(RuleCheck):
    """An alert that fires at once."""

    name = "rule/missing-for"
    severity = Severity.INFO
    summary = "an alert without `for`, which fires at the first evaluation"
    only_alerts = True
    on_by_default = False

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        if isinstance(rule.rule, AlertingRule) and not rule.rule.for_:
            message = "the alert fires at the first evaluation that finds something"
            yield self.finding(rule.place(), message, hint="add `for`, where a single burst should not page")


class Interval(GroupCheck):
    """Intervals that hurt."""

    name = "rule/interval"
    severity = Severity.INFO
    summary = "a group that is evaluated very often, or hardly ever"
    options = {"shortest": "10s", "longest": "1d"}

    def check(self, group: GroupItem) -> Iterator[Finding]:
        interval = group.group.interval
        shown = format_prometheus_duration(interval) if interval else ""
        if interval and interval < parse_prometheus_duration(str(self.settings["shortest"])):
            message = f"every {shown} each query of this group reads its logs again"
            yield self.finding(group.place("interval"), message, hint="a minute is usual")
        elif interval > parse_prometheus_duration(str(self.settings["longest"])):
            message = f"this group is evaluated only every {shown}; alerts go stale between evaluations"
            yield self.finding(group.place("interval"), message)


class EmptyGroup(GroupCheck):
    """A group without rules."""

    name = "rule/empty-group"
    severity = Severity.INFO
    summary = "a group without rules"

    def check(self, group: GroupItem) -> Iterator[Finding]:
        if not group.group.rules:
            yield self.finding(group.place(), f'the group "{group.group.name}" has no rules')


class TemplateInRecording(RuleCheck):
    """Labels of recording rules are not expanded."""

    name = "rule/template-in-recording"
    severity = Severity.WARNING
    summary = "a template in a label of a recording rule, which is not expanded"

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        if isinstance(rule.rule, RecordingRule):
            for name, value in rule.rule.labels.items():
                if "{{" in value:
                    message = "labels of recording rules are not expanded: the label is exactly this text"
                    hint = "keep the label in the expression's grouping instead"
                    yield self.finding(rule.place("labels", name), message, hint=hint)


CHECKS = (
    *(RefusedByLoki, DroppedByLoki, Duplicate, Name, RecordingName, RequiredLabels, RequiredAnnotations),
    *(SeverityValue, AlertnameLabel, For, MissingFor, Interval, EmptyGroup, TemplateInRecording),
)
