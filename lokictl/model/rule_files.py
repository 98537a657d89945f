"""Reads rule files in every form that people keep them in (see `lokictl.model.contents` for how they are found):

* ruler form: ``groups:`` (what Loki's own loader reads; unknown keys are refused, as Loki does);
* namespace form: the same with ``namespace:`` (lokitool, cortextool), several documents allowed;
* one group (the ruler API's body), and the API's listing (namespace -> groups);
* one rule, or a list of rules, for a tool that makes the group;
* packed in something else: custom resources, ConfigMaps, Secrets, Helm values, Ansible variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import Any

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.logql.placeholders import has_placeholder, jinja_as_variables
from lokictl.logql.units import parse_prometheus_duration
from lokictl.model.contents import FoundRules, contents_of
from lokictl.model.documents import Cursor, Document
from lokictl.model.json_source import load_json
from lokictl.model.rules import AlertingRule, Origin, RecordingRule, Rule, RuleFile, RuleGroup
from lokictl.model.yaml_source import load_documents
from lokictl.templates.alert import NAMES

GROUP_KEYS = ("name", "interval", "query_offset", "limit", "labels", "rules", "remote_write")
RULE_KEYS = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")
FILE_KEYS = ("namespace", "groups")


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
    files, problems = read_rule_files(read_documents(text, file), file)
    if problems:
        raise LokictlError(problems)
    return files


def read_documents(text: str, file: str = "") -> list[Document]:
    """The documents of a YAML or JSON text.  Raises `LokictlError` for text that is neither."""
    if file.endswith(".json"):
        return [load_json(text, file)]
    return list(load_documents(text, file))


def read_rule_files(documents: Iterable[Document], file: str = "") -> tuple[list[RuleFile], list[Problem]]:
    """The rule files in documents as far as they can be read, and everything wrong with them.

    A document without rules is wrong, too, unless it is a Kubernetes object.
    """
    files: list[RuleFile] = []
    problems: list[Problem] = []
    for document in documents:
        contents = contents_of(document)
        found = contents.rules or _presumed(document)
        for rules in found:
            read, wrong = read_rules(rules, file)
            files += read
            problems += wrong
        problems += contents.problems
    return files, problems


def _presumed(document: Document) -> list[FoundRules]:
    """A document that does not look like rules, taken for a rule file to say what is wrong with it."""
    value = document.value
    if value is None or (isinstance(value, dict) and "kind" in value and "groups" not in value):
        return []
    return [FoundRules(Cursor(document), "file", "ruler")]


def read_rules(found: FoundRules, file: str = "") -> tuple[list[RuleFile], list[Problem]]:
    """The rule files at a place (several for a listing), and everything wrong with them."""
    reader = _Reader(file, strict=found.strict)
    return list(reader.read(found)), reader.problems


def load_group(text: str, file: str = "") -> RuleGroup:
    """One group, as the ruler's API takes it: unknown keys are ignored there, and here."""
    documents = load_documents(text, file)
    if not documents or not isinstance(documents[0].value, dict):
        raise LokictlError(
            Problem("rule/syntax", "a rule group is a mapping with a name and rules", position=Position(file))
        )
    reader = _Reader(file, strict=False, final=True)
    group = reader.group(Cursor(documents[0]))
    if reader.problems or group is None:
        raise LokictlError(reader.problems)
    return group


