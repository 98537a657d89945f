"""Where the logs of a suite are on an endpoint: their tenant, a label that sets them apart, times moved to today.

A suite must not see the logs of another one.  An endpoint that keeps tenants apart has a tenant for each suite; on any
other, each stream gets one more label, each query one more matcher, and the label is taken out of the answers: it has
one value in a suite, so that nothing else can change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lokictl.durations import HOUR, MILLISECOND, SECOND
from lokictl.engine import LogStore
from lokictl.lazy import lazy_pattern
from lokictl.logql import ast, parse
from lokictl.logql.errors import LogQLError
from lokictl.logql.versions import DEFAULT
from lokictl.records import dataclass

Suite = dict[str, Any]
Query = dict[str, Any]

LABEL = "conformance_suite"
_TELLS_THE_TIME = lazy_pattern(r"__timestamp__|\bnow\b|\bdate\b|\bunix\w*|\btoDate\w*")


@dataclass(frozen=True, slots=True)
class Placement:
    """The place of one suite; ``label`` is the value of `LABEL` ("" for none), ``shift`` nanoseconds later."""

    tenant: str = ""
    label: str = ""
    shift: int = 0

    # --- on the way there ------------------------------------------------------------------------------------------

    def streams(self, suite: Suite) -> list[dict[str, Any]]:
        """The streams as they are pushed."""
        return [
            {
                "stream": self._labels(stream["labels"]),
                "values": [self._value(entry) for entry in stream["entries"]],
            }
            for stream in suite["streams"]
        ]

    def _labels(self, labels: dict[str, str]) -> dict[str, str]:
        return {**labels, LABEL: self.label} if self.label else labels

    def _value(self, entry: list[Any]) -> list[Any]:
        metadata = entry[2] if len(entry) > 2 else {}
        return [str(entry[0] + self.shift), entry[1], *([metadata] if metadata else [])]

    def expression(self, query: Query) -> str:
        """The query as it is asked."""
        text: str = query["expr"]
        if not self.label or str(query.get("error", "")).startswith("parse error"):
            return text
        try:
            expression = parse(text, version=DEFAULT)
        except LogQLError:
            return text
        starts = {selector.span.start for selector in expression.find_all(ast.StreamSelector)}
        for start in sorted(starts, reverse=True):
            text = f'{text[: start + 1]}{LABEL}="{self.label}", {text[start + 1 :]}'
        return text

    def cannot_ask(self, suite: Suite, query: Query) -> str:
        """Why a query of a suite cannot be asked here; "" where it can."""
        if self.label and _tells_the_label(query):
            return "shows all labels at once, or compares labels that only one side has"
        if not self.shift:
            return ""
        if _TELLS_THE_TIME.search(query["expr"]):
            return "shows the time of a line, and the times were moved"
        start = query.get("start", 0)
        at_the_edge = start == query.get("end") or start // MILLISECOND in _ends(suite)
        if query.get("resultType") == "streams" and at_the_edge:
            return "begins at the last line of a stream: Loki finds it in memory, and not in its store"
        return ""

    # --- on the way back -------------------------------------------------------------------------------------------

    def answer(self, data: dict[str, Any]) -> dict[str, Any]:
        """The ``data`` of an answer as it would be without this placement."""
        if not self.label and not self.shift:
            return data
        kind, result = data["resultType"], data["result"]
        if kind == "vector":
            result = [
                {**item, "metric": _without(item["metric"]), "value": self._sample(item["value"])}
                for item in result
            ]
        elif kind == "matrix":
            result = [
                {
                    **item,
                    "metric": _without(item["metric"]),
                    "values": [self._sample(sample) for sample in item["values"]],
                }
                for item in result
            ]
        elif kind == "streams":
            result = [
                {
                    **item,
                    "stream": _without(item["stream"]),
                    "values": [[str(int(value[0]) - self.shift), *value[1:]] for value in item["values"]],
                }
                for item in result
            ]
        return {**data, "result": result}

    def _sample(self, sample: list[Any]) -> list[Any]:
        if not self.shift:
            return sample
        return [round(sample[0] - self.shift / SECOND, 3), *sample[1:]]


def _without(labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name != LABEL}


# --- queries that see the label ------------------------------------------------------------------------------------

_ALL_LABELS = lazy_pattern(r"""\{\{[^}]*(?<![\w."])\.\s*(?:[|)]|-?\}\})""")
"""A template that reads all labels at once: ``{{.}}``, ``{{ . | toJson }}``, ``{{range $name, $value := .}}``."""
KEEPING = ("topk", "bottomk", "sort", "sort_desc", "approx_topk")
"""Vector aggregations whose results have the labels of their input."""


def _tells_the_label(query: Query) -> bool:
    """Whether a label more can change the answer beyond being in it."""
    if _ALL_LABELS.search(query["expr"]):
        return True
    try:
        expression = parse(query["expr"], version=DEFAULT)
    except LogQLError:
        return False
    return any(
        (node.matching is None or not node.matching.on) and _keeps(node.left) is not _keeps(node.right)
        for node in expression.find_all(ast.BinaryOperation)
        if None not in (_keeps(node.left), _keeps(node.right))
    )


def _keeps(node: ast.Node) -> bool | None:
    """Whether a vector has the labels of its streams; None for a number, and where that is open."""
    if isinstance(node, ast.RangeAggregation):
        kept = node.grouping is None or node.grouping.without
        return kept and not any(node.find_all(ast.KeepLabels))
    if isinstance(node, ast.VectorAggregation):
        return _keeps(node.inner) if node.operation in KEEPING or node.grouping.without else False
    if isinstance(node, ast.LabelReplace):
        return _keeps(node.inner)
    if isinstance(node, ast.BinaryOperation):
        left, right = _keeps(node.left), _keeps(node.right)
        if node.matching is not None and node.matching.on and node.matching.group is None:
            return False
        return right if left is None else left
    return None


# --- suites ----------------------------------------------------------------------------------------------------------


def shift_to(now: int, suite: Suite) -> int:
    """How far to move a suite so that its newest line is less than an hour old: whole hours, in nanoseconds."""
    newest = max(_times(suite), default=now)
    return (now - newest) // HOUR * HOUR


def counting(suite: Suite, placement: Placement) -> tuple[str, int, int]:
    """A query that counts the lines of a suite, when to ask it, and how many there are at least."""
    labels = [stream["labels"] for stream in suite["streams"]]
    times = list(_times(suite))
    store = LogStore()
    for pushed in suite["streams"]:
        store.push(pushed["labels"], pushed["entries"])
    start = store.reading_start(lambda stream: True)
    name = LABEL if placement.label else _common_label(labels)
    lines = {
        (stream.labels, entry.timestamp, entry.line) for stream in store for entry in stream.since(start)
    }
    matcher = f'{name}="{placement.label}"' if placement.label else f'{name}=~".+"'
    seconds = (max(times) - min(times)) // SECOND + 2
    return (
        f"sum(count_over_time({{{matcher}}}[{seconds}s]))",
        max(times) + placement.shift + SECOND - 1,
        len(lines) if name else 0,
    )


def _common_label(labels: list[dict[str, str]]) -> str:
    return next((name for name in sorted(labels[0]) if all(name in other for other in labels)), "")


def _ends(suite: Suite) -> set[int]:
    """The milliseconds of the last line of each stream that has earlier ones."""
    spans = [[entry[0] // MILLISECOND for entry in stream["entries"]] for stream in suite["streams"]]
    return {max(times) for times in spans if min(times) < max(times)}


def _times(suite: Suite) -> Iterator[int]:
    return (entry[0] for stream in suite["streams"] for entry in stream["entries"])


__all__ = ["LABEL", "Placement", "Query", "Suite", "counting", "shift_to"]
