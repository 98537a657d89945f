"""Whether Grafana can evaluate a rule, and whether it notices when it cannot."""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.diagnostics import Place, Severity, suggestion
from lokictl.lazy import lazy_pattern
from lokictl.lint.interface import Check, Finding, ManagedRuleCheck, ManagedRuleItem
from lokictl.logql.ast import LogExpr
from lokictl.model.managed_alerts import ManagedQuery

_MATH_NAME = lazy_pattern(r"\$\{?(\w+)")


class LogQuery(ManagedRuleCheck):
    """A step that answers lines."""

    name = "managed/log-query"
    severity = Severity.ERROR
    summary = "a Loki query that answers lines, which Grafana cannot evaluate"

    def check(self, rule: ManagedRuleItem) -> Iterator[Finding]:
        for step, query in rule.queries:
            if isinstance(query.expression, LogExpr):
                message = (
                    f"step {step.ref_id} answers lines; an alert needs numbers, so every evaluation fails"
                )
                hint = f"count them: count_over_time({query.text.strip()} [5m])"
                yield self.finding(query.place(), message, hint=hint)


class Condition(ManagedRuleCheck):
    """A condition, or an expression, that names no step of the rule."""

    name = "managed/condition"
    severity = Severity.ERROR
    summary = "a condition or an expression that refers to a step that does not exist"

    def check(self, rule: ManagedRuleItem) -> Iterator[Finding]:
        # One thing at a time: a query that does not parse is reported first.
        if any(query.error is not None for _, query in rule.queries):
            return
        known = [step.ref_id for step in rule.rule.data]
        condition = rule.rule.condition
        if condition and condition not in known:
            message = f'the condition "{condition}" is not a step of the rule'
            yield self.finding(
                rule.place("condition"),
                message,
                hint=suggestion(condition, known, f"steps: {', '.join(known)}"),
            )
        for step in rule.rule.data:
            for name in references(step):
                if name not in known:
                    message = f'step {step.ref_id} reads "{name}", which is not a step of the rule'
                    place = rule.step_place(step, "model", "expression")
                    yield self.finding(
                        place, message, hint=suggestion(name, known, f"steps: {', '.join(known)}")
                    )


class UnreducedSeries(ManagedRuleCheck):
    """A range query that is compared without being reduced to a number."""

    name = "managed/unreduced-series"
    severity = Severity.ERROR
    summary = "a range query that reaches the condition without a reduce step"

    def check(self, rule: ManagedRuleItem) -> Iterator[Finding]:
        for step, query in rule.queries:
            if query.expression is None or isinstance(query.expression, LogExpr) or is_instant(step):
                continue
            if reaches_condition(rule, step.ref_id):
                message = (
                    f"step {step.ref_id} is a range query: the condition needs one number for each series"
                )
                hint = "write queryType: instant, or add a reduce step and compare that"
                yield self.finding(rule.step_place(step, "model", "queryType"), message, hint=hint)


class HiddenErrors(ManagedRuleCheck):
    """A state for failed queries that nobody sees."""

    name = "managed/hidden-errors"
    severity = Severity.WARNING
    summary = "a rule that stays silent when its query fails"

    def check(self, rule: ManagedRuleItem) -> Iterator[Finding]:
        if rule.rule.record is not None:
            return
        state = rule.rule.exec_err_state
        if state == "OK":
            message = (
                "when the query fails (a broken expression, a Loki that does not answer), nobody is notified"
            )
            yield self.finding(self._place(rule), message, hint="write execErrState: Error")
        elif state == "KeepLast":
            message = "when the query fails for good, the alert keeps its last state, and nobody is notified"
            hint = "watch the health of rules, or write execErrState: Error"
            yield self.finding(self._place(rule), message, hint=hint, severity=Severity.INFO)

    def _place(self, rule: ManagedRuleItem) -> Place:
        value = rule.rule.origin.value if rule.rule.origin is not None else {}
        return rule.place("exec_err_state" if "exec_err_state" in value else "execErrState")


