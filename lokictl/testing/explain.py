"""Why a rule was in the state it was in: its states over time, its last values, the lines that counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokictl.backends import BackendError, QueryError
from lokictl.logql import LogQLError, ast
from lokictl.logql.arithmetic import compare
from lokictl.logql.units import format_prometheus_duration, format_value
from lokictl.model import AlertingRule
from lokictl.testing.compare import since
from lokictl.testing.execution import Timeline
from lokictl.testing.labels import format_labels
from lokictl.testing.model import TestCase

if TYPE_CHECKING:
    from lokictl.backends import Backend

SHOWN_SERIES = 5
SHOWN_LINES = 3
SHOWN_COMPARISONS = 3
COUNTED_LINES = 1000
LINE_WIDTH = 100


class Explainer:
    """Explains rules of one test with the help of the backend that ran it."""

    def __init__(self, test: TestCase, backend: Backend) -> None:
        self.test, self.backend = test, backend

    def explain(self, timeline: Timeline, time: int) -> list[str]:
        """Lines about the evaluation in force at ``time`` (ns); for alerts their states before it, too."""
        evaluation = timeline.at(time)
        if evaluation is None:
            return []
        lines = []
        if isinstance(timeline.rule, AlertingRule):
            lines.append(f"states:  {self.states(timeline, time)}")
            for_ = timeline.rule.for_
            if for_:
                lines.append(f"for:     {format_prometheus_duration(for_)}")
        try:
            expression = timeline.rule.expression
        except LogQLError:
            return lines
        lines += self.values(expression, evaluation.time)
        seen: set[str] = set()
        for node in expression.walk():
            if isinstance(node, ast.LogRange) and str(node) not in seen:
                seen.add(str(node))
                lines += self.counted(node, evaluation.time)
        return lines

    def states(self, timeline: Timeline, time: int) -> str:
        """Stretches of equal state up to ``time``: ``inactive 0s–4m, pending 5m–9m, firing 10m``."""
        stretches: list[tuple[str, int, int]] = []
        for evaluation in timeline.evaluations:
            if evaluation.time > time:
                break
            state = "error" if evaluation.error else evaluation.state
            if stretches and stretches[-1][0] == state:
                stretches[-1] = (state, stretches[-1][1], evaluation.time)
            else:
                stretches.append((state, evaluation.time, evaluation.time))
        return ", ".join(
            f"{state} {since(self.test, first)}" + (f"–{since(self.test, last)}" if last > first else "")
            for state, first, last in stretches
        )

    def values(self, expression: ast.Expr, time: int) -> list[str]:
        """What stands left of each comparison with a number, and whether it holds; else the whole answer."""
        found = [node for node in expression.walk() if _is_comparison(node)]
        lines: list[str] = []
        for node in found[:SHOWN_COMPARISONS]:
            assert isinstance(node, ast.BinaryOperation)
            lines += self._vector(node.left, time, node)
        return lines if found else self._vector(expression, time, None)

    def _vector(self, expression: ast.Expr, time: int, comparison: ast.BinaryOperation | None) -> list[str]:
        label = f"value at {since(self.test, time)}:"
        try:
            result = self.backend.query(str(expression), time=time)
        except QueryError as error:
            return [f"{label} error: {error.text.splitlines()[0]}"]
        except BackendError:
            # A real Loki cannot forget late lines that have arrived since.
            return []
        vector = result.vector if result.kind == "vector" else [({}, result.scalar or 0.0)]
        if not vector:
            return [f"{label} none{_compared(None, comparison)}"]
        rows = [
            f"{label} {format_labels(labels)} {format_value(value)}{_compared(value, comparison)}"
            for labels, value in vector[:SHOWN_SERIES]
        ]
        return rows + ([f"{label} … {len(vector) - SHOWN_SERIES} more"] if len(vector) > SHOWN_SERIES else [])

    def counted(self, log_range: ast.LogRange, time: int) -> list[str]:
        """The lines of a window, the last ones in full."""
        end = time - log_range.offset
        start = max(end - log_range.range + 1, 0)
        try:
            result = self.backend.query_range(
                str(log_range.log), start=start, end=end + 1, limit=COUNTED_LINES, direction="backward"
            )
        except BackendError:
            return []
        lines = sorted(
            ((item.timestamp, item.line) for _, items in result.streams for item in items), reverse=True
        )
        window = f"{since(self.test, start)}–{since(self.test, end)}"
        more = " or more" if len(lines) == COUNTED_LINES else ""
        rows = [f"counted: {len(lines)}{more} lines in {window} of {log_range.log}"]
        for timestamp, line in lines[:SHOWN_LINES]:
            text = line if len(line) <= LINE_WIDTH else line[: LINE_WIDTH - 1] + "…"
            rows.append(
                f"         {since(self.test, timestamp)}  {text!r}"
                if "\n" in text
                else f"         {since(self.test, timestamp)}  {text}"
            )
        return rows


def _is_comparison(node: ast.Node) -> bool:
    return (
        isinstance(node, ast.BinaryOperation)
        and node.operator in ast.COMPARISONS
        and isinstance(node.right, ast.Literal)
    )


def _compared(value: float | None, comparison: ast.BinaryOperation | None) -> str:
    if comparison is None:
        return ""
    assert isinstance(comparison.right, ast.Literal)
    number = comparison.right.value
    text = f"{comparison.operator} {format_value(number)}"
    if value is None:
        return f" (wanted: {text})"
    return f" {text}" if compare(comparison.operator, value, number) else f", not {text}"
