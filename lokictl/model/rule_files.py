"""Reads rule files in every form that people keep them in.

* ruler form: ``groups:`` (what Loki's own loader reads; unknown keys are refused, as Loki does);
* namespace form: the same with ``namespace:`` (lokitool, cortextool), several documents allowed;
* one group (the ruler API's body), and the API's listing (namespace -> groups);
* Kubernetes objects: ``AlertingRule``/``RecordingRule`` (Loki operator), ``PrometheusRule``, ``ConfigMap`` with
  rule files as its data, and a ``List`` of those.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import Any

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.model.documents import Cursor, Document, EmbeddedDocument
from lokictl.model.rules import AlertingRule, Origin, RecordingRule, Rule, RuleFile, RuleGroup
from lokictl.model.yaml_source import load_documents, load_embedded_documents

GROUP_KEYS = ("name", "interval", "query_offset", "limit", "labels", "rules", "remote_write")
RULE_KEYS = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")
FILE_KEYS = ("namespace", "groups")
OPERATOR_KINDS = ("AlertingRule", "RecordingRule", "PrometheusRule")


def load_rule_files(path: str | FilePath) -> list[RuleFile]:
    """All rule groups of a file; raises `LokictlError` with every problem found."""
    file = FilePath(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise LokictlError(
            Problem("file/unreadable", f"cannot read the file: {reason}", position=Position(str(path)))
        ) from None
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8 text (byte {error.start})"
        raise LokictlError(Problem("file/unreadable", message, position=Position(str(path)))) from None
    return parse_rule_files(text, str(path))


def parse_rule_files(text: str, file: str = "") -> list[RuleFile]:
    """As `load_rule_files`, for text; ``file`` names it in messages and gives the default namespace."""
    files, problems = read_rule_files(load_documents(text, file), file)
    if problems:
        raise LokictlError(problems)
    return files


def read_rule_files(documents: Iterable[Document], file: str = "") -> tuple[list[RuleFile], list[Problem]]:
    """The rule files in documents as far as they can be read, and everything wrong with them."""
    reader = _Reader(file)
    files = [found for document in documents for found in reader.document(Cursor(document))]
    return files, reader.problems


def load_group(text: str, file: str = "") -> RuleGroup:
    """One group, as the ruler's API takes it: unknown keys are ignored there, and here."""
    documents = load_documents(text, file)
    if not documents or not isinstance(documents[0].value, dict):
        raise LokictlError(
            Problem("rule/syntax", "a rule group is a mapping with a name and rules", position=Position(file))
        )
    reader = _Reader(file, strict=False)
    group = reader.group(Cursor(documents[0]))
    if reader.problems or group is None:
        raise LokictlError(reader.problems)
    return group


def is_rule_document(value: Any) -> bool:
    """Whether a YAML value looks like rules in one of the forms above."""
    if not isinstance(value, dict):
        return False
    if value.get("kind") in (*OPERATOR_KINDS, "ConfigMap", "List"):
        return True
    return isinstance(value.get("groups"), list) or _is_group(value) or _is_listing(value)