class UndoubledDollar(ManagedRuleCheck):
    """Variables in the labels of a provisioning file, which Grafana fills from its environment."""

    name = "managed/undoubled-dollar"
    severity = Severity.ERROR
    summary = "a `$labels` in a label or name of a provisioning file, which Grafana empties"

    def check(self, rule: ManagedRuleItem) -> Iterator[Finding]:
        if rule.shape != "provisioning":
            return
        texts: dict[tuple[str, ...], str] = {("title",): rule.rule.title}
        texts |= {("labels", name): text for name, text in rule.rule.labels.items()}
        for path, text in texts.items():
            for found in _TEMPLATE_VARIABLE.finditer(text):
                name = found.group(1)
                message = f"Grafana reads ${name} here as an environment variable, and leaves nothing"
                hint = f"double the dollar sign: $${name}"
                yield self.finding(rule.place(*path), message, hint=hint)


_TEMPLATE_VARIABLE = lazy_pattern(r"(?<!\$)\$(labels|values|value)\b")


class RangeAndInterval(ManagedRuleCheck):
    """The time range of a range query is shorter than what its expression needs, or than the interval."""

    name = "managed/time-range"
    severity = Severity.WARNING
    summary = "a range query whose time range is shorter than the interval between evaluations"

    def check(self, rule: ManagedRuleItem) -> Iterator[Finding]:
        for step, query in rule.queries:
            length = step.start - step.end
            if is_instant(step) or query.expression is None:
                continue
            if length <= 0:
                message = f"step {step.ref_id} has an empty time range"
                yield self.finding(
                    rule.step_place(step, "relativeTimeRange"), message, hint="write from: 600, to: 0"
                )
            elif length < rule.group.interval:
                message = (
                    f"step {step.ref_id} looks at {length // 1_000_000_000} s, and is evaluated every "
                    f"{rule.group.interval // 1_000_000_000} s: what happens in between is never seen"
                )
                hint = "make the time range at least as long as the interval"
                yield self.finding(rule.step_place(step, "relativeTimeRange", "from"), message, hint=hint)


def is_instant(step: ManagedQuery) -> bool:
    """Whether a Loki step asks for one moment (range queries are the default)."""
    return "instant" in (step.model.get("queryType"), step.query_type)


def references(step: ManagedQuery) -> list[str]:
    """The steps that an expression reads."""
    if not step.is_expression:
        return []
    model = step.model
    kind = model.get("type")
    if kind == "classic_conditions":
        conditions = model.get("conditions")
        found = []
        for condition in conditions if isinstance(conditions, list) else []:
            query = condition.get("query") if isinstance(condition, dict) else None
            parameters = query.get("params") if isinstance(query, dict) else None
            found += [str(item) for item in parameters[:1]] if isinstance(parameters, list) else []
        return found
    text = str(model.get("expression") or "")
    if kind == "math":
        return [name for name in _MATH_NAME.findall(text) if not name.isdigit()]
    if kind == "sql":
        return []
    return [text.strip("${} ")] if text.strip() else []


def reaches_condition(rule: ManagedRuleItem, ref_id: str) -> bool:
    """Whether a step's series are what the condition compares, without a step that reduces them."""
    seen: set[str] = set()
    waiting = [rule.rule.condition]
    while waiting:
        name = waiting.pop()
        if name == ref_id:
            return True
        step = rule.step(name)
        if step is None or name in seen:
            continue
        seen.add(name)
        # These reduce what they read.
        if step.is_expression and step.model.get("type") not in ("reduce", "classic_conditions", "sql"):
            waiting += references(step)
    return False


CHECKS: tuple[type[Check], ...] = (
    LogQuery,
    Condition,
    UnreducedSeries,
    RangeAndInterval,
    HiddenErrors,
    UndoubledDollar,
)
