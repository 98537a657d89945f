"""Reads what files hold (rules, dashboards, data sources, Grafana's alerts, a query), whatever is wrong with it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Any

from lokictl.diagnostics import LokictlError, Position, Problem, Severity, nearest
from lokictl.lazy import lazy_pattern
from lokictl.lint import suppression
from lokictl.lint.dashboard_files import Entry, dashboard_item, on_disk
from lokictl.lint.interface import DashboardItem, DataSourceItem, Finding, Query, QueryKind
from lokictl.lint.promql import is_promql
from lokictl.lint.query import DocumentText
from lokictl.logql.ast import StreamSelector
from lokictl.logql.cache import parse_cached
from lokictl.logql.errors import LogQLError
from lokictl.model import RuleFile
from lokictl.model.contents import (
    Contents,
    FoundAlerting,
    FoundRules,
    contents_of,
    is_template,
    is_worth_reading,
)
from lokictl.model.documents import Cursor, Document, ModuleDocument, PlainDocument, SourceText
from lokictl.model.json_source import load_json
from lokictl.model.rule_files import read_rules
from lokictl.model.rules import AlertingRule
from lokictl.model.yaml_source import load_documents
from lokictl.project.objects import Dashboard, JsonDashboard
from lokictl.records import dataclass

YAML_SUFFIXES = (".yaml", ".yml", ".rules", ".rule")
SUFFIXES = (*YAML_SUFFIXES, ".json", ".logql")
LANGUAGES = {
    ".jsonnet": "Jsonnet",
    ".libsonnet": "Jsonnet",
    ".tf": "Terraform",
    ".tfvars": "Terraform",
    ".hcl": "HCL",
    ".cue": "CUE",
    ".dhall": "Dhall",
    ".j2": "a Jinja template",
    ".jinja": "a Jinja template",
    ".jinja2": "a Jinja template",
    ".tpl": "a Go template",
    ".tmpl": "a Go template",
    ".gotmpl": "a Go template",
    ".erb": "an ERB template",
}
"""Languages that make files of ours, and are not read themselves."""

RENDER = {
    "Jsonnet": "render it first: jsonnet FILE | lokictl lint -",
    "a Helm or Jinja template": "render it first: helm template … | lokictl lint -",
    "a Go template": "render it first: helm template … | lokictl lint -",
    "a rule file of vmalert": "lokictl lints rules for Loki",
}
SKIPPED_FOLDERS = ("node_modules", "__pycache__", "site-packages")
STDIN = "<stdin>"
MOSTLY = 0.8
NAMED = 5
"""Files that the note about unread files names."""

LARGEST_UNREAD = 1_000_000
"""Bytes of a file in another language that are looked at for LogQL."""


@dataclass(eq=False)
class Loaded:
    """What files hold, and what is wrong with them; ``texts`` is the text of each file that was read.

    ``unread`` has, for each file that looks like LogQL and could not be read, what it is instead.  Where memory is
    saved, ``dashboards`` has places of dashboards, and ``texts`` is "" for a file of them without suppressing comments.
    """

    rule_files: list[RuleFile] = field(default_factory=list)
    dashboards: list[Entry] = field(default_factory=list)
    datasources: list[DataSourceItem] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    alerting: list[FoundAlerting] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    for_prometheus: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def add(self, other: Loaded) -> None:
        """Adds what another file holds."""
        self.rule_files += other.rule_files
        self.dashboards += other.dashboards
        self.datasources += other.datasources
        self.queries += other.queries
        self.alerting += other.alerting
        self.findings += other.findings
        self.for_prometheus += [file for file in other.for_prometheus if file not in self.for_prometheus]
        self.unread |= other.unread
        self.texts |= other.texts


def load_paths(
    paths: Iterable[str],
    *,
    excluded: Callable[[str], bool] = lambda path: False,
    keeps_dashboards: bool = True,
) -> Loaded:
    """Files, folders (searched for files that hold something to lint), and ``-`` for standard input.

    ``keeps_dashboards=False`` saves memory: those of JSON files are let go, to be read again (`Dashboards`).
    Raises `LokictlError` with every path that does not exist.
    """
    load = load_file if keeps_dashboards else _load_without_dashboards
    loaded = Loaded()
    missing = []
    for path in paths:
        if path == "-":
            load_bytes(sys.stdin.buffer.read(), STDIN, loaded, explicit=True)
        elif Path(path).is_dir():
            for file in files_below(path):
                if not excluded(file):
                    load(file, loaded, explicit=False)
        elif Path(path).exists():
            load(path, loaded, explicit=True)
        else:
            missing.append(Problem("file/missing", "file or directory not found", position=Position(path)))
    if missing:
        raise LokictlError(missing)
    _report_prometheus(loaded)
    _report_unread(loaded)
    return loaded


def _report_prometheus(loaded: Loaded) -> None:
    """One note for all the files of folders that hold rules for Prometheus."""
    files = loaded.for_prometheus
    if files:
        more = f" (as {len(files) - 1} more do)" if len(files) > 1 else ""
        message = f"this file contains rules for Prometheus{more}: left out"
        _skip(files[0], message, "lokictl lints rules for Loki; use promtool or pint for these", loaded)


def _report_unread(loaded: Loaded) -> None:
    """One note for all the files of folders that look like LogQL and were not read."""
    files = loaded.unread
    if not files:
        return
    shown = [f"{file} ({reason})" for file, reason in list(files.items())[:NAMED]]
    rest = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    many = "1 file looks" if len(files) == 1 else f"{len(files)} files look"
    were = "was" if len(files) == 1 else "were"
    message = f"{many} like LogQL and {were} not read: {', '.join(shown)}{rest}"
    reasons = set(files.values())
    hint = RENDER.get(next(iter(reasons)), "") if len(reasons) == 1 else ""
    _skip(next(iter(files)), message, hint or "render templates first, and lint the result", loaded)


def files_below(folder: str) -> Iterator[str]:
    """Every file that may hold something to lint, sorted; hidden folders and installed packages are left out."""
    suffixes = (*SUFFIXES, *LANGUAGES)
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in SKIPPED_FOLDERS
        )
        for name in sorted(files):
            if name.endswith(suffixes) and not name.startswith("."):
                yield os.path.join(here, name)  # noqa: PTH118 - keeps the folder as the user wrote it


def load_file(path: str, loaded: Loaded, *, explicit: bool) -> None:
    """Adds what one file holds; ``explicit`` files must hold something, others are left out silently."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        message = f"cannot read the file: {error.strerror or error}"
        loaded.findings.append(Finding("file/unreadable", message, position=Position(path)))
        return
    load_bytes(data, path, loaded, explicit=explicit)


