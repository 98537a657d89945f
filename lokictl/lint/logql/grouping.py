"""Labels that a grouping drops, that never match, or that are too many."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from lokictl.diagnostics import Severity
from lokictl.lint.interface import Finding, Query, QueryCheck, QueryKind
from lokictl.logql import ast, semantics

RULE_KINDS = (QueryKind.ALERT, QueryKind.RECORD)
HIGH_CARDINALITY = (
    *("ip", "client_ip", "remote_addr", "remote_ip", "source_ip", "src_ip", "user_id", "userid", "email"),
    *("trace_id", "traceid", "span_id", "spanid", "request_id", "requestid", "req_id", "session_id"),
    *("correlation_id", "transaction_id", "message_id", "order_id", "uuid", "guid", "url", "uri", "path"),
    *("request_uri", "request_path", "query_string", "user_agent", "msg", "message", "timestamp", "ts"),
)


class LabelsNeverMatch(QueryCheck):
    """Two sides whose labels differ."""

    name = "logql/labels-never-match"
    severity = Severity.WARNING
    summary = "two sides of an operation whose labels cannot be equal"
    wants = (ast.BinaryOperation,)

    def check(self, query: Query) -> Iterator[Finding]:
        for node in query.nodes(ast.BinaryOperation):
            if node.operator == "or" or semantics.is_scalar(node.left) or semantics.is_scalar(node.right):
                continue
            left, right = semantics.labels_of(node.left), semantics.labels_of(node.right)
            if node.matching is None:
                yield from self._unmatched(query, node, left, right)
            elif node.matching.on:
                for name in node.matching.labels:
                    if left.lacks(name) != right.lacks(name):
                        side = "left" if left.lacks(name) else "right"
                        message = f"`{name}` of on(…) does not exist on the {side} side: nothing matches"
                        yield self.finding(query.place(node), message, hint=f"group that side by {name}")

    def _unmatched(
        self, query: Query, node: ast.BinaryOperation, left: semantics.Labels, right: semantics.Labels
    ) -> Iterator[Finding]:
        if left.open or right.open or left.names == right.names:
            return
        ours, theirs = (_listed(side.names) for side in (left, right))
        message = f"the left side has {ours}, the right side {theirs}: without on(…) nothing matches"
        shared = ", ".join(sorted(left.names & right.names))
        hint = f"match on what they share: on ({shared})" if left.names or right.names else ""
        if len(left.names) != len(right.names):
            hint += " group_left ()" if len(left.names) > len(right.names) else " group_right ()"
        yield self.finding(query.place(node), message, hint=hint)


def _listed(names: frozenset[str]) -> str:
    if not names:
        return "no labels"
    return f"the label{'s' if len(names) > 1 else ''} {', '.join(sorted(names))}"


class GroupingMissingLabel(QueryCheck):
    """A label that the inner expression has dropped."""

    name = "logql/grouping-missing-label"
    severity = Severity.WARNING
    summary = "grouping by a label that is not there any more"
    needs = (ast.VectorAggregation, "by")

    def check(self, query: Query) -> Iterator[Finding]:
        for node in query.nodes(ast.VectorAggregation):
            if node.grouping.without or not node.grouping.labels:
                continue
            inner = semantics.labels_of(node.inner)
            for name in node.grouping.labels:
                if inner.lacks(name):
                    kept = ", ".join(sorted(inner.names)) or "none"
                    message = f"`{name}` is not there any more: the inner expression keeps {kept}"
                    place = node.grouping if node.grouping.span.end else node
                    yield self.finding(query.place(place), message, hint=f"keep {name} inside, too")


class HighCardinality(QueryCheck):
    """A group for each user, path or request."""

    name = "logql/high-cardinality-grouping"
    severity = Severity.INFO
    summary = "a rule that groups by a label with very many values"
    query_kinds = RULE_KINDS
    wants = ("by",)
    options = {"labels": list(HIGH_CARDINALITY)}

    @cached_property
    def _known(self) -> frozenset[str]:
        """What the services say; the setting is for those who have none."""
        if not self.workspace.services:
            return frozenset(self.settings["labels"])
        return frozenset(
            field.name
            for service in self.workspace.services
            for field in service.fields
            if field.high_cardinality
        )

    def check(self, query: Query) -> Iterator[Finding]:
        for grouping in query.nodes(ast.Grouping):
            for name in grouping.labels if not grouping.without else ():
                if (name if self.workspace.services else name.lower()) in self._known:
                    message = f"`{name}` can have very many values: above 500 series Loki fails the query"
                    hint = "group by something bounded, or filter first so that few values are left"
                    yield self.finding(query.place(grouping), message, hint=hint)


class TopkInAlert(QueryCheck):
    """The members of a top list change."""

    name = "logql/topk-in-alert"
    severity = Severity.WARNING
    summary = "`topk` in an alert, whose members change from evaluation to evaluation"
    query_kinds = (QueryKind.ALERT,)
    wants = ("topk", "bottomk", "approx_topk", "sort", "sort_desc")

    def check(self, query: Query) -> Iterator[Finding]:
        for node in query.nodes(ast.VectorAggregation):
            if node.operation in ("topk", "bottomk", "approx_topk"):
                message = (
                    f"the members of `{node.operation}` change, and with each change alerts end and begin"
                )
                yield self.finding(query.place(node), message, hint="compare with a threshold instead")
            elif node.operation in ("sort", "sort_desc"):
                message = f"`{node.operation}` has no effect on an alert"
                yield self.finding(query.place(node), message, severity=Severity.INFO, hint="remove it")


class VectorZero(QueryCheck):
    """``sum by (x)(…) or vector(0)`` adds a series without labels."""

    name = "logql/vector-zero"
    severity = Severity.WARNING
    summary = "`or vector(0)` behind a grouped expression, which always adds a series"
    needs = (ast.VectorFunction, "or")

    def check(self, query: Query) -> Iterator[Finding]:
        wrapped = {
            id(node.inner)
            for node in query.nodes(ast.VectorAggregation)
            if not node.grouping.labels and not node.grouping.without
        }
        for node in query.nodes(ast.BinaryOperation):
            if node.operator != "or" or not isinstance(node.right, ast.VectorFunction) or id(node) in wrapped:
                continue
            labels = semantics.labels_of(node.left)
            if labels.open or labels.names:
                message = "`or vector(…)` adds a series without labels even where there is data"
                hint = "it fits expressions without labels only: sum(…) or vector(0)"
                severity = None if query.kind in RULE_KINDS else Severity.INFO
                yield self.finding(query.place(node.right), message, hint=hint, severity=severity)


class UnusedModifier(QueryCheck):
    """``bool`` on arithmetic, ``group_left`` on a set operation."""

    name = "logql/unused-modifier"
    severity = Severity.WARNING
    summary = "a modifier that its operator ignores"
    wants = ("bool", "group_left", "group_right")

    def check(self, query: Query) -> Iterator[Finding]:
        for node in query.nodes(ast.BinaryOperation):
            if node.return_bool and node.operator not in ast.COMPARISONS:
                message = f"`bool` has no effect on `{node.operator}`"
                yield self.finding(query.place(node), message, hint="it belongs to comparisons")
            if node.operator in ast.SET_OPERATORS and node.matching is not None and node.matching.group:
                message = f"`group_{node.matching.group}` has no effect on `{node.operator}`"
                yield self.finding(query.place(node), message, hint="remove it")


CHECKS = (
    *(LabelsNeverMatch, GroupingMissingLabel, HighCardinality),
    *(TopkInAlert, VectorZero, UnusedModifier),
)
