"""Reads rule files in every form that people keep them in.

* ruler form: ``groups:`` (what Loki's own loader reads; unknown keys are refused, as Loki does);
* namespace form: the same with ``namespace:`` (lokitool, cortextool), several documents allowed;
* one group (the ruler API's body), and the API's listing (namespace -> groups);
* Kubernetes objects: ``AlertingRule``/``RecordingRule`` (Loki operator), ``PrometheusRule``, ``ConfigMap`` with
  rule files as its data, and a ``List`` of those.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.model.rules import AlertingRule, Origin, RecordingRule, Rule, RuleFile, RuleGroup
from lokictl.model.yaml_source import Path, YamlDocument, load_documents, unknown_keys

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


def read_rule_files(documents: list[YamlDocument], file: str = "") -> tuple[list[RuleFile], list[Problem]]:
    """The rule files in YAML documents as far as they can be read, and everything wrong with them."""
    reader = _Reader(file)
    files = [found for document in documents for found in reader.document(document, None)]
    return files, reader.problems


def load_group(text: str, file: str = "") -> RuleGroup:
    """One group, as the ruler's API takes it: unknown keys are ignored there, and here."""
    documents = load_documents(text, file)
    if not documents or not isinstance(documents[0].value, dict):
        raise LokictlError(
            Problem("rule/syntax", "a rule group is a mapping with a name and rules", position=Position(file))
        )
    reader = _Reader(file, strict=False)
    group = reader.group(documents[0], (), None)
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

    def document(self, document: YamlDocument, outer: tuple[YamlDocument, Path] | None) -> Iterator[RuleFile]:
        value = document.value
        if value is None:
            return
        if not isinstance(value, dict):
            self._problem(document, "a rule file is a mapping with the key `groups`", outer=outer)
        elif "kind" in value and "groups" not in value:
            yield from self._kubernetes(document, (), outer)
        elif _is_group(value):
            group = self.group(document, (), outer)
            yield RuleFile(
                self._default_namespace(),
                (group,) if group else (),
                path=self.file,
                form="group",
                document=document,
            )
        elif _is_listing(value):
            for namespace in value:
                groups = self._groups(document, (namespace,), outer)
                yield RuleFile(namespace, groups, path=self.file, form="listing", document=document)
        else:
            yield self._plain(document, outer)

    def _plain(self, document: YamlDocument, outer: tuple[YamlDocument, Path] | None) -> RuleFile:
        value = document.value
        self._unknown(document, FILE_KEYS, (), "a rule file", outer)
        if "groups" not in value:
            self._problem(document, "a rule file needs the key `groups`", outer=outer)
        namespace = value.get("namespace")
        groups = self._groups(document, ("groups",), outer) if "groups" in value else ()
        form = "namespace" if namespace else "ruler"
        name = str(namespace) if namespace else self._default_namespace(outer)
        return RuleFile(name, groups, path=self.file, form=form, document=document)

    def _kubernetes(
        self, document: YamlDocument, path: Path, outer: tuple[YamlDocument, Path] | None
    ) -> Iterator[RuleFile]:
        item = _value(document, path)
        kind = item.get("kind") if isinstance(item, dict) else None
        if kind == "List":
            for index in range(len(item.get("items") or [])):
                yield from self._kubernetes(document, (*path, "items", index), outer)
        elif kind in OPERATOR_KINDS:
            metadata, spec = item.get("metadata") or {}, item.get("spec") or {}
            groups = self._groups(document, (*path, "spec", "groups"), outer, loose=True)
            yield RuleFile(
                str(metadata.get("name", self._default_namespace())),
                groups,
                path=self.file,
                tenant=str(spec.get("tenantID", "")),
                form=str(kind),
                document=document,
            )
        elif kind == "ConfigMap":
            for key, text in (item.get("data") or {}).items():
                if isinstance(text, str) and str(key).endswith((".yaml", ".yml", ".rules")):
                    yield from self._embedded(document, (*path, "data", key), text)

    def _embedded(self, outer: YamlDocument, path: Path, text: str) -> Iterator[RuleFile]:
        try:
            documents = load_documents(text, self.file)
        except LokictlError as error:
            for problem in error.problems:
                position = Origin(documents_source(text, self.file), (), outer=(outer, path))._outward(
                    problem.position
                )
                self.problems.append(
                    Problem(
                        problem.name,
                        problem.message,
                        position=position,
                        hint=problem.hint,
                        source_line=problem.source_line,
                    )
                )
            return
        for document in documents:
            if is_rule_document(document.value):
                for found in self.document(document, (outer, path)):
                    namespace = found.namespace if found.form == "namespace" else str(path[-1])
                    yield RuleFile(
                        namespace, found.groups, path=self.file, form="ConfigMap", document=document
                    )

    def _groups(
        self,
        document: YamlDocument,
        path: Path,
        outer: tuple[YamlDocument, Path] | None,
        *,
        loose: bool = False,
    ) -> tuple[RuleGroup, ...]:
        items = _value(document, path)
        if items is None:
            return ()
        if not isinstance(items, list):
            self._problem(document, "`groups` must be a list of rule groups", *path, outer=outer)
            return ()
        groups = [self.group(document, (*path, index), outer, loose=loose) for index in range(len(items))]
        self._repeated_groups(document, path, [group for group in groups if group is not None], outer)
        return tuple(group for group in groups if group is not None)

    def _repeated_groups(
        self,
        document: YamlDocument,
        path: Path,
        groups: list[RuleGroup],
        outer: tuple[YamlDocument, Path] | None,
    ) -> None:
        seen: set[str] = set()
        for group in groups:
            if group.name in seen:
                place = (*group.origin.path, "name")
                self._problem(
                    document,
                    f'the group name "{group.name}" is repeated in this file',
                    *place,
                    outer=outer,
                    hint="give each group of a namespace a name of its own",
                )
            seen.add(group.name)

    def group(
        self,
        document: YamlDocument,
        path: Path,
        outer: tuple[YamlDocument, Path] | None,
        *,
        loose: bool = False,
    ) -> RuleGroup | None:
        value = _value(document, path)
        if not isinstance(value, dict):
            self._problem(
                document, "a rule group is a mapping with the keys `name` and `rules`", *path, outer=outer
            )
            return None
        if not loose:
            self._unknown(document, GROUP_KEYS, path, "a rule group", outer)
        name = value.get("name")
        if name in (None, ""):
            self._problem(document, "a rule group needs a name", *path, outer=outer, hint="add `name: …`")
        rules = value.get("rules") or []
        if not isinstance(rules, list):
            self._problem(document, "`rules` must be a list", *path, "rules", outer=outer)
            rules = []
        built = [self._rule(document, (*path, "rules", index), outer, loose) for index in range(len(rules))]
        return RuleGroup(
            document.scalar_text(*path, "name"),
            tuple(rule for rule in built if rule is not None),
            interval=self._duration(document, (*path, "interval"), outer),
            limit=self._integer(document, (*path, "limit"), outer),
            query_offset=self._duration(document, (*path, "query_offset"), outer),
            labels=self._texts(document, (*path, "labels"), outer),
            remote_write=self._remote_write(document, (*path, "remote_write"), outer),
            origin=Origin(document, path, outer=outer),
        )

    def _rule(
        self, document: YamlDocument, path: Path, outer: tuple[YamlDocument, Path] | None, loose: bool
    ) -> Rule | None:
        value = _value(document, path)
        if not isinstance(value, dict):
            self._problem(
                document, "a rule is a mapping with `alert` or `record`, and `expr`", *path, outer=outer
            )
            return None
        if not loose:
            self._unknown(document, RULE_KEYS, path, "a rule", outer)
        alert, record = value.get("alert"), value.get("record")
        if (alert is None) == (record is None):
            message = "a rule has either `alert` or `record`" + (
                ", not both" if alert is not None else "; this has neither"
            )
            self._problem(document, message, *path, outer=outer)
            return None
        if not document.scalar_text(*path, "expr").strip():
            self._problem(document, "a rule needs an expression", *path, outer=outer, hint="add `expr: …`")
        origin = Origin(document, path, outer=outer)
        expr = document.scalar_text(*path, "expr")
        labels = self._texts(document, (*path, "labels"), outer)
        if record is not None:
            self._alert_only(document, path, outer)
            return RecordingRule(
                expr, record=document.scalar_text(*path, "record"), labels=labels, origin=origin
            )
        return AlertingRule(
            expr,
            alert=document.scalar_text(*path, "alert"),
            for_=self._duration(document, (*path, "for"), outer),
            keep_firing_for=self._duration(document, (*path, "keep_firing_for"), outer),
            labels=labels,
            annotations=self._texts(document, (*path, "annotations"), outer),
            origin=origin,
        )

    def _alert_only(
        self, document: YamlDocument, path: Path, outer: tuple[YamlDocument, Path] | None
    ) -> None:
        value = _value(document, path)
        for key in ("annotations", "for"):
            if value.get(key):
                self._problem(document, f"a recording rule has no `{key}`", *path, key, key=True, outer=outer)

    def _texts(
        self, document: YamlDocument, path: Path, outer: tuple[YamlDocument, Path] | None
    ) -> dict[str, str]:
        value = _value(document, path)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._problem(document, f"`{path[-1]}` must be a mapping of names to texts", *path, outer=outer)
            return {}
        for key, item in value.items():
            if isinstance(item, dict | list):
                self._problem(document, f"`{key}` must be a text", *path, key, outer=outer)
        return {
            str(key): document.scalar_text(*path, key) or _merged_text(item) for key, item in value.items()
        }

    def _remote_write(
        self, document: YamlDocument, path: Path, outer: tuple[YamlDocument, Path] | None
    ) -> tuple[dict[str, Any], ...]:
        value = _value(document, path)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._problem(document, "`remote_write` must be a list of mappings", *path, outer=outer)
            return ()
        return tuple(value)

    def _duration(self, document: YamlDocument, path: Path, outer: tuple[YamlDocument, Path] | None) -> int:
        if _value(document, path) is None:
            return 0
        from lokictl.logql.units import parse_prometheus_duration

        text = document.scalar_text(*path)
        try:
            return parse_prometheus_duration(text)
        except ValueError as error:
            hint = (
                f'write a unit: "{text}s" or "{text}m"'
                if text.isdigit()
                else 'durations look like "30s", "5m", "1h30m"'
            )
            self._problem(document, str(error), *path, outer=outer, hint=hint)
            return 0

    def _integer(self, document: YamlDocument, path: Path, outer: tuple[YamlDocument, Path] | None) -> int:
        value = _value(document, path)
        if value is None:
            return 0
        if not isinstance(value, int) or isinstance(value, bool):
            self._problem(document, f"`{path[-1]}` must be a whole number", *path, outer=outer)
            return 0
        return value

    def _unknown(
        self,
        document: YamlDocument,
        known: tuple[str, ...],
        path: Path,
        what: str,
        outer: tuple[YamlDocument, Path] | None,
    ) -> None:
        if self.strict:
            for problem in unknown_keys(document, known, *path, name="rule/unknown-key", what=what):
                self.problems.append(self._outward(problem, document, outer))

    def _problem(
        self,
        document: YamlDocument,
        message: str,
        *path: str | int,
        outer: tuple[YamlDocument, Path] | None,
        key: bool = False,
        hint: str = "",
    ) -> None:
        problem = document.problem("rule/syntax", message, *path, key=key, hint=hint)
        self.problems.append(self._outward(problem, document, outer))

    def _outward(
        self, problem: Problem, document: YamlDocument, outer: tuple[YamlDocument, Path] | None
    ) -> Problem:
        if outer is None:
            return problem
        origin = Origin(document, (), outer=outer)
        position = origin._outward(problem.position)
        return Problem(
            problem.name,
            problem.message,
            problem.severity,
            position,
            problem.hint,
            outer[0].source.line(position.line),
        )

    def _default_namespace(self, outer: tuple[YamlDocument, Path] | None = None) -> str:
        if outer is not None:
            return str(outer[1][-1])
        return FilePath(self.file).stem if self.file else "default"


def documents_source(text: str, file: str) -> YamlDocument:
    """A document without parts, for placing problems of a text that does not parse."""
    from lokictl.model.yaml_source import SourceText

    return YamlDocument(None, SourceText(text, file), None)


def _value(document: YamlDocument, path: Path) -> Any:
    value = document.value
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _merged_text(item: Any) -> str:
    return "" if item is None else item if isinstance(item, str) else str(item)


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