def _load_without_dashboards(path: str, loaded: Loaded, *, explicit: bool) -> None:
    """As `load_file`; of the dashboards that can be read again, their places are kept."""
    own = Loaded()
    load_file(path, own, explicit=explicit)
    kept = [item for item in own.dashboards if isinstance(item, DashboardItem)]
    own.dashboards = on_disk(kept)
    if own.dashboards and not any(isinstance(item, DashboardItem) for item in own.dashboards):
        own.texts = {file: text if suppression.MARK in text else "" for file, text in own.texts.items()}
    loaded.add(own)


def load_bytes(data: bytes, file: str, loaded: Loaded, *, explicit: bool) -> None:
    """As `load_file`, for the bytes of a file."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if explicit:
            message = f"the file is not UTF-8 text (byte {error.start})"
            loaded.findings.append(Finding("file/unreadable", message, position=Position(file)))
        return
    load_text(text, file, loaded, explicit=explicit)


def load_text(text: str, file: str, loaded: Loaded, *, explicit: bool = True) -> None:
    """As `load_file`, for a string; its kind is detected from the name and the text."""
    language = next((LANGUAGES[suffix] for suffix in LANGUAGES if file.endswith(suffix)), "")
    if language:
        _not_read(language, text, file, loaded, explicit=explicit)
        return
    loaded.texts[file] = text
    try:
        if file.endswith(".logql"):
            loaded.queries.append(plain_query(text, file))
        else:
            _load_documents(text, file, loaded, explicit)
    except LokictlError as error:
        loaded.findings += [as_finding(problem) for problem in error.problems]


def plain_query(text: str, file: str) -> Query:
    """A string that is one query."""
    source = DocumentText(PlainDocument.of(SourceText(text, file)), (), text)
    return Query(text, QueryKind.PLAIN, source, item="query")


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


# --- documents ---------------------------------------------------------------------------------------------

_QUERY_START = lazy_pattern(r"\s*(?:#[^\n]*\n\s*)*[{(]|\s*\w+\s*(?:by|without)?\s*\(")


def _load_documents(text: str, file: str, loaded: Loaded, explicit: bool) -> None:
    if not (explicit or is_worth_reading(text) or _MEANT.search(text)):
        _note_if_logql("", text, file, loaded)
        return
    documents = _documents(text, file, loaded, explicit)
    if documents is None:
        return
    found = [_add_document(document, file, loaded, explicit) for document in documents]
    if any(found):
        return
    if file == STDIN and _is_query(text, documents):
        loaded.queries.append(plain_query(text, file))
    elif explicit:
        _unknown(file, loaded)
    else:
        _note_if_logql("", text, file, loaded)


def _documents(text: str, file: str, loaded: Loaded, explicit: bool) -> list[Document] | None:
    """The documents of a string; None where it has none, which was reported (or is nothing of ours)."""
    is_json = file.endswith(".json") or _is_json(text)
    try:
        return [load_json(text, file)] if is_json else list(load_documents(text, file))
    except LokictlError as error:
        if file == STDIN and _QUERY_START.match(text) and not _is_json(text):
            loaded.queries.append(plain_query(text, file))
        elif is_template(text) or "/templates/" in file:
            _not_read("a Helm or Jinja template", text, file, loaded, explicit=explicit)
        elif explicit or _MEANT.search(text):
            loaded.findings += [as_finding(problem) for problem in error.problems]
        return None


_MEANT = lazy_pattern(
    r"""^groups:|^datasources:|"panels"|"elements"|loki_rule|grafana_dashboard""", re.MULTILINE
)
"""What makes a file that cannot be read worth a finding when nobody named it."""


def _is_json(text: str) -> bool:
    start = text.lstrip("\ufeff \t\r\n")
    return start.startswith(('{"', "[{")) or (start.startswith("{") and start[1:].lstrip().startswith('"'))


def _is_query(text: str, documents: list[Document]) -> bool:
    """Whether standard input that is YAML without anything of ours is one query."""
    if not documents or not text.strip():
        return False
    if isinstance(documents[0].value, str):
        return True
    return text.lstrip().startswith("{") and not _is_json(text)


def _add_document(document: Document, file: str, loaded: Loaded, explicit: bool) -> bool:
    if _is_json_schema(document.value):
        return not explicit
    misplaced = _without_groups(document)
    if misplaced is not None:
        loaded.findings.append(misplaced)
        return True
    contents = contents_of(document)
    _add_rules(contents, document, file, loaded, explicit)
    loaded.dashboards += [dashboard_item(found, file) for found in contents.dashboards]
    for cursor in contents.datasources:
        if isinstance(cursor.value, dict):
            loaded.datasources.append(DataSourceItem(cursor.value, cursor.document, cursor.path, file))
    loaded.alerting += contents.alerting
    loaded.findings += [as_finding(problem) for problem in contents.problems]
    return bool(contents) or _is_presumed(document, explicit)


def _is_presumed(document: Document, explicit: bool) -> bool:
    """Whether a named document without rules is meant as a rule file."""
    value = document.value
    return explicit and isinstance(value, dict) and "groups" in value and "kind" not in value


def _add_rules(contents: Contents, document: Document, file: str, loaded: Loaded, explicit: bool) -> None:
    rules = contents.rules
    if not contents and _is_presumed(document, explicit):
        rules = [FoundRules(Cursor(document), "file", "ruler")]
    for found in rules:
        files, problems = read_rules(found, file)
        reason = next((reason for item in files if (reason := _not_for_loki(item, found))), "")
        if reason:
            _not_read(reason, "", file, loaded, explicit=True)
            continue
        kept = [item for item in files if not _is_promql(item, found, loaded, explicit=explicit)]
        loaded.rule_files += kept
        loaded.findings += [as_finding(problem) for problem in problems if kept or not files]


def _is_json_schema(value: Any) -> bool:
    return isinstance(value, dict) and (
        "json-schema.org" in str(value.get("$schema", "")) or "openapi" in value
    )


_HELM_VALUE = lazy_pattern(r"""\{\{-?[^}`]*(?:\.(?:Values|Release|Chart)\b|\binclude\s+["'])""")

_ESCAPED = lazy_pattern(r"\{\{-?\s*`[^`]*`\s*-?\}\}")


def _not_for_loki(file: RuleFile, found: FoundRules) -> str:
    """What rules are that must be rendered first, or are for another program; "" for rules of Loki."""
    for group in file.groups:
        for rule in group.rules:
            annotations = rule.annotations.values() if isinstance(rule, AlertingRule) else ()
            texts = (rule.expr, *rule.labels.values(), *annotations)
            if any("{{" in text and _HELM_VALUE.search(_ESCAPED.sub("", text)) for text in texts):
                return "a Helm or Jinja template"
    value = found.cursor.value
    groups = value.get("groups") if isinstance(value, dict) else value
    if found.form == "VMRule":
        return "a rule file of vmalert"
    kinds = (
        {group.get("type") for group in groups if isinstance(group, dict)}
        if isinstance(groups, list)
        else set()
    )
    return "a rule file of vmalert" if kinds & {"vlogs", "graphite", "prometheus"} else ""


def _without_groups(document: Document) -> Finding | None:
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
    if isinstance(value, dict) and len(value) == 1 and "groups" not in value:
        ((key, items),) = value.items()
        listed = isinstance(items, list) and any(isinstance(item, dict) and "rules" in item for item in items)
        if listed and nearest(str(key), ["groups"]):
            hint = 'did you mean "groups"?'
            problem = document.problem(
                "rule/unknown-key", f'unknown key "{key}" in a rule file', key, key=True, hint=hint
            )
            return as_finding(problem)
    return None


# --- what is not ours --------------------------------------------------------------------------------------

_LOOKS_LIKE_LOGQL = lazy_pattern(
    r"""\w\s*\(\s*\{[^{}\n]*\}\s*(?:\||!=|!~|\[)"""
    r"""|\{[^{}\n]*\w\s*(?:=|!=|=~|!~)\s*\\?["'`][^{}\n]*\}\s*(?:\|[=~>]|!=\s*\\?["`]|!~\s*\\?["`]"""
    r"""|\|\s*(?:json|logfmt|pattern|regexp|unpack|unwrap|line_format|label_format|decolorize)\b)"""
)
_TEST_FILE = lazy_pattern(r"^tests:", re.MULTILINE)


def looks_like_logql(text: str) -> bool:
    """Whether a string in any language holds something that only LogQL looks like."""
    return len(text) <= LARGEST_UNREAD and _LOOKS_LIKE_LOGQL.search(text) is not None


def _not_read(language: str, text: str, file: str, loaded: Loaded, *, explicit: bool) -> None:
    if explicit:
        hint = RENDER.get(language, "render it first, and lint the result")
        _skip(file, f"this is {language}, which lokictl does not read", hint, loaded)
    else:
        _note_if_logql(language, text, file, loaded)


def _note_if_logql(language: str, text: str, file: str, loaded: Loaded) -> None:
    if looks_like_logql(text) and not _TEST_FILE.search(text):
        loaded.unread[file] = language or "not a known format"


def _is_promql(file: RuleFile, found: FoundRules, loaded: Loaded, *, explicit: bool) -> bool:
    """Whether these are Prometheus's rules: no expression reads logs, and nearly all are PromQL."""
    if found.for_loki:
        return False
    texts = (rule.expr for group in file.groups for rule in group.rules if rule.expr.strip())
    refused = []
    for text in texts:
        result = parse_cached(text)
        if isinstance(result, LogQLError):
            refused.append(text)
        elif any(result.find_all(StreamSelector)):
            return False
    if not refused:
        return False
    # Functions that are newer than the PromQL parser are no reason to call the file one for Loki.
    if sum(map(is_promql, refused)) < MOSTLY * len(refused):
        return False
    if not explicit:
        if file.path not in loaded.for_prometheus:
            loaded.for_prometheus.append(file.path)
        return True
    message = "these are rules for Prometheus: the expressions are PromQL, and none reads logs"
    _skip(file.path, message, "lokictl lints rules for Loki; use promtool or pint for these", loaded)
    return True


def _skip(file: str, message: str, hint: str, loaded: Loaded, severity: Severity = Severity.INFO) -> None:
    loaded.findings.append(Finding("lint/skipped", message, severity, Position(file), hint))


def _unknown(file: str, loaded: Loaded) -> None:
    hint = (
        "lokictl lints Loki rules, dashboards, data sources and Grafana-managed alerts; see docs/formats.md"
    )
    if not any(finding.position.file == file for finding in loaded.findings):
        _skip(file, "nothing to lint in this file", hint, loaded)


def dashboard_of_project(dashboard: Dashboard, data: dict[str, Any], file: str) -> DashboardItem:
    """A dashboard of a content project: with the places of its file where it was read from one."""
    cursor = dashboard.origin if isinstance(dashboard, JsonDashboard) else None
    if cursor is None:
        return DashboardItem(data, ModuleDocument.of(data, file), (), file)
    return DashboardItem(cursor.value, cursor.document, cursor.path, file)
