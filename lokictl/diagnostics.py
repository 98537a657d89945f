"""Problems with a place: what every floor reports and every command prints.  Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from lokictl.errors import Error
from lokictl.lazy import lazy
from lokictl.records import dataclass

if TYPE_CHECKING:
    import difflib
else:
    difflib = lazy("difflib")


class Severity(StrEnum):
    """How bad a problem is; the worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A stretch of a file: lines and columns count from 1 (columns in characters), the end column is exclusive.

    0 means "not known"; a position with only a file is a position.
    """

    file: str = ""
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        parts = [self.file or "<input>"]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)


@dataclass(frozen=True, slots=True)
class Place:
    """A position, and the text of its line ("" where it must be read from the file)."""

    position: Position
    source_line: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: ``name`` is stable (``rule/duplicate``), ``message`` says what, ``hint`` what to do.

    ``source_line`` is the line that the position is in, for the caret; empty when it can be read from the file
    itself.
    """

    name: str
    message: str
    severity: Severity = Severity.ERROR
    position: Position = Position()
    hint: str = ""
    source_line: str = ""


class LokictlError(Error):
    """Bad input or configuration.  Carries all problems found, so that a command reports them together."""

    def __init__(self, problems: Problem | Iterable[Problem] | str) -> None:
        if isinstance(problems, str):
            problems = Problem("error", problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__(
            "\n".join(f"{p.position}: {p.message}" if p.position.file else p.message for p in self.problems)
        )


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like ``word``, or ""."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else ""


def did_you_mean(guess: str, form: str = '"{}"') -> str:
    """The hint that ``guess``, written as in ``form``, was probably meant."""
    return f"did you mean {form.replace('{}', guess)}?"


def suggestion(word: str, known: Iterable[str], otherwise: str = "", form: str = '"{}"') -> str:
    """A hint for an unknown word: the known one that was probably meant, else ``otherwise``."""
    guess = nearest(word, known)
    return did_you_mean(guess, form) if guess else otherwise
