"""Matchers as functions of a label's value: in stream selectors, ``drop`` and ``keep``."""

from __future__ import annotations

from collections.abc import Callable

from lokictl.logql.ast import Matcher, MatchOperator
from lokictl.logql.regex import compile_anchored, compile_selector
from lokictl.logql.versions import DEFAULT, DOT_MATCHES_NEWLINE, LokiVersion

Predicate = Callable[[str], bool]


def compile_matcher(matcher: Matcher, version: LokiVersion = DEFAULT) -> Predicate:
    """Whether a label value satisfies ``matcher``; a missing label has the value "".

    Regular expressions are anchored, and their dot matches a newline.  Raises `RegexError`.
    """
    value = matcher.value
    if matcher.operator == MatchOperator.EQUAL:
        return lambda text: text == value
    if matcher.operator == MatchOperator.NOT_EQUAL:
        return lambda text: text != value
    compiled = compile_selector if version.has(DOT_MATCHES_NEWLINE) else compile_anchored
    matches = compiled(value).matches
    wanted = matcher.operator == MatchOperator.REGEX
    return lambda text: matches(text.encode("utf-8", "surrogateescape")) is wanted
