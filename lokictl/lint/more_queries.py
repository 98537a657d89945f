"""Queries beside those of rules and panels: variables, trace links, correlations, rule tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import Any

from lokictl.diagnostics import LokictlError
from lokictl.lazy import lazy_pattern
from lokictl.lint.dashboard_json import as_dict, as_list, datasource_type
from lokictl.lint.datasource_json import read, settings
from lokictl.lint.findings import Path
from lokictl.lint.items import DashboardItem, DataSourceItem
from lokictl.lint.query import DocumentText, PartOfText, Query, QueryKind, WholeValue
from lokictl.logql.grafana_variables import interpolate
from lokictl.model.yaml_source import YamlDocument, load_documents
from lokictl.project.configuration import display_path

# --- dashboards' variables ---------------------------------------------------------------------------------

LABEL_VALUES = lazy_pattern(
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
    for path, entry in dashboard.variables:
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


def rule_test_documents(files: Iterable[FilePath]) -> tuple[YamlDocument, ...]:
    """Rule test files; those that cannot be read are left out."""
    documents: list[YamlDocument] = []
    for file in files:
        try:
            documents += load_documents(file.read_text(encoding="utf-8"), display_path(file))
        except (LokictlError, OSError, UnicodeDecodeError):
            continue
    return tuple(documents)


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
