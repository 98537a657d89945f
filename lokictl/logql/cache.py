"""Parsed queries, kept: the same text is parsed once."""

from __future__ import annotations

from functools import lru_cache

from lokictl.logql.errors import LogQLError
from lokictl.logql.expressions import Expr
from lokictl.logql.parser import parse

CACHED_QUERIES = 8192


@lru_cache(maxsize=CACHED_QUERIES)
def parse_cached(text: str) -> Expr | LogQLError:
    """The expression that ``text`` is, or why it is not LogQL."""
    try:
        return parse(text)
    except LogQLError as error:
        return error
    except RecursionError:
        return LogQLError("the query nests too deeply")
