"""Text that is not LogQL, and LogQL that this Loki, or a ruler, does not run."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from lokictl.diagnostics import Severity
from lokictl.engine.paths import json_path, logfmt_path
from lokictl.lint.interface import Finding, Query, QueryCheck, QueryKind
from lokictl.lint.logql.repairs import repair
from lokictl.logql import ast, versions
from lokictl.logql.cache import parse_cached
from lokictl.logql.errors import LogQLError, ParseError
from lokictl.logql.validation import compile_regex, consecutive_captures, split_pattern
from lokictl.templates import TemplateError, compile_label_template, compile_line_template

RULE_KINDS = (QueryKind.ALERT, QueryKind.RECORD)


class Syntax(QueryCheck):
    """Not LogQL; says where, and what was probably meant."""

    name = "logql/syntax"
    severity = Severity.ERROR
    summary = "text that is not LogQL, with its likely repair"
    only_errors = True

    def check(self, query: Query) -> Iterator[Finding]:
        error = query.error
        if error is None or not query.text.strip():
            return
        if any(found.is_syntax for found in query.filled.variables) and not _certain(query, error):
            return
        message = error.message if isinstance(error, ParseError) else str(error)
        yield self.finding(query.error_place, message, hint=_hint(query, error))


def _certain(query: Query, error: LogQLError) -> bool:
    """Whether the fault lies before the first variable, whose value can be any piece of syntax."""
    first = next((found for found in query.filled.variables if found.is_syntax), None)
    place = query.original(ast.Span(error.offset, error.offset)) if isinstance(error, ParseError) else None
    return first is not None and place is not None and 0 < place.start < first.span.start


def _hint(query: Query, error: LogQLError) -> str:
    cut = _cut_by_comment(query)
    if cut:
        return cut
    found = repair(query.text.strip(), error)
    if found is None:
        return ""
    if not found.text:
        return found.advice
    return f"{found.advice}; write: {found.text}"


def _cut_by_comment(query: Query) -> str:
    place = query.error_place
    unclosed = query.text.count('"') % 2 or query.text.count("`") % 2
    rest = place.source_line.partition(query.text.rstrip().rpartition("\n")[2])[2]
    if unclosed and rest.lstrip().startswith("#") and rest[:1] == " ":
        return "the query ends where ` #` begins a comment in YAML: write it as a block, `expr: |`"
    return ""


FAILING = (
    *(ast.LineFilter, ast.LabelFilterStage, ast.JsonParser, ast.LogfmtParser),
    *(ast.LineFormat, ast.LabelFormat),
)
"""Stages of which something is compiled when the query runs."""


class StageError(QueryCheck):
    """Accepted at upload, and failing at every evaluation."""

    name = "logql/stage-error"
    severity = Severity.ERROR
    summary = "a stage that Loki accepts and then fails on at every run"
    wants = ("ip", "|~", "!~", "|>", "!>", ast.Extraction, ast.LineFormat, ast.LabelFormat)

    def check(self, query: Query) -> Iterator[Finding]:
        for node in (node for kind in FAILING for node in query.nodes(kind)):
            for place, message in _stage_errors(query, node):
                hint = "Loki accepts this query and fails each time it runs"
                yield self.finding(query.place(place), message, hint=hint)


def _stage_errors(query: Query, node: ast.Node) -> Iterator[tuple[ast.Node, str]]:
    if isinstance(node, ast.LineFilter):
        yield from _line_filter_errors(query, node)
    elif isinstance(node, ast.LabelFilterStage) and isinstance(node.filter, ast.IpLabelFilter):
        if not query.has_variable(node.filter.pattern) and not _is_ip(node.filter.pattern):
            yield node, f'ip: invalid pattern: "{node.filter.pattern}"'
    elif isinstance(node, ast.JsonParser | ast.LogfmtParser):
        for item in node.extractions:
            message = "" if query.has_variable(item.path) else _path_error(node, item.path)
            if message:
                yield item, message
    elif isinstance(node, ast.LineFormat):
        if not query.has_variable(node.template):
            message = template_error(node.template, label=False)
            if message:
                yield node, f"invalid line template: {message}"
    elif isinstance(node, ast.LabelFormat):
        yield from _label_format_errors(query, node)


def _line_filter_errors(query: Query, node: ast.LineFilter) -> Iterator[tuple[ast.Node, str]]:
    operators = ast.LineFilterOperator
    for leg in node.legs:
        place = leg if leg.span.end else node
        if leg.is_ip:
            if node.operator not in (operators.CONTAINS, operators.NOT_CONTAINS):
                yield node, "ip: invalid operation: ip() goes with |= and != only"
            elif not query.has_variable(leg.value) and not _is_ip(leg.value):
                yield place, f'ip: invalid pattern: "{leg.value}"'
        elif node.operator in (operators.REGEX, operators.NOT_REGEX):
            message = "" if query.has_variable(leg.value) else compile_regex(leg.value)
            if message:
                yield place, message
        elif node.operator in (operators.PATTERN, operators.NOT_PATTERN):
            elements = split_pattern(leg.value)
            named = next((text for capture, text in elements if capture and text != "_"), "")
            together = consecutive_captures(elements)
            if named:
                yield place, f"named captures are not allowed in a pattern filter: found '<{named}>'"
            elif together:
                yield place, f"found consecutive capture '{together}': invalid expression"


def _is_ip(pattern: str) -> bool:
    first, dash, last = pattern.partition("-")
    try:
        if dash:
            low, high = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
            return low.version == high.version and int(low) <= int(high)
        if "/" in pattern:
            ipaddress.ip_network(pattern, strict=False)
        else:
            ipaddress.ip_address(pattern)
    except ValueError:
        return False
    return True


def _path_error(node: ast.JsonParser | ast.LogfmtParser, path: str) -> str:
    try:
        if isinstance(node, ast.JsonParser):
            json_path(path)
        else:
            logfmt_path(path)
    except ValueError as error:
        return str(error)
    return ""


def template_error(template: str, *, label: bool) -> str:
    """What Go says of a ``line_format`` or ``label_format`` template; "" when it parses."""
    if "{{" not in template:
        return ""
    try:
        (compile_label_template if label else compile_line_template)(template)
    except TemplateError as error:
        return str(error)
    return ""


def _label_format_errors(query: Query, node: ast.LabelFormat) -> Iterator[tuple[ast.Node, str]]:
    seen: set[str] = set()
    for item in node.items:
        if item.name == "__error__":
            yield item, "__error__ cannot be formatted"
        if item.name in seen:
            yield item, f"multiple label name '{item.name}' not allowed in a single format operation"
        seen.add(item.name)
        if item.is_template and not query.has_variable(item.value):
            message = template_error(item.value, label=True)
            if message:
                yield item, f"invalid template for label '{item.name}': {message}"


class LossyPrint(QueryCheck):
    """The ruler evaluates the printed form of an expression, and printing loses something here."""

    name = "logql/lossy-print"
    severity = Severity.WARNING
    summary = "an expression that the ruler evaluates as something else"
    query_kinds = RULE_KINDS

    def check(self, query: Query) -> Iterator[Finding]:
        # Everything else comes back as it was, and reading it again takes time.
        if query.expression is None or not _may_be_lost(query):
            return
        printed = str(query.expression)
        again = parse_cached(printed)
        if isinstance(again, LogQLError):
            message = f"the ruler prints this expression and reads it again, which fails: {again}"
            yield self.finding(query.place(), message, severity=Severity.ERROR, hint=f"it prints: {printed}")
        elif again != query.expression:
            changed = _first_difference(query.expression, again)
            message = f"the ruler evaluates this as `{changed[1]}`" if changed else "the ruler changes this"
            place = query.place(changed[0]) if changed else query.place()
            hint = "it prints and re-reads every expression; use a value that survives (1kB, 20kB, 5MB)"
            yield self.finding(place, message, hint=hint)


NAMED = frozenset(
    (
        *(ast.Matcher, ast.StringLabelFilter, ast.NumberLabelFilter, ast.DurationLabelFilter),
        *(ast.IpLabelFilter, ast.Extraction, ast.LabelFormatItem),
    )
)


def _may_be_lost(query: Query) -> bool:
    """Whether the printed form of an expression can differ from what it was."""
    names: list[str] = []
    nodes: Any
    for kind, nodes in query.nodes_by_class.items():
        if kind in NAMED:
            names += [node.name for node in nodes]
        elif kind is ast.Grouping:
            names += [name for node in nodes for name in node.labels]
        elif kind in (ast.BytesLabelFilter, ast.VectorFunction):
            return True
        elif kind is ast.Literal:
            if any(not math.isfinite(node.value) or str(node.value) == "-0.0" for node in nodes):
                return True
        elif kind is ast.VectorMatching and any(
            (not node.on and not node.labels) or (node.group and not node.include) for node in nodes
        ):
            return True
    return not all(name.isascii() and (name.isidentifier() or not name) for name in names)


def _first_difference(left: ast.Node, right: ast.Node) -> tuple[ast.Node, str] | None:
    """The smallest part that differs, and the text of what it becomes."""
    if left == right:
        return None
    ours, theirs = left.children(), right.children()
    if type(left) is type(right) and len(ours) == len(theirs):
        for mine, other in zip(ours, theirs, strict=True):
            found = _first_difference(mine, other)
            if found is not None:
                return found
    return left, str(right)


class Version(QueryCheck):
    """Syntax that the Loki named by ``loki-version`` does not have."""

    name = "logql/version"
    severity = Severity.WARNING
    summary = "syntax that the Loki of `loki-version` does not have"

    def check(self, query: Query) -> Iterator[Finding]:
        if query.expression is None:
            return
        version, found = self._version, False
        for behavior in self._lacking:
            assert behavior.find is not None
            for node in behavior.find(query.expression):
                found = True
                called = behavior.called(node) if behavior.called is not None else f"`{node}`"
                message = f"{called} needs Loki {behavior.since.minor_text}; this is for {version.minor_text}"
                if behavior.until is not None and version >= behavior.until:
                    message = f"Loki {version.minor_text} no longer has {called}"
                yield self.finding(query.place(node), message)
        if not found and self._is_another:
            yield from self._refused(query, version)

    @cached_property
    def _version(self) -> versions.LokiVersion:
        return versions.LokiVersion.of_minor(*self.workspace.loki_version)

    @cached_property
    def _is_another(self) -> bool:
        """Whether the version is not the one that the queries are parsed for."""
        return self._version[:2] != versions.target()[:2]

    @cached_property
    def _lacking(self) -> list[versions.Behavior]:
        """The syntax that the version does not have."""
        return [
            behavior
            for behavior in versions.BEHAVIORS
            if behavior.syntax and behavior.find is not None and not behavior.holds(self._version)
        ]

    def _refused(self, query: Query, version: versions.LokiVersion) -> Iterator[Finding]:
        """What no single part of the query shows, such as `!= "a" or "b"`, which is two filters once it is read."""
        error = parse_cached(query.filled.text, version)
        if isinstance(error, LogQLError):
            reason = str(error).split("\n")[0]
            yield self.finding(query.place(), f"Loki {version.minor_text} refuses this query: {reason}")


class DisabledFeature(QueryCheck):
    """What a default Loki refuses to run."""

    name = "logql/disabled-feature"
    severity = Severity.WARNING
    summary = "syntax that a default Loki refuses to run"
    wants = (ast.Variants, "approx_topk")

    def check(self, query: Query) -> Iterator[Finding]:
        for variants in query.nodes(ast.Variants):
            message = "`variants` is disabled in a default Loki: every run fails"
            hint = "the limit enable_multi_variant_queries turns it on"
            yield self.finding(query.place(variants), message, hint=hint)
        for node in query.nodes(ast.VectorAggregation):
            if node.operation == "approx_topk":
                message = "`approx_topk` fails unless `shard_aggregations` of the limits names it"
                hint = "`topk` needs no setting; `approx_topk` works in instant queries only"
                yield self.finding(query.place(node), message, hint=hint)


CHECKS = (Syntax, StageError, LossyPrint, Version, DisabledFeature)
