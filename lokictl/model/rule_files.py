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

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.model.contents import FoundRules, contents_of
from lokictl.model.documents import Cursor, Document
from lokictl.model.json_source import load_json
from lokictl.model.origin import Origin
from lokictl.model.rules import GroupReader, RuleFile, RuleGroup
from lokictl.model.yaml_source import load_documents

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


class _Reader(GroupReader):
    """Collects problems while it builds rule files."""

    def __init__(self, file: str, *, strict: bool = True, final: bool | None = None) -> None:
        super().__init__(strict=strict, final=final)
        self.file = file

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
            self.problem(cursor, "a rule file is a mapping with the key `groups`")
            return self._file(found, default, ())
        self.unknown(cursor, FILE_KEYS, "a rule file")
        if "groups" not in value:
            self.problem(cursor, "a rule file needs the key `groups`")
        namespace = value.get("namespace")
        groups = self._groups(cursor.child("groups")) if "groups" in value else ()
        form = "namespace" if namespace and found.form == "ruler" else found.form
        return self._file(found, str(namespace) if namespace else default, groups, form)

    def _loose_rules(self, found: FoundRules, default: str) -> tuple[RuleGroup, ...]:
        """Rules without a group, as a group: a single rule, or a list of rules."""
        cursors = [found.cursor] if found.shape == "rule" else list(found.cursor.children())
        rules = tuple(rule for cursor in cursors if (rule := self.rule(cursor)) is not None)
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
            self.problem(cursor, "`groups` must be a list of rule groups")
            return ()
        built = [self.group(child) for child in cursor.children()]
        groups = tuple(group for group in built if group is not None)
        self._repeated_groups(groups)
        return groups

    def _repeated_groups(self, groups: tuple[RuleGroup, ...]) -> None:
        seen: set[str] = set()
        for group in groups:
            if group.name in seen and group.origin.cursor is not None:
                self.problem(
                    group.origin.cursor,
                    f'the group name "{group.name}" is repeated in this file',
                    "name",
                    hint="use unique group names in a namespace",
                )
            seen.add(group.name)
