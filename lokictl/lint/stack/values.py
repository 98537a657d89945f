"""Values that cannot occur, and comparisons of the wrong kind."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lokictl.diagnostics import Severity, did_you_mean, nearest
from lokictl.lazy import lazy_pattern
from lokictl.lint.dashboard_json import as_dict
from lokictl.lint.findings import place_in
from lokictl.lint.interface import Finding, Query, Workspace, WorkspaceCheck
from lokictl.lint.more_queries import rule_test_streams
from lokictl.lint.schema import Pipeline, Schema, Use, matcher_test
from lokictl.logql import ast
from lokictl.logql.ast import MatchOperator
from lokictl.logql.grafana_variables import holds_variable
from lokictl.model import FieldType

NUMBER = lazy_pattern(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class ImpossibleValue(WorkspaceCheck):
    name = "stack/impossible-value"
    severity = Severity.ERROR
    summary = "a comparison with a value that the label or field cannot have"
    needs_services = True
    options = {"values": {}}

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        schema = workspace.schema
        for query in workspace.all_queries:
            for pipeline in workspace.pipelines(query):
                yield from self._selector(query, pipeline, schema)
                for use in pipeline.uses:
                    yield from self._filter(query, use, schema)
        yield from self._tests(workspace, schema)

    def _values(self, name: str, known: frozenset[str]) -> frozenset[str]:
        own = self.settings["values"].get(name, [])
        return known | frozenset(map(str, own if isinstance(own, list) else [own]))

    def _selector(self, query: Query, pipeline: Pipeline, schema: Schema) -> Iterator[Finding]:
        possible = True
        for matcher in pipeline.log.selector.matchers:
            values = schema.labels.get(matcher.name)
            if values is None or query.has_variable(query.written(matcher)):
                continue
            wrong = self._wrong(matcher.operator, matcher.value, self._values(matcher.name, values))
            if wrong:
                possible = False
                yield self._finding(query, matcher, f'the label "{matcher.name}"', wrong, values)
        if possible and not pipeline.services and self._all_known(pipeline, schema):
            yield self.finding(
                query.place(pipeline.log.selector),
                "each of these labels exists, but no service has them all: this selects nothing",
                hint="compare with the services' labels: " + self._services(pipeline, schema),
                item=query.item,
            )

    def _all_known(self, pipeline: Pipeline, schema: Schema) -> bool:
        own = set(self.settings["values"])
        return all(
            matcher.name in schema.labels and matcher.name not in own
            for matcher in pipeline.log.selector.matchers
        )

    def _services(self, pipeline: Pipeline, schema: Schema) -> str:
        names = [matcher.name for matcher in pipeline.log.selector.matchers]
        texts = []
        for service in schema.services[:4]:
            own = {label.name: "|".join(label.values) for label in service.labels}
            pairs = ", ".join(f"{name}={own.get(name, 'none')}" for name in names)
            texts.append(f"{service.name} has {pairs}")
        return "; ".join(texts)

    def _filter(self, query: Query, use: Use, schema: Schema) -> Iterator[Finding]:
        node = use.node
        if (
            not isinstance(node, ast.StringLabelFilter)
            or use.is_own
            or query.has_variable(query.written(node))
        ):
            return
        fields = use.fields()
        known: frozenset[str] = frozenset()
        if fields and use.names.has(use.name):
            if any(not item.values and item.type != FieldType.BOOLEAN for item in fields):
                return
            for item in fields:
                known |= frozenset(item.values or ("true", "false"))
        elif use.name in use.names.labels and schema.labels.get(use.name):
            known = schema.labels[use.name] or frozenset()
        if not known:
            return
        wrong = self._wrong(node.operator, node.value, self._values(use.name, known))
        if wrong:
            yield self._finding(query, node, f'"{use.name}"', wrong, known)

    def _wrong(self, operator: MatchOperator, value: str, values: frozenset[str]) -> str:
        """The value (or the part of a regular expression) that cannot occur; "" when all is well."""
        if not values or value == "" or holds_variable(value):
            return ""
        if operator in (MatchOperator.EQUAL, MatchOperator.NOT_EQUAL):
            return "" if value in values else value
        test = matcher_test(MatchOperator.REGEX, value)
        if any(test(known) for known in values):
            legs = value.split("|") if re.fullmatch(r"[\w-]+(\|[\w-]+)+", value) else []
            return next((leg for leg in legs if leg not in values), "")
        return "" if test("") else value

    def _finding(
        self,
        query: Query,
        node: ast.Matcher | ast.StringLabelFilter,
        what: str,
        wrong: str,
        values: frozenset[str],
    ) -> Finding:
        shown = ", ".join(sorted(values)[:12])
        negative = node.operator in (MatchOperator.NOT_EQUAL, MatchOperator.NOT_REGEX)
        effect = ": this excludes nothing" if negative else ": this matches nothing"
        is_part = wrong != node.value
        if is_part:
            effect = f" (one of the values of {node.value})"
        guess = nearest(wrong, values)
        return self.finding(
            query.place(node),
            f'{what} can never be "{wrong}"{effect}',
            hint=f"{did_you_mean(guess)} It can be {shown}" if guess else f"it can be {shown}",
            severity=Severity.WARNING if negative or is_part else None,
            item=query.item,
        )

    def _tests(self, workspace: Workspace, schema: Schema) -> Iterator[Finding]:
        for document in workspace.rule_tests:
            for path, stream in rule_test_streams(document):
                labels = as_dict(stream.get("labels"))
                service = next((item for item in schema.services if item.name == labels.get("service")), None)
                for label in service.labels if service is not None else ():
                    value = labels.get(label.name)
                    if value is not None and label.values and str(value) not in label.values:
                        yield self.finding(
                            place_in(document, document.position(*path, "labels", label.name)),
                            f'{label.name} of {labels["service"]} can never be "{value}": the test cannot match',
                            hint=f"it can be {', '.join(label.values)}",
                            severity=Severity.WARNING,
                            item="rule test",
                        )


class NumberAsText(WorkspaceCheck):
    name = "stack/number-as-text"
    severity = Severity.INFO
    summary = "a number compared as a string, or a string compared as a number"
    needs_services = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        for query in workspace.all_queries:
            for pipeline in workspace.pipelines(query):
                for use in pipeline.uses:
                    yield from self._use(query, use)

    def _use(self, query: Query, use: Use) -> Iterator[Finding]:
        node, types = use.node, use.types()
        if isinstance(node, ast.StringLabelFilter) and types == {FieldType.NUMBER} and node.value:
            if node.operator not in (MatchOperator.EQUAL, MatchOperator.NOT_EQUAL) or holds_variable(
                node.value
            ):
                return
            number = NUMBER.fullmatch(node.value) is not None
            operator = "==" if node.operator == MatchOperator.EQUAL else "!="
            yield self.finding(
                query.place(node),
                f'"{use.name}" is a number, but compared as a string here'
                + (": 5.0 is not 5" if number else f': it can never be "{node.value}"'),
                hint=f"{use.name} {operator} {node.value}" if number else "compare it with a number",
                severity=None if number else Severity.WARNING,
                item=query.item,
            )
        elif isinstance(node, ast.NumberLabelFilter) and types == {FieldType.STRING}:
            values = [value for item in use.fields() for value in item.values]
            if values and not any(NUMBER.fullmatch(value) for value in values):
                yield self.finding(
                    query.place(node),
                    f'"{use.name}" is a string ({", ".join(values[:5])}): compared with a number, '
                    "every line has an error",
                    hint=f'compare it as text: {use.name}="{values[0]}"',
                    severity=Severity.WARNING,
                    item=query.item,
                )


MEASURES = {
    FieldType.DURATION: ("a duration with its unit", "5s"),
    FieldType.BYTES: ("a size with its unit", "5KB"),
}


class DurationWithoutUnit(WorkspaceCheck):
    name = "stack/duration-without-unit"
    severity = Severity.ERROR
    summary = "a duration or size compared with a plain number"
    needs_services = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        for query in workspace.all_queries:
            for pipeline in workspace.pipelines(query):
                for use in pipeline.uses:
                    kind = next(iter(use.types()), None) if len(use.types()) == 1 else None
                    if kind in MEASURES:
                        yield from self._use(query, use, kind)

    def _use(self, query: Query, use: Use, kind: FieldType) -> Iterator[Finding]:
        node, (what, example) = use.node, MEASURES[kind]
        if isinstance(node, ast.NumberLabelFilter) and kind == FieldType.DURATION:
            yield self.finding(
                query.place(node),
                f'"{use.name}" is {what}: compared with {node.value:g}, every line has an error, and none is dropped',
                hint=f"write the unit: {use.name} {node.operator} {example}",
                item=query.item,
            )
        elif isinstance(node, ast.Unwrap) and node.conversion is None:
            function = "duration" if kind == FieldType.DURATION else "bytes"
            yield self.finding(
                query.place(node),
                f'"{use.name}" is {what}, which is not a number: every line has an error',
                hint=f"| unwrap {function}({use.name})",
                item=query.item,
            )
        elif _is_other_measure(node, kind):
            yield self.finding(
                query.place(node),
                f'"{use.name}" is {what}, here compared with something else',
                hint=f"compare it with {example}",
                item=query.item,
            )


def _is_other_measure(node: ast.Node, kind: FieldType) -> bool:
    if isinstance(node, ast.Unwrap):
        wanted = {FieldType.DURATION: ("duration", "duration_seconds"), FieldType.BYTES: ("bytes",)}[kind]
        return node.conversion not in wanted
    other = ast.BytesLabelFilter if kind == FieldType.DURATION else ast.DurationLabelFilter
    return isinstance(node, other)


class UnitOnNumber(WorkspaceCheck):
    name = "stack/unit-on-number"
    severity = Severity.ERROR
    summary = "a plain number compared with a duration"
    needs_services = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        for query in workspace.all_queries:
            for pipeline in workspace.pipelines(query):
                for use in pipeline.uses:
                    if use.types() == {FieldType.NUMBER}:
                        yield from self._use(query, use)

    def _use(self, query: Query, use: Use) -> Iterator[Finding]:
        node = use.node
        unit = next((item.unit for item in use.fields() if item.unit), "")
        if isinstance(node, ast.DurationLabelFilter):
            factor = {"ms": 1_000_000, "s": 1_000_000_000, "µs": 1_000, "ns": 1}.get(unit)
            number = f"{node.value / factor:g}" if factor else "a number"
            yield self.finding(
                query.place(node),
                f'"{use.name}" is a plain number{f" ({unit})" if unit else ""}, not a duration with a unit: '
                "every line has an error, and none is dropped",
                hint=f"{use.name} {node.operator} {number}",
                item=query.item,
            )
        elif isinstance(node, ast.Unwrap) and node.conversion in ("duration", "duration_seconds"):
            yield self.finding(
                query.place(node),
                f'"{use.name}" is a plain number{f" ({unit})" if unit else ""}: '
                f"{node.conversion}(…) fails on every line",
                hint=f"| unwrap {use.name}",
                item=query.item,
            )


class WrongParser(WorkspaceCheck):
    name = "stack/wrong-parser"
    severity = Severity.WARNING
    summary = "a parser for another format than the service writes"
    needs_services = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        for query in workspace.all_queries:
            for pipeline in workspace.pipelines(query):
                formats = {service.line_format for service in pipeline.services}
                if len(formats) != 1 or len(pipeline.parsers) != 1:
                    continue
                (written,), (parser,) = formats, pipeline.parsers
                wrong = (written == "json" and isinstance(parser, ast.LogfmtParser)) or (
                    written == "logfmt" and isinstance(parser, ast.JsonParser)
                )
                if wrong:
                    names = ", ".join(service.name for service in pipeline.services)
                    yield self.finding(
                        query.place(parser),
                        f"{names} writes {written}, which this parser does not read",
                        hint=f"| {written}",
                        item=query.item,
                    )
