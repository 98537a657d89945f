"""Parsed queries, kept: the same text is parsed once."""

from __future__ import annotations

from functools import lru_cache

from lokictl.logql.ast import Expr
from lokictl.logql.errors import LogQLError
from lokictl.logql.parser import Build, parse_built
from lokictl.logql.versions import LokiVersion, target

CACHED_QUERIES = 8192


def parse_cached(text: str, version: LokiVersion | None = None) -> Expr | LogQLError:
    """The expression that ``text`` is to a Loki (default: the one that this run is for), or why it is not LogQL."""
    result = _parsed(text, version or target())
    return result if isinstance(result, LogQLError) else result[0]


def build_cached(text: str, version: LokiVersion | None = None) -> tuple[Expr, Build] | LogQLError:
    """The expression and its build, or why ``text`` is not LogQL."""
    return _parsed(text, version or target())


@lru_cache(maxsize=CACHED_QUERIES)
def _parsed(text: str, version: LokiVersion) -> tuple[Expr, Build] | LogQLError:
    try:
        return parse_built(text, version=version)
    except LogQLError as error:
        return error
    except RecursionError:
        return LogQLError("the query nests too deeply")
