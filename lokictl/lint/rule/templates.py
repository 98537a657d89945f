"""Templates in labels and annotations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePath

from lokictl.diagnostics import Severity, did_you_mean, nearest
from lokictl.lazy import lazy_pattern
from lokictl.lint.interface import Finding, RuleCheck, RuleItem
from lokictl.logql import ast, semantics
from lokictl.logql.cache import parse_cached
from lokictl.logql.errors import LogQLError
from lokictl.ruler.expansion import ExpansionError, expand
from lokictl.templates import TemplateError as ParseFailure
from lokictl.templates.alert import fields_used, load_error, uses_value

FIXED = ("__name__", "alertname")

_PLAIN = lazy_pattern(
    r"\{\{-?\s*(?:(?:\$labels|\.Labels)\.(?P<label>[A-Za-z_]\w*)|(?:\$value|\.Value)"
    r"(?:\s*\|\s*(?:humanize(?:1024|Duration|Percentage)?|printf\s+\"[^\"\\]*\"))?)\s*-?\}\}"
)


@lru_cache(maxsize=4096)
def is_plain(text: str) -> bool:
    """Whether a template has only the actions nearly all have (a label, the value), which cannot fail."""
    rest = _PLAIN.sub("", text)
    return "{{" not in rest and "}}" not in rest


def labels_used(text: str) -> list[tuple[str, int]]:
    """The labels that a template reads by name, each with its offset; none where it does not parse."""
    if is_plain(text):
        return [(found["label"], found.start("label")) for found in _PLAIN.finditer(text) if found["label"]]
    try:
        return fields_used(text)
    except ParseFailure:
        return []


class TemplateLabel(RuleCheck):
    """A label that the result cannot have."""

    name = "rule/template-label"
    severity = Severity.WARNING
    summary = "a template that reads a label which the expression does not return"
    only_templates = True
    wants = (ast.MetricExpr,)

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        if not isinstance(rule.query.expression, ast.MetricExpr):
            return
        for path, text in rule.templates:
            for name, offset in labels_used(text):
                labels = rule.query.labels
                if labels.lacks(name):
                    yield self._finding(rule, path, text, name, offset, labels)

    def _finding(
        self,
        rule: RuleItem,
        path: tuple[str, str],
        text: str,
        name: str,
        offset: int,
        labels: semantics.Labels,
    ) -> Finding:
        known = sorted(labels.names)
        kept = f"it returns {', '.join(known)}" if known else "it returns no labels"
        guess = nearest(name, known)
        message = f"`{name}` is always empty: the expression does not return it ({kept})"
        if guess:
            hint = did_you_mean(guess, "{}")
        elif name in rule.rule.labels:
            hint = "labels of the rule itself cannot be read by templates; write the text"
        elif name in FIXED:
            hint = "templates see the result's labels only; write the alert's name"
        else:
            hint = f"add {name} to the grouping"
        start = text.find(name, max(offset - len(name), 0))
        start = start if start >= 0 else max(offset, 0)
        return self.finding(rule.text_place(path, start, start + len(name)), message, hint=hint)


CERTAIN = (
    *("incompatible types for comparison", "wrong number of args", "can't evaluate field"),
    *("is not a method", "wrong type for value", "non-function", "not a function", "no such template"),
    *("error calling reReplaceAll", "error calling match", "undefined", "not defined"),
)


class TemplateError(RuleCheck):
    """A template that parses, and fails when it is expanded."""

    name = "rule/template-error"
    severity = Severity.ERROR
    summary = "a template that Loki accepts, and that fails when the alert fires"
    only_templates = True

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        for path, text in rule.templates:
            if is_plain(text) or load_error(text) is not None:
                continue  # told by rule/refused-by-loki
            yield from self._queries(rule, path, text)
            try:
                expand(text, labels=dict.fromkeys(rule.query.labels.names, "a"), value=1.5)
            except ExpansionError as error:
                message = str(error)
                if any(words in message for words in CERTAIN):
                    short = message.rpartition(">: ")[2] or message
                    hint = "numbers are floats here: compare $value with 5.0, not with 5"
                    yield self.finding(
                        rule.place(*path),
                        f"this fails when the alert fires: {short}",
                        hint=hint if "incompatible types" in message else "",
                    )

    def _queries(self, rule: RuleItem, path: tuple[str, str], text: str) -> Iterator[Finding]:
        for found in re.finditer(r"\bquery\s+(?:\"((?:[^\"\\]|\\.)*)\"|`([^`]*)`)", text):
            query = (found[1] or "").replace('\\"', '"') or found[2] or ""
            error = parse_cached(query)
            if isinstance(error, LogQLError) and "%" not in query:
                message = f"invalid LogQL in `query`: {error}"
                place = rule.text_place(path, found.start(), found.end())
                yield self.finding(place, message)


class ValueInLabel(RuleCheck):
    """Each change of the value is a new alert."""

    name = "rule/value-in-label"
    severity = Severity.WARNING
    summary = "`$value` in a label, which makes a new alert of every change"
    only_templates = True

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        for path, text in rule.templates:
            if path[0] != "labels":
                continue
            try:
                used = uses_value(text)
            except ParseFailure:
                continue
            if used and "if" not in text:
                message = "every change of the value makes a new alert, and with `for` none ever fires"
                yield self.finding(rule.place(*path), message, hint="put the value into an annotation")


_BARE_VALUE = lazy_pattern(r"\{\{-?\s*(\$value|\.Value)\s*-?\}\}")


class Humanize(RuleCheck):
    """A number with fifteen digits in a string for people."""

    name = "rule/humanize"
    severity = Severity.INFO
    summary = "a fraction that an annotation shows with all its digits"
    only_templates = True
    wants = (ast.MetricExpr,)

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        expression = rule.query.expression
        for path, text in rule.templates:
            found = _BARE_VALUE.search(text) if path[0] == "annotations" else None
            if found and isinstance(expression, ast.MetricExpr) and _is_fraction(expression):
                better = "humanizePercentage" if _is_share(expression) else "humanize"
                message = "the value is a fraction and is shown with all its digits, as 0.12345678901234"
                hint = f"write {{{{ {found[1]} | {better} }}}}"
                place = rule.text_place(path, found.start(), found.end())
                yield self.finding(place, message, hint=hint)


def _is_share(expression: ast.Node) -> bool:
    if isinstance(expression, ast.BinaryOperation):
        if expression.operator in ast.COMPARISONS:
            return _is_share(expression.left)
        return expression.operator == "/" and not isinstance(expression.right, ast.Literal)
    return False


def _is_fraction(expression: ast.Node) -> bool:
    """Whether a value is usually no whole number: a rate, a quotient, an average."""
    match expression:
        case ast.BinaryOperation():
            if expression.operator == "/":
                return True
            return _is_fraction(expression.left)
        case ast.RangeAggregation():
            return expression.operation in (
                *("rate", "bytes_rate", "rate_counter", "avg_over_time", "stddev_over_time"),
                *("stdvar_over_time", "quantile_over_time"),
            )
        case ast.VectorAggregation():
            return expression.operation in ("avg", "stddev", "stdvar") or _is_fraction(expression.inner)
    return False


class PercentageTwice(RuleCheck):
    """``* 100`` in the expression and ``humanizePercentage`` in the annotation."""

    name = "rule/percentage-twice"
    severity = Severity.WARNING
    summary = "a percentage that an annotation multiplies by 100 again"
    only_templates = True
    needs = ("*",)

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        expression = rule.query.expression
        if expression is None or not _is_percentage(expression):
            return
        for path, text in rule.templates:
            for found in _PERCENTAGE.finditer(text):
                message = (
                    "the value is a percentage already, and humanizePercentage multiplies it by 100 again"
                )
                hint = f'write {{{{ {found[1]} | printf "%.1f" }}}}%, or remove `* 100` of the expression'
                yield self.finding(rule.text_place(path, found.start(), found.end()), message, hint=hint)


_PERCENTAGE = lazy_pattern(r"\{\{-?\s*(\$value|\.Value)\s*\|\s*humanizePercentage\s*-?\}\}")


def _is_percentage(expression: ast.Node) -> bool:
    """Whether the values are shares times 100."""
    if not isinstance(expression, ast.BinaryOperation):
        return False
    if expression.operator in (*ast.COMPARISONS, "and", "unless"):
        return _is_percentage(expression.left)
    sides = (expression.left, expression.right)
    if expression.operator == "*":
        others = [side for side in sides if not (isinstance(side, ast.Literal) and side.value == 100)]
        return len(others) == 1 and _is_share(others[0])
    inner = expression.left
    return (
        expression.operator == "/"
        and not isinstance(expression.right, ast.Literal)
        and isinstance(inner, ast.BinaryOperation)
        and inner.operator == "*"
        and any(isinstance(side, ast.Literal) and side.value == 100 for side in (inner.left, inner.right))
    )


class HelmEscape(RuleCheck):
    """What Helm turns into a template of the alert stands as text where no Helm runs."""

    name = "rule/helm-escape"
    severity = Severity.WARNING
    summary = "a template escaped for Helm in a file that Helm does not render"
    only_templates = True

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        for path, text in rule.templates:
            found = (
                _ESCAPED.search(text)
                if "`" in text or text.count("{{") > text.count("}}") or '"{{' in text
                else None
            )
            if found and "templates" not in PurePath(rule.place().position.file).parts[:-1]:
                message = (
                    f"this is escaped for Helm: Loki prints {(found['inner'] or found[0]).strip()} as it is"
                )
                hint = (
                    "write the template itself; or render the chart first: helm template … | lokictl lint -"
                )
                yield self.finding(rule.text_place(path, found.start(), found.end()), message, hint=hint)


_ESCAPED = lazy_pattern(
    r"\{\{-?\s*(?:`(?P<inner>[^`]*\{\{[^`]*)`|(?P<quote>[\"'])\{\{(?P=quote)|[\"]\{\{[^\"]*\}\}[\"])\s*-?\}\}"
)


CHECKS = (TemplateLabel, TemplateError, ValueInLabel, Humanize, PercentageTwice, HelmEscape)
