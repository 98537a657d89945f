"""Queries that another version of Loki refuses, or answers differently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from lokictl.diagnostics import Position
from lokictl.lint.findings import Edit
from lokictl.lint.query import Query
from lokictl.logql import LogQLError, ast, parse
from lokictl.logql.versions import BEHAVIORS, Behavior, LokiVersion, changed


class Kind(StrEnum):
    """What happens to what is there."""

    REFUSED = "refused"
    ANSWER = "changes its answer"
    TEST = "changes a test"
    REMOVED = "removed"
    DEPRECATED = "deprecated"
    NEW = "works only afterwards"


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is: the position, the text of its line, what it is about, and the edit that keeps the old answer."""

    position: Position
    source_line: str = ""
    item: str = ""
    edit: Edit | None = None


@dataclass(slots=True)
class Change:
    """One thing that changes, and all places that it concerns.

    ``example`` shows it: a query over lines, with the answers of both versions.
    """

    kind: Kind
    message: str
    before: str = ""
    behavior: Behavior | None = None
    places: list[Place] = field(default_factory=list)
    hint: str = ""


def changes_in_queries(queries: Iterable[Query], old: LokiVersion, new: LokiVersion) -> list[Change]:
    """What changes in queries between two versions, in the order of the table of behaviors."""
    answers: dict[str, Change] = {}
    refusals: dict[str, Change] = {}
    for query in queries:
        expression = query.expression
        if expression is None:
            continue
        error, before = _refusal(query, new), _refusal(query, old)
        if before and not error:
            only = f"Loki {old.minor_text} refuses it: {before}"
            refusals.setdefault(only, Change(Kind.NEW, only)).places.append(_place(query, expression))
        if error and not before:
            change = refusals.setdefault(
                error, Change(Kind.REFUSED, f"Loki {new.minor_text} refuses it: {error}")
            )
            change.places.append(_place(query, expression))
            continue
        for behavior in changed(old, new):
            for node in _concerned(behavior, expression):
                change = answers.setdefault(behavior.name, _answer_change(behavior, old))
                change.places.append(_place(query, node, behavior, old))
    order = [behavior.name for behavior in BEHAVIORS]
    return [*refusals.values(), *(answers[name] for name in sorted(answers, key=order.index))]


def _answer_change(behavior: Behavior, old: LokiVersion) -> Change:
    now, before = behavior.what, behavior.otherwise
    if behavior.holds(old):
        now, before = before, now
    return Change(Kind.ANSWER, now, before, behavior)


def _concerned(behavior: Behavior, expression: ast.Expr) -> Iterator[ast.Node]:
    if behavior.syntax or behavior.find is None:
        return
    seen: set[int] = set()
    for node in behavior.find(expression):
        if id(node) not in seen:
            seen.add(id(node))
            yield node


def _refusal(query: Query, version: LokiVersion) -> str:
    try:
        parse(query.filled.text, version=version)
    except LogQLError as error:
        return str(error)
    return ""


def _place(
    query: Query, node: ast.Node, behavior: Behavior | None = None, old: LokiVersion | None = None
) -> Place:
    place = query.place(node)
    edit = None
    if behavior is not None and behavior.rewrite is not None and old is not None and not behavior.holds(old):
        edit = query.edit(node, behavior.rewrite(node))
    return Place(place.position, place.source_line, query.item, edit)
