"""Which checks there are: every class that a family's package lists in ``CHECKS``."""

from __future__ import annotations

import importlib
from functools import cache

from lokictl.lint.interface import Check

FAMILIES = ("logql", "rule", "dashboard", "datasource", "managed", "stack", "live")

READING = {
    "file/unreadable": "a file that cannot be read, or is not UTF-8 text",
    "yaml/syntax": "text that is not YAML",
    "yaml/duplicate-key": "a key that is defined twice",
    "json/syntax": "text that is not JSON",
    "rule/syntax": "a rule file in which something essential is missing or of the wrong kind",
    "rule/unknown-key": "a key that Loki does not know: it refuses the file",
    "lint/suppression": "a suppressing comment without a reason, or for a check that does not exist",
    "lint/unused-suppression": "a suppressing comment that suppresses nothing",
    "lint/skipped": "a file that was left out, and why",
}
"""Names of findings that come from reading the files, before any check runs."""


@cache
def all_checks() -> dict[str, type[Check]]:
    """Name -> class of every check, in the order of the families."""
    found: dict[str, type[Check]] = {}
    for family in FAMILIES:
        for check in importlib.import_module(f"lokictl.lint.{family}").CHECKS:
            if check.name in found:
                raise ValueError(f"two checks are called {check.name}")
            found[check.name] = check
    return found


def known_names() -> list[str]:
    """Every name that a finding can have."""
    return [*all_checks(), *READING]


def matches(name: str, pattern: str) -> bool:
    """Whether ``pattern`` (``logql/syntax``, ``logql/*``, ``logql``, ``*``) means the check called ``name``."""
    return pattern in ("*", "all", name) or pattern.removesuffix("/*") == name.partition("/")[0]
