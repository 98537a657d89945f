"""The LogQL language: lexer, parser, expressions, printer.  Imports nothing else of lokictl."""

from __future__ import annotations

from lokictl.logql import ast
from lokictl.logql.ast import Expr, LogExpr, MetricExpr
from lokictl.logql.errors import LogQLError, ParseError
from lokictl.logql.parser import parse as parse_query
from lokictl.logql.printer import pretty
from lokictl.logql.templated import format_templated
from lokictl.logql.versions import LokiVersion, target

__all__ = [
    "Expr",
    "LogExpr",
    "LogQLError",
    "LokiVersion",
    "MetricExpr",
    "ParseError",
    "ast",
    "format",
    "parse",
]


def parse(query: str, *, validate: bool = True, version: LokiVersion | str | None = None) -> Expr:
    """Parses ``query``; ``str()`` of the expression is Loki's canonical form.

    ``validate=False`` skips the checks of whole expressions; ``version`` is the Loki version whose language to parse
    (default: the version of this run).  Raises `ParseError` with Loki's message.
    """
    loki = LokiVersion.parse(version) if isinstance(version, str) else version or target()
    return parse_query(query, validate=validate, version=loki)


def format(query: str) -> str:  # noqa: A001 - the name the language's users look for
    """Pretty-prints ``query``, on several lines if it is longer than 100 characters.

    Grafana variables are kept.  Raises `ParseError`.
    """
    return format_templated(query, pretty)
