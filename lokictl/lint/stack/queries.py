"""Every query of a project, wherever it stands: rules, dashboards, variables, derived fields, test files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lokictl.diagnostics import LokictlError
from lokictl.lint.dashboard.model import as_dict, as_list, variables
from lokictl.lint.interface import (
    DashboardItem,
    DataSourceItem,
    Edit,
    PathPart,
    Place,
    Query,
    QueryKind,
    TextSource,
    Workspace,
)
from lokictl.lint.sources import DocumentText, datasource_type, place_in
from lokictl.lint.stack.schema import Pipeline, Schema, pipelines
from lokictl.model.yaml_source import YamlDocument, load_documents
from lokictl.project.configuration import shown

Path = tuple[PathPart, ...]


@dataclass(frozen=True)
class PartOfText:
    """A query that begins somewhere inside a text."""

    whole: TextSource
    start: int

    def place(self, start: int, end: int) -> Place:
        return self.whole.place(self.start + start, self.start + end)

    def edit(self, start: int, end: int, replacement: str) -> Edit | None:
        return None


@dataclass(frozen=True)
class WholeValue:
    """A query whose text was changed on the way, so that only its beginning and end are known."""

    value: Place

    def place(self, start: int, end: int) -> Place:
        return self.value

    def edit(self, start: int, end: int, replacement: str) -> Edit | None:
        return None


def stack_queries(workspace: Workspace) -> tuple[Query, ...]:
    """All queries of a run; collected once."""
    known: tuple[Query, ...] | None = workspace.__dict__.get("_stack_queries")
    if known is None:
        known = (
            *workspace.queries,
            *(query for dashboard in workspace.dashboards for query in variable_queries(dashboard)),
            *(query for source in workspace.datasources for query in source_queries(source)),
            *(query for document in rule_test_documents(workspace) for query in rule_test_queries(document)),
        )
        workspace.__dict__["_stack_queries"] = known
    return known


def schema_of(workspace: Workspace) -> Schema:
    """The services of a run."""
    known: Schema | None = workspace.__dict__.get("_stack_schema")
    if known is None:
        known = workspace.__dict__["_stack_schema"] = Schema(workspace.services)
    return known


def query_pipelines(workspace: Workspace, query: Query, extra: tuple[str, ...] = ()) -> tuple[Pipeline, ...]:
    """The log queries inside a query, with what the services say of them; empty when it does not parse."""
    cache: dict[tuple[int, tuple[str, ...]], tuple[Pipeline, ...]] = workspace.__dict__.setdefault(
        "_stack_pipelines", {}
    )
    key = (id(query), extra)
    if key not in cache:
        expression = query.expression
        cache[key] = (
            tuple(pipelines(expression, schema_of(workspace), extra)) if expression is not None else ()
        )
    return cache[key]


# --- dashboards' variables ---------------------------------------------------------------------------------

LABEL_VALUES = re.compile(
    r"^\s*label_values\(\s*(?:(?P<stream>\{.*\})\s*,\s*)?(?P<label>[A-Za-z_]\w*)\s*\)\s*$", re.DOTALL
)


def variable_queries(dashboard: DashboardItem) -> Iterator[Query]:
    """The stream selectors of ``label_values({…}, label)``; those of the object form are queries already."""
    for path, entry, text, found in label_value_variables(dashboard):
        if found["stream"]:
            source = DocumentText(dashboard.document, (*dashboard.root, *path, "query"), text)
            yield Query(
                found["stream"],
                QueryKind.VARIABLE,
                PartOfText(source, found.start("stream")),
                item=f"{dashboard.item}, variable {entry.get('name')}",
                templated=True,
                dashboard=dashboard,
                path=(*path, "query"),
            )


def label_value_variables(dashboard: DashboardItem) -> Iterator[tuple[Path, Any, str, re.Match[str]]]:
    """(path, variable, its query, the parts of the query) of every ``label_values(…)`` of a Loki data source."""
    for path, entry in variables(dashboard):
        text = entry.get("query")
        if (
            entry.get("type") == "query"
            and isinstance(text, str)
            and datasource_type(dashboard, entry) == "loki"
        ):
            found = LABEL_VALUES.match(text)
            if found:
                yield path, entry, text, found


# --- data sources ------------------------------------------------------------------------------------------


def source_queries(source: DataSourceItem) -> Iterator[Query]:
    """The LogQL of ``tracesToLogsV2``, and of correlations that lead to Loki."""
    from lokictl.lint.datasource.model import read, settings
    from lokictl.logql.grafana_variables import interpolate

    found: list[tuple[Path, Any]] = []
    link = as_dict(settings(source).get("tracesToLogsV2"))
    if link.get("customQuery"):
        found.append((("jsonData", "tracesToLogsV2", "query"), link.get("query")))
    for index, entry in enumerate(as_list(source.data.get("correlations"))):
        target = as_dict(as_dict(as_dict(entry).get("config")).get("target"))
        found.append((("correlations", index, "config", "target", "expr"), target.get("expr")))
    for path, text in found:
        if isinstance(text, str) and text.strip():
            filled = interpolate(read(text)).text
            place = WholeValue(source.place(*path))
            yield Query(filled, QueryKind.PLAIN, place, item=source.item, templated=True)


# --- test files --------------------------------------------------------------------------------------------


def rule_test_documents(workspace: Workspace) -> tuple[YamlDocument, ...]:
    """The project's rule test files; read once, and those that cannot be read are left out."""
    known: tuple[YamlDocument, ...] | None = workspace.__dict__.get("_stack_tests")
    if known is None:
        files = (
            workspace.project.test_files
            if workspace.project is not None and is_whole_project(workspace)
            else ()
        )
        documents: list[YamlDocument] = []
        for file in files:
            try:
                documents += load_documents(file.read_text(encoding="utf-8"), shown(file))
            except (LokictlError, OSError, UnicodeDecodeError):
                continue
        known = workspace.__dict__["_stack_tests"] = tuple(documents)
    return known


def rule_test_cases(document: YamlDocument) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(path, test) of every test of a file."""
    for index, test in enumerate(as_list(as_dict(document.value).get("tests"))):
        if isinstance(test, dict):
            yield ("tests", index), test


def rule_test_streams(document: YamlDocument) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(path, stream) of every input stream of a file."""
    for path, test in rule_test_cases(document):
        for index, stream in enumerate(as_list(test.get("input_streams"))):
            if isinstance(stream, dict):
                yield (*path, "input_streams", index), stream


def rule_test_queries(document: YamlDocument) -> Iterator[Query]:
    """The expressions that tests ask themselves."""
    for path, test in rule_test_cases(document):
        for key in ("logql_expr_test",):
            for index, entry in enumerate(as_list(test.get(key))):
                text = as_dict(entry).get("expr")
                if isinstance(text, str):
                    here = (*path, key, index, "expr")
                    yield Query(
                        text, QueryKind.TEST, DocumentText(document, here, text), item=str(test.get("name"))
                    )


def document_place(document: YamlDocument, *path: PathPart, key: bool = False) -> Place:
    """Where a part of a test file stands."""
    return place_in(document, document.position(*path, key=key))


def is_whole_project(workspace: Workspace) -> bool:
    """Whether this run looks at everything that the project has, and not at some files, and all could be loaded."""
    project = workspace.project
    if project is None or workspace.rule_files is not project.rule_files:
        return False
    return not any(problem.name == "project/import" for problem in project.problems)
