"""Turns a moment of history into a unit test: few lines, nothing personal, and it passes at once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from lokictl.backends import EmbeddedBackend, LogEntry, LogStream, QueryError
from lokictl.backtest.fetch import log_ranges
from lokictl.backtest.history import FoundLine, LinesRequest
from lokictl.backtest.plan import comparisons
from lokictl.backtest.privacy import KINDS, Anonymizer
from lokictl.backtest.reduction import reduced
from lokictl.backtest.series import Labels
from lokictl.backtest.session import Session
from lokictl.diagnostics import LokictlError, Problem, suggestion
from lokictl.durations import MILLISECOND, SECOND
from lokictl.logql import ast
from lokictl.logql.units import format_prometheus_duration
from lokictl.model.rules import AlertingRule, RuleGroup
from lokictl.model.times import format_time, parse_time
from lokictl.records import dataclass
from lokictl.ruler import Alert, GroupEvaluator
from lokictl.ruler.groups import never_runs
from lokictl.testing import discover, run_tests

SLICES = 40
LINES_PER_SLICE = 400
REDUCTION_SECONDS = 40.0

READS = (
    ast.LineFilter,
    ast.LabelFilterStage,
    ast.JsonParser,
    ast.LogfmtParser,
    ast.RegexpParser,
    ast.PatternParser,
)
"""Stages that leave lines as they are: they may choose which lines are fetched."""


@dataclass(frozen=True)
class SavedTest:
    """What was written: the state that is tested, lines of it, and of those that were fetched."""

    state: str
    lines: int
    fetched: int
    replaced: int

    @property
    def summary(self) -> str:
        """In words."""
        personal = f", {self.replaced} personal values replaced" if self.replaced else ""
        kept = f"{self.lines} of {self.fetched} lines" if self.fetched else "no lines"
        return f"{self.state}, {kept}{personal}; it passes"


@dataclass(frozen=True)
class Moment:
    """An alert at a time: its group, the evaluation in force, and the first one that matters."""

    group: RuleGroup
    rule: AlertingRule
    start: int
    time: int
    interval: int


@dataclass(frozen=True)
class Outcome:
    """What a test would see: the state, the labels of the alerts in it, and whether there is a value to compare."""

    state: str
    alerts: frozenset[Labels]
    has_value: bool = False


def parse_moment(text: str, groups: Sequence[RuleGroup], *, now: int) -> tuple[str, int]:
    """``ALERT@TIME``: the name and the time (ns).  Raises `LokictlError`."""
    name, _, when = text.rpartition("@")
    names = [rule.name for group in groups for rule in group.rules if isinstance(rule, AlertingRule)]
    if name not in names:
        hint = suggestion(name, names, f"alerts: {', '.join(names[:12])}")
        raise LokictlError(Problem("backtest/save-test", f'no alert is called "{name}"', hint=hint))
    try:
        return name, parse_time(when, now=now)
    except ValueError as error:
        raise LokictlError(
            Problem("backtest/save-test", str(error), hint="ALERT@2026-01-03T10:05:00Z")
        ) from None


def save_test(session: Session, groups: Sequence[RuleGroup], name: str, time: int, file: Path) -> SavedTest:
    """Writes a test file about an alert at a time.

    Raises `LokictlError` where the file is there already, the time is outside the session, the alert cannot be
    evaluated, or its state does not come from lines that can be had.
    """
    if file.exists():
        raise _problem(f"{file} is there already", "name another file with --output")
    group, rule = next(
        (group, rule)
        for group in groups
        for rule in group.rules
        if rule.name == name and isinstance(rule, AlertingRule)
    )
    refusal = never_runs(rule)
    if refusal:
        raise _problem(f"{name} is never evaluated: {refusal}", "")
    moment = _moment(session, group, rule, time)
    wanted = _outcome_in_history(session, moment)
    lines = _lines(session, moment)
    seen = _replayed(moment, lines)
    if _differs(seen, wanted):
        hint = f"{len(lines):,} lines were fetched; try a moment soon after the alert became active"
        raise _problem(f"{name} was {wanted.state} then, but its lines make it {seen.state}", hint)
    kept = reduced(lines, lambda part: _replayed(moment, part) == seen, seconds=REDUCTION_SECONDS)
    kept, anonymizer = _anonymous(moment, kept, seen)
    kept = _with_round_times(moment, kept)
    text = _test_file(session, moment, kept, file)
    file.write_text(text, encoding="utf-8")
    _check(file)
    return SavedTest(seen.state, len(kept), len(lines), anonymizer.replaced)


def _problem(message: str, hint: str) -> LokictlError:
    return LokictlError(Problem("backtest/save-test", message, hint=hint))


def _moment(session: Session, group: RuleGroup, rule: AlertingRule, time: int) -> Moment:
    interval = group.interval or session.settings.evaluation_interval
    at = time // interval * interval
    if not session.start <= at <= session.end:
        raise _problem(
            f"{format_time(time)} is outside the time of the backtest",
            f"it goes from {format_time(session.start)} to {format_time(session.end)}: --since, --from, --to",
        )
    # From one evaluation before the condition must hold, so that the alert can be seen to become active.
    waits = -(-rule.for_ // interval) * interval + interval
    return Moment(group, rule, at - waits, at, interval)


def _outcome_in_history(session: Session, moment: Moment) -> Outcome:
    alone = replace(moment.group, rules=(moment.rule,))
    history = session.run([alone], details=False).histories[0]
    failed = next((one for one in history.failures if one.first <= moment.time <= one.last), None)
    if failed is not None:
        first = failed.message.strip().splitlines()[0]
        raise _problem(f"the evaluation at {format_time(moment.time)} failed: {first}", "")
    missing = next((one for one in history.missing if one.start <= moment.time < one.end), None)
    if missing is not None:
        raise _problem(f"{format_time(moment.time)} is not judged: {missing.reason}", "")
    firing = [
        one
        for one in history.episodes
        if one.fired_at <= moment.time and (one.resolved_at is None or moment.time < one.resolved_at)
    ]
    if firing:
        return Outcome("firing", frozenset(tuple(one.labels.items()) for one in firing))
    pending = any(first <= moment.time < last for first, last in history.pending)
    return Outcome("pending" if pending else "inactive", frozenset())


# --- the lines ---------------------------------------------------------------------------------------------


def _lines(session: Session, moment: Moment) -> list[FoundLine]:
    """The lines that the evaluations of a moment read, in the order of time; a bounded number of each stretch."""
    requests: list[LinesRequest] = []
    for node in log_ranges(moment.rule.expression):
        first = moment.start - node.range - node.offset
        last = moment.time - node.offset
        count = max(min(SLICES, (last - first) // moment.interval), 1)
        edges = [first + (last - first) * place // count for place in range(count + 1)]
        query = str(_unchanged(node.log))
        requests += [LinesRequest(query, low, high, LINES_PER_SLICE) for low, high in pairwise(edges)]
    found: dict[tuple[int, str, Labels], FoundLine] = {}
    for lines in session.lines(requests):
        for line in lines:
            found[line.timestamp, line.line, tuple(sorted(line.labels.items()))] = line
    return sorted(found.values(), key=lambda one: one.timestamp)


def _unchanged(log: ast.LogExpr) -> ast.LogExpr:
    """The log query up to the first stage that changes lines."""
    stages = []
    for stage in log.stages:
        if not isinstance(stage, READS):
            break
        stages.append(stage)
    return replace(log, stages=tuple(stages))


def _streams(lines: Sequence[FoundLine]) -> Iterator[LogStream]:
    streams: dict[Labels, list[LogEntry]] = {}
    for line in lines:
        entry = LogEntry(line.timestamp, line.line, line.metadata)
        streams.setdefault(tuple(sorted(line.labels.items())), []).append(entry)
    for labels, entries in streams.items():
        yield LogStream(dict(labels), entries)


def _evaluated(moment: Moment, lines: Sequence[FoundLine]) -> tuple[EmbeddedBackend, list[Alert]]:
    backend = EmbeddedBackend()
    backend.push(_streams(lines))
    group = replace(moment.group, rules=(moment.rule,), interval=moment.interval)
    alerts: list[Alert] = []
    for evaluation in GroupEvaluator(group, backend).run(moment.start, moment.time):
        (one,) = evaluation.rules
        alerts = list(one.alerts)
    return backend, alerts


def _replayed(moment: Moment, lines: Sequence[FoundLine]) -> Outcome:
    """What the embedded engine makes of some lines."""
    backend, alerts = _evaluated(moment, lines)
    states = [alert.state for alert in alerts]
    state = "firing" if "firing" in states else "pending" if "pending" in states else "inactive"
    chosen = frozenset(tuple(alert.labels.items()) for alert in alerts if alert.state == state != "inactive")
    # An alert that stays silent is worth testing where it had something to judge.
    has_value = state == "inactive" and _has_value(moment, backend)
    return Outcome(state, chosen, has_value)


def _has_value(moment: Moment, backend: EmbeddedBackend) -> bool:
    for node in comparisons(moment.rule.expression):
        side = node.right if isinstance(node.left, ast.Literal) else node.left
        try:
            if backend.query(side, time=moment.time).vector:
                return True
        except QueryError:
            continue
    return False


def _differs(seen: Outcome, wanted: Outcome) -> bool:
    return seen.state != wanted.state or (bool(wanted.alerts) and seen.alerts != wanted.alerts)


def _anonymous(
    moment: Moment, lines: Sequence[FoundLine], seen: Outcome
) -> tuple[list[FoundLine], Anonymizer]:
    """The lines without what looks personal, as far as the rule does not depend on it."""
    for without in (
        frozenset(),
        *(frozenset({kind}) for kind in ("field", *KINDS)),
        frozenset({"field", *KINDS}),
    ):
        anonymizer = Anonymizer(without)
        found = [
            replace(
                line,
                line=anonymizer.line(line.line),
                labels=anonymizer.labels(line.labels),
                metadata=anonymizer.labels(line.metadata),
            )
            for line in lines
        ]
        outcome = _replayed(moment, found)
        if outcome.state == seen.state and len(outcome.alerts) == len(seen.alerts):
            return found, anonymizer
    return list(lines), Anonymizer()


def _with_round_times(moment: Moment, lines: list[FoundLine]) -> list[FoundLine]:
    """The lines at whole seconds or milliseconds, where that changes nothing."""
    seen = _replayed(moment, lines)
    for unit, up in ((SECOND, 0), (SECOND, SECOND - 1), (MILLISECOND, 0), (MILLISECOND, MILLISECOND - 1)):
        rounded = [replace(line, timestamp=(line.timestamp + up) // unit * unit) for line in lines]
        places = {(one.timestamp, one.line, tuple(sorted(one.labels.items()))) for one in rounded}
        if len(places) == len(rounded) and _replayed(moment, rounded) == seen:
            return rounded
    return lines


# --- the file ----------------------------------------------------------------------------------------------


def _test_file(session: Session, moment: Moment, lines: Sequence[FoundLine], file: Path) -> str:
    first = min((line.timestamp for line in lines), default=moment.start)
    start = min(moment.start, first // moment.interval * moment.interval)
    # Evaluations before the moment's own may not change its alerts.
    _, alerts = _evaluated(replace(moment, start=start), lines)
    states = [alert.state for alert in alerts]
    state = "firing" if "firing" in states else "pending" if "pending" in states else "inactive"
    name, rule = moment.rule.name, moment.rule
    text = [
        f"# {name} at {format_time(moment.time)}: lines of {session.history.description}, as few as make it {state}."
    ]
    text.append(
        "# Addresses, e-mails, tokens and ids are replaced; look at the lines before you publish them."
    )
    origin = rule.origin.position("expr").file
    if origin and not origin.endswith(".py"):
        text.append(f"rule_files: [{json.dumps(os.path.relpath(origin, file.resolve().parent))}]")
    text.append(f"evaluation_interval: {format_prometheus_duration(moment.interval)}")
    text += ["", "tests:", f"  - name: {json.dumps(f'{name} is {state} at {format_time(moment.time)}')}"]
    text.append(f"    start_timestamp: {format_time(start)}")
    text += _external(session)
    text += list(_input_streams(lines, start))
    text += [
        "    alert_rule_test:",
        f"      - eval_time: {_offset(moment.time - start)}",
        f"        alertname: {name}",
    ]
    if state == "firing":
        text.append("        exp_alerts:")
        for alert in alerts:
            if alert.state == "firing":
                text += list(_expected(alert))
    else:
        text.append(f"        exp_state: {state}")
    return "\n".join(text) + "\n"


def _external(session: Session) -> Iterator[str]:
    settings = session.settings
    if settings.external_labels:
        yield f"    external_labels: {_flow(settings.external_labels)}"
    if settings.external_url:
        yield f"    external_url: {json.dumps(settings.external_url)}"


def _input_streams(lines: Sequence[FoundLine], start: int) -> Iterator[str]:
    if not lines:
        yield "    input_streams: []"
        return
    yield "    input_streams:"
    for stream in _streams(lines):
        yield f"      - labels: {_flow(stream.labels)}"
        yield "        entries:"
        for entry in stream.entries:
            at = entry.timestamp - start
            when = _offset(at) if at % MILLISECOND == 0 else json.dumps(format_time(entry.timestamp))
            extra = f", structured_metadata: {_flow(entry.metadata)}" if entry.metadata else ""
            yield f"          - {{at: {when}, line: {_scalar(entry.line)}{extra}}}"


def _expected(alert: Alert) -> Iterator[str]:
    labels = {name: text for name, text in alert.labels.items() if name != "alertname"}
    yield f"          - exp_labels: {_flow(labels)}"
    if alert.annotations:
        yield "            exp_annotations:"
        for name, text in alert.annotations.items():
            yield f"              {name}: {json.dumps(text, ensure_ascii=False)}"


def _flow(mapping: Mapping[str, str]) -> str:
    return (
        "{"
        + ", ".join(f"{name}: {json.dumps(text, ensure_ascii=False)}" for name, text in mapping.items())
        + "}"
    )


def _scalar(text: str) -> str:
    """A line of text in single quotes, which leave JSON readable; in double quotes where they cannot hold it."""
    return "'" + text.replace("'", "''") + "'" if text.isprintable() else json.dumps(text, ensure_ascii=True)


def _offset(duration: int) -> str:
    return format_prometheus_duration(duration) if duration else "0s"


def _check(file: Path) -> None:
    """Runs the test that was written; a test that fails is no use, and goes."""
    try:
        report = run_tests(discover([file]))
    except LokictlError:
        file.unlink()
        raise
    if not report.passed:
        reasons = [failure.message for result in report.failed for failure in result.failures]
        reasons += [problem.message for problem in report.problems]
        file.unlink()
        raise _problem(
            f"the test does not pass: {'; '.join(reasons[:3])}", "is the rule the one in the file?"
        )
