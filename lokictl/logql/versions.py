"""Which Loki behaves how: one table of dated behaviors, asked wherever a behavior lives.

A behavior is something that a Loki does from one version on, or until another: syntax that it reads, an answer that it
gives.  The code that does it asks ``version.has(BEHAVIOR)``; the page "LogQL by version", the linter's version check
and ``lokictl upgrade`` read the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from lokictl.logql import expressions as ast

Find = Callable[[ast.Expr], Iterator[ast.Node]]
"""The parts of an expression that a behavior concerns."""


class LokiVersion(NamedTuple):
    """A released Loki; ``LokiVersion.parse("3.4")`` is the newest known patch release of 3.4."""

    major: int
    minor: int
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> LokiVersion:
        """The version that ``text`` names: ``3.4``, ``v3.4.2``, ``main``.  Raises ValueError."""
        body = text.strip().removeprefix("v")
        if body == "main":
            return MAIN
        parts = body.partition("-")[0].partition("+")[0].split(".")
        if not 2 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() for part in parts):
            raise ValueError(f"{text!r} is not a version of Loki: write one like 3.4 or 3.4.2")
        numbers = [int(part) for part in parts]
        minor = (numbers[0], numbers[1])
        found = cls(*numbers) if len(numbers) == 3 else cls(*minor, NEWEST_PATCH.get(minor, 0))
        if not FIRST <= found < MAIN:
            raise ValueError(f"Loki {text} is not known: {FIRST.minor_text} to {NEWEST.minor_text} are")
        return found

    def has(self, behavior: Behavior) -> bool:
        """Whether this Loki behaves so."""
        return behavior.holds(self)

    @property
    def minor_text(self) -> str:
        """The version without its patch release: ``3.4``; ``main`` for the development branch."""
        return "main" if self >= MAIN else f"{self.major}.{self.minor}"

    def __str__(self) -> str:
        return "main" if self >= MAIN else f"{self.major}.{self.minor}.{self.patch}"


NEWEST_PATCH = {
    (2, 9): 17,
    (3, 0): 1,
    (3, 1): 2,
    (3, 2): 1,
    (3, 3): 4,
    (3, 4): 6,
    (3, 5): 12,
    (3, 6): 15,
    (3, 7): 6,
    (3, 8): 0,
}
"""The patch release of each minor version whose answers were recorded."""
FIRST = LokiVersion(2, 9, 0)
NEWEST = LokiVersion(3, 8, 0)
MAIN = LokiVersion(3, 9, 0)
"""The development branch after 3.8."""
DEFAULT = LokiVersion(3, 7, 6)
"""What everything behaves like unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Example:
    """Logs and a query that show a behavior: ``lines`` of one stream, a second apart."""

    query: str
    lines: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = (("app", "shop"),)
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Behavior:
    """Something that Loki does for versions with ``since <= version < until``.

    ``what`` it does; ``otherwise`` what the versions before ``since`` (or from ``until`` on) do; ``find`` gives the
    parts of an expression that it concerns (None: every query, or nothing that a query shows); ``source`` is where it
    is written down, ``recording`` the recorded answers that prove it.  ``syntax``: without it Loki refuses the query.
    """

    name: str
    what: str
    otherwise: str
    since: LokiVersion = FIRST
    until: LokiVersion | None = None
    find: Find | None = None
    source: str = "recorded"
    recording: str = ""
    syntax: bool = False
    example: Example | None = None
    related: tuple[str, ...] = field(default=())

    def holds(self, version: LokiVersion) -> bool:
        """Whether ``version`` behaves so."""
        return self.since <= version and (self.until is None or version < self.until)


def parse_version(text: str) -> LokiVersion:
    """`LokiVersion.parse`."""
    return LokiVersion.parse(text)


@lru_cache(maxsize=64)
def changed(old: LokiVersion, new: LokiVersion) -> tuple[Behavior, ...]:
    """The behaviors that one version has and the other does not, in the order of the table."""
    return tuple(behavior for behavior in BEHAVIORS if behavior.holds(old) != behavior.holds(new))


BEHAVIORS: tuple[Behavior, ...] = ()