class _Reader:
    """Collects problems while it builds rule files."""

    def __init__(self, file: str, *, strict: bool = True) -> None:
        self.file = file
        self.strict = strict
        self.problems: list[Problem] = []

    def document(self, cursor: Cursor) -> Iterator[RuleFile]:
        value = cursor.value
        if value is None:
            return
        if not isinstance(value, dict):
            self._problem(cursor, "a rule file is a mapping with the key `groups`")
        elif "kind" in value and "groups" not in value:
            yield from self._kubernetes(cursor)
        elif _is_group(value):
            group = self.group(cursor)
            yield self._file(cursor, self._default_namespace(cursor), (group,) if group else (), "group")
        elif _is_listing(value):
            for namespace in value:
                yield self._file(cursor, namespace, self._groups(cursor.child(namespace)), "listing")
        else:
            yield self._plain(cursor)

    def _plain(self, cursor: Cursor) -> RuleFile:
        value = cursor.value
        self._unknown(cursor, FILE_KEYS, "a rule file")
        if "groups" not in value:
            self._problem(cursor, "a rule file needs the key `groups`")
        namespace = value.get("namespace")
        groups = self._groups(cursor.child("groups")) if "groups" in value else ()
        name = str(namespace) if namespace else self._default_namespace(cursor)
        return self._file(cursor, name, groups, "namespace" if namespace else "ruler")

    def _file(
        self, cursor: Cursor, namespace: str, groups: tuple[RuleGroup, ...], form: str, tenant: str = ""
    ) -> RuleFile:
        return RuleFile(namespace, groups, path=self.file, form=form, tenant=tenant, document=cursor.document)

    def _kubernetes(self, cursor: Cursor) -> Iterator[RuleFile]:
        item = cursor.value
        kind = item.get("kind") if isinstance(item, dict) else None
        if kind == "List":
            for child in cursor.child("items").children():
                yield from self._kubernetes(child)
        elif kind in OPERATOR_KINDS:
            metadata, spec = item.get("metadata") or {}, item.get("spec") or {}
            groups = self._groups(cursor.child("spec", "groups"), loose=True)
            name = str(metadata.get("name", self._default_namespace(cursor)))
            yield self._file(cursor, name, groups, str(kind), str(spec.get("tenantID", "")))
        elif kind == "ConfigMap":
            for child in cursor.child("data").children():
                if isinstance(child.value, str) and str(child.path[-1]).endswith((".yaml", ".yml", ".rules")):
                    yield from self._embedded(child)

    def _embedded(self, outer: Cursor) -> Iterator[RuleFile]:
        try:
            documents = load_embedded_documents(outer)
        except LokictlError as error:
            self.problems += error.problems
            return
        for document in documents:
            if is_rule_document(document.value):
                for found in self.document(Cursor(document)):
                    namespace = found.namespace if found.form == "namespace" else str(outer.path[-1])
                    yield dataclasses.replace(found, namespace=namespace, form="ConfigMap")

    def _groups(self, cursor: Cursor, *, loose: bool = False) -> tuple[RuleGroup, ...]:
        items = cursor.value
        if items is None:
            return ()
        if not isinstance(items, list):
            self._problem(cursor, "`groups` must be a list of rule groups")
            return ()
        built = [self.group(child, loose=loose) for child in cursor.children()]
        groups = tuple(group for group in built if group is not None)
        self._repeated_groups(groups)
        return groups

    def _repeated_groups(self, groups: tuple[RuleGroup, ...]) -> None:
        seen: set[str] = set()
        for group in groups:
            if group.name in seen and group.origin.cursor is not None:
                self._problem(
                    group.origin.cursor,
                    f'the group name "{group.name}" is repeated in this file',
                    "name",
                    hint="give each group of a namespace a name of its own",
                )
            seen.add(group.name)

    def group(self, cursor: Cursor, *, loose: bool = False) -> RuleGroup | None:
        value = cursor.value
        if not isinstance(value, dict):
            self._problem(cursor, "a rule group is a mapping with the keys `name` and `rules`")
            return None
        if not loose:
            self._unknown(cursor, GROUP_KEYS, "a rule group")
        if value.get("name") in (None, ""):
            self._problem(cursor, "a rule group needs a name", hint="add `name: …`")
        rules = cursor.child("rules")
        if value.get("rules") and not isinstance(rules.value, list):
            self._problem(rules, "`rules` must be a list")
        listed = rules.children() if isinstance(rules.value, list) else ()
        built = [self._rule(child, loose) for child in listed]
        return RuleGroup(
            cursor.child("name").text,
            tuple(rule for rule in built if rule is not None),
            interval=self._duration(cursor.child("interval")),
            limit=self._integer(cursor.child("limit")),
            query_offset=self._duration(cursor.child("query_offset")),
            labels=self._texts(cursor.child("labels")),
            remote_write=self._remote_write(cursor.child("remote_write")),
            origin=Origin(cursor),
        )

    def _rule(self, cursor: Cursor, loose: bool) -> Rule | None:
        value = cursor.value
        if not isinstance(value, dict):
            self._problem(cursor, "a rule is a mapping with `alert` or `record`, and `expr`")
            return None
        if not loose:
            self._unknown(cursor, RULE_KEYS, "a rule")
        alert, record = value.get("alert"), value.get("record")
        if (alert is None) == (record is None):
            message = "a rule has either `alert` or `record`" + (
                ", not both" if alert is not None else "; this has neither"
            )
            self._problem(cursor, message)
            return None
        expr = cursor.child("expr").text
        if not expr.strip():
            self._problem(cursor, "a rule needs an expression", hint="add `expr: …`")
        labels = self._texts(cursor.child("labels"))
        if record is not None:
            self._alert_only(cursor)
            return RecordingRule(
                expr, record=cursor.child("record").text, labels=labels, origin=Origin(cursor)
            )
        return AlertingRule(
            expr,
            alert=cursor.child("alert").text,
            for_=self._duration(cursor.child("for")),
            keep_firing_for=self._duration(cursor.child("keep_firing_for")),
            labels=labels,
            annotations=self._texts(cursor.child("annotations")),
            origin=Origin(cursor),
        )

    def _alert_only(self, cursor: Cursor) -> None:
        for key in ("annotations", "for"):
            if cursor.value.get(key):
                self._problem(cursor, f"a recording rule has no `{key}`", key, key=True)

    def _texts(self, cursor: Cursor) -> dict[str, str]:
        value = cursor.value
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._problem(cursor, f"`{cursor.path[-1]}` must be a mapping of names to texts")
            return {}
        for key, item in value.items():
            if isinstance(item, dict | list):
                self._problem(cursor, f"`{key}` must be a text", key)
        return {str(key): cursor.child(key).text for key in value}

    def _remote_write(self, cursor: Cursor) -> tuple[dict[str, Any], ...]:
        value = cursor.value
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._problem(cursor, "`remote_write` must be a list of mappings")
            return ()
        return tuple(value)

    def _duration(self, cursor: Cursor) -> int:
        if cursor.value is None:
            return 0
        from lokictl.logql.units import parse_prometheus_duration

        text = cursor.text
        try:
            return parse_prometheus_duration(text)
        except ValueError as error:
            hint = (
                f'write a unit: "{text}s" or "{text}m"'
                if text.isdigit()
                else 'durations look like "30s", "5m", "1h30m"'
            )
            self._problem(cursor, str(error), hint=hint)
            return 0

    def _integer(self, cursor: Cursor) -> int:
        value = cursor.value
        if value is None:
            return 0
        if not isinstance(value, int) or isinstance(value, bool):
            self._problem(cursor, f"`{cursor.path[-1]}` must be a whole number")
            return 0
        return value

    def _unknown(self, cursor: Cursor, known: tuple[str, ...], what: str) -> None:
        if self.strict:
            self.problems += cursor.unknown_keys(known, name="rule/unknown-key", what=what)

    def _problem(
        self, cursor: Cursor, message: str, *path: str | int, key: bool = False, hint: str = ""
    ) -> None:
        self.problems.append(cursor.problem("rule/syntax", message, *path, key=key, hint=hint))

    def _default_namespace(self, cursor: Cursor) -> str:
        if isinstance(cursor.document, EmbeddedDocument):
            return str(cursor.document.path[-1])
        return FilePath(self.file).stem if self.file else "default"


def _is_group(value: dict[str, Any]) -> bool:
    return "name" in value and isinstance(value.get("rules"), list) and "groups" not in value


def _is_listing(value: dict[str, Any]) -> bool:
    if "groups" in value:
        return False
    items = list(value.values())
    return bool(items) and all(
        isinstance(item, list)
        and item
        and all(isinstance(group, dict) and "rules" in group for group in item)
        for item in items
    )
