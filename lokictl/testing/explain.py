"""Why a rule was in the state it was in: its states over time, its last values, the lines that counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokictl.logql import LogQLError
from lokictl.logql import expressions as ast
from lokictl.logql.units import format_prometheus_duration, format_value
from lokictl.model import AlertingRule
from lokictl.testing.compare import since
from lokictl.testing.execution import Timeline
from lokictl.testing.labels import format_labels
from lokictl.testing.model import TestCase

if TYPE_CHECKING:
    from lokictl.backends import Backend

COMPARISONS = ("==", "!=", ">", ">=", "<", "<=")
SHOWN_SERIES = 5
SHOWN_LINES = 3
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
        for node in ast.walk(expression):
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
        """What stands left of the last comparison, and what it is compared with."""
        found = _comparison(expression)
        label = f"value at {since(self.test, time)}:"
        if found is None:
            return self._vector(expression, time, label, "")
        return self._vector(found.left, time, label, f"  ({found.operator} {found.right})")

    def _vector(self, expression: ast.Expr, time: int, label: str, compared: str) -> list[str]:
        from lokictl.backends import BackendError

        try:
            result = self.backend.query(str(expression), time=time)
        except BackendError as error:
            return [f"{label} error: {error.problems[0].message.splitlines()[0]}"]
        vector = result.vector if result.kind == "vector" else [({}, result.scalar or 0.0)]
        if not vector:
            return [f"{label} none{compared}"]
        rows = [
            f"{label} {format_labels(labels)} {format_value(value)}{compared}"
            for labels, value in vector[:SHOWN_SERIES]
        ]
        return rows + ([f"{label} … {len(vector) - SHOWN_SERIES} more"] if len(vector) > SHOWN_SERIES else [])

    def counted(self, log_range: ast.LogRange, time: int) -> list[str]:
        """The lines of a window, the last ones in full."""
        from lokictl.backends import BackendError

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


def _comparison(expression: ast.Expr) -> ast.BinaryOperation | None:
    """The outermost comparison with a number."""
    if isinstance(expression, ast.BinaryOperation):
        if expression.operator in COMPARISONS and isinstance(expression.right, ast.Literal):
            return expression
        return None
    return None
