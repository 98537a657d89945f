"""From logs to traces to metrics and back: links, correlations, derived fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import Severity, suggestion
from lokictl.lazy import lazy, lazy_pattern
from lokictl.lint.datasource_json import (
    LOGS,
    METRICS,
    TRACING,
    as_dict,
    as_list,
    compiled,
    derived_fields,
    links,
    read,
    settings,
)
from lokictl.lint.interface import DataSourceCheck, DataSourceItem, Finding, Workspace, WorkspaceCheck
from lokictl.logql.errors import LogQLError
from lokictl.logql.regex import parse_regex

if TYPE_CHECKING:
    from lokictl import sample
else:
    # Only a project with derived fields needs samples.
    sample = lazy("lokictl.sample")


class UnknownDataSource(DataSourceCheck):
    name = "datasource/unknown-datasource"
    severity = Severity.ERROR
    summary = "a link to a data source that does not exist"

    def check(self, datasource: DataSourceItem) -> Iterator[Finding]:
        known = {
            str(item.data.get("uid")): item for item in self.workspace.datasources if item.data.get("uid")
        }
        project = self.workspace.project
        if project is not None:
            known |= {source.uid: datasource for source in project.datasources}
        for link in links(datasource):
            if link.uid in known:
                continue
            nameless = self._nameless(link.uid)
            if nameless is None and link.uid in self._beside(datasource):
                continue
            otherwise = f"known: {', '.join(sorted(known)) or 'none'}"
            if nameless is not None:
                otherwise = f'the data source "{nameless.name}" here has no uid: give it uid: {link.uid}'
            yield self.finding(
                datasource.place(*link.path),
                f'"{datasource.name}" links to a data source with the uid "{link.uid}" ({link.purpose}), '
                "which does not exist here",
                hint=suggestion(link.uid, known, otherwise) if nameless is None else otherwise,
                severity=self._certainty(nameless),
            )

    def _certainty(self, nameless: DataSourceItem | None) -> Severity:
        """In a project everything is known; of plain files, the others may be elsewhere."""
        if self.workspace.project is not None:
            return Severity.ERROR
        return (
            Severity.WARNING if nameless is not None or len(self.workspace.datasources) > 1 else Severity.INFO
        )

    def _nameless(self, uid: str) -> DataSourceItem | None:
        """The data source without a uid that a link probably means."""
        for item in self.workspace.datasources:
            if not item.data.get("uid") and uid.lower() in (
                item.name.lower(),
                str(item.data.get("type")).lower(),
            ):
                return item
        return None

    def _beside(self, datasource: DataSourceItem) -> frozenset[str]:
        """The uids in the other files of the folder: Grafana reads them all."""
        return uids_in(str(FilePath(datasource.file).parent)) if datasource.file else frozenset()


MAX_FILES = 100
_UID_LINE = lazy_pattern(r"""^\s*(?:-\s*)?uid:\s*["']?([\w-]+)|[{,]\s*uid:\s*["']?([\w-]+)""", re.MULTILINE)


@lru_cache(maxsize=256)
def uids_in(folder: str) -> frozenset[str]:
    """Every ``uid:`` in the YAML files of a folder."""
    found: set[str] = set()
    files = [file for file in FilePath(folder).glob("*.y*ml") if file.is_file()]
    for file in sorted(files)[:MAX_FILES]:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        found |= {match[1] or match[2] for match in _UID_LINE.finditer(text)}
    return frozenset(found)


class IncompleteLoop(WorkspaceCheck):
    name = "datasource/incomplete-loop"
    severity = Severity.WARNING
    summary = "a link from one data source to another without a link back"

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        by_uid = {str(item.data.get("uid")): item for item in workspace.datasources}
        legs = {
            (source, target)
            for source, item in by_uid.items()
            for target in (link.uid for link in links(item) if link.purpose != "alerts")
            if target in by_uid
        }
        severity = None if workspace.project is not None else Severity.INFO
        for source, target in sorted(legs):
            back = _ways_back(by_uid[source], by_uid[target])
            if back and (target, source) not in legs:
                yield self.finding(
                    by_uid[target].place("jsonData"),
                    f'"{by_uid[source].name}" links to "{by_uid[target].name}", but nothing links back',
                    hint=f'add {back} to "{by_uid[target].name}", with the uid "{source}"',
                    severity=severity,
                    item=by_uid[target].item,
                )


def _ways_back(source: DataSourceItem, target: DataSourceItem) -> str:
    """The setting of ``target`` that would lead back; "" without one to expect."""
    kinds = (_kind(source), _kind(target))
    return {
        ("logs", "traces"): "tracesToLogsV2",
        ("metrics", "traces"): "tracesToMetrics",
        ("traces", "logs"): "derivedFields",
        ("traces", "metrics"): "exemplarTraceIdDestinations",
    }.get(kinds, "")


def _kind(source: DataSourceItem) -> str:
    kind = source.data.get("type")
    if kind in TRACING:
        return "traces"
    return {LOGS: "logs", METRICS: "metrics"}.get(str(kind), "")


class DerivedField(DataSourceCheck):
    name = "datasource/derived-field"
    severity = Severity.ERROR
    summary = "a derived field that gives no link"

    def check(self, datasource: DataSourceItem) -> Iterator[Finding]:
        first: dict[str, Mapping[str, Any]] = {}
        for path, entry in derived_fields(datasource):
            name, text = str(entry.get("name") or ""), entry.get("matcherRegex")
            is_label = entry.get("matcherType") == "label"
            if not isinstance(text, str) or not text:
                yield self.finding(
                    datasource.place(*path), f'the derived field "{name}" has no matcherRegex', hint="add one"
                )
                continue
            pattern = compiled(read(text))
            place = datasource.place(*path, "matcherRegex")
            if pattern is None and _go_refuses(read(text)):
                yield self.finding(place, f'invalid matcherRegex in the derived field "{name}": {text}')
            elif pattern is not None and not is_label and pattern.groups == 0:
                yield self.finding(
                    place,
                    f'the regular expression of "{name}" has no group: the group is the value of the field',
                    hint=r"put what the link needs into parentheses: trace_id=(\w+)",
                )
            elif is_label and not text.startswith("^"):
                yield self.finding(
                    place,
                    f'"{text}" is found anywhere in a label\'s name: the first label that fits gives the value',
                    hint=f"anchor it: ^{text.removesuffix('$')}$$",
                    severity=Severity.INFO,
                )
            same = first.setdefault(name, entry)
            if same is not entry and (same.get("matcherRegex"), same.get("matcherType")) != (
                text,
                entry.get("matcherType"),
            ):
                yield self.finding(
                    place,
                    f'there is another derived field "{name}": only the matcher of the first one counts',
                    hint="give it another name",
                    severity=Severity.WARNING,
                )


def _go_refuses(pattern: str) -> bool:
    try:
        parse_regex(pattern)
    except LogQLError:
        return True
    return False


class DerivedFieldWithoutMatch(DataSourceCheck):
    name = "datasource/derived-field-without-match"
    severity = Severity.WARNING
    summary = "a derived field that finds nothing in the sample lines of any service"
    needs_services = True

    def check(self, datasource: DataSourceItem) -> Iterator[Finding]:
        for path, entry in derived_fields(datasource):
            text = entry.get("matcherRegex")
            pattern = compiled(read(text)) if isinstance(text, str) else None
            if pattern is None:
                continue
            if entry.get("matcherType") == "label":
                names = {
                    name
                    for item in self.workspace.services
                    for name in (*item.label_names, *item.field_names)
                }
                if not any(pattern.search(name) for name in names):
                    word = read(str(text)).strip("^$")
                    yield self.finding(
                        datasource.place(*path, "matcherRegex"),
                        f'no service has a label or field that "{text}" finds',
                        hint=suggestion(word, names, "use the name of a label or field", '"^{}$$"'),
                    )
            elif not any(pattern.search(line) for line in self._lines()):
                yield self.finding(
                    datasource.place(*path, "matcherRegex"),
                    f'the derived field "{entry.get("name")}" finds nothing in the sample lines of '
                    f"{', '.join(item.name for item in self.workspace.services)}",
                    hint=f"a line looks like this: {self._lines()[0][:120]}",
                )

    def _lines(self) -> list[str]:
        if not hasattr(self, "_sample"):
            self._sample = sample_lines(self.workspace)
        return self._sample


def sample_lines(workspace: Workspace) -> list[str]:
    """An example line of every service, and a minute of its sample logs where the project makes them."""
    lines = [service.example_line() for service in workspace.services]
    sources = workspace.project.samples if workspace.project is not None else ()
    if sources:
        minute = 60_000_000_000
        for source in sources:
            lines += [
                entry.line for entry in sample.generate(source, 28_000_000 * minute, 28_000_001 * minute)
            ]
    return lines


class CorrelationFields(DataSourceCheck):
    name = "datasource/correlation"
    severity = Severity.ERROR
    summary = "a correlation or trace link written so that Grafana fails or ignores it"

    def check(self, datasource: DataSourceItem) -> Iterator[Finding]:
        for index, entry in enumerate(as_list(datasource.data.get("correlations"))):
            path = ("correlations", index)
            for key in ("label", "description"):
                if not isinstance(as_dict(entry).get(key), str):
                    yield self.finding(
                        datasource.place(*path),
                        f'the correlation has no "{key}": Grafana 12 crashes when it provisions it',
                        hint=f"add {key} (a string, "
                        + ("what the link is called)" if key == "label" else "which may be empty)"),
                    )
            if "transformations" in as_dict(entry):
                yield self.finding(
                    datasource.place(*path, "transformations", key=True),
                    '"transformations" must be inside "config", not beside it',
                    hint="move it into config",
                )
        for key in ("tracesToLogsV2", "tracesToMetrics", "tracesToProfiles"):
            yield from self._trace_link(datasource, key)

    def _trace_link(self, datasource: DataSourceItem, key: str) -> Iterator[Finding]:
        link = as_dict(settings(datasource).get(key))
        path = ("jsonData", key)
        for index, tag in enumerate(as_list(link.get("tags"))):
            if isinstance(tag, str):
                yield self.finding(
                    datasource.place(*path, "tags", index),
                    f'the tag "{tag}" is a string: Grafana expects objects, so there is no link',
                    hint=f"write {{key: {tag}}}, or {{key: {tag}, value: the label's name}}",
                )
        start, end = str(link.get("spanStartTimeShift") or ""), str(link.get("spanEndTimeShift") or "")
        if start and end and not start.startswith("-") and end.startswith("-"):
            yield self.finding(
                datasource.place(*path, "spanStartTimeShift"),
                f"the time shifts are the wrong way round: from {start} after the start to {end[1:]} before the end",
                hint=f'write spanStartTimeShift: "-{start}", spanEndTimeShift: "{end[1:]}"',
                severity=Severity.WARNING,
            )


JAEGER_LOSES = {
    "service.name": "Jaeger keeps the service's name beside the tags of the process, so no span has this tag",
}
TEMPO_NAMES = {
    "service": "service.name",
    "serviceName": "service.name",
    "pod": "k8s.pod.name",
    "namespace": "k8s.namespace.name",
}


class TraceLinkTags(DataSourceCheck):
    name = "datasource/trace-link-tags"
    severity = Severity.WARNING
    summary = "a trace link that reads a tag which no span has"

    def check(self, datasource: DataSourceItem) -> Iterator[Finding]:
        kind = datasource.data.get("type")
        for key in ("tracesToLogsV2", "tracesToLogs", "tracesToMetrics", "tracesToProfiles"):
            link = as_dict(settings(datasource).get(key))
            for index, tag in enumerate(as_list(link.get("tags"))):
                name = str(as_dict(tag).get("key") or (tag if isinstance(tag, str) else ""))
                place = datasource.place("jsonData", key, "tags", index)
                if kind == "jaeger" and name in JAEGER_LOSES:
                    yield self.finding(
                        place,
                        f"{JAEGER_LOSES[name]}: the link has an empty selector",
                        hint='write a query without tags: {job=~".+"} |= "$${__trace.traceId}"',
                    )
                elif kind == "tempo" and name in TEMPO_NAMES:
                    yield self.finding(
                        place,
                        f"spans of OpenTelemetry have {TEMPO_NAMES[name]}, not {name}",
                        hint=f"write {{key: {TEMPO_NAMES[name]}, value: {name}}}",
                        severity=Severity.INFO,
                    )