class _Reader:
    """Collects problems while it builds rule files."""

    def __init__(self, file: str, *, strict: bool = True, final: bool | None = None) -> None:
        """``strict``: unknown keys are errors; ``final``: no tool fills placeholders any more (as ``strict`` says)."""
        self.file = file
        self.strict = strict
        self.final = strict if final is None else final
        self.problems: list[Problem] = []

    def read(self, found: FoundRules) -> Iterator[RuleFile]:
        cursor = found.cursor
        default = found.namespace or (FilePath(self.file).stem if self.file else "default")
        if found.shape == "listing":
            for namespace in cursor.value:
                yield self._file(found, str(namespace), self._groups(cursor.child(namespace)))
        elif found.shape == "file":
            yield self._plain(found, default)
        elif found.shape == "groups":
            yield self._file(found, default, self._groups(cursor))
        elif found.shape == "group":
            group = self.group(cursor)
            yield self._file(found, default, (group,) if group else ())
        else:
            yield self._file(found, default, self._loose_rules(found, default))

    def _plain(self, found: FoundRules, default: str) -> RuleFile:
        cursor, value = found.cursor, found.cursor.value
        if not isinstance(value, dict):
            self._problem(cursor, "a rule file is a mapping with the key `groups`")
            return self._file(found, default, ())
        self._unknown(cursor, FILE_KEYS, "a rule file")
        if "groups" not in value:
            self._problem(cursor, "a rule file needs the key `groups`")
        namespace = value.get("namespace")
        groups = self._groups(cursor.child("groups")) if "groups" in value else ()
        form = "namespace" if namespace and found.form == "ruler" else found.form
        return self._file(found, str(namespace) if namespace else default, groups, form)

    def _loose_rules(self, found: FoundRules, default: str) -> tuple[RuleGroup, ...]:
        """Rules without a group, as a group: a single rule, or a list of rules."""
        cursors = [found.cursor] if found.shape == "rule" else list(found.cursor.children())
        rules = tuple(rule for cursor in cursors if (rule := self._rule(cursor)) is not None)
        return (RuleGroup(default, rules, origin=Origin(found.cursor)),)

    def _file(
        self, found: FoundRules, namespace: str, groups: tuple[RuleGroup, ...], form: str = ""
    ) -> RuleFile:
        return RuleFile(
            namespace,
            groups,
            path=self.file,
            form=form or found.form,
            tenant=found.tenant,
            document=found.cursor.document,
        )

    def _groups(self, cursor: Cursor) -> tuple[RuleGroup, ...]:
        items = cursor.value
        if items is None:
            return ()
        if not isinstance(items, list):
            self._problem(cursor, "`groups` must be a list of rule groups")
            return ()
        built = [self.group(child) for child in cursor.children()]
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

    def group(self, cursor: Cursor) -> RuleGroup | None:
        value = cursor.value
        if not isinstance(value, dict):
            self._problem(cursor, "a rule group is a mapping with the keys `name` and `rules`")
            return None
        self._unknown(cursor, GROUP_KEYS, "a rule group")
        if value.get("name") in (None, ""):
            self._problem(cursor, "a rule group needs a name", hint="add `name: …`")
        rules = cursor.child("rules")
        if value.get("rules") and not isinstance(rules.value, list):
            self._problem(rules, "`rules` must be a list")
        listed = rules.children() if isinstance(rules.value, list) else ()
        built = [self._rule(child) for child in listed]
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

    def _rule(self, cursor: Cursor) -> Rule | None:
        value = cursor.value
        if not isinstance(value, dict):
            self._problem(cursor, "a rule is a mapping with `alert` or `record`, and `expr`")
            return None
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
            return RecordingRule(cursor.child("record").text, expr, labels=labels, origin=Origin(cursor))
        return AlertingRule(
            cursor.child("alert").text,
            expr,
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
            self._problem(cursor, f"`{cursor.path[-1]}` must be a map of strings")
            return {}
        for key, item in value.items():
            if isinstance(item, dict | list):
                self._problem(cursor, f"`{key}` must be a string", key)
        texts = {str(key): cursor.child(key).text for key in value}
        if self.final:
            return texts
        # A tool that makes the rule file out of this may fill names of its own.
        return {key: jinja_as_variables(text, NAMES) for key, text in texts.items()}

    def _remote_write(self, cursor: Cursor) -> tuple[dict[str, Any], ...]:
        value = cursor.value
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._problem(cursor, "`remote_write` must be a list of mappings")
            return ()
        return tuple(value)

    def _duration(self, cursor: Cursor) -> int:
        text = cursor.text
        if cursor.value is None or has_placeholder(text):
            return 0
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
        if isinstance(value, str) and has_placeholder(value):
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
