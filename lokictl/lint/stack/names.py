"""Labels and fields that no collector sets and no service writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lokictl.diagnostics import Severity, suggestion
from lokictl.lint.dashboard_json import as_dict, as_list
from lokictl.lint.findings import place_in
from lokictl.lint.interface import Finding, Place, Query, Workspace, WorkspaceCheck
from lokictl.lint.more_queries import label_value_variables, rule_test_streams
from lokictl.lint.schema import AUTOMATIC, Pipeline, Schema, Use, sanitized
from lokictl.logql import ast
from lokictl.logql.grafana_variables import STAND_IN
from lokictl.model import Service


class UnknownLabel(WorkspaceCheck):
    name = "stack/unknown-label"
    severity = Severity.ERROR
    summary = "a stream selector with a label that no service has"
    needs_services = True
    options = {"labels": []}

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        schema = workspace.schema
        known = {*schema.labels, *AUTOMATIC, *map(str, self.settings["labels"])}
        for query in workspace.all_queries:
            for matcher in query.nodes(ast.Matcher):
                if self._in_selector(query, matcher) and not _is_known(matcher.name, known):
                    yield self.finding(
                        query.place(matcher),
                        f'no service has the stream label "{matcher.name}", so this selects nothing',
                        hint=self._hint(matcher, schema, known),
                        item=query.item,
                    )
        yield from self._elsewhere(workspace, schema, known)

    def _in_selector(self, query: Query, matcher: ast.Matcher) -> bool:
        return any(matcher in selector.matchers for selector in query.nodes(ast.StreamSelector))

    def _hint(self, matcher: ast.Matcher, schema: Schema, known: Iterable[str]) -> str:
        fields = {sanitized(item.name) for service in schema.services for item in service.fields}
        if matcher.name in fields:
            return f"{matcher.name} is a field of the line: read it after a parser, | json | {matcher}"
        return suggestion(matcher.name, known, f"stream labels: {', '.join(sorted(schema.labels))}")

    def _elsewhere(self, workspace: Workspace, schema: Schema, known: set[str]) -> Iterator[Finding]:
        """Labels named by variables, by the tags of trace links, and by the streams of tests."""
        for dashboard in workspace.dashboards:
            for path, entry, _, found in label_value_variables(dashboard):
                if not _is_known(found["label"], known):
                    place = dashboard.text_place((*path, "query"), found.start("label"), found.end("label"))
                    item = f"{dashboard.item}, variable {entry.get('name')}"
                    yield self._other(
                        place,
                        f'no service has the stream label "{found["label"]}"',
                        found["label"],
                        known,
                        item,
                    )
        for source in workspace.datasources:
            link = as_dict(as_dict(source.data.get("jsonData")).get("tracesToLogsV2"))
            for index, tag in enumerate(as_list(link.get("tags"))):
                name = str(as_dict(tag).get("value") or as_dict(tag).get("key") or "").replace(".", "_")
                if name and not _is_known(name, known):
                    place = source.place("jsonData", "tracesToLogsV2", "tags", index)
                    message = f'spans are looked up by the stream label "{name}", which no service has'
                    yield self._other(place, message, name, known, source.item)
        for document in workspace.rule_tests:
            for path, stream in rule_test_streams(document):
                labels = as_dict(stream.get("labels"))
                if not any(labels.get("service") == service.name for service in schema.services):
                    continue
                for name in labels:
                    if not _is_known(str(name), known):
                        place = place_in(document, document.position(*path, "labels", str(name), key=True))
                        message = f'the stream has a label "{name}", which no service has'
                        yield self._other(place, message, str(name), known, "rule test")

    def _other(self, place: Place, message: str, name: str, known: set[str], item: str) -> Finding:
        hint = suggestion(name, known, f"stream labels: {', '.join(sorted(known - AUTOMATIC))}")
        return self.finding(place, message, hint=hint, severity=Severity.WARNING, item=item)


def _is_known(name: str, known: Iterable[str]) -> bool:
    return name in known or name.startswith((STAND_IN, "__"))


class UnknownField(WorkspaceCheck):
    name = "stack/unknown-field"
    severity = Severity.WARNING
    summary = "a name that no service writes and the query does not make"
    needs_services = True
    options = {"fields": []}

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        extra = tuple(map(str, self.settings["fields"]))
        for query in workspace.all_queries:
            for pipeline in workspace.pipelines(query, extra):
                for use in pipeline.uses:
                    if pipeline.services and not use.names.has(use.name):
                        yield self._unknown(query, use)
            yield from self._groupings(workspace, query, extra)

    def _unknown(self, query: Query, use: Use) -> Finding:
        fields = {sanitized(item.name) for service in use.services for item in service.fields}
        names = ", ".join(service.name for service in use.services)
        if use.name in fields:
            how = "| json" if all(service.line_format == "json" for service in use.services) else "| logfmt"
            return self.finding(
                query.place(use.node),
                f'"{use.name}" is a field of the line, and nothing has read the line yet',
                hint=f"put a parser before it: {how}",
                item=query.item,
            )
        return self.finding(
            query.place(use.node),
            f'no line of {names} has a field "{use.name}"',
            hint=suggestion(
                use.name,
                {*fields, *use.names.labels, *use.names.made},
                f"fields: {', '.join(sorted(fields))}",
            ),
            item=query.item,
        )

    def _groupings(self, workspace: Workspace, query: Query, extra: tuple[str, ...]) -> Iterator[Finding]:
        """Names in by (…) that nothing below can have."""
        below: tuple[Pipeline, ...] = workspace.pipelines(query, extra)
        if not below or any(not pipeline.services for pipeline in below) or query.nodes(ast.LabelReplace):
            return
        services = tuple(dict.fromkeys(service for pipeline in below for service in pipeline.services))
        for grouping in query.nodes(ast.Grouping):
            if grouping.without or query.has_variable(query.written(grouping)):
                continue
            for name in grouping.labels:
                if any(pipeline.end.has(name) for pipeline in below):
                    continue
                yield self._grouped(query, grouping, name, services, any(item.end.parsed for item in below))

    def _grouped(
        self, query: Query, grouping: ast.Grouping, name: str, services: tuple[Service, ...], parsed: bool
    ) -> Finding:
        fields = {sanitized(item.name) for service in services for item in service.fields}
        labels = {label.name for service in services for label in service.labels}
        if name in fields and not parsed:
            message = f'"{name}" is a field of the line, but nothing reads the line: the group is empty'
            hint = "put a parser into the pipeline: | json"
        else:
            message = f'nothing here has a label "{name}": everything falls into one group without it'
            hint = suggestion(name, fields | labels, f"labels: {', '.join(sorted(labels))}")
        return self.finding(query.place(grouping), message, hint=hint, item=query.item)
