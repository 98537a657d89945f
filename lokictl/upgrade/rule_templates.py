"""Templates of alerting rules that one of two versions of Loki refuses."""

from __future__ import annotations

from collections.abc import Iterable

from lokictl.diagnostics import Problem
from lokictl.logql.versions import LokiVersion, targeting
from lokictl.model import RuleFile
from lokictl.model.rule_validation import group_problems
from lokictl.upgrade.changes import Change, Kind, Place, name_of

OF_TEMPLATES = ("annotation ", "label ")
"""How Loki's messages about templates begin; those about queries are found query by query."""


def changes_in_templates(files: Iterable[RuleFile], old: LokiVersion, new: LokiVersion) -> list[Change]:
    """The labels and annotations that only the new version refuses, and those that only the old one does."""
    changes: dict[str, Change] = {}
    for file in files:
        before, after = _refused(file, old), _refused(file, new)
        for kind, by, other, found, accepted in (
            (Kind.REFUSED, new, old, after, before),
            (Kind.NEW, old, new, before, after),
        ):
            for message, problem in found.items():
                if message not in accepted:
                    text = f"Loki {name_of(by, other)} refuses the rule: {message.rpartition(': ')[2]}"
                    change = changes.setdefault(text, Change(kind, text))
                    change.places.append(Place(problem.position, problem.source_line, note=problem.message))
    return list(changes.values())


def _refused(file: RuleFile, version: LokiVersion) -> dict[str, Problem]:
    with targeting(version):
        problems = group_problems(file.groups)
    return {
        f"{problem.position} {problem.message}": problem
        for problem in problems
        if problem.message.startswith(OF_TEMPLATES)
    }


__all__ = ["changes_in_templates"]
