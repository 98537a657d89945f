"""Finds out what a file holds (rules, a dashboard, data sources, a query) and reads it, whatever is wrong with it."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lokictl.diagnostics import LokictlError, Position, Problem, Severity, nearest
from lokictl.lint.interface import DashboardItem, DataSourceItem, Finding, PathPart, Query, QueryKind
from lokictl.lint.query import DocumentText
from lokictl.logql.cache import parse_cached
from lokictl.logql.errors import LogQLError
from lokictl.logql.expressions import Node, StreamSelector
from lokictl.model import RuleFile, is_rule_document
from lokictl.model.documents import (
    Cursor,
    DataDocument,
    Document,
    EmbeddedDocument,
    PlainDocument,
    SourceText,
)
from lokictl.model.json_source import load_json
from lokictl.model.rule_files import OPERATOR_KINDS, read_rule_files
from lokictl.model.yaml_source import YamlDocument, load_documents

YAML_SUFFIXES = (".yaml", ".yml", ".rules", ".rule")
SUFFIXES = (*YAML_SUFFIXES, ".json", ".logql")
SKIPPED_FOLDERS = ("node_modules", "__pycache__", "site-packages")
STDIN = "<stdin>"
MOSTLY = 0.8


@dataclass(eq=False)
class Loaded:
    """What files hold, and what is wrong with them; ``texts`` is the text of each file that was read."""

    rule_files: list[RuleFile] = field(default_factory=list)
    dashboards: list[DashboardItem] = field(default_factory=list)
    datasources: list[DataSourceItem] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    for_prometheus: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


def load_paths(paths: Iterable[str], *, excluded: Callable[[str], bool] = lambda path: False) -> Loaded:
    """Files, folders (searched for files that hold something to lint), and ``-`` for standard input.

    Raises `LokictlError` with every path that does not exist.
    """
    loaded = Loaded()
    missing = []
    for path in paths:
        if path == "-":
            load_text(sys.stdin.buffer.read().decode("utf-8", "surrogateescape"), STDIN, loaded)
        elif Path(path).is_dir():
            for file in files_below(path):
                if not excluded(file):
                    load_file(file, loaded, explicit=False)
        elif Path(path).exists():
            load_file(path, loaded, explicit=True)
        else:
            missing.append(
                Problem("file/missing", "there is no such file or folder", position=Position(path))
            )
    if missing:
        raise LokictlError(missing)
    _tell_of_prometheus(loaded)
    return loaded


def _tell_of_prometheus(loaded: Loaded) -> None:
    """One note for all the files of folders that hold rules for Prometheus."""
    files = loaded.for_prometheus
    if files:
        more = f" (as {len(files) - 1} more do)" if len(files) > 1 else ""
        message = f"this file holds rules for Prometheus{more}: left out"
        _skip(files[0], message, "lokictl lints rules for Loki; use promtool or pint for these", loaded)


def files_below(folder: str) -> Iterator[str]:
    """Every file that may hold something to lint, sorted; hidden folders and installed packages are left out."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in SKIPPED_FOLDERS
        )
        for name in sorted(files):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(here, name)  # noqa: PTH118 - keeps the folder as the user wrote it


