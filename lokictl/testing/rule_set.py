"""The rules that a test file is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lokictl.diagnostics import LokictlError, Problem, suggestion
from lokictl.model import Rule, RuleFile, RuleGroup, load_rule_files
from lokictl.model.rule_validation import dropped_settings, group_problems
from lokictl.records import dataclass
from lokictl.testing.loading import is_test_text
from lokictl.testing.model import TestFile


@dataclass(frozen=True)
class RuleSet:
    """Rule files, and the order in which their groups are evaluated at one instant."""

    files: tuple[RuleFile, ...] = ()
    order: tuple[str, ...] = ()

    @cached_property
    def groups(self) -> tuple[RuleGroup, ...]:
        """The groups of all files in the order of their evaluation."""
        groups = [group for file in self.files for group in file.groups]
        ranks = {name: index for index, name in enumerate(self.order)}
        return tuple(sorted(groups, key=lambda group: ranks.get(group.name, len(ranks))))

    def rules(self) -> Iterable[tuple[RuleGroup, Rule]]:
        """Every rule with its group."""
        return ((group, rule) for group in self.groups for rule in group.rules)

    @cached_property
    def _by_name(self) -> dict[str, dict[int, list[Rule]]]:
        """For each name the numbers of the groups that have such rules, with these."""
        found: dict[str, dict[int, list[Rule]]] = {}
        for number, group in enumerate(self.groups):
            for rule in group.rules:
                found.setdefault(rule.name, {}).setdefault(number, []).append(rule)
        return found

    def names(self, kind: type[Rule]) -> list[str]:
        """The names of all rules of a kind."""
        return [rule.name for _, rule in self.rules() if isinstance(rule, kind)]

    def only(self, names: set[str]) -> list[RuleGroup]:
        """The groups, with only the rules of these names; groups without any are left out."""
        found = []
        for number in sorted({number for name in names for number in self._by_name.get(name, ())}):
            group = self.groups[number]
            rules = tuple(rule for rule in group.rules if rule.name in names)
            found.append(group if len(rules) == len(group.rules) else replace(group, rules=rules))
        return found

    def unknown(self, name: str, kind: type[Rule]) -> str:
        """What to say about a name that no rule of the kind has; "" where there is one."""
        rules = (rule for group in self._by_name.get(name, {}).values() for rule in group)
        if any(isinstance(rule, kind) for rule in rules):
            return ""
        known = self.names(kind)
        return suggestion(name, known, f"the rules have: {', '.join(known) or 'none'}")


def rules_of(file: TestFile, project_files: Iterable[RuleFile] | None) -> RuleSet:
    """The rules that a test file names, or the project's.  Raises `LokictlError`."""
    if file.rule_files:
        found = RuleSet(tuple(_load(file)), file.group_eval_order)
    elif project_files is not None:
        found = RuleSet(tuple(project_files), file.group_eval_order)
    elif any(test.rule_names for test in file.tests):
        raise LokictlError(_no_rules(file))
    else:
        found = RuleSet()
    _check_order(file, found)
    return found


def _no_rules(file: TestFile) -> Problem:
    assert file.document is not None
    return file.document.problem(
        "test/no-rules",
        "the file names no `rule_files`, and there is no content project here",
        "tests",
        key=True,
        hint="add `rule_files: [my-rules.yaml]` (relative to the test file), or give --project",
    )


def _check_order(file: TestFile, rules: RuleSet) -> None:
    known = [group.name for group in rules.groups]
    problems = []
    for index, name in enumerate(file.group_eval_order):
        if name not in known and file.document is not None:
            hint = suggestion(name, known, f"groups: {', '.join(known) or 'none'}")
            problems.append(
                file.document.problem(
                    "test/unknown-group", f'unknown group "{name}"', "group_eval_order", index, hint=hint
                )
            )
    if problems:
        raise LokictlError(problems)


def _load(file: TestFile) -> list[RuleFile]:
    found: list[RuleFile] = []
    folder = Path(file.path).parent
    problems: list[Problem] = []
    for index, pattern in enumerate(file.rule_files):
        paths = _matching(folder, pattern)
        if not paths and file.document is not None:
            message = f"no file matches {pattern}"
            hint = f"globs are relative to {folder}"
            problems.append(
                file.document.problem("test/no-such-file", message, "rule_files", index, hint=hint)
            )
        for path in paths:
            try:
                found += load_rule_files(path)
            except LokictlError as error:
                problems += error.problems
    if problems:
        raise LokictlError(problems)
    return found


def _matching(folder: Path, pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_absolute():
        folder, path = Path(path.anchor), path.relative_to(path.anchor)
    if not any(character in pattern for character in "*?["):
        return [folder / path] if (folder / path).is_file() else []
    return sorted(found for found in folder.glob(str(path)) if found.is_file() and not _is_test(found))


def _is_test(path: Path) -> bool:
    """Whether a file that a glob finds is a test file, which is not meant."""
    return is_test_text(path.read_text(encoding="utf-8", errors="replace"))


def rule_problems(rules: RuleSet) -> list[Problem]:
    """What Loki would refuse of the rules (errors), and what it accepts and drops (warnings)."""
    found = [problem for file in rules.files for problem in group_problems(file.groups)]
    for group in rules.groups:
        found += dropped_settings(group)
    return found
