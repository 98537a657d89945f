"""A backtest as annotations of GitHub's workflows."""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.backtest.outputs.report import Report, count, moment, summary
from lokictl.backtest.outputs.terminal import comparison_text, pages_text
from lokictl.backtest.results import RuleHistory
from lokictl.model.origin import Origin


def github_lines(report: Report) -> Iterator[str]:
    """Workflow commands: notices for what changed and what fails, errors for conditions that hold."""
    backtest = report.backtest
    yield _command("notice", f"Backtest: {summary(backtest)}")
    for warning in backtest.warnings:
        yield _command("warning", warning)
    for history in backtest.histories:
        if history.failures:
            message = history.failures[0].message.splitlines()[0]
            text = f"{history.name}: {count(history.failed_evaluations, 'failed evaluation')}: {message}"
            yield _command("warning", text, history.rule.origin)
    if report.comparison is not None:
        yield _command(
            "notice", f"Compared with {report.comparison.label}: {comparison_text(report.comparison)}"
        )
        for change in report.comparison.changed:
            yield _command("notice", f"{change.name}: {pages_text(change)}", _origin(change.after))
    if report.score is not None:
        for incident in report.score.missed:
            yield _command("warning", f"the incident {incident.name} ({moment(incident.start)}) was missed")
    for condition in report.conditions:
        if condition.failed and condition.value is not None:
            yield _command("error", f"{condition.text} (it is {condition.value:g})")


def _origin(history: RuleHistory | None) -> Origin | None:
    return None if history is None else history.rule.origin


def _command(kind: str, message: str, origin: Origin | None = None) -> str:
    place = ""
    if origin is not None:
        position = origin.position("expr")
        if position.file:
            place = f" file={_property(position.file)},line={max(position.line, 1)}"
    text = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{kind}{place}::{text}"


def _property(text: str) -> str:
    return text.replace("%", "%25").replace(",", "%2C").replace(":", "%3A")