def load_file(path: str, loaded: Loaded, *, explicit: bool) -> None:
    """Adds what one file holds; ``explicit`` files must hold something, others are left out silently."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        if explicit:
            message = f"the file is not UTF-8 text (byte {error.start})"
            loaded.findings.append(Finding("file/unreadable", message, position=Position(path)))
        return
    except OSError as error:
        message = f"cannot read the file: {error.strerror or error}"
        loaded.findings.append(Finding("file/unreadable", message, position=Position(path)))
        return
    load_text(text, path, loaded, explicit=explicit)


def load_text(text: str, file: str, loaded: Loaded, *, explicit: bool = True) -> None:
    """As `load_file`, for a text; its kind is told from the name and the text."""
    loaded.texts[file] = text
    try:
        if file.endswith(".logql"):
            loaded.queries.append(plain_query(text, file))
        elif file.endswith(".json") or _is_json(text, file):
            _load_json(text, file, loaded, explicit)
        elif file.endswith(YAML_SUFFIXES) or file == STDIN or explicit:
            _load_yaml(text, file, loaded, explicit)
    except LokictlError as error:
        loaded.findings += [as_finding(problem) for problem in error.problems]


def plain_query(text: str, file: str) -> Query:
    """A text that is one query."""
    return Query(
        text, QueryKind.PLAIN, DocumentText(PlainDocument.of(SourceText(text, file)), (), text), item="query"
    )


def as_finding(problem: Problem) -> Finding:
    """A problem of reading as a finding."""
    return Finding(
        problem.name,
        problem.message,
        problem.severity,
        problem.position,
        problem.hint,
        problem.source_line,
    )


# --- JSON --------------------------------------------------------------------------------------------------


def _is_json(text: str, file: str) -> bool:
    start = text.lstrip("\ufeff \t\r\n")
    return start.startswith('{"') or (start.startswith("{") and start[1:].lstrip().startswith(('"', "}")))


def _load_json(text: str, file: str, loaded: Loaded, explicit: bool) -> None:
    if not explicit and not any(word in text for word in ('"panels"', '"rows"', '"groups"', '"datasources"')):
        return
    document = load_json(text, file)
    found = False
    for root, data in _dashboards_in(document.value):
        found = True
        loaded.dashboards.append(DashboardItem(data, document, root, file))
    if found:
        return
    value = document.value
    if isinstance(value, dict) and isinstance(value.get("datasources"), list):
        _add_datasources(document, value, (), file, loaded)
    elif is_rule_document(value):
        # JSON is YAML, too; rules in JSON are rare enough to be read a second time.
        _load_yaml(text, file, loaded, explicit)
    elif explicit:
        _unknown(file, loaded)


def _dashboards_in(value: Any) -> Iterator[tuple[tuple[PathPart, ...], dict[str, Any]]]:
    """(path, model) of every dashboard: a plain model, the API's envelope, a Kubernetes object, or a list."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            for path, data in _dashboards_in(item):
                yield (index, *path), data
    elif isinstance(value, dict):
        for key in ("dashboard", "spec"):
            inner = value.get(key)
            if isinstance(inner, dict) and _is_dashboard(inner):
                yield (key,), inner
                return
        if _is_dashboard(value):
            yield (), value


def _is_dashboard(value: dict[str, Any]) -> bool:
    if isinstance(value.get("panels"), list) or isinstance(value.get("rows"), list):
        return any(key in value for key in ("title", "schemaVersion", "templating", "uid", "time"))
    return "schemaVersion" in value and "title" in value


# --- YAML --------------------------------------------------------------------------------------------------


def _load_yaml(text: str, file: str, loaded: Loaded, explicit: bool) -> None:
    if not explicit and not any(word in text for word in ("groups", "rules", "datasources", "kind:")):
        return
    try:
        documents = load_documents(text, file)
    except LokictlError as error:
        if _is_template(text, file) and not explicit:
            return
        if file == STDIN and _is_query(text):
            loaded.queries.append(plain_query(text, file))
            return
        if not explicit and "groups:" not in text and "datasources:" not in text:
            return
        loaded.findings += [as_finding(problem) for problem in error.problems]
        return
    found = [_load_document(document, file, loaded, explicit) for document in documents]
    if any(found):
        return
    if file == STDIN and documents and isinstance(documents[0].value, str):
        loaded.queries.append(plain_query(text, file))
    elif explicit:
        _unknown(file, loaded)


def _is_template(text: str, file: str) -> bool:
    """Whether a text that is no YAML is a template for some (Helm, Jinja, Jekyll)."""
    lines = [line.lstrip() for line in text.split("\n")]
    return any(line.startswith(("{{-", "{{ ", "{%")) for line in lines) or "/templates/" in file


