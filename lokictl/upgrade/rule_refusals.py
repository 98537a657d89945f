"""Rules that one of two versions of Loki refuses for something other than their query."""

from __future__ import annotations

from collections.abc import Iterable

from lokictl.diagnostics import Problem
from lokictl.logql.versions import LokiVersion, targeting
from lokictl.model import RuleFile
from lokictl.model.rule_validation import group_problems
from lokictl.upgrade.changes import Change, Kind, Place, name_of

OF_QUERIES = "could not parse expression"
"""How Loki's messages about queries begin; what changes there is found query by query."""
OF_TEMPLATES = ("annotation ", "label ")
"""How messages about templates begin: they end with the reason, which is the same for every rule."""
OF_GROUPS = "field "
"""How messages about settings of a group begin: Loki then reads nothing of the file."""


def changes_in_refusals(files: Iterable[RuleFile], old: LokiVersion, new: LokiVersion) -> list[Change]:
    """The names, templates and settings that only the new version refuses, and those that only the old one does."""
    changes: dict[str, Change] = {}
    for file in files:
        before, after = _refused(file, old), _refused(file, new)
        for kind, by, other, found, accepted in (
            (Kind.REFUSED, new, old, after, before),
            (Kind.NEW, old, new, before, after),
        ):
            for key, problem in found.items():
                if key not in accepted:
                    text = f"Loki {name_of(by, other)} refuses {_what(problem.message)}"
                    change = changes.setdefault(text, Change(kind, text))
                    note = "" if text.endswith(problem.message) else problem.message
                    change.places.append(Place(problem.position, problem.source_line, note=note))
    return list(changes.values())


def _what(message: str) -> str:
    """What is refused, in words that are the same for every rule that has it."""
    if message.startswith(OF_GROUPS):
        return f"the file: {message}"
    return f"the rule: {message.rpartition(': ')[2] if message.startswith(OF_TEMPLATES) else message}"


def _refused(file: RuleFile, version: LokiVersion) -> dict[str, Problem]:
    with targeting(version):
        problems = group_problems(file.groups)
    return {
        f"{problem.position} {problem.message}": problem
        for problem in problems
        if not problem.message.startswith(OF_QUERIES)
    }


__all__ = ["changes_in_refusals"]
