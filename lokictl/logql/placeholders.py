"""Placeholders that another tool fills before Loki sees a query: ``%%name%%``, ``${NAME}``, ``$${NAME}``, ``{{ x }}``.

To the linter they are unknown text, as Grafana's variables are: `as_variables` writes them in that form, each in as
many characters as before, so that every offset stays what it was.
"""

from __future__ import annotations

import re
from collections.abc import Container

from lokictl.lazy import lazy_pattern

_PLACEHOLDER = lazy_pattern(
    r"%%(?P<percent>[A-Za-z_][\w.-]*)%%"
    r"|\$\$\{(?P<doubled>[A-Za-z_]\w*)\}"
    r"|\$\{(?P<braced>(?!__)[A-Za-z_]\w*)(?::[-=?+][^}\"`]*)\}"
    r"|\{\{-?\s*(?P<template>[^{}\n]+?)\s*-?\}\}"
)
_ENVIRONMENT = lazy_pattern(r"\$\{(?!__)[A-Za-z_]\w*(?::[-=?+][^}]*)?\}")
_STRING = lazy_pattern(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`', re.DOTALL)


def has_placeholder(text: str) -> bool:
    """Whether a string holds a placeholder: a query outside of its strings, another string anywhere."""
    return _ENVIRONMENT.search(text) is not None or as_variables(text) != text


def as_variables(query: str) -> str:
    """The query with each placeholder written as ``${…}`` of the same length.

    ``{{ … }}`` inside a string is a template of Loki's own, and stays.
    """
    if "%%" not in query and "${" not in query and "{{" not in query:
        return query
    strings = [found.span() for found in _STRING.finditer(query)] if "{{" in query else []

    def variable(found: re.Match[str]) -> str:
        if found["template"] and any(start <= found.start() < end for start, end in strings):
            return found[0]
        name = found["percent"] or found["doubled"] or found["braced"] or found["template"]
        length = len(found[0]) - 3
        word = re.sub(r"\W", "_", name).lstrip("0123456789_") or "x"
        return "${" + word[:length].ljust(length, "_") + "}"

    return _PLACEHOLDER.sub(variable, query)


_JINJA = lazy_pattern(r"\{\{-?\s*(?P<name>[A-Za-z_]\w*(?:[.\[][^{}|]*)?)\s*(?:\|[^{}]*)?-?\}\}")
_GO_WORDS = ("if", "else", "end", "range", "with", "template", "define", "block", "nil", "true", "false")


def jinja_as_variables(text: str, known: Container[str] = ()) -> str:
    """The text with each ``{{ name }}`` of Jinja written as ``${…}`` of the same length.

    ``known`` are functions of Go's templates, which are not names of Jinja.
    """

    def variable(found: re.Match[str]) -> str:
        name = re.split(r"[.\[\s]", found["name"], maxsplit=1)[0]
        if name in known or name in _GO_WORDS:
            return found[0]
        length = len(found[0]) - 3
        return "${" + name[:length].ljust(length, "_") + "}"

    return _JINJA.sub(variable, text) if "{{" in text else text