def _is_query(text: str) -> bool:
    return not isinstance(parse_cached(text), LogQLError) or text.lstrip()[:1] in "{(" or "{" in text[:200]


def _load_document(document: YamlDocument, file: str, loaded: Loaded, explicit: bool) -> bool:
    value = document.value
    if isinstance(value, dict) and isinstance(value.get("datasources"), list):
        _add_datasources(document, value, (), file, loaded)
        return True
    if isinstance(value, dict) and _is_grafana_alerting(value):
        return _add_grafana_alerts(document, value, file, loaded)
    dashboards = list(_config_map_dashboards(document, file, loaded))
    if dashboards:
        loaded.dashboards += dashboards
        return True
    misplaced = _without_groups(document)
    if misplaced is not None:
        loaded.findings.append(misplaced)
        return True
    if not _holds_rules(value, explicit=explicit):
        return False
    files, problems = read_rule_files([document], file)
    kept = [found for found in files if not _is_promql(found, loaded, explicit=explicit)]
    loaded.rule_files += kept
    loaded.findings += [as_finding(problem) for problem in problems if kept or not files]
    return bool(files or problems)


def _without_groups(document: YamlDocument) -> Finding | None:
    """Rules whose key ``groups`` is missing or misspelt."""
    value = document.value
    if isinstance(value, list) and value and all(isinstance(item, dict) and "expr" in item for item in value):
        problem = document.problem(
            "rule/syntax",
            "these are rules without a group",
            0,
            hint="a rule file has `groups:`, a list of groups with `name:` and `rules:`",
        )
        return as_finding(problem)
    if isinstance(value, dict) and len(value) == 1 and "groups" not in value and is_rule_document(value):
        (key,) = value
        if nearest(str(key), ["groups"]):
            hint = 'did you mean "groups"?'
            problem = document.problem(
                "rule/unknown-key", f'unknown key "{key}" in a rule file', key, key=True, hint=hint
            )
            return as_finding(problem)
    return None


def _holds_rules(value: Any, *, explicit: bool) -> bool:
    """Whether a document is meant to hold rules; other files have a key ``groups``, too."""
    if not isinstance(value, dict):
        return False
    if "kind" in value or "apiVersion" in value:
        return value.get("kind") in (*OPERATOR_KINDS, "ConfigMap", "List")
    groups = value.get("groups")
    if explicit and "groups" in value:
        return True
    if isinstance(groups, list):
        return any(isinstance(group, dict) and "rules" in group for group in groups)
    return is_rule_document(value)


def _add_datasources(
    document: Document,
    value: dict[str, Any],
    root: tuple[PathPart, ...],
    file: str,
    loaded: Loaded,
) -> None:
    for index, entry in enumerate(value["datasources"]):
        if isinstance(entry, dict):
            loaded.datasources.append(DataSourceItem(entry, document, (*root, "datasources", index), file))


def _is_grafana_alerting(value: dict[str, Any]) -> bool:
    """Grafana's own alert rules as provisioned: groups with a folder, rules with ``data``."""
    groups = value.get("groups")
    return isinstance(groups, list) and any(
        isinstance(rule, dict) and isinstance(rule.get("data"), list)
        for group in groups
        if isinstance(group, dict)
        for rule in group.get("rules") or []
    )


def _add_grafana_alerts(document: YamlDocument, value: dict[str, Any], file: str, loaded: Loaded) -> bool:
    """The LogQL queries of Grafana-managed alert rules; only the queries are looked at."""
    for group_index, group in enumerate(value["groups"]):
        for rule_index, rule in enumerate(group.get("rules") or [] if isinstance(group, dict) else []):
            for index, entry in enumerate(rule.get("data") or [] if isinstance(rule, dict) else []):
                model = entry.get("model") if isinstance(entry, dict) else None
                text = model.get("expr") if isinstance(model, dict) else None
                if not isinstance(text, str) or model is None or not _asks_loki(entry, model, text):
                    continue
                path = ("groups", group_index, "rules", rule_index, "data", index, "model", "expr")
                item = f"Grafana alert {rule.get('title')}"
                source = DocumentText(document, path, text)
                loaded.queries.append(Query(text, QueryKind.PLAIN, source, item=item, templated=True))
    return True


