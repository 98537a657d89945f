"""Parsed queries, kept: the same text is parsed once."""

from __future__ import annotations

from functools import lru_cache

from lokictl.logql.ast import Expr
from lokictl.logql.errors import LogQLError
from lokictl.logql.parser import parse
from lokictl.logql.versions import LokiVersion, target

CACHED_QUERIES = 8192


def parse_cached(text: str, version: LokiVersion | None = None) -> Expr | LogQLError:
    """The expression that ``text`` is to a Loki (default: the one that this run is for), or why it is not LogQL."""
    return _parsed(text, version or target())


@lru_cache(maxsize=CACHED_QUERIES)
def _parsed(text: str, version: LokiVersion) -> Expr | LogQLError:
    try:
        return parse(text, version=version)
    except LogQLError as error:
        return error
    except RecursionError:
        return LogQLError("the query nests too deeply")
