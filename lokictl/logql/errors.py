"""What can be wrong with a query."""

from __future__ import annotations

from lokictl.errors import Error


class LogQLError(Error):
    """Any problem with a LogQL query; ``str(error)`` is Loki's message."""


class ParseError(LogQLError):
    """The query is not LogQL, or Loki refuses it before running it.

    ``line`` (1-based) and ``col`` (characters, 1-based) say where, as exactly as is known, for carets; they are
    both 0 where the problem has no place.  ``str(error)`` keeps Loki's own words and position (which has the
    quirk ``line 0`` in places); ``message`` is the text without the ``parse error …:`` prefix.
    ``offset``/``end_offset`` are character offsets of the offending token in the query.
    """

    def __init__(
        self,
        text: str,
        *,
        message: str = "",
        line: int = 0,
        col: int = 0,
        offset: int = 0,
        end_offset: int = 0,
    ) -> None:
        super().__init__(text)
        self.message = message or text
        self.line = line
        self.col = col
        self.offset = offset
        self.end_offset = end_offset