def _asks_loki(entry: dict[str, Any], model: dict[str, Any], text: str) -> bool:
    kind = model.get("datasource", {}).get("type") if isinstance(model.get("datasource"), dict) else None
    named = f"{entry.get('datasourceUid', '')} {kind or ''}".lower()
    return "loki" in named and "prometheus" not in named and bool(text.strip())


def _config_map_dashboards(document: YamlDocument, file: str, loaded: Loaded) -> Iterator[DashboardItem]:
    value = document.value
    if not isinstance(value, dict) or value.get("kind") != "ConfigMap":
        return
    for key, text in (value.get("data") or {}).items():
        if isinstance(text, str) and str(key).endswith(".json") and '"panels"' in text:
            try:
                inner = load_json(text, file)
            except LokictlError as error:
                place = document.position("data", key)
                loaded.findings += [
                    dataclasses.replace(as_finding(problem), position=place, source_line="")
                    for problem in error.problems
                ]
                continue
            embedded = EmbeddedDocument.of(inner, Cursor(document, ("data", str(key))))
            for root, data in _dashboards_in(inner.value):
                yield DashboardItem(data, embedded, root, file)


# --- what is not ours --------------------------------------------------------------------------------------


def _is_promql(file: RuleFile, loaded: Loaded, *, explicit: bool) -> bool:
    """Whether these are Prometheus's rules: no expression reads logs, and nearly all are PromQL.

    A file that was named and has a single rule is taken at its word: what is wrong with the rule is told.
    """
    texts = [rule.expr for group in file.groups for rule in group.rules if rule.expr.strip()]
    results = [parse_cached(text) for text in texts]
    if all(not isinstance(result, LogQLError) for result in results) or any(map(_reads_logs, results)):
        return False
    refused = [text for text, result in zip(texts, results, strict=True) if isinstance(result, LogQLError)]
    # Functions that are newer than the PromQL parser are no reason to call the file one for Loki.
    if sum(map(is_promql, refused)) < MOSTLY * len(refused):
        return False
    if explicit and len(texts) == 1:
        return False
    if not explicit:
        loaded.for_prometheus.append(file.path)
        return True
    message = "these are rules for Prometheus: the expressions are PromQL, and none reads logs"
    hint = "lokictl lints rules for Loki, which refuses these; use promtool or pint"
    _skip(file.path, message, hint, loaded, Severity.WARNING)
    return True


def _reads_logs(result: Any) -> bool:
    return isinstance(result, Node) and any(result.find_all(StreamSelector))


def is_promql(text: str) -> bool:
    """Whether a text is a PromQL expression (and looks like one: something more than a word)."""
    import promql_parser

    try:
        promql_parser.parse(text)
    except ValueError:
        return False
    return True


def _skip(file: str, message: str, hint: str, loaded: Loaded, severity: Severity = Severity.INFO) -> None:
    loaded.findings.append(Finding("lint/skipped", message, severity, Position(file), hint))


def _unknown(file: str, loaded: Loaded) -> None:
    hint = "lokictl lints rule files, dashboards (JSON), data source provisioning and .logql files"
    if not any(finding.position.file == file for finding in loaded.findings):
        _skip(file, "nothing to lint in this file", hint, loaded)


def dashboard_of_project(data: dict[str, Any], file: str) -> DashboardItem:
    """A dashboard of a content project: from its JSON file where there is one, else plain data."""
    path = Path(file)
    if file.endswith(".json") and path.is_file():
        try:
            document = load_json(path.read_text(encoding="utf-8", errors="replace"), file)
        except LokictlError:
            return DashboardItem(data, DataDocument.of(data, file), (), file)
        for root, found in _dashboards_in(document.value):
            return DashboardItem(found, document, root, file)
    return DashboardItem(data, DataDocument.of(data, file), (), file)
