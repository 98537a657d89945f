"""Rules and groups that share what should tell them apart."""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.diagnostics import Problem, Severity
from lokictl.model.origin import Origin
from lokictl.model.rules import Rule, RuleFile, RuleGroup


def repeated_rules(rule_files: tuple[RuleFile, ...]) -> list[Problem]:
    """Groups that share a name within a namespace; rules that share name and labels within a group."""
    problems: list[Problem] = []
    groups: dict[tuple[str, str, str], RuleGroup] = {}
    for file in rule_files:
        for group in file.groups:
            key = (file.tenant, file.namespace, group.name)
            if key in groups and file.form == "python":
                message = f'the group "{group.name}" exists twice in the namespace "{file.namespace}"'
                problems.append(_rule_problem(group.origin, message, "name"))
            groups.setdefault(key, group)
            problems += _repeated_in(group)
    return problems


def _repeated_in(group: RuleGroup) -> Iterator[Problem]:
    seen: dict[tuple[type, str, frozenset[tuple[str, str]]], Rule] = {}
    for rule in group.rules:
        key = (type(rule), rule.name, frozenset(rule.labels.items()))
        if key in seen:
            first = seen[key].origin.position()
            message = f'the group "{group.name}" has two rules with the name "{rule.name}"'
            hint = f"the other is at {first}; rename one, or distinguish them by a label"
            key_name = "alert" if hasattr(rule, "alert") else "record"
            # Loki accepts these; lokitool warns of them.
            yield _rule_problem(rule.origin, message, key_name, hint, Severity.WARNING)
        seen.setdefault(key, rule)


def _rule_problem(
    origin: Origin, message: str, key: str, hint: str = "", severity: Severity = Severity.ERROR
) -> Problem:
    position = origin.position(key)
    line = origin.source_line(position)
    return Problem("rule/duplicate", message, severity, position, hint, line)
