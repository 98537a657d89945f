"""The same alert with other settings: thresholds, ``for``, ranges."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import field, replace

from lokictl.backtest.incidents import Incident, Score, judge
from lokictl.backtest.plan import comparisons
from lokictl.backtest.results import Backtest, RuleHistory
from lokictl.backtest.session import Session
from lokictl.diagnostics import LokictlError, Problem, suggestion
from lokictl.logql import LogQLError, ast
from lokictl.logql.units import format_float, format_prometheus_duration, parse_prometheus_duration
from lokictl.model.rules import AlertingRule, RuleGroup
from lokictl.records import dataclass

KINDS = ("threshold", "for", "range")
MOST_SETTINGS = 500
EXAMPLES = "threshold=2:20:2, threshold=1,5,10, for=0s,1m,5m, range=1m,5m"


@dataclass(frozen=True)
class Axis:
    """One thing that is varied: ``kind``, which one of it (from 1; 0: the only one), its values.

    Thresholds are numbers, ``for`` and ranges ns; ``texts`` is how they are written.
    """

    kind: str
    which: int
    values: tuple[float, ...]
    texts: tuple[str, ...]

    @property
    def name(self) -> str:
        """As it was asked for: ``threshold``, ``range.2``."""
        return f"{self.kind}.{self.which}" if self.which else self.kind


@dataclass(frozen=True)
class Setting:
    """One combination of values and what it does: the history of the changed alert, its score on incidents."""

    texts: tuple[str, ...]
    values: tuple[float, ...]
    history: RuleHistory
    score: Score | None = None
    is_current: bool = False

    @property
    def label(self) -> str:
        """The values, as they were written."""
        return ", ".join(self.texts)


@dataclass
class SweptAlert:
    """All settings of one alert."""

    group: RuleGroup
    rule: AlertingRule
    axes: list[Axis] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)

    @property
    def matters(self) -> bool:
        """Whether the settings differ in what they do."""
        return len({_outcome(one.history) for one in self.settings}) > 1

    @property
    def best(self) -> Setting | None:
        """The setting that catches most incidents with the fewest other pages; None without incidents.

        Of equals, the one that detects soonest, then the highest values.
        """
        scored = [one for one in self.settings if one.score is not None and one.score.incidents]
        if not scored:
            return None

        def merit(setting: Setting) -> tuple[float, ...]:
            score = setting.score
            assert score is not None
            delay = score.time_to_detect
            return (len(score.caught), -score.other_pages, -(delay or 0), *setting.values)

        return max(scored, key=merit)


@dataclass
class Sweep:
    """What was varied, and what it does to each alert; ``skipped`` are alerts that have nothing to vary, and why."""

    axes: list[Axis]
    alerts: list[SweptAlert] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def parse_axis(text: str) -> Axis:
    """``threshold=2:20:2``, ``for=0s,1m``, ``range.2=1m,5m``.  Raises `LokictlError`."""
    name, equals, values = text.partition("=")
    kind, dot, which = name.strip().partition(".")
    if kind not in KINDS or not equals or (dot and not re.fullmatch(r"[1-9]\d*", which)):
        hint = f"such as {EXAMPLES}"
        if kind not in KINDS:
            hint = suggestion(kind, KINDS, hint, f'"{{}}={values}"')
        raise _wrong(f'"{text}" does not say what to vary', hint)
    try:
        found, texts = _values(kind, values)
    except ValueError as error:
        raise _wrong(f'"{text}": {error}', f"such as {EXAMPLES}") from None
    return Axis(kind, int(which or 0), tuple(found), tuple(texts))


def _values(kind: str, text: str) -> tuple[list[float], list[str]]:
    parse = float if kind == "threshold" else parse_prometheus_duration
    show = format_float if kind == "threshold" else _duration
    bounds = text.split(":")
    if len(bounds) == 1:
        found: list[float] = [parse(part.strip()) for part in text.split(",") if part.strip()]
    elif len(bounds) == 3:
        first, last, step = (parse(part.strip()) for part in bounds)
        if step <= 0 or last < first:
            raise ValueError("a range of values is FIRST:LAST:STEP, with a step above 0")
        found = [first + number * step for number in range(int((last - first) / step + 1e-9) + 1)]
        found = [float(f"{value:.12g}") for value in found] if kind == "threshold" else found
    else:
        raise ValueError("write FIRST:LAST:STEP, or values with commas in between")
    if not found:
        raise ValueError("there are no values")
    if kind == "range" and min(found) <= 0:
        raise ValueError("a range must be longer than 0")
    return found, [show(value) for value in found]


def _duration(value: float) -> str:
    return format_prometheus_duration(int(value)) if value else "0s"


def _wrong(message: str, hint: str) -> LokictlError:
    return LokictlError(Problem("backtest/sweep", message, hint=hint))


def varied(rule: AlertingRule, axis: Axis, value: float) -> AlertingRule:
    """The rule with one value changed.  Raises ValueError where it has no such thing, or several."""
    if axis.kind == "for":
        return replace(rule, for_=int(value))
    expression = rule.expression
    if axis.kind == "threshold":
        nodes: list[ast.Node] = list(_thresholds(expression))
        new: ast.Node = ast.Literal(value)
        target = _chosen(nodes, axis, "threshold")
    else:
        nodes = list(expression.find_all(ast.LogRange))
        if not axis.which and len({node.range for node in nodes if isinstance(node, ast.LogRange)}) == 1:
            for node in nodes:
                assert isinstance(node, ast.LogRange)
                expression = expression.replace(node, replace(node, range=int(value)))
            return replace(rule, expr=str(expression))
        target = _chosen(nodes, axis, "range")
        assert isinstance(target, ast.LogRange)
        new = replace(target, range=int(value))
    return replace(rule, expr=str(expression.replace(target, new)))


def _chosen(nodes: Sequence[ast.Node], axis: Axis, what: str) -> ast.Node:
    if not nodes:
        raise ValueError(
            f"it has no {what}" + (" at the top of its expression" if what == "threshold" else "")
        )
    if axis.which:
        if axis.which > len(nodes):
            raise ValueError(f"it has {len(nodes)} {what}{'s' * (len(nodes) != 1)}, no {axis.which}")
        return nodes[axis.which - 1]
    if len(nodes) > 1:
        raise ValueError(f"it has {len(nodes)} {what}s: say which, {what}.1 … {what}.{len(nodes)}")
    return nodes[0]


def variations(rule: AlertingRule, axes: Sequence[Axis]) -> Iterator[tuple[tuple[int, ...], AlertingRule]]:
    """The rule with every combination of values, with the places of the values."""
    for places in itertools.product(*(range(len(axis.values)) for axis in axes)):
        changed = rule
        for axis, place in zip(axes, places, strict=True):
            changed = varied(changed, axis, axis.values[place])
        yield places, changed


def sweep(
    session: Session,
    groups: Sequence[RuleGroup],
    axes: Sequence[Axis],
    incidents: Sequence[Incident] = (),
) -> Sweep:
    """What every combination does to every alert that has what is varied.

    Raises `LokictlError` where no alert has it, and for more than `MOST_SETTINGS` combinations.
    """
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > MOST_SETTINGS:
        raise _wrong(f"{count:,} combinations; {MOST_SETTINGS} are allowed", "take fewer values")
    found = Sweep(list(axes))
    plans: list[tuple[SweptAlert, list[tuple[tuple[int, ...], AlertingRule]]]] = []
    for group in groups:
        for rule in group.rules:
            if not isinstance(rule, AlertingRule):
                continue
            try:
                # Whether it has what is varied shows before its present values can be read.
                varied(rule, axes[0], axes[0].values[0])
                own = [_with_present(rule, axis) for axis in axes]
                plans.append((SweptAlert(group, rule, own), list(variations(rule, own))))
            except (ValueError, LogQLError) as error:
                found.skipped[rule.name] = str(error)
    if not plans:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(found.skipped.items())[:3])
        raise _wrong("no alert has what is to be varied", reasons or "there are no alerts")
    session.prepare([replace(alert.group, rules=tuple(rule for _, rule in plan)) for alert, plan in plans])
    for alert, plan in plans:
        alert.settings = [_setting(session, alert, places, rule, incidents) for places, rule in plan]
        found.alerts.append(alert)
    return found


def _outcome(history: RuleHistory) -> tuple[object, ...]:
    episodes = tuple((one.fired_at, one.resolved_at, tuple(one.labels.items())) for one in history.episodes)
    return (episodes, len(history.near_misses))


def _present(rule: AlertingRule, axis: Axis) -> float | None:
    """The value that an alert has now for what is varied."""
    if axis.kind == "for":
        return float(rule.for_)
    if axis.kind == "threshold":
        found = _thresholds(rule.expression)
        node = found[axis.which - 1 if axis.which else 0]
        return node.value
    ranges = list(rule.expression.find_all(ast.LogRange))
    return float(ranges[axis.which - 1 if axis.which else 0].range)


def _thresholds(expression: ast.Expr) -> list[ast.Literal]:
    return [
        side
        for node in comparisons(expression)
        for side in (node.left, node.right)
        if isinstance(side, ast.Literal)
    ]


def _with_present(rule: AlertingRule, axis: Axis) -> Axis:
    """The axis with the present value of an alert among its values."""
    value = _present(rule, axis)
    if value is None or value in axis.values:
        return axis
    show = format_float if axis.kind == "threshold" else _duration
    values = sorted([*axis.values, value])
    place = values.index(value)
    texts = [*axis.texts]
    ordered = sorted(zip(axis.values, axis.texts, strict=True))
    texts = [text for _, text in ordered]
    texts.insert(place, show(value))
    return Axis(axis.kind, axis.which, tuple(values), tuple(texts))


def lead_of(axes: Sequence[Axis]) -> int:
    """The longest ``for`` among the values (ns)."""
    return int(max((value for axis in axes if axis.kind == "for" for value in axis.values), default=0))


def _setting(
    session: Session,
    alert: SweptAlert,
    places: tuple[int, ...],
    rule: AlertingRule,
    incidents: Sequence[Incident],
) -> Setting:
    history = session.evaluate(alert.group, rule, details=False)
    score = None
    if incidents:
        # Only what this alert is meant for counts against it.
        own = [one for one in incidents if not one.alerts or rule.name in one.alerts]
        score = judge(Backtest(history.start, history.end, "", [history]), own)
    return Setting(
        tuple(axis.texts[place] for axis, place in zip(alert.axes, places, strict=True)),
        tuple(axis.values[place] for axis, place in zip(alert.axes, places, strict=True)),
        history,
        score,
        str(rule.expression) == str(alert.rule.expression) and rule.for_ == alert.rule.for_,
    )
