"""Queries that another version of Loki refuses, answers differently, or lets you spell better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from enum import StrEnum

from lokictl.diagnostics import Position
from lokictl.lint.findings import Edit
from lokictl.lint.query import Query, QueryKind
from lokictl.logql import LogQLError, ast
from lokictl.logql.cache import parse_cached
from lokictl.logql.versions import BEHAVIORS, Behavior, LokiVersion, changed
from lokictl.records import dataclass
from lokictl.upgrade.spellings import as_old_syntax, better_spellings


class Kind(StrEnum):
    """What happens to what is there; the worst first."""

    REFUSED = "refused"
    REMOVED = "removed"
    ANSWER = "changes its answer"
    LINES = "changes its answer for some lines"
    TEST = "changes a test"
    DEFAULT = "has another default"
    DEPRECATED = "deprecated"
    NEW = "works only afterwards"
    BETTER = "new and better spelling"
    BROKEN = "refused by both"
    UNREAD = "not read"


HARMLESS = (Kind.DEPRECATED, Kind.NEW, Kind.BETTER, Kind.BROKEN, Kind.UNREAD)
"""The kinds that leave every answer as it is."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is: the position, the text of its line, what it is about, and the edit that keeps the old answer.

    ``note`` is what only this place has: the error, or the new spelling.
    """

    position: Position
    source_line: str = ""
    item: str = ""
    edit: Edit | None = None
    note: str = ""


@dataclass(slots=True)
class Change:
    """One thing that changes, and all places that it concerns.

    ``before`` is what the old version does; the example of ``behavior`` shows both.  ``hint`` is what to do.
    """

    kind: Kind
    message: str
    before: str = ""
    behavior: Behavior | None = None
    places: list[Place] = field(default_factory=list)
    hint: str = ""


def changes_in_queries(queries: Iterable[Query], old: LokiVersion, new: LokiVersion) -> list[Change]:
    """What changes in queries between two versions, in the order of the table of behaviors."""
    finder = _Finder(old, new)
    for query in queries:
        finder.look_at(query)
    return finder.found()


def changes_everywhere(old: LokiVersion, new: LokiVersion) -> list[Change]:
    """What changes whatever the queries are: how Loki takes lines in, or answers at all."""
    return [
        _answer_change(behavior, old)
        for behavior in changed(old, new)
        if behavior.find is None and not behavior.syntax
    ]


def name_of(version: LokiVersion, other: LokiVersion) -> str:
    """A version in words: without its patch release, unless that is all that tells it from the other one."""
    return version.minor_text if version.minor_text != other.minor_text else str(version)


class _Finder:
    """Collects the changes of one query after the other; each message and each behavior is one change."""

    def __init__(self, old: LokiVersion, new: LokiVersion) -> None:
        self.old, self.new = old, new
        self.refusals: dict[str, Change] = {}
        self.answers: dict[str, Change] = {}
        self.better: dict[str, Change] = {}
        self.unread = Change(
            Kind.UNREAD, f"LogQL that neither Loki {name_of(old, new)} nor {name_of(new, old)} reads"
        )

    def found(self) -> list[Change]:
        order = [behavior.name for behavior in BEHAVIORS]
        answers = (self.answers[name] for name in sorted(self.answers, key=order.index))
        unread = [self.unread] if self.unread.places else []
        return [*self.refusals.values(), *answers, *self.better.values(), *unread]

    def look_at(self, query: Query) -> None:
        text = query.filled.text
        before, after = parse_cached(text, self.old), parse_cached(text, self.new)
        if isinstance(before, LogQLError) and isinstance(after, LogQLError):
            if query.kind == QueryKind.PLAIN and query.templated:
                return  # A link of a data source, which may lead to another one with a language of its own.
            place = query.place()
            note = str(after).split("\n")[0]
            self.unread.places.append(Place(place.position, place.source_line, query.item, note=note))
        elif isinstance(after, LogQLError):
            assert isinstance(before, ast.Expr)
            self._refused(query, before, after, self.new, Kind.REFUSED)
        elif isinstance(before, LogQLError):
            self._refused(query, after, before, self.old, Kind.NEW)
        else:
            self._answers(query, after)
            self._better(query, after)

    def _refused(
        self, query: Query, expression: ast.Expr, error: LogQLError, by: LokiVersion, kind: Kind
    ) -> None:
        note = str(error).split("\n")[0]
        respelled = dict(_by_start(expression, by)) if kind == Kind.REFUSED else {}
        for called, node in _unknown_syntax(expression, by) or [("", expression)]:
            other = self.old if by == self.new else self.new
            message = f"Loki {name_of(by, other)} refuses it" + (
                f": it does not have {called}" if called else ""
            )
            change = self.refusals.setdefault(f"{kind}{message}", Change(kind, message))
            change.places.append(_place(query, node, rewrite=respelled.get(node.span.start), note=note))

    def _answers(self, query: Query, expression: ast.Expr) -> None:
        for behavior in changed(self.old, self.new):
            for node in _concerned(behavior, expression):
                change = self.answers.setdefault(behavior.name, _answer_change(behavior, self.old))
                rewrite = behavior.rewrite if not behavior.holds(self.old) else None
                change.places.append(_place(query, node, rewrite=rewrite(node) if rewrite else None))

    def _better(self, query: Query, expression: ast.Expr) -> None:
        for spelling, node, text in better_spellings(expression, self.old, self.new):
            if query.has_variable(node):
                continue
            change = self.better.setdefault(spelling.name, Change(Kind.BETTER, spelling.what))
            change.places.append(_place(query, node, note=f"{query.written(node)}  →  {text}"))


def _by_start(expression: ast.Expr, version: LokiVersion) -> Iterator[tuple[int, str]]:
    """What parts are written as for a version that does not read them, by where they begin."""
    return ((node.span.start, text) for node, text in as_old_syntax(expression, version))


def _unknown_syntax(expression: ast.Expr, version: LokiVersion) -> list[tuple[str, ast.Node]]:
    """What an expression has that a version does not: the name of each, with the first part that has it."""
    found: dict[str, ast.Node] = {}
    for behavior in BEHAVIORS:
        if behavior.syntax and behavior.find is not None and not behavior.holds(version):
            for node in behavior.find(expression):
                found.setdefault(behavior.called(node) if behavior.called else behavior.name, node)
    return list(found.items())


def _answer_change(behavior: Behavior, old: LokiVersion) -> Change:
    now, before = behavior.what, behavior.otherwise
    if behavior.holds(old):
        now, before = before, now
    return Change(Kind.LINES if behavior.by_lines else Kind.ANSWER, now, before, behavior)


def _concerned(behavior: Behavior, expression: ast.Expr) -> Iterator[ast.Node]:
    """The parts of a query that a behavior concerns; the first one where only the lines decide."""
    if behavior.syntax or behavior.find is None:
        return
    seen: set[int] = set()
    for node in behavior.find(expression):
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            if behavior.by_lines:
                return


def _place(query: Query, node: ast.Node, *, rewrite: str | None = None, note: str = "") -> Place:
    place = query.place(node)
    edit = _edit(query, node, rewrite) if rewrite is not None else None
    return Place(place.position, place.source_line, query.item, edit, note)


def _edit(query: Query, node: ast.Node, rewrite: str) -> Edit | None:
    """The edit of the file that rewrites a part; a part that goes takes the space before it along."""
    span = query.original(node.span)
    start = span.start
    if not rewrite:
        start = len(query.text[:start].rstrip())
    return query.source.edit(start, span.end, rewrite)


__all__ = ["HARMLESS", "Change", "Kind", "Place", "changes_everywhere", "changes_in_queries", "name_of"]
